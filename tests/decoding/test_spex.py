"""SPEX end to end: exact where it can be, honest where it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.decoding import SPEX
from spex_api.decoding.decoder import Status
from spex_api.decoding.ridge import additive_ridge
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.fidelity import r_squared
from spex_api.samples import Samples
from spex_api.sampling.aliased import num_coded_queries
from spex_api.sampling.uniform import uniform_plan
from spex_api.testing import planted_transform
from spex_api.transforms import FourierTransform


def noisy(function, masks, share, seed=0):
    """Values with noise of this share of the function's energy."""
    scale = np.sqrt(share * function.energy)
    return function(masks) + scale * np.random.default_rng(seed).standard_normal(len(masks))


def agreement(function, transform):
    """R² over the whole cube, from the coefficients."""
    keys = (set(function) | set(transform)) - {()}
    missed = sum((function.get(key, 0.0) - transform.get(key, 0.0)) ** 2 for key in keys)
    return 1.0 - missed / function.energy


@pytest.mark.parametrize(
    ("num_features", "exponent", "num_terms"), [(64, 6, 50), (64, 6, 100), (256, 6, 100)]
)
@pytest.mark.parametrize("seed", range(4))
def test_sparse_functions_are_recovered_exactly(num_features, exponent, num_terms, seed):
    """Support and values to 1e-8, and the status says that nothing is left."""
    function = planted_transform(num_features, num_terms, degree=4, seed=seed)
    decoder = SPEX(sparsity_exponent=exponent, degree=5)
    plan = decoder.plan(num_features=num_features, num_queries=None, seed=seed)
    recovery = decoder.decode(Samples.from_plan(plan, function(plan.masks)))
    assert recovery.transform.keys() == function.keys()
    for support, coefficient in function.items():
        assert recovery.transform[support] == pytest.approx(coefficient, abs=1e-8)
    assert recovery.status is Status.RECOVERED
    peeling = recovery.peeling
    assert peeling.zerotons + peeling.singletons + peeling.multitons == 3 * 2**exponent
    assert peeling.unresolved == 0
    assert peeling.residual_energy < 1e-18


def test_a_thousand_features():
    """Supports of four among a thousand features are found from 9,600 queries."""
    function = planted_transform(1000, 50, degree=4, seed=3)
    decoder = SPEX(sparsity_exponent=6, degree=4)
    plan = decoder.plan(1000, None, 3)
    assert len(plan) == num_coded_queries(1000, sparsity_exponent=6, degree=4) + 1
    recovery = decoder.decode(Samples.from_plan(plan, function(plan.masks)))
    assert recovery.transform.keys() == function.keys()
    assert agreement(function, recovery.transform) > 1 - 1e-15


def test_noise_costs_only_what_it_hides():
    """With noise of a tenth of the energy the strong terms are found, and R² nears one."""
    function = planted_transform(64, 50, degree=4, seed=1)
    decoder = SPEX(sparsity_exponent=6)
    plan = decoder.plan(64)
    recovery = decoder.decode(Samples.from_plan(plan, noisy(function, plan.masks, 0.1)))
    strong = {key for key, value in function.items() if abs(value) > 0.25}
    assert strong <= set(recovery.transform)
    assert agreement(function, recovery.transform) > 0.99
    assert recovery.status in (Status.EXPLAINED, Status.UNRESOLVED)


def test_values_far_from_zero_change_nothing_but_the_constant():
    """Adding 1,000 to every value adds 1,000 to the constant alone."""
    function = planted_transform(40, 30, degree=3, seed=2)
    decoder = SPEX(sparsity_exponent=5, degree=3)
    plan = decoder.plan(40)
    transform = decoder.decode(Samples.from_plan(plan, function(plan.masks) + 1000)).transform
    assert transform[()] == pytest.approx(function[()] + 1000, abs=1e-8)
    assert {k: v for k, v in transform.items() if k} == pytest.approx(
        {k: v for k, v in function.items() if k}, abs=1e-8
    )


def test_any_budget_is_used_whole():
    """Queries beyond the code's are uniform masks, distinct from the code's, and help the fit."""
    decoder = SPEX(degree=3)
    for num_queries in (30, 500, 700, 1537, 5000):
        plan = decoder.plan(32, num_queries, 0)
        assert len(plan) == num_queries
        assert len(np.unique(plan.masks, axis=0)) == num_queries
    function = planted_transform(32, 40, degree=3, seed=0)
    fewer, more = decoder.plan(32, 900, 0), decoder.plan(32, 1700, 0)
    assert fewer.aliasing.sparsity_exponent == more.aliasing.sparsity_exponent
    reached = [
        agreement(function, decoder.decode(Samples.from_plan(plan, values)).transform)
        for plan in (fewer, more)
        for values in [noisy(function, plan.masks, 0.5)]
    ]
    assert reached[1] > reached[0]


