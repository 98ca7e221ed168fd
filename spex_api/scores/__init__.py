"""Completions → value: what to ask for, and the number in the answer."""

from spex_api.scores.label import LabelLogOdds
from spex_api.scores.score import Score, Scored

__all__ = ["LabelLogOdds", "Score", "Scored"]
