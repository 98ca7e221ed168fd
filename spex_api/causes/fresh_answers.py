"""Answers to arrangements of a prompt's parts, each of them fresh: none is given twice.

Every repeat of an arrangement is a question of its own, so that a replay finds them all. What this
module does not know: which arrangements are asked, how each is written, and what they prove.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spex_api.causes.asking import Answered
from spex_api.completions import Usage
from spex_api.errors import BadRequest, BudgetExhausted
from spex_api.events import Progress
from spex_api.querying.afresh import afresh
from spex_api.querying.seconding import second_questions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spex_api.causes.outcome import Outcome
    from spex_api.claims import Arrangement
    from spex_api.completions import Completion, CompletionRequest
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.value_function import ValueFunction

__all__ = ["FRESH", "FreshAnswers", "own_text"]

FRESH: Final = 10_000
"""The first repeat that a test of a prompt asks for: a probe, and what it repeats, have those
before."""


def own_text(answer: Completion) -> str:
    """What it says, and nothing else."""
    return answer.text


@dataclass(slots=True)
class FreshAnswers:
    """Asks a model, or a pipeline that is one, under arrangements, again and again.

    Attributes:
        function: who is asked, behind its policies, and the score.
        outcome: what holds of an answer or does not.
        question: what is asked under an arrangement.
        first: the number of the first repeat: those before it have been asked by others.
        total: how many answers may come at most, for who draws it.
        text: an answer as it is kept for a proof.
        asked: how often each arrangement has been asked.
        answered: how many answers came.
        usage: what the answers took, from disk or not.
        second: what a second model took.
    """

    function: ValueFunction
    outcome: Outcome
    question: Callable[[Arrangement], tuple[CompletionRequest, ...]]
    first: int
    total: int
    text: Callable[[Completion], str] = own_text
    asked: Counter[Arrangement] = field(default_factory=Counter)
    answered: int = 0
    usage: Usage = field(default_factory=Usage)
    second: Usage = field(default_factory=Usage)

    async def __call__(self, arrangements: Sequence[Arrangement]) -> list[Answered]:
        """An answer to each, in their order; fewer where a budget ended.

        Raises:
            UsageError: an arrangement cannot be made.
            AdapterError: the endpoint failed. What was answered before is kept.
            CacheMiss: an answer is missing, and none may be asked for.
        """
        slots = asyncio.Semaphore(self.function.concurrency)
        numbered: list[tuple[Arrangement, int]] = []
        for each in arrangements:
            numbered.append((each, self.first + self.asked[each]))
            self.asked[each] += 1

        async def answer(arrangement: Arrangement, times: int) -> Answered | None:
            async with slots:
                try:
                    return await self._answer(arrangement, times)
                except BudgetExhausted:
                    return None

        # All are waited for, whatever becomes of one: what is under way is paid.
        found = await asyncio.gather(
            *(answer(each, times) for each, times in numbered), return_exceptions=True
        )
        answers: list[Answered] = []
        for given in found:
            if isinstance(given, BaseException):
                raise given
            if given is None:
                break
            answers.append(given)
        return answers

    async def _answer(self, arrangement: Arrangement, times: int) -> Answered:
        function = self.function
        try:
            first = await _ask(function.adapter, afresh(self.question(arrangement), times))
            about = second_questions(function.score, function.second, first)
            second = await _ask(function.second, about) if function.second and about else ()
        except BadRequest:
            return Answered(math.nan, None)
        finally:
            self._tell()
        self.usage = sum((each.usage for each in first), self.usage)
        self.second = sum((each.usage for each in second), self.second)
        value = function.score.value(first + second).value
        return Answered(value, self.outcome.holds(value), self.text(first[0]))

    def _tell(self) -> None:
        self.answered += 1
        meter = self.function.meter
        self.function.on_event(
            Progress(
                done=self.answered,
                total=self.total,
                in_flight=meter.in_flight,
                sent=meter.sent,
            )
        )


async def _ask(adapter: Adapter, question: tuple[CompletionRequest, ...]) -> tuple[Completion, ...]:
    return tuple([await adapter.complete(request) for request in question])
