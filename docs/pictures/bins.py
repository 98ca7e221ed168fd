"""Draws how coded masks throw all coefficients into a few bins, and which bins tell one at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from drawing import bare, canvas, save

from spex_api.decoding import SPEX
from spex_api.decoding.walsh_hadamard import fast_walsh_hadamard
from spex_api.testing import planted_transform

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure

FEATURES, TERMS, EXPONENT = 64, 24, 6


def draw(colours: Colours) -> Figure:
    """The bins of one group of masks, by how many planted terms fell into each."""
    function = planted_transform(FEATURES, TERMS, seed=1)
    plan = SPEX(sparsity_exponent=EXPONENT, degree=5).plan(FEATURES, None, seed=0)
    matrix = plan.aliasing.matrices[0].astype(int)
    points = (np.arange(2**EXPONENT)[:, None] >> np.arange(EXPONENT)) & 1
    bins = fast_walsh_hadamard(function(points @ matrix.T % 2)) / 2**EXPONENT
    held = np.zeros(len(bins), dtype=int)
    for term in function:
        place = matrix[list(term)].sum(axis=0) % 2 if term else np.zeros(EXPONENT, dtype=int)
        held[int(place @ (1 << np.arange(EXPONENT)))] += 1
    figure = canvas(colours, 9.4, 2.3)
    axes = figure.subplots()
    kinds = {
        "one term": (held == 1, colours.up),
        "several": (held > 1, colours.down),
        "nothing": (held == 0, colours.soft),
    }
    for place, (name, (chosen, colour)) in enumerate(kinds.items()):
        axes.vlines(np.flatnonzero(chosen), 0, bins[chosen], color=colour, linewidth=5)
        axes.plot(np.flatnonzero(chosen), np.zeros(chosen.sum()), ".", color=colour, markersize=3)
        axes.text(
            0.2 * place,
            1.06,
            f"{name}: {chosen.sum()} bins",
            color=colour,
            size=10.5,
            transform=axes.transAxes,
        )
    axes.axhline(0, color=colours.faint, linewidth=1, zorder=0)
    axes.set_xlim(-1, len(bins))
    bare(axes, colours)
    return figure


if __name__ == "__main__":
    save(draw, "bins")
