"""Waiting for one's turn: what is estimated, what is learnt, who is paused, who is let go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from spex_api.completions import (
    Allowance,
    Completion,
    CompletionRequest,
    Message,
    Usage,
)
from spex_api.errors import (
    AuthenticationFailed,
    BadRequest,
    Overloaded,
    QuotaExhausted,
    RampLimited,
    RateLimited,
    RetryLater,
    Unavailable,
    UsageError,
)
from spex_api.querying.idle import watch_idle
from spex_api.querying.throttle import Limiter, LimiterState, Limits, Throttled
from tests.querying.virtual_clock import VirtualClock

REQUEST = CompletionRequest((Message("user", "x" * 20),))
BOUND = 100
assert REQUEST.input_bound == BOUND


@dataclass(slots=True)
class Scripted:
    """A model that does what the script says, one entry a request, and then answers.

    An entry is an error, an answer's tokens of input, or allowances to tell.
    """

    clock: VirtualClock
    script: list = field(default_factory=list)
    latency: float = 0.0
    tokens: int = 25
    sent: list[float] = field(default_factory=list)

    async def complete(self, _request):
        """Takes the next step of the script."""
        self.sent.append(self.clock.now())
        step = self.script.pop(0) if self.script else None
        if self.latency:
            await self.clock.sleep(self.latency)
        if isinstance(step, BaseException):
            raise step
        usage = Usage(1, step if isinstance(step, int) else self.tokens, 1)
        told = step if isinstance(step, tuple) else ()
        return Completion("yes", usage=usage, allowances=told)


def setting(*script, limits=None, concurrency=16, **options):
    """A clock, a scripted model and its limiter, and the model throttled."""
    clock = VirtualClock()
    model = Scripted(clock, list(script), **options)
    limiter = Limiter(limits, clock, concurrency)
    return clock, model, limiter, Throttled(model, limiter)


async def finish_all(clock, throttled, count, request=REQUEST):
    """What came of so many requests at once."""

    async def ask_all():
        asks = (throttled.complete(request) for _ in range(count))
        return await asyncio.gather(*asks, return_exceptions=True)

    return await clock.finish(ask_all())


def test_without_limits_nothing_waits():
    """Where nobody named a limit, only the concurrency holds."""
    clock, _, limiter, throttled = setting()
    answers = asyncio.run(finish_all(clock, throttled, 50))
    assert [answer.text for answer in answers] == ["yes"] * 50
    assert clock.now() == clock.sleeps == 0
    assert limiter.state == LimiterState(Limits(), limiter.state.concurrency, 0, 0, 0.0, ())


@pytest.mark.parametrize("name", ["requests", "tokens", "input_tokens", "output_tokens"])
@pytest.mark.parametrize("limit", [0, -3, float("nan")])
def test_a_limit_of_nothing_is_wrong_use(name, limit):
    """Nothing could ever be sent under it."""
    with pytest.raises(UsageError, match=f"{name}_per_minute"):
        Limits(**{f"{name}_per_minute": limit})


@pytest.mark.parametrize(
    ("limits", "amount"),
    [
        (Limits(requests_per_minute=30), 1),
        (Limits(tokens_per_minute=30 * 26), 26),
        (Limits(input_tokens_per_minute=30 * 25), 25),
        (Limits(output_tokens_per_minute=30), 1),
    ],
)
def test_each_limit_holds_and_is_used(limits, amount):
    """Of 120 requests under a limit of 30 a minute, no window has more, and 95 % of it are used."""
    clock, model, _, throttled = setting(limits=limits)
    asyncio.run(finish_all(clock, throttled, 120))
    assert max(sum(at <= each <= at + 60 for each in model.sent) for at in model.sent) <= 30
    assert clock.now() < 4 * 60.0 / 0.95


def test_a_request_is_taken_from_all_limits_or_none():
    """One that waits for its tokens has not used up a request meanwhile."""
    limits = Limits(requests_per_minute=100, output_tokens_per_minute=10)
    clock, model, limiter, throttled = setting(limits=limits, latency=1.0)
    large = CompletionRequest(REQUEST.messages, max_tokens=10)

    async def main():
        tasks = [asyncio.create_task(throttled.complete(large)) for _ in range(3)]
        await clock.advance(0.5)
        assert limiter.state.waiting == 2
        assert limiter._minute._windows[0].used == len(model.sent) == 1
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(main())


def test_the_input_is_expected_at_its_bound_until_answers_teach_better():
    """A quarter of the bound is what answers take: four times as many are soon under way."""
    limiter = setting(limits=Limits(input_tokens_per_minute=1000))[2]
    minute = limiter._minute
    assert minute.cost(100, 7) == (1, 107, 100, 7)
    taken = minute.take(minute.cost(100, 7), 0.0)
    minute.settle(taken, Usage(1, 25, 1), input_bound=100, now=1.0)
    assert minute.cost(300, 7) == (1, 90, 83, 7)
    taken = minute.take(minute.cost(100, 7), 2.0)
    minute.settle(taken, Usage(1, 500, 1), input_bound=100, now=3.0)
    assert minute.cost(100, 7) == (1, 107, 100, 7)


def test_what_one_long_answer_taught_is_forgotten_slowly():
    """One prompt that took all of its bound makes the next dear, not all that follow."""
    minute = setting()[2]._minute
    for tokens in (100, *[20] * 300):
        taken = minute.take(minute.cost(100, 1), 0.0)
        minute.settle(taken, Usage(1, tokens, 1), input_bound=100, now=0.0)
    assert 22 <= minute.cost(100, 1)[2] <= 23


def test_an_answer_without_a_count_keeps_its_estimate():
    """Nothing is learnt from a usage that the endpoint left out, and nothing given back."""
    limiter = setting()[2]
    minute = limiter._minute
    taken = minute.take(minute.cost(100, 1), 0.0)
    minute.settle(taken, Usage(requests=1), input_bound=100, now=1.0)
    assert minute._windows[2].used == 100
    assert minute.cost(100, 1)[2] == 100


def test_an_answer_larger_than_a_limit_is_refused():
    """A sentence at once, not a wait for ever; nothing is sent, and the next may go."""
    limits = Limits(output_tokens_per_minute=100)
    _, model, limiter, throttled = setting(limits=limits)
    large = CompletionRequest(REQUEST.messages, max_tokens=101)

    async def main():
        with pytest.raises(UsageError, match="101 output tokens, and the limit is 100 a minute"):
            await throttled.complete(large)
        await throttled.complete(REQUEST)

    asyncio.run(main())
    assert len(model.sent) == 1
    assert limiter.state.waiting == limiter.state.in_flight == 0


def test_a_prompt_larger_than_a_limit_is_refused_once_it_is_known():
    """The bound alone refuses nobody: the first goes alone, and shows what the bound is worth."""
    limits = Limits(input_tokens_per_minute=50)
    clock, model, _, throttled = setting(limits=limits, tokens=20)
    longer = CompletionRequest((Message("user", "x" * 400),))

    async def main():
        await throttled.complete(REQUEST)
        with pytest.raises(UsageError, match="input tokens, and the limit is 50"):
            await clock.finish(throttled.complete(longer))

    asyncio.run(main())
    assert len(model.sent) == 1


def test_a_limit_that_is_named_later_refuses_those_that_wait():
    """A waiting request that no minute will ever hold is told so."""
    told = (Allowance("output_tokens", 5, 4, 12.0),)
    clock, _, _, throttled = setting(told, concurrency=1, latency=1.0)
    large = CompletionRequest(REQUEST.messages, max_tokens=6)

    async def main():
        first = asyncio.create_task(throttled.complete(REQUEST))
        second = asyncio.create_task(throttled.complete(large))
        await clock.advance(2.0)
        await first
        with pytest.raises(UsageError, match="6 output tokens"):
            await second

    asyncio.run(main())


def test_a_limit_is_learnt_from_answers_and_from_errors():
    """Where the user gave none, the endpoint's is in force; what the user gave stays."""
    told = (Allowance("requests", 40, 39, 1.5), Allowance("tokens", 9000), Allowance("of_late", 1))
    error = RateLimited("No.", allowances=(Allowance("input_tokens", 7000, 0, 5.0),))
    clock, _, limiter, throttled = setting(told, error, limits=Limits(tokens_per_minute=5000))
    asyncio.run(finish_all(clock, throttled, 2))
    assert limiter.state.limits == Limits(40, 5000, 7000, None)


