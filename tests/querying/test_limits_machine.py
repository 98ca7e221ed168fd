"""Whatever comes in whatever order: no minute over a limit, nobody overtaken, no place lost."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spex_api.completions import Allowance, Completion, CompletionRequest, Usage
from spex_api.errors import (
    AdapterError,
    BadRequest,
    Overloaded,
    RampLimited,
    RateLimited,
    Unavailable,
)
from spex_api.querying.throttle import Limiter, Limits, Throttled
from tests.querying.counting_endpoint import (
    MOST,
    Endpoint,
    asking,
    heaviest_minute,
    steady_use,
    wound_up,
)
from tests.querying.virtual_clock import VirtualClock

DIMENSIONS = ("requests", "tokens", "input_tokens", "output_tokens")

ERRORS = st.one_of(
    st.builds(
        lambda kind, hint, unbilled: kind("No.", retry_after=hint, unbilled=unbilled),
        st.sampled_from([RateLimited, RampLimited, Overloaded]),
        st.none() | st.floats(0.0, 100.0),
        st.booleans(),
    ),
    st.builds(
        lambda kind, unbilled: kind("No.", unbilled=unbilled),
        st.sampled_from([Unavailable, BadRequest, AdapterError]),
        st.booleans(),
    ),
)


class LimitsMachine(RuleBasedStateMachine):
    """Requests, answers, failures, cancellations and hours, in any order."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.tasks: list[asyncio.Task] = []
        self.asked: list[CompletionRequest] = []

    @initialize(
        requests=st.none() | st.integers(20, 80),
        tokens=st.none() | st.integers(2000, 6000),
        read=st.none() | st.integers(2000, 6000),
        written=st.none() | st.integers(60, 200),
    )
    def begin(self, requests, tokens, read, written):
        """Any limits, or none."""
        self.limits = (requests, tokens, read, written)
        self.limiter = Limiter(Limits(*self.limits), self.clock, MOST)
        self.endpoint = Endpoint(self.clock)
        self.throttled = Throttled(self.endpoint, self.limiter)

    def run(self, seconds=0.0):
        """Lets the time pass, and everything run that can."""
        self.loop.run_until_complete(self.clock.advance(seconds))

    @property
    def waiting(self):
        """The requests that were not sent yet."""
        sent = {id(each.request) for each in self.endpoint.arrivals}
        pairs = zip(self.tasks, self.asked, strict=True)
        return [task for task, request in pairs if not task.done() and id(request) not in sent]

    @rule(
        sizes=st.lists(st.integers(0, 120), min_size=1, max_size=12),
        max_tokens=st.integers(1, 8),
        share=st.floats(0.20, 0.208),
        written=st.integers(0, 8),
        delay=st.floats(0.0, 1.0),
    )
    def arrive(self, sizes, max_tokens, share, written, delay):
        """Some requests are asked; those sent from now on arrive so much later."""
        self.endpoint.share, self.endpoint.written = share, written
        self.endpoint.delay = delay
        for size in sizes:
            request = asking(size, max_tokens)
            self.asked.append(request)
            self.tasks.append(self.loop.create_task(self.throttled.complete(request)))
        self.run()

    @rule(seconds=st.floats(0.0, 3.0) | st.floats(0.0, 70.0))
    def wait(self, seconds):
        """The time passes."""
        self.run(seconds)

    @precondition(lambda self: self.endpoint.open)
    @rule(
        data=st.data(),
        remaining=st.none() | st.integers(0, 100),
        of=st.sampled_from(DIMENSIONS),
        resets_in=st.none() | st.floats(0, 100),
    )
    def answer(self, data, remaining, of, resets_in):
        """One answer, which may say what is left of a limit."""
        arrival = data.draw(st.sampled_from(self.endpoint.open))
        told = () if remaining is None else (Allowance(of, None, remaining, resets_in),)
        arrival.reply.set_result(Completion("yes", usage=arrival.usage, allowances=told))
        self.run()

    @precondition(lambda self: self.endpoint.open)
    @rule(seconds=st.floats(0.0, 2.0))
    def answer_all(self, seconds):
        """Everything is answered that is under way."""
        for arrival in list(self.endpoint.open):
            arrival.reply.set_result(Completion("yes", usage=arrival.usage))
        self.run(seconds)

    @precondition(lambda self: self.endpoint.open)
    @rule(data=st.data(), error=ERRORS)
    def fail(self, data, error):
        """One fails; what is not billed is not counted by the endpoint either."""
        arrival = data.draw(st.sampled_from(self.endpoint.open))
        if error.unbilled:
            arrival.usage = Usage(requests=1)
        arrival.reply.set_exception(error)
        self.run()

    @precondition(lambda self: self.endpoint.open)
    @rule(data=st.data())
    def cancel_one_under_way(self, data):
        """Nobody waits for its answer any more."""
        request = data.draw(st.sampled_from(self.endpoint.open)).request
        place = next(at for at, asked in enumerate(self.asked) if asked is request)
        self.tasks[place].cancel()
        self.run()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel_one_that_waits(self, data):
        """It leaves the queue, wherever it stands."""
        data.draw(st.sampled_from(self.waiting)).cancel()
        self.run()

    @precondition(lambda self: self.waiting and self.endpoint.open)
    @rule()
    def cancel_one_whose_turn_comes(self):
        """The answer and the cancellation come in the same moment, in this order."""
        first = self.waiting[0]
        arrival = self.endpoint.open[0]
        arrival.reply.set_result(Completion("yes", usage=arrival.usage))
        self.loop.call_soon(first.cancel)
        self.run()

    @invariant()
    def no_minute_is_over_a_limit(self):
        """As the endpoint counts them, when they arrive."""
        for dimension, limit in enumerate(self.limits):
            if limit is not None:
                assert heaviest_minute(self.endpoint.arrivals, dimension) <= limit

    @invariant()
    def nobody_is_overtaken(self):
        """What was sent is, in order, what was asked and not cancelled before."""
        places = {id(request): place for place, request in enumerate(self.asked)}
        sent = [places[id(each.request)] for each in self.endpoint.arrivals]
        assert sent == sorted(sent)

    @invariant()
    def no_place_is_lost(self):
        """What is under way and what waits is as many as the limiter says."""
        state = self.limiter.state
        assert state.in_flight == len(self.endpoint.open) <= MOST
        assert 1 <= state.concurrency <= MOST
        assert state.waiting == len(self.waiting)

    def teardown(self):
        """After any history the limiter is back at full use, and leaves nothing behind."""
        try:
            if self.tasks:
                self.recovers()
        finally:
            left = wound_up(self.loop, self.tasks, self.run)
        assert not left

    def recovers(self):
        """Once all is cancelled and all pauses are over, 95 % of the limit are used again."""
        for task in self.tasks:
            task.cancel()
        self.run(200.0)
        state = self.limiter.state
        assert (state.in_flight, state.waiting, state.paused_for) == (0, 0, 0.0)
        self.endpoint.arrivals.clear()
        self.endpoint.share, self.endpoint.written, self.endpoint.delay = 0.2, 1, 0.0
        use = self.loop.run_until_complete(
            steady_use(self.clock, self.throttled, self.endpoint, self.limits)
        )
        assert use is None or 0.95 <= use <= 1.0
        self.no_minute_is_over_a_limit()


LimitsMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestLimits = LimitsMachine.TestCase


@given(
    requests=st.integers(30, 150),
    tokens=st.none() | st.integers(1500, 5000),
    latency=st.floats(0.01, 2.0),
    size=st.integers(0, 40),
)
@settings(max_examples=15, deadline=None)
def test_a_limit_is_used_to_95_percent(requests, tokens, latency, size):
    """Whatever the latency and the length of the prompts, and whichever limit is the scarcest."""
    clock = VirtualClock()
    limits = (requests, tokens, None, None)
    endpoint = Endpoint(clock, share=0.2)
    throttled = Throttled(endpoint, Limiter(Limits(*limits), clock, MOST))
    use = asyncio.run(
        steady_use(clock, throttled, endpoint, limits, latency=latency, size=size, minutes=5)
    )
    assert 0.95 <= use <= 1.0
    for dimension, limit in enumerate(limits):
        assert limit is None or heaviest_minute(endpoint.arrivals, dimension) <= limit
