"""Caps and limits that processes keep together, in a real PostgreSQL and with real processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from bisect import bisect_left
from contextlib import closing

import pytest

from spex_api.completions import CompletionRequest, Message, Usage
from spex_api.errors import BudgetExhausted, RateLimited, RetryLater, UsageError
from spex_api.querying.budget import Budget
from spex_api.querying.ledger import Amount
from spex_api.querying.pace.limits import Limits
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import Price
from spex_api.querying.shared.limiter import SharedLimiter
from spex_api.querying.shared.store import PostgresStore, new_run
from spex_api.querying.stack import Terms, open_stack
from spex_api.testing import FunctionAdapter

WORKER = """
import asyncio, json, sys, time
from contextlib import closing
from spex_api.completions import CompletionRequest, Message
from spex_api.errors import BudgetExhausted
from spex_api.querying.budget import Budget
from spex_api.querying.pace.limits import Limits
from spex_api.querying.policy import Meter
from spex_api.querying.shared.store import PostgresStore
from spex_api.querying.stack import Terms, open_stack
from spex_api.testing import FunctionAdapter

url, name, run, cap, minute, limit, seconds = sys.argv[1:]
arrived = []

class Model(FunctionAdapter):
    async def complete(self, request):
        arrived.append(time.time())
        print("sent", flush=True)
        await asyncio.sleep(0.02)
        return await super().complete(request)

async def main(store):
    terms = Terms(Limits(float(limit) if limit else None), 16, store=store)
    model = Model(lambda messages: {"yes": 0.0})
    until = time.time() + float(seconds)
    async with open_stack(model, budget=Budget(int(cap)), meter=Meter(), terms=terms) as stack:
        async def work(number):
            for turn in range(10**6):
                if time.time() > until:
                    return
                text = f"{name} {number} {turn}"
                await stack.adapter.complete(CompletionRequest((Message("user", text),)))
        done = await asyncio.gather(*(work(n) for n in range(16)), return_exceptions=True)
        return [str(each) for each in done if not isinstance(each, (BudgetExhausted, type(None)))]

with closing(PostgresStore(url, run=run or None, minute=float(minute))) as store:
    wrong = asyncio.run(main(store))