def test_what_others_left_of_a_limit_is_not_passed():
    """Two are left until the reset in ten seconds: two go, the third waits for it."""
    told = (Allowance("requests", 1000, 2, 10.0),)
    clock, model, _, throttled = setting(told, limits=Limits(requests_per_minute=1000))
    asyncio.run(finish_all(clock, throttled, 1))
    asyncio.run(finish_all(clock, throttled, 4))
    assert model.sent == [0, 0, 0, 10, 10]


@pytest.mark.parametrize("kind", [RateLimited, RampLimited, Overloaded])
def test_a_wait_that_is_asked_of_one_is_kept_by_all(kind):
    """Nobody who shares the limiter sends before it is over."""
    clock, model, limiter, throttled = setting(kind("No.", retry_after=30.0), concurrency=1)

    async def main():
        with pytest.raises(kind):
            await throttled.complete(REQUEST)
        assert limiter.state.paused_for == 30.0
        await finish_all(clock, throttled, 3)

    asyncio.run(main())
    assert model.sent == [0, 30, 30, 30]


def test_a_shorter_wait_does_not_shorten_a_longer():
    """Two hints of one storm: the longer is kept."""
    errors = [RateLimited("No.", retry_after=wait) for wait in (20.0, 3.0)]
    clock, model, _, throttled = setting(*errors, latency=1.0)
    asyncio.run(finish_all(clock, throttled, 2))
    asyncio.run(finish_all(clock, throttled, 1))
    assert model.sent == [0, 0, 21]


