"""Completions → a value, its variance, and whether it is censored: what to ask for, how to read."""

from spex_api.scores.frequency import LabelFrequency
from spex_api.scores.label import LabelLogOdds
from spex_api.scores.matching import JsonField, Matcher, Pattern, Predicate, Refusal, Words
from spex_api.scores.score import Labelled, Opening, Score, Scored, Seconded
from spex_api.scores.target import TargetLogProb

__all__ = [
    "JsonField",
    "LabelFrequency",
    "LabelLogOdds",
    "Labelled",
    "Matcher",
    "Opening",
    "Pattern",
    "Predicate",
    "Refusal",
    "Score",
    "Scored",
    "Seconded",
    "TargetLogProb",
    "Words",
]
