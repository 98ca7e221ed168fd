"""Completions → a value, its variance, and whether it is censored: what to ask for, how to read."""

from spex_api.scores.auto import Auto, as_score
from spex_api.scores.chosen import Chosen
from spex_api.scores.frequency import LabelFrequency
from spex_api.scores.function import Function
from spex_api.scores.judge import Judge
from spex_api.scores.label import LabelLogOdds
from spex_api.scores.matching import (
    JsonField,
    Matcher,
    Pattern,
    Predicate,
    Refusal,
    Says,
    Words,
)
from spex_api.scores.numeric import Numeric
from spex_api.scores.score import Labelled, Opening, Score, Scored, Seconded
from spex_api.scores.similarity import Similarity
from spex_api.scores.target import TargetLogProb
from spex_api.scores.tool_called import ToolCalled

__all__ = [
    "Auto",
    "Chosen",
    "Function",
    "JsonField",
    "Judge",
    "LabelFrequency",
    "LabelLogOdds",
    "Labelled",
    "Matcher",
    "Numeric",
    "Opening",
    "Pattern",
    "Predicate",
    "Refusal",
    "Says",
    "Score",
    "Scored",
    "Seconded",
    "Similarity",
    "TargetLogProb",
    "ToolCalled",
    "Words",
    "as_score",
]
