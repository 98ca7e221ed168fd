"""Uniform plans and the held-out masks among them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.sampling.near import is_near
from spex_api.sampling.survey import draw_survey, num_fitted
from spex_api.sampling.uniform import fresh_masks, uniform_plan


def survey(num_features: int, num_queries: int, seed: int = 0, **settings):
    return draw_survey(
        lambda count: uniform_plan(num_features, count, seed=seed),
        num_features=num_features,
        num_queries=num_queries,
        seed=seed,
        **settings,
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
    assert whole_cube or (drawn.held_out | drawn.near).sum() <= len(drawn.plan.masks) // 4
    np.testing.assert_array_equal(drawn.fitted, whole_cube | ~(drawn.held_out | drawn.near))


def test_a_survey_begins_with_the_anchors_and_mixes_the_rest():
    """A survey that breaks off early has masks of both kinds."""
    drawn = survey(30, 500)
    assert drawn.plan.masks[0].all()
    assert not drawn.plan.masks[1].any()
    assert not drawn.held_out[:2].any()
    assert 10 < drawn.held_out[:250].sum() < 90
    assert (drawn.held_out | drawn.near).sum() == 100
    assert drawn.near.sum() == 20
    assert not (drawn.held_out & drawn.near).any()


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


@pytest.mark.parametrize(("num_features", "queries"), [(8, 60), (40, 60)])
def test_plans_of_one_half_are_as_they_always_were(num_features, queries):
    """The masks of a seed are those whose answers users have on disk, bit for bit."""
    digests = {8: "4475c13bf8e68dfa", 40: "18250c283fbc6b4a"}
    plan = uniform_plan(num_features, queries, seed=3).masks
    fresh = fresh_masks(plan, 20, seed=4)
    digest = hashlib.sha256(plan.tobytes() + fresh.tobytes()).hexdigest()[:16]
    assert digest == digests[num_features]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([1, 2, 3, 6, 9, 12, 21, 40]),
    st.integers(1, 300),
    st.integers(0, 99),
    st.sampled_from([0.6, 0.9, 0.95]),
)
def test_biased_masks_are_distinct_too_and_end(num_features, num_queries, seed, keep):
    """Also where most draws would repeat; a small cube is drawn to its last mask."""
    plan = uniform_plan(num_features, num_queries, seed=seed, keep=keep)
    assert len(plan) == min(num_queries, 2**num_features)
    assert len(np.unique(plan.masks, axis=0)) == len(plan)
    assert plan.keep == keep
    longer = uniform_plan(num_features, num_queries + 50, seed=seed, keep=keep)
    np.testing.assert_array_equal(plan.masks, longer.masks[: len(plan)])
    others = fresh_masks(plan.masks, 40, seed=seed + 1, keep=keep)
    together = np.concatenate([plan.masks, others])
    assert len(np.unique(together, axis=0)) == len(together)


@pytest.mark.parametrize("keep", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("num_features", [20, 60])
def test_features_are_kept_with_the_probability_that_is_asked_for(num_features, keep):
    """Each feature's share of kept masks, where few repeat (six standard deviations)."""
    count = 400
    share = uniform_plan(num_features, count, seed=0, keep=keep).masks[2:].mean(axis=0)
    # Without replacement the likeliest masks come once: a little less is kept than by the law.
    assert np.abs(share - keep).max() < 6 * np.sqrt(keep * (1 - keep) / count)


@pytest.mark.parametrize("num_features", [4, 21])
def test_biased_draws_follow_the_law_without_replacement(num_features):
    """The first mask that is no anchor has the law's odds, by enumeration and by size alike."""
    keep, draws = 0.9, 1500
    first = [
        uniform_plan(num_features, 3, seed=seed, keep=keep).masks[2].sum() for seed in range(draws)
    ]
    anchors = keep**num_features + (1 - keep) ** num_features
    one_removed = num_features * keep ** (num_features - 1) * (1 - keep) / (1 - anchors)
    share = np.mean(np.array(first) == num_features - 1)
    assert abs(share - one_removed) < 5 * np.sqrt(one_removed * (1 - one_removed) / draws)


@pytest.mark.parametrize("keep", [0.49, 0.96, 0.0, 1.0, float("nan")])
def test_other_probabilities_are_refused(keep):
    """From one half to 0.95: beyond, masks say nothing, and the sentence says what to take."""
    with pytest.raises(UsageError, match=r"from 0\.5 to 0\.95, not .*keep=0\.9"):
        uniform_plan(8, 20, seed=0, keep=keep)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([4, 7, 9, 13, 25, 60]), st.integers(100, 600), st.integers(0, 99))
def test_near_masks_lack_one_to_three_features(num_features, num_queries, seed):
    """Distinct, hidden from the fit, about as many of each size, as far as there are any."""
    drawn = survey(num_features, num_queries, seed)
    near = drawn.plan.masks[drawn.near]
    removed = num_features - near.sum(axis=1, dtype=int)
    assert set(removed) <= {1, 2, 3}
    if len(drawn.plan) == 2**num_features:
        np.testing.assert_array_equal(drawn.near, is_near(drawn.plan.masks))
    elif num_features > 12:
        assert not (drawn.near & drawn.fitted).any()
        expected = max(num_queries // 5 // 5, 5)
        assert len(near) == expected
        if expected // 3 < num_features - 3:
            several = [(removed == size).sum() for size in (1, 2, 3)]
            assert max(several) - min(several) <= 1


def test_few_masks_are_not_spent_near_the_prompt():
    """Below a hundred masks all that are held out are drawn as the others."""
    assert not survey(30, 99).near.any()
    assert survey(30, 100).near.sum() == 5


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([7, 8, 9, 13, 40]), st.integers(0, 99))
def test_every_round_is_a_prefix_of_the_survey(num_features, seed):
    """Who is held out stays so, who is fitted was never held out, and each round has its share."""
    ends = tuple(end for end in (100, 150, 260, 400) if end < 2**num_features)
    if 2**num_features <= 400:
        ends = (*ends, 2**num_features)
    drawn = survey(num_features, ends[-1], seed, rounds=ends)
    assert len(np.unique(drawn.plan.masks, axis=0)) == len(drawn.plan) == ends[-1]
    for end in ends:
        part = drawn.first(end)
        np.testing.assert_array_equal(part.plan.masks, drawn.plan.masks[:end])
        if part.exhaustive:
            assert part.fitted.all()
            assert not part.held_out.any()
        else:
            assert part.fitted.sum() == num_fitted(end, several=True)
            np.testing.assert_array_equal(part.held_out, drawn.held_out[:end])
            np.testing.assert_array_equal(part.fitted, ~(drawn.held_out[:end] | drawn.near[:end]))
