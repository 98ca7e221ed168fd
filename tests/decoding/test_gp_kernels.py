"""Kernels against brute force over all subsets: each is the spectrum that it says it is."""

from __future__ import annotations

from itertools import chain, combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from spex_api.decoding.gp_features import (
    AdditiveKernel,
    LevelKernel,
    LocalKernel,
    symmetric_polynomials,
)
from spex_api.decoding.gp_kernels import ProductKernel, coordinates

KEEPS = [0.5, 0.8]
KERNELS = {
    "product": lambda n, keep: ProductKernel(n, keep=keep),
    "additive": lambda n, _: AdditiveKernel(n),
    "local": lambda n, _: LocalKernel(n),
    "level": lambda n, _: LevelKernel(n),
}
PATTERNS = {(0,): 0, (0, 1): 1, (0, 2): 2, (0, 1, 2): 3}


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def all_supports(num_features):
    sizes = range(num_features + 1)
    return list(chain.from_iterable(combinations(range(num_features), size) for size in sizes))


def basis(masks, supports, keep):
    """`φ_S` by its definition, from the masks."""
    mean = 1 - 2 * keep
    points = ((-1.0) ** masks - mean) / np.sqrt(1 - mean**2)
    return np.stack([points[:, list(support)].prod(axis=1) for support in supports], axis=1)


def own_variance(kernel, parameters, support):
    """`κ(S)` by the definition of each kernel."""
    n, size = kernel.num_features, len(support)
    if isinstance(kernel, ProductKernel):
        relevances = 1 / (1 + np.exp(-parameters[:n]))
        return np.exp(parameters[n]) * relevances[list(support)].prod() / (1 + relevances).prod()
    if isinstance(kernel, AdditiveKernel):
        return np.exp(parameters[0]) / n if size == 1 else 0.0
    if isinstance(kernel, LocalKernel):
        pattern = PATTERNS.get(tuple(feature - support[0] for feature in support))
        if pattern is None:
            return 0.0
        return np.exp(parameters[n + pattern] + parameters[list(support)].sum())
    return 0.0


def level_variance(kernel, parameters, size):
    """`ρ(d)` by the definition of each kernel."""
    if isinstance(kernel, LevelKernel) and size in kernel.sizes:
        return np.exp(parameters[kernel.sizes.index(size)]) / comb(kernel.num_features, size)
    return 0.0


def made(name, *, num_features=6, keep=0.5, seed=0):
    """A kernel, and parameters that are alike for no two features."""
    kernel = KERNELS[name](num_features, keep)
    noise = np.random.default_rng(seed).normal(size=len(kernel.start))
    return kernel, kernel.start + 0.8 * noise


@pytest.mark.parametrize("keep", [0.3, *KEEPS])
def test_products_of_coordinates_are_orthonormal(keep):
    """Under the masks' measure z has mean 0 and variance 1, and so have all φ_S, uncorrelated."""
    masks, supports = cube(4), all_supports(4)
    kept = masks.sum(axis=1)
    measure = keep**kept * (1 - keep) ** (4 - kept)
    points = coordinates(masks, keep)
    assert measure @ points == pytest.approx(np.zeros(4), abs=1e-12)
    assert measure @ points**2 == pytest.approx(np.ones(4))
    products = np.stack([points[:, list(each)].prod(axis=1) for each in supports], axis=1)
    assert (products * measure[:, None]).T @ products == pytest.approx(np.eye(16), abs=1e-12)
    assert products == pytest.approx(basis(masks, supports, keep))


def test_coordinates_of_even_odds_are_signs():
    """Where half of the features are kept, z is (−1)^m to the last bit."""
    assert (coordinates(cube(5), 0.5) == (-1.0) ** cube(5)).all()


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("name", KERNELS)
def test_the_gram_matrix_is_the_sum_over_the_spectrum(name, keep):
    """k(m, m') is what the prior of all 2^n coefficients says of the values at m and m'."""
    kernel, parameters = made(name, keep=keep)
    supports, masks = all_supports(6), cube(6)
    left, right = masks[::2], masks[::3]
    phi_left, phi_right = basis(left, supports, keep), basis(right, supports, keep)
    own = np.array([own_variance(kernel, parameters, support) for support in supports])
    expected = (phi_left * own) @ phi_right.T
    for size in range(7):
        of_size = [len(support) == size for support in supports]
        sums = phi_left[:, of_size].sum(axis=1), phi_right[:, of_size].sum(axis=1)
        expected += level_variance(kernel, parameters, size) * np.outer(*sums)
    gram = kernel.gram(parameters, coordinates(left, keep), coordinates(right, keep))
    assert gram == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", KERNELS)
