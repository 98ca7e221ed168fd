"""What a batch may cost is set aside before it goes out, and what it did cost stays charged.

What this module does not know: a cap, and any model's price in a batch; both come in through
protocols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from spex_api.completions import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spex_api.completions import CompletionRequest

__all__ = ["UNMETERED", "BatchCosts", "Purse", "Reservation", "Tariff", "most_of"]


class Reservation(Protocol):
    """What is set aside in a budget until it is known what was spent."""

    def settle(self, usage: Usage, usd: float | None) -> None:
        """Keeps so much charged, and gives the rest back."""
        ...

    def release(self) -> None:
        """Gives all of it back: it is sure that nobody pays."""
        ...


class Purse(Protocol):
    """A budget that many answers can be set aside in at once."""

    def reserve(self, requests: int, tokens: int, usd: float | None) -> Reservation:
        """Sets so much aside.

        Raises:
            BudgetExhausted: the cap does not allow it; nothing was set aside.
        """
        ...

    def owe(self, requests: int, tokens: int, usd: float | None) -> Reservation:
        """Sets so much aside whatever the cap is, since it is paid, or will be."""
        ...


class Tariff(Protocol):
    """What answers cost in a batch, in dollars: `Price`, as `batch_price_of` gives it, is one."""

    def bound(self, request: CompletionRequest) -> float:
        """The most that the answer to this can cost."""
        ...

    def cost(self, usage: Usage) -> float:
        """What these answers cost."""
        ...


@dataclass(frozen=True, slots=True)
class BatchCosts:
    """Sets aside and counts, where there is a budget and a price.

    Attributes:
        purse: the budget, or None without one.
        tariff: the price in a batch, or None where it is not known.
    """

    purse: Purse | None = None
    tariff: Tariff | None = None

    def reserve(
        self, requests: Iterable[CompletionRequest], *, paid: bool = False
    ) -> Reservation | None:
        """Sets aside the most that these can cost in a batch; None without a budget.

        Args:
            requests: the questions.
            paid: whether they went out already, in an earlier run: then no cap can stop them, and
                what they take is missing to what is asked later.

        Raises:
            BudgetExhausted: the cap does not allow it.
        """
        if self.purse is None:
            return None
        total, usd = Usage(), 0.0
        for request in requests:
            total += most_of(request)
            usd += self.tariff.bound(request) if self.tariff else 0.0
        set_aside = self.purse.owe if paid else self.purse.reserve
        return set_aside(
            total.requests,
            total.input_tokens + total.output_tokens,
            usd if self.tariff else None,
        )

    def usd(self, usage: Usage) -> float | None:
        """What these answers cost, in dollars; None where the price is not known."""
        return self.tariff.cost(usage) if self.tariff else None


UNMETERED: Final = BatchCosts()
"""Without a budget and without a price."""


def most_of(request: CompletionRequest) -> Usage:
    """The most that one answer can take."""
    return Usage(1, request.input_bound, request.output_bound)
