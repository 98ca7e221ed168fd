"""A cap that is never exceeded: every attempt is counted before it is sent.

What this module does not know: prices. A cap in dollars therefore starts only where the model is
known to be free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.errors import BudgetExhausted, UsageError
from spex_api.querying.policy import Meter, Policy

if TYPE_CHECKING:
    from spex_api.completions import Completion, CompletionRequest

__all__ = ["Budget", "Budgeted"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may take.

    Attributes:
        requests: the cap on requests: every attempt that may be billed, whether it asks for a
            sample, for a held-out mask, or again after a failure.
        usd: the cap in US dollars, or None.
    """

    requests: int = 1000
    usd: float | None = None

    def __post_init__(self) -> None:
        if self.requests < 1 or (self.usd is not None and self.usd < 0):
            raise UsageError(
                f"A budget is at least one request and no debt, not {self.requests} requests and "
                f"{self.usd} dollars."
            )


@dataclass(frozen=True, slots=True)
class Budgeted(Policy):
    """Sends nothing beyond the cap; an attempt that fails stays counted."""

    budget: Budget
    meter: Meter

    async def complete(self, request: CompletionRequest) -> Completion:
        """Counts the attempt, then makes it.

        Raises:
            BudgetExhausted: the cap is reached; nothing is sent.
            AdapterError: as the inner adapter does.
        """
        if self.meter.sent >= self.budget.requests:
            raise BudgetExhausted(
                f"The budget of {self.budget.requests} requests is used up.",
                advice="Raise the budget and run again: nothing that is on disk is paid again.",
            )
        self.meter.sent += 1
        self.meter.in_flight += 1
        try:
            return await self.inner.complete(request)
        finally:
            self.meter.in_flight -= 1
