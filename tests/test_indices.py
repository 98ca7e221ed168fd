"""Each index against its definition by brute force over the whole cube, and against its axioms."""

from __future__ import annotations

from itertools import combinations, permutations, product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import comb as binomials

from spex_api.errors import UsageError
from spex_api.index_weights import INDICES
from spex_api.indices import interactions
from spex_api.transforms import FourierTransform, subsets

seeds = st.integers(0, 10_000)
orders = st.integers(1, 4)
few = settings(max_examples=12, deadline=None)
every_index = pytest.mark.parametrize("index", INDICES)


def function(num_features, *, seed, num_terms=None):
    """A function with standard normal coefficients on random sets, or on all of them."""
    rng = np.random.default_rng(seed)
    everything = list(subsets(tuple(range(num_features))))
    count = len(everything) if num_terms is None else min(num_terms, len(everything))
    chosen = rng.choice(len(everything), size=count, replace=False)
    terms = {everything[place]: float(rng.standard_normal()) for place in chosen}
    return FourierTransform(terms, num_features)


@st.composite
def functions(draw, max_features=8):
    """Sparse and dense functions of up to eight features."""
    num_terms = draw(st.sampled_from([None, 1, 12]))
    return function(draw(st.integers(1, max_features)), seed=draw(seeds), num_terms=num_terms)


def cube(num_features):
    """Every mask; reshaped to (2,) * num_features, axis i is feature i."""
    return np.array(list(product((0, 1), repeat=num_features)), dtype=np.uint8)


def on_cube(transform):
    """The values at every mask, one axis a feature."""
    return transform(cube(transform.num_features)).reshape((2,) * transform.num_features)


def derivative(values, features):
    """Δ_T f in every context, one axis a feature outside T."""
    for feature in sorted(features, reverse=True):
        values = np.diff(values, axis=feature).squeeze(feature)
    return values


def kept(num_features):
    """How many features each mask keeps, one axis a feature."""
    return cube(num_features).sum(axis=1).reshape((2,) * num_features)


def agree(transform, found, truth):
    """Whether each set up to the order has its value, by a function from sets to values."""
    for features in subsets(tuple(range(transform.num_features)), max_size=found.order):
        if features:
            assert found.get(features, 0.0) == pytest.approx(truth(features), rel=1e-9, abs=1e-8)


def test_a_case_worked_by_hand():
    """Of `m_0 + 2 m_0 m_1 + 12 m_0 m_1 m_2`: each index as its definition gives it on paper."""
    # By hand: F[S] = (−1)^|S| Σ_{T⊇S} μ[T] / 2^|T|.
    terms = {(): 2.5, (0,): -2.5, (1,): -2.0, (2,): -1.5}
    terms |= {(0, 1): 2.0, (0, 2): 1.5, (1, 2): 1.5, (0, 1, 2): -1.5}
    transform = FourierTransform(terms, 3)
    assert dict(interactions(transform, "SV")) == pytest.approx({(0,): 6, (1,): 5, (2,): 4})
    assert dict(interactions(transform, "BV")) == pytest.approx({(0,): 5, (1,): 4, (2,): 3})
    pairs = {
        "SII": (8, 6, 6),
        "BII": (8, 6, 6),
        "STII": (6, 4, 4),
        "FSII": (8, 6, 6),
        "FBII": (8, 6, 6),
        "Möbius": (2, 0, 0),
        "Fourier": (2, 1.5, 1.5),
    }
    for index, truth in pairs.items():
        found = interactions(transform, index, 2)
        assert [found[s] for s in combinations(range(3), 2)] == pytest.approx(truth), index


@few
@given(functions(), orders)
def test_banzhaf_is_the_mean_derivative(transform, order):
    """BII(T) is the mean of Δ_T f over all contexts; its empty set is the mean of f."""
    values = on_cube(transform)
    found = interactions(transform, "BII", order)
    agree(transform, found, lambda features: derivative(values, features).mean())
    assert found.baseline == pytest.approx(values.mean(), abs=1e-8)


@few
@given(functions(), orders)
def test_shapley_interactions_are_weighted_mean_derivatives(transform, order):
    """SII(T) is the mean of Δ_T f over contexts A with weight 1 / ((n−t+1) C(n−t, |A|))."""
    values, n = on_cube(transform), transform.num_features

    def truth(features):
        others = n - len(features)
        weights = 1 / ((others + 1) * binomials(others, kept(others)))
        return np.sum(weights * derivative(values, features))

    found = interactions(transform, "SII", order)
    agree(transform, found, truth)
    assert found.baseline == pytest.approx(values.flat[0], abs=1e-8)


