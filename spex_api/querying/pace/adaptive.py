"""How many requests may be under way at once is found out, not guessed.

The answer starts low and doubles with every clean round until the endpoint first says "too fast";
from then on it grows by a few hundredths a round, and only while nearly all of it is used, since an
unused limit teaches nothing. "Too fast" cuts it by a quarter, at most once in a while: the other
requests of the same storm say nothing new. A round is as many answers as may be under way.

What this module does not know: requests a minute, pauses, and who waits.
"""

from __future__ import annotations

import math
from collections import deque

from spex_api.errors import UsageError

__all__ = ["AdaptiveConcurrency"]

_START = 4
_COOLDOWN = 10.0
"""Seconds in which there is no second cut, and no growth after a cut or a failure."""
_CUT = 0.75
_CUT_FOR_RAMP = 0.5
_GROWTH = 1.05
_GROWTH_AFTER_RAMP = 1.02
_SATURATED = 0.8


class AdaptiveConcurrency:
    """How many requests may be under way at once, and how many are.

    Args:
        most: what it never exceeds.

    Raises:
        UsageError: not even one may be under way.
    """

    __slots__ = (
        "_answers",
        "_exact",
        "_frozen_until",
        "_growth",
        "_last_cut",
        "_most",
        "_peak",
        "cuts",
        "in_flight",
    )

    def __init__(self, most: int) -> None:
        if most < 1:
            raise UsageError(f"At least one request is under way at once, not {most}.")
        self.in_flight = 0
        self.cuts: deque[float] = deque(maxlen=8)
        """When the limit was cut: the last few times."""
        self._most = most
        self._exact = float(min(_START, most))
        self._growth = 2.0
        self._answers = 0
        self._peak = 0
        self._last_cut = -math.inf
        self._frozen_until = -math.inf

    @property
    def limit(self) -> int:
        """How many may be under way at once: at least one."""
        return int(self._exact)

    @property
    def free(self) -> bool:
        """Whether one more may go."""
        return self.in_flight < int(self._exact)

    def enter(self) -> None:
        """One more is under way."""
        self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)

    def leave(self) -> None:
        """One is back, however it ended."""
        self.in_flight -= 1

    def answered(self, now: float) -> None:
        """An answer came: the last of a clean round lets the limit grow."""
        self._answers += 1
        if self._answers < self.limit:
            return
        if self._peak >= _SATURATED * self.limit and now >= self._frozen_until:
            self._exact = min(self._exact * self._growth, float(self._most))
        self._begin_round()

    def cut(self, sent_at: float, now: float, *, ramp: bool) -> None:
        """The endpoint says "too fast" of a request that left at `sent_at`.

        Args:
            sent_at: in seconds; if that was before the last cut, it is no news.
            now: in seconds.
            ramp: whether the endpoint means the growth itself, which is slower from now on.
        """
        self._begin_round()
        self._growth = _GROWTH_AFTER_RAMP if ramp else min(self._growth, _GROWTH)
        self._frozen_until = now + _COOLDOWN
        if sent_at < self._last_cut or now < self._last_cut + _COOLDOWN:
            return
        self._last_cut = now
        self.cuts.append(now)
        self._exact = max(1.0, self._exact * (_CUT_FOR_RAMP if ramp else _CUT))

    def freeze(self, now: float) -> None:
        """The endpoint fails: that says nothing of our speed, so there is no cut and no growth."""
        self._begin_round()
        self._frozen_until = now + _COOLDOWN

    def _begin_round(self) -> None:
        self._answers = 0
        self._peak = self.in_flight
