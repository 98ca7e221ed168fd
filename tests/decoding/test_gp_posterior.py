"""Posteriors against Bayesian linear regression on all 2^n coefficients, and fits that end."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from spex_api.decoding import gp_posterior
from spex_api.decoding.gp_features import AdditiveKernel, LevelKernel, LocalKernel
from spex_api.decoding.gp_kernels import ProductKernel, coordinates
from spex_api.decoding.gp_posterior import Evidence, maximize, products

KERNELS = {
    "none": lambda n, keep: (),
    "product": lambda n, keep: (ProductKernel(n, keep=keep),),
    "two products": lambda n, keep: (
        ProductKernel(n, keep=keep),
        ProductKernel(n, total_relevance=0.4, keep=keep),
    ),
    "all": lambda n, keep: (ProductKernel(n, keep=keep), LocalKernel(n), LevelKernel(n)),
    "additive": lambda n, keep: (AdditiveKernel(n), LevelKernel(n)),
}
each_prior = pytest.mark.parametrize("kernels", KERNELS)
each_keep = pytest.mark.parametrize("keep", [0.5, 0.8])


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def all_supports(num_features):
    sizes = range(num_features + 1)
    return list(chain.from_iterable(combinations(range(num_features), size) for size in sizes))


def some_evidence(kernels, keep=0.5, *, num_features=5, num_samples=20):
    rng = np.random.default_rng(0)
    masks = (rng.random((num_samples, num_features)) < keep).astype(np.uint8)
    return Evidence(
        points=coordinates(masks, keep),
        values=rng.normal(size=num_samples),
        variances=rng.random(num_samples),
        kernels=KERNELS[kernels](num_features, keep),
        prior_variance=0.7,
    )


def some_parameters(evidence, seed=1):
    start = evidence.start(0.2)
    return start + 0.7 * np.random.default_rng(seed).normal(size=len(start))


def basis(points, supports):
    return np.stack([points[:, list(support)].prod(axis=1) for support in supports], axis=1)


def prior_covariance(evidence, parameters, supports):
    """Of all coefficients: each support's own variance, what a size shares, and the constant."""
    sizes = np.array([len(support) for support in supports])
    prior = np.diag((sizes == 0).astype(float))
    for kernel, part in zip(evidence.kernels, evidence.split(parameters), strict=True):
        own = [kernel.prior_variances(part, np.array([s], dtype=np.intp))[0] for s in supports]
        prior += np.diag(own)
        shared = np.array([kernel.shared_variance(part, size) for size in sizes])
        prior += shared[:, None] * (sizes[:, None] == sizes)
    return prior


def regression(evidence, parameters, supports):
    """Mean and covariance of the coefficients of a Bayesian linear regression on all φ_S."""
    prior = prior_covariance(evidence, parameters, supports)
    phi = basis(evidence.points, supports)
    noise = np.diag(np.exp(parameters[-1]) + evidence.variances)
    gain = prior @ phi.T @ np.linalg.inv(phi @ prior @ phi.T + noise)
    return gain @ evidence.values, prior - gain @ phi @ prior


def fitted(**settings):
    """The fit of a product kernel and a level to noisy values of a sparse function."""
    rng = np.random.default_rng(5)
    points = coordinates(rng.integers(0, 2, size=(70, 6)), 0.5)
    values = points[:, 0] + points[:, 1] * points[:, 2] + 0.4 * rng.normal(size=70)
    evidence = Evidence(
        points, values / values.std(), np.zeros(70), (ProductKernel(6), LevelKernel(6)), 1.0
    )
    return evidence, maximize(evidence, **{"least_noise": 0.05, "max_steps": 100} | settings)


@each_prior
@each_keep
def test_the_gradient_is_the_slope_of_the_loss(kernels, keep):
    """The analytic gradient equals finite differences in every parameter."""
    evidence = some_evidence(kernels, keep)
    parameters = some_parameters(evidence)
    numeric = approx_fprime(parameters, lambda x: evidence.loss(x)[0], 1e-6)
    assert evidence.loss(parameters)[1] == pytest.approx(numeric, rel=1e-4, abs=1e-4)