def test_without_a_hint_each_storm_pauses_longer():
    """1, 2, 4 seconds, however many fail in one storm; an answer begins again at 1."""
    storms = [RateLimited("No.")] * 6
    clock, model, limiter, throttled = setting(*storms, None, RateLimited("No."), latency=0.5)

    async def main():
        pauses = []
        for _ in range(3):
            await finish_all(clock, throttled, 2)
            pauses.append(limiter.state.paused_for)
        await finish_all(clock, throttled, 1)
        await finish_all(clock, throttled, 1)
        return [*pauses, limiter.state.paused_for]

    assert asyncio.run(main()) == [1.0, 2.0, 4.0, 1.0]
    assert model.sent[:6] == [0, 0, 1.5, 1.5, 4, 4]


def test_pauses_without_a_hint_end_at_the_longest():
    """However many storms, the pause is never longer than what is sat out."""
    clock, _, limiter, throttled = setting(*[RateLimited("No.")] * 12)

    async def main():
        for _ in range(12):
            await finish_all(clock, throttled, 1)
        return limiter.state.paused_for

    assert asyncio.run(main()) == 120.0


def test_a_wait_of_days_sends_nobody_away_to_wait():
    """Those that wait and those that come are told so; nothing more is sent before the time."""
    clock, model, limiter, throttled = setting(
        RateLimited("No.", retry_after=1e7), concurrency=1, latency=1.0
    )

    async def main():
        outcomes = await finish_all(clock, throttled, 3)
        with pytest.raises(RetryLater, match="10000000 s, and at most 120 s"):
            await throttled.complete(REQUEST)
        await clock.advance(1e7)
        await clock.finish(throttled.complete(REQUEST))
        return outcomes

    outcomes = asyncio.run(main())
    assert [type(each) for each in outcomes] == [RateLimited, RetryLater, RetryLater]
    assert all(each.unbilled and each.retry_after == 1e7 for each in outcomes[1:])
    assert model.sent == [0, 1e7 + 1]
    assert limiter.state.waiting == limiter.state.in_flight == 0


