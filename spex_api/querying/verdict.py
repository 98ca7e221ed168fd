"""What is said of an asking that ended: its error with its price, or that enough has a value.

What this module does not know: how the answers were asked for, and any endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.errors import (
    BadRequest,
    BudgetExhausted,
    CacheMiss,
    MalformedReply,
    RateLimited,
    ScoreError,
    SpexError,
    Unavailable,
)

if TYPE_CHECKING:
    from spex_api.querying.evaluation import Evaluation
    from spex_api.querying.tally import Tally

__all__ = ["check_share", "settle"]

_PASSING = (RateLimited, Unavailable, MalformedReply)


def settle(tally: Tally, *, sent: int) -> None:
    """Raises what went wrong, saying what it cost and what is safe; a spent budget is no error.

    Args:
        tally: what was counted.
        sent: how many requests were sent.

    Raises:
        CacheMiss: answers were missing that could not be asked for.
        Exception: the first that a request ended in.
    """
    error = tally.failure
    if error is None and tally.missing:
        error = _miss(tally)
    if error is None or (isinstance(error, BudgetExhausted) and tally.answered):
        return
    if isinstance(error, SpexError):
        error.cost = error.cost or _sent(sent)
        error.safe = f"{tally.answered:,} of {tally.total:,} answers are on disk."
        if isinstance(error, _PASSING) and not error.advice:
            error.advice = "The same command goes on from there, and pays for nothing twice."
    raise error


def check_share(tally: Tally, found: Evaluation, *, allowed: float, sent: int) -> None:
    """Lets pass what has values enough.

    Args:
        tally: what was counted.
        found: what came of all masks, earlier ones among them.
        allowed: the share of values that may be bounds or missing.
        sent: how many requests were sent.

    Raises:
        BadRequest: too few masks have a value of their own, for the most part since the endpoint
            refused the others.
        ScoreError: too few have one, for the most part since the answers do not show it.
    """
    missing = found.censored + found.without_value + found.refused
    share = missing / max(tally.answered + found.refused, 1)
    if share <= allowed:
        return
    counts = f"{found.censored} give only a bound, {found.without_value} nothing"
    first = ""
    if found.withheld:
        counts += f"; {found.withheld} were declined by the model or taken away by a filter"
    if tally.refusal is not None:
        first = f" The first of {found.refused} refusals: {tally.refusal.cause}"
    if tally.refusal is not None and found.refused > missing / 2:
        raise BadRequest(
            f"The endpoint refused {found.refused} masks for good; of its {tally.answered} "
            f"answers {counts}. Together that is {share:.0%} of the masks that were asked; "
            f"{allowed:.0%} is allowed.{first}",
            cost=_sent(sent),
            safe=f"{tally.answered} of {tally.total} answers are on disk.",
            advice=tally.refusal.advice
            or "Change the text or how it is masked, or raise max_censored.",
        )
    raise ScoreError(
        f"{share:.0%} of the answers do not show what the score reads ({counts}); "
        f"{allowed:.0%} is allowed.{first}",
        cost=_sent(sent),
        safe="All answers are on disk: another score reads them at no cost.",
        advice="Ask in the prompt for exactly the form that the score reads and nothing else, "
        "use a server with a longer list of log-probs or a sampled score, or raise max_censored.",
    )


def _sent(count: int) -> str:
    return f"{count} request{'s were' if count != 1 else ' was'} sent."


def _miss(tally: Tally) -> CacheMiss:
    """One error for all answers that are missing."""
    if tally.missing_cost is None:
        price = "What they would cost is not known"
    else:
        price = f"They would cost {_dollars(tally.missing_cost)} at most"
    first = tally.first_missing[1].cause if tally.first_missing else ""
    return CacheMiss(
        f"{tally.missing:,} of {tally.looked_up:,} answers are not on disk. The first: {first}",
        advice=f"{price}: a live run asks for these and for nothing else. A run that its budget "
        "ended is rebuilt from its explanation.json, which says what was not asked.",
    )


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.2g}"
