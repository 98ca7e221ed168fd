"""What all plots have in common: figures, colours of the two sides, and foreign text that is inert.

The colours are blue and orange, which colour-blind people tell apart, of a lightness that is seen
on light and on dark ground; all else takes matplotlib's own settings. Foreign text is never read as
mathematics or TeX, and a character that the font lacks is drawn as a box. What this module does not
know: what is plotted.
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from spex_api.errors import UsageError
from spex_api.report import story
from spex_api.report.naming import excerpt
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from matplotlib.axes import Axes

    from spex_api.explanation import Explanation
    from spex_api.indices import Interactions
    from spex_api.transforms import Support

__all__ = [
    "DOWN",
    "INERT",
    "UP",
    "Tone",
    "colour",
    "diverging",
    "drawable",
    "ink",
    "joined",
    "meaning",
    "mixed",
    "named",
    "numbers",
    "own_axes",
    "paper",
    "quiet",
    "room",
    "text_width",
    "titled",
    "told",
    "widest",
]

Tone = tuple[float, float, float]
"""Red, green and blue, from 0 to 1."""

UP, DOWN = "#3a86c8", "#dd7226"
INERT: Final[dict[str, Any]] = {"parse_math": False, "usetex": False}
"""Settings of every text that may hold something foreign."""
_LONGEST: Final = 28
"""Characters of a name in a plot."""
_BOX: Final = "□"
_ROUNDING: Final = 1e-9
"""A value that is smaller than this share of the largest is none."""
_PAD: Final = 0.1
"""Inches around a figure of its own."""


def own_axes(size: tuple[float, float]) -> Axes:
    """Axes in a new figure, of which pyplot knows only where it is what shows figures.

    Args:
        size: width and height in inches.
    """
    if _in_ipython():
        from matplotlib import pyplot as plt  # noqa: PLC0415 - it chooses a backend

        figure = plt.figure(figsize=size)
    else:
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", w_pad=_PAD, h_pad=_PAD)
    return figure.add_subplot()


def _in_ipython() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None


def room(ax: Axes) -> tuple[float, float]:
    """Width and height of axes in inches, after the layout of their figure."""
    ax.figure.figure.draw_without_rendering()
    box = ax.get_window_extent()
    return box.width / ax.figure.dpi, box.height / ax.figure.dpi


def colour(value: float) -> str:
    """The colour of a value's side."""
    return UP if value > 0 else DOWN


def ink() -> Tone:
    """The colour of letters."""
    return to_rgb(mpl.rcParams["text.color"])


def paper(ax: Axes) -> Tone:
    """The colour of the ground."""
    red, green, blue, opacity = to_rgba(ax.get_facecolor())
    return (red, green, blue) if opacity else to_rgb(ax.figure.get_facecolor())


def mixed(ax: Axes, tone: Tone | str, share: float) -> Tone:
    """A colour over the ground.

    Args:
        ax: whose ground.
        tone: the colour.
        share: how much of it, from 0 to 1.
    """
    ground = paper(ax)
    red, green, blue = (
        under + (over - under) * share for under, over in zip(ground, to_rgb(tone), strict=True)
    )
    return red, green, blue


def diverging(ax: Axes) -> LinearSegmentedColormap:
    """From DOWN over the ground to UP."""
    return LinearSegmentedColormap.from_list("spex", [to_rgb(DOWN), paper(ax), to_rgb(UP)])


def quiet(ax: Axes, *, grid: Literal["x", "y", ""] = "") -> None:
    """Takes away the frame that tells nothing.

    Args:
        ax: whose frame.
        grid: the axis that has one: "x", "y", or "" for none.
    """
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.grid(visible=False)
    if grid:
        ax.grid(visible=True, axis=grid, color=ink(), alpha=0.12, linewidth=0.8)
        ax.set_axisbelow(True)