@pytest.mark.parametrize("kind", [QuotaExhausted, AuthenticationFailed])
def test_what_no_waiting_mends_is_asked_once(kind):
    """Those that wait behind an account without credit are not sent; each has its own error."""
    error = kind("No credit.", advice="Pay.")
    clock, model, limiter, throttled = setting(error, concurrency=1, latency=1.0)
    outcomes = asyncio.run(finish_all(clock, throttled, 3))
    assert [(type(each), str(each)) for each in outcomes] == [(kind, "No credit. Pay.")] * 3
    assert len({id(each) for each in outcomes}) == 3
    assert all(each.unbilled and each.unsent for each in outcomes[1:])
    assert not hasattr(outcomes[0], "unsent")
    assert len(model.sent) == 1
    assert limiter.state.waiting == limiter.state.in_flight == 0


def test_a_failed_attempt_stays_counted():
    """Its request always; its tokens unless it is sure that nobody pays for them."""
    errors = [Unavailable("No."), BadRequest("No.", unbilled=True), ValueError("A bug.")]
    clock, _, limiter, throttled = setting(*errors)
    asyncio.run(finish_all(clock, throttled, 3))
    used = [window.used for window in limiter._minute._windows]
    assert used == [3, 2 * (BOUND + 1), 2 * BOUND, 2]
    assert limiter.state.in_flight == 0


def test_too_fast_cuts_the_concurrency():
    """The state shows the cut, and how long ago it was; a plain failure cuts nothing."""
    clock, _, limiter, throttled = setting(Unavailable("No."), RateLimited("No."))

    async def main():
        await finish_all(clock, throttled, 1)
        assert limiter.state.cuts == ()
        await finish_all(clock, throttled, 1)
        await clock.advance(3.0)

    asyncio.run(main())
    assert limiter.state.cuts == (3.0,)
    assert limiter.state.concurrency == 3


def test_turns_come_in_order():
    """A small request behind a large one waits, though there would be room for it."""
    limits = Limits(output_tokens_per_minute=10)
    clock, _, _, throttled = setting(limits=limits)
    throttled.inner.latency = 1.0
    order = []

    async def ask(name, max_tokens):
        await throttled.complete(CompletionRequest(REQUEST.messages, max_tokens=max_tokens))
        order.append((name, clock.now()))

    async def main():
        await asyncio.gather(ask("first", 6), ask("large", 10), ask("small", 1))

    async def driven():
        await clock.finish(main())

    asyncio.run(driven())
    assert [name for name, _ in order] == ["first", "large", "small"]


def test_a_cancelled_request_gives_back_its_place_and_stays_counted():
    """The next goes at once; the window still holds what was sent."""
    limits = Limits(requests_per_minute=100)
    clock, model, limiter, throttled = setting(limits=limits, concurrency=1, latency=10.0)

    async def main():
        tasks = [asyncio.create_task(throttled.complete(REQUEST)) for _ in range(2)]
        await clock.advance(1.0)
        tasks[0].cancel()
        await clock.advance(0)
        assert tasks[0].cancelled()
        assert model.sent == [0, 1]
        assert limiter._minute._windows[0].used == 2
        await clock.advance(10.0)
        assert tasks[1].done()

    asyncio.run(main())


def test_a_cancelled_head_lets_the_next_go():
    """The first in the queue is too large for now; without it the second fits at once."""
    limits = Limits(output_tokens_per_minute=120)
    clock, model, limiter, throttled = setting(limits=limits, latency=1.0)

    async def main():
        asks = [CompletionRequest(REQUEST.messages, max_tokens=n) for n in (3, 120, 1)]
        tasks = [asyncio.create_task(throttled.complete(ask)) for ask in asks]
        await clock.advance(0)
        assert (len(model.sent), limiter.state.waiting) == (1, 2)
        tasks[1].cancel()
        await clock.advance(0)
        assert (len(model.sent), limiter.state.waiting) == (2, 0)
        await clock.advance(1.0)
        assert tasks[2].done()

    asyncio.run(main())


