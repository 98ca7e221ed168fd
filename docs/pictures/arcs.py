"""Draws a review with its strongest interactions as arcs: the picture on the first page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from drawing import bare, canvas, exact, recorded, save
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from spex_api.indices import interactions

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARCS = 3
LETTER, GAP = 0.2, 0.16


def draw(colours: Colours) -> Figure:
    """Words tinted by what each does alone (BV), arcs by what pairs do together (FBII)."""
    words, _, _ = recorded()
    transform = exact()
    alone = interactions(transform, "BV")
    pairs = interactions(transform, "FBII", 2)
    strongest = [pair for pair in pairs.strongest() if len(pair) == 2][:ARCS]
    figure = canvas(colours, 9.4, 2.8)
    axes = figure.subplots()
    widths = [LETTER * max(len(word), 2) + 0.22 for word in words]
    lefts = np.concatenate([[0.0], np.cumsum([width + GAP for width in widths])])
    middles = [left + width / 2 for left, width in zip(lefts, widths, strict=False)]
    largest = max(map(abs, alone.values()))
    for place, word in enumerate(words):
        value = alone[(place,)]
        box = FancyBboxPatch(
            (lefts[place], -0.36),
            widths[place],
            0.72,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=colours.of(value),
            alpha=0.1 + 0.55 * abs(value) / largest,
            linewidth=0,
        )
        axes.add_patch(box)
        axes.text(middles[place], 0, word, color=colours.ink, ha="center", va="center", size=13)
        axes.text(middles[place], -0.68, f"{value:+.2f}", color=colours.soft, ha="center", size=8.5)
    top = max(abs(pairs[pair]) for pair in strongest)
    for pair in reversed(strongest):
        _arc(axes, [middles[place] for place in pair], pairs[pair], top, colours)
    axes.set_xlim(-0.1, lefts[-1] - GAP + 0.1)
    axes.set_ylim(-0.95, 4.1)
    bare(axes, colours)
    return figure


def _arc(axes: Axes, ends: list[float], value: float, top: float, colours: Colours) -> None:
    left, right = ends
    height = 0.7 + 0.95 * (right - left) ** 0.6
    path = Path(
        [(left, 0.42), (left, height), (right, height), (right, 0.42)],
        [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
    )
    share = abs(value) / top
    axes.add_patch(
        PathPatch(
            path,
            facecolor="none",
            edgecolor=colours.of(value),
            linewidth=1.0 + 5.0 * share,
            alpha=0.35 + 0.6 * share,
            capstyle="round",
        )
    )
    axes.text(
        (left + right) / 2,
        0.42 + 0.75 * (height - 0.42) + 0.08,
        f"{value:+.2f}",
        color=colours.ink if share > 0.5 else colours.soft,
        ha="center",
        va="bottom",
        size=12 if share > 0.5 else 9,
        weight="bold" if share > 0.5 else "normal",
    )


if __name__ == "__main__":
    save(draw, "arcs")
