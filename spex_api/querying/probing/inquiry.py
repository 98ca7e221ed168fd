"""A probe under way: asks one question after the other, keeps what comes, and sums it up.

What this module does not know: which questions are asked.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spex_api.completions import Allowance, Usage
from spex_api.errors import BadRequest
from spex_api.querying.probing.answer import Answer, Asked, noise_floor, value_of
from spex_api.querying.probing.judging import judge
from spex_api.querying.probing.probed import Judgement, Latency, Probed, Verdict
from spex_api.querying.probing.service import judge_headers, judge_latency, judge_service
from spex_api.querying.seconding import second_questions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Completion, CompletionRequest, Message
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.clock import Clock
    from spex_api.querying.policy import Meter
    from spex_api.scores import Score

__all__ = ["Inquiry", "Shown", "recommended_concurrency"]

Shown = tuple["tuple[Message, ...]", tuple[str, ...]]
"""What a mask leaves: the conversation, and the tools that may be called."""

_HIGHEST_CONCURRENCY = 64
_MINUTE = 60.0


@dataclass(slots=True)
class Inquiry:
    """What has been asked and answered so far.

    Attributes:
        adapter: who is asked.
        score: the number in an answer.
        meter: the stack's; None where every answer is sent for.
        clock: what latencies are measured with.
        second: the score's second model, where it has one.
        answers: in the order of asking.
        given_up: why no log-probs are asked for, where that is so.
        asked: how many requests were made, answered or not.
    """

    adapter: Adapter
    score: Score
    meter: Meter | None
    clock: Clock
    second: Adapter | None = None
    answers: list[Answer] = field(default_factory=list)
    given_up: Judgement | None = None
    asked: int = 0

    def give_up(self, why: Judgement) -> None:
        """What the score reads is not to be had: no value is read any more."""
        self.given_up = why

    @property
    def reads_values(self) -> bool:
        """Whether answers still have a value to be read."""
        return self.given_up is None

    @property
    def knows_variance(self) -> bool:
        """Whether values come with a variance of their own."""
        return any(answer.variance for answer in self.answers)

    @property
    def is_lost(self) -> bool:
        """Whether what came last is a fatal finding by itself."""
        return not self.reads_values or any(flaw.is_fatal for flaw in self.answers[-1].flaws)

    @property
    def cost(self) -> str:
        """What was sent, in a sentence."""
        count = self.meter.sent if self.meter else self.asked
        return f"{count} request{'s were' if count != 1 else ' was'} sent."

    @property
    def safe(self) -> str:
        """What is on disk, in a sentence, where the adapter keeps answers."""
        count = len(self._completions)
        return f"{count} answer{'s are' if count != 1 else ' is'} on disk." if self.meter else ""

    def questions(self, shown: Sequence[Shown]) -> list[tuple[CompletionRequest, ...]]:
        """What the score asks under each mask.

        Args:
            shown: what each mask leaves of the conversation, and of its tools.

        Raises:
            ScoreError: the endpoint cannot give what the score reads.
        """
        claimed = self.adapter.capabilities
        return [
            tuple(each.with_tools(tools) for each in self.score.requests(messages, claimed))
            for messages, tools in shown
        ]

    async def ask(self, asked: Asked, question: tuple[CompletionRequest, ...]) -> None:
        """Asks, reads, and keeps; what the endpoint refuses for good is kept as refused.

        Raises:
            BadRequest: it refuses the first question.
            AdapterError: as the adapter does.
        """
        completions: list[Completion] = []
        seconds: list[float] = []
        try:
            for request in question:
                self.asked += 1
                sent, started = self.meter.sent if self.meter else 0, self.clock.now()
                completions.append(await self.adapter.complete(request))
                # Neither what was on disk nor what was tried again says how long an answer takes.
                if self.meter is None or self.meter.sent == sent + 1:
                    seconds.append(self.clock.now() - started)
        except BadRequest:
            if not self.answers:
                raise
            completions.clear()
        answer = Answer(asked, question, tuple(completions), seconds=tuple(seconds))
        lies = any(flaw.is_fatal for flaw in answer.flaws)
        if completions and self.reads_values and asked is not Asked.WARM and not lies:
            answer = replace(answer, second=await self._second(completions))
            answer = replace(answer, scored=self.score.value(answer.together))
        self.answers.append(answer)

    async def _second(self, completions: list[Completion]) -> tuple[Completion, ...]:
        """What the second model says of these answers.

        Raises:
            AdapterError: as it does.
        """
        about = second_questions(self.score, self.second, completions)
        self.asked += len(about)
        return tuple([await self.second.complete(each) for each in about] if self.second else ())

    def probed(self) -> Probed:
        """What all of this amounts to."""
        found = list(judge(self.answers, self.score if self.reads_values else None))
        if self.given_up is not None:
            found.append(self.given_up)
        every = self._completions
        usage = sum((each.usage for each in every), start=Usage())
        repeats = [each for each in self.answers if each.asked in {Asked.REPEAT, Asked.WARM}]
        extra = [each for answer in repeats for each in answer.completions]
        latency = self._latency()
        told = [each.allowances for each in every if each.allowances]
        allowances = told[-1] if told else ()
        claimed = self.adapter.capabilities
        concurrency = claimed.concurrency
        if not claimed.free:
            concurrency = recommended_concurrency(latency, allowances, usage) or concurrency
        trusted = all(each.verdict is not Verdict.FATAL for each in found)
        found += judge_service(self.answers)
        found += judge_headers(allowances, sent_for=latency is not None)
        found += judge_latency(latency, concurrency)
        return Probed(
            model=self.adapter.model,
            endpoint=self.adapter.endpoint,
            capabilities=replace(
                claimed,
                top_logprobs=self._longest_list(trusted=trusted),
                concurrency=concurrency,
            ),
            findings=tuple(found),
            noise_floor=noise_floor(self.answers),
            full=value_of(self.answers, Asked.FULL),
            empty=value_of(self.answers, Asked.EMPTY),
            served=_served(every),
            latency=latency,
            allowances=allowances,
            usage=usage,
            extra=sum((each.usage for each in extra), start=Usage()),
            extra_second=sum(
                (each.usage for answer in repeats for each in answer.second), start=Usage()
            ),
            extra_served=_served(extra),
            requests=len(every) + sum(len(answer.second) for answer in self.answers),
        )

    @property
    def _completions(self) -> list[Completion]:
        return [each for answer in self.answers for each in answer.completions]

    def _latency(self) -> Latency | None:
        seconds = [second for answer in self.answers for second in answer.seconds]
        # The first opens the connection, or starts an engine.
        return Latency.of(seconds[1:] if len(seconds) > 2 else seconds)

    def _longest_list(self, *, trusted: bool) -> int:
        asking = any(each.top_logprobs for answer in self.answers for each in answer.question)
        if self.reads_values and not asking:
            return self.adapter.capabilities.top_logprobs
        lists = (len(token.top) for each in self._completions for token in each.tokens)
        return max(lists, default=0) if trusted else 0


def _served(completions: Sequence[Completion]) -> tuple[tuple[str, int], ...]:
    """How many answers each served model gave, by its name and fingerprint."""
    return tuple(sorted(Counter(each.served for each in completions).items()))


def recommended_concurrency(
    latency: Latency | None, allowances: Sequence[Allowance], usage: Usage
) -> int | None:
    """How many requests under way at once use up the endpoint's limits, by Little's law.

    As many as arrive in the time that a slow one takes, if they arrive at the limit, which is taken
    to be one a minute: every vendor that we know of counts so.

    Args:
        latency: of one answer.
        allowances: the limits, as headers tell them.
        usage: of the answers seen, for the tokens that one takes.

    Returns:
        At least 1 and at most 64; None where the limits or the latency are not known.
    """
    if latency is None or not usage.requests:
        return None
    share = {
        "requests": 1.0,
        "tokens": (usage.input_tokens + usage.output_tokens) / usage.requests,
        "input_tokens": usage.input_tokens / usage.requests,
        "output_tokens": usage.output_tokens / usage.requests,
    }
    rates = [
        each.limit / max(share[each.of], 1.0) / _MINUTE
        for each in allowances
        if each.limit is not None and each.of in share
    ]
    if not rates:
        return None
    return min(max(math.ceil(min(rates) * latency.p95), 1), _HIGHEST_CONCURRENCY)
