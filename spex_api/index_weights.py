"""The weight of a Fourier coefficient in each interaction index, from three sizes.

In every index here the set T takes from the coefficient of S ⊇ T a weight that depends on t = |T|,
s = |S| and the order l alone. Keeping each feature with probability q gives `χ_S` (see
`spex_api.transforms`) the mean `(1 − 2q)^s`, and its discrete derivative Δ_T the mean
`(−2)^t (1 − 2q)^{s−t}`. Most indices are that mean for one q, or over a density of q:

- Fourier: `F[T]`, so 1 where s = t.
- Möbius, or Harsanyi dividends: q = 0, `μ[T] = (−2)^t Σ_{S⊇T} F[S]`.
- BII, the Banzhaf interaction index (Grabisch and Roubens 1999): q = 1/2, `(−2)^t F[T]`.
- SII, the Shapley interaction index (same): q uniform in [0, 1],
  `(−2)^t Σ_{S⊇T, s−t even} F[S] / (s − t + 1)`.
- STII, Shapley-Taylor (Sundararajan, Dhamdhere and Agarwal 2020): `μ[T]` below the order; at the
  order, the density `l (1−q)^{l−1}`.
- FBII, Faith-Banzhaf (Tsai, Yeh and Ravikumar 2023): the polynomial of degree l that is nearest to
  f over uniform masks, `(−2)^t Σ_{S⊇T, s≤l} F[S]`.
- FSII, Faith-Shapley (same): the polynomial of degree l that is nearest to f under the Shapley
  kernel, and equals it at the empty and at the full mask.
- SV and BV, the Shapley and the Banzhaf values: SII and BII of order 1.

What this module does not know: sets and coefficients, of which it sees the sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import comb
from typing import NamedTuple

from spex_api.errors import UsageError

__all__ = ["INDICES", "Index", "Weight", "check_index"]

Weight = Callable[[int, int, int], float]
"""From |T|, |S| and the order to the weight, where T ⊆ S and |T| is at most the order."""


class Index(NamedTuple):
    """An interaction index.

    Attributes:
        weight: of a coefficient.
        order: the only order that it has; None where the user chooses.
    """

    weight: Weight
    order: int | None = None


def _fourier(set_size: int, support_size: int, _order: int) -> float:
    return float(set_size == support_size)


def _mobius(set_size: int, _support_size: int, _order: int) -> float:
    return float((-2) ** set_size)


def _banzhaf(set_size: int, support_size: int, _order: int) -> float:
    return float((-2) ** set_size) if set_size == support_size else 0.0


def _shapley(set_size: int, support_size: int, _order: int) -> float:
    """`(−2)^t ∫ (1−2q)^{s−t} dq`, but for the empty set μ[∅], so that Shapley values add up."""
    others = support_size - set_size
    if set_size == 0:
        return 1.0
    return 0.0 if others % 2 else float((-2) ** set_size) / (others + 1)


def _shapley_taylor(set_size: int, support_size: int, order: int) -> float:
    """At the order, `(−2)^l ∫ l (1−q)^{l−1} (1−2q)^{s−l} dq`: in powers of 1 − 2q, all positive."""
    if set_size < order:
        return float((-2) ** set_size)
    others = support_size - set_size
    even = (power for power in range(order) if (power + others) % 2 == 0)
    mean = sum(comb(order - 1, power) / (power + others + 1) for power in even)
    return -2 * order * mean if order % 2 else 2 * order * mean


def _faith_banzhaf(set_size: int, support_size: int, order: int) -> float:
    return float((-2) ** set_size) if support_size <= order else 0.0


def _faith_shapley(set_size: int, support_size: int, order: int) -> float:
    """The closed form in the Möbius transform, with `μ[R] = (−2)^{|R|}` for each R ⊆ S.

    `μ[T] + (−1)^{l−t} t/(l+t) C(l,t) Σ_{R⊋T, |R|>l} C(|R|−1,l) / C(|R|+l−1,l+t) μ[R]`
    (Tsai, Yeh and Ravikumar 2023).
    """
    # In exact fractions: the terms alternate, and are far larger than their sum.
    beyond = sum(
        Fraction(
            (-2) ** size * comb(support_size - set_size, size - set_size) * comb(size - 1, order),
            comb(size + order - 1, order + set_size),
        )
        for size in range(order + 1, support_size + 1)
    )
    share = Fraction(set_size * comb(order, set_size), order + set_size)
    return float((-2) ** set_size + (-1) ** (order - set_size) * share * beyond)


INDICES: Mapping[str, Index] = {
    "Fourier": Index(_fourier),
    "Möbius": Index(_mobius),
    "SV": Index(_shapley, order=1),
    "BV": Index(_banzhaf, order=1),
    "SII": Index(_shapley),
    "BII": Index(_banzhaf),
    "STII": Index(_shapley_taylor),
    "FSII": Index(_faith_shapley),
    "FBII": Index(_faith_banzhaf),
}
_SPELLINGS = {"Mobius": "Möbius", "Moebius": "Möbius"}


def check_index(index: str, order: int) -> tuple[Weight, int]:
    """The weights of an index, and the order that it goes to.

    Raises:
        UsageError: the index is unknown, or the order is below 1.
    """
    found = INDICES.get(_SPELLINGS.get(index, index))
    if found is None:
        raise UsageError(
            f"There is no index {index!r}.", advice=f"Choose one of: {', '.join(INDICES)}."
        )
    if order < 1:
        raise UsageError(f"The order of an interaction is at least 1, not {order}.")
    return found.weight, found.order or order