@few
@given(functions(max_features=5))
def test_shapley_values_are_mean_contributions_over_orderings(transform):
    """SV(i) is the mean over all orderings of what i adds to the features before it."""
    values, n = on_cube(transform), transform.num_features
    added = np.zeros(n)
    orderings = list(permutations(range(n)))
    for ordering in orderings:
        mask = [0] * n
        for feature in ordering:
            before = values[tuple(mask)]
            mask[feature] = 1
            added[feature] += values[tuple(mask)] - before
    truth = added / len(orderings)
    agree(transform, interactions(transform, "SV"), lambda features: truth[features[0]])


@few
@given(functions(), orders)
def test_shapley_taylor_by_subsets(transform, order):
    """STII(T) is Δ_T f(∅) below the order; at it, `l/n Σ_A Δ_T f(A) / C(n−1, |A|)`."""
    values, n = on_cube(transform), transform.num_features

    def truth(features):
        change = derivative(values, features)
        if len(features) < order:
            return change.flat[0]
        return order / n * np.sum(change / binomials(n - 1, kept(n - order)))

    found = interactions(transform, "STII", order)
    agree(transform, found, truth)
    assert found.baseline == pytest.approx(values.flat[0], abs=1e-8)


@settings(max_examples=4, deadline=None)
@given(seeds, st.integers(1, 3))
def test_shapley_taylor_by_orderings(seed, order):
    """At the order, STII(T) is the mean of Δ_T f at what comes before all of T in an ordering."""
    transform = function(5, seed=seed)
    values = on_cube(transform)

    def change(features, ordering):
        before = ordering[: min(map(ordering.index, features))]
        context = tuple(int(i in before) for i in range(5) if i not in features)
        return derivative(values, features)[context]

    found = interactions(transform, "STII", order)
    for features in list(combinations(range(5), order))[:3]:
        truth = np.mean([change(features, ordering) for ordering in permutations(range(5))])
        assert found[features] == pytest.approx(truth, abs=1e-8)


@few
@given(functions(), st.integers(1, 8))
def test_mobius_is_the_dividend(transform, order):
    """μ(T) is the alternating sum over the subsets of T."""
    values = on_cube(transform)
    found = interactions(transform, "Möbius", order)
    agree(transform, found, lambda features: derivative(values, features).flat[0])
    assert found.baseline == pytest.approx(values.flat[0], abs=1e-8)


@given(functions(), orders)
@few
def test_fourier_is_the_transform_itself(transform, order):
    """What is not empty and within the order, unchanged; the mean is the baseline."""
    found = interactions(transform, "Fourier", order)
    assert dict(found) == {s: v for s, v in transform.items() if 0 < len(s) <= order}
    assert found.baseline == transform.get((), 0.0)


def polynomial(num_features, order):
    """The sets up to an order, and their products at every mask, shape (num_masks, num_sets)."""
    sets = list(subsets(tuple(range(num_features)), max_size=order))
    masks = cube(num_features)
    return sets, np.array([masks[:, list(s)].prod(axis=1) for s in sets], dtype=float).T


@few
@given(functions(), orders)
def test_faith_banzhaf_is_the_nearest_polynomial(transform, order):
    """FBII of order l equals the least-squares polynomial of degree l over the whole cube."""
    sets, columns = polynomial(transform.num_features, order)
    fitted, *_ = np.linalg.lstsq(columns, on_cube(transform).ravel(), rcond=None)
    truth = dict(zip(sets, fitted, strict=True))
    found = interactions(transform, "FBII", order)
    agree(transform, found, truth.__getitem__)
    assert found.baseline == pytest.approx(truth[()], abs=1e-8)