def test_a_turn_that_comes_with_the_cancellation_is_given_back():
    """Granted and cancelled in the same moment: nothing was sent, so nothing is counted."""
    clock, model, limiter, throttled = setting(concurrency=1, latency=1.0)

    async def main():
        ticket = await limiter.acquire(REQUEST)
        waiting = asyncio.create_task(throttled.complete(REQUEST))
        await clock.advance(0)
        limiter.answered(ticket, Completion("yes", usage=Usage(1, 25, 1)))
        assert limiter.state.in_flight == 1
        waiting.cancel()
        await clock.advance(0)
        assert waiting.cancelled()

    asyncio.run(main())
    assert model.sent == []
    assert (limiter.state.in_flight, limiter.state.waiting) == (0, 0)
    assert [window.used for window in limiter._minute._windows] == [1, 26, 25, 1]


def test_one_limiter_serves_one_loop_after_another():
    """What waits in the first loop when it ends leaves nothing that hinders the second."""
    limits = Limits(requests_per_minute=1)
    clock, model, limiter, throttled = setting(limits=limits)

    async def ended_early():
        asyncio.create_task(throttled.complete(REQUEST))  # noqa: RUF006 - it is to be left behind
        asyncio.create_task(throttled.complete(REQUEST))  # noqa: RUF006
        await clock.advance(1.0)

    asyncio.run(ended_early())
    assert limiter.state.waiting == 0
    asyncio.run(finish_all(clock, throttled, 1))
    assert model.sent == [0, 61]


def test_nothing_is_polled_and_nothing_is_left_behind():
    """A minute's wait is one sleep; when nobody waits, no alarm is left."""
    limits = Limits(requests_per_minute=1)
    clock, _, _, throttled = setting(limits=limits)

    async def main():
        tasks = [asyncio.create_task(throttled.complete(REQUEST)) for _ in range(2)]
        await clock.advance(60.0)
        assert clock.sleeps <= 2
        tasks[1].cancel()
        await clock.advance(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()


def test_what_is_given_back_lets_the_next_go_sooner():
    """An answer that took less than was set aside brings the alarm of the next forward."""
    clock, _, limiter, _ = setting(limits=Limits(output_tokens_per_minute=100))
    whole, half = (CompletionRequest(REQUEST.messages, max_tokens=n) for n in (100, 50))

    async def main():
        ticket = await limiter.acquire(whole)
        waiting = asyncio.create_task(limiter.acquire(half))
        await clock.advance(1.0)
        limiter.answered(ticket, Completion("yes", usage=Usage(1, 25, 40)))
        await clock.advance(70.0)
        return (await waiting).sent_at

    assert asyncio.run(main()) == 22.0


def test_what_ends_the_run_breaks_off_those_that_wait():
    """They were not sent, and whoever counts can see it; those under way come home."""
    clock, model, limiter, throttled = setting(concurrency=1, latency=5.0)

    async def main():
        with watch_idle() as idle_tasks:
            tasks = [asyncio.create_task(throttled.complete(REQUEST)) for _ in range(3)]
            await clock.advance(1.0)
            idle_tasks.break_off()
            late = asyncio.create_task(throttled.complete(REQUEST))
            await clock.advance(10.0)
        for task in (*tasks[1:], late):
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert caught.value.unsent
        return tasks[0].result().text

    assert asyncio.run(main()) == "yes"
    assert model.sent == [0]
    assert (limiter.state.in_flight, limiter.state.waiting) == (0, 0)


def test_the_machines_clock_is_the_default():
    """Without a clock of one's own the limiter waits in real time."""
    limiter = Limiter(Limits(requests_per_minute=6000))

    async def main():
        ticket = await limiter.acquire(REQUEST)
        limiter.pause_until(ticket.sent_at + 0.02)
        limiter.abandoned(ticket)
        later = await limiter.acquire(REQUEST)
        return later.sent_at - ticket.sent_at

    assert asyncio.run(main()) >= 0.02