def test_an_exponent_that_does_not_fit_says_what_it_takes():
    """The error names both numbers; without an exponent the largest that fits is taken."""
    with pytest.raises(BudgetTooSmall, match=r"take 6,841 masks; 6,840 are given"):
        SPEX(sparsity_exponent=6).plan(64, 6840, 0)
    assert SPEX().plan(64, 6840, 0).aliasing.sparsity_exponent == 5
    assert SPEX().plan(64, 6841, 0).aliasing.sparsity_exponent == 6


def test_a_hole_is_told_and_nothing_is_invented():
    """With one coded mask unanswered the status says so, and a regression takes over."""
    function = FourierTransform({(): 1.0, (3,): 2.0, (3, 8): -1.5, (20, 21): 1.0}, 32)
    decoder = SPEX(sparsity_exponent=4, degree=3)
    plan = decoder.plan(32)
    values = function(plan.masks)
    values[17] = np.nan
    recovery = decoder.decode(Samples.from_plan(plan, values))
    assert recovery.status is Status.HOLES
    assert recovery.peeling is None
    assert "no answer" in recovery.status
    assert agreement(function, recovery.transform) > 0.999
    assert set(function) <= set(recovery.transform)


@pytest.mark.parametrize("num_holes", [1, 60, 600])
def test_holes_cost_little_where_the_bins_still_suggest(num_holes):
    """Random triples, which no regression finds by itself, survive up to a tenth of holes."""
    function = planted_transform(64, 20, degree=4, seed=0)
    decoder = SPEX(sparsity_exponent=6)
    plan = decoder.plan(64)
    values = function(plan.masks)
    values[np.random.default_rng(0).choice(len(plan), num_holes, replace=False)] = np.nan
    recovery = decoder.decode(Samples.from_plan(plan, values))
    assert recovery.status is Status.HOLES
    assert agreement(function, recovery.transform) > 0.999


@pytest.mark.parametrize("num_answers", [2, 3, 9, 40])
def test_a_plan_that_is_mostly_holes_is_still_decoded(num_answers):
    """A run that broke off early has few answers, and maybe of one group alone."""
    decoder = SPEX(sparsity_exponent=3, degree=2)
    plan = decoder.plan(20)
    values = np.full(len(plan), np.nan)
    values[:num_answers] = np.random.default_rng(0).standard_normal(num_answers)
    recovery = decoder.decode(Samples.from_plan(plan, values))
    assert recovery.status is Status.HOLES
    assert np.isfinite(recovery.transform(plan.masks)).all()


def test_a_value_that_is_missing_has_no_say():
    """Whatever the function would have answered under the missing mask, the result is the same."""
    function = planted_transform(40, 10, degree=3, seed=1)
    decoder = SPEX(sparsity_exponent=4, degree=3)
    plan = decoder.plan(40)
    values = function(plan.masks)
    values[100] = np.nan
    kept = np.arange(len(plan)) != 100
    with_hole = decoder.decode(Samples.from_plan(plan, values))
    samples = Samples.from_plan(plan, function(plan.masks))
    assert decoder.decode(samples.take(kept)).transform == with_hole.transform


def test_samples_of_no_code_are_regressed():
    """Uniform masks carry no code; the status says what was done in its place."""
    function = FourierTransform({(): 1.0, (3,): 2.0, (3, 8): -1.5, (3, 8, 9): 1.0}, 32)
    masks = uniform_plan(32, 600, seed=0).masks
    recovery = SPEX().decode(Samples.from_arrays(masks, function(masks)))
    assert recovery.status is Status.UNCODED
    assert agreement(function, recovery.transform) > 0.999


def test_a_cube_with_a_hole_is_not_called_uncoded():
    """Of a plan that asks all masks, one without an answer is a hole."""
    plan = SPEX().plan(5, 32, 0)
    values = plan.masks[:, 0] - 2.0 * plan.masks[:, 3]
    values[9] = np.nan
    assert SPEX().decode(Samples.from_plan(plan, values)).status is Status.HOLES


def test_a_whole_cube_is_transformed_exactly():
    """Where every mask has a value, even a dense function is recovered to the last coefficient."""
    plan = SPEX().plan(6, 64, 0)
    values = np.random.default_rng(0).standard_normal(64)
    recovery = SPEX().decode(Samples.from_plan(plan, values))
    np.testing.assert_allclose(recovery.transform(plan.masks), values, atol=1e-12)


@pytest.mark.parametrize("num_features", [2, 3, 4, 8, 11])
def test_few_features(num_features):
    """Codes of few features coincide in part; what is planted is found all the same."""
    decoder = SPEX(sparsity_exponent=2, degree=2)
    plan = decoder.plan(num_features)
    function = FourierTransform({(): 0.5, (0,): 1.0, (0, 1): -2.0}, num_features)
    recovery = decoder.decode(Samples.from_plan(plan, function(plan.masks)))
    np.testing.assert_allclose(recovery.transform(plan.masks), function(plan.masks), atol=1e-8)