def test_variances_are_those_of_the_definition(name):
    """κ(S) and ρ(d) of supports of every size are what the kernel's formula says."""
    kernel, parameters = made(name)
    for size in range(7):
        level = list(combinations(range(6), size))
        expected = [own_variance(kernel, parameters, support) for support in level]
        found = kernel.prior_variances(parameters, np.array(level, dtype=np.intp))
        assert found.shape == (len(level),)
        assert found == pytest.approx(np.array(expected), rel=1e-12, abs=0)
        shared = level_variance(kernel, parameters, size)
        assert kernel.shared_variance(parameters, size) == pytest.approx(shared)


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("name", KERNELS)
def test_the_gradient_is_the_slope_of_the_weighted_sum(name, keep):
    """For any symmetric A the gradient equals finite differences of Σ A ∘ K."""
    rng = np.random.default_rng(3)
    kernel, parameters = made(name, keep=keep)
    points = coordinates(rng.integers(0, 2, size=(9, 6)), keep)
    weights = rng.normal(size=(9, 9))
    weights += weights.T
    numeric = approx_fprime(
        parameters, lambda each: np.sum(weights * kernel.gram(each, points, points)), 1e-7
    )
    gram = kernel.gram(parameters, points, points)
    analytic = kernel.gradient(parameters, points, gram, weights)
    assert np.abs(analytic).min() > 1e-3
    assert analytic == pytest.approx(numeric, rel=1e-4, abs=1e-4 * np.abs(numeric).max())


@pytest.mark.parametrize("num_features", [3, 4, 11])
@pytest.mark.parametrize("name", KERNELS)
def test_every_parameter_has_a_box_and_a_rate(name, num_features):
    """Start, bounds and rates have one shape; the start is in the box, and alike for features."""
    kernel = KERNELS[name](num_features, 0.5)
    low, high = np.array(kernel.bounds).T
    assert low.shape == high.shape == kernel.start.shape == kernel.rates.shape
    assert ((low < kernel.start) & (kernel.start < high)).all()
    assert (kernel.rates >= 0).all()
    assert kernel.num_relevances in {0, num_features}
    assert (kernel.rates[: kernel.num_relevances] == 0).all()
    assert len(set(kernel.start[: kernel.num_relevances])) <= 1


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("end", [0, 1])
def test_a_step_to_the_end_of_the_box_is_finite(name, end):
    """At either end of all bounds the Gram matrix and its gradient are finite, without warnings."""
    kernel = KERNELS[name](40, 0.5)
    corner = np.array(kernel.bounds)[:, end] if len(kernel.start) else kernel.start
    points = coordinates(np.random.default_rng(0).integers(0, 2, size=(7, 40)), 0.5)
    gram = kernel.gram(corner, points, points)
    assert np.isfinite(gram).all()
    assert (np.diag(gram) > 0).all()
    assert np.isfinite(kernel.gradient(corner, points, gram, np.ones((7, 7)))).all()


@pytest.mark.parametrize("keep", KEEPS)
def test_a_thousand_features_neither_overflow_nor_vanish(keep):
    """In the log domain κ summed over 2^1000 supports is σ² on average over the masks."""
    rng = np.random.default_rng(1)
    kernel = ProductKernel(1000, total_relevance=4.0, keep=keep)
    masks = (rng.random((4000, 1000)) < keep).astype(np.uint8)
    points = coordinates(masks, keep)
    parameters = kernel.start + np.append(rng.normal(size=1000), 0.0)
    gram = np.array([kernel.gram(parameters, row[None], row[None])[0, 0] for row in points])
    assert np.mean(gram) == pytest.approx(0.5, rel=0.1)
    logs = np.log(kernel.relevances(parameters))
    long = np.arange(200)[None]
    expected = 0.0 + logs[:200].sum() + np.log(kernel.scale(parameters))
    with np.errstate(divide="raise"):
        assert np.log(kernel.prior_variances(parameters, long[:, :100])) == pytest.approx(
            expected - logs[100:200].sum()
        )
    assert kernel.prior_variances(parameters, long) == pytest.approx(np.exp(expected), abs=1e-300)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 9))
def test_local_supports_are_those_that_the_kernel_allows(num_features):
    """The kernel lists each support of a pattern once, and all others have no variance."""
    kernel = LocalKernel(num_features)
    allowed = [
        support
        for size in range(num_features + 1)
        for support in combinations(range(num_features), size)
        if kernel.prior_variances(kernel.start, np.array([support], dtype=np.intp))[0] > 0
    ]
    assert sorted(kernel.supports()) == sorted(allowed)
    assert len(allowed) == 4 * num_features - 5


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_symmetric_polynomials_are_sums_over_sets(num_features, largest, seed):
    """e_d by Newton's identities is the sum of the products over all sets of d; 0 where none is."""
    points = np.random.default_rng(seed).normal(size=(3, num_features))
    expected = [
        sum(points[:, list(s)].prod(axis=1) for s in combinations(range(num_features), size))
        + np.zeros(3)
        for size in range(largest + 1)
    ]
    found = symmetric_polynomials(points, largest)
    assert found == pytest.approx(np.stack(expected, axis=1), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("num_features", "sizes"), [(1, ()), (2, (2,)), (3, (2, 3)), (9, (2, 3))])
def test_levels_end_where_the_features_do(num_features, sizes):
    """Pairs take two features and triples three."""
    assert LevelKernel(num_features).sizes == sizes


def test_levels_too_many_to_list_have_nothing_in_common():
    """Of many features triples drop out first, and then pairs."""
    sizes = [LevelKernel(num_features).sizes for num_features in range(3, 200)]
    assert sizes == sorted(sizes, key=len, reverse=True)
    assert set(sizes) == {(2, 3), (2,), ()}
