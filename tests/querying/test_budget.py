"""Caps: what is set aside, what is charged, who waits, and what is said when there is no room."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from spex_api.completions import Completion, CompletionRequest, Message, Usage
from spex_api.errors import AdapterError, BudgetExhausted, RateLimited, Unavailable, UsageError
from spex_api.querying.budget import Budget, Budgeted, Ledger
from spex_api.querying.idle import watch_idle
from spex_api.querying.ledger import Amount
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import FREE, Price
from spex_api.querying.retry import Retrying
from spex_api.testing import FunctionAdapter
from tests.querying.virtual_clock import VirtualClock

REQUEST = CompletionRequest((Message("user", "Good?"),), max_tokens=15)
BOUND = REQUEST.input_bound + 15
PRICE = Price(input=1.0, output=10.0)
MOST = PRICE.bound(REQUEST)
USAGE = Usage(requests=1, input_tokens=20, output_tokens=5)


@dataclass
class Endpoint:
    """An adapter that answers, or fails, when the test says so."""

    open: list[asyncio.Future[Completion]] = field(default_factory=list)

    async def complete(self, request: CompletionRequest) -> Completion:  # noqa: ARG002
        """Waits for the test's word."""
        self.open.append(asyncio.get_running_loop().create_future())
        return await self.open[-1]


def answer(usage: Usage = USAGE) -> Completion:
    return Completion("yes", usage=usage)


