"""One moment at which to look again, instead of looking all the time.

What this module does not know: what is looked at.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.querying.clock import Clock

__all__ = ["Alarm"]

_SHORTEST_SLEEP = 0.01
"""In seconds. One alarm then serves several that come close together, and no rounding of the clock
makes it ring on and on."""


class Alarm:
    """Calls back at one moment at a time; belongs to whichever event loop it is set in.

    Args:
        clock: what tells the time and sleeps.
        ring: is called at the moment, and may set the alarm again.
    """

    __slots__ = ("_clock", "_moment", "_ring", "_ringing", "_task")

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._ringing = False
        self._moment = math.inf
        self._task: asyncio.Task[None] | None = None

    def set(self, moment: float) -> None:
        """Rings at this moment of the clock, or at the earlier one that it is set to."""
        if self._ringing:
            self._moment = moment
            return
        loop = asyncio.get_running_loop()
        task = self._task
        if task is not None and not task.done() and task.get_loop() is loop:
            if self._moment <= moment + _SHORTEST_SLEEP:
                return
            task.cancel()
        self._moment = moment
        self._task = loop.create_task(self._wait())

    def drop(self) -> None:
        """Does not ring, until it is set again."""
        self._moment = math.inf
        task = self._task
        if task is None or self._ringing:
            return
        self._task = None
        if task.get_loop() is asyncio.get_running_loop():
            task.cancel()

    async def _wait(self) -> None:
        while self._moment < math.inf:
            await self._clock.sleep(max(self._moment - self._clock.now(), _SHORTEST_SLEEP))
            self._moment = math.inf
            self._ringing = True
            try:
                self._ring()
            finally:
                self._ringing = False
