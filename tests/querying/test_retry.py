"""What may pass is tried again: as late as the server asks, and never for ever."""

from __future__ import annotations

import asyncio
import itertools
import logging
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.completions import Allowance, CompletionRequest, Message
from spex_api.errors import (
    AuthenticationFailed,
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    EndpointUnfit,
    MalformedReply,
    Overloaded,
    QuotaExhausted,
    RampLimited,
    RateLimited,
    RetryLater,
    Unavailable,
    UsageError,
)
from spex_api.querying.idle import watch_idle
from spex_api.querying.policy import Meter
from spex_api.querying.retry import Retrying
from spex_api.testing import FunctionAdapter
from tests.querying.virtual_clock import VirtualClock

REQUEST = CompletionRequest((Message("user", "Is the secret plan good?"),))


class Trial:
    """One request through `Retrying`, and all that can be seen of it."""

    def __init__(self, *errors: BaseException, then: BaseException | None = None, **changes):
        failures = itertools.chain(errors, itertools.repeat(then))
        self.clock = VirtualClock()
        self.times: list[float] = []

        def answer(messages):
            self.times.append(self.clock.now())
            error = next(failures)
            if error is not None:
                raise error
            return {"yes": -0.1}

        self.model = FunctionAdapter(answer)
        self.meter, self.told = Meter(), []
        self.retrying = Retrying(
            self.model, self.meter, clock=self.clock, on_event=self.told.append, **changes
        )

    def run(self):
        """The answer, however long it takes in virtual time."""
        return asyncio.run(self.clock.finish(self.retrying.complete(REQUEST)))

    @property
    def waits(self) -> list[float]:
        """Seconds between the attempts."""
        return [later - earlier for earlier, later in itertools.pairwise(self.times)]


@pytest.mark.parametrize(
    "kind", [RateLimited, RampLimited, Unavailable, Overloaded, MalformedReply]
)
def test_what_may_pass_is_tried_again(kind):
    """Each kind of passing error is followed by the answer, told, and counted as one retry."""
    trial = Trial(kind("Not now."))
    assert trial.run().text == "yes"
    assert len(trial.times) == 2
    assert trial.meter.retries == 1
    assert len(trial.told) == 1
    assert trial.told[0].text.startswith("Not now. Trying again in ")
    assert trial.told[0].wait == pytest.approx(trial.waits[0])


