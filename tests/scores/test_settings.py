"""What a score is told is looked at when it is built, and refused in a sentence."""

from __future__ import annotations

import pytest

from spex_api.errors import UsageError
from spex_api.scores import (
    Auto,
    Function,
    JsonField,
    Judge,
    LabelFrequency,
    LabelLogOdds,
    Numeric,
    Pattern,
    Similarity,
    TargetLogProb,
    Words,
)

BUILT = {
    "auto": lambda share: Auto(("a", "b"), max_censored=share),
    "function": lambda share: Function(len, max_censored=share),
    "judge": lambda share: Judge("m", "r", max_censored=share),
    "frequency": lambda share: LabelFrequency("a", max_censored=share),
    "log-odds": lambda share: LabelLogOdds("a", "b", max_censored=share),
    "numeric": lambda share: Numeric(1, 5, max_censored=share),
    "similarity": lambda share: Similarity(max_censored=share),
    "target": lambda share: TargetLogProb(max_censored=share),
}


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan"), "x", True, None])
@pytest.mark.parametrize("kind", BUILT)
def test_a_share_is_from_none_to_all(kind, share):
    """A share that is none would let every run pass, or none, after it was paid."""
    assert BUILT[kind](1).max_censored == 1
    with pytest.raises(UsageError, match="max_censored"):
        BUILT[kind](share)


@pytest.mark.parametrize("count", [0, 2.5, "3", True])
def test_counts_are_whole(count):
    """Half an answer cannot be asked for."""
    with pytest.raises(UsageError, match="samples"):
        LabelFrequency("a", samples=count)


@pytest.mark.parametrize("kind", [LabelLogOdds, LabelFrequency, Words])
@pytest.mark.parametrize("labels", [(["yes", "no"],), ("yes", 3)])
def test_labels_are_texts_one_by_one(kind, labels):
    """A list in place of its labels is told as such."""
    with pytest.raises(UsageError, match="A label is text, not"):
        kind(*labels)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: TargetLogProb(3), "target"),
        (lambda: Similarity(to=3), "to"),
        (lambda: Similarity(model=3), "model"),
        (lambda: Judge(None, "r"), "model"),
        (lambda: Judge("m", 3), "rubric"),
        (lambda: Pattern(3), "pattern"),
        (lambda: JsonField(3, 1), "field"),
    ],
)
def test_texts_are_texts(build, name):
    """What is no text is refused by its name, before anything is asked."""
    with pytest.raises(UsageError, match=f"takes {name} as text"):
        build()


@pytest.mark.parametrize("temperature", ["hot", None, True])
def test_a_temperature_is_a_number(temperature):
    """What is no number is no temperature."""
    with pytest.raises(UsageError, match="A temperature is a number"):
        LabelFrequency("a", temperature=temperature)


@pytest.mark.parametrize("ids", [3, {"a": 1, "b": 2}, {"a": "x", "b": [2]}, {"a": [1.5], "b": [2]}])
def test_token_ids_are_lists_of_numbers(ids):
    """Anything else is refused before a question is made of it."""
    with pytest.raises(UsageError, match="Token ids are"):
        LabelLogOdds("a", "b", token_ids=ids)


@pytest.mark.parametrize("count", [0, 1.5, "x"])
def test_an_answers_length_is_a_whole_number(count):
    """Half a token is none."""
    with pytest.raises(UsageError, match="max_tokens"):
        TargetLogProb(max_tokens=count)


@pytest.mark.parametrize("labels", ["yes", 3])
def test_labels_to_choose_for_are_a_list(labels):
    """One text is not taken for a list of its letters."""
    with pytest.raises(UsageError, match="Labels are a list"):
        Auto(labels)
