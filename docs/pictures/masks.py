"""Draws ten masks of a review and what a real model said under each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from drawing import bare, canvas, recorded, save

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure

ROWS = 10
LETTER = 0.62


def draw(colours: Colours) -> Figure:
    """One row a mask: the words that are kept, and the value as a bar."""
    words, masks, values = recorded()
    drawn = np.random.default_rng(4).choice(len(masks) - 2, ROWS - 1, replace=False)
    rows = [len(masks) - 2, *drawn]  # the whole review first
    figure = canvas(colours, 9.4, 3.6)
    text, bars = figure.subplots(1, 2, sharey=True, width_ratios=[3.4, 1])
    widths = [LETTER * (len(word) + 1.2) for word in words]
    for place, row in enumerate(rows):
        x = 0.0
        for word, width, kept in zip(words, widths, masks[row], strict=True):
            middle = x + width / 2
            if kept:
                text.text(middle, place, word, color=colours.ink, ha="center", va="center", size=11)
            else:
                ends = [x + 0.25 * LETTER, x + width - 0.25 * LETTER]
                text.plot(ends, [place] * 2, color=colours.faint, linewidth=7, alpha=0.8)
            x += width
        value = values[row]
        bars.barh(place, value, height=0.5, color=colours.of(value))
        bars.text(value + 0.08, place, f"{value:+.2f}", color=colours.ink, va="center", size=9.5)
    text.set_xlim(-0.2, sum(widths))
    text.set_ylim(ROWS - 0.4, -0.9)
    bars.set_xlim(0, 3.4)
    bare(text, colours)
    bare(bars, colours)
    bars.axvline(0, color=colours.soft, linewidth=0.8)
    text.set_title("mask: what is kept", color=colours.soft, size=10, loc="left")
    bars.set_title("value, nats", color=colours.soft, size=10, loc="left")
    return figure


if __name__ == "__main__":
    save(draw, "masks")
