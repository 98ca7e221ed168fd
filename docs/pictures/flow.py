"""A chain of questions as a picture: each has an answer that ends it, and one that goes on.

What this module does not know: what is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from drawing import bare, canvas
from matplotlib.patches import FancyBboxPatch

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Question", "chain"]

_STEP, _HEIGHT = 1.25, 0.86
_LEFT, _RIGHT = (0.0, 4.7), (5.9, 10.4)


class Question(NamedTuple):
    """One step.

    Attributes:
        asked: the question, lines and all.
        end: what is taken where the answer is yes.
        why: a word on it.
    """

    asked: str
    end: str
    why: str


def chain(colours: Colours, questions: list[Question], *, otherwise: tuple[str, str]) -> Figure:
    """The questions down the left side, what is taken on the right.

    Args:
        colours: of the scheme.
        questions: from the first to the last.
        otherwise: what is taken where every answer is no, and a word on it.
    """
    figure = canvas(colours, 8.6, 0.92 * (len(questions) + 0.85))
    axes = figure.subplots()
    for place, question in enumerate(questions):
        y = -place * _STEP
        _box(axes, _LEFT, y, colours)
        axes.text(
            sum(_LEFT) / 2,
            y,
            question.asked,
            color=colours.ink,
            ha="center",
            va="center",
            size=10.5,
            linespacing=1.35,
        )
        _arrow(axes, (_LEFT[1], y), (_RIGHT[0], y), "yes", colours)
        _end(axes, y, question.end, question.why, colours)
        last = place == len(questions) - 1
        below = y - _STEP + (0.0 if last else _HEIGHT / 2)
        middle = sum(_LEFT) / 2
        if last:
            axes.plot([middle, middle], [y - _HEIGHT / 2, below], color=colours.soft, lw=1.3)
            axes.text(middle + 0.12, y - 0.78, "no", color=colours.soft, size=9.5, va="center")
            _arrow(axes, (middle, below), (_RIGHT[0], below), "", colours)
            _end(axes, below, *otherwise, colours)
        else:
            _arrow(axes, (middle, y - _HEIGHT / 2), (middle, below), "no", colours)
    axes.set_xlim(-0.1, _RIGHT[1] + 0.1)
    axes.set_ylim(-len(questions) * _STEP - 0.6, 0.6)
    bare(axes, colours)
    return figure


def _box(axes: Axes, ends: tuple[float, float], y: float, colours: Colours) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (ends[0], y - _HEIGHT / 2),
            ends[1] - ends[0],
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.16",
            facecolor="none",
            edgecolor=colours.soft,
            linewidth=1.2,
        )
    )


def _end(axes: Axes, y: float, name: str, why: str, colours: Colours) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (_RIGHT[0], y - _HEIGHT / 2),
            _RIGHT[1] - _RIGHT[0],
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.16",
            facecolor=colours.up,
            alpha=0.14,
            linewidth=0,
        )
    )
    axes.text(
        _RIGHT[0] + 0.22,
        y + 0.17,
        name,
        color=colours.up,
        weight="bold",
        va="center",
        size=11,
    )
    axes.text(_RIGHT[0] + 0.22, y - 0.18, why, color=colours.soft, va="center", size=9.3)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], label: str, colours: Colours
) -> None:
    axes.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": colours.soft,
            "linewidth": 1.3,
            "shrinkA": 0,
            "shrinkB": 1,
            "mutation_scale": 11,
        },
    )
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    across = start[1] == end[1]
    axes.text(
        x if across else x + 0.12,
        y + 0.17 if across else y,
        label,
        color=colours.soft,
        size=9.5,
        ha="center" if across else "left",
        va="center",
    )
