"""From the value with everything masked to that of the whole prompt, one interaction at a time.

The steps add up to the surrogate's value of the whole prompt for the indices that are made so: the
Shapley values (SV), STII and FSII of any order, and the Möbius transform of full order; see
`spex_api.indices`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError
from spex_api.indices import check_index, interactions
from spex_api.report.plots.canvas import (
    INERT,
    colour,
    ink,
    joined,
    meaning,
    mixed,
    named,
    numbers,
    quiet,
    titled,
    told,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spex_api.explanation import Explanation
    from spex_api.indices import Interactions

__all__ = ["draw", "size"]

_SUMMING: Final = ("FSII", "STII", "SV", "Möbius")
_HEIGHT: Final = 0.6


def draw(
    explanation: Explanation,
    ax: Axes,
    *,
    count: int = 10,
    index: str = "FSII",
    order: int | None = None,
) -> Axes:
    """Draws the steps from top to bottom, the strongest first and the rest as one.

    Args:
        explanation: what is drawn.
        ax: where.
        count: how many interactions have a step of their own, at least 1.
        index: "FSII", "STII", "SV" or "Möbius".
        order: of the largest interactions; by default that of the explanation, for the Möbius
            transform always the full one.

    Raises:
        UsageError: the index does not add up, or `count` is below 1.
    """
    found = _summing(explanation, index, order)
    shown = told(found, count)
    names = named(explanation, sorted({each for support in shown for each in support}), longest=20)
    steps = [(joined(names, support), found[support]) for support in shown]
    rest = [found[support] for support in told(found, len(found) or 1)[len(shown) :]]
    if rest:
        steps.append((f"{len(rest):,} weaker", sum(rest)))
    whole = float(explanation.predict([[1] * explanation.transform.num_features])[0])
    at = found.baseline
    written = numbers(value for _, value in steps)
    for row, (_, value) in enumerate(steps, start=1):
        ax.barh(row, value, left=at, height=_HEIGHT, color=colour(value))
        after = at + value
        ax.plot([after] * 2, [row - 0.3, row + 1.3], color=mixed(ax, ink(), 0.4), linewidth=0.8)
        ax.annotate(
            written[row - 1],
            (max(at, after), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
        at = after
    last = len(steps) + 1
    ends = [found.baseline, whole]
    for row, value, number in zip((0, last), ends, numbers(ends, signed=False), strict=True):
        ax.plot([value] * 2, [row - 0.32, row + 0.32], color=ink(), linewidth=2.4)
        ax.annotate(
            number,
            (value, row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            weight="bold",
        )
    ax.plot([found.baseline] * 2, [0.0, 1.3], color=mixed(ax, ink(), 0.4), linewidth=0.8, zorder=0)
    labels = ["everything masked", *(name for name, _ in steps), "whole prompt"]
    ax.set_yticks(range(last + 1), labels, **INERT)
    ax.set_ylim(last + 0.6, -0.6)
    ax.set_xlabel(meaning(explanation), **INERT)
    beneath = "Shapley values" if found.order == 1 else f"{found.index}, order {found.order}"
    titled(ax, "From nothing to the whole prompt", f"{beneath}; all steps add up to the last value")
    ax.tick_params(axis="y", length=0)
    ax.use_sticky_edges = False
    ax.margins(x=0.12)
    quiet(ax, grid="x")
    ax.spines["left"].set_visible(False)
    return ax


def size(
    explanation: Explanation, *, count: int = 10, index: str = "FSII", order: int | None = None
) -> tuple[float, float]:
    """Width and height in inches that fit."""
    found = _summing(explanation, index, order)
    return 7.0, 1.5 + 0.3 * min(len(found) + 2, count + 3)


def _summing(explanation: Explanation, index: str, order: int | None) -> Interactions:
    name = {"mobius": "Möbius", "Mobius": "Möbius"}.get(index, index)
    if name not in _SUMMING:
        raise UsageError(
            f"The values of {index} do not add up to that of the whole prompt, so there is no "
            "waterfall of them.",
            advice=f"Take one of {', '.join(_SUMMING)}.",
        )
    transform = explanation.transform
    if name == "SV":
        wanted = 1
    elif name == "Möbius":
        wanted = max(transform.degree, 1)
    else:
        wanted = explanation.interactions.order if order is None else order
    check_index(name, wanted)
    return interactions(transform, name, wanted, names=explanation.interactions.names)
