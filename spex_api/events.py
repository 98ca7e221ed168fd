"""What happened, for whoever draws it. Nothing here is needed for the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Event", "EventHandler", "Notice", "Progress", "ignore"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the user: a download, a choice, a wait."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the querying stands.

    Attributes:
        total: how many answers the plan needs.
        cached: how many came from disk.
        answered: how many the endpoint has given.
        in_flight: how many are being waited for.
        retries: how many attempts failed and were made again.
        cap: how many requests may be sent at most, or None.
    """

    total: int
    cached: int = 0
    answered: int = 0
    in_flight: int = 0
    retries: int = 0
    cap: int | None = None

    @property
    def done(self) -> int:
        """How many answers are there."""
        return self.cached + self.answered


Event = Notice | Progress
EventHandler = Callable[[Event], None]


def ignore(event: Event) -> None:  # noqa: ARG001 - the handler that draws nothing
    """The handler that draws nothing."""
