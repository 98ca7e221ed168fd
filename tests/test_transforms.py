"""The sign convention, the maps between transforms, and their evaluation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.errors import UsageError
from spex_api.transforms import (
    FourierTransform,
    MobiusTransform,
    _affordable,
    _SparseTransform,
    characters,
    fourier_to_mobius,
    mobius_to_fourier,
    subsets,
)

NUM_FEATURES = 6
CUBE = np.array(list(product((0, 1), repeat=NUM_FEATURES)), dtype=np.uint8)


@st.composite
def sparse_coefficients(draw: st.DrawFn) -> dict[tuple[int, ...], float]:
    """Coefficients of a few supports among six features."""
    supports = st.sets(st.integers(0, NUM_FEATURES - 1)).map(lambda s: tuple(sorted(s)))
    return draw(st.dictionaries(supports, st.floats(-5, 5), max_size=12))


@given(sparse_coefficients())
def test_fourier_is_its_definition(coefficients):
    """`f(m) = Σ F[S] Π (−1)^{m_i}`, computed term by term, equals the vectorised evaluation."""
    expected = [
        sum(value * np.prod([(-1.0) ** m[i] for i in s]) for s, value in coefficients.items())
        for m in CUBE
    ]
    np.testing.assert_allclose(
        FourierTransform(coefficients, NUM_FEATURES)(CUBE), expected, atol=1e-12
    )


@given(sparse_coefficients())
def test_mobius_is_its_definition(coefficients):
    """`f(m) = Σ μ[T] Π m_i`, computed term by term, equals the vectorised evaluation."""
    expected = [
        sum(value for t, value in coefficients.items() if all(m[i] for i in t)) for m in CUBE
    ]
    np.testing.assert_allclose(
        MobiusTransform(coefficients, NUM_FEATURES)(CUBE), expected, atol=1e-12
    )


@given(sparse_coefficients())
def test_both_transforms_are_one_function(coefficients):
    """The Möbius transform of a Fourier transform has the same values on the whole cube."""
    fourier = FourierTransform(coefficients, NUM_FEATURES)
    np.testing.assert_allclose(fourier_to_mobius(fourier)(CUBE), fourier(CUBE), atol=1e-9)


@given(sparse_coefficients())
def test_there_and_back(coefficients):
    """Fourier → Möbius → Fourier gives every coefficient back, and nothing else."""
    fourier = FourierTransform(coefficients, NUM_FEATURES)
    back = mobius_to_fourier(fourier_to_mobius(fourier))
    for support in set(back) | set(fourier):
        assert back.get(support, 0.0) == pytest.approx(fourier.get(support, 0.0), abs=1e-9)


@given(sparse_coefficients())
def test_the_constant_is_the_mean(coefficients):
    """`F[∅]` is the mean over the cube, and the other energy is the variance (Parseval)."""
    fourier = FourierTransform(coefficients, NUM_FEATURES)
    values = fourier(CUBE)
    assert values.mean() == pytest.approx(fourier.get((), 0.0), abs=1e-9)
    assert values.var() == pytest.approx(fourier.energy, abs=1e-9)


@given(sparse_coefficients())
def test_order_of_terms_does_not_depend_on_the_mapping(coefficients):
    """Two mappings of the same terms in another order are equal, hash alike and iterate alike."""
    one = FourierTransform(coefficients, NUM_FEATURES)
    other = FourierTransform(dict(reversed(coefficients.items())), NUM_FEATURES)
    assert one == other
    assert hash(one) == hash(other)
    assert list(one) == list(other)


@given(sparse_coefficients())
def test_repr_is_an_expression(coefficients):
    """`eval(repr(x)) == x`."""
    fourier = FourierTransform(coefficients, NUM_FEATURES)
    assert eval(repr(fourier)) == fourier  # noqa: S307 - our own repr


def test_evaluation_in_chunks_is_evaluation_at_once():
    """More masks than a chunk holds give the values that each part gives alone."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (5000, 9))
    fourier = FourierTransform({(0, 3): 1.5, (8,): -2.0, (): 0.25}, 9)
    np.testing.assert_array_equal(fourier(masks)[4000:], fourier(masks[4000:]))


def test_strongest_keeps_the_largest_and_the_constant():
    """The constant stays whatever its size; ties and order follow magnitude."""
    fourier = FourierTransform({(): 0.1, (0,): -3.0, (1,): 2.0, (0, 1): 1.0}, 2)
    assert fourier.strongest(2) == FourierTransform({(): 0.1, (0,): -3.0, (1,): 2.0}, 2)


