"""Completions → value: what to ask for, and the number in the answer."""

from spex_api.scores.label import LabelLogOdds
from spex_api.scores.score import Labelled, Score, Scored

__all__ = ["LabelLogOdds", "Labelled", "Score", "Scored"]