async def run_on() -> None:
    """Lets everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def charged_after(event: Completion | BaseException) -> tuple[Ledger, Meter]:
    """The ledger and the meter after one attempt that ended so."""

    async def main():
        endpoint, meter = Endpoint(), Meter()
        ledger = Ledger(Budget(), PRICE)
        task = asyncio.create_task(Budgeted(endpoint, ledger, meter).complete(REQUEST))
        await run_on()
        assert ledger.reserved == ledger.bound(REQUEST)
        assert (meter.sent, meter.in_flight) == (1, 1)
        assert meter.usd_reserved == pytest.approx(MOST)
        if isinstance(event, asyncio.CancelledError):
            task.cancel()
        elif isinstance(event, BaseException):
            endpoint.open[0].set_exception(event)
        else:
            endpoint.open[0].set_result(event)
        await asyncio.wait([task])
        task.cancelled() or task.exception()
        return ledger, meter

    ledger, meter = asyncio.run(main())
    assert ledger.reserved == Amount()
    assert meter.in_flight == 0
    assert meter.usd_reserved == 0.0
    assert meter.usd == ledger.spent.usd
    return ledger, meter


def test_an_answer_is_charged_with_what_it_took():
    """Its own tokens and their price, not what was set aside."""
    ledger, meter = charged_after(answer())
    assert ledger.spent == Amount.of(1, 25, 20e-6 + 50e-6)
    assert meter.sent == 1


@pytest.mark.parametrize(
    "event",
    [
        answer(Usage(requests=1)),
        Unavailable("Broken off."),
        ValueError("A bug."),
        asyncio.CancelledError(),
    ],
    ids=["no usage", "failure", "bug", "cancelled"],
)
def test_what_nobody_knows_stays_charged_at_the_most(event):
    """An answer without usage, a failure, a bug and a cancelled attempt keep all of it charged."""
    ledger, meter = charged_after(event)
    assert ledger.spent == Amount.of(1, BOUND, MOST)
    assert meter.sent == 1


def test_a_refusal_that_nobody_pays_for_is_given_back():
    """It counts as sent, and against no cap."""
    ledger, meter = charged_after(RateLimited("Too fast.", unbilled=True))
    assert ledger.spent == Amount()
    assert meter.sent == 1


def test_wrong_use_was_never_sent():
    """What is refused on this side of the wire is neither charged nor counted."""
    ledger, meter = charged_after(UsageError("Too large."))
    assert ledger.spent == Amount()
    assert meter.sent == 0


def test_without_a_price_no_dollars_are_told():
    """Unknown is not nothing; free is."""
    for price, told in ((None, None), (FREE, 0.0)):
        meter = Meter()
        policy = Budgeted(
            FunctionAdapter(lambda messages: {"yes": 0.0}), Ledger(Budget(), price), meter
        )
        asyncio.run(policy.complete(REQUEST))
        assert meter.usd == told


def test_the_cap_holds_under_concurrency():
    """Of ten requests at once under a cap of four, four go out."""

    async def main():
        model, meter = FunctionAdapter(lambda messages: {"yes": 0.0}), Meter()
        capped = Budgeted(model, Ledger(Budget(requests=4)), meter)
        outcomes = await asyncio.gather(
            *(capped.complete(REQUEST) for _ in range(10)), return_exceptions=True
        )
        return model, meter, outcomes

    model, meter, outcomes = asyncio.run(main())
    assert len(model.requests) == meter.sent == 4
    assert sum(isinstance(outcome, BudgetExhausted) for outcome in outcomes) == 6
    assert meter.in_flight == 0


def test_a_failed_attempt_stays_counted():
    """Each attempt may be billed: retries come out of the same cap."""

    def fail(messages):
        raise Unavailable("Busy.")

    meter, clock = Meter(), VirtualClock()
    capped = Budgeted(FunctionAdapter(fail), Ledger(Budget(requests=3)), meter)
    with pytest.raises(BudgetExhausted):
        asyncio.run(clock.finish(Retrying(capped, meter, clock=clock).complete(REQUEST)))
    assert meter.sent == 3


def test_unbilled_refusals_use_up_no_budget():
    """Three refusals and an answer fit under a cap of one request."""
    errors = [RateLimited("Too fast.", unbilled=True, retry_after=1.0)] * 3

    def refuse(messages):
        if errors:
            raise errors.pop()
        return {"yes": 0.0}

    meter, clock = Meter(), VirtualClock()
    ledger = Ledger(Budget(requests=1))
    capped = Budgeted(FunctionAdapter(refuse), ledger, meter)
    answered = asyncio.run(clock.finish(Retrying(capped, meter, clock=clock).complete(REQUEST)))
    assert answered.text == "yes"
    assert meter.sent == 4
    assert ledger.spent.requests == 1


@pytest.mark.parametrize(
    "budget",
    [Budget(requests=2), Budget(tokens=2 * BOUND), Budget(usd=2 * MOST)],
    ids=["requests", "tokens", "usd"],
)
def test_who_does_not_fit_yet_waits_in_order(budget):
    """The third waits for the first two; what they leave goes to those who came first."""

    async def main():
        endpoint, ledger = Endpoint(), Ledger(budget, PRICE)
        policy = Budgeted(endpoint, ledger, Meter())
        tasks = [asyncio.create_task(policy.complete(REQUEST)) for _ in range(4)]
        await run_on()
        assert len(endpoint.open) == 2
        assert ledger.waiting == 2
        endpoint.open[1].set_exception(RateLimited("Too fast.", unbilled=True))
        await run_on()
        assert len(endpoint.open) == 3
        assert ledger.waiting == 1
        for each in (0, 2):
            endpoint.open[each].set_result(answer(replace(USAGE, input_tokens=1, output_tokens=0)))
        await run_on()
        for reply in endpoint.open[3:]:
            reply.set_result(answer())
        await asyncio.wait(tasks)
        assert isinstance(tasks[1].exception(), RateLimited)
        assert tasks[2].result().text == "yes"
        return tasks[3].exception(), ledger

    last, ledger = asyncio.run(main())
    # Little tokens and little money were used, so there is room for a third; but two requests were.
    assert isinstance(last, BudgetExhausted) == (budget.requests == 2)
    assert ledger.spent.requests == (2 if budget.requests == 2 else 3)
    assert ledger.waiting == 0


def test_who_leaves_the_queue_holds_up_nobody():
    """A waiting call that is cancelled lets the next one through, though that is a small one."""
    long = replace(REQUEST, max_tokens=1000)

    async def main():
        endpoint = Endpoint()
        ledger = Ledger(Budget(tokens=long.input_bound + 1000 + BOUND - 1))
        policy = Budgeted(endpoint, ledger, Meter())
        first = asyncio.create_task(policy.complete(REQUEST))
        waiting = asyncio.create_task(policy.complete(long))
        small = asyncio.create_task(policy.complete(REQUEST))
        await run_on()
        assert (len(endpoint.open), ledger.waiting) == (1, 2)
        waiting.cancel()
        await run_on()
        assert (len(endpoint.open), ledger.waiting) == (2, 0)
        for reply in endpoint.open:
            reply.set_result(answer())
        await asyncio.gather(first, small)
        return waiting.cancelled(), ledger

    cancelled, ledger = asyncio.run(main())
    assert cancelled
    assert ledger.spent == Amount(2, 50)


def test_a_turn_that_comes_too_late_is_given_on():
    """A call that is cancelled just after its turn came sets nothing aside; the next one does."""

    async def main():
        ledger = Ledger(Budget(requests=1))
        held = ledger.reserve(1, BOUND, None)
        late = asyncio.create_task(ledger.acquire(REQUEST))
        following = asyncio.create_task(ledger.acquire(REQUEST))
        await run_on()
        held.release()
        late.cancel()
        await run_on()
        assert late.cancelled()
        following.result().release()
        return ledger

    ledger = asyncio.run(main())
    assert ledger.reserved == ledger.spent == Amount()
    assert ledger.waiting == 0


def test_the_end_of_a_run_breaks_off_who_waits():
    """A call that waits for room is idle: nothing that is paid is under way in it."""

    async def main():
        endpoint, ledger = Endpoint(), Ledger(Budget(requests=1))
        policy = Budgeted(endpoint, ledger, Meter())
        with watch_idle() as idle_tasks:
            first = asyncio.create_task(policy.complete(REQUEST))
            second = asyncio.create_task(policy.complete(REQUEST))
            await run_on()
            idle_tasks.break_off()
            await asyncio.wait([second])
            assert not first.done()
            endpoint.open[0].set_result(answer())
            await first
        return second.cancelled(), ledger

    broken_off, ledger = asyncio.run(main())
    assert broken_off
    assert ledger.spent.requests == 1


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(requests=1), "budget of 1 request has no room for another"),
        (Budget(tokens=BOUND), f"budget of {BOUND} tokens has no room for what may take up to"),
        (Budget(usd=0.0003), r"budget of \$0.0003 has no room for what may cost up to \$0.000235"),
    ],
    ids=["requests", "tokens", "usd"],
)
def test_the_error_names_the_cap_and_what_is_spent(budget, words):
    """Which cap, what is spent and set aside, what is safe, and what to do."""
    ledger = Ledger(budget, PRICE)
    policy = Budgeted(FunctionAdapter(lambda messages: {"yes": 0.0}), ledger, Meter())

    async def main():
        kept = await ledger.acquire(REQUEST)
        kept.keep()
        await policy.complete(REQUEST)

    with pytest.raises(BudgetExhausted, match=words) as caught:
        asyncio.run(main())
    said = str(caught.value)
    assert f"Spent: 1 request, {BOUND} tokens, $" in said
    assert "set aside for what is under way: 0 requests, 0 tokens, $0.00" in said
    assert "on disk" in caught.value.safe
    assert "Raise the budget" in caught.value.advice


@pytest.mark.parametrize("budget", [Budget(tokens=10_000), Budget(usd=1.0)], ids=["tokens", "usd"])
def test_an_answer_beyond_its_bound_is_told_and_ends_the_run(budget):
    """It is counted as it is; nothing more goes out, though the cap is far, and no one hangs."""

    async def main():
        endpoint, ledger = Endpoint(), Ledger(budget, PRICE)
        policy = Budgeted(endpoint, ledger, Meter())
        first = asyncio.create_task(policy.complete(REQUEST))
        await run_on()
        endpoint.open[0].set_result(answer(Usage(1, 5000, 5)))
        await first
        with pytest.raises(BudgetExhausted, match="cannot be kept at this endpoint") as caught:
            await policy.complete(REQUEST)
        return ledger, caught.value

    ledger, error = asyncio.run(main())
    assert ledger.spent == Amount.of(1, 5005, 5000e-6 + 50e-6)
    assert "Cap the requests alone" in error.advice


def test_a_bound_that_no_cap_needs_may_be_wrong():
    """Under a cap of requests alone, what an answer takes is only counted."""

    async def main():
        endpoint, ledger = Endpoint(), Ledger(Budget(requests=2), PRICE)
        policy = Budgeted(endpoint, ledger, Meter())
        for usage in (Usage(1, 5000, 5), USAGE):
            task = asyncio.create_task(policy.complete(REQUEST))
            await run_on()
            endpoint.open[-1].set_result(answer(usage))
            await task
        return ledger

    assert asyncio.run(main()).spent.tokens == 5005 + 25


def test_a_dollar_cap_needs_a_price():
    """Without a price it refuses to start, and says what to do; with nothing to pay it starts."""
    with pytest.raises(UsageError, match="price of gpt-x .* cap of 0.5 dollars") as caught:
        Ledger(Budget(usd=0.5), None, model="gpt-x")
    assert "[prices]" in caught.value.advice
    assert Ledger(Budget(usd=0.0), FREE).bound(REQUEST).usd == 0.0


@pytest.mark.parametrize(
    "settings",
    [{"requests": 0}, {"tokens": 0}, {"usd": -1.0}, {"usd": float("nan")}, {"usd": float("inf")}],
)
def test_a_budget_is_no_debt(settings):
    """A cap below one request or token, or below nothing, is wrong use."""
    with pytest.raises(UsageError):
        Budget(**settings)


class TestMany:
    """`reserve`: many answers set aside at once, as for a batch."""

    def test_it_is_settled_once(self):
        """The first word counts; a second gives nothing back."""
        ledger = Ledger(Budget(requests=10, tokens=1000, usd=1.0), PRICE)
        held = ledger.reserve(5, 500, 0.5)
        assert ledger.reserved == Amount.of(5, 500, 0.5)
        held.settle(Usage(4, 300, 4), 0.2)
        held.release()
        held.keep()
        assert ledger.spent == Amount.of(4, 304, 0.2)
        assert ledger.reserved == Amount()

    def test_there_is_no_waiting(self):
        """What does not fit now is refused at once, and nothing is set aside."""
        ledger = Ledger(Budget(requests=10))
        ledger.reserve(6, 0, None)
        with pytest.raises(BudgetExhausted, match="10 requests has no room for 6 more"):
            ledger.reserve(6, 0, None)
        assert ledger.reserved == Amount(6)

    def test_it_does_not_overtake(self):
        """Where others wait for room, a small one is refused though it would fit."""

        async def main():
            ledger = Ledger(Budget(tokens=2 * BOUND - 1))
            ledger.reserve(1, BOUND, None)
            waiting = asyncio.create_task(ledger.acquire(REQUEST))
            await run_on()
            with pytest.raises(BudgetExhausted, match="Others wait"):
                ledger.reserve(1, 1, None)
            waiting.cancel()
            await asyncio.wait([waiting])
            return ledger.reserve(1, 1, None)

        assert asyncio.run(main()).amount == Amount(1, 1)

    def test_an_unknown_price_keeps_the_money(self):
        """Who cannot say what it cost is charged at the most; and a cap needs to know the most."""
        ledger = Ledger(Budget(usd=1.0), PRICE)
        ledger.reserve(1, 100, 0.25).settle(Usage(1, 10, 1), None)
        assert ledger.spent == Amount.of(1, 11, 0.25)
        with pytest.raises(UsageError):
            ledger.reserve(1, 100, None)


def test_money_adds_up_without_rounding():
    """A thousand times a tenth of a cent, taken back again, leaves nothing."""
    ledger = Ledger(Budget(requests=5000, usd=1.0), PRICE)
    held = [ledger.reserve(1, 1, 0.001) for _ in range(1000)]
    assert ledger.reserved.usd == 1.0
    with pytest.raises(BudgetExhausted):
        ledger.reserve(1, 1, 1e-9)
    for each in held:
        each.release()
    assert ledger.reserved == Amount()


def test_an_adapter_error_keeps_its_own_words():
    """What the endpoint says gets through the budget as it is."""

    def fail(messages):
        raise error

    error = AdapterError("No.", unbilled=True)
    policy = Budgeted(FunctionAdapter(fail), Ledger(Budget()), Meter())
    with pytest.raises(AdapterError) as caught:
        asyncio.run(policy.complete(REQUEST))
    assert caught.value is error
