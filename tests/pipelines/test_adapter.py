"""A function as a model: called with what is there, in a thread or in the loop, and read."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from dataclasses import replace
from functools import partial

import pytest

from spex_api.calls.gate import WireReply, WireRequest, current_gate
from spex_api.completions import CompletionRequest, Outcome, ToolCall
from spex_api.errors import BudgetExhausted, PipelineFailed, UsageError
from spex_api.pipelines.adapter import FAILED, PipelineAdapter
from spex_api.pipelines.inputs import Inputs
from spex_api.pipelines.model_calls import ModelCalls
from spex_api.querying.budget import Budget
from spex_api.querying.pace.limits import Limits
from spex_api.querying.pricing import Price

DOCUMENTS = ["a", "b", "c"]
ALL = (0, 1, 2)
DEAR = Price(1_000_000.0, 1_000_000.0)


def run(function, *features, samples=(0,), budget=None, price=None, concurrency=4):
    """What comes of these features, one after the other, or at once where there are several."""

    async def main():
        inputs = Inputs.of(function, {"documents": DOCUMENTS}, None)
        with ModelCalls(budget or Budget(10), limits=Limits(), price=price) as calls:
            adapter = PipelineAdapter(function, inputs, calls=calls, concurrency=concurrency)
            given = []
            for kept in features or (ALL,):
                question = CompletionRequest(inputs.asked(kept))
                asked = [replace(question, sample_index=index) for index in samples]
                given += await asyncio.gather(*(adapter.complete(each) for each in asked))
            await adapter.aclose()
            return given, adapter

    given, adapter = asyncio.run(main())
    assert [adapter.read(each.raw) for each in given] == given
    return given, adapter


def joined(documents):
    """A plain pipeline."""
    return " ".join(documents)


async def joined_async(documents):
    """An asynchronous one."""
    await asyncio.sleep(0)
    return " ".join(documents)


class Joining:
    """An object that is called, asynchronously."""

    async def __call__(self, documents):
        """Joins them."""
        return " ".join(documents)


@pytest.mark.parametrize(
    "function",
    [
        joined,
        joined_async,
        Joining(),
        partial(joined_async),
        lambda documents: joined_async(list(documents)),
    ],
)
def test_whatever_can_be_called_is_called_with_what_is_there(function):
    """Plain or not, and whatever it must be waited for."""
    given, adapter = run(function, ALL, (2, 0), ())
    assert [each.text for each in given] == ["a b c", "c a", ""]
    assert adapter.failed == 0


def test_its_name_is_its_own():
    """A function by module and name, also where some of its arguments are given already."""
    assert run(joined)[1].model.endswith("test_adapter.joined")
    assert run(partial(joined))[1].model.endswith("test_adapter.joined")


TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


def test_plain_ones_run_side_by_side_in_the_callers_context():
    """As many as may be under way, none of them in the loop's thread."""
    met = threading.Barrier(3)
    threads = set()

    def function(documents):
        threads.add(threading.get_ident())
        met.wait(timeout=10)
        return TENANT.get()

    TENANT.set("somebody")
    given, _ = run(function, samples=(0, 1, 2), concurrency=3)
    assert [each.text for each in given] == ["somebody"] * 3
    assert len(threads) == 3
    assert threading.get_ident() not in threads


def test_no_more_run_at_once_than_may():
    """One that may be under way alone is."""
    running, most = [0], [0]

    def function(documents):
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.005)
        running[0] -= 1
        return "x"

    run(function, samples=range(4), concurrency=1)
    assert most == [1]


def test_calls_of_tools_are_those_of_the_answer():
    """As the reply of a vendor has them."""
    call = {"type": "tool_use", "id": "1", "name": "look", "input": {}}
    (given,), _ = run(lambda documents: {"role": "assistant", "content": [call]})
    assert (given.text, given.tool_calls) == ("", (ToolCall("1", "look", "{}"),))


def test_a_refusal_is_one():
    """Where the reply that the pipeline gives says so."""
    reply = {"role": "assistant", "content": [], "stop_reason": "refusal"}
    (given,), _ = run(lambda documents: reply)
    assert given.outcome is Outcome.REFUSED