@few
@given(functions(), orders)
def test_faith_shapley_is_the_nearest_polynomial_under_the_shapley_kernel(transform, order):
    """FSII solves least squares with the Shapley kernel, exact at the empty and the full mask."""
    n, values = transform.num_features, on_cube(transform).ravel()
    sets, columns = polynomial(n, order)
    size = kept(n).ravel()[1:-1]
    kernel = np.zeros(2**n)
    kernel[1:-1] = (n - 1) / (binomials(n, size) * size * (n - size))
    bounds = columns[[0, -1]]
    system = np.block([[columns.T * kernel @ columns, bounds.T], [bounds, np.zeros((2, 2))]])
    right = np.concatenate([columns.T @ (kernel * values), values[[0, -1]]])
    truth = dict(zip(sets, np.linalg.solve(system, right), strict=False))
    found = interactions(transform, "FSII", order)
    agree(transform, found, truth.__getitem__)
    assert found.baseline == pytest.approx(truth[()], abs=1e-8)


@pytest.mark.parametrize("index", ["SV", "STII", "FSII", "Möbius"])
@given(functions(), orders)
@few
def test_efficiency(index, transform, order):
    """The baseline and all values add up to f with every feature kept; Möbius at full order."""
    found = interactions(transform, index, 8 if index == "Möbius" else order)
    total = found.baseline + sum(found.values())
    assert total == pytest.approx(on_cube(transform).flat[-1], rel=1e-9, abs=1e-8)


@every_index
@given(seeds, orders, st.permutations(range(6)))
@few
def test_permuting_the_features_permutes_the_interactions(index, seed, order, places):
    """Renaming feature i to places[i] renames it in every interaction, and changes no value."""
    transform = function(6, seed=seed, num_terms=12)
    renamed = {tuple(sorted(places[i] for i in s)): v for s, v in transform.items()}
    one = interactions(transform, index, order)
    other = interactions(FourierTransform(renamed, 6), index, order)
    assert len(one) == len(other)
    for s, v in one.items():
        assert other[tuple(sorted(places[i] for i in s))] == pytest.approx(v, abs=1e-9)


@every_index
@given(seeds, orders)
@few
def test_symmetry(index, seed, order):
    """Two features that f does not tell apart have the same interactions."""
    half = function(5, seed=seed, num_terms=10)
    swap = {0: 1, 1: 0}
    terms = dict(half)
    for s, v in half.items():
        mirrored = tuple(sorted(swap.get(i, i) for i in s))
        terms[mirrored] = terms.get(mirrored, 0.0) + v if mirrored != s else v
    found = interactions(FourierTransform(terms, 5), index, order)
    for s, v in found.items():
        assert found[tuple(sorted(swap.get(i, i) for i in s))] == pytest.approx(v, abs=1e-9)


@every_index
@given(seeds, orders)
@few
def test_a_dummy_feature_acts_alone(index, seed, order):
    """A feature that adds 3 whatever the others do has the value 3, and no interaction."""
    rest = function(5, seed=seed, num_terms=12)
    # 3 m = 1.5 − 1.5 (−1)^m.
    with_dummy = FourierTransform({**rest, (): rest.get((), 0.0) + 1.5, (5,): -1.5}, 6)
    found = interactions(with_dummy, index, order)
    assert {s for s in found if 5 in s} == {(5,)}
    assert found[5,] == pytest.approx(-1.5 if index == "Fourier" else 3.0)
    assert {s: v for s, v in found.items() if 5 not in s} == pytest.approx(
        dict(interactions(rest, index, order))
    )


@every_index
@given(seeds, orders)
@few
def test_linearity(index, seed, order):
    """The interactions of 2 f − 3 g are 2 times those of f less 3 times those of g."""
    f, g = function(5, seed=seed, num_terms=8), function(5, seed=seed + 1, num_terms=8)
    mixed = {s: 2 * f.get(s, 0.0) - 3 * g.get(s, 0.0) for s in {*f, *g}}
    one, other = interactions(f, index, order), interactions(g, index, order)
    found = interactions(FourierTransform(mixed, 5), index, order)
    assert set(found) == {*one, *other}
    for s, v in found.items():
        assert v == pytest.approx(2 * one.get(s, 0.0) - 3 * other.get(s, 0.0), abs=1e-9)
    assert found.baseline == pytest.approx(2 * one.baseline - 3 * other.baseline, abs=1e-9)


@pytest.mark.parametrize(("value", "index"), [("SV", "SII"), ("BV", "BII")])
@given(functions(), orders)
@few
def test_values_are_the_index_of_order_one(value, index, transform, order):
    """SV is SII of order 1 and BV is BII of order 1, whatever order is asked."""
    one, other = interactions(transform, value, order), interactions(transform, index, 1)
    assert (dict(one), one.baseline, one.order) == (dict(other), other.baseline, 1)
    assert one.index == value


