"""What happened, for whoever draws it. Nothing here is needed for the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Event", "EventHandler", "Notice", "Progress", "ignore"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the user: a download, a choice, a wait.

    Attributes:
        text: the sentence.
        wait: seconds of the wait that it tells of, or 0.
    """

    text: str
    wait: float = 0.0


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
        failed: how many masks the endpoint refused for good; `total` does not count them.
        usd: what was spent now, where the price is known.
        usd_cap: what may be spent, where there is a cap.
    """

    done: int
    total: int
    cached: int = 0
    in_flight: int = 0
    retries: int = 0
    sent: int = 0
    failed: int = 0
    usd: float | None = None
    usd_cap: float | None = None


Event = Notice | Progress
EventHandler = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The handler that draws nothing."""
