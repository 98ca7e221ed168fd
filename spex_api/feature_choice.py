"""A sparse function of which features are chosen, as a mixed-integer linear programme.

With `c_i = 1` for a chosen feature, `f̂(c) = Σ_S G[S] Π_{i∈S} (−1)^{c_i}`. The supports are gathered
into groups of a few features. A group's share of `f̂` is a function on the vertices v of a small
cube, and is written exactly as `Σ_v λ_v h(v)` with `Σ_v λ_v = 1`, `Σ_v λ_v v = c` and `λ ≥ 0`: the
tightest linear relaxation that a group has, against the looser one of each product on its own. A
support too large for that becomes a chain of exclusive ors, each by its four inequalities (Jeroslow
1975). The programme is solved by HiGHS (Huangfu and Hall 2018), as SciPy ships it.

What this module does not know: what a set is wanted for (`feature_sets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from spex_api.transforms import FourierTransform, MobiusTransform, mobius_to_fourier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from spex_api.transforms import Support

__all__ = ["MARGIN", "TIE", "Choice", "Found"]

_GROUP = 6
"""Supports share a group up to this many features: at 5 to 7 the solver is fastest."""

_HULL = 8
"""A single support gets its 2^d vertices up to this degree."""

MARGIN = 1e-5
"""Nearer than this to a threshold is on it; ten times HiGHS's own tolerance. As below, the unit is
the surrogate's largest coefficient."""

TIE = 1e-9
"""Values that differ by no more are equal."""

_TRIPS = 50
"""How often a set is gone through in search of a better exchange; two or three times suffice."""


