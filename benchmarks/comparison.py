"""Finished cells → means over training subsets, the best peer, and queries for the same R².

What this module does not know: how a cell was measured, and how numbers are shown.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median, stdev
from typing import TYPE_CHECKING

from methods import OURS, PEERS
from recordings import base_sizes
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ledger import Cell

__all__ = ["LEAD", "Comparison", "Curves", "Mean", "compare", "curves", "queries_for"]

LEAD = next(iter(OURS))
"""The decoder of ours that is compared."""
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Mean:
    """Over training subsets, all of them scored on the same held-out masks.

    Attributes:
        value: the mean R².
        half_width: of the 95 % interval by Student's t; NaN of a single subset.
        seconds: the median.
        subsets: which were measured.
    """

    value: float
    half_width: float
    seconds: float
    subsets: frozenset[int]

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> Mean:
        """The mean of cells that differ in their subset alone."""
        scores = [cell["r_squared"] for cell in cells]
        half_width = math.nan
        if len(scores) > 1:
            quantile = float(stats.t.ppf(0.5 + _CONFIDENCE / 2, len(scores) - 1))
            half_width = quantile * stdev(scores) / math.sqrt(len(scores))
        return cls(
            mean(scores),
            half_width,
            median(cell["seconds"] for cell in cells),
            frozenset(cell["of"]["subset"] for cell in cells),
        )


Curves = dict[str, dict[str, dict[int, Mean]]]
"""Table → method → size → mean; tables by their number of features, sizes ascending."""


def curves(cells: Iterable[Cell]) -> Curves:
    """The means of all cells of recorded tables."""
    groups: defaultdict[tuple[int, str], defaultdict[str, defaultdict[int, list[Cell]]]]
    groups = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for cell in cells:
        of = cell["of"]
        if "table" in of:
            groups[of["num_features"], of["table"]][of["method"]][of["size"]].append(cell)
    return {
        table: {
            method: {size: Mean.of(by_size[size]) for size in sorted(by_size)}
            for method, by_size in by_method.items()
        }
        for (_, table), by_method in sorted(groups.items())
    }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours at N queries, and the best peer at N, at 2N and at 3N.

    Attributes:
        table: its name.
        size: N.
        ours: of the decoder that leads.
        best: the best peer by its mean, its name and mean, for each multiple of N that there is.
    """

    table: str
    size: int
    ours: Mean
    best: Mapping[int, tuple[str, Mean]]

    def difference(self, times: int) -> float:
        """Ours at N less the best peer at that many times N; NaN where none was measured."""
        return self.ours.value - self.best[times][1].value if times in self.best else math.nan


def compare(measured: Curves) -> list[Comparison]:
    """One a table and N where ours was measured."""
    found = []
    for table, by_method in measured.items():
        ours = by_method.get(LEAD, {})
        for size in base_sizes(table):
            if size in ours:
                peers = {n: _best_peer(by_method, n * size, ours[size]) for n in (1, 2, 3)}
                best = {times: peer for times, peer in peers.items() if peer is not None}
                found.append(Comparison(table, size, ours[size], best))
    return found


def _best_peer(
    by_method: Mapping[str, Mapping[int, Mean]], size: int, ours: Mean
) -> tuple[str, Mean] | None:
    """The peer with the largest mean, of those that were measured on all subsets of ours."""
    means = [
        (method, by_method[method][size])
        for method in PEERS
        if size in by_method.get(method, {}) and by_method[method][size].subsets >= ours.subsets
    ]
    return max(means, key=lambda each: each[1].value, default=None)


def queries_for(curve: Mapping[int, Mean], target: float) -> float:
    """How many queries reach an R²: linear in log N between the sizes that were measured.

    The fewest where a curve crosses twice. At or below the smallest size 0, since how far below is
    not known; infinite where no size reaches it.
    """
    points = [(size, each.value) for size, each in sorted(curve.items())]
    if not points:
        return math.inf
    if points[0][1] >= target:
        return 0.0
    for (below, low), (above, high) in pairwise(points):
        if high >= target:
            share = (target - low) / (high - low)
            return float(below * (above / below) ** share)
    return math.inf
