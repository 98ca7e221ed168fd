"""Time, so that what waits can be tested without waiting.

What this module does not know: what is waited for.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "RealClock"]


class Clock(Protocol):
    """Seconds that only grow, and a way to let them pass."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns once so many have passed."""
        ...


class RealClock:
    """The machine's."""

    def now(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Returns once so many have passed."""
        await asyncio.sleep(seconds)