def test_subsets_are_all_and_smallest_first():
    """All 2^n subsets once, and up to a size only those."""
    assert list(subsets((2, 5))) == [(), (2,), (5,), (2, 5)]
    assert list(subsets((1, 2, 3), max_size=1)) == [(), (1,), (2,), (3,)]


def test_characters_are_orthonormal_on_the_cube():
    """The mean product of two characters is 1 for the same support and 0 for another."""
    supports = list(subsets((0, 2, 3, 5)))
    basis = characters(CUBE, supports)
    np.testing.assert_allclose(basis.T @ basis / len(CUBE), np.eye(len(supports)), atol=1e-12)


@pytest.mark.parametrize(
    ("coefficients", "word"),
    [
        ({(1, 0): 1.0}, "sorted"),
        ({(0, 0): 1.0}, "sorted"),
        ({(7,): 1.0}, "beyond"),
        ({(-1,): 1.0}, "beyond"),
        ({(-1, 2): 1.0}, "beyond"),
        ({(0,): float("nan")}, "finite"),
    ],
)
def test_a_bad_term_is_named(coefficients, word):
    """A key that is no support, or a number that is none, is refused in words."""
    with pytest.raises(UsageError, match=word):
        FourierTransform(coefficients, 6)


@pytest.mark.parametrize("masks", [[[0, 1]], [0, 1, 1], [[0, 2, 1]], [[0.5, 1, 0]]])
def test_bad_masks_are_refused(masks):
    """Another width, another shape, or an entry that is neither 0 nor 1."""
    with pytest.raises(UsageError):
        FourierTransform({(0,): 1.0}, 3)(masks)


def test_a_term_of_high_degree_is_not_unfolded():
    """The subsets of 21 features are too many to list, and that is said."""
    with pytest.raises(UsageError, match="degree 21"):
        fourier_to_mobius(FourierTransform({tuple(range(21)): 1.0}, 21))


def test_only_the_same_kind_is_equal():
    """A Möbius transform of the same terms is another function, and a mapping is no transform."""
    fourier = FourierTransform({(0,): 1.0}, 2)
    assert fourier != MobiusTransform({(0,): 1.0}, 2)
    assert fourier != {(0,): 1.0}
    assert fourier != FourierTransform({(0,): 1.0}, 3)
    assert fourier != FourierTransform({(0,): 2.0}, 2)


def test_the_strongest_of_a_transform_without_a_constant():
    """No constant is made up; of equal magnitudes the first features stay; the kind does too."""
    mobius = MobiusTransform({(2,): 1.0, (0, 1): -1.0, (1,): 0.5, (0,): 1.0}, 3)
    assert mobius.strongest(2) == MobiusTransform({(0,): 1.0, (0, 1): -1.0}, 3)
    assert len(mobius.strongest(0)) == 0


def test_degree_and_energy():
    """The largest support's size, none for no terms; squares without the constant's."""
    fourier = FourierTransform({(): 5.0, (0, 2, 3): -2.0, (1,): 1.5}, 4)
    assert fourier.degree == 3
    assert fourier.energy == 4.0 + 2.25
    assert FourierTransform({}, 4).degree == 0
    assert FourierTransform({}, 4).energy == 0


def test_terms_stand_by_size_then_by_features():
    """The order of iteration, of `repr` and of everything that is written down."""
    fourier = FourierTransform({(1, 2): 1, (3,): 2, (0, 5): 3, (): 4, (0,): 5}, 6)
    assert list(fourier) == [(), (0,), (3,), (0, 5), (1, 2)]
    assert all(isinstance(value, float) for value in fourier.values())


def test_the_first_and_the_last_feature_are_within():
    """A support may hold feature 0 and feature n − 1, and not n."""
    assert FourierTransform({(0, 2): 1.0}, 3)([[1, 1, 0]]) == [-1.0]
    with pytest.raises(UsageError, match="beyond the 3"):
        FourierTransform({(0, 3): 1.0}, 3)


def test_a_term_of_twenty_features_may_be_unfolded():
    """The limit itself is allowed, and holds in the other direction as well."""
    largest = FourierTransform({tuple(range(20)): 1.0}, 20)
    assert _affordable(largest) is largest
    with pytest.raises(UsageError, match="degree 21"):
        mobius_to_fourier(MobiusTransform({tuple(range(21)): 1.0}, 21))


def test_what_both_kinds_share_is_no_function():
    """Without a basis there is nothing to evaluate."""
    with pytest.raises(NotImplementedError):
        _SparseTransform({(0,): 1.0}, 1)([[1]])
