"""R² against queries → Markdown tables.

What this module does not know: how a cell was measured, and what the best peer is (`comparison`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

from comparison import LEAD, compare, queries_for
from methods import ADDITIVE, METHODS, PEERS, PUBLISHED
from tables import markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from comparison import Comparison, Curves, Mean
    from ledger import Cell

__all__ = [
    "additive_table",
    "means_table",
    "published_table",
    "queries_table",
    "seconds_table",
    "summary_table",
    "transforms_table",
]


def summary_table(measured: Curves) -> str:
    """Ours at N beside the best peer at N, 2N and 3N, and the differences."""
    compared = compare(measured)
    rows = []
    for each in compared:
        best = [_named(each.best.get(times)) for times in (1, 2, 3)]
        differences = [_signed(each.difference(times)) for times in (1, 2, 3)]
        rows.append([each.table, f"{each.size:,}", _interval(each.ours), *best, *differences])
    rows += [["mean", "", "", "", "", "", *_over(compared, fmean)]]
    rows += [["minimum", "", "", "", "", "", *_over(compared, min)]]
    multiples = ("N", "2N", "3N")
    head = ["table", "N", f"{LEAD} at N", *(f"best peer at {times}" for times in multiples)]
    return markdown([*head, *(f"ours(N) − peer({times})" for times in multiples)], rows)


def _over(compared: Sequence[Comparison], statistic: Callable[[list[float]], float]) -> list[str]:
    shown = []
    for times in (1, 2, 3):
        differences = [each.difference(times) for each in compared if times in each.best]
        value = statistic(differences) if differences else math.nan
        shown.append(f"{_signed(value)} of {len(differences)}")
    return shown


def additive_table(measured: Curves) -> str:
    """Ours less an additive ridge on the same samples, the better of ours and scikit-learn's."""
    rows = []
    for table, by_method in measured.items():
        for size, ours in by_method.get(LEAD, {}).items():
            additive = [
                by_method[method][size].value
                for method in ADDITIVE
                if size in by_method.get(method, {})
            ]
            if additive:
                difference = ours.value - max(additive)
                cells = [_interval(ours), f"{max(additive):.4f}", _signed(difference)]
                rows.append([table, f"{size:,}", *cells])
    return markdown(["table", "N", f"{LEAD} at N", "additive ridge at N", "difference"], rows)


def queries_table(measured: Curves) -> str:
    """How many queries each peer takes for the R² of ours at N, and how many times N the best."""
    peers = [method for method in PEERS if method != PUBLISHED]
    rows = []
    for each in compare(measured):
        curves = {
            method: {
                size: mean
                for size, mean in measured[each.table].get(method, {}).items()
                if mean.subsets >= each.ours.subsets
            }
            for method in peers
        }
        needed = {method: queries_for(curves[method], each.ours.value) for method in peers}
        shown = [_queries(needed[method], curves[method]) for method in peers]
        ratio = _ratio(needed, curves, each.size)
        rows.append([each.table, f"{each.size:,}", f"{each.ours.value:.4f}", *shown, ratio])
    return markdown(["table", "N", f"{LEAD} at N", *peers, "best peer, times N"], rows)


def _queries(number: float, curve: Mapping[int, Mean]) -> str:
    if not curve:
        return "–"
    if math.isinf(number):
        return f"> {max(curve):,}"
    return f"{number:,.0f}" if number else f"≤ {min(curve):,}"


def _ratio(needed: Mapping[str, float], curves: Mapping[str, Mapping[int, Mean]], size: int) -> str:
    """The fewest queries of a peer as a multiple of N, with what is known where none crosses."""
    measured = {method: curve for method, curve in curves.items() if curve}
    if not measured:
        return "–"
    upper = {method: needed[method] or min(curve) for method, curve in measured.items()}
    best = min(upper.values())
    if math.isinf(best):
        return f"> {max(max(curve) for curve in measured.values()) / size:.1f}"
    return f"{best / size:.1f}" if all(needed.values()) else f"≤ {best / size:.1f}"


def means_table(measured: Curves) -> str:
    """The mean R² of every method at every N, with its interval."""
    return _every(measured, _interval)


def seconds_table(measured: Curves) -> str:
    """The median seconds of every method at every N."""
    return _every(measured, lambda mean: f"{mean.seconds:.2f}")


def _every(measured: Curves, show: Callable[[Mean], str]) -> str:
    methods = [name for name in METHODS if any(name in each for each in measured.values())]
    rows = []
    for table, by_method in measured.items():
        for size in sorted({size for curve in by_method.values() for size in curve}):
            means = [by_method.get(method, {}).get(size) for method in methods]
            shown = [show(mean) if mean else "–" for mean in means]
            rows.append([table, f"{size:,}", *shown])
    return markdown(["table", "N", *methods], rows)


def published_table(cells: Iterable[Cell]) -> str:
    """Where spectralexplain's grid was measured: it, shapiq's, and ours, on the same samples."""
    shown = (LEAD, "ProxySPEX (shapiq)", "ProxySHAP (shapiq), grid", PUBLISHED)
    groups: defaultdict[tuple[str, int, int], dict[str, Cell]] = defaultdict(dict)
    for cell in cells:
        of = cell["of"]
        if "table" in of:
            groups[of["table"], of["size"], of["subset"]][of["method"]] = cell
    rows = []
    for (table, size, subset), found in sorted(groups.items()):
        if PUBLISHED in found:
            scores = [f"{found[name]['r_squared']:.4f}" if name in found else "–" for name in shown]
            seconds = f"{found[PUBLISHED]['seconds']:.0f}"
            rows.append([table, f"{size:,}", subset, *scores, seconds])
    return markdown(["table", "N", "subset", *shown, "its seconds"], rows)


def transforms_table(cells: Iterable[Cell]) -> str:
    """R² of each method on noisy transforms, against the clean function over all masks."""
    groups: defaultdict[tuple[int, str, int], defaultdict[str, list[float]]]
    groups = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        of = cell["of"]
        if "function" in of:
            key = of["num_features"], of["function"], of["queries"]
            groups[key][of["method"]].append(cell["r_squared"])
    methods = [name for name in METHODS if any(name in each for each in groups.values())]
    rows = []
    for (num_features, function, queries), found in sorted(groups.items()):
        means = {name: fmean(scores) for name, scores in found.items()}
        seeds = max(map(len, found.values()))
        whole = [name for name in PEERS if len(found.get(name, ())) == seeds]
        best = max(whole, key=lambda name: means[name], default=None)
        difference = means[LEAD] - means[best] if best and LEAD in means else math.nan
        shown = [f"{means[name]:.4f}" if name in means else "–" for name in methods]
        setting = [function, num_features, f"{queries:,}", seeds]
        rows.append([*setting, *shown, best or "–", _signed(difference)])
    head = ["function", "n", "queries", "seeds", *methods]
    return markdown([*head, "best peer", "difference"], rows)


def _interval(mean: Mean) -> str:
    if math.isnan(mean.half_width):
        return f"{mean.value:.4f}"
    return f"{mean.value:.4f} ± {mean.half_width:.4f}"


def _named(peer: tuple[str, Mean] | None) -> str:
    return f"{_interval(peer[1])} {peer[0]}" if peer else "–"


def _signed(number: float) -> str:
    return "–" if math.isnan(number) else f"{number:+.4f}"
