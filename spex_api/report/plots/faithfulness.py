"""Held-out faithfulness against the number of samples, beside what single parts alone reach."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.ticker import NullFormatter, NullLocator

from spex_api.errors import UsageError
from spex_api.report.plots.canvas import DOWN, UP, ink, quiet, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spex_api.explanation import Explanation
    from spex_api.fidelity import Faithfulness

__all__ = ["draw", "size"]


def draw(explanation: Explanation, ax: Axes) -> Axes:
    """Draws R² with its 90 % interval, and the levels it is held against.

    Args:
        explanation: what is drawn; where its curve was not measured, there is one point.
        ax: where.

    Raises:
        UsageError: R² was not measurable.
    """
    points = _points(explanation)
    sizes = [size for size, _ in points]
    faiths = [faith for _, faith in points]
    ends = [
        [max(faith.value - faith.low, 0.0) for faith in faiths],
        [max(faith.high - faith.value, 0.0) for faith in faiths],
    ]
    values = [faith.value for faith in faiths]
    ax.errorbar(
        sizes,
        values,
        yerr=ends,
        color=UP,
        marker="o",
        linewidth=2,
        elinewidth=1.4,
        capsize=4,
        label="with interactions, 90 % interval",
        zorder=3,
    )
    ax.plot(
        sizes,
        [faith.additive for faith in faiths],
        color=DOWN,
        marker="s",
        markersize=5,
        linestyle=(0, (4, 2)),
        label="parts taken alone",
    )
    _level(ax, explanation.faithfulness.ceiling, "the most that few draws allow", ":")
    _level(ax, explanation.target, "target", "-.")
    _annotate(ax, sizes, values)
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    if len(sizes) == 1:
        ax.set_xlim(sizes[0] / 2, sizes[0] * 2)
    else:
        ax.margins(x=0.14)
    lowest = min(min(faith.low, faith.additive) for faith in faiths)
    ax.set_ylim(min(0.0, max(lowest, -1.0)) - 0.03, 1.05)
    ax.set_xlabel("samples that the fit has seen")
    whole = explanation.faithfulness
    seen = "which the fit has seen" if whole.exhaustive else "that no fit has seen"
    ax.set_ylabel("R²")
    titled(ax, "Faithfulness to the model", f"on {whole.num_masks:,} masks {seen}")
    quiet(ax, grid="y")
    ax.legend(frameon=False, loc="best")
    return ax


def size(explanation: Explanation) -> tuple[float, float]:  # noqa: ARG001 - all have one size
    """Width and height in inches that fit."""
    return 5.6, 3.8


def _points(explanation: Explanation) -> list[tuple[int, Faithfulness]]:
    measured = [(each.num_samples, each.faithfulness) for each in explanation.curve]
    if not measured:
        measured = [(explanation.provenance.samples, explanation.faithfulness)]
    points = [(count, faith) for count, faith in measured if math.isfinite(faith.value)]
    if not points:
        raise UsageError(
            "The faithfulness was not measurable, so it cannot be drawn: the held-out values do "
            "not vary, or there are none.",
            advice="Explain again with more requests.",
        )
    return points


def _level(ax: Axes, value: float | None, label: str, line: str) -> None:
    if value is not None:
        ax.axhline(value, color=ink(), alpha=0.6, linewidth=1.2, linestyle=line, label=label)


def _annotate(ax: Axes, sizes: list[int], values: list[float]) -> None:
    for size_, value in zip(sizes, values, strict=True):
        ax.annotate(
            f"{value:.2f}",
            (size_, value),
            xytext=(7, -11),
            textcoords="offset points",
            fontsize="small",
            color=ink(),
        )