@pytest.mark.parametrize("index", ["STII", "FSII", "FBII", "Möbius"])
@given(functions(max_features=4), st.integers(4, 6))
@few
def test_beyond_the_degree_the_polynomial_is_the_function(index, transform, order):
    """Where the order covers the degree, these indices are the Möbius transform, and rebuild f."""
    found = interactions(transform, index, order)
    sets, columns = polynomial(transform.num_features, order)
    coefficients = [found.baseline, *(found.get(s, 0.0) for s in sets[1:])]
    assert columns @ coefficients == pytest.approx(on_cube(transform).ravel(), abs=1e-8)


@every_index
@given(seeds, orders)
@few
def test_intervals_are_linear_in_the_covariance(index, seed, order):
    """The half width is 1.645 standard deviations of W F, with W by differences of the index."""
    transform = function(6, seed=seed, num_terms=14)
    size = len(transform)
    root = np.random.default_rng(seed).standard_normal((size, size))
    found = interactions(transform, index, order, covariance=root @ root.T)
    rows = np.zeros((len(found), size))
    for column, support in enumerate(transform):
        moved = FourierTransform({**transform, support: transform[support] + 1.0}, 6)
        after = interactions(moved, index, order)
        rows[:, column] = [after[s] - found[s] for s in found]
    deviations = np.sqrt(np.diag(rows @ root @ root.T @ rows.T))
    assert list(found.intervals) == list(found)
    for (support, interval), deviation in zip(found.intervals.items(), deviations, strict=True):
        reach = (interval.high - interval.low) / 2
        assert reach == pytest.approx(1.6448536 * deviation, rel=1e-6, abs=1e-6)
        assert (interval.high + interval.low) / 2 == pytest.approx(found[support], abs=1e-9)


def test_intervals_of_many_sets():
    """Thousands of sets, more than are multiplied at once, each have their own interval."""
    rng = np.random.default_rng(0)
    terms = {tuple(sorted(rng.choice(300, 5, replace=False).tolist())): 1.0 for _ in range(200)}
    transform = FourierTransform(terms, 300)
    variances = rng.uniform(1.0, 2.0, len(transform))
    found = interactions(transform, "Möbius", 5, covariance=np.diag(variances))
    assert len(found) > 4096
    for support, variance in zip(transform, variances, strict=True):
        low, high = found.intervals[support]
        assert high - low == pytest.approx(2 * 1.6448536 * 32 * variance**0.5)


@every_index
def test_sparse_stays_sparse(index):
    """Of a thousand features, only sets of features that act in one coefficient are touched."""
    rng = np.random.default_rng(0)
    terms = {tuple(sorted(rng.choice(1000, 5, replace=False).tolist())): 1.0 for _ in range(50)}
    found = interactions(FourierTransform(terms, 1000), index, 3)
    assert set(found) <= {s for support in terms for s in subsets(support, max_size=3)}
    assert list(found) == sorted(found, key=lambda s: (len(s), s))
    assert all(type(feature) is int for s in found for feature in s)


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
    assert [entry.value for entry in interactions(transform, "BV").top()] == [-6.0, 2.0]


@every_index
@pytest.mark.parametrize("terms", [{}, {(): 2.0}])
def test_a_constant_has_no_interactions(index, terms):
    """Nothing in, nothing out, with a covariance too; the constant is the baseline."""
    found = interactions(FourierTransform(terms, 3), index, covariance=np.eye(len(terms)))
    assert (dict(found), dict(found.intervals)) == ({}, {})
    assert found.baseline == terms.get((), 0.0)


def test_a_covariance_of_other_coefficients_is_refused():
    """A covariance has one row a coefficient."""
    with pytest.raises(UsageError, match="not of 1 coefficient"):
        interactions(FourierTransform({(0,): 1.0}, 1), covariance=np.eye(2))


def test_more_sets_than_fit_in_memory_are_refused():
    """A coefficient of 40 features has a trillion subsets: refused at once, and fine at order 2."""
    transform = FourierTransform({tuple(range(40)): 1.0}, 40)
    with pytest.raises(UsageError, match="too many to list"):
        interactions(transform, "Möbius", 40)
    assert len(interactions(transform, "Möbius", 2)) == 40 + comb(40, 2)
