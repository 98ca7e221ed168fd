"""Whether it is where a part stands that counts: moved to an end of its list, does the answer flip?

What this module does not know: where a part stands now. To move it there changes nothing, and so
flips nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.causes.rounds import Tested, try_out
from spex_api.causes.trials import Heard
from spex_api.claims import UNCHANGED, Arrangement, Cause, Claim, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spex_api.causes.asking import Purse

__all__ = ["try_positions"]

_LOOKS = 2
"""So often each move is asked before the one that flips most is put to the test."""


async def try_positions(
    cause: Cause, purse: Purse, *, places: Mapping[int, int], share: float, exact: bool = False
) -> Tested:
    """Tests whether moving one part of a cause flips the answer as removing it does.

    Args:
        cause: a confirmed one.
        purse: who is asked, and how often.
        places: of a part that can be moved, how many places its list has.
        share: of α, for all that is tested here.
        exact: whether answers repeat exactly.

    Returns:
        One cause a part that flipped at a look; none where nothing did, where removing one part
        alone does not flip, or where the budget is at its end.

    Raises:
        UsageError: more answers came than were asked for.
    """
    holds = any(claim.more == UNCHANGED for claim in cause.claims)
    moves = [
        Arrangement(moved=((feature, place),))
        for feature in cause.features
        for place in sorted({0, places.get(feature, 1) - 1})
        if places.get(feature, 1) > 1
    ]
    looks = moves * (1 if exact else _LOOKS)
    if cause.kind not in (Kind.ALONE, Kind.TOGETHER) or purse.left < len(looks) + 2:
        return Tested((), Heard())
    flips = dict.fromkeys(moves, 0)
    for move, answer in zip(looks, await purse.ask(looks), strict=False):
        flips[move] += answer.holds is (not holds)
    claimed = []
    for feature in cause.features:
        own = [move for move in moves if move.moved[0][0] == feature]
        best = max(own, key=lambda move: flips[move], default=None)
        if best and flips[best]:
            claim = Claim(UNCHANGED, best) if holds else Claim(best, UNCHANGED)
            claimed.append(Cause(Kind.POSITION, (feature,), (claim,)))
    if not claimed:
        return Tested((), Heard())
    shares = [share / len(claimed)] * len(claimed)
    return await try_out(claimed, purse, shares=shares, exact=exact)
