"""How few terms carry the surrogate: the energy Σ F² of the strongest against their number.

By Parseval's identity Σ F² over all sets but the empty one is the surrogate's variance over uniform
masks. What this module does not know: terms that the decoder has left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from spex_api.errors import UsageError
from spex_api.report.plots.canvas import UP, ink, mixed, quiet, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from spex_api.explanation import Explanation

__all__ = ["draw", "size"]

_FEW: Final = 20
"""Up to so many terms are counted on a linear scale."""
_MARKED: Final = 0.9, 0.99
_SIZES: Final = ("one part", "two parts", "three parts")


def draw(explanation: Explanation, ax: Axes) -> Axes:
    """Draws the share of the energy, by the size of the sets, as terms are added.

    Args:
        explanation: what is drawn.
        ax: where.

    Raises:
        UsageError: the surrogate is constant.
    """
    terms = [(value**2, len(key)) for key, value in explanation.transform.items() if key and value]
    if not terms:
        raise UsageError("The surrogate is constant: no term carries anything.")
    terms.sort(reverse=True)
    energies = np.array([energy for energy, _ in terms])
    degrees = np.array([degree for _, degree in terms], dtype=np.int64)
    total = energies.sum()
    counts = np.arange(1, len(terms) + 1)
    by_size = {
        degree: np.cumsum(np.where(_group(degrees) == degree, energies, 0.0)) / total
        for degree in np.unique(_group(degrees)).tolist()
    }
    tones = [mixed(ax, UP, share) for share in (0.75, 0.5, 0.32, 0.18)]
    ax.stackplot(
        counts,
        *by_size.values(),
        labels=[_called(degree) for degree in by_size],
        colors=[tones[degree - 1] for degree in by_size],
        linewidth=0,
    )
    explained = np.cumsum(energies) / total
    ax.plot(counts, explained, color=UP, linewidth=2, marker="o" if len(terms) <= _FEW else "")
    for share in _MARKED:
        needed = int(np.searchsorted(explained, share - 1e-12)) + 1
        ax.plot([needed] * 2, [0.0, explained[needed - 1]], color=ink(), linewidth=0.8, alpha=0.6)
        ax.annotate(
            f"{needed:,} {'term' if needed == 1 else 'terms'}: {share:.0%}",
            (needed, explained[needed - 1]),
            xytext=(-7, 5),
            textcoords="offset points",
            ha="right",
            fontsize="small",
        )
    if len(terms) > _FEW:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(1, max(len(terms), 2))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.set_ylim(0.0, 1.1)
    ax.set_xlabel("strongest terms")
    ax.set_ylabel("share of the energy Σ F²")
    titled(
        ax,
        "Sparsity of the surrogate",
        f"{len(terms):,} terms, over {explanation.transform.num_features:,} parts",
    )
    quiet(ax, grid="y")
    ax.legend(loc="lower right", title="terms of", framealpha=0.85, edgecolor="none")
    return ax


def size(explanation: Explanation) -> tuple[float, float]:  # noqa: ARG001 - all have one size
    """Width and height in inches that fit."""
    return 5.6, 3.8


def _group(degrees: NDArray[np.int64]) -> NDArray[np.int64]:
    groups: NDArray[np.int64] = np.minimum(degrees, len(_SIZES) + 1)
    return groups


def _called(degree: int) -> str:
    return _SIZES[degree - 1] if degree <= len(_SIZES) else "more parts"
