"""The gate: where it is set, and what a client is told that is to give up."""

from __future__ import annotations

import asyncio
import json

import pytest

from spex_api.calls.gate import WireReply, current_gate, gated, refusing


def test_a_gate_belongs_to_the_tasks_begun_inside():
    """Two tasks beside each other have a gate each, and whoever set it has none afterwards."""

    async def inside(gate):
        with gated(gate):
            await asyncio.sleep(0)
            return current_gate()

    async def beside_each_other(*gates):
        return await asyncio.gather(*map(inside, gates))

    gates = [object(), object()]
    assert asyncio.run(beside_each_other(*gates)) == gates
    assert current_gate() is None


def test_a_gate_is_opened_again_by_none():
    """Inside a gate, a call may be let past it, and an error puts the gate back."""
    gate, seen = object(), []

    def past_it():
        with gated(None):
            seen.append(current_gate())
            raise KeyError

    with gated(gate):
        with pytest.raises(KeyError):
            past_it()
        seen.append(current_gate())
    assert seen == [None, gate]


def test_a_refusal_is_a_reply_that_no_client_tries_again():
    """Its sentence stands where both vendors put theirs, beside the header that they obey."""
    reply = refusing("The budget is used up.")
    assert json.loads(reply.body)["error"]["message"] == "The budget is used up."
    assert (reply.status, dict(reply.headers)) == (400, {"x-should-retry": "false"})


@pytest.mark.parametrize(
    ("content_type", "streamed"),
    [("text/event-stream; charset=utf-8", True), ("application/json", False), ("", False)],
)
def test_a_stream_is_told_by_its_type(content_type, streamed):
    """The type's parameters do not matter, and the pieces of a body are one body."""
    reply = WireReply(200, content_type, (b"data: ", b"{}"))
    assert (reply.streamed, reply.body) == (streamed, b"data: {}")
