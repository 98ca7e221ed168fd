"""Held-out R² and its interval, removal curves, and the recovery of annotated features."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.errors import UsageError
from spex_api.fidelity import (
    ceiling_of_shares,
    held_out_faithfulness,
    r_squared,
    recovery_rate,
    removal_curve,
)
from spex_api.indices import interactions
from spex_api.transforms import FourierTransform, MobiusTransform


def test_r_squared_of_the_truth_the_mean_and_worse():
    """1 for the values themselves, 0 for their mean, below 0 for what is worse than that."""
    values = np.array([1.0, 2.0, 4.0])
    assert r_squared(values, values) == 1.0
    assert r_squared(values, np.full(3, values.mean())) == pytest.approx(0.0)
    assert r_squared(values, -values) < 0


def test_r_squared_of_constant_values_is_unknown():
    """Where nothing varies there is nothing to explain: NaN, not 1 and not 0."""
    assert np.isnan(r_squared([2.0, 2.0, 2.0], [2.0, 2.0, 2.1]))


@pytest.mark.parametrize(("values", "said"), [([], []), ([1.0, 2.0], [1.0])])
def test_columns_of_other_lengths_are_refused(values, said):
    """R² compares two columns of one length."""
    with pytest.raises(UsageError):
        r_squared(values, said)


def test_the_interval_covers_the_true_share():
    """Over 200 draws of 100 masks, the 90 % interval holds the population's R² in 84 to 96 %."""
    rng = np.random.default_rng(0)
    population = rng.standard_normal((200_000, 2)) @ np.diag([1.0, 0.5])
    truth = r_squared(population.sum(axis=1), population[:, 0])
    covered = 0
    for draw in range(200):
        rows = population[rng.integers(0, len(population), 100)]
        found = held_out_faithfulness(rows.sum(axis=1), rows[:, 0], additive=rows[:, 0], seed=draw)
        covered += found.low <= truth <= found.high
    assert 0.84 <= covered / 200 <= 0.96


def test_a_seed_fixes_the_interval():
    """The same seed gives the same ends, another seed others."""
    rng = np.random.default_rng(0)
    values, said = rng.standard_normal((2, 60))
    one = held_out_faithfulness(values, said, additive=said, seed=1)
    assert one == held_out_faithfulness(values, said, additive=said, seed=1)
    assert one != held_out_faithfulness(values, said, additive=said, seed=2)
    assert one.low < one.value < one.high


def test_a_removal_curve_asks_the_model_once():
    """Sets come from the surrogate, changes from the model: one call, full first, none twice."""
    surrogate = MobiusTransform({(): 1.0, (0,): 3.0, (1,): 1.0}, 4)
    asked = []

    def model(masks):
        asked.append(masks.copy())
        return -2.0 - 2.0 * masks[:, 0] + 8.0 * masks[:, 1]

    curve = removal_curve(surrogate, model, sizes=(1, 2, 3))
    assert [each.features for each in curve.sets] == [(0,), (0, 1), (0, 1)]
    assert curve.sizes == (1, 2, 3)
    assert curve.before == 4.0
    assert curve.changes == (0.5, 1.5, 1.5)
    (masks,) = asked
    assert masks.tolist() == [[1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1]]


def test_a_removal_curve_without_a_model_is_the_surrogates_own():
    """The change is a share of |f(1)|, also where f(1) is negative, and never falls with size."""
    surrogate = MobiusTransform({(): 1.0, (0,): -3.0, (1,): -2.0, (1, 2): 1.5}, 3)
    curve = removal_curve(surrogate, sizes=(1, 2))
    assert [each.features for each in curve.sets] == [(0,), (0, 1)]
    assert curve.before == pytest.approx(-2.5)
    assert curve.changes == pytest.approx((3.0 / 2.5, 3.5 / 2.5))


def test_a_removal_curve_of_a_full_prompt_worth_nothing():
    """A share of zero is unknown: NaN, and no error."""
    curve = removal_curve(MobiusTransform({(): -1.0, (0,): 1.0}, 2), sizes=(1,))
    assert np.isnan(curve.changes[0])


@pytest.mark.parametrize("sizes", [(), (0,), (2, -1)])
def test_a_removal_curve_needs_sizes(sizes):
    """No size, and a size below 1, are refused before the model is asked."""
    with pytest.raises(UsageError):
        removal_curve(MobiusTransform({(0,): 1.0}, 2), pytest.fail, sizes=sizes)


def test_a_function_that_gives_another_number_of_values_is_refused():
    """One value a mask, not one in all."""
    with pytest.raises(UsageError, match="one value a mask"):
        removal_curve(MobiusTransform({(0,): 1.0}, 2), lambda masks: 1.0, sizes=(1,))


def test_recovery_is_the_mean_share_of_annotated_features():
    """By hand: of the three strongest sets, shares of 1/2, 1 and 0; the empty set is left out."""
    values = {(): 99.0, (0, 1): -5.0, (1,): 4.0, (2, 3, 4): 3.0, (1, 5): 0.1}
    assert recovery_rate(values, {1}, top=3) == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert recovery_rate(values, [1, 5]) == pytest.approx((1 / 2 + 1 + 0 + 1) / 4)
    assert recovery_rate(values, {1}, top=1) == pytest.approx(1 / 2)


def test_recovery_reads_interactions():
    """Interactions are a mapping like any other, and so is a transform."""
    transform = FourierTransform({(): 9.0, (0,): 0.5, (1, 2): -2.0}, 3)
    found = interactions(transform, "Fourier", 2)
    assert recovery_rate(found, {2}) == recovery_rate(transform, {2}) == pytest.approx(1 / 4)


def test_recovery_of_nothing_is_unknown():
    """Without a set there is no share: NaN."""
    assert np.isnan(recovery_rate({(): 1.0}, {0}))


@pytest.mark.parametrize(("annotated", "top"), [({0}, 0), ({"never"}, 10), ({-1}, 10)])
def test_recovery_that_makes_no_sense_is_refused(annotated, top):
    """No set to count, and annotations that are no feature numbers, are the caller's to mend."""
    with pytest.raises(UsageError):
        recovery_rate({(0,): 1.0}, annotated, top=top)


def test_the_ceiling_of_shares_is_the_r2_of_the_true_ones():
    """In the mean over draws; a share of one draw, and shares that are all equal, tell nothing."""
    rng = np.random.default_rng(0)
    true = rng.uniform(0.2, 0.9, 20_000)
    trials = np.full(len(true), 4.0)
    hits = rng.binomial(4, true).astype(float)
    found = ceiling_of_shares(hits, trials)
    assert found == pytest.approx(r_squared(hits / trials, true), abs=0.01)
    assert ceiling_of_shares(hits > 2, np.ones(len(true))) is None
    assert ceiling_of_shares(np.full(5, 2.0), np.full(5, 4.0)) is None
    assert ceiling_of_shares(np.array([0.0, 1.0]), np.array([2.0, 2.0])) == 0.0
