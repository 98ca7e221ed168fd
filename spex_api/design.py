"""Which masks to ask, for which decoder, and after how many of them to look.

Without a target there is one look, at the end. With one, or where somebody else decides at a few
stops whether to go on, there are several, where a part of the plan is a plan as well: uniform
masks. The codes of `SPEX` and the cube of `WalshHadamard` are whole or nothing, so who asks for
these gets one look. "auto" looks at what a Gaussian process makes of uniform masks; where a budget
with a target goes further than such a process, coded masks make the last round, and the uniform
ones serve their fit too. What this module does not know: answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spex_api.decoding.auto import choose_decoder, takes_uniform_masks
from spex_api.errors import UsageError
from spex_api.sampling.survey import Survey, draw_survey, num_fitted
from spex_api.sampling.uniform import HALF, check_keep, fresh_masks, uniform_plan
from spex_api.stopping import check_target, planned_looks

if TYPE_CHECKING:
    from spex_api.decoding.decoder import Decoder
    from spex_api.samples import QueryPlan

__all__ = ["Design", "Look", "draw_design"]


@dataclass(frozen=True, slots=True)
class Look:
    """After how many masks to decode, with which decoder, and why that one."""

    num_masks: int
    decoder: Decoder
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What is asked, and when it is looked at.

    Attributes:
        looks: from the first to the last, which is at all masks.
        survey: all masks, each look's a prefix.
        seed: of everything that is drawn.
        target: the R² at which to stop, where there is one.
    """

    looks: tuple[Look, ...]
    survey: Survey
    seed: int
    target: float | None = None

    @property
    def one_look(self) -> str:
        """The decoder that can be looked at only once, where it is one."""
        decoder = self.looks[-1].decoder
        alone = len(self.looks) == 1 and not takes_uniform_masks(decoder)
        return repr(decoder) if alone else ""


def draw_design(
    decoder: str | Decoder,
    *,
    num_features: int,
    num_masks: int,
    seed: int,
    keep: float = HALF,
    target: float | None = None,
    stops: tuple[int, ...] = (),
) -> Design:
    """The looks, and the survey that they look at.

    Args:
        decoder: "auto", a decoder's name, or a decoder.
        num_features: how many features each mask has.
        num_masks: how many masks may be asked.
        seed: of everything that is drawn.
        keep: the probability with which masks keep each feature.
        target: the R² at which to stop, or None.
        stops: after how many masks to look, where somebody else decides at each of these whether to
            go on: ascending. With "auto" no mask of a code is asked then.

    Raises:
        UsageError: there is no such decoder, it does not take such masks, or a number is out of its
            range.
        BudgetTooSmall: too few queries to fit anything.
    """
    check_keep(keep)
    if target is not None:
        check_target(target)
    if stops:
        looks = _stops(decoder, num_features, num_masks, keep, stops)
    else:
        looks = _looks(decoder, num_features, num_masks, keep, target)
    survey = draw_survey(
        lambda count: _plan(looks, num_features, count, seed, keep, whole=bool(stops)),
        num_features=num_features,
        num_queries=num_masks,
        seed=seed,
        keep=keep,
        rounds=tuple(look.num_masks for look in looks) if len(looks) > 1 else (),
        for_target=target is not None,
    )
    return Design(looks, survey, seed, target)


def _looks(
    decoder: str | Decoder, num_features: int, num_masks: int, keep: float, target: float | None
) -> tuple[Look, ...]:
    total = min(num_masks, 2 ** min(num_features, 60))
    last = Look(
        total,
        *choose_decoder(decoder, num_features=num_features, num_queries=num_masks, keep=keep),
    )
    if target is None:
        return (last,)
    early = (
        Look(
            count, *choose_decoder(decoder, num_features=num_features, num_queries=count, keep=keep)
        )
        for count in planned_looks(num_features, total)[:-1]
    )
    return (*(look for look in early if takes_uniform_masks(look.decoder)), last)


def _stops(
    decoder: str | Decoder, num_features: int, num_masks: int, keep: float, stops: tuple[int, ...]
) -> tuple[Look, ...]:
    """A look at each of these, where the decoder can be stopped there, and one at the end."""
    total = min(num_masks, 2 ** min(num_features, 60))
    looks = (
        Look(
            count,
            *choose_decoder(
                decoder, num_features=num_features, num_queries=count, keep=keep, coded=False
            ),
        )
        for count in (*(stop for stop in stops if stop < total), total)
    )
    return tuple(
        look for look in looks if look.num_masks == total or takes_uniform_masks(look.decoder)
    )


def _plan(
    looks: tuple[Look, ...],
    num_features: int,
    count: int,
    seed: int,
    keep: float,
    *,
    whole: bool,
) -> QueryPlan:
    """The fitted masks of all looks; those of an early look are the first of them.

    With `whole` all of them are the first decoder's, since a last one that is another takes what
    completes the cube.
    """
    decoder = looks[0].decoder
    plan = decoder.plan(num_features, count, seed)
    if keep != HALF:
        if plan.design != "uniform":
            raise UsageError(
                f"{decoder!r} chooses its masks itself, so that keep={keep} has no meaning for it.",
                cost="Nothing was sent.",
                advice="Leave keep out, or take another decoder.",
            )
        return uniform_plan(num_features, len(plan), seed=seed, keep=keep)
    last = looks[-1].decoder
    if len(looks) == 1 or whole or takes_uniform_masks(last):
        return plan
    early = num_fitted(looks[-2].num_masks, several=True)
    return plan if count <= early else _completed(last, plan, early, seed)


def _completed(decoder: Decoder, uniform: QueryPlan, early: int, seed: int) -> QueryPlan:
    """As many masks as the plan has: its share of early ones, then a code that asks none of them.

    The code is drawn first and the others around it, so that no mask of the code is held out.
    """
    coded = decoder.plan(uniform.num_features, len(uniform) - early, seed)
    drawn = fresh_masks(coded.masks, early, seed=seed)
    return replace(coded, masks=np.concatenate([drawn, coded.masks]))
