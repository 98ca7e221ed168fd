"""Coded samples → bins: what each group's Walsh–Hadamard transform says of every support.

A support k lies in one bin of each group, and there its coefficient stands once a delay, with the
sign `(−1)^⟨d_p,k⟩` (`spex_api.sampling.aliased`). What this module does not know: which supports
there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spex_api.codes import gf2
from spex_api.decoding.walsh_hadamard import fast_walsh_hadamard
from spex_api.sampling.aliased import coded_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.samples import Aliasing, Samples

    Floats = NDArray[np.float64]
    Supports = NDArray[np.intp]

__all__ = ["Bins", "Hashes", "coded_rows", "fill_bins"]


@dataclass(frozen=True, slots=True, eq=False)
class Hashes:
    """Where a support goes: its bin in each group, and its sign at each delay.

    Supports are rows of features, shape (num_supports, size), −1 filling up.

    Attributes:
        num_groups: C.
        num_bins: 2^b in each group.
        num_delays: P + 1.
        bin_words: shape (num_features, C), uint64, the rows of the matrices as numbers.
        delay_words: shape (num_features, num_words), uint64, the columns of the delays, packed.
    """

    num_groups: int
    num_bins: int
    num_delays: int
    bin_words: NDArray[np.uint64]
    delay_words: NDArray[np.uint64]

    @classmethod
    def of(cls, aliasing: Aliasing) -> Hashes:
        """The hashes of a code."""
        num_groups, _, exponent = aliasing.matrices.shape
        weights = np.uint64(1) << np.arange(exponent, dtype=np.uint64)
        words = (aliasing.matrices.astype(np.uint64) * weights).sum(axis=2, dtype=np.uint64)
        delays = gf2.pack(aliasing.delays.T)
        return cls(num_groups, 2**exponent, len(aliasing.delays), words.T.copy(), delays)

    def bins(self, supports: Supports) -> NDArray[np.intp]:
        """The number of each support's bin among all C · 2^b, shape (num_supports, C)."""
        within = gf2.add_rows(self.bin_words, supports).astype(np.intp)
        return within + self.num_bins * np.arange(self.num_groups)

    def signs(self, supports: Supports) -> Floats:
        """`(−1)^⟨d_p,k⟩`, shape (num_supports, P + 1)."""
        words = gf2.add_rows(self.delay_words, supports)
        return 1.0 - 2.0 * gf2.unpack(words, self.num_delays).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """What the coded samples say.

    Attributes:
        values: shape (C · 2^b, P + 1): `U_{c,p}(j)`, the bins of a group side by side.
        noise: the variance of each entry that is known from the samples' own variances.
        hashes: where supports go.
    """

    values: Floats
    noise: float
    hashes: Hashes


def coded_rows(samples: Samples, aliasing: Aliasing) -> NDArray[np.intp]:
    """Which sample is which coded mask, shape (C, P + 1, 2^b); −1 where a mask is missing.

    Args:
        samples: each mask once, in any order, with others among them or not.
        aliasing: the code.
    """
    rows = {mask.tobytes(): row for row, mask in enumerate(gf2.pack(samples.masks))}
    asked = coded_masks(aliasing)
    places = [rows.get(mask.tobytes(), -1) for mask in asked.reshape(-1, asked.shape[-1])]
    return np.array(places, dtype=np.intp).reshape(asked.shape[:-1])


def fill_bins(samples: Samples, aliasing: Aliasing, rows: NDArray[np.intp]) -> Bins:
    """The bins of every group.

    A missing mask counts with the mean of the others. That spreads an error over the entries of its
    delay like noise: such bins may suggest supports, but are no transform of the function.

    Args:
        samples: each mask once.
        aliasing: the code.
        rows: as `coded_rows` gives them.
    """
    hashes = Hashes.of(aliasing)
    # The last entry is what −1 reads.
    filled = np.append(samples.values, samples.values.mean())
    transformed = fast_walsh_hadamard(filled[rows]) / hashes.num_bins
    values = np.ascontiguousarray(transformed.transpose(0, 2, 1)).reshape(-1, hashes.num_delays)
    noise = 0.0
    if samples.variances is not None:
        noise = float(samples.variances[rows[rows >= 0]].mean()) / hashes.num_bins
    return Bins(values, noise, hashes)
