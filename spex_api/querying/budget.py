"""Sends nothing beyond the caps: an attempt goes out once the most that it can cost is set aside.

It is charged with what it really took. One that surely nobody pays for is given back; every other
failure, a cancelled attempt too, stays charged at the most, since nobody knows. What this module
does not know: how what is set aside adds up, and where prices come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING

from spex_api.errors import AdapterError, UsageError
from spex_api.querying.ledger import Ledger
from spex_api.querying.policy import Meter, Policy

if TYPE_CHECKING:
    from spex_api.completions import Completion, CompletionRequest, Usage
    from spex_api.querying.ledger import Reservation
    from spex_api.querying.pricing import Price

__all__ = ["Budget", "Budgeted", "Ledger"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may take.

    Attributes:
        requests: the cap on requests: every attempt that may be billed, whether it asks for a
            sample, for a held-out mask, or again after a failure.
        tokens: the cap on tokens, input and output together, or None.
        usd: the cap in US dollars, or None.

    Raises:
        UsageError: a cap under which nothing could be asked, or a debt.
    """

    requests: int = 1000
    tokens: int | None = None
    usd: float | None = None

    def __post_init__(self) -> None:
        caps: tuple[object, ...] = (self.requests, self.tokens or 0, self.usd or 0)
        if not all(isinstance(cap, Real) for cap in caps):
            raise UsageError(
                f"A budget is counted in numbers, unlike {self}.",
                advice="For instance Budget(requests=1000, usd=0.50).",
            )
        if (
            self.requests < 1
            or (self.tokens is not None and self.tokens < 1)
            or (self.usd is not None and not 0 <= self.usd < math.inf)
        ):
            raise UsageError(
                f"A budget is at least one request and one token and no debt, not {self}."
            )


@dataclass(frozen=True, slots=True)
class Budgeted(Policy):
    """Sends an attempt only once the most that it can take is set aside.

    Attributes:
        ledger: the caps, and what all who share them have taken.
        meter: counts what goes out, and is told what the ledger has in dollars.
        price: of the model that is asked, where that is not the ledger's own.
    """

    ledger: Ledger
    meter: Meter
    price: Price | None = None

    def __post_init__(self) -> None:
        self._tell()

    async def complete(self, request: CompletionRequest) -> Completion:
        """Sets aside what the attempt can take, makes it, and charges what it took.

        An answer that does not say what it read is charged at the most.

        Raises:
            BudgetExhausted: there will never be room under the caps; nothing is sent.
            AdapterError: as the inner adapter does.
        """
        reservation = await self.ledger.acquire(request, price=self.price)
        self.meter.sent += 1
        self.meter.in_flight += 1
        self._tell()
        try:
            completion = await self.inner.complete(request)
        except BaseException as error:
            if isinstance(error, UsageError) or getattr(error, "unsent", False):
                self.meter.sent -= 1  # it only waited for its turn
                reservation.release()
            elif isinstance(error, AdapterError) and error.unbilled:
                reservation.release()
            raise
        else:
            if completion.usage.input_tokens:
                self._settle(reservation, completion.usage)
            return completion
        finally:
            reservation.keep()
            self.meter.in_flight -= 1
            self._tell()

    def _settle(self, reservation: Reservation, usage: Usage) -> None:
        price = self.price or self.ledger.price
        asked = replace(usage, requests=max(usage.requests, 1))
        reservation.settle(asked, price.cost(asked) if price else None)

    def _tell(self) -> None:
        if self.ledger.price is not None:
            self.meter.usd = self.ledger.spent.usd
            self.meter.usd_reserved = self.ledger.reserved.usd
