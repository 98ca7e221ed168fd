"""Draws the exact transform of a real model's answers, and how few of its terms hold most of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from drawing import bare, canvas, exact, recorded, save

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure

SHOWN = 12


def draw(colours: Colours) -> Figure:
    """Left the largest coefficients with their words, right the energy of the first k."""
    words, _, _ = recorded()
    transform = exact()
    terms = sorted((term for term in transform if term), key=lambda term: -abs(transform[term]))
    figure = canvas(colours, 9.4, 3.7)
    bars, curve = figure.subplots(1, 2, width_ratios=[1.25, 1])
    for place, term in enumerate(terms[:SHOWN]):
        value = transform[term]
        bars.barh(place, abs(value), height=0.62, color=colours.of(value))
        name = " · ".join(words[feature].strip(",.") for feature in term)
        bars.text(
            abs(value) + 0.008, place, f"{value:+.2f}", color=colours.soft, va="center", size=9
        )
        bars.text(-0.012, place, name, color=colours.ink, ha="right", va="center", size=10)
    bars.set_ylim(SHOWN - 0.4, -0.7)
    bars.set_xlim(-0.26, 0.44)
    bare(bars, colours)
    bars.set_title(
        f"The {SHOWN} largest of {len(terms):,}", color=colours.soft, size=10, loc="left"
    )

    energy = np.array([transform[term] ** 2 for term in terms])
    share = np.cumsum(energy) / energy.sum()
    curve.plot(np.arange(1, len(share) + 1), share, color=colours.up, linewidth=2)
    for mark in (0.8, 0.9):
        count = int(np.searchsorted(share, mark)) + 1
        curve.plot([count], [share[count - 1]], "o", color=colours.up, markersize=6)
        curve.annotate(
            f"{count} terms: {share[count - 1]:.0%}",
            (count, share[count - 1]),
            xytext=(14, -13),
            textcoords="offset points",
            color=colours.ink,
            size=9.5,
        )
    curve.set_xscale("log")
    curve.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    curve.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    curve.minorticks_off()
    curve.set_ylim(0, 1.03)
    curve.grid(visible=True, axis="y", color=colours.faint, linewidth=0.8)
    bare(curve, colours, frame="bottom")
    curve.set_title("Share of what moves the answer", color=colours.soft, size=10, loc="left")
    curve.set_xlabel("number of terms")
    return figure


if __name__ == "__main__":
    save(draw, "sparsity")
