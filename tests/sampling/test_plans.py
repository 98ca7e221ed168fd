"""Uniform plans and the held-out masks among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.sampling.survey import draw_survey
from spex_api.sampling.uniform import uniform_plan


def survey(num_features: int, num_queries: int, seed: int = 0):
    return draw_survey(
        lambda count: uniform_plan(num_features, count, seed=seed),
        num_features=num_features,
        num_queries=num_queries,
        seed=seed,
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 300), st.integers(0, 99))
def test_masks_are_distinct_and_as_many_as_asked(num_features, num_queries, seed):
    """No mask twice; where the cube is smaller than the plan, all of it."""
    plan = uniform_plan(num_features, num_queries, seed=seed)
    assert len(plan) == min(num_queries, 2**num_features)
    assert len(np.unique(plan.masks, axis=0)) == len(plan)


def test_the_whole_and_the_empty_prompt_come_first():
    """They anchor every plan."""
    plan = uniform_plan(30, 10, seed=3)
    assert plan.masks[0].all()
    assert not plan.masks[1].any()


@pytest.mark.parametrize("num_features", [8, 40])
def test_a_seed_fixes_the_plan(num_features):
    """The same seed gives the same masks, another seed others, and a longer plan begins alike."""
    one = uniform_plan(num_features, 50, seed=1)
    np.testing.assert_array_equal(one.masks, uniform_plan(num_features, 50, seed=1).masks)
    np.testing.assert_array_equal(one.masks, uniform_plan(num_features, 99, seed=1).masks[:50])
    assert (one.masks != uniform_plan(num_features, 50, seed=2).masks).any()


def test_features_are_kept_half_of_the_time():
    """Each feature's share of kept masks is near one half (five standard deviations)."""
    share = uniform_plan(60, 2000, seed=0).masks.mean(axis=0)
    assert np.abs(share - 0.5).max() < 5 * 0.5 / np.sqrt(2000)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.integers(20, 400), st.integers(0, 99))
def test_held_out_masks_are_not_in_the_fit(num_features, num_queries, seed):
    """All masks of a survey are distinct, so none that measures was seen by the fit."""
    drawn = survey(num_features, num_queries, seed)
    assert len(drawn.plan.masks) == min(num_queries, 2**num_features)
    assert len(np.unique(drawn.plan.masks, axis=0)) == len(drawn.plan.masks)
    whole_cube = len(drawn.plan.masks) == 2**num_features
    assert drawn.held_out.sum() == 0 if whole_cube else drawn.held_out.sum() >= 5
    assert drawn.held_out.sum() <= len(drawn.plan.masks) // 4


def test_a_survey_begins_with_the_anchors_and_mixes_the_rest():
    """A survey that breaks off early has masks of both kinds."""
    drawn = survey(30, 500)
    assert drawn.plan.masks[0].all()
    assert not drawn.plan.masks[1].any()
    assert not drawn.held_out[:2].any()
    assert 10 < drawn.held_out[:250].sum() < 90
    assert drawn.held_out.sum() == 100


def test_a_budget_too_small_says_how_much_is_needed():
    """Nineteen masks of a large cube fit nothing; all eight of a small one are welcome."""
    with pytest.raises(BudgetTooSmall, match="at least 20"):
        survey(30, 19)
    assert len(survey(3, 500).plan.masks) == 8


def test_one_feature_has_nothing_to_tell_apart():
    """A single feature is refused before anything is sent."""
    with pytest.raises(BudgetTooSmall, match="one feature"):
        survey(1, 100)


def test_an_empty_plan_is_refused():
    """No features or no queries is wrong use."""
    with pytest.raises(UsageError):
        uniform_plan(0, 5, seed=0)
