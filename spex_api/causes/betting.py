"""The test of one claim: bets on pairs of answers, valid whenever one stops.

A claim says that the outcome is likelier under one arrangement than under another. One answer of
each makes a pair. Pairs that agree tell nothing; of those that differ, the hypothesis that the
claim is false makes at most one in two a win. Whoever stakes on "win" at odds that are fair at one
half then has a capital that does not grow in expectation, so that it ever reaches 1/α with a
probability of at most α, also where one looks after each pair and stops when it pleases (Ville's
inequality; Ramdas, Grünwald, Vovk and Shafer 2023, "Game-theoretic statistics and safe
anytime-valid inference").

What this module does not know: which answers make a pair. They must be fresh: no answer that chose
the claim, or that was known before its partner was asked for, may be among them.
"""

from __future__ import annotations

from math import exp, log

from scipy.special import bdtr, betainc, betaln

__all__ = ["e_value", "is_hopeless", "wins_needed"]

_SHAPE = 16.0
"""Of the Beta(16, 1) over the shares of wins that are bet on: five wins and no loss make 24, which
is beyond 20. Answers that are wrong one time in ten make one loss in eighty pairs that differ, so
most of the weight belongs near 1."""

_WORTH = 0.4
"""A claim worth its calls makes a win of two pairs in five at least: with three answers in ten
wrong it still makes one of every two."""

_DOUBT = 0.05


def e_value(wins: int, losses: int) -> float:
    """The capital after so many pairs that differ, begun with 1.

    The mean of `(2θ)^wins (2(1 − θ))^losses` over θ of a Beta(16, 1) that is cut to (1/2, 1): under
    θ ≤ 1/2 each factor has a mean of at most 1, and so has their mixture.

    Args:
        wins: pairs in which the outcome holds only where the claim says it is likelier.
        losses: pairs in which it is the other way round.
    """
    ratio = float(betaln(_SHAPE + wins, 1 + losses) - betaln(_SHAPE, 1))
    cut = float(betainc(1 + losses, _SHAPE + wins, 0.5) / betainc(1, _SHAPE, 0.5))
    return exp((wins + losses) * log(2) + ratio) * cut


def wins_needed(wins: int, losses: int, *, bound: float) -> int:
    """How many wins in a row would take the capital to the bound."""
    more = 0
    while e_value(wins + more, losses) < bound:
        more += 1
    return more


def is_hopeless(wins: int, pairs: int) -> bool:
    """Whether a claim that is worth its calls would hardly ever have won so seldom.

    Giving up costs no validity: it can only leave a claim unconfirmed.

    Args:
        wins: how many pairs were won.
        pairs: all of them, also those that agree or cannot be told.
    """
    return bool(pairs) and float(bdtr(wins, pairs, _WORTH)) < _DOUBT
