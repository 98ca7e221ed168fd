"""Model calls inside a pipeline: a run's own answers on disk, limits, caps before sending."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from functools import partial

import pytest

from spex_api.calls.gate import WireReply, WireRequest
from spex_api.errors import BudgetExhausted, CacheMiss, UsageError
from spex_api.pipelines.gated import RunGate
from spex_api.pipelines.model_calls import ModelCalls
from spex_api.querying.budget import Budget
from spex_api.querying.pace.limits import Limits
from spex_api.querying.pricing import Price

URL = "http://127.0.0.1:9/v1/chat/completions"
DEAR = Price(1_000_000.0, 1_000_000.0)
"""A dollar a token."""
USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


def request(text="Well?", **settings) -> WireRequest:
    """A call of chat, as a client would send it."""
    body = {"model": "toy", "messages": [{"role": "user", "content": text}], **settings}
    return WireRequest("POST", URL, "openai.chat", json.dumps(body).encode())


def reply(text="Yes.", *, usage=USAGE) -> WireReply:
    """An answer of chat, in two pieces."""
    body = {"model": "toy-1", "choices": [{"message": {"content": text}}], "usage": usage}
    raw = json.dumps(body).encode()
    return WireReply(200, "application/json", (raw[:5], raw[5:]), (("x-request-id", "r1"),))


def stream(*, ended=True) -> WireReply:
    """A streamed answer of chat."""
    events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("Y", "es")]
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    text = "".join([*lines, *(["data: [DONE]\n\n"] if ended else [])])
    return WireReply(200, "text/event-stream", (text.encode(),))


class Endpoint:
    """What a client forwards to: gives these replies in turn, the last for ever."""

    def __init__(self, *replies, error=None) -> None:
        self.replies = list(replies) or [reply()]
        self.error = error
        self.sent = 0

    def plain(self) -> WireReply:
        """For plain clients."""
        self.sent += 1
        if self.error is not None:
            raise self.error
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    async def __call__(self) -> WireReply:
        """For asynchronous ones."""
        await asyncio.sleep(0)
        return self.plain()


@contextmanager
def opened(budget=None, **settings):
    """What runs share, in the running loop."""
    with ModelCalls(budget or Budget(10), limits=Limits(), **settings) as calls:
        yield calls


def asked(*sent, budget=None, run="", price=None) -> tuple[list[WireReply], ModelCalls, RunGate]:
    """The replies to calls of one run, one after the other."""

    async def main():
        with opened(budget, price=price) as calls:
            gate = RunGate(calls, run)
            replies = [await gate.send(each, endpoint) for each, endpoint in sent]
            return replies, calls, gate

    return asyncio.run(main())


def test_a_reply_goes_through_as_it_came():
    """Byte for byte in its pieces, headers and all; what it took is counted."""
    endpoint = Endpoint()
    (given,), calls, gate = asked((request(), endpoint), price=Price(1.0, 2.0))
    assert given == reply()
    assert (endpoint.sent, [each.text for each in gate.seen]) == (1, ["Yes."])
    assert (calls.totals.usage.input_tokens, calls.totals.usage.output_tokens) == (10, 2)
    assert calls.totals.usd == pytest.approx(14e-6)
    assert calls.ledger.spent.tokens == 12


@pytest.mark.parametrize("answer", [reply(), stream()])
def test_the_next_process_finds_it_on_disk(answer):
    """The same body, the same kind of content, and nothing is sent."""
    first = Endpoint(answer)
    asked((request(stream=answer.streamed), first))
    again = Endpoint()
    (given,), calls, gate = asked((request(stream=answer.streamed), again))
    assert (first.sent, again.sent, calls.meter.cached) == (1, 0, 1)
    assert (given.status, given.body, given.streamed) == (200, answer.body, answer.streamed)
    assert gate.seen[0].text == "Yes." if not answer.streamed else "Yes"
    assert calls.totals.usage.requests == 1


def test_a_fresh_run_finds_no_answer_of_another():
    """Each run's calls have a place of their own, and its own are found again."""
    endpoint = Endpoint()
    for run in ("", "a 1", "a 2", "", "a 1", "a 2"):
        asked((request(), endpoint), run=run)
    assert endpoint.sent == 3


