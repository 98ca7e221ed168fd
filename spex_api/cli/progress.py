"""The progress line of a run: done, on disk, failed, under way, spent, and how long it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from spex_api.events import Event, Notice
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console
    from rich.progress import Task

    from spex_api import events

__all__ = ["ProgressLine"]

_SECONDS_BETWEEN_DRAWINGS = 0.1


@dataclass(frozen=True, slots=True)
class _Start:
    """Where the run stood when the first request went out."""

    at: float
    done: int
    sent: int


class ProgressLine:
    """Draws events on a terminal; where there is none, says the notices and a line at the end."""

    def __init__(self, console: Console, *, now: Callable[[], float] = time.monotonic) -> None:
        """Draws nothing yet.

        Args:
            console: where to.
            now: seconds since some moment in the past.
        """
        self._console = console
        self._now = now
        self._waits_until = 0.0
        self._bar = Progress(
            _Doing(self._doing),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[pace]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._start: _Start | None = None
        self._last: events.Progress | None = None
        self._drawn_at: float | None = None

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
            self._console.print(
                f"Answers: {self._last.done} ({_counts(self._last)}).", style="dim", markup=False
            )

    def draw(self, event: Event) -> None:
        """Draws one event."""
        now = self._now()
        if isinstance(event, Notice):
            self._waits_until = max(self._waits_until, now + event.wait if event.wait else 0.0)
            self._bar.console.print(harmless(event.text), style="dim", markup=False)
            return
        if self._start is None and event.sent:
            self._start = _Start(now, event.done, event.sent)
        if self._last is not None and event.done > self._last.done:
            self._waits_until = 0.0  # an answer came: whoever waits does not hold up the run
        self._last = event
        # Thousands of answers a second come from disk; nobody sees more than a few drawings.
        fresh = self._drawn_at is not None and now - self._drawn_at < _SECONDS_BETWEEN_DRAWINGS
        if fresh and event.done < event.total:
            return
        self._drawn_at = now
        if self._task is None:
            self._task = self._bar.add_task("Asking", total=event.total, counts="", pace="")
        self._bar.update(
            self._task,
            completed=event.done,
            total=event.total,  # it grows from round to round, and falls with every refusal
            counts=_counts(event),
            pace=self._pace(event, now),
        )

    def _doing(self) -> str:
        left = self._waits_until - self._now()
        return f"Waiting {left:.0f} s" if left >= 1 else "Asking"

    def _pace(self, event: events.Progress, now: float) -> str:
        """The pace since the first request went out, and the rest at this pace."""
        start = self._start
        if start is None or now <= start.at or event.done <= start.done:
            return ""
        elapsed = now - start.at
        seconds = round(elapsed / (event.done - start.done) * (event.total - event.done))
        left = f"about {seconds // 60}:{seconds % 60:02d} left"
        sent = round((event.sent - start.sent) / elapsed * 60)
        return f"{sent:,} a minute, {left}" if sent else left


class _Doing(ProgressColumn):
    """What the run does just now; drawn again while nothing happens, so that a wait counts down."""

    max_refresh = 0.5

    def __init__(self, doing: Callable[[], str]) -> None:
        super().__init__()
        self._said = doing

    def render(self, task: Task) -> Text:  # noqa: ARG002 - the signature is rich's own
        """A word or two."""
        return Text(self._said())


def _counts(event: events.Progress) -> str:
    parts = [f"{event.cached} on disk, {event.sent} sent"]
    if event.failed:
        parts.append(f"{event.failed} failed")
    if event.in_flight:
        parts.append(f"{event.in_flight} under way")
    if event.retries:
        parts.append(f"{event.retries} sent again")
    if event.usd is not None and event.usd_cap is not None:
        parts.append(f"{_dollars(event.usd)} of {_dollars(event.usd_cap)}")
    elif event.usd:
        parts.append(_dollars(event.usd))
    return ", ".join(parts)


def _dollars(amount: float) -> str:
    """Cents; where there are few, as many digits as say anything."""
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.2g}"
