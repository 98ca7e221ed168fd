"""The whole way to an endpoint under any history: no minute over a limit, no cap passed.

Retries, the budget and the limiter stand together as they do in a run, over one virtual clock. What
the endpoint may put on the bill is reckoned here apart from the code: what it answered at what that
took, what it surely refused at nothing, and everything else at the most.
"""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spex_api.completions import Completion, CompletionRequest, Usage
from spex_api.errors import (
    AdapterError,
    BadRequest,
    MalformedReply,
    Overloaded,
    RampLimited,
    RateLimited,
    Unavailable,
)
from spex_api.querying.budget import Budget, Budgeted, Ledger
from spex_api.querying.ledger import Amount
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import Price
from spex_api.querying.retry import Retrying
from spex_api.querying.throttle import Limiter, Limits, Throttled
from tests.querying.counting_endpoint import (
    MOST,
    Arrival,
    Endpoint,
    asking,
    heaviest_minute,
    steady_use,
    wound_up,
)
from tests.querying.virtual_clock import VirtualClock

PRICE = Price(input=2.0, output=8.0, cache_read=0.5, cache_write=2.5)
"""Dollars a million tokens; a trillionth of a dollar is a millionth of such a price."""

HINTS = st.none() | st.floats(0.0, 3.0) | st.floats(0.0, 100.0) | st.floats(121.0, 150.0)
TOO_FAST = st.builds(
    lambda kind, hint: kind("Too fast.", retry_after=hint, unbilled=True),
    st.sampled_from([RateLimited, RampLimited]),
    HINTS,
)
FAILURES = st.builds(
    lambda kind, hint, unbilled: kind("No.", retry_after=hint, unbilled=unbilled),
    st.sampled_from([Unavailable, Overloaded, MalformedReply, BadRequest, AdapterError]),
    HINTS,
    st.booleans(),
)


def most(request: CompletionRequest) -> Amount:
    """The most that one attempt can take."""
    read, written = 64 + 16 + len(request.messages[0].content), request.max_tokens
    return Amount(1, read + written, read * 2_500_000 + written * 8_000_000)


def took(usage: Usage) -> Amount:
    """What an answer took."""
    read, written = usage.input_tokens, usage.output_tokens
    return Amount(1, read + written, read * 2_000_000 + written * 8_000_000)


