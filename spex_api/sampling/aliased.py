"""Coded masks: a few small subcubes, shifted so that a bin tells which support fills it.

Group c asks the masks `M_c l + d_p` over GF(2), for every point `l` of GF(2)^b and every delay
`d_p`. Its Walsh–Hadamard transform over `l` throws all supports k with one `M_cᵀ k` into one bin,

    U_{c,p}(j) = 2^−b Σ_l f(M_c l + d_p) (−1)^⟨l,j⟩ = Σ_{k: M_cᵀ k = j} F(k) (−1)^⟨d_p,k⟩,

and the delays, zero and the rows of a BCH parity check, spell out which support it is (Kang et al.
2025, §4). Letters as there: C groups of 2^b points, P parities. What this module does not know: how
bins are decoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spex_api.codes import gf2
from spex_api.codes.bch import bch_code
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.samples import Aliasing, QueryPlan
from spex_api.sampling.uniform import fresh_masks

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["aliased_plan", "coded_masks", "num_coded_queries"]

_NUM_GROUPS = 3
_LARGEST_EXPONENT = 16
_MOST_FEATURES = 4096
_LARGEST_DEGREE = 6


def num_coded_queries(num_features: int, *, sparsity_exponent: int, degree: int) -> int:
    """`(C 2^b − C + 1)(P + 1)`: each group has the delays themselves, which are asked once.

    Of few features more masks coincide by chance, and a plan asks fewer.

    Args:
        num_features: how many features each mask has.
        sparsity_exponent: b.
        degree: of how many features the code tells every support.

    Raises:
        UsageError: there is no code for these numbers.
    """
    _check(num_features, sparsity_exponent, degree)
    num_delays = bch_code(num_features, degree).num_parities + 1
    return (_NUM_GROUPS * ((1 << sparsity_exponent) - 1) + 1) * num_delays


def aliased_plan(
    num_features: int,
    num_queries: int | None,
    *,
    sparsity_exponent: int,
    degree: int,
    seed: int,
) -> QueryPlan:
    """Coded masks, each once, then the whole prompt, and uniform masks for what is left.

    Args:
        num_features: how many features each mask has.
        num_queries: how many masks in all; where the cube has fewer, all of it. None asks for the
            coded masks and the whole prompt.
        sparsity_exponent: b; about 2^b coefficients a group can be told apart.
        degree: supports of at most so many features can be told; from 1 to 6.
        seed: of the matrices and of the uniform masks.

    Raises:
        UsageError: there is no code for these numbers.
        BudgetTooSmall: the code needs more queries.
    """
    _check(num_features, sparsity_exponent, degree)
    rng = np.random.default_rng([seed, 2])
    aliasing = _draw(num_features, sparsity_exponent, degree, rng)
    masks = _distinct(aliasing)
    if num_queries is None:
        num_queries = len(masks)
    elif num_queries < len(masks):
        raise BudgetTooSmall(
            f"Coded queries with sparsity_exponent={sparsity_exponent} and degree={degree} for "
            f"{num_features} features take {len(masks):,} masks; {num_queries:,} are given.",
            cost="Nothing was sent.",
            advice="Raise the budget, lower the exponent or the degree, or leave the exponent out: "
            "then the largest that fits is taken.",
        )
    rest = fresh_masks(masks, num_queries - len(masks), seed=seed)
    return QueryPlan(np.concatenate([masks, rest]), design="aliased", aliasing=aliasing)


def coded_masks(aliasing: Aliasing) -> NDArray[np.uint64]:
    """`M_c l + d_p`, packed: shape (C, P + 1, 2^b, num_words).

    Bit i of the number of a point, and so of a bin, belongs to column i of `M_c`.
    """
    points = _subcubes(aliasing)
    delays = gf2.pack(aliasing.delays)
    masks: NDArray[np.uint64] = points[:, None, :, :] ^ delays[None, :, None, :]
    return masks


def _subcubes(aliasing: Aliasing) -> NDArray[np.uint64]:
    """`M_c l` for every point, packed: shape (C, 2^b, num_words); doubled column by column."""
    columns = gf2.pack(aliasing.matrices.transpose(0, 2, 1))
    points = np.zeros((len(columns), 1, columns.shape[2]), dtype=np.uint64)
    for column in range(aliasing.sparsity_exponent):
        points = np.concatenate([points, points ^ columns[:, None, column]], axis=1)
    return points


def _distinct(aliasing: Aliasing) -> NDArray[np.uint8]:
    """The coded masks, each once, and the whole prompt; the empty one is the first point."""
    num_features = aliasing.num_features
    whole = gf2.pack(np.ones((1, num_features), dtype=np.uint8))
    packed = np.concatenate([coded_masks(aliasing).reshape(-1, whole.shape[1]), whole])
    first: dict[bytes, int] = {}
    for place, row in enumerate(packed):
        first.setdefault(row.tobytes(), place)
    return gf2.unpack(packed[list(first.values())], num_features)


def _draw(
    num_features: int, sparsity_exponent: int, degree: int, rng: np.random.Generator
) -> Aliasing:
    """Uniform matrices of full rank, so that no two points of a group are one mask."""
    matrices: list[NDArray[np.uint8]] = []
    while len(matrices) < _NUM_GROUPS:
        matrix = rng.integers(0, 2, size=(num_features, sparsity_exponent), dtype=np.uint8)
        if gf2.rank(matrix.T) == sparsity_exponent:
            matrices.append(matrix)
    parities = bch_code(num_features, degree).parity_check
    delays = np.concatenate([np.zeros_like(parities[:1]), parities])
    return Aliasing(np.array(matrices), delays, degree)


def _check(num_features: int, sparsity_exponent: int, degree: int) -> None:
    if not 2 <= num_features <= _MOST_FEATURES:
        raise UsageError(
            f"Coded masks have from 2 to {_MOST_FEATURES:,} features, not {num_features}."
        )
    if not 1 <= degree <= _LARGEST_DEGREE:
        raise UsageError(f"The degree is from 1 to {_LARGEST_DEGREE}, not {degree}.")
    if not 1 <= sparsity_exponent <= min(_LARGEST_EXPONENT, num_features):
        raise UsageError(
            "The sparsity exponent is from 1 to "
            f"{min(_LARGEST_EXPONENT, num_features)} for {num_features} features, not "
            f"{sparsity_exponent}."
        )
