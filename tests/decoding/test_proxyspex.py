"""ProxySPEX: planted functions, odd samples, and what it says without LightGBM."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from spex_api.decoding.decoder import Status
from spex_api.decoding.proxyspex import ProxySPEX, _Candidate, _Data
from spex_api.decoding.ridge import additive_ridge
from spex_api.decoding.support_ridge import ridge
from spex_api.errors import BudgetTooSmall, MissingExtra, UsageError
from spex_api.fidelity import r_squared
from spex_api.samples import Samples
from spex_api.transforms import FourierTransform

PLANTED = FourierTransform(
    {
        (): 3.0,
        (1,): 2.0,
        (4,): -1.0,
        (8,): 1.0,
        (1, 4): 1.5,
        (1, 8): -0.8,
        (1, 4, 8): 1.2,
        (9,): 0.5,
    },
    num_features=14,
)


def planted_samples(num_samples, *, seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(num_samples, PLANTED.num_features))
    return Samples.from_arrays(masks, PLANTED(masks) + noise * rng.normal(size=num_samples))


def fidelity(transform):
    clean = planted_samples(1000, seed=99)
    return r_squared(clean.values, transform(clean.masks))


def test_hierarchical_interactions_are_found(capfd):
    """Strong sets and their coefficients come back through noise, and nothing is printed."""
    recovery = ProxySPEX().decode(planted_samples(250, noise=0.5))
    assert recovery.status is Status.CONVERGED
    strongest = recovery.transform.strongest(5)
    assert set(strongest) == {(), (1,), (4,), (8,), (1, 4), (1, 4, 8)}
    for support, coefficient in strongest.items():
        assert coefficient == pytest.approx(PLANTED[support], abs=0.2)
    assert fidelity(recovery.transform) > 0.97
    assert recovery.covariance is None
    assert capfd.readouterr() == ("", "")


def test_it_beats_an_additive_fit_where_parts_interact():
    """By much more than chance."""
    samples = planted_samples(120, noise=0.5)
    found = fidelity(ProxySPEX().decode(samples).transform)
    assert found > fidelity(additive_ridge(samples)) + 0.15


def test_it_is_no_worse_than_an_additive_fit_where_nothing_interacts():
    """Of an additive function nothing is lost by looking for more."""
    rng = np.random.default_rng(1)
    masks = rng.integers(0, 2, size=(560, 20))
    truth = masks @ rng.normal(size=20)
    samples = Samples.from_arrays(masks[:60], truth[:60] + 0.3 * rng.normal(size=60))
    found = r_squared(truth[60:], ProxySPEX().decode(samples).transform(masks[60:]))
    assert found > r_squared(truth[60:], additive_ridge(samples)(masks[60:])) - 0.02


def test_the_constant_and_all_singles_take_part():
    """A refit holds every single feature, also those that no tree asks, and the constant."""
    data = _Data(*planted_arrays())
    fitted = _Candidate(0, 1, refitted=True).fit(data, [{(): 3.0, (1, 4): 2.0, (2, 5): 0.1}])
    assert set(fitted) == {(), (1, 4)} | {(feature,) for feature in range(14)}
    assert fitted[(9,)] == pytest.approx(0.5, abs=0.2)
    unrefitted = _Candidate(0, 1, refitted=False).fit(data, [{(): 3.0, (1, 4): 2.0, (2, 5): 0.1}])
    assert unrefitted == {(): 3.0, (1, 4): 2.0}


def planted_arrays():
    samples = planted_samples(400)
    return samples.masks, samples.values, np.ones(400)


def test_a_dominant_term_is_kept():
    """One pair that carries all the energy is the answer, not lost at a threshold."""
    only = FourierTransform({(2, 5): 1.0, (2,): 0.4, (5,): 0.4}, 8)
    masks = np.random.default_rng(0).integers(0, 2, size=(200, 8))
    transform = ProxySPEX().decode(Samples.from_arrays(masks, only(masks))).transform
    assert transform[(2, 5)] == pytest.approx(1.0, abs=0.02)


def test_the_order_of_the_samples_decides_nothing():
    """Shuffled or decoded again, to the last bit; another seed may differ."""
    samples = planted_samples(90, noise=0.5)
    shuffled = samples.take(np.random.default_rng(1).permutation(90))
    transform = ProxySPEX(max_terms=50).decode(samples).transform
    assert ProxySPEX(max_terms=50).decode(shuffled).transform == transform
    assert ProxySPEX(max_terms=50, seed=1).decode(samples).transform != transform


@pytest.mark.parametrize("num_samples", range(2, 11))
def test_any_few_samples_are_decoded(num_samples, capfd):
    """Two to ten samples give nearly an additive fit's answer, and LightGBM says nothing."""
    samples = planted_samples(num_samples, seed=num_samples)
    transform = ProxySPEX().decode(samples).transform
    assert fidelity(transform) > fidelity(additive_ridge(samples)) - 0.1
    assert capfd.readouterr() == ("", "")


def test_one_feature_is_enough():
    """A prompt of one feature has one coefficient."""
    masks = np.array([[0], [1]] * 6)
    transform = ProxySPEX().decode(Samples.from_arrays(masks, masks[:, 0] * 2.0)).transform
    assert transform[(0,)] == pytest.approx(-1.0, abs=0.05)


