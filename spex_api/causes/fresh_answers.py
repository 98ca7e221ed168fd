"""Answers to arrangements of a prompt, each of them fresh: none that the explanation has seen.

Every repeat of an arrangement is a question of its own on disk, so that a replay finds them all.
What this module does not know: which arrangements are asked, and what they prove.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.causes.asking import Answered
from spex_api.errors import BadRequest, BudgetExhausted, UsageError
from spex_api.querying.afresh import afresh
from spex_api.querying.seconding import second_questions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.causes.outcome import Outcome
    from spex_api.claims import Arrangement
    from spex_api.completions import Completion, CompletionRequest
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.value_function import ValueFunction

__all__ = ["FRESH", "FreshAnswers"]

FRESH: Final = 64
"""The first repeat that a test asks for: a probe, and what it repeats, have those before."""


@dataclass(slots=True)
class FreshAnswers:
    """Asks a model under arrangements, again and again.

    Attributes:
        function: the prompt, the model behind its policies, and the score.
        outcome: what holds of an answer or does not.
        first: the number of the first repeat; 0 takes what is on disk first, which serves where
            answers to one question do not differ.
        asked: how often each arrangement has been asked.
    """

    function: ValueFunction
    outcome: Outcome
    first: int = FRESH
    asked: Counter[Arrangement] = field(default_factory=Counter)

    async def __call__(self, arrangements: Sequence[Arrangement]) -> list[Answered]:
        """An answer to each, in their order; fewer where the budget ended.

        Raises:
            UsageError: a part is to be moved, which a prompt cannot do.
            AdapterError: the endpoint failed. What was answered before is on disk.
        """
        slots = asyncio.Semaphore(self.function.concurrency)
        numbered = []
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
        for answered in found:
            if isinstance(answered, BaseException):
                raise answered
            if answered is None:
                break
            answers.append(answered)
        return answers

    async def _answer(self, arrangement: Arrangement, times: int) -> Answered:
        if arrangement.moved:
            raise UsageError("The parts of a prompt stand where they stand: none can be moved.")
        function = self.function
        mask = np.ones(function.prompt.num_features, dtype=np.uint8)
        mask[list(arrangement.removed)] = 0
        try:
            first = await _ask(function.adapter, afresh(function.question(mask), times))
            about = second_questions(function.score, function.second, first)
            second = await _ask(function.second, about) if function.second and about else ()
        except BadRequest:
            return Answered(np.nan, None)
        value = function.score.value(first + second).value
        return Answered(value, self.outcome.holds(value), first[0].text)


async def _ask(adapter: Adapter, question: tuple[CompletionRequest, ...]) -> tuple[Completion, ...]:
    return tuple([await adapter.complete(request) for request in question])
