"""What a worker tells the one who sent its errands: sentences at once, numbers twice a second.

What this module does not know: what is asked, and who draws it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from spex_api.audits.workers.errands import Counts
from spex_api.events import Notice, Progress
from spex_api.querying.policy import Meter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from distributed import Worker

    from spex_api.audits.board import Board
    from spex_api.events import Event, EventHandler

__all__ = ["Hearing", "Telling", "topic_of"]

_EVERY: Final = 0.5
"""Seconds."""


def topic_of(run: str) -> str:
    """Under what the workers tell of a run."""
    return f"spex-audit-{run}"


@dataclass(slots=True, eq=False)
class Telling:
    """A worker's voice.

    Attributes:
        worker: passes it on.
        run: of which it tells.
        name: of this process in this run.
        meter: of the worker's stack.
        cases: what counts what came from disk, by case.
    """

    worker: Worker
    run: str
    name: str
    meter: Meter = field(default_factory=Meter)
    cases: dict[str, Meter] = field(default_factory=dict)
    _news: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def counts(self) -> Counts:
        """What was sent so far."""
        return Counts(self.name, self.meter)

    def hear(self, event: Event) -> None:
        """Tells a sentence at once."""
        if isinstance(event, Notice):
            self._tell({"said": event.text, "wait": event.wait})

    def listen(self, case_id: str) -> EventHandler:
        """What one prompt tells its events."""

        def handle(event: Event) -> None:
            if isinstance(event, Notice):
                self.hear(event)
            else:
                self._news[case_id] = (event.done, event.failed)

        return handle

    @asynccontextmanager
    async def now_and_then(self) -> AsyncIterator[None]:
        """Tells the numbers for as long as the context lasts."""
        telling = asyncio.create_task(self._keep_telling())
        try:
            yield
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            if self._news:
                news, self._news = self._news, {}
                done = {case: (*numbers, self.cases[case].cached) for case, numbers in news.items()}
                self._tell({"who": self.name, "meter": asdict(self.meter), "cases": done})

    def _tell(self, message: Mapping[str, Any]) -> None:
        self.worker.log_event(topic_of(self.run), dict(message))


@dataclass(slots=True, eq=False)
class Hearing:
    """What all workers tell, added up on the board of the one who sent the errands.

    Attributes:
        board: where it is told how far the prompts are.
    """

    board: Board
    _known: dict[str, Meter] = field(default_factory=dict)

    def hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """One message, as Dask passes it on."""
        message = event[1]
        if "said" in message:
            self.board.listen("")(Notice(str(message["said"]), float(message["wait"])))
            return
        self.count(Counts(message["who"], Meter(**message["meter"])))
        for case_id, (done, failed, cached) in message["cases"].items():
            self.board.meter_of(case_id).cached = cached
            self.board.listen(case_id)(Progress(done, total=0, failed=failed))

    def count(self, counts: Counts) -> None:
        """What one worker has sent so far, whichever of its messages comes first."""
        known = self._known.get(counts.worker, Meter())
        now, ours = counts.meter, self.board.meter
        if now.sent < known.sent:
            return
        ours.sent += now.sent - known.sent
        ours.retries += now.retries - known.retries
        ours.cached += now.cached - known.cached
        ours.in_flight += now.in_flight - known.in_flight
        if now.usd is not None:
            ours.usd = max(ours.usd or 0.0, now.usd)  # each tells of all who share the run
        self._known[counts.worker] = now
