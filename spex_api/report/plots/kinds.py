"""The kinds of plots by their names, and the door to all of them.

Without `ax` a plot has a figure of its own. In a notebook or an IPython shell that is one of
pyplot's, so that it is shown as any other; everywhere else pyplot is not touched, and
`draw(…).figure.savefig(path)` writes it. To show a window, make the axes by pyplot and give them.
What this module does not know: how anything is drawn. It imports matplotlib only to draw.
"""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from spex_api.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matplotlib.axes import Axes

    from spex_api.explanation import Explanation

__all__ = ["KINDS", "draw"]

KINDS: Final = (
    "interactions",
    "text",
    "network",
    "waterfall",
    "faithfulness",
    "removal",
    "sparsity",
)
"""Each has a module of its name beside this one."""


class _Plot(Protocol):
    """A module that draws one kind of plot."""

    draw: Callable[..., Axes]
    size: Callable[..., tuple[float, float]]


def draw(
    explanation: Explanation,
    kind: str = "interactions",
    *,
    ax: Axes | None = None,
    **settings: Any,  # noqa: ANN401 - each kind has its own
) -> Axes:
    """Draws a plot.

    Args:
        explanation: what is drawn.
        kind: one of `KINDS`.
        ax: where; by default in a figure of its own, of a size that fits.
        settings: of this kind, as the module of its name has them.

    Returns:
        The axes that were drawn in.

    Raises:
        UsageError: there is no such kind or no such setting, or the explanation has nothing that
            could be drawn.
        MissingExtra: matplotlib is not installed.
    """
    if kind not in KINDS:
        raise UsageError(f"There is no plot {kind!r}.", advice=_nearest(kind, KINDS))
    _check_matplotlib()
    plot = cast("_Plot", import_module(f"spex_api.report.plots.{kind}"))
    known = list(inspect.signature(plot.draw).parameters)[2:]
    for setting in settings:
        if setting not in known:
            raise UsageError(
                f"The plot {kind!r} has no setting {setting!r}.", advice=_nearest(setting, known)
            )
    if ax is None:
        canvas = import_module("spex_api.report.plots.canvas")
        ax = cast("Axes", canvas.own_axes(plot.size(explanation, **settings)))
    return plot.draw(explanation, ax, **settings)


def _nearest(name: str, known: Iterable[str]) -> str:
    listed = list(known)
    near = get_close_matches(name, listed, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"It is one of {', '.join(listed)}." if listed else "It has none."


def _check_matplotlib() -> None:
    try:
        import_module("matplotlib.figure")
    except ImportError:
        raise MissingExtra(
            "Plots are drawn with the package matplotlib, which is not installed.",
            advice='Run: python -m pip install "spex-api[plots]"',
        ) from None
