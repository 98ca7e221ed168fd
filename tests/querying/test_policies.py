"""What the stack refuses, forwards, and the order in which they stand."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.completions import Capabilities, CompletionRequest, Message
from spex_api.errors import UsageError
from spex_api.querying.adapter import load_adapter
from spex_api.querying.budget import Budget, Budgeted, Ledger
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


def test_a_dollar_cap_needs_a_price():
    """Where the price is not known, a cap in dollars refuses to start."""

    async def main(model):
        async with open_stack(
            model, budget=Budget(usd=0.5), meter=Meter(), on_event=print
        ) as stack:
            return stack.adapter.model

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
    wrapped = Retrying(Budgeted(model, Ledger(Budget()), Meter()), Meter())
    assert getattr(wrapped, name) == getattr(model, name)
    assert wrapped.body(REQUEST) == model.body(REQUEST)
    assert wrapped.read('{"a": -1.0}') == model.read('{"a": -1.0}')
