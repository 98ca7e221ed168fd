"""Draws what two words do alone and together: the four corners that make an interaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drawing import bare, canvas, recorded, save

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure


def draw(colours: Colours) -> Figure:
    """The mean value with each of the two words in and out, over all masks of the others."""
    words, masks, values = recorded()
    never, fails = masks[:, words.index("never")], masks[:, words.index("fails")]
    mean = {(x, y): values[(never == x) & (fails == y)].mean() for x in (0, 1) for y in (0, 1)}
    figure = canvas(colours, 8.2, 2.75)
    axes = figure.subplots()
    base = mean[0, 0]
    corners = {
        "neither": base,
        "“never” alone": mean[1, 0],
        "“fails” alone": mean[0, 1],
        "both": mean[1, 1],
    }
    for place, (name, value) in enumerate(corners.items()):
        change = value - base
        colour = colours.of(change) if place else colours.soft
        axes.plot([place - 0.3, place + 0.3], [value] * 2, color=colour, linewidth=5)
        axes.plot([place] * 2, [base, value], color=colour, linewidth=1.4)
        axes.text(
            place,
            value + (0.15 if change >= 0 else -0.2),
            f"{value:+.2f}",
            color=colours.ink,
            ha="center",
            va="center",
            size=11.5,
        )
        axes.text(place, 0.12, name, color=colours.ink, ha="center", size=10.5)
    alone = mean[1, 0] + mean[0, 1] - base
    axes.plot([2.7, 3.3], [alone] * 2, color=colours.soft, linewidth=1.6, linestyle=(0, (3, 2)))
    axes.text(
        3.36,
        alone,
        f"{alone:+.2f}: what the\ntwo would add up to",
        color=colours.soft,
        va="center",
        size=9.5,
    )
    together = mean[1, 1] - alone
    axes.annotate(
        "",
        (3.0, mean[1, 1] - 0.05),
        (3.0, alone + 0.04),
        arrowprops={"arrowstyle": "->", "color": colours.up, "linewidth": 1.8},
    )
    axes.text(
        3.36,
        (mean[1, 1] + alone) / 2 + 0.1,
        f"interaction {together:+.2f}",
        color=colours.up,
        va="center",
        size=11.5,
        weight="bold",
    )
    axes.plot([-0.3, 3.3], [base] * 2, color=colours.faint, linewidth=1, zorder=0)
    axes.set_xlim(-0.5, 4.6)
    axes.set_ylim(0, 2.5)
    bare(axes, colours)
    return figure


if __name__ == "__main__":
    save(draw, "pair")
