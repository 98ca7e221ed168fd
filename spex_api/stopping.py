"""When enough has been asked: looks that are planned ahead, and an interval that bears them all.

Whoever looks often at a held-out R² and stops at the first good one stops too early. So the looks
are known before the first request, and the error of the interval is shared among them equally
(Bonferroni): over the whole run some lower end lies above the truth about once in twenty, and with
heavy-tailed errors once in eight at worst. What this module does not know: how masks are drawn, and
what a fit is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import UsageError
from spex_api.fidelity import Faithfulness, r_squared, within_reach
from spex_api.indices import LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Spent", "check_target", "ending", "looked_at", "planned_looks", "reached"]

_FIRST_LOOK = 100
_MASKS_PER_FEATURE = 4
_GROWTH = 1.5
"""Twice would overshoot by more than the looks that it saves are worth."""


def check_target(target: float) -> None:
    """Lets pass an R² that can be aimed at.

    Raises:
        UsageError: it does not lie between 0 and 1.
    """
    if not 0 < target < 1:
        raise UsageError(
            f"A target faithfulness is an R² between 0 and 1, not {target}.",
            advice="Aim at 0.9, or leave the target out: then the whole budget is asked.",
        )


def planned_looks(num_features: int, num_masks: int) -> tuple[int, ...]:
    """After how many masks to look: in equal ratios of at most 1.5 up to all of them.

    The first look is at four masks a feature, and at least at a hundred.

    Args:
        num_features: how many features each mask has.
        num_masks: how many masks there are in all.
    """
    first = max(_FIRST_LOOK, _MASKS_PER_FEATURE * num_features)
    if num_masks <= first:
        return (num_masks,)
    steps = max(math.ceil(math.log(num_masks / first) / math.log(_GROWTH)), 1)
    ratio = num_masks / first
    return (*(round(first * ratio ** (step / steps)) for step in range(steps)), num_masks)


def looked_at(
    values: NDArray[np.float64],
    predictions: NDArray[np.float64],
    *,
    additive: NDArray[np.float64],
    others: NDArray[np.float64],
    num_looks: int,
) -> Faithfulness:
    """`R² = 1 − MSE / Var` at one of several looks, its interval corrected for all of them.

    The errors are those of the held-out masks; the variance is of all values that are drawn alike,
    since none of them knows the surrogate. The interval is Student's on log(1 − R²), whose standard
    error follows by the delta method: on that scale it is nearly symmetric, where a percentile
    bootstrap of a few dozen masks ends too high. An error so rare that no held-out mask shows it is
    in no interval.

    Args:
        values: shape (num_masks,), what the model gave on masks that no fit has seen.
        predictions: shape (num_masks,), what the surrogate says of them.
        additive: shape (num_masks,), what the additive fit says of them.
        others: the values of other masks from the same distribution.
        num_looks: how many looks were planned, this one among them.

    Raises:
        UsageError: the shapes disagree, or there is nothing to compare.
    """
    drawn = np.concatenate([values, others])
    if not math.isfinite(r_squared(drawn, drawn)):
        nothing = r_squared(values, predictions)
        return Faithfulness(nothing, nothing, nothing, len(values), r_squared(values, additive))
    variance = float(drawn.var(ddof=1))
    errors = (values - predictions) ** 2
    explained, alone = (
        1.0 - float(np.mean((values - said) ** 2)) / variance for said in (predictions, additive)
    )
    tail = (1 - LEVEL) / 2 / num_looks
    low, high = (1.0 - share for share in _unexplained(errors, drawn, tail))
    within = within_reach(values, predictions)
    return Faithfulness(explained, low, high, len(values), alone, within=within)


def _unexplained(
    errors: NDArray[np.float64], drawn: NDArray[np.float64], tail: float
) -> tuple[float, float]:
    """The largest and the smallest `MSE / Var` within the interval."""
    from scipy.special import stdtrit  # noqa: PLC0415 - whoever imports spex_api loads no SciPy

    squares = (drawn - drawn.mean()) ** 2
    error, spread = float(errors.mean()), float(squares.mean())
    if error == 0:
        return 0.0, 0.0
    # Influences on log MSE − log Var: a held-out mask acts on both, another on the variance alone.
    unseen, others = np.split(squares / spread / len(drawn), [len(errors)])
    both = errors / error / len(errors) - unseen
    variance = len(both) * both.var(ddof=1) + (len(others) * others.var() if len(others) else 0.0)
    reach = float(stdtrit(len(errors) - 1, 1 - tail)) * math.sqrt(variance)
    center = math.log(error) - math.log(float(drawn.var(ddof=1)))
    return math.exp(center + reach), math.exp(center - reach)


@dataclass(frozen=True, slots=True)
class Spent:
    """What an inquiry has asked, and what it might have.

    Attributes:
        requests: how many were asked.
        budget: how many were allowed.
        num_masks: how many masks that is.
        one_look: who asks all masks before the first look, where the decoder is one that does.
    """

    requests: int
    budget: int
    num_masks: int
    one_look: str = ""


def reached(faithfulness: Faithfulness, target: float) -> bool:
    """Whether the lower end reaches the target; what cannot be measured does not."""
    return faithfulness.low >= target


def ending(faithfulness: Faithfulness, target: float, spent: Spent) -> str:
    """How an inquiry with a target ended, in a sentence."""
    # Rounded down, so that an end below the target is never told as the target itself.
    low = f"{math.floor(1000 * faithfulness.low) / 1000:.3f}" if _known(faithfulness) else ""
    of = f"{spent.requests:,} of {spent.budget:,} requests"
    if not low:
        said = (
            f"Asked {of}: the target of {target:g} cannot be measured, since the held-out values "
            "do not vary."
        )
    elif faithfulness.exhaustive:
        verb = "reaches" if reached(faithfulness, target) else "is below"
        said = (
            f"Asked {of}, which are all {spent.num_masks:,} masks that there are: R² is {low}, "
            f"no estimate, and {verb} the target of {target:g}."
        )
    elif reached(faithfulness, target):
        said = (
            f"Stopped after {of}: the lower end of the held-out interval, {low}, is above the "
            f"target of {target:g}."
        )
    else:
        said = (
            f"The budget of {spent.budget:,} requests ended before the target of {target:g} was "
            f"reached: the lower end of the held-out interval is {low}."
        )
    if spent.one_look:
        said += f" {spent.one_look} asks all its masks before the first look."
    return said


def _known(faithfulness: Faithfulness) -> bool:
    return math.isfinite(faithfulness.low)
