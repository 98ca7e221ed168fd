"""Error locators: from syndromes to the polynomial whose roots are the errors, and to the roots.

`λ(x) = Π_e (1 − α^e x)` over the positions e of the errors. Every function works on a whole batch
of words at once; a polynomial is a column of coefficients, lowest degree first. What this module
does not know: which positions hold features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.codes.gf2m import Field

__all__ = ["locators", "roots"]

_CELLS = 2**22
"""How many evaluations of a polynomial are held in memory at once."""


def locators(
    field: Field, syndromes: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Berlekamp's algorithm for binary codes (Berlekamp 1968, algorithm 7.6).

    Args:
        field: GF(2^m).
        syndromes: shape (num_words, t), of `S_1, S_3, …, S_{2t−1}`; those of even number are
            squares, `S_{2l} = S_l²`.

    Returns:
        The polynomials, shape (t + 1, num_words), int32, and the number of errors that each claims,
        shape (num_words,). Of a word that is further than t errors from the code that number is
        more than t, or its polynomial has fewer roots.
    """
    num_words, t = syndromes.shape
    every = np.zeros((2 * t, num_words), dtype=np.int32)
    every[1::2] = syndromes.T
    for number in range(2, 2 * t, 2):
        every[number] = field.square(every[number // 2])
    current = np.zeros((t + 1, num_words), dtype=np.int32)
    current[0] = 1
    # What the next discrepancy is cancelled with: x times Berlekamp's τ.
    canceller = np.zeros((t + 1, num_words), dtype=np.int32)
    canceller[1] = 1
    num_errors = np.zeros(num_words, dtype=np.intp)
    for step in range(t):
        discrepancy = every[2 * step + 1].copy()
        for degree in range(1, min(2 * step, t) + 1):
            discrepancy ^= field.multiply(current[degree], every[2 * step + 1 - degree])
        grows = (discrepancy != 0) & (num_errors <= step)
        num_errors = np.where(grows, 2 * step + 1 - num_errors, num_errors)
        quotient = field.divide(current, np.where(grows, discrepancy, 1))
        current = current ^ field.multiply(discrepancy, canceller)
        canceller[2:] = np.where(grows, quotient, canceller)[:-2]
        canceller[:2] = 0
    return current, num_errors


def roots(
    field: Field,
    polynomials: NDArray[np.int32],
    num_errors: NDArray[np.intp],
    *,
    length: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The positions that locators point at, for those with as many positions as errors.

    Args:
        field: GF(2^m).
        polynomials: shape (t + 1, num_words).
        num_errors: shape (num_words,).
        length: positions from 0 to this are looked at: the code after shortening.

    Returns:
        Which words, shape (num_decoded,), ascending; and their positions, shape (num_decoded, t),
        −1 filling up.
    """
    t = len(polynomials) - 1
    rows, found = [np.zeros(0, np.intp)], [np.zeros((0, t), np.intp)]
    for count in range(t + 1):
        words = np.flatnonzero(num_errors == count)
        words = words[_splits(field, polynomials[: count + 1, words])]
        for start in range(0, len(words), max(1, _CELLS // length)):
            chosen = words[start : start + max(1, _CELLS // length)]
            zero = _is_root(field, polynomials[: count + 1, chosen], length)
            complete = zero.sum(axis=1) == count
            positions = np.full((int(complete.sum()), t), -1, dtype=np.intp)
            positions[:, :count] = np.nonzero(zero[complete])[1].reshape(len(positions), count)
            rows.append(chosen[complete])
            found.append(positions)
    order = np.argsort(np.concatenate(rows), kind="stable")
    return np.concatenate(rows)[order], np.concatenate(found)[order]


def _is_root(field: Field, polynomials: NDArray[np.int32], length: int) -> NDArray[np.bool_]:
    """Whether `λ(α^−e) = 0` (Chien 1964), shape (num_words, length)."""
    positions = np.arange(length)
    total = np.zeros((polynomials.shape[1], length), dtype=np.int32)
    for degree, coefficients in enumerate(polynomials):
        total ^= field.multiply(coefficients[:, None], field.power(-degree * positions))
    zero: NDArray[np.bool_] = total == 0
    return zero


def _splits(field: Field, polynomials: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each polynomial has as many distinct roots in the field as its degree.

    That is so when it divides `x^(2^m) − x`; m squarings modulo the polynomial tell, which is far
    less than to evaluate it everywhere. About one in t! of random words passes.
    """
    split: NDArray[np.bool_]
    degree = len(polynomials) - 1
    # The reversed polynomial is monic and has the inverse roots: x^degree = Σ low_i x^i.
    low = polynomials[:0:-1]
    if degree < 2:
        split = (low != 0).all(axis=0)
        return split
    reduced = [low]
    for _ in range(degree - 2):
        shifted = np.concatenate([np.zeros_like(low[:1]), reduced[-1][:-1]])
        reduced.append(shifted ^ field.multiply(reduced[-1][-1], low))
    x = np.zeros_like(low)
    x[1] = 1
    power = x
    for _ in range(field.exponent):
        squares = field.square(power)
        power = np.zeros_like(low)
        within = (degree + 1) // 2
        power[::2] = squares[:within]
        for place in range(within, degree):
            power ^= field.multiply(squares[place], reduced[2 * place - degree])
    split = (power == x).all(axis=0) & (low[0] != 0)
    return split
