"""Whatever comes in whatever order: no cap is passed, nothing leaks, and nobody is overtaken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spex_api.completions import Completion, CompletionRequest, Message, Usage
from spex_api.errors import BudgetExhausted, RateLimited, Unavailable
from spex_api.querying.budget import Budget, Budgeted, Ledger
from spex_api.querying.ledger import Amount, Reservation
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import Price

PRICE = Price(input=2.0, output=8.0, cache_read=0.5, cache_write=2.5)
COSTS = {"unbilled": RateLimited("Too fast.", unbilled=True), "unknown": Unavailable("Broken off.")}


@dataclass(eq=False, slots=True)
class Attempt:
    """One attempt that the endpoint has: what the model of this test knows of it."""

    number: int
    bound: Amount
    request: CompletionRequest
    reply: asyncio.Future[Completion]


@dataclass(eq=False, slots=True)
class Call:
    """One call of the policy."""

    number: int
    bound: Amount
    task: asyncio.Task[Completion]


def bound_of(request: CompletionRequest) -> Amount:
    """The most that it can take, reckoned in trillionths of a dollar and apart from the code."""
    tokens = 64 + len(request.messages[0].content) + 16
    return Amount(
        1, tokens + request.max_tokens, tokens * 2_500_000 + request.max_tokens * 8_000_000
    )


class Machine(RuleBasedStateMachine):
    """A ledger, an endpoint that answers when it is told, and a model of what is charged."""

    @initialize(
        requests=st.integers(1, 40),
        tokens=st.none() | st.integers(100, 2500) | st.integers(300, 900),
        cents=st.none() | st.integers(0, 60),
    )
    def start(self, requests, tokens, cents):
        """Nothing is spent yet."""
        self.loop = asyncio.new_event_loop()
        self.budget = Budget(requests, tokens, None if cents is None else cents / 10_000)
        self.ledger = Ledger(self.budget, PRICE)
        self.meter = Meter()
        self.policy = Budgeted(self, self.ledger, self.meter)
        self.numbers: dict[int, int] = {}
        self.calls: list[Call] = []
        self.attempts: list[Attempt] = []
        self.batches: list[Reservation] = []
        self.started: list[int] = []
        self.spent = Amount()
        self.sent = 0

    async def complete(self, request: CompletionRequest) -> Completion:
        """The endpoint's side of an attempt."""
        number = request.sample_index
        reply = asyncio.get_running_loop().create_future()
        attempt = Attempt(number, bound_of(request), request, reply)
        self.attempts.append(attempt)
        self.started.append(number)
        self.sent += 1
        return await reply

    def run_on(self) -> None:
        """Lets everything run that can."""

        async def yielding() -> None:
            for _ in range(8):
                await asyncio.sleep(0)

        self.loop.run_until_complete(yielding())

    @property
    def reserved(self) -> Amount:
        """What must be set aside: the bounds of all that is under way."""
        held = [attempt.bound for attempt in self.attempts]
        return sum([*held, *(batch.amount for batch in self.batches)], Amount())

    @property
    def waiting(self) -> list[Call]:
        """Those whose attempt has neither begun nor been refused."""
        return [
            call for call in self.calls if not call.task.done() and call.number not in self.started
        ]

    def fits(self, amount: Amount, taken: Amount) -> bool:
        """Whether it fits under every cap."""
        total, budget = taken + amount, self.budget
        return (
            total.requests <= budget.requests
            and (budget.tokens is None or total.tokens <= budget.tokens)
            and (budget.usd is None or total.trillionths <= round(budget.usd * 10**12))
        )

    @rule(size=st.integers(0, 400), max_tokens=st.integers(1, 60))
    def dispatch(self, size, max_tokens):
        """A call comes: it goes out, waits, or is refused for good."""
        number = len(self.calls)
        request = CompletionRequest(
            (Message("user", "x" * size),), max_tokens=max_tokens, sample_index=number
        )
        bound = bound_of(request)
        assert self.ledger.bound(request) == bound
        alone = not self.waiting
        goes = alone and self.fits(bound, self.spent + self.reserved)
        never = not self.fits(bound, self.spent)
        task = self.loop.create_task(self.policy.complete(request))
        self.calls.append(Call(number, bound, task))
        self.run_on()
        assert (number in self.started) == goes
        assert task.done() == never
        if never:
            assert isinstance(task.exception(), BudgetExhausted)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), share=st.floats(0, 1), cached=st.integers(0, 2))
    def answer(self, data, share, cached):
        """An answer comes that took anything up to its bound, or does not say."""
        attempt = self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1)))
        read = int((attempt.bound.tokens - attempt.request.max_tokens) * share)
        written = int(attempt.request.max_tokens * share)
        part = read // 2
        usage = Usage(1, read, written, *((0, 0), (part, 0), (0, part))[cached])
        if read:
            fresh = read - (part if cached else 0)
            dollars = fresh * 2_000_000 + written * 8_000_000
            dollars += part * (0, 500_000, 2_500_000)[cached]
            self.spent += Amount(1, read + written, dollars)
        else:
            self.spent += attempt.bound
        attempt.reply.set_result(Completion("yes", usage=usage))
        self.run_on()

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), kind=st.sampled_from(["unbilled", "unknown", "bug", "cancelled"]))
    def fail(self, data, kind):
        """An attempt under way fails, or is cancelled."""
        attempt = self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1)))
        if kind == "cancelled":
            self.calls[attempt.number].task.cancel()
        else:
            attempt.reply.set_exception(COSTS.get(kind) or ValueError("A bug."))
        if kind != "unbilled":
            self.spent += attempt.bound
        self.run_on()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data):
        """One that waits is cancelled."""
        call = data.draw(st.sampled_from(self.waiting))
        call.task.cancel()
        self.run_on()
        assert call.task.cancelled()

    @precondition(lambda self: self.attempts and self.waiting)
    @rule(data=st.data())
    def give_back_and_leave(self, data):
        """Room is made for the first that waits, and in the same breath it is cancelled."""
        attempt = self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1)))
        first = self.waiting[0]
        attempt.reply.set_exception(COSTS["unbilled"])
        self.loop.call_soon(first.task.cancel)
        self.run_on()
        # It had its turn, or had no room still; either way it has not begun.
        assert first.task.cancelled() or isinstance(first.task.exception(), BudgetExhausted)
        assert first.number not in self.started

    @rule(requests=st.integers(1, 6), tokens=st.integers(0, 900))
    def set_aside_many(self, requests, tokens):
        """A batch is set aside at once, or refused."""
        amount = Amount(requests, tokens, tokens * 1_000_000)
        may = not self.waiting and self.fits(amount, self.spent + self.reserved)
        if may:
            self.batches.append(self.ledger.reserve(requests, tokens, tokens / 10**6))
        else:
            with pytest.raises(BudgetExhausted):
                self.ledger.reserve(requests, tokens, tokens / 10**6)

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), share=st.floats(0, 1), known=st.booleans())
    def close_many(self, data, share, known):
        """A batch is settled with any part of it, or given back."""
        batch = self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1)))
        if known:
            requests, tokens = int(batch.amount.requests * share), int(batch.amount.tokens * share)
            batch.settle(Usage(requests, tokens), tokens / 10**6)
            self.spent += Amount(requests, tokens, tokens * 1_000_000)
        else:
            batch.release()
        self.run_on()

    @invariant()
    def no_cap_is_passed(self):
        """What is spent and what is set aside, together, stay below every cap."""
        if hasattr(self, "loop"):
            assert self.fits(Amount(), self.ledger.spent + self.ledger.reserved)

    @invariant()
    def the_books_are_right(self):
        """The ledger and the meter say what happened."""
        if hasattr(self, "loop"):
            assert self.ledger.spent == self.spent
            assert self.ledger.reserved == self.reserved
            assert self.ledger.waiting == len(self.waiting)
            assert self.meter.sent == self.sent
            assert self.meter.in_flight == len(self.attempts)

    @invariant()
    def nobody_is_overtaken(self):
        """Attempts begin in the order in which they were called for."""
        if hasattr(self, "loop"):
            assert self.started == sorted(self.started)

    @invariant()
    def nobody_waits_in_vain(self):
        """The first that waits does not fit beside what is under way, and may fit after it."""
        if hasattr(self, "loop") and self.waiting:
            first = self.waiting[0].bound
            assert not self.fits(first, self.spent + self.reserved)
            assert self.fits(first, self.spent)
            assert self.attempts or self.batches

    def teardown(self):
        """Once all that is under way is over, nobody waits and nothing is set aside."""
        if not hasattr(self, "loop"):
            return
        while self.attempts or self.batches:
            while self.batches:
                self.batches.pop().release()
            self.run_on()
            if self.attempts:
                attempt = self.attempts.pop()
                self.spent += attempt.bound
                attempt.reply.set_exception(COSTS["unknown"])
                self.run_on()
        assert all(call.task.done() for call in self.calls)
        assert self.ledger.reserved == Amount()
        assert self.ledger.spent == self.spent
        for call in self.calls:
            if not call.task.cancelled():
                call.task.exception()
        self.loop.close()


Machine.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestBudget = Machine.TestCase
