"""Finished cells → figures.

What this module does not know: how a cell was measured.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from comparison import LEAD
from methods import METHODS, OURS, PEERS
from tables import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from comparison import Curves
    from ledger import Cell

__all__ = ["plot_budgets", "plot_faithfulness", "plot_seconds"]

_OURS = {"color": "black", "linewidth": 2.0, "marker": "o"}
_PEER = {"linewidth": 1.0, "marker": "."}


def plot_budgets(cells: Sequence[Cell], path: Path) -> None:
    """R² against the budget, one panel a function; what is below zero is drawn at zero."""
    chosen = [cell for cell in cells if "budget" in cell["of"] and cell["of"]["seed"] == 0]
    functions = sorted({(cell["of"]["num_features"], cell["of"]["function"]) for cell in chosen})
    present = {cell["of"]["method"] for cell in chosen}
    methods = [method for method in TITLES if method in present and method != "ours"]
    figure, panels = plt.subplots(
        2,
        max(1, (len(functions) + 1) // 2),
        figsize=(11, 6),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for panel, (num_features, function) in zip(panels.flat, functions, strict=False):
        for place, method in enumerate([*methods, "ours"]):
            points = sorted(
                (cell["of"]["budget"], max(cell["r_squared"], 0.0))
                for cell in chosen
                if cell["of"]["function"] == function and cell["of"]["method"] == method
            )
            style = _OURS if method == "ours" else {**_PEER, "color": f"C{place}"}
            panel.plot(
                *zip(*points, strict=True) if points else ([], []), label=TITLES[method], **style
            )
        panel.set_title(f"{function}, n = {num_features}", fontsize=8)
        panel.set_xscale("log")
        panel.grid(alpha=0.3)
    for panel in panels[-1]:
        panel.set_xlabel("queries")
    for row in panels:
        row[0].set_ylabel("R²")
    figure.legend(*panels.flat[0].get_legend_handles_labels(), ncols=4, loc="lower center")
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    _save(figure, path)


def plot_seconds(cells: Sequence[Cell], path: Path) -> None:
    """Median seconds against n · 2^b, with noise (filled) and without (hollow)."""
    seconds: defaultdict[tuple[str, bool], dict[int, list[float]]] = defaultdict(dict)
    for cell in cells:
        of = cell["of"]
        if "exponent" in of:
            size = of["num_features"] * 2 ** of["exponent"]
            of_method = seconds[of["method"], of["noise"] > 0]
            of_method.setdefault(size, []).append(cell["seconds"])
    figure, panel = plt.subplots(figsize=(9, 5))
    for place, method in enumerate(TITLES):
        color = "black" if method == "ours" else f"C{place}"
        for noisy in (True, False):
            points = sorted(seconds[method, noisy].items())
            if points:
                panel.plot(
                    [size for size, _ in points],
                    [median(each) for _, each in points],
                    marker="o",
                    linewidth=0.7,
                    color=color,
                    markerfacecolor=color if noisy else "none",
                    label=f"{TITLES[method]}, {'with' if noisy else 'without'} noise",
                )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel("n · 2^b")
    panel.set_ylabel("seconds of one core")
    panel.grid(alpha=0.3, which="both")
    panel.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    _save(figure, path)


def plot_faithfulness(measured: Curves, path: Path) -> None:
    """Mean R² with its interval against queries, one panel a table; below zero is not drawn."""
    columns = 4
    rows = max(1, -(-len(measured) // columns))
    figure, panels = plt.subplots(
        rows, columns, figsize=(13, 3.2 * rows + 1.0), squeeze=False, sharex=False
    )
    shown = [name for name in METHODS if any(name in each for each in measured.values())]
    for panel in panels.flat[len(measured) :]:
        panel.set_axis_off()
    for panel, (table, by_method) in zip(panels.flat, measured.items(), strict=False):
        sizes = sorted({size for curve in by_method.values() for size in curve})
        for method in reversed(shown):  # the first of them is drawn last, above the others
            curve = by_method.get(method, {})
            points = [(size, each.value, each.half_width) for size, each in curve.items()]
            panel.errorbar(
                *(zip(*points, strict=True) if points else ([], [], [])),
                label=method,
                elinewidth=0.5,
                **_style(method),
            )
        panel.set_title(table, fontsize=8)
        panel.set_xscale("log")
        panel.set_xticks(sizes, map(str, sizes), fontsize=6, rotation=60)
        panel.minorticks_off()
        panel.set_ylim(bottom=max(0.0, panel.get_ylim()[0]))
        panel.grid(alpha=0.3)
    for row in panels:
        row[0].set_ylabel("held-out R²")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], ncols=5, loc="lower center", fontsize=8)
    figure.tight_layout(rect=(0, 0.9 / (3.2 * rows + 1.0), 1, 1))
    _save(figure, path)


def _style(method: str) -> dict[str, object]:
    """Ours black, the decoder that leads thick and the others broken; peers in colours."""
    if method == LEAD:
        return _OURS
    if method in OURS:
        dashes = ("-", "--", "-.", ":")[list(OURS).index(method)]
        return {**_PEER, "color": "black", "linestyle": dashes}
    return {**_PEER, "color": f"C{list(PEERS).index(method)}"}


def _save(figure: plt.Figure, path: Path) -> None:
    # No date and fixed ids: the same cells draw the same bytes.
    with mpl.rc_context({"svg.hashsalt": "spex"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