def test_the_order_of_the_samples_decides_nothing_of_substance():
    """Shuffled and repeated samples give the same support and the same values to rounding."""
    function = planted_transform(40, 30, degree=3, seed=2)
    decoder = SPEX(sparsity_exponent=5, degree=3)
    plan = decoder.plan(40)
    samples = Samples.from_plan(plan, function(plan.masks))
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(len(plan)), 2))
    one, other = decoder.decode(samples), decoder.decode(samples.take(rows))
    assert dict(one.transform) == pytest.approx(dict(other.transform), abs=1e-10)
    assert other.status is Status.RECOVERED


def test_what_only_the_uniform_samples_know_is_not_called_exact():
    """Uniform samples that contradict the code's keep the result from being called exact."""
    function = planted_transform(40, 10, degree=3, seed=2)
    decoder = SPEX(sparsity_exponent=4, degree=3)
    plan = decoder.plan(40, 2000, 0)
    values = function(plan.masks)
    values[-300:] += np.random.default_rng(0).standard_normal(300)
    recovery = decoder.decode(Samples.from_plan(plan, values))
    assert recovery.status is not Status.RECOVERED


def test_variances_are_noise_that_is_expected():
    """Known variances keep peeling from reading supports into noise."""
    function = planted_transform(40, 20, degree=3, seed=2)
    decoder = SPEX(sparsity_exponent=5, degree=3)
    plan = decoder.plan(40)
    values = noisy(function, plan.masks, 0.5)
    variances = np.full(len(plan), 0.5 * function.energy)
    recovery = decoder.decode(Samples.from_plan(plan, values, variances))
    assert agreement(function, recovery.transform) > 0.9


def test_constant_values_have_a_status():
    """Where nothing moves the answer there is a constant and a sentence."""
    plan = SPEX(sparsity_exponent=3, degree=2).plan(20)
    recovery = SPEX().decode(Samples.from_plan(plan, np.full(len(plan), 2.5)))
    assert recovery.status is Status.CONSTANT
    assert dict(recovery.transform) == {(): 2.5}


def test_pure_noise_is_not_explained():
    """Values that depend on nothing give no interaction to rely on."""
    plan = SPEX(sparsity_exponent=4, degree=3).plan(40, 2500, 0)
    values = np.random.default_rng(0).standard_normal(len(plan))
    recovery = SPEX().decode(Samples.from_plan(plan, values))
    assert recovery.status in (Status.NOTHING_BUT_NOISE, Status.MOSTLY_UNEXPLAINED)
    assert recovery.transform.energy < 0.05


def test_a_dense_function_is_not_said_to_be_explained():
    """A product of all features is beyond any low degree: the status says that most is missing."""
    plan = SPEX(sparsity_exponent=4, degree=3).plan(24)
    values = np.prod(1.0 - 2.0 * plan.masks, axis=1) + 0.1 * plan.masks[:, 0]
    recovery = SPEX().decode(Samples.from_plan(plan, values))
    assert recovery.status in (Status.NOTHING_BUT_NOISE, Status.MOSTLY_UNEXPLAINED)


@pytest.mark.parametrize("num_samples", [2, 5, 40])
def test_few_samples_do_no_worse_than_a_constant(num_samples):
    """A handful of uniform samples is fitted without a trace, and not far off."""
    function = planted_transform(10, 4, degree=2, seed=0)
    masks = uniform_plan(10, num_samples, seed=0).masks
    samples = Samples.from_arrays(masks, function(masks))
    unseen = uniform_plan(10, 900, seed=5).masks
    predicted = SPEX().decode(samples).transform(unseen)
    additive = r_squared(function(unseen), additive_ridge(samples)(unseen))
    assert r_squared(function(unseen), predicted) > min(additive, 0.0) - 1.0


def test_one_sample_and_bad_settings_are_refused():
    """Misuse is an error that names the numbers."""
    with pytest.raises(BudgetTooSmall, match="not 1"):
        SPEX().decode(Samples.from_arrays([[1, 0]], [1.0]))
    for bad in ({"degree": 0}, {"degree": 7}, {"sparsity_exponent": 0}, {"sparsity_exponent": 17}):
        with pytest.raises(UsageError, match="SPEX takes"):
            SPEX(**bad)
    with pytest.raises(UsageError):
        SPEX(sparsity_exponent=6).plan(1)
    with pytest.raises(UsageError):
        SPEX().plan(0, 100, 0)
    with pytest.raises(UsageError, match="from 1 to 4"):
        SPEX(sparsity_exponent=6).plan(4)


def test_the_same_seed_gives_the_same_plan():
    """Plans are seeded; another seed gives other masks of the same number."""
    one, same, other = (SPEX(sparsity_exponent=4).plan(30, 3000, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.masks, same.masks)
    assert (one.masks != other.masks).any()
    assert len(one) == len(other)


def test_settings_read_as_python():
    """The representation is what one would type."""
    assert repr(SPEX(sparsity_exponent=6)) == "SPEX(sparsity_exponent=6)"
