"""Linear algebra over GF(2) on packed bits: 64 of a row's bits in each machine word.

What this module does not know: codes, fields and masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["add_rows", "pack", "rank", "unpack"]

_WORD = 64


def pack(bits: ArrayLike) -> NDArray[np.uint64]:
    """The bits of each row in machine words, lowest bit first.

    Args:
        bits: shape (…, num_bits), of 0 and 1.

    Returns:
        Shape (…, ⌈num_bits / 64⌉), uint64; bits beyond the last are zero.
    """
    array = np.asarray(bits, dtype=np.uint8)
    missing = -array.shape[-1] % _WORD
    padding = [(0, 0)] * (array.ndim - 1) + [(0, missing)]
    octets = np.packbits(np.pad(array, padding), axis=-1, bitorder="little")
    return np.ascontiguousarray(octets).view("<u8").astype(np.uint64, copy=False)


def unpack(words: NDArray[np.uint64], num_bits: int) -> NDArray[np.uint8]:
    """The first `num_bits` bits of each row: the inverse of `pack`.

    Args:
        words: shape (…, num_words).
        num_bits: at most 64 a word.

    Returns:
        Shape (…, num_bits), uint8, of 0 and 1.
    """
    octets = np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=num_bits, bitorder="little")


def add_rows(rows: NDArray[np.uint64], chosen: NDArray[np.intp]) -> NDArray[np.uint64]:
    """The sum over GF(2) of chosen rows: `⊕_{i ∈ S} r_i` for every set S at once.

    Args:
        rows: shape (num_rows, num_words).
        chosen: shape (num_sets, size), numbers of rows; −1 fills up sets of fewer.

    Returns:
        Shape (num_sets, num_words), uint64.
    """
    # A row of zeros behind the others is what −1 chooses.
    extended = np.concatenate([rows, np.zeros((1, rows.shape[1]), dtype=np.uint64)])
    total = np.zeros((len(chosen), rows.shape[1]), dtype=np.uint64)
    for column in chosen.T:
        total ^= extended[column]
    return total


def rank(bits: ArrayLike) -> int:
    """The rank of a matrix over GF(2), by elimination.

    Args:
        bits: shape (num_rows, num_columns), of 0 and 1.
    """
    rows = pack(bits)
    found = 0
    for column in range(np.shape(bits)[1]):
        word, bit = divmod(column, _WORD)
        holds = (rows[:, word] >> np.uint64(bit) & np.uint64(1)).astype(bool)
        holders = found + np.flatnonzero(holds[found:])
        if len(holders):
            rows[[found, holders[0]]] = rows[[holders[0], found]]
            rows[holders[1:]] ^= rows[found]
            found += 1
    return found
