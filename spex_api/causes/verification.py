"""Claimed causes, put to the test on fresh answers.

What this module does not know: who claims, and why.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spex_api.causes.advice import SearchEnd, advice_on
from spex_api.causes.asking import Ask, Purse
from spex_api.causes.rounds import ROUNDS, Tested, arrangements_of, try_out
from spex_api.causes.trials import Heard
from spex_api.claims import UNCHANGED, Cause, Causes
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_terms", "told_as", "verify"]


async def verify(
    claimed: Sequence[Cause],
    ask: Ask,
    *,
    budget: int,
    outcome: str = "",
    otherwise: str = "",
    exact: bool = False,
    alpha: float = 0.05,
) -> Causes:
    """Tests causes that somebody claims, strongest first, by asking near the full prompt.

    Half of α is the first's, the other half is divided among the others. As many causes as the
    budget has rounds for are tested at once; where it has any left, the next.

    Args:
        claimed: their claims; what evidence they bring along is not looked at.
        ask: who is asked.
        budget: how many answers may be asked for.
        outcome: what holds of an answer, in words.
        otherwise: what is so where it does not; it is told in place of the outcome where the
            outcome does not hold of most answers to what is unchanged.
        exact: whether answers repeat exactly. Then one pair is proof, once three answers to what is
            unchanged agree; where they do not, the claims are tested as any others.
        alpha: the probability with which any cause at all is confirmed where none is true.

    Raises:
        UsageError: nothing is claimed, or the budget or α is out of its range.
    """
    check_terms(budget, alpha)
    if not claimed:
        raise UsageError(
            "No cause is claimed, so there is nothing to test.",
            advice="Let find_causes look for one.",
        )
    purse = Purse(ask, budget)
    left = list(claimed)
    shares = _shares(len(claimed), alpha)
    tested: list[Tested] = []
    while left:
        count = _affordable(left, purse.left, rounds=1 if exact else ROUNDS)
        tested.append(await try_out(left[:count], purse, shares=shares[:count], exact=exact))
        left, shares = left[count:], shares[count:]
    causes = [cause for each in tested for cause in each.causes]
    heard = Heard.joined(each.heard for each in tested)
    return told_as(
        causes,
        heard,
        outcome=outcome,
        otherwise=otherwise,
        calls=purse.calls,
        alpha=alpha,
        advice=advice_on(causes, heard, ended=SearchEnd.TESTED),
    )


def told_as(
    causes: Sequence[Cause],
    heard: Heard,
    *,
    outcome: str,
    otherwise: str,
    calls: int,
    alpha: float,
    advice: str,
) -> Causes:
    """What was found, in the words of what holds of most answers to the unchanged."""
    unchanged = [holds for arrangement, holds in heard.told() if arrangement == UNCHANGED]
    opposite = 2 * sum(unchanged) < len(unchanged)
    if opposite:
        outcome = otherwise or (outcome and f"not: {outcome}")
        causes = [
            replace(
                cause,
                claims=tuple(
                    replace(each, more=each.less, less=each.more) for each in cause.claims
                ),
            )
            for cause in causes
        ]
    ordered = sorted(causes, key=lambda cause: not cause.confirmed)
    trials = heard.trials(opposite=opposite)
    return Causes(outcome, tuple(ordered), trials, calls, alpha, advice)


def check_terms(budget: int, alpha: float) -> None:
    """Whether a test can be made on these terms.

    Raises:
        UsageError: it cannot.
    """
    if budget < 1:
        raise UsageError(f"A test takes at least one answer, and the budget is {budget}.")
    if not 0 < alpha < 1:
        raise UsageError(
            f"α is a probability between 0 and 1, not {alpha}.",
            advice="0.05 confirms at most one false cause in twenty.",
        )


def _shares(count: int, alpha: float) -> list[float]:
    if count == 1:
        return [alpha]
    return [alpha / 2] + [alpha / 2 / (count - 1)] * (count - 1)


def _affordable(causes: Sequence[Cause], budget: int, *, rounds: int) -> int:
    """So many of the first causes, one at least, as there are rounds enough for."""
    count = 1
    while count < len(causes) and rounds * len(arrangements_of(causes[: count + 1])) <= budget:
        count += 1
    return count
