"""Retries, the cap, and the order in which they stand."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.completions import Capabilities, CompletionRequest, Message
from spex_api.errors import (
    AuthenticationFailed,
    BudgetExhausted,
    RateLimited,
    Unavailable,
    UsageError,
)
from spex_api.events import Notice
from spex_api.querying import retry
from spex_api.querying.adapter import load_adapter
from spex_api.querying.budget import Budget, Budgeted
from spex_api.querying.policy import Meter
from spex_api.querying.retry import Retrying
from spex_api.querying.stack import open_stack
from spex_api.testing import FunctionAdapter

REQUEST = CompletionRequest((Message("user", "Good?"),))


def failing(*errors: Exception) -> FunctionAdapter:
    """A model that raises these, one a request, and then answers."""
    queue = list(errors)

    def answer(messages):
        if queue:
            raise queue.pop(0)
        return {"yes": -0.1}

    return FunctionAdapter(answer)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """The waits between attempts, collected instead of slept."""
    waits: list[float] = []
    backoff = retry._backoff
    monkeypatch.setattr(retry, "_backoff", lambda state: waits.append(backoff(state)) or 0.0)
    return waits


def test_what_may_pass_is_tried_again(no_waiting):
    """Two failures that may pass, then the answer; each retry is told and counted."""
    model = failing(Unavailable("Busy."), RateLimited("Too fast."))
    meter, told = Meter(), []
    answer = asyncio.run(Retrying(model, meter, on_event=told.append).complete(REQUEST))
    assert answer.text == "yes"
    assert len(model.requests) == 3
    assert meter.retries == 2
    assert told[0] == Notice("Busy. Trying again (2 of 5).")
    assert len(no_waiting) == 2
    assert all(0 < wait <= 60 for wait in no_waiting)


@pytest.mark.parametrize("error", [AuthenticationFailed("No."), UsageError("No."), ValueError()])
def test_what_cannot_pass_is_not(error):
    """A refused key, wrong use or a bug is asked once."""
    model = failing(error)
    with pytest.raises(type(error)):
        asyncio.run(Retrying(model, Meter()).complete(REQUEST))
    assert len(model.requests) == 1


def test_the_last_error_is_the_one_that_is_raised():
    """After five attempts the endpoint's own words get through."""
    model = failing(*[Unavailable(f"Attempt {n}.") for n in range(9)])
    with pytest.raises(Unavailable, match="Attempt 4"):
        asyncio.run(Retrying(model, Meter()).complete(REQUEST))
    assert len(model.requests) == 5


def test_the_servers_hint_goes_before_our_own_wait(no_waiting, monkeypatch):
    """A hint is slept as it is; no backoff of ours is drawn."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    model = failing(RateLimited("Too fast.", retry_after=7.0))
    asyncio.run(Retrying(model, Meter()).complete(REQUEST))
    assert slept == [7.0]
    assert no_waiting == []


def test_a_hint_of_days_ends_the_run():
    """Nobody waits for 10⁷ seconds: the error gets through at once."""
    model = failing(RateLimited("Too fast.", retry_after=1e7))
    with pytest.raises(RateLimited):
        asyncio.run(Retrying(model, Meter()).complete(REQUEST))
    assert len(model.requests) == 1


def test_a_cancelled_request_is_not_tried_again():
    """Cancelling ends the request; nothing is sent after it."""

    async def main():
        model = failing(asyncio.CancelledError())
        with pytest.raises(asyncio.CancelledError):
            await Retrying(model, Meter()).complete(REQUEST)
        return model

    assert len(asyncio.run(main()).requests) == 1


def test_the_cap_holds_under_concurrency():
    """Of ten requests at once under a cap of four, four go out."""

    async def main():
        model, meter = failing(), Meter()
        capped = Budgeted(model, Budget(requests=4), meter)
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
    model, meter = failing(*[Unavailable("Busy.")] * 9), Meter()
    capped = Retrying(Budgeted(model, Budget(requests=3), meter), meter)
    with pytest.raises(BudgetExhausted):
        asyncio.run(capped.complete(REQUEST))
    assert meter.sent == 3


@pytest.mark.parametrize("settings", [{"requests": 0}, {"usd": -1.0}])
def test_a_budget_is_no_debt(settings):
    """A cap below one request, or below nothing, is wrong use."""
    with pytest.raises(UsageError):
        Budget(**settings)


def test_a_dollar_cap_needs_a_price():
    """Where the price is not known, a cap in dollars refuses to start."""

    async def main(model):
        async with open_stack(
            model, budget=Budget(usd=0.5), meter=Meter(), on_event=print
        ) as stack:
            return stack.model

    free = failing()
    assert asyncio.run(main(free)) == "function"
    paid = FunctionAdapter(free.answer, capabilities=Capabilities())
    with pytest.raises(UsageError, match="cap of 0.5 dollars"):
        asyncio.run(main(paid))


def test_an_unknown_adapter_names_the_known():
    """A provider that nobody registered is told from those that are."""
    with pytest.raises(UsageError, match=r"'opnai'.*local, openai"):
        load_adapter("opnai:gpt-4.1-mini")


@pytest.mark.parametrize("name", ["endpoint", "model", "capabilities"])
def test_a_policy_forwards_what_it_does_not_change(name):
    """A wrapper answers for the adapter within."""
    model = failing()
    wrapped = Retrying(Budgeted(model, Budget(), Meter()), Meter())
    assert getattr(wrapped, name) == getattr(model, name)
    assert wrapped.body(REQUEST) == model.body(REQUEST)
    assert wrapped.read('{"a": -1.0}') == model.read('{"a": -1.0}')
