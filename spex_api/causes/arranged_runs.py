"""Runs of a pipeline with a few parts left out or moved, each of them fresh.

What this module does not know: which arrangements are asked, and what they prove.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spex_api.causes.asking import Answered
from spex_api.completions import Usage
from spex_api.errors import BudgetExhausted
from spex_api.events import Progress
from spex_api.querying.afresh import afresh
from spex_api.querying.seconding import second_questions
from spex_api.scores.tool_calls import with_calls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.causes.inputs import Inputs
    from spex_api.causes.outcome import Outcome
    from spex_api.claims import Arrangement
    from spex_api.completions import Completion, CompletionRequest
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.value_function import ValueFunction

__all__ = ["ArrangedRuns"]


@dataclass(slots=True)
class ArrangedRuns:
    """Asks a pipeline under arrangements, again and again.

    Attributes:
        function: the pipeline behind its policies, and the score.
        inputs: its arguments.
        outcome: what holds of an answer or does not.
        total: how many answers may come at most, for who draws it.
        with_calls: whether calls of tools are written behind an answer's text.
        asked: how often each arrangement has been asked.
        answered: how many answers came.
        second: what a second model took.
    """

    function: ValueFunction
    inputs: Inputs
    outcome: Outcome
    total: int
    with_calls: bool = False
    asked: Counter[Arrangement] = field(default_factory=Counter)
    answered: int = 0
    second: Usage = field(default_factory=Usage)

    async def __call__(self, arrangements: Sequence[Arrangement]) -> list[Answered]:
        """An answer to each, in their order; fewer where a budget ended.

        Raises:
            UsageError: a part is to be moved that stands in no list.
            SpexError: a model call in the pipeline is not on disk and may not be made.
        """
        slots = asyncio.Semaphore(self.function.concurrency)
        numbered: list[tuple[Arrangement, int]] = []
        for each in arrangements:
            self.asked[each] += 1  # the survey has asked the first time
            numbered.append((each, self.asked[each]))

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
        messages = self.inputs.asked(self.inputs.arranged(arrangement))
        question = function.score.requests(messages, function.adapter.capabilities)
        first = await _ask(function.adapter, afresh(question, times))
        about = second_questions(function.score, function.second, first)
        second = await _ask(function.second, about) if function.second and about else ()
        for each in second:
            self.second += each.usage
        value = function.score.value(first + second).value
        self._tell()
        holds = self.outcome.holds(value) if math.isfinite(value) else None
        text = first[0].text
        if self.with_calls:
            text = with_calls(text, first[0].tool_calls)
        return Answered(value, holds, text)

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