@each_prior
@each_keep
def test_the_loss_is_a_normal_density_and_its_penalties(kernels, keep):
    """Two losses differ as the densities of values, relevances, variances and noise do."""
    evidence = some_evidence(kernels, keep)
    supports = all_supports(5)
    phi = basis(evidence.points, supports)

    def expected(parameters):
        covariance = phi @ prior_covariance(evidence, parameters, supports) @ phi.T
        covariance += np.diag(np.exp(parameters[-1]) + evidence.variances)
        loss = 0.5 * evidence.values @ np.linalg.solve(covariance, evidence.values)
        loss += 0.5 * np.linalg.slogdet(covariance)[1]
        for kernel, part in zip(evidence.kernels, evidence.split(parameters), strict=True):
            relevances = part[: kernel.num_relevances]
            if len(relevances):
                loss += 0.5 * np.sum((relevances - relevances.mean()) ** 2) / 0.7
            loss += kernel.rates @ np.exp(part)
        surplus = parameters[-1] - np.log(gp_posterior._USUAL_NOISE)
        return loss + 0.5 * gp_posterior._NOISE_PRECISION * surplus**2

    first, second = some_parameters(evidence, 1), some_parameters(evidence, 2)
    difference = evidence.loss(first)[0] - evidence.loss(second)[0]
    assert difference == pytest.approx(expected(first) - expected(second))


@each_prior
@each_keep
@pytest.mark.parametrize("num_features", [4, 6])
def test_moments_are_those_of_a_bayesian_linear_regression(kernels, keep, num_features):
    """Means and covariance equal brute force over all subsets, whatever the supports' order."""
    evidence = some_evidence(kernels, keep, num_features=num_features)
    parameters = some_parameters(evidence)
    supports = all_supports(num_features)
    order = np.random.default_rng(2).permutation(len(supports))
    expected, spread = regression(evidence, parameters, supports)
    means, covariance = evidence.posterior(parameters).moments([supports[row] for row in order])
    assert means == pytest.approx(expected[order], abs=1e-9)
    assert covariance == pytest.approx(spread[np.ix_(order, order)], abs=1e-9)
    assert (covariance == covariance.T).all()
    assert np.linalg.eigvalsh(covariance)[0] > -1e-12


@each_prior
@each_keep
def test_coefficients_are_the_means_of_their_moments(kernels, keep):
    """The mean alone, size by size, is the mean that comes with a covariance."""
    evidence = some_evidence(kernels, keep)
    parameters = some_parameters(evidence)
    mean = evidence.mean(parameters)
    assert (evidence.posterior(parameters).mean.alpha == mean.alpha).all()
    expected, _ = regression(evidence, parameters, all_supports(5))
    found = [
        mean.coefficients(np.array(list(combinations(range(5), size)), dtype=np.intp))
        for size in range(6)
    ]
    assert np.concatenate(found) == pytest.approx(expected, abs=1e-9)


@each_prior
@each_keep
def test_supports_are_extended_to_each_child_once(kernels, keep):
    """Children that two parents share come once, rows sorted, with the mean of brute force."""
    evidence = some_evidence(kernels, keep, num_features=6)
    parameters = some_parameters(evidence)
    means = dict(
        zip(all_supports(6), regression(evidence, parameters, all_supports(6))[0], strict=True)
    )
    for parents in ([()], [(3,), (1,)], [(0, 1), (1, 3), (0, 3)], [(0, 1, 2, 3, 4)]):
        level, found = evidence.mean(parameters).extended(np.array(parents, dtype=np.intp))
        children = {tuple(sorted({*s, f})) for s in parents for f in set(range(6)) - set(s)}
        listed = [tuple(row) for row in level.tolist()]
        assert sorted(listed) == sorted(children)
        assert found == pytest.approx(np.array([means[child] for child in listed]), abs=1e-9)


@each_prior
@each_keep
def test_predictions_are_the_sum_over_all_coefficients(kernels, keep):
    """The posterior mean at any mask is the transform of all 2^n posterior coefficients."""
    evidence = some_evidence(kernels, keep)
    parameters = some_parameters(evidence)
    supports, points = all_supports(5), coordinates(cube(5), keep)
    means, _ = regression(evidence, parameters, supports)
    predicted = evidence.mean(parameters).predict(points)
    assert predicted == pytest.approx(basis(points, supports) @ means)


def test_products_are_those_of_the_columns():
    """φ_S of supports of one size, with that of the empty set 1."""
    points = np.random.default_rng(0).normal(size=(5, 4))
    for size in range(5):
        supports = list(combinations(range(4), size))
        found = products(points, np.array(supports, dtype=np.intp))
        assert found == pytest.approx(basis(points, supports))


def test_a_part_of_the_evidence_is_of_those_samples():
    """Points, values and variances are taken together, and the prior stays."""
    evidence = some_evidence("all")
    rows = np.array([3, 11, 4])
    part = evidence.take(rows)
    assert (part.points == evidence.points[rows]).all()
    assert (part.values == evidence.values[rows]).all()
    assert (part.variances == evidence.variances[rows]).all()
    assert part.kernels == evidence.kernels
    assert part.prior_variance == evidence.prior_variance


