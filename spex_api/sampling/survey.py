"""A decoder's plan, and among its masks those that are held out to measure the fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import BudgetTooSmall
from spex_api.sampling.uniform import fresh_masks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spex_api.samples import QueryPlan

__all__ = ["Survey", "draw_survey"]

_FEWEST = 20
"""Fewer masks than this, of a cube that has more, fit nothing and measure nothing."""
_MOST_HELD_OUT = 1000
_ANCHORS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Every mask that is asked, in the order of asking.

    Attributes:
        plan: the first mask keeps all, the second none; the rest is shuffled, so that a survey
            broken off early is a smaller survey.
        held_out: shape (num_masks,), true where a mask measures the fit and is hidden from it. None
            is where all masks of the cube are asked: then there is no other to be wrong about.
    """

    plan: QueryPlan
    held_out: NDArray[np.bool_]


def draw_survey(
    draw_plan: Callable[[int], QueryPlan], *, num_features: int, num_queries: int, seed: int
) -> Survey:
    """A plan for about four fifths of the queries, and uniform masks that it lacks for the rest.

    Args:
        draw_plan: the decoder's plan of so many queries.
        num_features: how many features each mask has, at least 2.
        num_queries: how many masks in all; where the cube has fewer, all of them are asked.
        seed: of the held-out masks and of the order.

    Raises:
        BudgetTooSmall: too few queries to fit anything.
    """
    cube = 2 ** min(num_features, 60)
    total = min(num_queries, cube)
    if num_features < 2:
        raise BudgetTooSmall(
            "A prompt of one feature has nothing to tell apart.",
            advice="Split it into smaller parts.",
        )
    if total < min(_FEWEST, cube):
        raise BudgetTooSmall(
            f"A budget of {num_queries} masks is too small for {num_features} features: at least "
            f"{min(_FEWEST, cube)} are needed to fit anything, and about {8 * num_features} to "
            "find interactions.",
            cost="Nothing was sent.",
            advice="Raise the budget, or split the text into fewer parts.",
        )
    num_held_out = 0 if total == cube else min(max(total // 5, 5), _MOST_HELD_OUT)
    plan = draw_plan(total - num_held_out)
    held_out = fresh_masks(plan.masks, num_held_out, seed=seed + 1)
    masks = _anchors_first(np.concatenate([plan.masks, held_out]))
    rest = np.random.default_rng([seed, 1]).permutation(len(masks) - _ANCHORS)
    order = np.concatenate([np.arange(_ANCHORS), _ANCHORS + rest])
    is_held_out = np.arange(len(masks)) >= len(plan)
    whole = replace(plan, masks=masks[order])
    return Survey(whole, is_held_out[order])


def _anchors_first(masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The whole prompt and the empty one in front: every plan holds them, and only the plan."""
    whole, empty = masks.all(axis=1), ~masks.any(axis=1)
    return np.concatenate([masks[whole], masks[empty], masks[~(whole | empty)]])
