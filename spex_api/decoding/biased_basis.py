"""From the p-biased Fourier basis to the plain one.

Under masks that keep each feature with probability `keep`, the products of the coordinates
`z_i = (s_i − μ) / σ`, with `μ = 1 − 2 keep` and `σ = √(1 − μ²)`, are orthonormal (`gp_kernels`).
Multiplied out, each is a sum over the subsets of its support,

    Π_{i∈S} z_i = σ^{−|S|} Σ_{T⊆S} (−μ)^{|S|−|T|} Π_{i∈T} s_i,

so a sparse transform in one basis is a sparse transform in the other, and a covariance goes along.
What this module does not know: how coefficients were found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from spex_api.transforms import subsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.transforms import Support

__all__ = ["to_plain_basis"]


def to_plain_basis(
    supports: Sequence[Support], keep: float
) -> tuple[list[Support], sparse.csr_array]:
    """The plain supports that biased ones touch, and the matrix between their coefficients.

    Args:
        supports: of the biased coefficients.
        keep: the probability with which the masks keep a feature.

    Returns:
        The plain supports, by size and then by features, and the matrix B, of shape
        (num_plain, num_supports): `F = B F_biased`, and `B C Bᵀ` is the covariance.
    """
    mean = 1.0 - 2.0 * keep
    deviation = (1.0 - mean**2) ** 0.5
    touched = {subset for support in supports for subset in subsets(support)}
    plain = sorted(touched, key=lambda support: (len(support), support))
    place = {support: row for row, support in enumerate(plain)}
    rows, columns, entries = [], [], []
    for column, support in enumerate(supports):
        scale = deviation ** -len(support)
        for subset in subsets(support):
            lacking = len(support) - len(subset)
            rows.append(place[subset])
            columns.append(column)
            entries.append(scale * (-mean) ** lacking)
    matrix = sparse.csr_array(
        (np.array(entries), (rows, columns)), shape=(len(plain), len(supports))
    )
    return plain, matrix
