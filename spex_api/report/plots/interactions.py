"""The strongest interactions as bars with their intervals, and below them which parts take part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError
from spex_api.report.interplay import is_sure
from spex_api.report.plots.canvas import (
    INERT,
    colour,
    ink,
    meaning,
    mixed,
    named,
    quiet,
    titled,
    told,
    widest,
)
from spex_api.report.plots.membership import below, draw_membership

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spex_api.explanation import Explanation
    from spex_api.transforms import Support

__all__ = ["draw", "size"]

_BARS: Final = 2.6
"""The height of the bars in inches; a row below has the height of a line."""
_ROW: Final = 0.23


def draw(explanation: Explanation, ax: Axes, *, count: int = 12) -> Axes:
    """Draws them, the strongest first; one whose interval holds 0 is pale.

    Args:
        explanation: what is drawn.
        ax: where the bars go; the matrix takes a part of its room.
        count: how many interactions, at least 1.

    Raises:
        UsageError: there is none, or `count` is below 1.
    """
    found = explanation.interactions
    shown = _shown(explanation, count)
    names = named(explanation, sorted({feature for support in shown for feature in support}))
    sure = [is_sure(found, support) for support in shown]
    tones = [colour(found[support]) for support in shown]
    values = [found[support] for support in shown]
    ax.bar(
        range(len(shown)),
        values,
        width=0.62,
        color=[
            mixed(ax, tone, 1.0 if each else 0.4) for tone, each in zip(tones, sure, strict=True)
        ],
    )
    for column, support in enumerate(shown):
        interval = found.intervals.get(support)
        if interval is not None:
            ax.plot([column] * 2, interval, color=ink(), linewidth=1.2, solid_capstyle="butt")
    ax.axhline(0.0, color=ink(), linewidth=0.8)
    ax.set_ylabel(meaning(explanation, width=34), **INERT)
    beneath = f"{found.index}, order {found.order}"
    if found.intervals:
        beneath += "; lines: 90 % intervals, pale where they hold 0"
    titled(ax, "Strongest interactions", beneath)
    ax.set_xticks([])
    ax.margins(y=0.08)
    quiet(ax, grid="y")
    ax.spines["bottom"].set_visible(False)
    matrix = below(ax, heights=(_BARS, _ROW * len(names) + 0.1))
    draw_membership(matrix, shown, names, colours=tones)
    ax.set_xlim(-0.6, max(len(shown), 4) - 0.4)
    return ax


def size(explanation: Explanation, *, count: int = 12) -> tuple[float, float]:
    """Width and height in inches that fit."""
    shown = _shown(explanation, count)
    names = named(explanation, {feature for support in shown for feature in support})
    columns = max(0.34 * len(shown), 4.0)
    return 0.7 + widest(names) + columns, _BARS + 0.8 + _ROW * len(names)


def _shown(explanation: Explanation, count: int) -> list[Support]:
    shown = told(explanation.interactions, count)
    if not shown:
        raise UsageError("No part moves the value, so there is no interaction to draw.")
    return shown
