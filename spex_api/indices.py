"""FourierTransform → Interactions: what features do alone and together, by any index.

Every index here is linear in the transform: `I = W F` with a sparse matrix `W` whose entry for the
set T and the coefficient S depends on |T|, |S| and T ⊆ S alone. So one matrix serves the values
and, where a decoder gives the covariance `C` of its coefficients, the intervals: `diag(W C Wᵀ)`.

With the sign convention of `spex_api.transforms`, for sets up to the order l:

- Fourier: `F[T]`.
- Möbius (Harsanyi): `μ[T] = (−2)^{|T|} Σ_{S⊇T} F[S]`.
- BII, the Banzhaf interaction index (Grabisch and Roubens 1999): the mean discrete derivative over
  uniform contexts, `(−2)^{|T|} F[T]`. At order 1 it is the Banzhaf value, BV.
- FBII, Faith-Banzhaf (Tsai, Yeh and Ravikumar 2023): the polynomial of degree l that is nearest to
  f over uniform masks, `(−2)^{|T|} Σ_{S⊇T, |S|≤l} F[S]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from spex_api.errors import UsageError
from spex_api.transforms import Support, subsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.transforms import FourierTransform

__all__ = [
    "INDICES",
    "LEVEL",
    "Interaction",
    "Interactions",
    "Interval",
    "check_index",
    "interactions",
]

LEVEL = 0.90
"""The probability of every interval in this package."""

_STANDARD_DEVIATIONS = 1.6448536269514722
"""The normal quantile of (1 + LEVEL) / 2."""


class Interval(NamedTuple):
    """The two ends of a 90 % interval."""

    low: float
    high: float


class Interaction(NamedTuple):
    """One entry of a list of interactions: what, how strong, how sure.

    Attributes:
        features: the names of the features, or their numbers where they have no names.
        value: in the score's unit.
        interval: None where the decoder cannot tell.
    """

    features: tuple[str, ...] | tuple[int, ...]
    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, eq=False)
class Interactions(Mapping[Support, float]):
    """What sets of features do, by one index: a mapping from feature numbers to values.

    Attributes:
        index: the name of the index.
        order: the size of the largest sets.
        values: the value of each set, in the score's unit.
        intervals: the interval of each set; empty where the decoder cannot tell.
        baseline: the index's value of the empty set.
        names: one a feature, or empty.
    """

    index: str
    order: int
    values_by_set: Mapping[Support, float]
    intervals: Mapping[Support, Interval]
    baseline: float
    names: tuple[str, ...] = ()

    def __getitem__(self, features: Support) -> float:
        return self.values_by_set[features]

    def __iter__(self) -> Iterator[Support]:
        return iter(self.values_by_set)

    def __len__(self) -> int:
        return len(self.values_by_set)

    def strongest(self, count: int | None = None) -> list[Support]:
        """The sets with the largest values by magnitude, strongest first."""
        ranked = sorted(self, key=lambda support: (-abs(self[support]), len(support), support))
        return ranked[:count]

    def top(self, count: int = 10) -> list[Interaction]:
        """The strongest interactions by magnitude, with names where the features have them."""
        return [
            Interaction(self.named(support), self[support], self.intervals.get(support))
            for support in self.strongest(count)
        ]

    def named(self, support: Support) -> tuple[str, ...] | tuple[int, ...]:
        """The names of these features, or their numbers where they have none."""
        return tuple(self.names[feature] for feature in support) if self.names else support

    def __repr__(self) -> str:
        return f"<{len(self)} interactions: {self.index} to order {self.order}>"


Rule = Callable[[Support, int], Iterable[tuple[Support, float]]]
"""Which sets T a coefficient F[S] contributes to, and with what weight, up to an order."""


def _fourier(support: Support, order: int) -> Iterable[tuple[Support, float]]:
    return [(support, 1.0)] if len(support) <= order else []


def _mobius(support: Support, order: int) -> Iterable[tuple[Support, float]]:
    return ((subset, (-2.0) ** len(subset)) for subset in subsets(support, max_size=order))


def _banzhaf(support: Support, order: int) -> Iterable[tuple[Support, float]]:
    return [(support, (-2.0) ** len(support))] if len(support) <= order else []


def _faith_banzhaf(support: Support, order: int) -> Iterable[tuple[Support, float]]:
    return _mobius(support, order) if len(support) <= order else []


INDICES: Mapping[str, Rule] = {
    "Fourier": _fourier,
    "Möbius": _mobius,
    "BII": _banzhaf,
    "FBII": _faith_banzhaf,
}
_ALIASES = {"BV": ("BII", 1), "Mobius": ("Möbius", None), "Moebius": ("Möbius", None)}


def check_index(index: str, order: int) -> tuple[Rule, int]:
    """The rule behind an index, and the order that it goes to.

    Raises:
        UsageError: the index is unknown, or the order is below 1.
    """
    canonical, fixed_order = _ALIASES.get(index, (index, None))
    if canonical not in INDICES:
        known = ", ".join([*INDICES, "BV"])
        raise UsageError(f"There is no index {index!r}.", advice=f"Choose one of: {known}.")
    if order < 1:
        raise UsageError(f"The order of an interaction is at least 1, not {order}.")
    return INDICES[canonical], fixed_order or order


def interactions(
    transform: FourierTransform,
    index: str = "FBII",
    order: int = 2,
    *,
    covariance: NDArray[np.float64] | None = None,
    names: tuple[str, ...] = (),
) -> Interactions:
    """The interactions of every set up to an order that the transform touches.

    Args:
        transform: the Fourier transform.
        index: "FBII", "BII", "BV" (order 1), "Möbius" or "Fourier".
        order: the size of the largest sets, at least 1.
        covariance: shape (num_terms, num_terms), of the transform's coefficients in its order;
            gives each interaction a 90 % interval under a normal distribution.
        names: one a feature.

    Raises:
        UsageError: the index is unknown, or the order is below 1.
    """
    rule, limit = check_index(index, order)
    sets, weights = _weights(transform, rule, limit)
    values = weights @ np.fromiter(transform.values(), dtype=np.float64, count=len(transform))
    by_set = {support: float(value) for support, value in zip(sets, values, strict=True)}
    baseline = by_set.pop((), 0.0)
    intervals: dict[Support, Interval] = {}
    if covariance is not None:
        variances = np.asarray(weights.multiply(weights @ covariance).sum(axis=1)).ravel()
        for support, variance in zip(sets, variances, strict=True):
            reach = _STANDARD_DEVIATIONS * float(np.sqrt(max(variance, 0.0)))
            if support:
                intervals[support] = Interval(by_set[support] - reach, by_set[support] + reach)
    return Interactions(index, limit, by_set, intervals, baseline, names)


def _weights(
    transform: FourierTransform, rule: Rule, order: int
) -> tuple[list[Support], sparse.csr_array]:
    """The sets that the index touches, and the matrix W from coefficients to their values."""
    rows: dict[Support, int] = {}
    entries: list[tuple[int, int, float]] = []
    for column, support in enumerate(transform):
        for subset, weight in rule(support, order):
            entries.append((rows.setdefault(subset, len(rows)), column, weight))
    ordered = sorted(rows, key=lambda support: (len(support), support))
    place = np.empty(len(rows), dtype=np.intp)
    for position, support in enumerate(ordered):
        place[rows[support]] = position
    shape = (len(ordered), len(transform))
    if not entries:
        return ordered, sparse.csr_array(shape)
    row, columns, values = (np.array(part) for part in zip(*entries, strict=True))
    return ordered, sparse.csr_array((values, (place[row], columns)), shape=shape)
