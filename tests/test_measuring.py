"""A model's own values under masks of one's choice."""

from __future__ import annotations

import math

import numpy as np
import pytest

import spex_api as spex
from spex_api.errors import CacheMiss, UsageError
from spex_api.testing import FunctionAdapter

PROMPT = spex.Prompt.from_template("Rate: {text}", text="a b c d")
SCORE = spex.LabelLogOdds("yes", "no")


def words(messages) -> dict[str, float]:
    """The log-odds are the number of letters that are left."""
    value = float(sum(len(word) == 1 for word in messages[-1].content.split()))
    return {"yes": -math.log1p(math.exp(-value)), "no": -math.log1p(math.exp(value))}


def test_each_mask_has_the_models_own_value():
    """Equal masks are asked once, and what `explain` has asked is on disk."""
    model = FunctionAdapter(words)
    masks = [[1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    found = spex.measure_sync(PROMPT, model, masks, score=SCORE)
    np.testing.assert_allclose(found.values, [4.0, 1.0, 1.0, 0.0], atol=1e-9)
    assert found.variances.tolist() == [0.0] * 4
    assert found.meaning == SCORE.meaning
    assert found.sent == len(model.requests) == 3
    spex.explain_sync(PROMPT, model, score=SCORE, budget=spex.Budget(60))
    again = spex.measure_sync(PROMPT, model, [[1, 0, 1, 0]], score=SCORE, mode="replay")
    np.testing.assert_allclose(again.values, [2.0], atol=1e-9)
    assert again.sent == 0


def test_an_explanation_can_be_checked_against_it():
    """The interaction that is explained is the one that is measured."""
    explanation = spex.explain_sync(PROMPT, FunctionAdapter(words), score=SCORE)
    corners = [[1, 1, 0, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1]]
    found = spex.measure_sync(PROMPT, FunctionAdapter(words), corners, score=SCORE)
    np.testing.assert_allclose(explanation.predict(corners), found.values, atol=1e-6)


def test_where_the_budget_ends_there_is_no_value():
    """NaN, and what was asked before it is told."""
    masks = np.eye(4, dtype=int)
    found = spex.measure_sync(
        PROMPT, FunctionAdapter(words), masks, score=SCORE, budget=spex.Budget(2)
    )
    assert np.isfinite(found.values).sum() == found.sent == 2


@pytest.mark.parametrize("masks", [[[1, 0]], [[1, 2, 0, 0]], [[0.5, 0, 0, 0]], np.ones((2, 2, 4))])
def test_masks_are_rows_of_0_and_1(masks):
    """Anything else is refused before anything is asked."""
    model = FunctionAdapter(words)
    with pytest.raises(UsageError, match="4 entries"):
        spex.measure_sync(PROMPT, model, masks, score=SCORE)
    assert not model.requests


def test_a_replay_asks_nothing():
    """What is not on disk is an error that names it."""
    model = FunctionAdapter(words)
    with pytest.raises(CacheMiss):
        spex.measure_sync(PROMPT, model, [[1, 1, 1, 1]], score=SCORE, mode="replay")
    assert not model.requests
