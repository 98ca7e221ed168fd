"""How far an audit is: what its prompts tell of themselves, as one.

What this module does not know: what is asked, and who draws it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spex_api.events import EventHandler, Notice, Progress
from spex_api.querying.policy import Meter

if TYPE_CHECKING:
    from spex_api.events import Event

__all__ = ["Board"]


@dataclass(slots=True)
class Board:
    """Adds up the events of many prompts; the one thing here that changes.

    Attributes:
        meter: of all prompts: what was sent.
        on_event: is told of all together.
        usd_cap: what may be spent.
        total: how many answers are expected in all, at the most.
        meters: of each prompt: what was on disk.
    """

    meter: Meter
    on_event: EventHandler
    usd_cap: float | None = None
    total: int = 0
    meters: dict[str, Meter] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=dict)
    _failed: dict[str, int] = field(default_factory=dict)
    _answered: int = 0
    _refused: int = 0
    _said: set[str] = field(default_factory=set)

    @property
    def cached(self) -> int:
        """How many answers came from disk."""
        return max(sum(meter.cached for meter in (self.meter, *self.meters.values())), 0)

    def meter_of(self, case_id: str) -> Meter:
        """What counts what is on disk for one prompt."""
        return self.meters.setdefault(case_id, Meter())

    def listen(self, case_id: str) -> EventHandler:
        """What one prompt tells its events."""

        def handle(event: Event) -> None:
            if isinstance(event, Notice):
                self._say(event)
            else:
                self._count(case_id, event)

        return handle

    def _say(self, notice: Notice) -> None:
        """Once: what is chosen or warned of for one prompt is so for most."""
        if notice.wait or notice.text not in self._said:
            self._said.add(notice.text)
            self.on_event(notice)

    def _count(self, case_id: str, event: Progress) -> None:
        self._answered += event.done - self._done.get(case_id, 0)
        self._refused += event.failed - self._failed.get(case_id, 0)
        self._done[case_id], self._failed[case_id] = event.done, event.failed
        self.on_event(
            Progress(
                done=self._answered,
                total=max(self.total, self._answered),
                cached=self.cached,
                in_flight=self.meter.in_flight,
                retries=self.meter.retries,
                sent=self.meter.sent,
                failed=self._refused,
                usd=self.meter.usd,
                usd_cap=self.usd_cap,
            )
        )
