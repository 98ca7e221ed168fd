"""Parts that work together as a network: dots for parts, lines for interactions.

A line's width is the interaction's size and its colour the sign; a dot's are those of what the part
does on average. More than two parts meet in a point.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from spex_api.errors import UsageError
from spex_api.report import story
from spex_api.report.interplay import is_sure
from spex_api.report.plots.canvas import (
    DOWN,
    INERT,
    UP,
    colour,
    ink,
    mixed,
    named,
    numbers,
    room,
    text_width,
    titled,
    told,
    widest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from spex_api.explanation import Explanation
    from spex_api.transforms import Support

__all__ = ["draw", "size"]

_LAYOUTS: Final = ("auto", "circle", "arcs")
_CROWD: Final = 24
"""More parts than that do not fit around a circle."""
_THINNEST, _THICKEST = 1.0, 7.0
_SMALLEST, _LARGEST = 30.0, 260.0
_RADIUS: Final = 1.75
"""Of the circle, in inches, where there is room."""
_TIGHTEST: Final = 0.4
_APART: Final = 13.0
"""Points from the middle of a dot to its name."""
_Point = tuple[float, float]


def draw(explanation: Explanation, ax: Axes, *, count: int = 15, layout: str = "auto") -> Axes:
    """Draws the strongest interactions of at least two parts; one that may be 0 is pale.

    Args:
        explanation: what is drawn.
        ax: where.
        count: how many interactions, at least 1.
        layout: "circle"; "arcs", with the parts in the order of the text; or "auto", a circle
            where they fit around it.

    Raises:
        UsageError: no two parts work together, or a setting is out of its range.
    """
    found = explanation.interactions
    shown = _shown(explanation, count)
    features = _features(shown)
    around = _is_circle(features, layout)
    places = _on_circle(features) if around else _in_line(features)
    largest = max(abs(found[support]) for support in shown)
    widest = max(places[support[0]][1] - places[support[-1]][1] for support in shown)
    for support in reversed(shown):
        value = found[support]
        tone = mixed(ax, colour(value), 0.9 if is_sure(found, support) else 0.4)
        width = _THINNEST + (_THICKEST - _THINNEST) * abs(value) / largest
        ends = [places[feature] for feature in support]
        paths, hub = _around(ends) if around else _beside(ends, widest)
        for path in paths:
            line = PathPatch(path, fill=False, edgecolor=tone, linewidth=width, capstyle="round")
            ax.add_patch(line)
        if hub is not None:
            ax.plot(*hub, marker="o", markersize=width + 3, color=tone)
    titled(
        ax,
        "What works together",
        f"{found.index}, order {found.order}; dots: what each part does on average",
    )
    values = [found[support] for support in shown]
    sides = [(UP, max(values)), (DOWN, min(values))]
    written = numbers(end for _, end in sides)
    lines = [
        Line2D([], [], color=tone, linewidth=3, label=f"{number} at most")
        for (tone, end), number in zip(sides, written, strict=True)
        if (end > 0) == (tone == UP)
    ]
    ax.legend(handles=lines, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2)
    _draw_parts(explanation, ax, places, around=around)
    _finish(explanation, ax, places, around=around)
    return ax


def size(explanation: Explanation, *, count: int = 15, layout: str = "auto") -> tuple[float, float]:
    """Width and height in inches that fit."""
    features = _features(_shown(explanation, count))
    if not _is_circle(features, layout):
        return 4.8 + widest(named(explanation, features)), 1.4 + 0.26 * len(features)
    left, right, low, high = _extent(explanation, _on_circle(features), radius=_RADIUS)
    return max(_RADIUS * (right - left) + 0.3, 4.6), _RADIUS * (high - low) + 1.1


def _shown(explanation: Explanation, count: int) -> list[Support]:
    if count < 1:
        raise UsageError(f"At least 1 interaction is drawn, not {count}.")
    found = explanation.interactions
    shown = [support for support in told(found, len(found) or 1) if len(support) > 1]
    if not shown:
        raise UsageError(
            "No two parts work together, so there is no network.",
            advice="Ask for order=2 or more, or take another plot, such as 'interactions'.",
        )
    return shown[:count]


def _features(shown: Sequence[Support]) -> list[int]:
    return sorted({feature for support in shown for feature in support})


def _is_circle(features: Sequence[int], layout: str) -> bool:
    if layout not in _LAYOUTS:
        raise UsageError(f"A layout is one of {', '.join(_LAYOUTS)}, not {layout!r}.")
    return layout == "circle" or (layout == "auto" and len(features) <= _CROWD)


def _on_circle(features: Sequence[int]) -> dict[int, _Point]:
    """Clockwise from the top, in the order of the text."""
    step = 2 * math.pi / len(features)
    return {
        feature: (math.sin(place * step), math.cos(place * step))
        for place, feature in enumerate(features)
    }


def _in_line(features: Sequence[int]) -> dict[int, _Point]:
    """From top to bottom, in the order of the text."""
    return {feature: (0.0, -float(place)) for place, feature in enumerate(features)}


def _around(ends: Sequence[_Point]) -> tuple[list[Path], _Point | None]:
    """Curves that bend towards the centre; of more than two ends, the point in which they meet."""
    curve = [Path.MOVETO, Path.CURVE3, Path.CURVE3]
    middle = (
        sum(x for x, _ in ends) / len(ends),
        sum(y for _, y in ends) / len(ends),
    )
    if len(ends) == 2:
        straight = max(1.0 - 0.55 * math.dist(*ends), 0.0)
        bend = (straight * middle[0], straight * middle[1])
        return [Path([ends[0], bend, ends[1]], curve)], None
    hub = (0.75 * middle[0], 0.75 * middle[1])
    return [
        Path([end, ((end[0] + hub[0]) * 0.42, (end[1] + hub[1]) * 0.42), hub], curve)
        for end in ends
    ], hub


def _beside(ends: Sequence[_Point], widest: float) -> tuple[list[Path], _Point | None]:
    """Arcs to the right, the wider the further apart their ends are."""
    curve = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    highest, lowest = max(y for _, y in ends), min(y for _, y in ends)
    reach = 0.12 + 0.88 * (highest - lowest) / widest
    if len(ends) == 2:
        first, second = ends
        bends = [(reach * 4 / 3, first[1]), (reach * 4 / 3, second[1])]
        return [Path([first, *bends, second], curve)], None
    hub = (reach, (highest + lowest) / 2)
    return [
        Path([end, (reach * 0.6, end[1]), (reach, (end[1] + hub[1]) / 2), hub], curve)
        for end in ends
    ], hub


def _draw_parts(
    explanation: Explanation, ax: Axes, places: Mapping[int, _Point], *, around: bool
) -> None:
    """The dots with their names."""
    effects = story.effects(explanation)
    strongest = max(abs(effects[feature]) for feature in places) or 1.0
    names = named(explanation, list(places))
    for feature, (x, y) in places.items():
        share = abs(effects[feature]) / strongest
        ax.scatter(
            x,
            y,
            s=_SMALLEST + (_LARGEST - _SMALLEST) * share,
            color=mixed(ax, colour(effects[feature]), 0.25 + 0.75 * share),
            edgecolor=ink(),
            linewidth=0.8,
            zorder=3,
        )
        turned = math.degrees(math.atan2(y, x)) if around else 0.0
        is_left = x < -1e-9
        ax.annotate(
            names[feature],
            (x, y),
            xytext=(_APART * x, _APART * y) if around else (-_APART, 0.0),
            textcoords="offset points",
            rotation=turned - math.copysign(180.0, turned) if is_left else turned,
            rotation_mode="anchor",
            ha="left" if around and not is_left else "right",
            va="center",
            annotation_clip=False,
            **INERT,
        ).set_in_layout(not around)  # around a circle the limits make room for them


def _finish(
    explanation: Explanation, ax: Axes, places: Mapping[int, _Point], *, around: bool
) -> None:
    """The limits: around a circle the names stand within them."""
    ax.set_axis_off()
    if around:
        ax.set_aspect("equal")
        width, height = room(ax)
        radius = _RADIUS
        left, right, low, high = _extent(explanation, places, radius=radius)
        while (
            radius > _TIGHTEST and radius * max((right - left) / width, (high - low) / height) > 1
        ):
            radius *= 0.9
            left, right, low, high = _extent(explanation, places, radius=radius)
        ax.set_xlim(left, right)
        ax.set_ylim(low, high)
    else:
        ax.set_xlim(-0.05, 1.05)
        ax.set_ylim(0.6 - len(places), 0.6)


def _extent(
    explanation: Explanation, places: Mapping[int, _Point], *, radius: float
) -> tuple[float, float, float, float]:
    """From where to where a circle with its names goes, in radii; the radius is in inches."""
    names = named(explanation, list(places))
    letters = float(mpl.rcParams["font.size"])
    far = {
        feature: 1.0 + (text_width(names[feature], letters) + _APART + 4) / (72 * radius)
        for feature in places
    }
    across = [far[feature] * x for feature, (x, _) in places.items()]
    along = [far[feature] * y for feature, (_, y) in places.items()]
    edge = 1.0 + _APART / (72 * radius)
    return min(*across, -edge), max(*across, edge), min(*along, -edge), max(*along, edge)
