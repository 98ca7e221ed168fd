"""`[score]` says which number is read; what does not go together is refused before it is sent."""

from __future__ import annotations

import pytest

from spex_api.errors import SpecError, UsageError
from spex_api.scores import (
    Auto,
    JsonField,
    Judge,
    LabelFrequency,
    LabelLogOdds,
    Numeric,
    Pattern,
    Refusal,
    Says,
    Similarity,
    TargetLogProb,
    ToolCalled,
)
from spex_api.scores.tables import score_of
from spex_api.spec import check_spec


def made(**table):
    prompt = {"template": "{text}", "text": "a b"}
    return score_of(check_spec({"prompt": prompt, "score": table}, source="test").score)


LABELS = ["yes", "no"]
TABLES = [
    ({"labels": LABELS}, LabelLogOdds("yes", "no")),
    ({"labels": LABELS, "max_censored": 0.1}, LabelLogOdds("yes", "no", max_censored=0.1)),
    ({}, Auto()),
    ({"kind": "auto", "labels": LABELS}, Auto(("yes", "no"))),
    ({"kind": "label_frequency", "labels": LABELS}, LabelFrequency("yes", "no")),
    (
        {"kind": "label_frequency", "labels": LABELS, "samples": 3, "scale": "probability"},
        LabelFrequency("yes", "no", samples=3, scale="probability"),
    ),
    (
        {"kind": "label_frequency", "pattern": "(?i)refund"},
        LabelFrequency(match=Pattern("(?i)refund")),
    ),
    (
        {"kind": "label_frequency", "field": "verdict", "equals": 1},
        LabelFrequency(match=JsonField("verdict", 1)),
    ),
    ({"kind": "label_frequency", "refusal": True}, LabelFrequency(match=Refusal())),
    ({"kind": "label_frequency", "tool": "look"}, LabelFrequency(match=ToolCalled("look"))),
    (
        {"kind": "label_frequency", "says": "15 days", "temperature": 0.2},
        LabelFrequency(match=Says("15 days"), temperature=0.2),
    ),
    ({"kind": "target_log_prob"}, TargetLogProb()),
    (
        {"kind": "target_log_prob", "target": " Paris", "per_token": True, "way": "steps"},
        TargetLogProb(" Paris", per_token=True, way="steps"),
    ),
    ({"kind": "numeric", "low": 1, "high": 10}, Numeric(1, 10)),
    ({"kind": "numeric", "low": 0.0, "high": 1.0, "samples": 4}, Numeric(0.0, 1.0, samples=4)),
    ({"kind": "similarity", "to": "Paris."}, Similarity("Paris.")),
    ({"kind": "similarity", "embeddings": "openai:e"}, Similarity(model="openai:e")),
    (
        {"kind": "judge", "judge": "openai:j", "rubric": "Polite?", "grades": 2},
        Judge("openai:j", "Polite?", grades=2),
    ),
]


@pytest.mark.parametrize(("table", "score"), TABLES, ids=[repr(score) for _, score in TABLES])
def test_each_kind_has_its_score(table, score):
    """The file's words become the score that Python's words would; whole ends stay whole."""
    assert repr(made(**table)) == repr(score)


@pytest.mark.parametrize(
    ("table", "message", "advice"),
    [
        ({"labels": LABELS, "samples": 3}, "has 'samples', which label_log", "label_frequency"),
        ({"kind": "numeric", "low": 1}, "lacks 'high', which numeric needs", ""),
        ({"kind": "label_log_odds"}, "lacks 'labels'", ""),
        ({"kind": "similarity", "labels": LABELS}, "has 'labels', which similarity", "It takes"),
        ({"kind": "label_frequency", "field": "a"}, "one of 'field' and 'equals'", ""),
        (
            {"kind": "label_frequency", "pattern": "a", "says": "b"},
            "in more than one way",
            "Keep one",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(table, message, advice):
    """It would be ignored, and somebody counted on it."""
    with pytest.raises(SpecError, match=message) as caught:
        made(**table)
    assert advice in caught.value.advice


def test_what_the_score_refuses_is_its_own_error():
    """The table knows keys; what they may say, the score knows."""
    with pytest.raises(UsageError, match="at least two labels"):
        made(labels=["yes"])
