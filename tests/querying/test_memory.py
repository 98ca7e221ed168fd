"""Answers in memory are kept as on disk, and by no one else."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.completions import CompletionRequest, Message
from spex_api.querying.answers.memory import MemoryStore
from spex_api.querying.budget import Budget
from spex_api.querying.ledger import Ledger
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import FREE
from spex_api.querying.stack import Terms, open_beside, open_stack
from spex_api.testing import FunctionAdapter

QUESTION = CompletionRequest((Message("user", "Well?"),))


def test_a_record_comes_back():
    """What was put is got, under its own key alone."""
    store = MemoryStore()
    store.put("a", b"one")
    assert (store.get("a"), store.get("b"), "a" in store, len(store)) == (b"one", None, True, 1)


def test_of_what_is_put_together_all_is_kept_or_nothing():
    """An error takes back what was put before it."""
    store = MemoryStore()
    store.put("a", b"one")

    def broken_off() -> None:
        with store.together():
            store.put("a", b"two")
            store.put("b", b"three")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert (store.get("a"), "b" in store) == (b"one", False)
    with store.together():
        store.put("b", b"three")
    assert store.get("b") == b"three"


async def ask(model, **settings) -> None:
    """One question through a whole stack."""
    terms = Terms(store=settings.pop("store"))
    if "ledger" in settings:
        opened = open_beside(model, ledger=settings["ledger"], meter=Meter(), terms=terms)
    else:
        opened = open_stack(model, budget=Budget(2), meter=Meter(), terms=terms)
    async with opened as stack:
        await stack.adapter.complete(QUESTION)


def test_a_stack_over_memory_leaves_nothing_on_disk(answers):
    """While the store lives its answers are found, and no folder is made."""
    model, store = FunctionAdapter(lambda messages: {"yes": -0.1}), MemoryStore()
    for _ in range(2):
        asyncio.run(ask(model, store=store))
    assert len(model.requests) == 1
    assert not answers.exists()


def test_a_model_under_a_shared_budget_takes_from_it():
    """What one of two has taken, the other lacks."""
    ledger = Ledger(Budget(5), FREE, model="both")
    for name in "ab":
        model = FunctionAdapter(lambda messages: {"yes": -0.1}, model=name)
        asyncio.run(ask(model, store=MemoryStore(), ledger=ledger))
    assert ledger.spent.requests == 2
