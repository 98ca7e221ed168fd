"""Which features belong to which column: a matrix of dots below a plot, as in an UpSet plot.

The form is that of UpSet (Lex et al. 2014): a row a feature, a column a set, the dots of a set
joined. What this module does not know: what the columns are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.report.plots.canvas import INERT, ink, mixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["below", "draw_membership"]


def below(ax: Axes, *, heights: tuple[float, float]) -> Axes:
    """Axes below others that share their columns, in the room that these had.

    Args:
        ax: those above.
        heights: of both, in any unit.
    """
    whole = ax.get_subplotspec()
    if whole is not None:
        parts = whole.subgridspec(2, 1, height_ratios=heights, hspace=0.04)
        ax.set_subplotspec(parts[0])
        return ax.figure.add_subplot(parts[1], sharex=ax)
    box = ax.get_position()
    share = heights[1] / sum(heights)
    ax.set_position((box.x0, box.y0 + share * box.height, box.width, (1 - share) * box.height))
    bounds = (box.x0, box.y0, box.width, 0.96 * share * box.height)
    return ax.figure.add_axes(bounds, sharex=ax)


def draw_membership(
    ax: Axes, sets: Sequence[tuple[int, ...]], names: dict[int, str], *, colours: Sequence[str]
) -> None:
    """Draws the matrix.

    Args:
        ax: where; its columns are 0, 1 and so on.
        sets: the features of each column.
        names: of each feature, in the order of the rows.
        colours: of each column's dots.
    """
    rows = {feature: row for row, feature in enumerate(names)}
    for row in range(0, len(rows), 2):
        ax.axhspan(row - 0.5, row + 0.5, color=mixed(ax, ink(), 0.05), linewidth=0, zorder=0)
    ax.scatter(
        [column for column in range(len(sets)) for _ in rows],
        [row for _ in sets for row in range(len(rows))],
        s=22,
        color=mixed(ax, ink(), 0.13),
        linewidth=0,
        zorder=1,
    )
    for column, (support, colour) in enumerate(zip(sets, colours, strict=True)):
        places = sorted(rows[feature] for feature in support)
        ax.plot([column] * len(places), places, color=colour, linewidth=2, zorder=2)
        ax.scatter([column] * len(places), places, s=38, color=colour, linewidth=0, zorder=3)
    ax.set_yticks(range(len(rows)), list(names.values()), **INERT)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="both", length=0)
    ax.tick_params(axis="x", labelbottom=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