class StackMachine(RuleBasedStateMachine):
    """Requests, answers, storms, failures, cancellations and hours, in any order."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.endpoint = Endpoint(self.clock)
        self.tasks: list[asyncio.Task] = []
        self.bill: dict[int, Amount] = {}

    @initialize(
        a_minute=st.sampled_from([None, 80, 33, 20]),
        tokens_a_minute=st.sampled_from([None, 6000, 4321, 3000]),
        requests=st.sampled_from([5000, 300, 40, 7]),
        tokens=st.sampled_from([None, 200_000, 20_000, 2_000]),
        usd=st.sampled_from([None, 0.5, 0.05, 0.005]),
        share=st.sampled_from([0.2, 1.0]),
    )
    def begin(self, a_minute, tokens_a_minute, requests, tokens, usd, share):
        """Any limits, and any caps; what is read is a fifth of its bound, or all of it."""
        self.endpoint = Endpoint(self.clock, share=share)
        self.limits = (a_minute, tokens_a_minute)
        self.limiter = Limiter(Limits(*self.limits), self.clock, MOST)
        self.throttled = Throttled(self.endpoint, self.limiter)
        self.budget = Budget(requests, tokens, usd)
        self.ledger = Ledger(self.budget, PRICE)
        self.meter = Meter()
        self.stack = self.stacked(self.ledger, self.meter)

    def stacked(self, ledger, meter):
        """The policies of a run, but for the cache, around the one limiter."""
        budgeted = Budgeted(self.throttled, ledger, meter)
        return Retrying(budgeted, meter, clock=self.clock)

    def run(self, seconds=0.0):
        """Lets the time pass, and everything run that can."""
        self.loop.run_until_complete(self.clock.advance(seconds))

    def reply(self, arrival: Arrival, error: AdapterError | None = None):
        """Answers, or fails; what is surely not billed takes no tokens of the minute either."""
        if error is None:
            self.bill[id(arrival)] = took(arrival.usage)
            arrival.reply.set_result(Completion("yes", usage=arrival.usage))
        else:
            if error.unbilled:
                self.bill[id(arrival)] = Amount()
                arrival.usage = Usage(requests=1)
            arrival.reply.set_exception(error)

    @property
    def billed(self) -> Amount:
        """The most that can be on the bill by now."""
        arrivals = self.endpoint.arrivals
        return sum((self.bill.get(id(each), most(each.request)) for each in arrivals), Amount())

    @property
    def alive(self) -> list[asyncio.Task]:
        """The calls that have not ended, wherever they wait."""
        return [task for task in self.tasks if not task.done()]

    @rule(
        sizes=st.lists(st.integers(0, 120) | st.integers(400, 600), min_size=1, max_size=12),
        max_tokens=st.integers(1, 8),
        written=st.integers(0, 8),
        delay=st.floats(0.0, 1.0),
    )
    def submit(self, sizes, max_tokens, written, delay):
        """Some requests come; those sent from now on arrive so much later."""
        self.endpoint.written, self.endpoint.delay = written, delay
        for size in sizes:
            request = asking(size, max_tokens)
            self.tasks.append(self.loop.create_task(self.stack.complete(request)))
        self.run()

    @rule(seconds=st.floats(0.0, 3.0) | st.floats(0.0, 90.0))
    def time_passes(self, seconds):
        """Turns come, pauses end, and what failed is sent again."""
        self.run(seconds)

    @precondition(lambda self: self.endpoint.open)
    @rule(data=st.data())
    def answer(self, data):
        """One is answered."""
        self.reply(data.draw(st.sampled_from(self.endpoint.open)))
        self.run()

    @precondition(lambda self: self.endpoint.open)
    @rule(seconds=st.floats(0.0, 2.0))
    def answer_all(self, seconds):
        """Everything is answered that is under way."""
        for arrival in list(self.endpoint.open):
            self.reply(arrival)
        self.run(seconds)

    @precondition(lambda self: self.endpoint.open)
    @rule(data=st.data(), error=TOO_FAST)
    def storm(self, data, error):
        """Some of what is under way went too fast."""
        count = data.draw(st.integers(1, len(self.endpoint.open)))
        for arrival in self.endpoint.open[:count]:
            self.reply(arrival, error)
        self.run()

    @precondition(lambda self: self.endpoint.open)
    @rule(data=st.data(), error=FAILURES)
    def fail(self, data, error):
        """Some fail: the server's fault, the request's, or nobody knows."""
        count = data.draw(st.integers(1, len(self.endpoint.open)))
        for arrival in self.endpoint.open[:count]:
            self.reply(arrival, error)
        self.run()

    @rule(
        turns=st.integers(5, 60),
        seconds=st.floats(0.2, 2.0),
        size=st.integers(0, 600),
        moods=st.lists(st.none() | st.none() | FAILURES | TOO_FAST, min_size=1, max_size=4),
    )
    def ask_and_ask(self, turns, seconds, size, moods):
        """For a while there is always more to ask, and the endpoint answers in turning moods."""
        mood = itertools.cycle(moods)
        for _ in range(turns):
            going = self.limiter.state.in_flight + self.limiter.state.waiting
            for _ in range(going, 4 if self.ledger.spent.requests < self.budget.requests else 0):
                self.tasks.append(self.loop.create_task(self.stack.complete(asking(size))))
            self.run(seconds)
            for arrival in list(self.endpoint.open):
                self.reply(arrival, next(mood))
        self.run()

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def cancel(self, data):
        """One is cancelled: under way, before a retry, or in either queue."""
        data.draw(st.sampled_from(self.alive)).cancel()
        self.run()

    @precondition(lambda self: self.alive and self.endpoint.open)
    @rule(data=st.data())
    def cancel_in_the_same_breath(self, data):
        """An answer makes room, and in the same moment somebody else leaves."""
        leaves = data.draw(st.sampled_from(self.alive))
        self.reply(data.draw(st.sampled_from(self.endpoint.open)))
        self.loop.call_soon(leaves.cancel)
        self.run()

    @invariant()
    def no_minute_is_over_a_limit(self):
        """As the endpoint counts them, when they arrive; what it refused counts as a request."""
        if hasattr(self, "limits"):
            for dimension, limit in enumerate(self.limits):
                if limit is not None:
                    assert heaviest_minute(self.endpoint.arrivals, dimension) <= limit

    @invariant()
    def no_cap_is_passed(self):
        """Whatever the endpoint puts on the bill, and in the ledger's own books too."""
        if not hasattr(self, "budget"):
            return
        for amount in (self.billed, self.ledger.spent + self.ledger.reserved):
            assert amount.requests <= self.budget.requests
            assert self.budget.tokens is None or amount.tokens <= self.budget.tokens
            if self.budget.usd is not None:
                assert amount.trillionths <= round(self.budget.usd * 10**12)

    @invariant()
    def the_books_hold_the_bill(self):
        """What may be billed is never less than what is charged and set aside."""
        if hasattr(self, "ledger"):
            held, billed = self.ledger.spent + self.ledger.reserved, self.billed
            assert held.requests >= billed.requests
            assert held.tokens >= billed.tokens
            assert held.trillionths >= billed.trillionths

    @invariant()
    def no_place_is_lost(self):
        """What is under way is as much as the limiter says, and no more than may be."""
        if hasattr(self, "limiter"):
            assert self.limiter.state.in_flight == len(self.endpoint.open) <= MOST

    def teardown(self):
        """After any history nothing is left behind, and the limiter is back at full use."""
        try:
            if self.tasks:
                self.ends()
                self.recovers()
        finally:
            left = wound_up(self.loop, self.tasks, self.run)
        assert not left

    def ends(self):
        """Once everything is answered and time enough has passed, nobody waits in vain."""
        for _ in range(200):
            if not self.alive:
                break
            for arrival in list(self.endpoint.open):
                self.reply(arrival)
            self.run(30.0)
            self.no_cap_is_passed()
        assert not self.alive
        self.no_minute_is_over_a_limit()
        assert self.ledger.reserved == Amount()
        assert (self.meter.in_flight, self.ledger.waiting) == (0, 0)
        assert self.meter.sent == len(self.endpoint.arrivals)

    def recovers(self):
        """With a larger budget and an endpoint that answers, 95 % of the limit are used."""
        self.run(200.0)
        state = self.limiter.state
        assert (state.in_flight, state.waiting, state.paused_for) == (0, 0, 0.0)
        self.endpoint.arrivals.clear()
        self.endpoint.written, self.endpoint.delay = 1, 0.0
        ample = self.stacked(Ledger(Budget(10**6), PRICE), Meter())
        use = self.loop.run_until_complete(
            steady_use(self.clock, ample, self.endpoint, self.limits)
        )
        assert use is None or 0.95 <= use <= 1.0
        self.no_minute_is_over_a_limit()


StackMachine.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestStack = StackMachine.TestCase
