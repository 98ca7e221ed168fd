"""Each index against its definition by brute force over the whole cube."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.errors import UsageError
from spex_api.indices import interactions
from spex_api.testing import planted_transform
from spex_api.transforms import FourierTransform, subsets

N = 5
CUBE = np.array(list(product((0, 1), repeat=N)), dtype=np.uint8)
seeds = st.integers(0, 10_000)


def function(seed: int) -> FourierTransform:
    return planted_transform(N, 10, degree=4, seed=seed)


def value(transform, kept):
    """The function's value at a set of kept features."""
    mask = np.zeros((1, N), dtype=np.uint8)
    mask[0, list(kept)] = 1
    return float(transform(mask)[0])


def derivative(transform, features, context):
    """The discrete derivative Δ_T f at a context that holds no feature of T."""
    return sum(
        (-1) ** (len(features) - len(part)) * value(transform, {*part, *context})
        for part in subsets(features)
    )


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_banzhaf_is_the_mean_derivative(seed):
    """BII(T) is the mean of Δ_T f over all contexts without T, and BV is its order 1."""
    transform = function(seed)
    found = interactions(transform, "BII", 3)
    for size in (1, 2, 3):
        for features in combinations(range(N), size):
            others = [i for i in range(N) if i not in features]
            mean = np.mean([derivative(transform, features, c) for c in subsets(tuple(others))])
            assert found.get(features, 0.0) == pytest.approx(mean, abs=1e-9)
    singles = interactions(transform, "BV")
    assert dict(singles) == {s: found[s] for s in found if len(s) == 1}


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_mobius_is_the_dividend(seed):
    """μ(T) is the alternating sum over the subsets of T; all of them add up to f(all)."""
    transform = function(seed)
    found = interactions(transform, "Möbius", N)
    for size in range(1, N + 1):
        for features in combinations(range(N), size):
            dividend = derivative(transform, features, ())
            assert found.get(features, 0.0) == pytest.approx(dividend, abs=1e-9)
    assert found.baseline == pytest.approx(value(transform, ()))
    assert found.baseline + sum(found.values()) == pytest.approx(value(transform, range(N)))


@settings(max_examples=10, deadline=None)
@given(seeds, st.integers(1, 3))
def test_faith_banzhaf_is_the_nearest_polynomial(seed, order):
    """FBII of order l equals the least-squares polynomial of degree l over the whole cube."""
    transform = function(seed)
    found = interactions(transform, "FBII", order)
    sets = list(subsets(tuple(range(N)), max_size=order))
    columns = np.array([CUBE[:, list(s)].prod(axis=1) for s in sets]).T
    fitted, *_ = np.linalg.lstsq(columns.astype(float), transform(CUBE), rcond=None)
    assert found.baseline == pytest.approx(fitted[0], abs=1e-8)
    for features, coefficient in zip(sets[1:], fitted[1:], strict=True):
        assert found.get(features, 0.0) == pytest.approx(coefficient, abs=1e-8)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_intervals_are_linear_in_the_covariance(seed):
    """The half width is 1.645 standard deviations of W F, with W from the index itself."""
    transform = function(seed)
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((len(transform), len(transform)))
    covariance = root @ root.T
    found = interactions(transform, "FBII", 2, covariance=covariance)
    for features in list(found)[:5]:
        weights = [
            interactions(FourierTransform({s: 1.0}, N), "FBII", 2).get(features, 0.0)
            for s in transform
        ]
        deviation = np.sqrt(np.array(weights) @ covariance @ np.array(weights))
        interval = found.intervals[features]
        assert (interval.high - interval.low) / 2 == pytest.approx(1.6448536 * deviation)
        assert (interval.high + interval.low) / 2 == pytest.approx(found[features])


@given(seeds, st.permutations(range(N)))
@settings(max_examples=20, deadline=None)
def test_permuting_the_features_permutes_the_interactions(seed, order):
    """Renaming feature i to order[i] renames it in every interaction, and changes no value."""
    transform = function(seed)
    renamed = FourierTransform(
        {tuple(sorted(order[i] for i in s)): v for s, v in transform.items()}, N
    )
    for index in ("FBII", "BII", "Möbius", "Fourier"):
        one, other = interactions(transform, index, 2), interactions(renamed, index, 2)
        for s, v in one.items():
            assert other[tuple(sorted(order[i] for i in s))] == pytest.approx(v)


def test_never_fails_is_a_pair():
    """Two words that are bad alone and good together show a strong positive pair."""
    planted = {(): -1.0, (0,): 0.0, (1,): 0.0, (0, 1): 1.0}
    found = interactions(FourierTransform(planted, 2), "FBII", 2, names=("never", "fails"))
    assert found.top(1)[0].features == ("never", "fails")
    assert found.top(1)[0].value == pytest.approx(4.0)
    assert found.top(1)[0].interval is None


def test_top_is_ordered_by_magnitude():
    """A strong negative comes before a weak positive."""
    transform = FourierTransform({(0,): 3.0, (1,): -1.0}, 2)
    values = [entry.value for entry in interactions(transform, "BV").top()]
    assert values == [-6.0, 2.0]


def test_an_empty_transform_has_no_interactions():
    """Nothing in, nothing out."""
    found = interactions(FourierTransform({}, 3))
    assert dict(found) == {}
    assert found.baseline == 0.0


@pytest.mark.parametrize(("index", "order"), [("Shapely", 2), ("FBII", 0)])
def test_what_there_is_not_is_refused(index, order):
    """An unknown index names the known ones; an order is at least 1."""
    with pytest.raises(UsageError):
        interactions(FourierTransform({(0,): 1.0}, 1), index, order)