def test_equal_calls_in_one_run_are_samples():
    """Who asks the same twice wants two answers; a replay gives the same two."""
    endpoint = Endpoint(reply("One."), reply("Two."))
    (one, two), *_ = asked((request(), endpoint), (request(), endpoint))
    again = Endpoint()
    (first, second), *_ = asked((request(), again), (request(), again))
    assert (first.body, second.body, again.sent) == (one.body, two.body, 0)
    assert one.body != two.body


def test_equal_calls_at_once_in_two_runs_that_share_are_sent_once():
    """The survey's runs share what does not depend on the parts."""

    async def main():
        endpoint = Endpoint()
        with opened() as calls:
            gates = [RunGate(calls), RunGate(calls)]
            await asyncio.gather(*(gate.send(request(), endpoint) for gate in gates))
        return endpoint.sent

    assert asyncio.run(main()) == 1


def test_a_refusal_is_the_clients_business():
    """It reads the endpoint's own, nothing is kept, nobody pays, and its next try has its place."""
    refusal = WireReply(429, "application/json", (b'{"error": {}}',), (("retry-after", "0.01"),))
    endpoint = Endpoint(refusal, reply())
    (first, second), calls, _ = asked((request(), endpoint), (request(), endpoint))
    assert (first, second) == (refusal, reply())
    assert calls.ledger.spent.tokens == 12
    again = Endpoint()
    asked((request(), again))
    assert again.sent == 0


@pytest.mark.parametrize(
    "broken",
    [
        stream(ended=False),
        WireReply(200, "application/json", (b'{"choices": [',)),
        WireReply(200, "application/json", (b"{\xff",)),
        WireReply(200, "application/json", (b'{"error": {"message": "Overloaded"}}',)),
        WireReply(500, "text/html", (b"<p>",)),
    ],
)
def test_what_is_no_answer_is_not_kept(broken):
    """The client gets it as it is, and what it may have taken stays charged."""
    endpoint = Endpoint(broken)
    (given,), calls, gate = asked((request(max_tokens=5), endpoint))
    assert given == broken
    assert (gate.seen, gate.stopped) == ([], None)
    assert calls.ledger.spent.tokens > 12
    asked((request(max_tokens=5), endpoint))
    assert endpoint.sent == 2


def test_a_broken_connection_is_the_clients_own_error():
    """It gets through, since the client knows it and tries again."""
    endpoint = Endpoint(error=ConnectionResetError("gone"))
    with pytest.raises(ConnectionResetError, match="gone"):
        asked((request(), endpoint))


def test_of_two_that_wait_for_one_the_other_asks_where_it_fails():
    """The one's refusal is not the other's."""

    async def main():
        refusal = WireReply(400, "application/json", (b"{}",))
        endpoint = Endpoint(refusal, reply())
        with opened() as calls:
            gates = [RunGate(calls), RunGate(calls)]
            given = await asyncio.gather(*(gate.send(request(), endpoint) for gate in gates))
        return [each.status for each in given]

    assert asyncio.run(main()) == [400, 200]


def test_a_cap_is_kept_before_anything_goes_out():
    """The call is refused as a client understands it at once, and the run knows why."""
    endpoint = Endpoint()
    (given,), calls, gate = asked((request(), endpoint), budget=Budget(9, usd=0.01), price=DEAR)
    assert (given.status, endpoint.sent) == (400, 0)
    assert ("x-should-retry", "false") in given.headers
    assert isinstance(gate.stopped, BudgetExhausted)
    assert calls.ledger.spent.usd == 0.0


def test_the_requests_of_the_budget_are_none_of_the_calls():
    """They cap the runs of the pipeline."""
    endpoint = Endpoint()
    asked(*[(request(str(n)), endpoint) for n in range(5)], budget=Budget(1))
    assert endpoint.sent == 5


def test_a_cap_in_dollars_needs_a_price():
    """A model that the list does not know is refused, and nothing is sent."""
    endpoint = Endpoint()
    _, _, gate = asked((request(), endpoint), budget=Budget(9, usd=1.0))
    assert isinstance(gate.stopped, UsageError)
    assert "price of toy is not known" in str(gate.stopped)
    assert endpoint.sent == 0


