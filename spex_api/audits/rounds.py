"""Who is asked when: the first prompt finds out what the endpoint gives, then all go in rounds.

Every round is decided before its first request, by what all looks so far have shown; whoever is
faster in it changes nothing. What this module does not know: how one prompt is asked and in which
process, and by what a round is decided (`allotment`).
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final, Protocol

from spex_api.audited import DOUBTFUL, Standing
from spex_api.audits.allotment import allot, is_hopeless
from spex_api.errors import EndpointUnfit, Unavailable
from spex_api.events import Notice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from spex_api.audited import Audited
    from spex_api.audits.board import Board
    from spex_api.audits.inquired import Inquired
    from spex_api.querying.budget import Budget

__all__ = ["AT_ONCE", "Rounds", "Steps"]

AT_ONCE: Final = 16
"""Prompts at the most that are asked side by side: enough that somebody always has a question."""
_SURE: Final = 0.95
"""Of what tokens or dollars are left: prompts differ in length."""
_UNFIT: Final = 3
"""So many prompts by which an endpoint is unfit: it is the endpoint."""
_GONE: Final = 5
"""So many prompts one after another that find nobody: the endpoint is gone."""


class Steps(Protocol):
    """Who takes the steps of single prompts, here or elsewhere; each changes how far one is."""

    @property
    def at_once(self) -> int:
        """How many prompts may be asked side by side."""
        ...

    async def open(self, each: Inquired) -> None:
        """Makes the prompt, and asks what its score must know first."""
        ...

    async def probe(self, each: Inquired) -> None:
        """Finds out by this prompt what the endpoint gives."""
        ...

    async def look(self, each: Inquired) -> None:
        """Asks up to the next look, and decodes."""
        ...

    async def audited(self, every: Sequence[Inquired]) -> list[Audited]:
        """What came of them, in their order."""
        ...


@dataclass(slots=True)
class Rounds:
    """The rounds of an audit; what they have come to changes.

    Attributes:
        every: the prompts, in their order.
        steps: who asks them.
        board: where it is told how far they are.
        budget: what they may take together.
        targeted: whether prompts are asked until a target is reached.
    """

    every: list[Inquired]
    steps: Steps
    board: Board
    budget: Budget
    targeted: bool = False
    _number: int = 0
    _num_gone: int = 0

    async def run(self) -> None:
        """Opens all, and asks them in rounds for as long as it pays and the budget goes.

        Raises:
            SpexError: any prompt would meet it, or all have met the like.
        """
        await self._first()
        await self._each([each for each in self.every if each.fresh], self.steps.open)
        self._raise_if_all_failed()
        while going := self._going():
            self._tell(going)
            await self._each(going, self.steps.look)
            self._raise_if_all_failed()
            if any(each.standing is Standing.ENDED for each in self.every):
                break
        self._close()

    async def _first(self) -> None:
        """Finds out what the endpoint gives, by the first prompt that can be asked at all.

        Raises:
            EndpointUnfit: by several prompts alike.
            SpexError: any prompt would meet it.
        """
        unfit: list[EndpointUnfit] = []
        for each in self.every:
            await self._each([each], self.steps.open)
            if each.standing is None:
                await self._each([each], self.steps.probe)
            if not each.failed:
                return
            if isinstance(each.error, EndpointUnfit):
                unfit.append(each.error)
            # Of one prompt alone it may be the prompt, as one of which every answer is the same.
            if len(unfit) == _UNFIT:
                raise unfit[0]

    def _going(self) -> list[Inquired]:
        """Who goes on to the next look."""
        courses = [each.course for each in self.every]
        return [self.every[at] for at in allot(courses, left=self._left())]

    def _left(self) -> int:
        """How many requests are left; by tokens and dollars, if they go on as so far."""
        left = self.budget.requests - sum(each.charged for each in self.every)
        requests, tokens, usd = (
            sum(part) for part in zip(*(x.took for x in self.every), strict=True)
        )
        for cap, spent in ((self.budget.tokens, tokens), (self.budget.usd, usd)):
            if cap is not None and spent > 0:
                # A little stays for the next, which is let go only if the most it may take fits.
                left = min(left, int(_SURE * (cap - spent) / spent * requests))
        return left

    async def _each(self, going: list[Inquired], do: Callable[[Inquired], Awaitable[None]]) -> None:
        """Does it with each, a few at a time; one that fails does not stop the others.

        Raises:
            SpexError: any prompt would meet it.
        """
        queue = iter(going)

        async def work() -> None:
            for each in queue:
                await do(each)
                self._watch(each)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in going[: self.steps.at_once]:
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    def _watch(self, each: Inquired) -> None:
        """Counts those that found nobody, one after another.

        Raises:
            Unavailable: they are too many.
        """
        gone = isinstance(each.error, Unavailable)
        self._num_gone = self._num_gone + 1 if gone else 0
        if gone and self._num_gone >= _GONE and each.error is not None:
            raise each.error

    def _raise_if_all_failed(self) -> None:
        """Raises what went wrong with the first, where nothing came of any.

        Raises:
            SpexError: it.
        """
        first = self.every[0]
        if first.error is None or any(not each.failed or each.course.shown for each in self.every):
            return
        if len(self.every) > 1:
            first.error.cause = (
                f"None of {len(self.every)} prompts could be explained. What went wrong with the "
                f"first ({first.case.case_id}): {first.error.cause}"
            )
        raise first.error

    def _close(self) -> None:
        """Says of those that are left how they ended."""
        courses = [each.course for each in self.every]
        for each in self.every:
            if each.standing is not None:
                continue
            if not each.course.shown:
                each.close(Standing.ENDED)
            elif each.faithfulness < DOUBTFUL and is_hopeless(each.course, courses):
                each.close(Standing.HOPELESS)
            else:
                each.close(Standing.ENDED if self.targeted else Standing.ENOUGH)

    def _tell(self, going: list[Inquired]) -> None:
        self._number += 1
        open_masks = sum(each.course.looks[-1] for each in self.every if each.course.looks)
        self.board.total = min(open_masks, self.budget.requests)
        known = [each.faithfulness for each in self.every if each.course.shown]
        known = [value for value in known if math.isfinite(value)]
        so_far = f" Mean faithfulness so far: {fmean(known):.2f}." if known else ""
        many = f"{len(going):,} of {len(self.every):,} prompts"
        self.board.on_event(Notice(f"Round {self._number}: {many} are asked further.{so_far}"))
