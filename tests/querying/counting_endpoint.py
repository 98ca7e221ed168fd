"""An endpoint that counts what arrives, as a provider does: by the minute, and on the bill.

What this module does not know: who limits what arrives, and who keeps to a budget.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spex_api.completions import Completion, CompletionRequest, Message, Usage

if TYPE_CHECKING:
    from tests.querying.virtual_clock import VirtualClock

__all__ = [
    "MINUTE",
    "MOST",
    "Arrival",
    "Endpoint",
    "asking",
    "heaviest_minute",
    "steady_use",
    "wound_up",
]

MINUTE = 60.0
MOST = 12
"""The most that may be under way at once."""


def asking(size: int, max_tokens: int = 1) -> CompletionRequest:
    """A request whose `input_bound` is 80 more than its size."""
    return CompletionRequest((Message("user", "x" * size),), max_tokens=max_tokens)


@dataclass(slots=True)
class Arrival:
    """One request as the endpoint counts it."""

    at: float
    usage: Usage
    request: CompletionRequest
    reply: asyncio.Future[Completion]

    def amount(self, dimension: int) -> int:
        """How much it takes of this dimension."""
        read, written = self.usage.input_tokens, self.usage.output_tokens
        return (1, read + written, read, written)[dimension]


@dataclass(slots=True)
class Endpoint:
    """An adapter that counts what arrives, later than it was sent.

    It answers when it is told, or after its latency where it has one.
    """

    clock: VirtualClock
    delay: float = 0.0
    latency: float | None = None
    share: float = 0.25
    written: int = 1
    arrivals: list[Arrival] = field(default_factory=list)
    open: list[Arrival] = field(default_factory=list)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Counts the request, and waits to be told what to answer."""
        usage = Usage(
            requests=1,
            input_tokens=round(request.input_bound * self.share),
            output_tokens=min(self.written, request.max_tokens),
        )
        reply = asyncio.get_running_loop().create_future()
        arrival = Arrival(self.clock.now() + self.delay, usage, request, reply)
        self.arrivals.append(arrival)
        if self.latency is not None:
            await self.clock.sleep(self.latency)
            return Completion("yes", usage=usage)
        self.open.append(arrival)
        try:
            return await reply
        finally:
            self.open.remove(arrival)


def heaviest_minute(arrivals: list[Arrival], dimension: int) -> int:
    """The most that any sixty seconds took, both ends included."""
    window, total, heaviest = deque(), 0, 0
    for arrival in sorted(arrivals, key=lambda each: each.at):
        window.append(arrival)
        total += arrival.amount(dimension)
        while window[0].at < arrival.at - MINUTE:
            total -= window.popleft().amount(dimension)
        heaviest = max(heaviest, total)
    return heaviest


def wound_up(loop, tasks, run):
    """What is left in the loop, which is closed, once all tasks were cancelled and have ended."""
    for task in tasks:
        task.cancel()
    run()
    for task in tasks:
        assert task.done()
        task.cancelled() or task.exception()
    left = asyncio.all_tasks(loop)
    loop.close()
    return left


async def steady_use(clock, adapter, endpoint, limits, *, latency=0.05, size=20, minutes=3):
    """How much of the scarcest limit is used in the minutes after the first, of 1.

    Everything is answered after the latency, and there is always more to ask.
    """
    given_limits = [(at, limit) for at, limit in enumerate(limits) if limit is not None]
    if not given_limits:
        return None
    endpoint.latency = latency
    end = clock.now() + MINUTE * (minutes + 1)

    async def ask():
        while clock.now() < end:
            await adapter.complete(asking(size))

    asking_tasks = [asyncio.create_task(ask()) for _ in range(MOST + 2)]
    start = clock.now() + MINUTE
    await clock.advance(end - clock.now() - 1e-6)
    for task in asking_tasks:
        task.cancel()
    await clock.advance(0)
    counted = [each for each in endpoint.arrivals if each.at >= start]
    return max(
        sum(each.amount(dimension) for each in counted) / (limit * minutes)
        for dimension, limit in given_limits
    )
