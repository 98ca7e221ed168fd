"""No sixty seconds take more than the limit: an exact log of what was taken, and when.

A bucket with its burst lets almost twice the limit through in its first minute; a log does not. The
log looks back over `WINDOW` seconds, one more than a minute: two requests that leave sixty seconds
apart may arrive closer together, by as much as the first was held up longer on its way (a
handshake, a busy loop). The second more covers that, and costs 1.6 % of the use.

A log alone would fire the whole minute at once and then be silent, forever in step; endpoints that
hold their limit over parts of a minute refuse that. So what is taken is also paced, at the limit's
own rate: at most `BURST` seconds' worth goes out together. The pace is a little faster than what
the log bears, so that in the long run it takes nothing away.

What this module does not know: what is counted, who waits, and any other dimension.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.completions import Allowance

__all__ = ["BURST", "MINUTE", "WINDOW", "Entry", "Window"]

MINUTE = 60.0
WINDOW = 61.0
BURST = 2.0


@dataclass(slots=True)
class Entry:
    """What one request takes of one dimension: first an estimate, then the real amount.

    Attributes:
        at: when it was taken.
        amount: how much it counts.
        used: how much all of the log counted just after it was taken.
        live: whether the log still counts it.
    """

    at: float
    amount: float
    used: float
    live: bool = True


@dataclass(frozen=True, slots=True)
class _Reading:
    """What an endpoint said is left, as a second limit that passes.

    Attributes:
        sent_at: when the request left whose reply says so; an older one says nothing new.
        most: how much the log may count.
        since: when that began to hold.
        until: when all is back.
        evenly: whether it comes back little by little, or all at the end.
    """

    sent_at: float
    most: float
    since: float
    until: float
    evenly: bool

    def most_at(self, now: float, limit: float) -> float:
        if now >= self.until:
            return math.inf
        if not self.evenly:
            return self.most
        return self.most + (limit - self.most) * (now - self.since) / (self.until - self.since)

    def bears(self, amount: float, limit: float) -> float:
        """When the log may count so much."""
        if not self.evenly or amount >= limit:
            return self.until
        share = (amount - self.most) / (limit - self.most)
        return self.since + share * (self.until - self.since)


class Window:
    """The log of one dimension. Every step takes the same time, however long the log.

    Args:
        limit: the most that may be taken in a minute, or None: then the endpoint's own limit is
            adopted once a reply names it.
    """

    __slots__ = ("_adopts", "_entries", "_paced_until", "_reading", "limit", "used")

    def __init__(self, limit: float | None) -> None:
        self.limit = math.inf if limit is None else limit
        self.used = 0.0
        self._adopts = limit is None
        self._entries: deque[Entry] = deque()
        self._paced_until = -math.inf
        self._reading: _Reading | None = None

    def due(self, amount: float, now: float) -> float:
        """The earliest moment at which so much may be had: past if now, infinite if never.

        A moment to come is one to look again at; it may turn out that it takes longer.
        """
        if amount > self.limit:
            return math.inf
        self._forget(now)
        paced = self._paced_until - BURST
        wanted = self.used + amount
        due = -math.inf
        if wanted > self.limit:
            due = self._entries[0].at + WINDOW
        elif self._reading is not None and wanted > self._reading.most_at(now, self.limit):
            due = self._reading.bears(wanted, self.limit)
            if self._entries:
                due = min(due, self._entries[0].at + WINDOW)
        return max(paced, due)

    def take(self, amount: float, now: float) -> Entry:
        """Counts so much from now on."""
        self.used += amount
        entry = Entry(now, amount, self.used)
        self._entries.append(entry)
        if self.limit != math.inf:
            start = max(now, self._paced_until)
            self._paced_until = start + amount * MINUTE / self.limit
        return entry

    def settle(self, entry: Entry, amount: float, now: float) -> None:
        """Counts the real amount instead of the estimate, from when the estimate was taken."""
        self._forget(now)
        more = amount - entry.amount
        if not more or not entry.live:
            return
        entry.amount = amount
        self.used += more
        if self.limit != math.inf:
            self._paced_until += more * MINUTE / self.limit

    def resync(self, allowance: Allowance, entry: Entry, now: float) -> None:
        """Heeds what the reply to one request says is left; that can only make us slower.

        While it holds, our own use may not grow by more than what was left: so what others take
        of the same limit is left to them. A limit is adopted where the user gave none, unless
        it takes longer than a minute to come back: then it is the limit of an hour or a day.
        """
        resets_in = WINDOW if allowance.resets_in is None else allowance.resets_in
        if self._adopts and resets_in <= WINDOW and 0 < (allowance.limit or 0.0) < math.inf:
            self.limit = allowance.limit or self.limit
        newer = self._reading is None or entry.at >= self._reading.sent_at
        if allowance.remaining is None or not newer:
            return
        most = entry.used + max(allowance.remaining, 0.0)
        until = now + min(max(resets_in, 0.0), WINDOW)
        self._reading = None
        if most < self.limit and until > now:
            self._reading = _Reading(entry.at, most, now, until, _comes_back_evenly(allowance))

    def _forget(self, now: float) -> None:
        entries = self._entries
        while entries and (entries[0].at + WINDOW <= now or not entries[0].amount):
            entry = entries.popleft()
            entry.live = False
            self.used -= entry.amount


def _comes_back_evenly(allowance: Allowance) -> bool:
    """Whether all is back after as much of a minute as was used of the limit.

    Then the endpoint refills a bucket. Otherwise its minute ends at one moment, and what is sent
    before is refused.
    """
    limit, remaining, resets_in = allowance.limit, allowance.remaining, allowance.resets_in
    if not limit or remaining is None or resets_in is None:
        return False
    expected = MINUTE * (1.0 - remaining / limit)
    return abs(resets_in - expected) <= 1.0 + 0.05 * expected
