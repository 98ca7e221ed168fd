"""How far the removal of few parts moves the value, as the surrogate predicts, and which these are.

The curve of `spex_api.fidelity.removal_curve` without the model: nothing is asked, and so nothing
is proven of the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError
from spex_api.fidelity import removal_curve
from spex_api.report.plots.canvas import (
    INERT,
    colour,
    ink,
    meaning,
    mixed,
    named,
    numbers,
    quiet,
    titled,
    widest,
)
from spex_api.report.plots.membership import below, draw_membership

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from spex_api.explanation import Explanation

__all__ = ["draw", "size"]

_SIZES: Final = (1, 2, 3, 4, 5, 6, 7, 8)
_CURVE: Final = 2.5
_ROW: Final = 0.23


def draw(
    explanation: Explanation,
    ax: Axes,
    *,
    sizes: Sequence[int] = _SIZES,
    time_limit: float = 2.0,
) -> Axes:
    """Draws the change by the number of parts, and below it the parts.

    Args:
        explanation: what is drawn.
        ax: where the curve goes; the matrix takes a part of its room.
        sizes: how many parts may be removed, each at least 1.
        time_limit: seconds for the search of one set.

    Raises:
        UsageError: there is no size, or one below 1.
    """
    wanted = _possible(explanation, sizes)
    curve = removal_curve(explanation.transform, sizes=wanted, time_limit=time_limit)
    columns = range(len(wanted))
    values = [curve.before if each.value is None else each.value for each in curve.sets]
    changes = [abs(value - curve.before) for value in values]
    tones = [colour(value - curve.before) for value in values]
    ax.plot(columns, changes, color=mixed(ax, ink(), 0.45), linewidth=1.5)
    ax.scatter(columns, changes, s=60, color=tones, zorder=3, clip_on=False)
    before, *after = numbers([curve.before, *values])
    for column, change in zip(columns, changes, strict=True):
        ax.annotate(
            after[column],
            (column, change),
            xytext=(3, -14),
            textcoords="offset points",
            fontsize="small",
            color=ink(),
        )
    ax.set_ylim(0.0, 1.2 * max(changes) or 1.0)
    ax.set_ylabel(f"change of the\n{meaning(explanation, width=34)}", **INERT)
    beneath = f"from {before} to the value at each dot; blue up, orange down"
    titled(ax, "Removal, as the surrogate predicts", beneath)
    quiet(ax, grid="y")
    sets = [each.features or () for each in curve.sets]
    names = named(explanation, sorted({feature for each in sets for feature in each}))
    matrix = below(ax, heights=(_CURVE, _ROW * (len(names) + 2)))
    draw_membership(matrix, sets, names, colours=tones)
    ax.tick_params(axis="x", labelbottom=False, length=0)
    matrix.set_xticks(list(columns), [str(size) for size in wanted])
    matrix.tick_params(axis="x", labelbottom=True)
    matrix.set_xlabel("parts that may be removed")
    ax.set_xlim(-0.5, max(len(wanted), 3) - 0.5)
    return ax


def size(
    explanation: Explanation,
    *,
    sizes: Sequence[int] = _SIZES,
    time_limit: float = 2.0,  # noqa: ARG001 - the settings are those of `draw`
) -> tuple[float, float]:
    """Width and height in inches that fit; at most so many parts are told as may be removed."""
    wanted = _possible(explanation, sizes)
    names = named(explanation, range(explanation.transform.num_features))
    return 4.9 + widest(names), _CURVE + 1.1 + _ROW * (max(wanted) + 1)


def _possible(explanation: Explanation, sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes that the prompt has parts for."""
    if not len(sizes) or min(sizes) < 1:
        raise UsageError(
            f"Each size of a removal is at least 1, and there is one; not {tuple(sizes)}."
        )
    most = explanation.transform.num_features
    return tuple(sorted({min(size, most) for size in sizes}))