def test_a_sample_of_large_variance_says_nothing():
    """A posterior with a sample of immense variance is the posterior without that sample."""
    evidence = some_evidence("all")
    parameters = some_parameters(evidence)
    doubtful = evidence.variances.copy()
    doubtful[-1] = 1e12
    supports = all_supports(5)
    with_it = replace(evidence, variances=doubtful).posterior(parameters).moments(supports)
    without = evidence.take(np.arange(19)).posterior(parameters).moments(supports)
    for found, expected in zip(with_it, without, strict=True):
        assert found == pytest.approx(expected, abs=1e-9)


def test_a_step_that_cannot_be_factored_gets_a_jitter(monkeypatch):
    """Repeated masks without noise are factored by the least jitter that does, and not without."""
    evidence = Evidence(np.ones((4, 3)), np.ones(4), np.zeros(4), (ProductKernel(3),), 1.0)
    start = evidence.start(1e-300)
    loss, gradient = evidence.loss(start)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()
    assert evidence.mean(start).predict(np.ones((1, 3))) == pytest.approx(1.0, abs=1e-3)
    monkeypatch.setattr(gp_posterior, "_JITTERS", (0.0,))
    with pytest.raises(AssertionError, match="positive definite"):
        evidence.loss(start)


def test_what_can_be_factored_gets_no_jitter(monkeypatch):
    """A covariance that is positive definite is taken as it is."""
    evidence = some_evidence("all")
    parameters = some_parameters(evidence)
    loss, gradient = evidence.loss(parameters)
    monkeypatch.setattr(gp_posterior, "_JITTERS", (0.0,))
    assert evidence.loss(parameters)[0] == loss
    assert (evidence.loss(parameters)[1] == gradient).all()


@each_keep
def test_a_thousand_features_fit_into_floating_point(keep):
    """At n = 1,000 a fit finds the one feature that matters, all finite and without a warning."""
    rng = np.random.default_rng(0)
    masks = (rng.random((150, 1000)) < keep).astype(np.uint8)
    values = coordinates(masks, keep)[:, 7] + 0.1 * rng.normal(size=150)
    kernels = (ProductKernel(1000, keep=keep), LocalKernel(1000))
    evidence = Evidence(coordinates(masks, keep), values, np.zeros(150), kernels, 4.0)
    found = maximize(evidence, least_noise=0.1, max_steps=40)
    assert found.loss < evidence.loss(evidence.start(0.3))[0]
    assert np.isfinite(evidence.loss(found.parameters)[1]).all()
    posterior = evidence.posterior(found.parameters)
    supports = [(), (7,), (7, 8), (1, 500, 999), tuple(range(60))]
    means, covariance = posterior.moments(supports)
    assert means[1] > 0.5
    assert np.abs(means[2:]).max() < 0.1
    assert np.isfinite(covariance).all()
    assert (np.diag(covariance) >= 0).all()
    level, extended = posterior.mean.extended(np.array([[7], [8]], dtype=np.intp))
    assert len(level) == 999 + 998
    assert np.isfinite(extended).all()


def test_a_search_improves_until_it_ends():
    """A converged fit is better than its start, and flat in the parameters that are free."""
    evidence, found = fitted()
    assert found.converged
    loss, gradient = evidence.loss(found.parameters)
    assert loss == pytest.approx(found.loss)
    assert loss < evidence.loss(evidence.start(0.3))[0] - 1.0
    low, high = np.array([bound for kernel in evidence.kernels for bound in kernel.bounds]).T
    free = (found.parameters[:-1] > low) & (found.parameters[:-1] < high)
    start_slope = np.abs(evidence.loss(evidence.start(0.3))[1]).max()
    assert np.abs(gradient[:-1][free]).max() < 0.05 * start_slope
    assert ((found.parameters[:-1] >= low) & (found.parameters[:-1] <= high)).all()


def test_a_fit_tells_features_apart():
    """The features that the function depends on have a larger relevance than all others."""
    _, found = fitted()
    assert found.parameters[:3].min() > found.parameters[3:6].max()


def test_a_search_that_is_broken_off_says_so():
    """One step is not enough, and is told."""
    assert not fitted(max_steps=1)[1].converged


@pytest.mark.parametrize("floor", [0.05, 2.0])
def test_the_noise_keeps_to_its_floor(floor):
    """σ_n² never falls below the floor, and stays on it where it is fixed there."""
    _, free = fitted(least_noise=floor)
    assert free.parameters[-1] >= np.log(floor) - 1e-12
    _, fixed = fitted(least_noise=floor, fixed_noise=True)
    assert fixed.parameters[-1] == pytest.approx(np.log(floor))
    assert fixed.loss >= free.loss - 1e-3


def test_a_search_begins_where_it_is_told():
    """From the maximum itself a single step ends at once, no worse."""
    _, found = fitted()
    _, again = fitted(start=found.parameters, max_steps=3)
    assert again.converged
    assert again.loss <= found.loss
