"""Finds what brings an outcome about: asks what tells suspicions apart, then tests the strongest.

The search asks in batches and may look as often as it likes, since none of its answers serves the
test. Where a test fails, its answers join the search's, and the next suspicion is tested on fresh
ones at a tenth of the α that the one before it had.

What this module does not know: who answers, what features are called, and how many answers were
paid before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.causes.advice import SearchEnd, advice_on
from spex_api.causes.asking import Ask, Purse
from spex_api.causes.known import Known
from spex_api.causes.positions import try_positions
from spex_api.causes.rounds import try_out, withdrawn
from spex_api.causes.suspecting import Suspecting
from spex_api.causes.trials import Heard
from spex_api.causes.verification import check_terms, told_as
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spex_api.claims import Cause, Causes

__all__ = ["Known", "find_causes"]

_FIRST_SHARE = 0.9
"""Of α, for the first suspicion; each later one has that share of what is left."""


async def find_causes(
    ask: Ask,
    num_features: int,
    *,
    budget: int,
    outcome: str = "",
    otherwise: str = "",
    seed: int = 0,
    known: Known | None = None,
    exact: bool = False,
    alpha: float = 0.05,
    places: Mapping[int, int] | None = None,
) -> Causes:
    """Searches for the few parts on which an outcome depends, and tests what it finds.

    Args:
        ask: who is asked.
        num_features: how many parts there are.
        budget: how many answers may be asked for, for search and test in all.
        outcome: what holds of an answer, in words.
        otherwise: what is so where it does not; it is told in place of the outcome where the
            outcome does not hold of most answers to what is unchanged.
        seed: of `numpy.random.default_rng`.
        known: answers that were paid before; they do not count.
        exact: whether answers repeat exactly. Then one pair of answers is proof, once three answers
            to what is unchanged agree.
        alpha: the probability with which any cause at all is confirmed where none is true.
        places: of a feature that can be moved, how many places its list has. Where such a one is
            confirmed as needed, it is moved to either end, and what flips is tested as a position.

    Returns:
        The causes that were tested, in the order of their test, confirmed ones first; none where
        nothing was worth a test.

    Raises:
        UsageError: there is no feature, or another argument is out of its range.
    """
    check_terms(budget, alpha)
    if num_features < 1:
        raise UsageError(f"Causes are looked for among at least one feature, not {num_features}.")
    if known is not None and known.num_features != num_features:
        raise UsageError(f"The known masks have {known.num_features} features, not {num_features}.")
    purse = Purse(ask, budget)
    search = Suspecting(
        purse, known if known is not None else Known.nothing(num_features), seed=seed, exact=exact
    )
    tested: list[Cause] = []
    heard: list[Heard] = []
    shares = _shares(alpha)
    for share in shares:
        cause = await search.next_cause()
        if cause is None:
            break
        found = await try_out([cause], purse, shares=[share], exact=exact, doubt=search.doubts)
        if not found.heard.count:
            search.ended = SearchEnd.TESTED if tested else SearchEnd.UNDECIDED
            break
        heard.append(found.heard)
        search.learn(found.heard)
        if found.causes[0].confirmed and await search.proves_a_piece():
            tested.append(withdrawn(found.causes[0]))
            break
        tested += found.causes
        if found.causes[0].confirmed:
            moved = await try_positions(
                found.causes[0], purse, places=places or {}, share=next(shares), exact=exact
            )
            tested += moved.causes
            heard.append(moved.heard)
            break
    whole = Heard.joined(heard)
    return told_as(
        tested,
        whole,
        outcome=outcome,
        otherwise=otherwise,
        calls=whole.count,
        alpha=alpha,
        advice=advice_on(tested, whole, ended=search.ended),
    )


def _shares(alpha: float) -> Iterator[float]:
    left = alpha
    while True:
        yield _FIRST_SHARE * left
        left *= 1 - _FIRST_SHARE