def test_an_exception_on_a_part_is_an_answer_without_a_value():
    """Counted, and told in words; the first of several is kept."""

    def function(documents):
        return {1: "one"}.get(len(documents)) or documents[3 - len(documents)] + documents[2]

    given, adapter = run(function, ALL, (0, 1), (), (0,))
    assert [each.finish_reason for each in given] == ["", FAILED, FAILED, ""]
    assert given[1].text == "IndexError: list index out of range"
    assert (adapter.failed, adapter.first_failure) == (2, given[1].text)


class Stop(StopIteration):
    """No future carries it."""


@pytest.mark.parametrize("error", [KeyError("documents"), Stop("over"), TimeoutError()])
@pytest.mark.parametrize("is_async", [True, False])
def test_an_exception_with_everything_in_ends_the_run(error, is_async):
    """With the user's own exception as its cause."""

    def plain(documents):
        raise error

    async def not_plain(documents):
        raise error

    with pytest.raises(PipelineFailed, match="fails with all of its arguments") as told:
        run(not_plain if is_async else plain)
    cause = told.value.__cause__
    # Python itself makes a RuntimeError of a StopIteration that leaves a coroutine.
    assert error in (cause, cause.__cause__)


def test_once_it_has_answered_an_exception_is_a_flaw_among_others():
    """A service that breaks down now and then does not end a run."""
    times = []

    def function(documents):
        times.append(documents)
        if len(times) == 2:
            raise ConnectionError
        return "x"

    given, _ = run(function, ALL, ALL)
    assert [each.finish_reason for each in given] == ["", FAILED]
    assert given[1].text == "ConnectionError"


def test_an_interrupt_is_no_answer():
    """Ctrl-C in a plain pipeline ends all, as anywhere."""

    def function(documents):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(function)


def test_nothing_is_no_answer_with_everything_in():
    """Mostly somebody forgot to return it; under a mask it is an empty text."""
    with pytest.raises(UsageError, match="returned nothing"):
        run(lambda documents: None)
    given, _ = run(lambda documents: documents[0] if documents else None, ALL, ())
    assert given[1].text == ""


def test_pieces_are_no_answer():
    """A generator is refused in words."""

    def function(documents):
        yield from documents

    async def streaming(documents):
        for document in documents:
            yield document

    for pieces in (function, streaming):
        with pytest.raises(UsageError, match="piece by piece"):
            run(pieces)


BODY = b'{"model": "toy", "messages": [{"role": "user", "content": "?"}]}'
ASKED = WireRequest("POST", "http://h/v1/chat/completions", "openai.chat", BODY)
REPLY = (
    b'{"choices": [{"message": {"content": "", "tool_calls": [{"id": "1", "function": {"name": '
    b'"look", "arguments": "{}"}}]}}], "usage": {"prompt_tokens": 5, "completion_tokens": 5}}'
)


def test_its_model_calls_pass_the_gate_of_its_run():
    """Each run has its own, and what is called inside counts as called by the pipeline."""
    gates, sent = [], []

    async def function(documents):
        gate = current_gate()
        gates.append(gate)

        async def forward():
            sent.append(documents)
            return WireReply(200, "application/json", (REPLY,))

        await gate.send(ASKED, forward)
        return "done"

    given, adapter = run(function, ALL, (0,), (0,), samples=(0, 1))
    assert len({id(gate) for gate in gates}) == 6
    # What is asked first under each mask is shared; afresh, it is each run's own.
    assert len(sent) == 1 + 2
    assert given[0].tool_calls == (ToolCall("1", "look", "{}"),)
    assert adapter.calls.totals.usage.requests == 6
    assert current_gate() is None


@pytest.mark.parametrize("swallows", [True, False])
def test_a_cap_that_a_call_meets_ends_the_run(swallows):
    """Whatever the pipeline makes of the error that its client raised."""

    async def function(documents):
        reply = await current_gate().send(ASKED, None)
        if reply.status != 200 and not swallows:
            raise RuntimeError(reply.body)
        return "I cannot tell."

    with pytest.raises(BudgetExhausted):
        run(function, budget=Budget(9, usd=0.5), price=DEAR)
