"""Lasso and additive ridge: planted functions, oracles by brute force, odd samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.decoding.decoder import Status
from spex_api.decoding.lasso import Lasso
from spex_api.decoding.lasso_path import Moments, lasso_path
from spex_api.decoding.ridge import additive_ridge
from spex_api.errors import UsageError
from spex_api.fidelity import r_squared
from spex_api.samples import Samples
from spex_api.transforms import FourierTransform

PLANTED = FourierTransform(
    {(): 3.0, (1,): 2.0, (4,): -1.0, (1, 4): 1.5, (2, 7): -0.8, (9,): 0.5}, num_features=12
)


def planted_samples(num_samples, *, seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(num_samples, PLANTED.num_features))
    return Samples.from_arrays(masks, PLANTED(masks) + noise * rng.normal(size=num_samples))


def test_a_planted_function_is_found_exactly():
    """Without noise, the support and the coefficients of a sparse function are recovered."""
    recovery = Lasso().decode(planted_samples(120))
    assert set(PLANTED) <= set(recovery.transform)
    for support, coefficient in recovery.transform.items():
        assert coefficient == pytest.approx(PLANTED.get(support, 0.0), abs=1e-3)
    assert recovery.covariance is None
    assert recovery.status is Status.CONVERGED


def test_degree_one_knows_no_interactions():
    """The degree bounds the supports."""
    assert Lasso(degree=1).decode(planted_samples(120)).transform.degree == 1
    assert Lasso(degree=3).decode(planted_samples(120)).transform.degree >= 2


def test_fewer_samples_than_features_still_predict():
    """Where characters outnumber samples by far, the strong ones are found all the same."""
    rng = np.random.default_rng(5)
    masks = rng.integers(0, 2, size=(1060, 80))
    values = 3.0 * masks[:, 7] - 2.0 * masks[:, 30] + 4.0 * masks[:, 7] * masks[:, 30]
    recovery = Lasso().decode(Samples.from_arrays(masks[:60], values[:60]))
    assert r_squared(values[60:], recovery.transform(masks[60:])) > 0.95


def test_screening_keeps_the_columns_within_the_limit():
    """Pairs are taken among the strongest features, and every single is in."""
    supports = Lasso(max_columns=30)._supports(planted_samples(120))
    assert len(supports) <= 30
    assert {(feature,) for feature in range(12)} <= set(supports)
    assert any(set(pair) == {1, 4} for pair in supports)


def test_permuting_the_features_permutes_the_answer():
    """The numbering of the features decides nothing, to the last bit."""
    samples = planted_samples(90, noise=0.5)
    order = np.random.default_rng(1).permutation(12)
    permuted = Lasso().decode(Samples.from_arrays(samples.masks[:, order], samples.values))
    back = {
        tuple(sorted(int(order[feature]) for feature in support)): coefficient
        for support, coefficient in permuted.transform.items()
    }
    assert back == dict(Lasso().decode(samples).transform)


def test_noise_alone_gives_the_mean_alone():
    """Values that no mask explains are called noise."""
    rng = np.random.default_rng(3)
    samples = Samples.from_arrays(rng.integers(0, 2, size=(300, 10)), rng.normal(size=300))
    recovery = Lasso().decode(samples)
    assert recovery.status is Status.NOTHING_BUT_NOISE
    assert list(recovery.transform) == [()]


@pytest.mark.parametrize("fit", [lambda s: Lasso().decode(s).transform, additive_ridge])
def test_samples_of_large_variance_count_for_less(fit):
    """Wild values do little harm where their variance is told, and much where it is not."""
    clean = planted_samples(400)
    rng = np.random.default_rng(2)
    wild = rng.random(400) < 0.3
    values = clean.values + wild * rng.normal(scale=30.0, size=400)
    told = fit(Samples.from_arrays(clean.masks, values, wild * 900.0))
    untold = fit(Samples.from_arrays(clean.masks, values))
    best = fit(clean)
    test = planted_samples(500, seed=9)
    assert r_squared(test.values, told(test.masks)) > r_squared(test.values, best(test.masks)) - 0.1
    assert r_squared(test.values, told(test.masks)) > r_squared(test.values, untold(test.masks))


@pytest.mark.parametrize("fit", [lambda s: Lasso().decode(s).transform, additive_ridge])
def test_equal_values_are_their_mean(fit):
    """Where the value never changes, the transform is the constant."""
    masks = np.random.default_rng(0).integers(0, 2, size=(20, 5))
    assert dict(fit(Samples.from_arrays(masks, np.full(20, 0.1)))) == {(): pytest.approx(0.1)}


def test_equal_values_have_a_status():
    """Lasso says that the values are constant."""
    samples = Samples.from_arrays([[0, 1], [1, 1], [1, 0]], [2.0, 2.0, 2.0])
    assert Lasso().decode(samples).status is Status.CONSTANT


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_any_few_samples_are_decoded(num_samples, num_features, seed):
    """However few the samples, repeated masks among them, the answer is finite and repeatable."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(num_samples, num_features))
    samples = Samples.from_arrays(masks, rng.normal(size=num_samples))
    assert Lasso().decode(samples).transform == Lasso().decode(samples).transform
    assert additive_ridge(samples) == additive_ridge(samples)


