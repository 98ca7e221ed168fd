"""A decoder's plan, and among its masks those that are held out to measure the fit.

A survey is asked in rounds, one or several. It is drawn whole before the first: every round is a
prefix of it, so a mask that is held out stays so, and one that is fitted was never held out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import BudgetTooSmall
from spex_api.sampling.near import is_near, near_masks
from spex_api.sampling.uniform import HALF, fresh_masks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from spex_api.samples import QueryPlan

__all__ = ["Survey", "draw_survey", "num_fitted"]

_FEWEST = 20
"""Fewer masks than this, of a cube that has more, fit nothing and measure nothing."""
_MOST_HELD_OUT = 1000
_FEWEST_WITH_NEAR = 100
_ANCHORS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Every mask that is asked, in the order of asking.

    Attributes:
        plan: the first mask keeps all, the second none; the rest is shuffled within its round, so
            that a survey broken off early is a smaller survey.
        held_out: shape (num_masks,), true where a mask drawn as the others measures the fit and is
            hidden from it. None is where all masks of the cube are asked: then there is no other to
            be wrong about.
        near: shape (num_masks,), true where a mask with one to three features removed measures the
            fit near the full prompt. Hidden from the fit too, unless all masks are asked: then it
            is every such mask.
    """

    plan: QueryPlan
    held_out: NDArray[np.bool_]
    near: NDArray[np.bool_]

    @property
    def exhaustive(self) -> bool:
        """Whether these are all masks of the cube."""
        return len(self.plan) == _cube(self.plan.num_features)

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Shape (num_masks,), true where the fit may look."""
        if self.exhaustive:
            return np.ones(len(self.plan), dtype=np.bool_)
        return ~(self.held_out | self.near)

    def first(self, count: int) -> Survey:
        """The survey of the first masks alone; with all of the cube, none is held out any more."""
        plan = replace(self.plan, masks=self.plan.masks[:count])
        if len(plan) == _cube(plan.num_features):
            return Survey(plan, np.zeros(len(plan), dtype=np.bool_), is_near(plan.masks))
        return Survey(plan, self.held_out[:count], self.near[:count])


def draw_survey(
    draw_plan: Callable[[int], QueryPlan],
    *,
    num_features: int,
    num_queries: int,
    seed: int,
    keep: float = HALF,
    rounds: tuple[int, ...] = (),
    for_target: bool = True,
) -> Survey:
    """A plan for about four fifths of the queries, and random masks that it lacks for the rest.

    From 100 masks on, a fifth of those that are held out lie near the full prompt.

    Args:
        draw_plan: the decoder's plan of so many queries, the first of them a plan as well where
            there are rounds.
        num_features: how many features each mask has, at least 2.
        num_queries: how many masks in all; where the cube has fewer, all of them are asked.
        seed: of the held-out masks and of the order.
        keep: the probability with which the held-out masks keep each feature.
        rounds: how many masks are asked by the end of each round, where there are several: the last
            is all of them. See `num_fitted` for how many of them are held out.
        for_target: whether rounds hold out as many as clear a target the earliest; else each holds
            out a fifth, as one round does.

    Raises:
        BudgetTooSmall: too few queries to fit anything.
    """
    total = _checked_total(num_features, num_queries)
    ends = rounds or (total,)
    whole = total == _cube(num_features)
    # Of a whole cube only the rounds before the last hold masks out.
    open_ends = ends[:-1] if whole else ends
    if not open_ends:
        plan = draw_plan(total)
        return _in_order([plan.masks], [(total,)], plan, seed).first(total)
    several = len(ends) > 1 and for_target
    counts = [_held_out(end, several=several) for end in open_ends]
    plan = draw_plan(open_ends[-1] - sum(counts[-1]))
    near = near_masks(plan.masks, counts[-1][1], seed=seed + 2)
    far = fresh_masks(
        np.concatenate([plan.masks, near]), sum(counts[-1]) - len(near), seed=seed + 1, keep=keep
    )
    cuts: list[tuple[int, ...]] = []
    for end, (num_far, num_near) in zip(open_ends, counts, strict=True):
        nearby = min(num_near, len(near))
        cuts.append((end - num_far - num_near, num_far + num_near - nearby, nearby, 0))
    parts = [plan.masks, far, near]
    if whole:
        asked = np.concatenate(parts)
        parts.append(fresh_masks(asked, total - len(asked), seed=seed + 3, keep=keep))
        cuts.append((len(plan), len(far), len(near), len(parts[3])))
    return _in_order(parts, cuts, plan, seed)


def num_fitted(count: int, *, several: bool) -> int:
    """How many of the first masks the fit may look at.

    One round holds out a fifth, at most 1,000. Of several with a target, each end holds out
    `2 count^⅔`: the share that lets an interval around a slowly falling error clear a target the
    earliest, two fifths of a hundred masks and a fifth of a thousand.

    Args:
        count: how many masks are asked, of a cube that has more.
        several: whether there are several rounds, and a target.
    """
    return count - sum(_held_out(count, several=several))


def _held_out(count: int, *, several: bool) -> tuple[int, int]:
    """How many masks drawn as the others, and how many near ones."""
    share = min(int(2 * count ** (2 / 3)), 2 * count // 5) if several else count // 5
    held_out = min(max(share, 5), _MOST_HELD_OUT)
    near = max(held_out // 5, 5) if count >= _FEWEST_WITH_NEAR else 0
    return held_out - near, near


def _cube(num_features: int) -> int:
    return int(2 ** min(num_features, 60))


def _checked_total(num_features: int, num_queries: int) -> int:
    cube = _cube(num_features)
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
    return total


def _in_order(
    parts: list[NDArray[np.uint8]], cuts: list[tuple[int, ...]], plan: QueryPlan, seed: int
) -> Survey:
    """The anchors first, then round after round, each shuffled.

    Args:
        parts: the fitted masks, then those held out, the near ones, and what completes a cube.
        cuts: how many of each part are asked by the end of each round.
        plan: the decoder's.
        seed: of the order.
    """
    masks = _anchors_first(np.concatenate(parts))
    starts = np.cumsum([0, *map(len, parts)])
    rng = np.random.default_rng([seed, 1])
    order = [np.arange(_ANCHORS)]
    before: tuple[int, ...] = (_ANCHORS,) + (0,) * (len(parts) - 1)
    # A plan may be shorter than it might be: its last round is what there is.
    for after in [*cuts[:-1], tuple(map(len, parts))]:
        rows = np.concatenate(
            [
                start + np.arange(low, high)
                for start, low, high in zip(starts, before, after, strict=False)
            ]
        )
        order.append(rows[rng.permutation(len(rows))])
        before = after
    rows = np.concatenate(order)
    kind = np.repeat(np.arange(len(parts)), list(map(len, parts)))[rows]
    return Survey(replace(plan, masks=masks[rows]), kind == 1, kind == 2)


def _anchors_first(masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The whole prompt and the empty one in front: every plan holds them, and only the plan."""
    whole, empty = masks.all(axis=1), ~masks.any(axis=1)
    return np.concatenate([masks[whole], masks[empty], masks[~(whole | empty)]])