class Found(NamedTuple):
    """What the solver found, and what it proved: no set is beyond the bound."""

    chosen: NDArray[np.bool_] | None
    bound: float
    impossible: bool


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """`f̂ = weights · x` for `lower ≤ matrix x ≤ upper`, `0 ≤ x ≤ 1`: the choice first, then a 1.

    The columns after these need no integrality: a choice of 0 and 1 fixes them.
    """

    num_choices: int
    weights: NDArray[np.float64]
    matrix: sparse.csr_array
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    @property
    def count(self) -> NDArray[np.float64]:
        """The row that counts the chosen."""
        return (np.arange(len(self.weights)) < self.num_choices).astype(np.float64)

    @property
    def one(self) -> NDArray[np.float64]:
        """The row of the column that is always 1 and carries the constant."""
        row = np.zeros(len(self.weights))
        row[self.num_choices] = 1.0
        return row

    def minimize(
        self,
        objective: NDArray[np.float64],
        *,
        floor: tuple[NDArray[np.float64], float],
        most: float,
        seconds: float,
        gap: float,
    ) -> Found:
        """The least `objective · x` where `floor[0] · x ≥ floor[1]`, of at most `most` chosen."""
        from scipy.optimize import (  # noqa: PLC0415 - only who searches pays for the solver
            Bounds,
            LinearConstraint,
            milp,
        )

        rows = sparse.vstack([self.matrix, sparse.csr_array(np.array([floor[0], self.count]))])
        solved = milp(
            objective,
            integrality=self.count,
            bounds=Bounds(self.one, np.ones(len(self.weights))),
            constraints=LinearConstraint(
                rows, np.append(self.lower, [floor[1], 0.0]), np.append(self.upper, [inf, most])
            ),
            options={
                "time_limit": max(seconds, 1e-3),
                "mip_rel_gap": gap,
                # Presolve rewrites hulls for long, minds no time limit, and gains nothing. Without
                # hulls it is all there is to do, and HiGHS 1.12 writes to stdout where it is off.
                "presolve": self.matrix.shape[0] == 0,
            },
        )
        chosen = None if solved.x is None else np.asarray(solved.x[: self.num_choices] > 0.5)
        bound = getattr(solved, "mip_dual_bound", None)
        return Found(chosen, -inf if bound is None else float(bound), solved.status == 2)


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The surrogate as a function of what is chosen: to be removed, or to be kept alone.

    Its unit is the surrogate's largest coefficient, so that the solver's tolerances mean something.
    """

    surrogate: FourierTransform | MobiusTransform
    removing: bool
    active: NDArray[np.intp]
    scale: float
    coefficients: NDArray[np.float64]
    incidence: sparse.csr_array
    programme: Programme

    @classmethod
    def of(cls, surrogate: FourierTransform | MobiusTransform, *, removing: bool) -> Choice:
        """Only the features that some coefficient touches can be chosen.

        Raises:
            UsageError: a Möbius term has more than 20 features.
        """
        fourier = (
            mobius_to_fourier(surrogate) if isinstance(surrogate, MobiusTransform) else surrogate
        )
        terms = {support: value for support, value in fourier.items() if value}
        active = sorted({feature for support in terms for feature in support}) or [0]
        place = {feature: position for position, feature in enumerate(active)}
        moving = [abs(value) for support, value in terms.items() if support]
        scale = max(moving, default=abs(terms.get((), 0.0)) or 1.0)
        local: dict[Support, float] = {
            # A removed feature is one that is not kept: each turns the sign of its characters.
            tuple(place[feature] for feature in support): (
                (-1.0) ** (len(support) * removing) * value / scale
            )
            for support, value in terms.items()
        }
        supports = list(local)
        rows = [row for row, support in enumerate(supports) for _ in support]
        columns = [feature for support in supports for feature in support]
        incidence = sparse.csr_array(
            (np.ones(len(rows)), (rows, columns)), shape=(len(supports), len(active))
        )
        coefficients = np.array(list(local.values()), dtype=np.float64)
        programme = _linearize(local, len(active))
        return cls(surrogate, removing, np.array(active), scale, coefficients, incidence, programme)

    @property
    def nothing(self) -> NDArray[np.bool_]:
        """The choice of no feature."""
        return np.zeros(len(self.active), dtype=np.bool_)

    @property
    def reach(self) -> float:
        """No value is further from zero than this."""
        return float(np.abs(self.coefficients).sum())

    @property
    def tolerance(self) -> float:
        """How far the solver's bound may be off by rounding."""
        return MARGIN * max(1.0, self.reach)

    def _signed(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        parity = (self.incidence @ chosen.astype(np.float64)) % 2
        signed: NDArray[np.float64] = self.coefficients * (1.0 - 2.0 * parity)
        return signed

    def at(self, chosen: NDArray[np.bool_]) -> float:
        """The value at a choice."""
        return float(self._signed(chosen).sum())

    def neighbours(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The value after each feature in turn was chosen or let go, shape (num_active,)."""
        signed = self._signed(chosen)
        values: NDArray[np.float64] = signed.sum() - 2.0 * (self.incidence.T @ signed)
        return values

    def mask(self, chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The mask that follows from a choice, shape (num_features,)."""
        mask = np.full(self.surrogate.num_features, self.removing, dtype=np.uint8)
        mask[self.active[chosen]] = not self.removing
        return mask

    def climb(self, sign: int, most: int, *, goal: float = inf) -> NDArray[np.bool_]:
        """A good choice, found by adding what helps most until the goal or `most` is reached."""
        chosen, best = self.nothing, self.nothing
        for _ in range(min(most, len(chosen))):
            values = np.where(chosen, -inf, sign * self.neighbours(chosen))
            chosen = chosen.copy()
            chosen[int(np.argmax(values))] = True
            if sign * self.at(chosen) > sign * self.at(best) + TIE:
                best = chosen
            if sign * self.at(best) >= goal:
                break
        return best

    def tidy(self, sign: int, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """No worse and no larger: without idle features, and each the first of its equals."""
        chosen = chosen.copy()
        for _ in range(_TRIPS):
            moved = False
            for feature in np.flatnonzero(chosen)[::-1].tolist():
                value = sign * self.at(chosen)
                chosen[feature] = False
                if sign * self.at(chosen) >= value - TIE:
                    moved = True
                    continue
                others = np.where(chosen, -inf, sign * self.neighbours(chosen))
                best = float(others.max())
                if best > value + TIE:
                    put = int(np.argmax(others >= best - TIE))
                else:
                    equal = np.flatnonzero(others >= value - TIE).tolist()
                    put = min([feature, *equal])
                chosen[put] = True
                moved |= put != feature
            if not moved:
                break
        return chosen

    def furthest(self, sign: int, most: int, *, mark: float, seconds: float, gap: float) -> Found:
        """The choice of at most so many features with the largest signed value above a mark."""
        programme = self.programme
        start = self.at(self.nothing)
        found = programme.minimize(
            # From the start, so that the solver's relative gap is one of the change.
            -sign * (programme.weights - start * programme.one),
            floor=(sign * programme.weights, mark - self.tolerance),
            most=most,
            seconds=seconds,
            gap=gap,
        )
        bound = mark if found.impossible else min(sign * start - found.bound, self.reach)
        return found._replace(bound=bound)

    def fewest(self, sign: int, goal: float, *, most: int, seconds: float, gap: float) -> Found:
        """The choice of the fewest features whose signed value reaches a goal."""
        programme = self.programme
        floor = (sign * programme.weights, goal)
        return programme.minimize(programme.count, floor=floor, most=most, seconds=seconds, gap=gap)


def _groups(supports: list[Support]) -> list[tuple[int, list[Support]]]:
    """Supports that overlap, put together; each group with its features as the bits of a number."""
    groups: list[tuple[int, list[Support]]] = []
    for support in sorted(supports, key=lambda support: (-len(support), support)):
        bits = sum(1 << feature for feature in support)
        unions = [(features | bits, place) for place, (features, _) in enumerate(groups)]
        fitting = [
            (union.bit_count() - groups[place][0].bit_count(), place, union)
            for union, place in unions
            if union == groups[place][0]
            or (groups[place][0] & bits and union.bit_count() <= _GROUP)
        ]
        if fitting:
            _, place, union = min(fitting)
            groups[place] = (union, [*groups[place][1], support])
        else:
            groups.append((bits, [support]))
    return groups


class _Rows:
    """The columns and rows of a programme while it is written down."""

    def __init__(self, num_choices: int) -> None:
        self.weights = [0.0] * (num_choices + 1)
        self.entries: list[tuple[int, int, float]] = []
        self.lower: list[float] = []
        self.upper: list[float] = []

    def column(self, weight: float) -> int:
        self.weights.append(weight)
        return len(self.weights) - 1

    def row(self, entries: Mapping[int, float], lower: float, upper: float) -> None:
        self.entries.extend((len(self.lower), column, value) for column, value in entries.items())
        self.lower.append(lower)
        self.upper.append(upper)

    def hull(
        self, features: Support, heights: NDArray[np.float64], cube: NDArray[np.uint8]
    ) -> None:
        """`Σ_v λ_v h(v)` with `Σ_v λ_v = 1` and `Σ_v λ_v v = c`."""
        weights = [self.column(height) for height in heights.tolist()]
        self.row(dict.fromkeys(weights, 1.0), 1.0, 1.0)
        for place, feature in enumerate(features):
            kept = [weights[vertex] for vertex in np.flatnonzero(cube[:, place]).tolist()]
            self.row({**dict.fromkeys(kept, 1.0), feature: -1.0}, 0.0, 0.0)

    def chain(self, support: Support, coefficient: float) -> None:
        """`G (1 − 2p)`, without its constant, where p is the parity of the chosen."""
        parity = support[0]
        for feature in support[1:]:
            after = self.column(0.0)
            self.row({after: 1.0, parity: -1.0, feature: -1.0}, -inf, 0.0)
            self.row({after: 1.0, parity: 1.0, feature: 1.0}, -inf, 2.0)
            self.row({after: -1.0, parity: 1.0, feature: -1.0}, -inf, 0.0)
            self.row({after: -1.0, parity: -1.0, feature: 1.0}, -inf, 0.0)
            parity = after
        self.weights[parity] -= 2.0 * coefficient


def _linearize(terms: Mapping[Support, float], num_choices: int) -> Programme:
    """The programme whose value is the function's at every choice of 0 and 1."""
    rows = _Rows(num_choices)
    rows.weights[num_choices] = terms.get((), 0.0)
    for support, coefficient in terms.items():
        if len(support) == 1 or len(support) > _HULL:
            rows.weights[num_choices] += coefficient
            rows.chain(support, coefficient)
    grouped = [support for support in terms if 1 < len(support) <= _HULL]
    for _, members in _groups(grouped):
        features = sorted(set(chain.from_iterable(members)))
        place = {feature: position for position, feature in enumerate(features)}
        part = FourierTransform(
            {tuple(place[i] for i in support): terms[support] for support in members},
            len(features),
        )
        cube = (np.arange(2 ** len(features))[:, None] >> np.arange(len(features))) & 1
        rows.hull(tuple(features), part(cube), cube.astype(np.uint8))
    row, column, value = zip(*rows.entries, strict=True) if rows.entries else ((), (), ())
    matrix = sparse.csr_array(
        (np.array(value, dtype=np.float64), (np.array(row, np.intp), np.array(column, np.intp))),
        shape=(len(rows.lower), len(rows.weights)),
    )
    return Programme(
        num_choices,
        np.array(rows.weights),
        matrix,
        np.array(rows.lower),
        np.array(rows.upper),
    )
