"""The progress line of a run: done, cached, failed, in flight, sent, and how long it will take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from spex_api.events import Event, Notice
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from spex_api import events

__all__ = ["ProgressLine"]


class ProgressLine:
    """Draws events on a terminal; where there is none, says the notices and a line at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[eta]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._started: tuple[float, int] | None = None
        self._last: events.Progress | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if self._last is not None:
            self._console.print(f"Answers: {self._last.done} ({_counts(self._last)}).", style="dim")

    def draw(self, event: Event) -> None:
        """Draws one event."""
        if isinstance(event, Notice):
            self._bar.console.print(harmless(event.text), style="dim", markup=False)
            return
        if self._task is None:
            self._task = self._bar.add_task("Asking", total=event.total, counts="", eta="")
        self._last = event
        self._bar.update(
            self._task,
            completed=event.done,
            total=event.total,  # it grows from round to round, and falls with every refusal
            counts=_counts(event),
            eta=self._eta(event),
        )

    def _eta(self, event: events.Progress) -> str:
        """The rest at the pace since the first answer that was not on disk."""
        if not event.sent:
            return ""
        now = time.monotonic()
        if self._started is None:
            self._started = now, event.done
        since, done = self._started
        if event.done <= done:
            return ""
        seconds = round((now - since) / (event.done - done) * (event.total - event.done))
        return f"about {seconds // 60}:{seconds % 60:02d} left"


def _counts(event: events.Progress) -> str:
    parts = [f"{event.cached} on disk, {event.sent} sent"]
    if event.in_flight:
        parts.append(f"{event.in_flight} under way")
    if event.retries:
        parts.append(f"{event.retries} sent again")
    return ", ".join(parts)
