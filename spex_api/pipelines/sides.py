"""Where the line is drawn between two kinds of answers of a pipeline, and what is said of each.

A hit or a miss draws it itself; other values fall apart where the survey's do. What this module
does not know: what brings an answer to one side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spex_api.causes.outcome import EVEN, Outcome
from spex_api.pipelines.score import Hit, said

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.claims import Causes
    from spex_api.pipelines.score import OfRuns

__all__ = ["Sides", "sides_of"]


@dataclass(frozen=True, slots=True)
class Sides:
    """The side of the unchanged answer, and the other.

    Attributes:
        outcome: what holds of an answer on the first.
        otherwise: what is said of one on the other.
    """

    outcome: Outcome
    otherwise: str

    def drawn(self, causes: Causes) -> Causes:
        """Causes that say by which values their outcome holds.

        Args:
            causes: of this outcome or, where most unchanged answers were on the other side after
                all, of that.
        """
        above = self.outcome.above is (causes.outcome != self.otherwise)
        return replace(causes, threshold=self.outcome.threshold, above=above)


def sides_of(score: OfRuns, values: NDArray[np.float64]) -> Sides | None:
    """The two sides; None where all values are the same and draw no line.

    Args:
        score: what the values are.
        values: shape (num_masks,), NaN where there is none; the first with nothing left out.
    """
    full = float(values[0]) if len(values) else math.nan
    if isinstance(score.score, Hit):
        threshold = EVEN
        above, below = said(score.score.matcher)
    else:
        known = np.unique(values[np.isfinite(values)])
        if len(known) < 2:
            return None
        threshold = _line(values[np.isfinite(values)], known)
        above, below = (f"the {score.meaning} is {of} {threshold:.3g}" for of in ("above", "below"))
    if full <= threshold:
        return Sides(Outcome(below, threshold, above=False), above)
    return Sides(Outcome(above, threshold), below)


def _line(values: NDArray[np.float64], known: NDArray[np.float64]) -> float:
    """Between two neighbouring values, so that the parts' means differ most for their sizes.

    `n₁ n₂ (x̄₁ − x̄₂)²` is greatest (Otsu 1979, IEEE Trans. SMC 9).
    """
    lines = (known[1:] + known[:-1]) / 2
    apart = [
        (values < line).sum()
        * (values > line).sum()
        * (values[values > line].mean() - values[values < line].mean()) ** 2
        for line in lines
    ]
    return float(lines[int(np.argmax(apart))])