def test_samples_of_large_variance_count_for_less():
    """Wild values do little harm where their variance is told."""
    clean = planted_samples(300)
    rng = np.random.default_rng(2)
    wild = rng.random(300) < 0.3
    values = clean.values + wild * rng.normal(scale=30.0, size=300)
    told = ProxySPEX(max_terms=50).decode(Samples.from_arrays(clean.masks, values, wild * 900.0))
    untold = ProxySPEX(max_terms=50).decode(Samples.from_arrays(clean.masks, values))
    assert fidelity(told.transform) > 0.9 > fidelity(untold.transform)


def test_the_unit_of_the_values_decides_nothing():
    """Scaled and shifted values have the scaled and shifted transform."""
    samples = planted_samples(80, noise=0.5)
    moved = Samples.from_arrays(samples.masks, 1e-3 * samples.values + 7.0)
    transform, other = (ProxySPEX(max_terms=50).decode(each).transform for each in (samples, moved))
    np.testing.assert_allclose(
        other(samples.masks), 1e-3 * transform(samples.masks) + 7.0, atol=1e-4
    )


def test_equal_values_are_their_mean():
    """Where the value never changes, the transform is the constant, and says so."""
    masks = np.random.default_rng(0).integers(0, 2, size=(20, 5))
    recovery = ProxySPEX().decode(Samples.from_arrays(masks, np.full(20, 0.1)))
    assert dict(recovery.transform) == {(): pytest.approx(0.1)}
    assert recovery.status is Status.CONSTANT


def test_noise_alone_is_called_noise():
    """Values that no mask explains have this status, and next to no energy."""
    rng = np.random.default_rng(3)
    samples = Samples.from_arrays(rng.integers(0, 2, size=(200, 10)), rng.normal(size=200))
    recovery = ProxySPEX().decode(samples)
    assert recovery.status is Status.NOTHING_BUT_NOISE
    assert recovery.transform.energy < 0.1


def test_one_sample_is_too_few():
    """Nothing is fitted to a single sample."""
    with pytest.raises(BudgetTooSmall, match="two samples"):
        ProxySPEX().decode(Samples.from_arrays([[0, 1]], [1.0]))


@pytest.mark.parametrize(
    "wrong",
    [{"max_depth": 0}, {"max_depth": 13}, {"max_trees": 0}, {"max_terms": 0}, {"num_folds": 1}],
)
def test_wrong_settings_are_refused(wrong):
    """A setting that means nothing raises where it is made."""
    with pytest.raises(UsageError, match=r"ProxySPEX (takes|grows)"):
        ProxySPEX(**wrong)


def test_settings_bound_the_answer():
    """The depth bounds the degree, and the terms their number beside the singles."""
    samples = planted_samples(150, noise=0.3)
    assert ProxySPEX(max_depth=1).decode(samples).transform.degree == 1
    assert ProxySPEX(max_depth=2).decode(samples).transform.degree == 2
    assert len(ProxySPEX(max_terms=3).decode(samples).transform) <= 1 + 14 + 3
    assert eval(repr(ProxySPEX(max_depth=3))) == ProxySPEX(max_depth=3)  # noqa: S307


def test_the_plan_is_uniform_and_seeded():
    """The same seed plans the same masks; the default grows as `n log n`."""
    assert len(ProxySPEX().plan(64, None, 0)) == 768
    assert len(ProxySPEX().plan(10, None, 0)) == 200
    plan = ProxySPEX().plan(30, 50, 4)
    assert (plan.masks == ProxySPEX().plan(30, 50, 4).masks).all()


def test_without_lightgbm_the_extra_is_named(monkeypatch):
    """The error says what to install, and it comes with the plan: before anything is paid for."""
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    command = re.escape('python -m pip install "spex-api[proxyspex]"')
    with pytest.raises(MissingExtra, match=command):
        ProxySPEX().plan(10, 30, 0)
    with pytest.raises(MissingExtra, match=command):
        ProxySPEX().decode(planted_samples(30))


def brute_force_ridge(columns, values, weights, penalty):
    """The constant and the slopes under one penalty, from the normal equations."""
    design = np.column_stack([np.ones(len(values)), columns])
    shares = weights / weights.sum()
    system = design.T @ (shares[:, None] * design) + np.diag([0.0, *penalty])
    return np.linalg.solve(system, design.T @ (shares * values))


@pytest.mark.parametrize("num_samples", [12, 60])
def test_the_ridge_has_the_least_leave_one_out_error(num_samples):
    """Of all penalties the one whose refits without each sample predict it best, found by hand."""
    rng = np.random.default_rng(num_samples)
    columns = rng.choice([-1.0, 1.0], size=(num_samples, 20))
    values = columns[:, 0] - 0.5 * columns[:, 1] + rng.normal(size=num_samples)
    weights, scales = rng.uniform(0.5, 1.5, num_samples), rng.uniform(0.2, 3.0, 20)
    constant, slopes = ridge(columns, values, weights=weights, scales=scales)

    def error(penalty):
        total = 0.0
        for left_out in range(num_samples):
            rest = np.arange(num_samples) != left_out
            # A share of the whole weight, so that leaving one out does not change the penalty.
            scaled = penalty * weights.sum() / weights[rest].sum()
            fitted = brute_force_ridge(columns[rest], values[rest], weights[rest], scaled)
            total += weights[left_out] * (values[left_out] - fitted @ [1, *columns[left_out]]) ** 2
        return total

    grid = [np.mean(scales**2) * level / scales**2 for level in np.logspace(-8, 3, 67)]
    best = min(grid, key=error)
    expected = brute_force_ridge(columns, values, weights, best)
    np.testing.assert_allclose([constant, *slopes], expected, atol=1e-6)
