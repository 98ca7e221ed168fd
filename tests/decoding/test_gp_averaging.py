"""Averaging over priors: weights that follow prediction, and intervals that own up to doubt."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.decoding.gp_averaging import Average, Candidate, predictive_weights
from spex_api.decoding.gp_kernels import AdditiveKernel, ProductKernel
from spex_api.decoding.gp_posterior import Evidence, maximize


def evidence(num_samples: int = 80, num_features: int = 6, kernel=ProductKernel) -> Evidence:
    rng = np.random.default_rng(0)
    signs = 1.0 - 2.0 * rng.integers(0, 2, (num_samples, num_features))
    values = signs[:, 0] + signs[:, 1] * signs[:, 2] + 0.3 * rng.standard_normal(num_samples)
    values = (values - values.mean()) / values.std()
    return Evidence(signs, values, np.zeros(num_samples), (kernel(num_features),), 1.0)


def test_the_better_prediction_has_the_weight():
    """A prior with clearly smaller errors gets it all; priors with equal errors share."""
    rng = np.random.default_rng(1)
    errors = rng.standard_normal((2, 200))
    known = np.zeros(200)
    np.testing.assert_allclose(predictive_weights(errors * [[1.0], [0.3]], known), [0.0, 1.0])
    np.testing.assert_allclose(predictive_weights(errors[[0, 0]], known), [0.5, 0.5])


def test_weights_do_not_depend_on_the_order_of_the_priors():
    """Renaming the priors renames the weights, which add up to one."""
    errors = np.random.default_rng(2).standard_normal((3, 50)) * [[1.0], [0.95], [1.1]]
    weights = predictive_weights(errors, np.zeros(50))
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(
        predictive_weights(errors[[2, 0, 1]], np.zeros(50)), weights[[2, 0, 1]]
    )


def test_samples_of_large_variance_decide_little():
    """What a prior gets wrong on samples that are known to be noisy is no fault of it."""
    errors = np.full((2, 100), 0.3)
    errors[0, :50] = 3.0
    doubtful = np.where(np.arange(100) < 50, 1e6, 0.0)
    assert predictive_weights(errors, np.zeros(100))[0] == 0.0
    assert predictive_weights(errors, doubtful)[0] == pytest.approx(0.5, abs=0.01)


def test_no_fold_sees_what_it_predicts():
    """Changing a sample's value changes its own error by just that, whatever was fitted."""
    plain = evidence()
    start = plain.start(0.3)
    changed = plain.values.copy()
    changed[7] += 5.0
    rows = np.arange(80)
    errors = [
        Candidate(one, rows, 0.1, 50).out_of_fold(start)
        for one in (plain, Evidence(plain.signs, changed, plain.variances, plain.kernels, 1.0))
    ]
    assert errors[1][7] - errors[0][7] == pytest.approx(5.0, abs=1e-6)


def test_the_average_is_the_mixture():
    """Mean and covariance are those of draws from the mixture of the posteriors."""
    parts = []
    for kernel in (ProductKernel, AdditiveKernel):
        one = evidence(kernel=kernel)
        parts.append(one.posterior(maximize(one, least_noise=0.1, max_steps=50).parameters))
    supports = [(), (0,), (1, 2)]
    mixture = Average(parts, np.array([0.3, 0.7]))
    mean, covariance = mixture.moments(supports)
    rng = np.random.default_rng(3)
    draws = []
    for part, count in zip(parts, (60_000, 140_000), strict=True):
        draws.append(rng.multivariate_normal(*part.moments(supports), size=count))
    drawn = np.concatenate(draws)
    np.testing.assert_allclose(mean, drawn.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(covariance, np.cov(drawn.T), atol=0.01)
    assert covariance[2, 2] > max(part.moments(supports)[1][2, 2] for part in parts)
