"""Time that passes when the test says so: an hour of waiting takes no time, and is exact.

A sleeper wakes when the test advances the time past its moment, in the order of the moments, and
everything that its waking sets going runs before the time moves on. What this module does not know:
real sockets and threads; whatever waits for those is not waited for here.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

__all__ = ["VirtualClock"]

Result = TypeVar("Result")


class VirtualClock:
    """A `Clock` whose time stands still until it is advanced.

    >>> async def main():
    ...     clock = VirtualClock()
    ...     sleeper = asyncio.create_task(clock.sleep(60))
    ...     await clock.advance(59)
    ...     early = sleeper.done()
    ...     await clock.advance(1)
    ...     return early, sleeper.done(), clock.now()
    >>> asyncio.run(main())
    (False, True, 60.0)
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self.sleeps = 0
        """How many sleeps were begun: what polls shows here."""

    def now(self) -> float:
        """Seconds since the start."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Returns once the time was advanced so far; a sleep of nothing only yields."""
        self.sleeps += 1
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wakes: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), wakes))
        await wakes

    async def advance(self, seconds: float) -> None:
        """Lets so many seconds pass; `advance(0)` only lets everything run that can."""
        end = self._now + seconds
        await self._settle()
        while self._next() <= end:
            await self._wake_next()
        self._now = end

    async def finish(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What the coroutine returns, however long it takes: the time jumps from sleep to sleep.

        Raises:
            RuntimeError: the coroutine waits, and nobody sleeps.
        """
        task = asyncio.ensure_future(work)
        await self._settle()
        while not task.done():
            if self._next() == float("inf"):
                task.cancel()
                raise RuntimeError("What is to be finished waits for something else than time.")
            await self._wake_next()
        return await task

    def _next(self) -> float:
        """When the next sleeper wakes; those that were cancelled are passed over."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else float("inf")

    async def _wake_next(self) -> None:
        moment, _, wakes = heapq.heappop(self._sleepers)
        self._now = max(self._now, moment)
        wakes.set_result(None)
        await self._settle()

    async def _settle(self) -> None:
        """Returns once nothing is left that could run without the time moving on."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        for _ in range(100_000):
            await asyncio.sleep(0)
            if not ready:
                return
        raise RuntimeError("Something runs on and on without waiting for anything.")
