"""How the documentation's pictures look, once for light pages and once for dark ones.

A script beside this one has a function `draw(colours) -> Figure`, and `save` draws it twice. What
this module does not know: what is drawn.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from spex_api.decoding import WalshHadamard
from spex_api.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from spex_api.transforms import FourierTransform

__all__ = ["DARK", "LIGHT", "Colours", "bare", "canvas", "exact", "recorded", "save"]

ROOT = Path(__file__).parents[2]
_TARGET = ROOT / "docs" / "assets" / "pictures"
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of one scheme; `up` and `down` also differ to eyes that miss red or green.

    Attributes:
        name: of the scheme, the end of a file's name.
        ink: of text and of what is most important.
        soft: of axes, and of what stands behind.
        faint: of lines and areas in the background.
        up: what raises a value.
        down: what lowers it.
        page: what lies below the picture.
    """

    name: str
    ink: str
    soft: str
    faint: str
    up: str
    down: str
    page: str

    def of(self, value: float) -> str:
        """The colour of a value by its sign."""
        return self.up if value >= 0 else self.down


LIGHT = Colours("light", "#1d2430", "#69717f", "#e3e6eb", "#1f6fb2", "#c8541c", "#ffffff")
DARK = Colours("dark", "#eef1f6", "#a3abb9", "#353b47", "#6db3ee", "#f2905f", "#14151a")


def canvas(colours: Colours, width: float, height: float) -> Figure:
    """An empty figure in these colours, in inches."""
    with mpl.rc_context():
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "spex"})
        figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0.0)
    figure.set_edgecolor(colours.ink)
    return figure


def bare(axes: Axes, colours: Colours, *, frame: str = "") -> None:
    """Takes the frame off, but for the sides that are named, as in "left bottom"."""
    axes.patch.set_alpha(0.0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in frame.split())
        spine.set_color(colours.soft)
    axes.tick_params(colors=colours.soft, labelcolor=colours.soft, labelsize=9, length=0, pad=5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(colours.soft)
        axis.label.set_size(9.5)
    if not frame:
        axes.set_xticks([])
        axes.set_yticks([])


def save(draw: Callable[[Colours], Figure], name: str) -> None:
    """Writes both schemes, into the folder of pictures or the one that the command line names."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else _TARGET
    for colours in (LIGHT, DARK):
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "spex"}):
            path = folder / f"{name}-{colours.name}.svg"
            draw(colours).savefig(path, transparent=True, metadata={"Date": None})
        text = path.read_text(encoding="utf-8").replace("'DejaVu Sans', ", "")
        lines = (line.rstrip() for line in text.replace("'DejaVu Sans'", _FONTS).splitlines())
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@cache
def recorded() -> tuple[list[str], NDArray[np.uint8], NDArray[np.float64]]:
    """The words of a review, all 2,048 masks of them, and what SmolLM2-135M-Instruct said.

    Returns:
        The words; masks of shape (2048, 11); values of shape (2048,), the log-odds of "positive"
        over "negative" in nats.
    """
    with np.load(ROOT / "tests" / "data" / "recorded" / "sentence_11_words.npz") as table:
        masks = np.vstack([table["masks"], np.ones(11, np.uint8), np.zeros(11, np.uint8)])
        values = np.append(table["values"], [table["full"], table["empty"]])
    text = "The plot is thin, but her acting never fails to impress."
    return text.split(), masks, values


@cache
def exact() -> FourierTransform:
    """The exact transform of that recording."""
    _, masks, values = recorded()
    return WalshHadamard().decode(Samples.from_arrays(masks, values)).transform
