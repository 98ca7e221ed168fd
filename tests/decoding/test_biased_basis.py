"""The way from the p-biased basis to the plain one, against its definition on the whole cube."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.decoding.biased_basis import to_plain_basis
from spex_api.transforms import FourierTransform, characters

each_keep = pytest.mark.parametrize("keep", [0.2, 0.5, 0.8, 0.95])


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def all_supports(num_features):
    sizes = range(num_features + 1)
    return list(chain.from_iterable(combinations(range(num_features), size) for size in sizes))


def biased(masks, supports, keep):
    """`Π_{i∈S} (s_i − μ) / σ`, by its definition."""
    mean = 1 - 2 * keep
    points = ((-1.0) ** masks - mean) / np.sqrt(1 - mean**2)
    return np.stack([points[:, list(support)].prod(axis=1) for support in supports], axis=1)


SOME = [(), (4,), (0, 2), (1, 2, 3), (0, 1, 3, 4)]


@each_keep
def test_both_bases_give_the_same_function(keep):
    """Multiplied out, a biased transform has the same value at every mask."""
    coefficients = np.random.default_rng(0).normal(size=len(SOME))
    plain, matrix = to_plain_basis(SOME, keep)
    transform = FourierTransform(dict(zip(plain, matrix @ coefficients, strict=True)), 5)
    assert transform(cube(5)) == pytest.approx(biased(cube(5), SOME, keep) @ coefficients)


@each_keep
def test_the_plain_supports_are_the_subsets_once(keep):
    """Every subset of a support is listed once, by size and then by features."""
    plain, matrix = to_plain_basis(SOME, keep)
    touched = {s for s in all_supports(5) if any(set(s) <= set(support) for support in SOME)}
    assert plain == sorted(touched, key=lambda support: (len(support), support))
    assert matrix.shape == (len(plain), len(SOME))


def test_of_even_odds_nothing_changes():
    """Where half of the features are kept, each coefficient is its own."""
    plain, matrix = to_plain_basis(SOME, 0.5)
    expected = [[float(row == column) for column in SOME] for row in plain]
    assert (matrix.toarray() == expected).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_there_and_back_again(keep, num_features, seed):
    """Biased coefficients of a function, by their expectations, lead back to its transform."""
    masks, supports = cube(num_features), all_supports(num_features)
    coefficients = np.random.default_rng(seed).normal(size=len(supports))
    values = characters(masks, supports) @ coefficients
    kept = masks.sum(axis=1)
    measure = keep**kept * (1 - keep) ** (num_features - kept)
    expectations = biased(masks, supports, keep).T @ (measure * values)
    plain, matrix = to_plain_basis(supports, keep)
    assert plain == supports
    assert matrix @ expectations == pytest.approx(coefficients, rel=1e-6, abs=1e-6)


@each_keep
def test_a_covariance_goes_along(keep):
    """The values at any two masks covary alike, whichever basis the coefficients stand in."""
    root = np.random.default_rng(1).normal(size=(len(SOME), len(SOME)))
    covariance = root @ root.T
    plain, matrix = to_plain_basis(SOME, keep)
    phi, chi = biased(cube(5), SOME, keep), characters(cube(5), plain)
    found = chi @ (matrix @ covariance @ matrix.T) @ chi.T
    assert found == pytest.approx(phi @ covariance @ phi.T)