def drawable(text: str) -> str:
    """Foreign text in one line, without characters that could act or that the font lacks."""
    known = _characters(tuple(mpl.rcParams["font.family"]))
    line = " ".join(harmless(text).split())
    return "".join(character if ord(character) in known else _BOX for character in line)


@cache
def _characters(families: tuple[str, ...]) -> frozenset[int]:
    """The characters that the fonts of these families can draw."""
    known: set[int] = set()
    for family in families:
        known.update(get_font(findfont(FontProperties(family=[family]))).get_charmap())
    return frozenset(known)


@cache
def text_width(text: str, points: float) -> float:
    """How wide a text is, in points.

    Args:
        text: in one line.
        points: the size of its letters.
    """
    # Between two letters, for a blank at an end has no width of its own.
    framed, frame = (
        text_to_path.get_text_width_height_descent(each, FontProperties(size=points), ismath=False)
        for each in (f"i{text}i", "ii")
    )
    return float(framed[0] - frame[0])


def meaning(explanation: Explanation, *, width: int = 60) -> str:
    """What a value is, and in which unit, as the label of an axis.

    Args:
        explanation: whose values.
        width: characters of a line; there are at most two.
    """
    said = drawable(explanation.provenance.meaning) or "value"
    even = len(said) // 2 + 6 if len(said) > width else width
    return textwrap.fill(said, min(even, width), max_lines=2, placeholder="…")


def titled(ax: Axes, title: str, beneath: str) -> None:
    """A title, and in small letters what is to be known of the plot.

    Args:
        ax: above which it stands.
        title: the title.
        beneath: a line; nothing foreign.
    """
    ax.set_title(title, loc="left", pad=20)
    ax.annotate(
        beneath,
        (0.0, 1.0),
        xycoords="axes fraction",
        xytext=(0, 7),
        textcoords="offset points",
        fontsize="small",
        color=mixed(ax, ink(), 0.7),
    )


def numbers(values: Iterable[float], *, signed: bool = True) -> list[str]:
    """Numbers with so many decimals that the largest has three digits that count.

    Args:
        values: the numbers.
        signed: whether a plus is written.
    """
    listed = list(values)
    largest = max(map(abs, listed), default=0.0)
    decimals = min(max(2 - math.floor(math.log10(largest)), 0), 9) if largest else 2
    sign = "+" if signed else ""
    return [f"{value:{sign}.{decimals}f}".replace("-", "−") for value in listed]


def named(
    explanation: Explanation, features: Collection[int], *, longest: int = _LONGEST
) -> dict[int, str]:
    """What each feature is called in a plot: short, and no other one of them is called so.

    Args:
        explanation: whose features.
        features: their numbers.
        longest: characters of a name.
    """
    if not explanation.interactions.names:
        return {feature: f"feature {feature}" for feature in features}
    short: dict[int, str] = {}
    for feature in features:
        text = explanation.interactions.names[feature]
        which = story.words(explanation, (feature,)).removeprefix(text)
        short[feature] = excerpt(drawable(text), longest) + which
    often = Counter(short.values())
    return {
        feature: f"{name} ({feature})".strip() if often[name] > 1 or not name.strip() else name
        for feature, name in short.items()
    }


def widest(names: Mapping[int, str]) -> float:
    """How wide the widest name is, in inches."""
    points = float(mpl.rcParams["font.size"])
    return max(text_width(name, points) for name in names.values()) / 72


def told(found: Interactions, count: int) -> list[Support]:
    """The strongest interactions, without those that only rounding has made.

    Args:
        found: the interactions.
        count: how many.

    Raises:
        UsageError: `count` is below 1.
    """
    if count < 1:
        raise UsageError(f"At least 1 interaction is drawn, not {count}.")
    ranked = found.strongest()
    least = _ROUNDING * abs(found[ranked[0]]) if ranked else 0.0
    return [support for support in ranked if abs(found[support]) > least][:count]


def joined(names: dict[int, str], support: Sequence[int]) -> str:
    """The names of an interaction's features."""
    return " + ".join(names[feature] for feature in support)
