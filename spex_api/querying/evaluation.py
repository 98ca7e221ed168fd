"""What came of asking: values in the plan's order, and how many there are of which kind.

What this module does not know: how they were asked for, and what a decoder makes of a hole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.completions import WITHHELD, Usage
from spex_api.errors import BudgetExhausted, UsageError
from spex_api.querying.unasked import ALL_ASKED, Unasked
from spex_api.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from spex_api.querying.opening import Opened
    from spex_api.querying.probing.probed import Probed
    from spex_api.samples import QueryPlan

__all__ = ["NO_DRAWS", "Evaluation"]

NO_DRAWS: Final = (0.0, 0.0)
"""Hits and trials of a value that is not the log-odds of a share."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What came of asking; what comes of asking more masks is added to it.

    Attributes:
        values: shape (num_masks,); NaN where there is no value.
        variances: shape (num_masks,).
        draws: shape (num_masks, 2), hits and trials where a value is the log-odds of a share of
            samples; no trials where it is not.
        censored: how many values are only bounds.
        without_value: how many masks were answered without a value in the answer.
        refused: how many masks the endpoint refused for good. Here as above, masks that read the
            same count once.
        usage: what all answers took, whether they were asked now or before.
        second: the same of a second model's answers, which `usage` does not count.
        models: how many answers each served model gave, by its name and fingerprint.
        outcomes: how many answers ended in each way; see `Outcome`.
        unasked: the masks that were neither answered nor refused, since the budget ended first: the
            first of those that read the same.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    draws: NDArray[np.float64]
    censored: int
    without_value: int
    refused: int
    usage: Usage
    models: dict[str, int]
    outcomes: dict[str, int] = field(default_factory=dict)
    second: Usage = field(default_factory=Usage)
    unasked: Unasked = ALL_ASKED

    @classmethod
    def nothing(cls, probed: Probed | None = None, opened: Opened | None = None) -> Evaluation:
        """What came of asking no mask yet: the zero of the addition.

        Args:
            probed: what was found out before, by questions of which some are none of the masks'.
            opened: what the score had to know first.
        """
        zero = cls.of_values((), 0)
        if opened is not None:
            zero = replace(zero, usage=opened.usage, models=dict(Counter(opened.served)))
        if probed is None:
            return zero
        return replace(
            zero,
            usage=zero.usage + probed.extra,
            second=probed.extra_second,
            models=_sum(zero.models, dict(probed.extra_served)),
        )

    def __add__(self, later: Evaluation) -> Evaluation:
        return Evaluation(
            values=np.concatenate([self.values, later.values]),
            variances=np.concatenate([self.variances, later.variances]),
            draws=np.concatenate([self.draws, later.draws]),
            censored=self.censored + later.censored,
            without_value=self.without_value + later.without_value,
            refused=self.refused + later.refused,
            usage=self.usage + later.usage,
            second=self.second + later.second,
            models=_sum(self.models, later.models),
            outcomes=_sum(self.outcomes, later.outcomes),
            unasked=self.unasked + later.unasked,
        )

    @classmethod
    def of_values(cls, values: ArrayLike, num_masks: int) -> Evaluation:
        """What a plain function gave: exact values, one a mask.

        Raises:
            UsageError: there is not one finite number a mask.
        """
        column = np.asarray(values, dtype=np.float64)
        if column.shape != (num_masks,) or not np.isfinite(column).all():
            raise UsageError(
                f"The function gave values of shape {column.shape} for {num_masks} masks: one "
                "finite number a mask is expected."
            )
        usage = Usage(requests=num_masks)
        exact, none = np.zeros(num_masks), np.tile(NO_DRAWS, (num_masks, 1))
        return cls(column, exact, none, 0, 0, 0, usage, {})

    @property
    def complete(self) -> bool:
        """Whether every mask was answered or refused; else the budget ended first."""
        return not self.unasked

    @property
    def withheld(self) -> int:
        """How many answers were withheld: the model declined them, or a filter took them away."""
        return sum(self.outcomes.get(outcome, 0) for outcome in WITHHELD)

    @property
    def drift(self) -> str:
        """A warning where more than one model, or fingerprint of one, served the run; else ""."""
        if len(self.models) < 2:
            return ""
        ranked = sorted(self.models.items(), key=lambda pair: (-pair[1], pair[0]))
        shown = [f"{name or 'one without a name'} gave {count}" for name, count in ranked[:4]]
        more = [f"{len(ranked) - 4} others the rest"] if len(ranked) > 4 else []
        return (
            f"The answers come from {len(ranked)} models or systems behind one name: "
            f"{', '.join(shown + more)}. A difference between two masks may be one between these."
        )

    def samples(self, plan: QueryPlan, rows: NDArray[np.bool_], *, ordered: bool) -> Samples:
        """The samples among these rows of the plan that have a value.

        Where the variances are those of sampled answers, each has their mean: what a few draws say
        of their own spread is no weight, for the very draws that happen to agree would count most.

        Raises:
            BudgetExhausted: fewer than two have one.
        """
        chosen = rows & np.isfinite(self.values)
        if chosen.sum() < 2:
            raise BudgetExhausted(
                f"The run ended with {int(chosen.sum())} usable answers of {len(rows)}: too few to "
                "fit and to measure anything.",
                safe="What was answered is on disk.",
                advice="Raise the budget and run again.",
            )
        variances = self.variances if self.variances[chosen].any() else None
        if variances is not None and not self.censored:
            variances = _pooled(variances, chosen)
        values = np.where(rows, self.values, np.nan)
        hits, trials = self.draws.T
        draws = (hits, trials) if (trials[chosen] > 0).all() else None
        return Samples.from_plan(plan, values, variances, ordered=ordered, draws=draws)

    def anchor(self, row: int) -> float | None:
        """The value under the mask of this row, where there is one."""
        return float(self.values[row]) if np.isfinite(self.values[row]) else None


def _pooled(variances: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The same, each that is not 0 being the mean of those that are chosen and not 0."""
    sampled = variances > 0
    return np.where(sampled, variances[chosen & sampled].mean(), variances)


def _sum(some: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted((Counter(some) + Counter(more)).items()))
