"""Packed bits against NumPy's own, and ranks against galois."""

from __future__ import annotations

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.codes.gf2 import add_rows, pack, rank, unpack


def draw_bits(*shape: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 2, size=shape, dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5), st.integers(0, 200), st.integers(0, 99))
def test_unpacking_is_the_inverse_of_packing(num_rows, num_bits, seed):
    """Unpacking gives every bit back, whatever the number of rows and of bits, none included."""
    bits = draw_bits(num_rows, num_bits, seed=seed)
    packed = pack(bits)
    assert packed.shape == (num_rows, -(-num_bits // 64))
    assert packed.dtype == np.uint64
    unpacked = unpack(packed, num_bits)
    np.testing.assert_array_equal(unpacked, bits)
    assert unpacked.dtype == np.uint8


def test_bit_i_is_worth_two_to_the_i():
    """A row is one number, its words the digits of base 2^64, lowest first."""
    bits = draw_bits(4, 130)
    for row, words in zip(bits, pack(bits), strict=True):
        number = sum(int(bit) << place for place, bit in enumerate(row))
        assert [int(word) for word in words] == [number >> 64 * k & 2**64 - 1 for k in range(3)]


def test_packing_goes_along_the_last_axis():
    """Every row of a stack of matrices is packed as it is alone, lists and bool included."""
    bits = draw_bits(2, 3, 70)
    packed = pack(bits)
    assert packed.shape == (2, 3, 2)
    np.testing.assert_array_equal(packed[1, 2], pack(bits[1, 2].astype(bool).tolist()))
    np.testing.assert_array_equal(unpack(packed, 70), bits)
    np.testing.assert_array_equal(unpack(packed, 65), bits[..., :65])


@pytest.mark.parametrize("num_bits", [3, 64, 65, 200])
def test_sums_of_rows_are_numpys_sums_modulo_two(num_bits):
    """`⊕_{i ∈ S} r_i` for sets of every size, the empty one included."""
    bits = draw_bits(9, num_bits)
    rng = np.random.default_rng(1)
    sets = [rng.choice(9, size=size, replace=False) for size in (0, 1, 2, 3, 4, 4, 2)]
    chosen = np.array([[*members, *[-1] * (4 - len(members))] for members in sets], dtype=np.intp)
    expected = [bits[members].sum(axis=0) % 2 for members in sets]
    np.testing.assert_array_equal(unpack(add_rows(pack(bits), chosen), num_bits), expected)


def test_sums_of_nothing_are_zero():
    """No set has no sum; a set without members, or chosen from no rows, has the sum zero."""
    rows = pack(draw_bits(4, 70))
    assert add_rows(rows, np.zeros((0, 3), np.intp)).shape == (0, 2)
    assert not add_rows(rows, np.zeros((2, 0), np.intp)).any()
    assert not add_rows(rows[:0], np.full((2, 3), -1)).any()


@pytest.mark.parametrize(
    ("num_rows", "num_columns", "inner"),
    [(1, 1, 1), (5, 5, 5), (5, 9, 3), (9, 5, 4), (20, 130, 12), (130, 20, 15), (70, 70, 69)],
)
def test_rank_is_what_galois_says(num_rows, num_columns, inner):
    """Products of thin matrices have low ranks; columns beyond a word's 64 count as well."""
    for seed in range(5):
        left = draw_bits(num_rows, inner, seed=seed).astype(int)
        bits = left @ draw_bits(inner, num_columns, seed=100 + seed) % 2
        before = bits.copy()
        assert rank(bits) == np.linalg.matrix_rank(galois.GF2(bits.astype(np.uint8)))
        np.testing.assert_array_equal(bits, before)


def test_rank_of_known_matrices():
    """Rows to be exchanged, a sum that vanishes over GF(2) alone, many words, and nothing."""
    assert rank([[0, 1, 0], [1, 0, 0], [1, 1, 0]]) == 2
    assert rank([[1, 1, 0], [0, 1, 1], [1, 0, 1]]) == 2
    assert rank(np.eye(100)[::-1]) == 100
    assert rank(np.zeros((3, 4))) == 0
    assert rank(np.zeros((0, 4))) == 0
    assert rank(np.zeros((4, 0))) == 0
