"""Batches beside the policies: the cache is full before it is asked."""

# The fake has the methods of the protocol.
# ruff: noqa: ARG002

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from spex_api.completions import Capabilities, CompletionRequest, Message
from spex_api.errors import AuthenticationFailed, BudgetExhausted, UsageError
from spex_api.events import Notice
from spex_api.querying.batches.endpoint import BatchLimits, BatchState, BatchStatus
from spex_api.querying.batches.opening import batches_of, open_batches, run_name
from spex_api.querying.budget import Budget, Budgeted
from spex_api.querying.cache import Cached, DiskStore, Mode
from spex_api.querying.ledger import Amount, Ledger
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import Price
from spex_api.testing import FunctionAdapter

PRICE = Price(10.0, 10.0)
ASKED = [CompletionRequest((Message("user", f"Good {number}?"),)) for number in range(5)]


@dataclass
class Endpoint:
    """Answers every question but the last of a batch at once, or fails to come to it."""

    limits: BatchLimits = field(default_factory=lambda: BatchLimits(10, 10**6))
    keeps: str = ""
    exact: bool = True
    lines: list = field(default_factory=list)

    async def submit(self, chunk, lines):
        """Takes all."""
        self.lines.append(dict(lines))
        return f"batch_{len(self.lines)}"

    async def poll(self, batch):
        """Somebody cancelled it."""
        return BatchStatus(BatchState.CANCELLED)

    async def discard(self, batch):
        """Keeps nothing."""

    async def fetch(self, batch):
        """All but the last."""
        for key in list(self.lines[int(batch[6:]) - 1])[:-1]:
            yield key, '{"yes": -0.1}'


@dataclass
class Model:
    """A function that also takes batches."""

    function: FunctionAdapter
    endpoint_of_batches: Endpoint | None

    def batches(self):
        """Its batches."""
        return self.endpoint_of_batches

    def __getattr__(self, name):
        return getattr(self.function, name)


class Time:
    """A clock on which any wait is over at once."""

    async def sleep(self, seconds):
        """Is over at once."""
        await asyncio.sleep(0)


@pytest.fixture
def model():
    """A model of OpenAI's, which costs something."""
    function = FunctionAdapter(
        lambda messages: {"yes": -0.1},
        endpoint="https://api.openai.com/v1",
        capabilities=Capabilities(),
    )
    return Model(function, Endpoint())


def use(model, folder, budget, call, *, mode=Mode.LIVE, price=PRICE):
    """Calls with what fills the cache, the stack, and the ledger."""

    async def main():
        ledger = Ledger(budget, PRICE)
        meter = Meter()
        store = DiskStore(folder)
        cached = Cached(Budgeted(model, ledger, meter), store, meter, mode)
        told = []
        try:
            async with open_batches(
                cached,
                run="run-1",
                folder=folder / "batches",
                ledger=ledger,
                price=price,
                clock=Time(),
                on_event=told.append,
            ) as fill_first:
                await call(fill_first, cached)
        finally:
            store.close()
        return ledger, meter, told

    return asyncio.run(main())


def test_what_batches_brought_is_found_and_the_rest_is_asked_under_the_same_cap(model, tmp_path):
    """Four by batch at half the price and one alone: five requests sent, none of them cached."""

    async def call(fill_first, cached):
        filled = await fill_first(ASKED)
        assert (filled.kept, filled.left) == (4, 1)
        for request in ASKED:
            await cached.complete(request)

    ledger, meter, told = use(model, tmp_path, Budget(requests=5, usd=1.0), call)
    assert len(model.function.requests) == 1
    assert (meter.sent, meter.cached) == (5, 0)
    # Two tokens an answer at 10 dollars a million, and half of that in a batch.
    assert ledger.spent == Amount(5, 10, 4 * 10_000_000 + 20_000_000)
    assert ledger.reserved == Amount()
    assert meter.usd == pytest.approx(60e-6)
    reasons = [event.text for event in told if isinstance(event, Notice)]
    assert reasons[-1].startswith("Asked one by one, not by batch: 1 question: The batch was")


def test_a_batch_of_an_earlier_run_counts_beyond_the_cap(model, tmp_path):
    """Five are paid, and only two may be: they are read, and nothing more is asked."""

    async def submit(fill_first, cached):
        model.endpoint_of_batches.poll = broken
        await fill_first(ASKED)

    async def broken(batch):
        raise AuthenticationFailed("The key was taken away.")

    async def resume(fill_first, cached):
        filled = await fill_first(ASKED)
        assert filled.kept == 4
        with pytest.raises(BudgetExhausted):
            await cached.complete(ASKED[-1])

    with pytest.raises(AuthenticationFailed):
        use(model, tmp_path, Budget(), submit)
    del model.endpoint_of_batches.poll
    ledger, meter, _ = use(model, tmp_path, Budget(requests=2, usd=1e-6), resume)
    assert (len(model.endpoint_of_batches.lines), model.function.requests) == (1, [])
    assert (ledger.spent, ledger.reserved) == (Amount(4, 8, 4 * 10_000_000), Amount())
    assert meter.usd == pytest.approx(40e-6)


async def nothing(fill_first, cached):
    """Asks nothing."""


def test_an_endpoint_without_batches_is_wrong_use(model, tmp_path):
    """An adapter without the second protocol, or one that says it has none."""
    for without in (model.function, Model(model.function, None)):
        assert batches_of(without) is None
        with pytest.raises(UsageError, match="takes no batches"):
            use(without, tmp_path, Budget(), nothing)


@pytest.mark.parametrize("mode", [Mode.REFRESH, Mode.REPLAY])
def test_a_batch_fills_a_live_cache_alone(model, tmp_path, mode):
    """A refresh asks what is there, and a replay asks nothing."""
    with pytest.raises(UsageError, match=mode.value):
        use(model, tmp_path, Budget(), nothing, mode=mode)


def test_a_cap_in_dollars_needs_the_price_of_a_batch(model, tmp_path):
    """Where no batch has a known price, the cap cannot be kept; without a cap it may go."""
    with pytest.raises(UsageError, match="costs in a batch is not known"):
        use(model, tmp_path, Budget(usd=1.0), nothing, price=None)
    use(model, tmp_path, Budget(), nothing, price=None)


def test_a_runs_name_is_made_of_what_the_run_is(model):
    """The same again for the same, another for any other part."""
    name = run_name(model, "prompt", "score", "0")
    assert name == run_name(model, "prompt", "score", "0")
    assert len({name, run_name(model, "prompt", "score", "1"), run_name(model, "prompt")}) == 3
    assert len(name) == 32