def test_offline_what_is_missing_is_told(monkeypatch):
    """And what is there is given, whatever the cap and with no price."""
    asked((request(), Endpoint()))
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    endpoint = Endpoint()
    _, _, gate = asked(
        (request(), endpoint), (request("Else?"), endpoint), budget=Budget(9, usd=1.0)
    )
    assert [each.text for each in gate.seen] == ["Yes."]
    assert isinstance(gate.stopped, CacheMiss)
    assert endpoint.sent == 0


def test_a_reply_that_says_nothing_of_its_tokens_counts_as_the_most():
    """For the cap; the sums cannot count it, and say so."""
    (_, _), calls, _ = asked(
        (request(stream=True, max_tokens=50), Endpoint(stream())), (request(), Endpoint())
    )
    assert calls.totals.untold == 1
    assert calls.ledger.spent.tokens > 50 + 12
    assert calls.totals.usage.input_tokens == 10


def test_embeddings_are_kept_and_other_calls_go_by():
    """What may change something at the endpoint is neither kept nor counted, and told."""
    vectors = {"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3}}
    embed = WireRequest("POST", "http://h/v1/embeddings", "", b'{"model": "e", "input": "a"}')
    search = WireRequest("POST", "http://h/v1/vector_stores/1/search", "", b'{"query": "a"}')
    found = Endpoint(WireReply(200, "application/json", (json.dumps(vectors).encode(),)))
    for _ in range(2):
        _, calls, _ = asked((embed, found), (search, found))
    assert found.sent == 1 + 2
    assert (calls.totals.usage.input_tokens, calls.totals.passed, calls.totals.seen) == (3, 1, 2)


def test_a_plain_client_in_a_thread_waits_for_the_loop():
    """Its thread stands still, the loop does not; the answer is the same as anybody's."""

    async def main():
        endpoint = Endpoint()
        with opened() as calls:
            gate = RunGate(calls)
            given = await asyncio.to_thread(gate.send_plain, request(), endpoint.plain)
        return given, endpoint.sent

    assert asyncio.run(main()) == (reply(), 1)
    again, endpoint = asyncio.run(main())
    assert (again.body, endpoint) == (reply().body, 0)


def test_a_plain_client_that_holds_up_the_loop_is_answered_on_the_spot():
    """From the endpoint, from disk, with its refusals and under the cap."""

    async def main(budget=None, price=None, *replies):
        endpoint = Endpoint(*replies)
        with opened(budget, price=price) as calls:
            gate = RunGate(calls)
            given = gate.send_plain(request(), endpoint.plain)
        return given, endpoint.sent, gate, calls

    refusal = WireReply(401, "application/json", (b"{}",))
    given, sent, gate, calls = asyncio.run(main(None, None, refusal))
    assert (given, sent, gate.stopped, calls.ledger.spent.tokens) == (refusal, 1, None, 0)
    given, sent, gate, calls = asyncio.run(main(Budget(9, usd=0.01), DEAR))
    assert (given.status, sent, type(gate.stopped)) == (400, 0, BudgetExhausted)
    given, sent, gate, calls = asyncio.run(main())
    assert (given, sent, calls.ledger.spent.tokens) == (reply(), 1, 12)
    given, sent, gate, calls = asyncio.run(main())
    assert (given.body, sent, calls.totals.usage.requests) == (reply().body, 0, 1)


def test_a_client_in_another_loop_waits_for_ours():
    """A plain pipeline may run a loop of its own; what it forwards goes out there."""

    async def main():
        homes, endpoint = [], Endpoint()

        async def forward():
            homes.append(threading.get_ident())
            return await endpoint()

        with opened() as calls:
            gate = RunGate(calls)
            there = partial(asyncio.run, gate.send(request(), forward))
            given = await asyncio.to_thread(there)
        return given, homes, threading.get_ident()

    given, homes, here = asyncio.run(main())
    assert given == reply()
    assert len(homes) == 1
    assert homes[0] != here


def test_no_more_calls_are_under_way_than_the_limits_bear():
    """All runs share them."""

    async def main():
        endpoint, peaks, under_way = Endpoint(), [], [0]

        async def forward():
            under_way[0] += 1
            peaks.append(under_way[0])
            await asyncio.sleep(0.001)
            under_way[0] -= 1
            return await endpoint()

        with opened() as calls:
            gates = [RunGate(calls, str(n)) for n in range(60)]
            await asyncio.gather(*(gate.send(request(), forward) for gate in gates))
        return max(peaks)

    assert asyncio.run(main()) <= 16