@pytest.mark.parametrize(
    "error",
    [
        QuotaExhausted("No credit.", retry_after=1.0),
        AuthenticationFailed("No."),
        BadRequest("No."),
        ContextTooLong("No."),
        ContentFiltered("No."),
        EndpointUnfit("No."),
        RetryLater("No.", retry_after=1.0),
        UsageError("No."),
        ValueError("A bug."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_cannot_pass_is_asked_once(error):
    """Whatever waiting does not help, hint or not, is sent exactly once and raised as it is."""
    trial = Trial(error)
    with pytest.raises(type(error)) as raised:
        trial.run()
    assert raised.value is error
    assert len(trial.times) == 1
    assert trial.told == []
    assert trial.meter.retries == 0


def test_a_malformed_reply_is_asked_once_more():
    """It may be billed: after the second unreadable reply there is no third."""
    trial = Trial(then=MalformedReply("Not JSON."))
    with pytest.raises(MalformedReply):
        trial.run()
    assert len(trial.times) == 2
    trial = Trial(MalformedReply("Not JSON."), Unavailable("Busy."), MalformedReply("Not JSON."))
    with pytest.raises(MalformedReply):
        trial.run()
    assert len(trial.times) == 3


def test_the_attempts_are_counted():
    """The last of six attempts raises its own error, and the notices say which attempt is next."""
    trial = Trial(*[Unavailable(f"Attempt {n}.") for n in range(9)])
    with pytest.raises(Unavailable, match=r"^Attempt 5\.$"):
        trial.run()
    assert len(trial.times) == 6
    assert trial.meter.retries == 5
    assert trial.told[0].text.endswith("(2 of 6).")


def test_our_own_waits_grow_and_are_bounded():
    """The n-th wait is below 2ⁿ seconds and below a minute; together they pass a short outage."""
    trial = Trial(then=Unavailable("Busy."), attempts=12, patience=1e6)
    with pytest.raises(Unavailable):
        trial.run()
    assert len(trial.waits) == 11
    for number, wait in enumerate(trial.waits, start=1):
        assert 0 <= wait <= min(2.0**number, 60.0)
    assert sum(trial.waits) > 10


@pytest.mark.parametrize("kind", [RateLimited, Unavailable])
@pytest.mark.parametrize("hint", [0.0, 0.02, 7.0, 120.0])
def test_the_servers_hint_is_obeyed_and_little_is_added(kind, hint):
    """Never sooner than the server asks, and at the first time at most a quarter second later."""
    trial = Trial(kind("Too fast.", retry_after=hint))
    trial.run()
    assert hint <= trial.waits[0] <= hint + 0.25


def test_a_hint_obeyed_in_vain_is_doubted():
    """A server that says "now" again and again is not asked thousands of times."""
    trial = Trial(then=RateLimited("Too fast.", retry_after=0.0))
    with pytest.raises(RateLimited):
        trial.run()
    assert 6 < len(trial.times) < 60
    assert trial.times[-1] <= 300.0


def test_attempts_refused_for_speed_end_by_time_alone():
    """Twenty refusals of a second each are sat out; nobody pays for them."""
    trial = Trial(*[RateLimited("Too fast.", retry_after=1.0)] * 8, Unavailable("Busy."))
    assert trial.run().text == "yes"
    assert len(trial.times) == 10
    assert "of 6" not in trial.told[0].text


def test_no_attempt_begins_after_the_patience():
    """After five minutes of waits the last error is raised, as soon as a wait would pass them."""
    trial = Trial(then=RateLimited("Too fast.", retry_after=110.0), patience=300.0)
    with pytest.raises(RateLimited):
        trial.run()
    assert len(trial.times) == 3
    assert trial.clock.now() == trial.times[-1]


def test_waiting_for_an_answer_takes_no_patience():
    """An attempt that fails after ten minutes, in a queue or on the wire, is tried again."""
    clock = VirtualClock()

    class Slow(FunctionAdapter):
        async def complete(self, request):
            await clock.sleep(600.0)
            return await FunctionAdapter.complete(self, request)

    failures = [Unavailable("Gone.")] * 3

    def answer(messages):
        if failures:
            raise failures.pop()
        return {"yes": -0.1}

    retrying = Retrying(Slow(answer), Meter(), clock=clock)
    assert asyncio.run(clock.finish(retrying.complete(REQUEST))).text == "yes"
    assert clock.now() > 2400


@pytest.mark.parametrize("kind", [RateLimited, RampLimited, Overloaded])
def test_a_hint_of_days_ends_the_run_and_says_when(kind):
    """10⁷ seconds are not sat out: one attempt, and the moment at which to come back."""
    allowances = (Allowance("requests", 10, 0),)
    error = kind("Too fast.", retry_after=1e7, unbilled=True, allowances=allowances)
    trial = Trial(error)
    with pytest.raises(RetryLater) as raised:
        trial.run()
    moment = datetime.now().astimezone() + timedelta(seconds=1e7)
    told = str(raised.value)
    assert told.startswith("Too fast. The endpoint asks to wait 116 days, until ")
    assert f"{moment:%Y-%m-%d %H:}" in told or f"{moment - timedelta(minutes=1):%H:%M}" in told
    assert "the same command again" in told
    assert raised.value.retry_after == 1e7
    assert raised.value.unbilled
    assert raised.value.allowances == allowances
    assert len(trial.times) == 1
    assert trial.clock.sleeps == 0


@pytest.mark.parametrize("hint", [1e300, float("inf")])
def test_a_hint_beyond_the_calendar_is_no_crash(hint):
    """A wait that no date can name ends the run all the same."""
    with pytest.raises(RetryLater, match="longer than any calendar goes"):
        Trial(RateLimited("Too fast.", retry_after=hint)).run()


@pytest.mark.parametrize("hint", [-5.0, float("nan")])
def test_a_hint_that_is_none_is_none(hint):
    """Of a negative wait, or of none that is a number, ours is taken."""
    trial = Trial(RateLimited("Too fast.", retry_after=hint))
    assert trial.run().text == "yes"
    assert 0 <= trial.waits[0] <= 2


def test_a_cancelled_request_is_not_tried_again():
    """Cancelling in the middle of an attempt ends it; nothing is sent after it."""
    trial = Trial(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        trial.run()
    assert len(trial.times) == 1


def test_cancelling_a_wait_ends_it():
    """Cancelling between two attempts gets through at once."""
    trial = Trial(Unavailable("Busy.", retry_after=60.0))

    async def main():
        task = asyncio.create_task(trial.retrying.complete(REQUEST))
        await trial.clock.advance(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await trial.clock.advance(1000)

    asyncio.run(main())
    assert len(trial.times) == 1


def test_a_wait_is_broken_off_when_the_run_ends_and_an_attempt_is_not():
    """Of two requests, the one that waits to be sent again ends; the one under way comes home."""
    clock = VirtualClock()

    class Slow(FunctionAdapter):
        async def complete(self, request):
            await clock.sleep(30)
            return await FunctionAdapter.complete(self, request)

    def busy(messages):
        raise Unavailable("Busy.", retry_after=100.0)

    async def main():
        with watch_idle() as idle_tasks:
            waiting = Retrying(FunctionAdapter(busy), Meter(), clock=clock)
            under_way = Retrying(Slow(lambda messages: {"yes": -0.1}), Meter(), clock=clock)
            tasks = [asyncio.create_task(each.complete(REQUEST)) for each in (waiting, under_way)]
            await clock.advance(10)
            idle_tasks.break_off()
            await clock.advance(100)
            late = asyncio.create_task(waiting.complete(REQUEST))
            await clock.advance(0)
        return tasks, late

    (waiting, under_way), late = asyncio.run(main())
    assert waiting.cancelled()
    assert under_way.result().text == "yes"
    assert late.cancelled()


def test_a_storm_is_told_every_few_seconds():
    """A hundred requests that wait give one notice in five seconds; the next counts the others."""
    clock, told = VirtualClock(), []

    def busy(messages):
        raise RateLimited("Too fast.", retry_after=1.0)

    async def main():
        meter = Meter()
        policy = Retrying(
            FunctionAdapter(busy), meter, clock=clock, on_event=told.append, patience=20.0
        )
        tasks = [asyncio.create_task(policy.complete(REQUEST)) for _ in range(100)]
        await clock.advance(4.9)
        early = len(told)
        await clock.advance(100)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return early, outcomes, meter

    early, outcomes, meter = asyncio.run(main())
    assert early == 1
    assert all(isinstance(outcome, RateLimited) for outcome in outcomes)
    assert meter.retries > 500
    assert 3 <= len(told) <= 5
    assert "other waits have begun since this was last said." in told[1].text


def test_each_wait_is_a_record_without_a_word_of_the_prompt(caplog):
    """The log has the kind of the error, the attempt and the seconds; never what was asked."""
    with caplog.at_level(logging.DEBUG, logger="spex_api.querying"):
        Trial(RateLimited("Too fast.", retry_after=3.0), Unavailable("Busy.")).run()
    records = [record for record in caplog.records if hasattr(record, "wait_seconds")]
    assert [record.error_kind for record in records] == ["RateLimited", "Unavailable"]
    assert [record.attempt for record in records] == [1, 2]
    assert [record.hint_seconds for record in records] == [3.0, None]
    assert records[0].wait_seconds >= 3.0
    assert all(record.name.startswith("spex_api.querying") for record in records)
    assert "secret plan" not in repr([vars(record) for record in records])


FAILURES = st.sampled_from([RateLimited, Overloaded, Unavailable, MalformedReply, BadRequest])
HINTS = st.none() | st.floats(0, 200)


@given(st.lists(st.tuples(FAILURES, HINTS), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_order_of_failures_keeps_the_rules(failures):
    """Never sooner than asked, never after the patience, never more counted attempts than six."""
    trial = Trial(*[kind("No.", retry_after=hint) for kind, hint in failures])
    try:
        trial.run()
    except (RateLimited, Unavailable, MalformedReply, BadRequest, RetryLater):
        pass
    else:
        assert len(trial.times) == len(failures) + 1
    tried = failures[: len(trial.times)]
    for (_, hint), wait in zip(tried, trial.waits, strict=False):
        assert wait >= (hint or 0.0) * (1 - 1e-9)
        assert (hint or 0.0) <= 120
    assert trial.times[-1] <= 300
    assert sum(kind is not RateLimited for kind, _ in tried) <= 6
    assert sum(kind is MalformedReply for kind, _ in tried) <= 2
    assert all(kind is not BadRequest for kind, _ in tried[:-1])
    assert trial.meter.retries == len(trial.times) - 1
