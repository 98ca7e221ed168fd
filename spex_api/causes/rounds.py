"""Rounds of fresh answers, until claimed causes are confirmed or given up.

All claims of a cause must be confirmed for it to be: each is tested at the cause's whole share of
α, since for a false cause one false claim alone would have to be believed (intersection–union;
Berger 1982). Causes that are tested at once share the answers: each claim has its pairs, and that
pairs of two claims have an answer in common harms neither.

What this module does not know: who claims, and how α is divided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spex_api.causes.betting import e_value, is_hopeless, wins_needed
from spex_api.causes.kinds import subsets
from spex_api.causes.trials import Heard
from spex_api.claims import UNCHANGED, Arrangement, Cause, Claim, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spex_api.causes.asking import Purse

    Doubt = Callable[[Sequence[Cause], Heard], bool]

__all__ = [
    "REPEATS",
    "ROUNDS",
    "Tested",
    "arrangements_of",
    "rounds_cost",
    "try_out",
    "withdrawn",
]

REPEATS = 3
"""So often the unchanged is asked before answers that repeat exactly are taken at their word."""

ROUNDS = 8
"""So many pairs confirm where one answer in ten is wrong, mostly."""

_LOOKS = 2
"""So often the cells of a larger table are asked that no claim speaks of."""

_SMALL_TABLE = 2
_LARGEST_TABLE = 3
"""Features of a table all of whose cells are asked in each round, and of one whose are at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Causes after their test.

    Attributes:
        causes: in the order in which they were claimed, their claims with what came of them.
        heard: the answers.
    """

    causes: tuple[Cause, ...]
    heard: Heard


async def try_out(
    claimed: Sequence[Cause],
    purse: Purse,
    *,
    shares: Sequence[float],
    exact: bool = False,
    doubt: Doubt | None = None,
) -> Tested:
    """Tests causes together, round by round, until each is confirmed or given up.

    Args:
        claimed: what is tested.
        purse: who is asked, and how often.
        shares: of α, one a cause.
        exact: whether answers repeat exactly.
        doubt: is shown the answers after each round; the test ends where it says so. Where it does
            when all is confirmed, nothing is.

    Raises:
        UsageError: more answers came than were asked for.
    """
    begun = [_untested(cause) for cause in claimed]
    first = Heard()
    if exact:
        found = await _at_their_word(begun, purse, first, shares)
        if found is not None:
            doubted = doubt is not None and doubt(found, first)
            return Tested(tuple(map(withdrawn, found)) if doubted else found, first)
    heard = Heard()
    causes = begun
    while asked := _round(causes, heard, shares, purse.left):
        heard.add(asked, await purse.ask(asked))
        causes = [
            _weighed(cause, heard, bound=1 / share)
            for cause, share in zip(causes, shares, strict=True)
        ]
        if doubt and doubt(causes, heard):
            causes = [withdrawn(cause) for cause in causes]
            break
    return Tested(tuple(causes), Heard.joined([first, heard]))


def rounds_cost(cause: Cause, *, rounds: int) -> int:
    """How many answers so many rounds take, with the looks at what no claim speaks of."""
    each_time, sometimes = _asked_for([cause])
    return rounds * len(each_time) + min(_LOOKS, rounds) * len(set(sometimes) - set(each_time))


def arrangements_of(causes: Sequence[Cause]) -> list[Arrangement]:
    """What the unconfirmed claims need, the unchanged first; nothing where all is confirmed."""
    needed = [
        arrangement
        for cause in causes
        for claim in cause.claims
        if not claim.confirmed
        for arrangement in (claim.more, claim.less)
    ]
    return list(dict.fromkeys([UNCHANGED, *needed])) if needed else []


def _untested(cause: Cause) -> Cause:
    return replace(cause, claims=tuple(Claim(each.more, each.less) for each in cause.claims))


def withdrawn(cause: Cause) -> Cause:
    """The cause with its evidence, and no claim confirmed: something else speaks against it."""
    return replace(cause, claims=tuple(replace(each, confirmed=False) for each in cause.claims))


def _beside(cause: Cause) -> list[Arrangement]:
    """The cells of the table that the reader is shown, whether or not a claim speaks of them."""
    if len(cause.features) > _LARGEST_TABLE or cause.kind in (Kind.POSITION, Kind.SUFFICIENT):
        return []
    return [Arrangement(removed) for removed in subsets(cause.features)]


def _round(
    causes: Sequence[Cause], heard: Heard, shares: Sequence[float], budget: int
) -> list[Arrangement]:
    """What is asked next: nothing where all is confirmed, given up, or beyond the budget."""
    going = [
        (_pairs_missing(cause, heard, bound=1 / share), cause)
        for cause, share in zip(causes, shares, strict=True)
        if not cause.confirmed and not _is_given_up(cause, heard)
    ]
    while going:
        each_time, sometimes = _asked_for([cause for _, cause in going])
        most = max(missing for missing, _ in going)
        spare = budget - most * len(each_time)
        if spare >= 0:
            looked = [
                each
                for each in dict.fromkeys(sometimes)
                if each not in each_time and heard.times(each) < _LOOKS
            ]
            return [*each_time, *looked[:spare]]
        going = [pair for pair in going if pair[0] < most]
    return []


def _asked_for(causes: Sequence[Cause]) -> tuple[list[Arrangement], list[Arrangement]]:
    """What is asked in each round, and what a few times only."""
    each_time = arrangements_of(causes)
    sometimes: list[Arrangement] = []
    for cause in causes:
        (each_time if len(cause.features) <= _SMALL_TABLE else sometimes).extend(_beside(cause))
    return list(dict.fromkeys(each_time)), sometimes


def _is_given_up(cause: Cause, heard: Heard) -> bool:
    for claim in cause.claims:
        wins, _, pairs = heard.pairs(claim.more, claim.less)
        if not claim.confirmed and is_hopeless(wins, pairs):
            return True
    return False


def _pairs_missing(cause: Cause, heard: Heard, *, bound: float) -> int:
    """How many wins in a row would confirm all that is claimed."""
    return max(
        wins_needed(*heard.pairs(claim.more, claim.less)[:2], bound=bound)
        for claim in cause.claims
        if not claim.confirmed
    )


def _weighed(cause: Cause, heard: Heard, *, bound: float) -> Cause:
    claims = []
    for claim in cause.claims:
        if claim.confirmed:
            claims.append(claim)
            continue
        wins, losses, _ = heard.pairs(claim.more, claim.less)
        evidence = e_value(wins, losses)
        claims.append(replace(claim, evidence=evidence, confirmed=evidence >= bound))
    return replace(cause, claims=tuple(claims))


async def _at_their_word(
    causes: Sequence[Cause], purse: Purse, heard: Heard, shares: Sequence[float]
) -> tuple[Cause, ...] | None:
    """One answer an arrangement; None where the unchanged does not repeat, and nothing is proof."""
    for answer in await purse.ask([UNCHANGED] * REPEATS):
        heard.add([UNCHANGED], [answer])
    if heard.times(UNCHANGED) < REPEATS or len(set(heard.told())) != 1:
        return None
    wanted = [*arrangements_of(causes), *(each for cause in causes for each in _beside(cause))]
    asked = [each for each in dict.fromkeys(wanted) if each != UNCHANGED]
    heard.add(asked, await purse.ask(asked))
    holds = dict(heard.told())
    return tuple(
        replace(
            cause,
            claims=tuple(
                replace(claim, evidence=1 / share, confirmed=True)
                if holds.get(claim.more) and holds.get(claim.less) is False
                else claim
                for claim in cause.claims
            ),
        )
        for cause, share in zip(causes, shares, strict=True)
    )
