"""Draws what a fit to 200 masks says of masks that it has not seen, against what the model said."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from drawing import bare, canvas, recorded, save

from spex_api.decoding import SpectralGP
from spex_api.decoding.ridge import additive_ridge
from spex_api.fidelity import r_squared
from spex_api.samples import Samples

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from spex_api.transforms import FourierTransform

FITTED, SHOWN = 200, 300


@cache
def fitted() -> tuple[NDArray[np.uint8], NDArray[np.float64], dict[str, FourierTransform]]:
    """The unseen masks, what the model said of them, and two fits to the others."""
    _, masks, values = recorded()
    order = np.random.default_rng(0).permutation(len(masks))
    samples = Samples.from_arrays(masks[order[:FITTED]], values[order[:FITTED]])
    fits = {
        "words taken alone": additive_ridge(samples),
        "words and interactions": SpectralGP().decode(samples).transform,
    }
    return masks[order[FITTED:]], values[order[FITTED:]], fits


def draw(colours: Colours) -> Figure:
    """Left words taken alone, right words and what they do together; one dot an unseen mask."""
    masks, values, fits = fitted()
    figure = canvas(colours, 7.6, 3.7)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    ends = [values.min() - 0.1, values.max() + 0.1]
    for axes, (name, fit), colour in zip(
        panels, fits.items(), (colours.soft, colours.up), strict=True
    ):
        said = fit(masks)
        axes.plot(ends, ends, color=colours.faint, linewidth=1.5)
        axes.plot(said[:SHOWN], values[:SHOWN], "o", color=colour, markersize=3, alpha=0.45, mew=0)
        axes.set_title(name, color=colours.ink, size=10.5, loc="left")
        axes.text(
            0.04,
            0.9,
            f"R² = {r_squared(values, said):.2f}",
            color=colours.ink,
            size=13,
            weight="bold",
            transform=axes.transAxes,
        )
        axes.set_xlabel("what the surrogate says, nats")
        axes.set(xlim=ends, ylim=ends, aspect="equal")
        bare(axes, colours, frame="left bottom")
    panels[0].set_ylabel("what the model said, nats")
    return figure


if __name__ == "__main__":
    save(draw, "unseen")
