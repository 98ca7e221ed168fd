"""The fields GF(2^m) against galois, element by element."""

from __future__ import annotations

from functools import cache

import galois
import numpy as np
import pytest

from spex_api.codes.gf2m import field_of_order
from spex_api.errors import UsageError

EXPONENTS = range(2, 11)


@cache
def oracle(exponent: int):
    """The field over the polynomial of Lin and Costello, without compilation, which is slow."""
    polynomial = galois.matlab_primitive_poly(2, exponent)
    return galois.GF(2**exponent, irreducible_poly=polynomial, compile="python-calculate")


def some_elements(exponent: int, count: int):
    """All combinations of `count` elements of a small field, and of a large one a few hundred."""
    order = 2**exponent - 1
    if exponent * count <= 9:
        grid = np.meshgrid(*[np.arange(order + 1)] * count, indexing="ij")
        return [axis.ravel().astype(np.int32) for axis in grid]
    drawn = np.random.default_rng(exponent).integers(0, order + 1, (count, 400), dtype=np.int32)
    drawn[0, :10] = drawn[-1, 5:20] = 0
    drawn[0, 30:40] = order
    drawn[-1, 35:45] = 1
    return list(drawn)


@pytest.mark.parametrize("exponent", range(2, 15))
def test_the_polynomial_is_the_books_and_primitive(exponent):
    """`α^m` is what the book's polynomial leaves, and the powers of α are all elements but zero."""
    field = field_of_order(exponent)
    assert field.exponent == exponent
    assert field.order == 2**exponent - 1
    polynomial = int(galois.matlab_primitive_poly(2, exponent))
    assert field.power(np.array([exponent]))[0] == polynomial - 2**exponent
    np.testing.assert_array_equal(field.power(np.arange(exponent)), 2 ** np.arange(exponent))
    np.testing.assert_array_equal(
        np.sort(field.power(np.arange(field.order))), np.arange(1, field.order + 1)
    )


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_products_and_quotients_are_galois(exponent):
    """`a b`, `a / b` and `a²`; all of them where the field is small."""
    field, theirs = field_of_order(exponent), oracle(exponent)
    left, right = some_elements(exponent, 2)
    expected = theirs(left) * theirs(right)
    np.testing.assert_array_equal(field.multiply(left, right), np.array(expected))
    np.testing.assert_array_equal(field.square(left), np.array(theirs(left) ** 2))
    left, right = left[right != 0], right[right != 0]
    np.testing.assert_array_equal(field.divide(left, right), np.array(theirs(left) / theirs(right)))
    assert field.multiply(left, right).dtype == np.int32


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers_are_galois(exponent):
    """`α^i` for exponents of either sign and beyond the period."""
    field, theirs = field_of_order(exponent), oracle(exponent)
    exponents = np.array([0, 1, 2, field.order - 1, field.order, 3 * field.order + 5, -1, -7])
    expected = theirs.primitive_element ** (exponents % field.order)
    np.testing.assert_array_equal(field.power(exponents), np.array(expected))
    inverse = field.divide(np.ones(8, np.int32), field.power(exponents))
    np.testing.assert_array_equal(field.power(-exponents), inverse)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_the_axioms_hold(exponent):
    """Products commute, associate and distribute over XOR; one is neutral, zero is absorbed."""
    field = field_of_order(exponent)
    a, b, c = some_elements(exponent, 3)
    product = field.multiply
    np.testing.assert_array_equal(product(a, b), product(b, a))
    np.testing.assert_array_equal(product(product(a, b), c), product(a, product(b, c)))
    np.testing.assert_array_equal(product(a, b ^ c), product(a, b) ^ product(a, c))
    np.testing.assert_array_equal(field.square(a ^ b), field.square(a) ^ field.square(b))
    np.testing.assert_array_equal(product(a, np.int32(1)), a)
    every = np.arange(field.order + 1, dtype=np.int32)
    assert not product(every, np.int32(0)).any()
    assert not field.divide(np.int32(0), every[1:]).any()
    assert field.square(every[:1])[0] == 0
    np.testing.assert_array_equal(product(field.divide(every, every[-1:]), every[-1:]), every)


def test_products_are_broadcast():
    """A column times a row is a table."""
    field = field_of_order(3)
    table = field.multiply(np.arange(8, dtype=np.int32)[:, None], np.arange(8, dtype=np.int32))
    assert table.shape == (8, 8)
    assert table[2, 4] == 0b011  # α · α² = α³ = α + 1


def test_a_field_is_made_once_and_read_only():
    """Nobody changes tables that everybody shares."""
    field = field_of_order(4)
    assert field_of_order(4) is field
    assert (field.powers.shape, field.logarithms.shape) == ((31,), (16,))
    assert field.powers.dtype == field.logarithms.dtype == np.int32
    with pytest.raises(ValueError, match="read-only"):
        field.powers[0] = 3
    with pytest.raises(ValueError, match="read-only"):
        field.logarithms[0] = 3


@pytest.mark.parametrize("exponent", [1, 15])
def test_a_field_without_tables_is_refused(exponent):
    """Below 2 and above 14 there is no table, and that is said."""
    with pytest.raises(UsageError, match=f"not for {exponent}"):
        field_of_order(exponent)
