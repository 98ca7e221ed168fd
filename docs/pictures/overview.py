"""Draws the way from a prompt to its interactions, station by station."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drawing import bare, canvas, save
from matplotlib.patches import FancyBboxPatch

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure

STATIONS = [
    ("prompt", "cut into parts", False),
    ("masks", "which parts stay", False),
    ("answers", "the model,\nthrough the cache", True),
    ("values", "a number a mask,\nby the score", False),
    ("transform", "few coefficients,\nby the decoder", False),
    ("interactions", "alone and together,\nby the index", False),
]
WIDTH, GAP, HEIGHT = 1.56, 0.3, 1.0


def draw(colours: Colours) -> Figure:
    """Six boxes and the loop that measures the fit."""
    figure = canvas(colours, 9.4, 1.75)
    axes = figure.subplots()
    middles = []
    for place, (name, what, costs) in enumerate(STATIONS):
        left = place * (WIDTH + GAP)
        middles.append(left + WIDTH / 2)
        axes.add_patch(
            FancyBboxPatch(
                (left, 0),
                WIDTH,
                HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.12",
                facecolor=colours.down if costs else colours.up,
                alpha=0.16,
                linewidth=0,
            )
        )
        axes.text(
            left + WIDTH / 2,
            0.72,
            name,
            ha="center",
            va="center",
            color=colours.down if costs else colours.up,
            weight="bold",
            size=11,
        )
        axes.text(
            left + WIDTH / 2,
            0.31,
            what,
            ha="center",
            va="center",
            color=colours.soft,
            size=8.2,
            linespacing=1.3,
        )
        if place:
            axes.annotate(
                "",
                (left - 0.02, HEIGHT / 2),
                (left - GAP + 0.02, HEIGHT / 2),
                arrowprops={"arrowstyle": "-|>", "color": colours.soft, "mutation_scale": 11},
            )
    ends = middles[3], middles[4]
    axes.plot([ends[0]] * 2 + [ends[1]] * 2, [-0.04, -0.3, -0.3, -0.04], color=colours.soft, lw=1.2)
    axes.text(
        sum(ends) / 2,
        -0.5,
        "faithfulness: on masks that the fit has not seen",
        ha="center",
        va="center",
        color=colours.ink,
        size=9.5,
    )
    axes.text(
        middles[2], 1.16, "the only step that costs", ha="center", color=colours.down, size=8.8
    )
    axes.set_xlim(-0.05, middles[-1] + WIDTH / 2 + 0.05)
    axes.set_ylim(-0.68, 1.38)
    bare(axes, colours)
    return figure


if __name__ == "__main__":
    save(draw, "overview")
