"""What is spent and what is set aside never pass a cap together, whatever happens in what order.

What does not fit now but may once others have settled waits for them, first come first served; what
can never fit is an error. Where something took more than was set aside for it, our bound is wrong
at that endpoint: it is counted as it is, and nothing more is let go.

What this module does not know: what is asked, who is asked, and why an attempt failed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.errors import BudgetExhausted, UsageError
from spex_api.querying.idle import idle

if TYPE_CHECKING:
    from spex_api.completions import CompletionRequest, Usage
    from spex_api.querying.budget import Budget
    from spex_api.querying.pricing import Price

__all__ = ["Amount", "Ledger", "Reservation"]

_TRILLION: Final = 10**12
_ROUNDED: Final = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Amount:
    """Requests, tokens and money. Adds up exactly; `Amount()` is zero.

    Attributes:
        requests: attempts.
        tokens: input and output together.
        trillionths: of a dollar; whole numbers leave nothing behind when they are taken back.
    """

    requests: int = 0
    tokens: int = 0
    trillionths: int = 0

    @classmethod
    def of(cls, requests: int, tokens: int, usd: float | None) -> Amount:
        """The same from dollars; None is nothing."""
        return cls(requests, tokens, round((usd or 0.0) * _TRILLION))

    @property
    def usd(self) -> float:
        """The money, in dollars."""
        return self.trillionths / _TRILLION

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.requests + other.requests,
            self.tokens + other.tokens,
            self.trillionths + other.trillionths,
        )

    def __sub__(self, other: Amount) -> Amount:
        return Amount(
            self.requests - other.requests,
            self.tokens - other.tokens,
            self.trillionths - other.trillionths,
        )


class Reservation:
    """What is set aside until it is known what was spent. The first word on it counts.

    Args:
        ledger: where it is set aside.
        amount: how much.
    """

    __slots__ = ("_ledger", "_open", "amount")

    def __init__(self, ledger: Ledger, amount: Amount) -> None:
        self._ledger = ledger
        self._open = True
        self.amount = amount

    def settle(self, usage: Usage, usd: float | None) -> None:
        """Keeps so much charged, and gives the rest back.

        Args:
            usage: what was really taken.
            usd: what that costs, in dollars; None where it is not known, which keeps all the money
                that is set aside.
        """
        tokens = usage.input_tokens + usage.output_tokens
        if usd is None:
            charged = Amount(usage.requests, tokens, self.amount.trillionths)
        else:
            charged = Amount.of(usage.requests, tokens, usd)
        self._close(charged)

    def release(self) -> None:
        """Gives all of it back: it is sure that nobody pays."""
        self._close(Amount())

    def keep(self) -> None:
        """Keeps all of it charged: nobody knows what was spent."""
        self._close(self.amount)

    def _close(self, charged: Amount) -> None:
        if self._open:
            self._open = False
            self._ledger._close(self.amount, charged)  # noqa: SLF001 - the two are one


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    amount: Amount
    turn: asyncio.Future[Reservation]


class Ledger:
    """What all who share a budget have spent and set aside.

    It belongs to no event loop, and may serve one after another; but only one thread.

    Args:
        budget: the caps.
        price: of the model that is asked, or None where it is not known.
        model: the model's name, for an error's text.

    Raises:
        UsageError: there is a cap in dollars, and no price.
    """

    __slots__ = ("_queue", "_surprise", "budget", "price", "reserved", "spent")

    def __init__(
        self, budget: Budget, price: Price | None = None, *, model: str = "this model"
    ) -> None:
        self.budget = budget
        self.price = price
        self.check_price(price, model=model)
        self.spent = Amount()
        self.reserved = Amount()
        self._queue: deque[_Waiting] = deque()
        self._surprise = ""

    @property
    def waiting(self) -> int:
        """How many wait for others to settle."""
        return sum(not each.turn.done() for each in self._queue)

    def check_price(self, price: Price | None, *, model: str) -> None:
        """Lets pass a model that the caps can be kept with.

        Raises:
            UsageError: there is a cap in dollars, and no price.
        """
        if self.budget.usd is not None and price is None:
            raise UsageError(
                f"The price of {model} is not known here, so a cap of {self.budget.usd:g} dollars "
                "cannot be kept.",
                cost="Nothing was sent.",
                advice="Give its price (in a spec: [prices] input and output, in dollars a million "
                "tokens), or cap the requests or the tokens instead.",
            )

    def bound(self, request: CompletionRequest, *, price: Price | None = None) -> Amount:
        """The most that one attempt at this can take, at this price or the ledger's own."""
        known = price or self.price
        usd = known.bound(request) if known else None
        return Amount.of(1, request.input_bound + request.output_bound, usd)

    async def acquire(
        self, request: CompletionRequest, *, price: Price | None = None
    ) -> Reservation:
        """Sets aside the most that one attempt can take, once there is room; in order.

        A call that is cancelled leaves nothing behind.

        Args:
            request: what is to be sent.
            price: of the model that it is sent to, where that is not the ledger's own.

        Raises:
            BudgetExhausted: there will never be room for it.
        """
        amount = self.bound(request, price=price)
        self._check(amount, self.spent)
        if not self._queue and self._fits(amount, self.spent + self.reserved):
            return self._set_aside(amount)
        turn: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(amount, turn))
        try:
            with idle():
                return await turn
        except asyncio.CancelledError:
            self._leave(turn)
            raise

    def reserve(self, requests: int, tokens: int, usd: float | None) -> Reservation:
        """Sets so much aside at once, ahead of nobody who waits.

        Args:
            requests: how many attempts.
            tokens: how many tokens they take at the most.
            usd: what they cost at the most, in dollars; None where no price is known.

        Raises:
            BudgetExhausted: there is no room for it now; nothing was set aside.
            UsageError: there is a cap in dollars, and nobody says what this costs.
        """
        amount = self._capped(requests, tokens, usd)
        self._check(amount, self.spent + self.reserved)
        if self.waiting:
            raise self._refusal("Others wait for room in the budget already.")
        return self._set_aside(amount)

    def owe(self, requests: int, tokens: int, usd: float | None) -> Reservation:
        """Sets so much aside whatever the caps are: it is paid already, or will be.

        Args:
            requests: how many attempts.
            tokens: how many tokens they take at the most.
            usd: what they cost at the most, in dollars; None where no price is known.
        """
        return self._set_aside(Amount.of(requests, tokens, usd))

    def _capped(self, requests: int, tokens: int, usd: float | None) -> Amount:
        """So much, of which it is known whether it fits under the caps.

        Raises:
            UsageError: there is a cap in dollars, and nobody says what this costs.
        """
        if usd is None and self.budget.usd is not None:
            raise UsageError("A cap in dollars needs to know what is to be set aside in dollars.")
        return Amount.of(requests, tokens, usd)

    def _set_aside(self, amount: Amount) -> Reservation:
        self.reserved += amount
        return Reservation(self, amount)

    def _close(self, amount: Amount, charged: Amount) -> None:
        self.reserved -= amount
        self.spent += charged
        self._look_for_surprise(amount, charged)
        self._wake()

    def _look_for_surprise(self, amount: Amount, charged: Amount) -> None:
        # What has no cap may take what it likes; and sums of many dollars are a little rounded.
        if charged.requests > amount.requests:
            took, most, word = f"{charged.requests:,}", f"{amount.requests:,}", "requests"
        elif self.budget.tokens is not None and charged.tokens > amount.tokens:
            took, most, word = f"{charged.tokens:,}", f"{amount.tokens:,}", "tokens"
        elif self.budget.usd is not None and charged.usd > amount.usd * _ROUNDED:
            took, most, word = _dollars(charged.usd), _dollars(amount.usd), "dollars"
        else:
            return
        self._surprise = (
            f"What was sent took {took} {word}, and {most} were the most to be expected: a cap in "
            f"{word} cannot be kept at this endpoint."
        )

    def _wake(self) -> None:
        """Gives leave to the first in the queue, as long as there is room."""
        while self._queue:
            first = self._queue[0]
            if not first.turn.done():
                try:
                    self._check(first.amount, self.spent)
                except BudgetExhausted as error:
                    first.turn.set_exception(error)
                else:
                    if not self._fits(first.amount, self.spent + self.reserved):
                        return
                    first.turn.set_result(self._set_aside(first.amount))
            self._queue.popleft()

    def _leave(self, turn: asyncio.Future[Reservation]) -> None:
        """A call that waits was cancelled: before its turn, or just after it came."""
        if not turn.cancel() and not turn.cancelled() and turn.exception() is None:
            turn.result().release()
        self._wake()

    def _fits(self, amount: Amount, taken: Amount) -> bool:
        total = taken + amount
        budget = self.budget
        return (
            total.requests <= budget.requests
            and (budget.tokens is None or total.tokens <= budget.tokens)
            and (budget.usd is None or total.trillionths <= round(budget.usd * _TRILLION))
        )

    def _check(self, amount: Amount, taken: Amount) -> None:
        """Lets pass what fits beside what is taken.

        Raises:
            BudgetExhausted: it does not, or no bound can be trusted.
        """
        if self._surprise:
            raise self._refusal(self._surprise)
        if not self._fits(amount, taken):
            raise self._refusal(self._lack(amount, taken))

    def _lack(self, amount: Amount, taken: Amount) -> str:
        """Which cap it does not fit under, in a sentence."""
        budget, total = self.budget, taken + amount
        if total.requests > budget.requests:
            what = f"{amount.requests:,} more" if amount.requests > 1 else "another"
            return f"The budget of {_requests(budget.requests)} has no room for {what}."
        if budget.tokens is not None and total.tokens > budget.tokens:
            return (
                f"The budget of {budget.tokens:,} tokens has no room for what may take up to "
                f"{amount.tokens:,}."
            )
        return (
            f"The budget of {_dollars(budget.usd or 0.0)} has no room for what may cost up to "
            f"{_dollars(amount.usd)}."
        )

    def _refusal(self, why: str) -> BudgetExhausted:
        return BudgetExhausted(
            why,
            cost=f"Spent: {self._told(self.spent)}; set aside for what is under way: "
            f"{self._told(self.reserved)}.",
            safe="What is answered is on disk.",
            advice=f"{'Cap the requests alone' if self._surprise else 'Raise the budget'} and run "
            "again: nothing that is on disk is paid again.",
        )

    def _told(self, amount: Amount) -> str:
        told = f"{_requests(amount.requests)}, {amount.tokens:,} tokens"
        return told if self.price is None else f"{told}, {_dollars(amount.usd)}"


def _requests(count: int) -> str:
    return f"{count:,} request" if count == 1 else f"{count:,} requests"


def _dollars(amount: float) -> str:
    """Cents; where there are few, as many digits as say anything."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4g}"
