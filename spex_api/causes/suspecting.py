"""Asks under masks until one set of features is worth a test.

A suspicion is worth it where the answers leave hardly a doubt about the set and its truth table,
and it also holds where others of the features are missing. Nothing here is proof, so the answers
may be looked at as often as one likes, and all that are known serve.

What this module does not know: how a cause is tested.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaln

from spex_api.causes.advice import SearchEnd
from spex_api.causes.choosing import first_masks, next_masks
from spex_api.causes.contexts import dealt, turning_points
from spex_api.causes.evidence import LARGEST, Evidence, Suspicion, weigh
from spex_api.causes.kinds import cause_of, relevant
from spex_api.causes.known import Known, lacking
from spex_api.causes.rounds import REPEATS, ROUNDS, rounds_cost
from spex_api.claims import Arrangement, Cause

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.causes.asking import Answered, Purse
    from spex_api.causes.trials import Heard

    Masks = NDArray[np.uint8]

__all__ = ["Suspecting"]

_SURE = 0.99
"""At this posterior a suspicion is tested at once, or the search ends where no part matters."""

_LIKELY = 0.9
"""At this one it is tested where the budget leaves room for the test only."""

_DOUBTED = 0.5
"""Below this one a test is broken off: the answers speak for something else."""

_DOUBT_EVERY = 3
"""Rounds of a test that is not done; whether it is worth going on is no matter of one answer."""

_CELL_SURE = 0.9
_BATCH = 8
_USUAL = 32
"""What a test takes, mostly: it is kept for it while nothing is likely yet."""

_MOST_TESTS = 2
"""A cause whose test failed may have had bad luck once."""

_DEALS = 2
_AGAIN = 2
"""A rule must be contradicted by groups that are dealt anew, and of each group by one of two more
answers: noise seldom repeats, and a mishap of one group is no part that the rule lacks."""


class Suspecting:
    """The answers so far, and what they speak for."""

    def __init__(self, purse: Purse, known: Known, *, seed: int, exact: bool) -> None:
        """Begins with what is known."""
        self._purse = purse
        self._known = known
        self._exact = exact
        self._rng = np.random.default_rng(seed)
        self._tests: Counter[Cause | None] = Counter()
        self._tested: Suspicion | None = None
        self._pieces: dict[Cause | None, bool | None] = {}
        self._near_only = False
        self.ended = SearchEnd.UNDECIDED
        """How the last search ended."""

    async def next_cause(self) -> Cause | None:
        """Asks until a cause is worth a test; None where none comes to be.

        Raises:
            UsageError: more answers came than were asked for.
        """
        lead = await self._lead()
        cause = _cause(lead) if lead else None
        if lead and cause:
            self._tests[cause] += 1
            self._tested = lead
            self.ended = SearchEnd.TESTED
        return cause

    def doubts(self, causes: Sequence[Cause], heard: Heard) -> bool:
        """Whether, with the answers of its test, too little speaks for the cause that is tested."""
        confirmed = all(cause.confirmed for cause in causes)
        if self._tested is None or (len(heard.rounds) % _DOUBT_EVERY and not confirmed):
            return False
        evidence = self._evidence(heard)
        now = [each for each in evidence.suspicions if each.features == self._tested.features]
        if not now or now[0].weight < _DOUBTED:
            return True
        most = 0.5 if confirmed else _CELL_SURE
        return any(
            (1 - chance if self._tested.rule[removed] else chance) > most
            for removed, chance in now[0].chances.items()
        )

    async def proves_a_piece(self) -> bool:
        """Whether what was tested is a piece of a larger rule, where there was no budget to see.

        Raises:
            UsageError: more answers came than were asked for.
        """
        lead = self._tested
        if lead is None or self._pieces.get(_cause(lead)) is not None:
            return False
        if await self._is_piece(lead, leave=0):
            self.ended = SearchEnd.LARGER_RULE
            return True
        return False

    def learn(self, heard: Heard) -> None:
        """Takes in the answers of a test that is over."""
        self._known = self._known.joined(heard.told())

    async def _lead(self) -> Suspicion | None:
        """The set that is worth a test next; None, and how it ended, where there is none."""
        if not self._known:
            await self._ask(first_masks(self._known.num_features, 2 * _BATCH, self._rng))
        self.ended = SearchEnd.UNDECIDED if self._known else SearchEnd.NOTHING_ASKED
        while self._known:
            evidence = self._evidence()
            lead = evidence.lead
            end = self._end(lead)
            reserve = self._reserve(lead) if lead.weight >= _LIKELY else _USUAL
            scarce = self._purse.left < reserve + _BATCH
            worth = self._is_worth(lead, scarce=scarce)
            now_and_then = self._purse.calls // _BATCH % 3 == 0
            if (end or worth or scarce or now_and_then) and self._turns_near(evidence):
                self._pieces.clear()
            elif end:
                self.ended = end
                return None
            elif worth and _cause(lead) in self._pieces:
                return lead
            elif worth:
                self._pieces[_cause(lead)] = await self._is_piece(lead, leave=self._reserve(lead))
            elif not await self._ask(self._next_masks(evidence, scarce=scarce)):
                return None
        return None

    def _end(self, lead: Suspicion) -> SearchEnd | None:
        if lead.weight >= _SURE and not lead.features and self._is_known_near():
            return SearchEnd.NO_PART
        if lead.weight >= _SURE and self._pieces.get(_cause(lead)):
            return SearchEnd.LARGER_RULE
        if lead.weight >= _SURE and self._tests[_cause(lead)] >= _MOST_TESTS:
            return SearchEnd.TESTED
        return None

    def _is_worth(self, lead: Suspicion, *, scarce: bool) -> bool:
        """Whether it is tested rather than looked at further; sooner where the budget is scarce."""
        cause = _cause(lead)
        if cause is None or self._pieces.get(cause) or self._tests[cause] >= _MOST_TESTS:
            return False
        return lead.weight >= (_LIKELY if scarce else _SURE) and not _unsure(lead)

    def _is_known_near(self) -> bool:
        near, _ = self._known.parted()
        return len(near) >= _BATCH

    def _next_masks(self, evidence: Evidence, *, scarce: bool) -> Masks:
        """What is asked next; nothing where what is left would not suffice for a test."""
        lead, num_features = evidence.lead, self._known.num_features
        cells = lacking(_unsure(lead)[:_BATCH], num_features)
        if scarce:
            worth_it = lead.weight >= _LIKELY and self._purse.left >= _USUAL + len(cells)
            return cells if worth_it else cells[:0]
        if lead.weight >= _SURE and not self._is_known_near():
            return first_masks(num_features, _BATCH, self._rng, near=True)
        masks = next_masks(evidence, _BATCH, self._rng, near=self._near_only)
        if lead.weight >= _LIKELY:
            masks[: len(cells)] = cells
        return masks

    async def _is_piece(self, lead: Suspicion, *, leave: int) -> bool | None:
        """Whether a group of other features turns it, however the groups are dealt.

        None where that takes more than what is left beside what is to be left, and nothing speaks
        for it yet. A set of the largest size may be a piece of one that is not weighed, so it is
        then taken for one.
        """
        removals = turning_points(lead.rule)
        for deal in range(_DEALS):
            turned = await self._contradicted(lead, removals, leave=leave)
            if turned is None:
                return deal > 0 or len(lead.features) == LARGEST or None
            if not turned:
                return False
            removals = turned
        return True

    def _reserve(self, lead: Suspicion) -> int:
        """What is kept for a test."""
        cause = _cause(lead)
        if cause is None:
            return 0
        if self._exact:
            return REPEATS + rounds_cost(cause, rounds=1)
        return rounds_cost(cause, rounds=ROUNDS)

    async def _contradicted(
        self, lead: Suspicion, removals: Sequence[tuple[int, ...]], *, leave: int
    ) -> list[tuple[int, ...]] | None:
        """Of the removals those that, with some group, answer against the rule, and not once only.

        None where there is too little left to see.
        """
        against = list(dealt(removals, lead.features, self._known.num_features, self._rng))
        for times in (1,) if self._exact else (1, _AGAIN):
            asked = [place for place in against for _ in range(times)]
            if len(asked) > self._purse.left - leave:
                return None
            answers = await self._ask(np.array([mask for _, mask in asked])) if asked else []
            contrary = [
                answer.holds is (not lead.rule[removed])
                for (removed, _), answer in zip(asked, answers, strict=False)
            ]
            against = [
                place
                for row, place in enumerate(against)
                if any(contrary[row * times : (row + 1) * times])
            ]
        return list(dict.fromkeys(removed for removed, _ in against))

    async def _ask(self, masks: Masks) -> list[Answered]:
        arrangements = [Arrangement(tuple(np.flatnonzero(mask == 0).tolist())) for mask in masks]
        answers = await self._purse.ask(arrangements)
        holds = (answer.holds for answer in answers)
        self._known = self._known.joined(zip(arrangements, holds, strict=False))
        return answers

    def _evidence(self, heard: Heard | None = None) -> Evidence:
        known = self._known.joined(heard.told()) if heard else self._known
        if self._near_only:
            known, _ = known.parted()
        return weigh(known.masks, known.holds, exact=self._exact)

    def _turns_near(self, evidence: Evidence) -> bool:
        """Whether, from now on, only answers near the full prompt count.

        They do where a rule for them, and any rate at all for the others, makes all answers
        likelier than one rule for all: a pipeline that lost half of its parts may say nothing more.
        """
        near, far = self._known.parted()
        if self._near_only or not near or not far:
            return False
        apart = weigh(near.masks, near.holds, exact=self._exact).log_likelihood
        hits = int(far.holds.sum())
        apart += float(betaln(hits + 0.5, len(far) - hits + 0.5) - betaln(0.5, 0.5))
        self._near_only = apart > evidence.log_likelihood
        return self._near_only


def _cause(suspicion: Suspicion) -> Cause | None:
    """What its rule claims; None where not every feature makes a difference in it."""
    features, rule = suspicion.features, suspicion.rule
    if not features or relevant(features, rule) != features:
        return None
    return cause_of(features, rule)


def _unsure(suspicion: Suspicion) -> list[tuple[int, ...]]:
    """The removals of which it cannot yet say whether the outcome holds."""
    chances = suspicion.chances
    return [each for each in chances if _CELL_SURE > chances[each] > 1 - _CELL_SURE]