print(json.dumps({"arrived": arrived, "wrong": wrong}))
"""


def asked(text="question", max_tokens=1):
    return CompletionRequest((Message("user", text),), max_tokens=max_tokens)


def begun(url, name, *, run="", cap=10**6, minute=60.0, limit="", seconds=60.0):
    """A worker that asks as much as it may."""
    given = [url, name, run, cap, minute, limit, seconds]
    command = [sys.executable, "-c", WORKER, *map(str, given)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(process):
    """What a worker did, once it is done."""
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    last = json.loads(said.splitlines()[-1])
    assert last["wrong"] == []
    return last["arrived"]


def test_three_processes_send_what_the_cap_allows_and_no_more(store_url, postgres):
    """To the request, though the server is killed meanwhile; another run begins anew."""
    run, cap = new_run(), 400
    workers = [begun(store_url, f"w{n}", run=run, cap=cap) for n in range(3)]
    assert workers[0].stdout is not None
    for _ in range(20):
        workers[0].stdout.readline()
    postgres.kill()
    time.sleep(0.2)
    postgres.start()
    assert sum(len(told(each)) for each in workers) == cap
    with closing(PostgresStore(store_url)) as store:
        assert (store.spent(run).requests, store.spent(new_run())) == (cap, Amount())


def test_what_a_dead_worker_had_under_way_stays_charged(store_url, monkeypatch):
    """Nobody waits for it for ever: it is spent, as far as anybody knows."""
    monkeypatch.setattr("spex_api.querying.shared.locks._GRACE", 0.0)
    monkeypatch.setattr("spex_api.querying.shared.locks._SECONDS_BETWEEN_LOOKS", 0.1)
    run = new_run()
    dead = PostgresStore(store_url, run=run)
    dead.ledger(Budget(2), None, model="m").owe(1, 5, None)
    with closing(PostgresStore(store_url, run=run)) as store:
        ledger = store.ledger(Budget(2), None, model="m")

        async def main():
            mine = await ledger.acquire(asked())
            waits = asyncio.create_task(ledger.acquire(asked()))
            await asyncio.sleep(0.5)
            assert not waits.done()
            dead.close()
            mine.keep()
            with pytest.raises(BudgetExhausted, match="2 requests has no room"):
                await waits

        asyncio.run(main())
        assert store.spent(run).requests == 2


def test_what_is_settled_makes_room_for_who_waits(store_url):
    """In tokens and dollars; what is cancelled leaves nothing behind."""
    price = Price(input=1.0, output=1.0)
    run = new_run()
    with (
        closing(PostgresStore(store_url, run=run)) as one,
        closing(PostgresStore(store_url, run=run)) as two,
    ):
        first = one.ledger(Budget(10), price, model="m")
        bound = first.bound(asked())
        budget = Budget(10, tokens=bound.tokens + 1, usd=1.5 * bound.usd)
        run = one.run = two.run = new_run()
        first, second = (each.ledger(budget, price, model="m") for each in (one, two))

        async def main():
            held = await first.acquire(asked())
            waits = asyncio.create_task(second.acquire(asked()))
            await asyncio.sleep(0.05)
            broken = asyncio.create_task(second.acquire(asked()))
            await asyncio.sleep(0.1)
            broken.cancel()
            await asyncio.gather(broken, return_exceptions=True)
            assert not waits.done()
            held.release()
            (await waits).settle(Usage(1, 1, 0), 1e-6)

        asyncio.run(main())
        second.owe(0, 0, 0.0).release()
    with closing(PostgresStore(store_url)) as store:
        assert store.spent(run) == Amount.of(1, 1, 1e-6)


def test_who_joins_a_run_has_its_caps(store_url):
    """Other caps under the same name are refused."""
    run = new_run()
    with closing(PostgresStore(store_url, run=run)) as store:
        store.ledger(Budget(5), None, model="m")
        store.ledger(Budget(5), None, model="m")
        with pytest.raises(UsageError, match="other caps"):
            store.ledger(Budget(6), None, model="m")


def test_no_minute_takes_more_than_the_limit_and_nine_tenths_are_used(store_url):
    """Three processes, and a minute of three seconds: 90 in any window, as the model sees them."""
    limit, minute, seconds = 90, 3.0, 9.0
    settings = {"minute": minute, "limit": limit, "seconds": seconds}
    workers = [begun(store_url, f"w{n}", **settings) for n in range(3)]
    arrived = sorted(moment for each in workers for moment in told(each))
    most = max(bisect_left(arrived, at + minute) - n for n, at in enumerate(arrived))
    assert most <= limit
    within = [at for at in arrived if at <= arrived[0] + seconds - minute]
    assert len(within) >= 0.9 * limit * (seconds - minute) / minute


def test_what_a_dead_worker_had_under_way_makes_room_again(store_url, monkeypatch):
    """A minute after it is found dead: what it sent arrived before that."""
    monkeypatch.setattr("spex_api.querying.shared.locks._GRACE", 0.0)
    monkeypatch.setattr("spex_api.querying.shared.locks._SECONDS_BETWEEN_LOOKS", 0.1)

    def limiter(store):
        parts = {"session": store._session, "locks": store._locks}
        return SharedLimiter(Limits(1.0), scope=scope, minute=1.0, **parts)

    scope = new_run()
    dead = PostgresStore(store_url)
    with closing(PostgresStore(store_url)) as store:

        async def main():
            await limiter(dead).acquire(asked())
            waits = asyncio.create_task(limiter(store).acquire(asked()))
            await asyncio.sleep(2.0)
            assert not waits.done(), "nobody knows when its reply will come"
            dead.close()
            died = time.monotonic()
            await waits
            return time.monotonic() - died

        assert asyncio.run(main()) >= 1.0


def stack_of(store, model, limits=Limits()):
    return open_stack(
        model, budget=Budget(100), meter=Meter(), terms=Terms(limits, 16, store=store)
    )


def test_a_pause_that_one_is_asked_for_is_everybodys(store_url):
    """And one that is longer than is sat out ends the run of all; nothing of it is charged."""

    class Strict(FunctionAdapter):
        async def complete(self, request):
            self.requests.append(request)
            raise RateLimited("Too fast.", retry_after=500.0, unbilled=True)

    async def main():
        with (
            closing(PostgresStore(store_url)) as one,
            closing(PostgresStore(store_url)) as two,
        ):
            model = FunctionAdapter(lambda messages: {"yes": 0.0})
            strict = Strict(lambda messages: {})
            async with stack_of(one, strict) as first, stack_of(two, model) as second:
                with pytest.raises(RetryLater):
                    await first.adapter.complete(asked("one"))
                one.get("ab" * 32)  # what was asked before is done by now
                with pytest.raises(RetryLater, match="asks for a wait of"):
                    await second.adapter.complete(asked("two"))
                return len(model.requests), second.ledger.spent.requests

    assert asyncio.run(main()) == (0, 0)


def test_tokens_are_limited_by_what_answers_really_took(store_url):
    """A request that is larger than the limit is refused, and one that is broken off is free."""
    model = FunctionAdapter(lambda messages: {"yes": 0.0})

    async def main():
        with closing(PostgresStore(store_url)) as store:
            limits = Limits(tokens_per_minute=50)
            async with stack_of(store, model, limits) as stack:
                with pytest.raises(UsageError, match="the limit is 50 a minute"):
                    await stack.adapter.complete(asked(max_tokens=60))
                await stack.adapter.complete(asked("one"))
                waits = asyncio.create_task(stack.adapter.complete(asked("word " * 60)))
                await asyncio.sleep(0.3)
                waits.cancel()
                await asyncio.gather(waits, return_exceptions=True)
                return len(model.requests), stack.ledger.spent.requests, stack.ledger.reserved

    assert asyncio.run(main()) == (1, 1, Amount())