def test_one_sample_is_too_few():
    """Nothing is fitted to a single sample."""
    with pytest.raises(UsageError, match="two samples"):
        Lasso().decode(Samples.from_arrays([[0, 1]], [1.0]))


@pytest.mark.parametrize("wrong", [{"degree": 0}, {"num_folds": 1}, {"max_columns": 0}])
def test_wrong_settings_are_refused(wrong):
    """A setting that means nothing raises where it is made."""
    with pytest.raises(UsageError, match="Lasso takes"):
        Lasso(**wrong)


def test_the_plan_is_uniform_and_seeded():
    """The same seed plans the same masks; the default grows with the features."""
    assert len(Lasso().plan(30, None, 0)) == 600
    plan = Lasso().plan(30, 50, 4)
    assert (plan.masks == Lasso().plan(30, 50, 4).masks).all()


def moments_of(columns, values):
    stacked = np.column_stack([np.ones(len(values)), columns, values])
    return Moments(stacked.T @ stacked)


def test_the_path_meets_the_optimality_conditions():
    """Under each penalty, active columns correlate by exactly λ with the rest, others by less."""
    rng = np.random.default_rng(0)
    columns = rng.choice([-1.0, 1.0], size=(40, 90))
    values = columns[:, :5] @ rng.normal(size=5) + 0.3 * rng.normal(size=40)
    moments = moments_of(columns, values)
    penalties = np.max(np.abs(moments.correlations)) * np.geomspace(1, 0.05, 10)
    path = list(lasso_path(moments, penalties, max_active=90))
    assert len(path) == len(penalties)
    for penalty, solution in zip(penalties, path, strict=True):
        residuals = (
            values - solution.constant - columns[:, solution.columns] @ solution.coefficients
        )
        assert residuals.mean() == pytest.approx(0.0, abs=1e-9)
        slopes = columns.T @ residuals / 40
        assert (np.abs(slopes) <= penalty * 1.02).all()
        signs = np.sign(solution.coefficients)
        assert slopes[solution.columns] == pytest.approx(penalty * signs, rel=1e-2)


def test_moments_give_the_held_out_error():
    """The moments of all samples less a fold's are the training's, and an error needs no more."""
    rng = np.random.default_rng(1)
    columns, values = rng.choice([-1.0, 1.0], size=(50, 4)), rng.normal(size=50)
    held_out = moments_of(columns[:10], values[:10])
    training = moments_of(columns, values) - held_out
    fitted = training.refit(np.arange(4))
    design = np.column_stack([np.ones(40), columns[10:]])
    expected = np.linalg.lstsq(design, values[10:])[0]
    assert np.append(fitted.constant, fitted.coefficients) == pytest.approx(expected, abs=1e-4)
    predicted = fitted.constant + columns[:10] @ fitted.coefficients
    assert held_out.error(fitted) == pytest.approx(np.sum((values[:10] - predicted) ** 2))


def test_additive_ridge_has_the_best_penalty_left_one_out():
    """No penalty of a grid predicts each sample from the others better, refits and all."""
    rng = np.random.default_rng(8)
    masks = rng.integers(0, 2, size=(30, 6))
    signs = 1.0 - 2.0 * masks
    values = signs @ rng.normal(size=6) + 2.0 * rng.normal(size=30)

    def fit(rows, penalty):
        centers, center = signs[rows].mean(axis=0), values[rows].mean()
        centered = signs[rows] - centers
        gram = centered.T @ centered + penalty * np.eye(6)
        slopes = np.linalg.solve(gram, centered.T @ (values[rows] - center))
        return center - centers @ slopes, slopes

    def left_one_out(penalty):
        residuals = []
        for row in range(30):
            constant, slopes = fit(np.delete(np.arange(30), row), penalty)
            residuals.append(values[row] - constant - signs[row] @ slopes)
        return np.mean(np.square(residuals))

    penalties = 30 * np.logspace(-4, 3, 57)
    constant, slopes = fit(np.arange(30), min(penalties, key=left_one_out))
    ridge = additive_ridge(Samples.from_arrays(masks, values))
    assert ridge[()] == pytest.approx(constant)
    assert [ridge[(feature,)] for feature in range(6)] == pytest.approx(list(slopes))
