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
        done: how many answers are there.
        total: how many are needed before the next look, those that are there among them.
        cached: how many requests were answered from disk.
        in_flight: how many are being waited for.
        retries: how many were sent again after a failure.
        sent: how many went out, failed ones among them.
    """

    done: int
    total: int
    cached: int = 0
    in_flight: int = 0
    retries: int = 0
    sent: int = 0


Event = Notice | Progress
EventHandler = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The handler that draws nothing."""
