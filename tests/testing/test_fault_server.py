"""The server itself: both dialects, kept connections, tables, limits, drift, and the counts."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import httpx2
import pytest

from spex_api.completions import canonical_json
from spex_api.errors import UsageError
from spex_api.testing import Drift, Enforced, FaultServer, Route, Row, Script, faults, holding
from spex_api.testing.limits import Enforcer, duration

KEY = "sk-test-5b0e9a7d21c84f36"


async def until(condition):
    """Waits for what another task brings about."""
    while not condition():  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.005)


def test_equal_bodies_get_equal_answers(ask):
    """An answer is a function of the body: across repeats, servers and dialects."""
    seen = []
    for _ in range(2):
        with FaultServer.in_thread() as server:
            seen += [ask(server), ask(server)]
            anthropic = ask(server, anthropic=True).json()
    assert len({reply.content for reply in seen}) == 1
    first = seen[0].json()
    assert first["usage"]["prompt_tokens"] == 4 + 6
    assert first["system_fingerprint"]
    assert anthropic["content"] == [{"type": "text", "text": "positive"}]
    assert anthropic["stop_reason"] == "max_tokens"
    assert anthropic["usage"]["input_tokens"] == 4 + 6


def test_a_function_of_ones_own(ask):
    """Messages in, log-probs out; system prompts and parts of text are messages too."""
    seen = []

    def answer(messages):
        seen.append([(m.role, m.content) for m in messages])
        return {"no": -2.0, "yes": -0.2}

    parts = [{"type": "text", "text": "Is "}, {"type": "text", "text": "it?"}]
    with FaultServer.in_thread(answer=answer) as server:
        reply = ask(server, messages=[{"role": "user", "content": parts}])
    assert reply.json()["choices"][0]["message"]["content"] == "yes"
    assert seen == [[("user", "Is it?")]]


def test_what_a_function_raises_comes_out(ask):
    """A broken test function breaks the connection, and then the test."""

    def answer(messages):
        raise ZeroDivisionError

    def run():
        with (
            FaultServer.in_thread(answer=answer) as server,
            pytest.raises(httpx2.RemoteProtocolError),
        ):
            ask(server)

    with pytest.raises(ZeroDivisionError):
        run()


def test_connections_are_kept(question):
    """Many questions go over one socket, also ones sent ahead of their answers."""
    body = json.dumps(question).encode()
    raw = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    ) + body
    with FaultServer.in_thread() as server:
        port = int(server.anthropic_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
            wire.sendall(raw * 3)
            said = b""
            while said.count(b"chatcmpl-") < 3 or not said.endswith(b"}"):
                said += wire.recv(65536)
    assert said.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert len(server.received) == 3


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 2**21, b"431"),
    ],
)
def test_what_is_no_request_ends_the_connection(sent, status):
    """It is told so, and the connection is closed."""
    with FaultServer.in_thread() as server:
        port = int(server.anthropic_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
            wire.sendall(sent)
            wire.shutdown(socket.SHUT_WR)
            first = wire.recv(65536)
    assert first.startswith(b"HTTP/1.1 " + status)


def test_paths_and_bodies_that_are_not_ours(ask, client):
    """404 for a path, 400 for a body without messages; neither is paid."""
    with FaultServer.in_thread() as server:
        assert client.get(f"{server.openai_url}/models").status_code == 404
        assert client.get(f"{server.openai_url}/chat/completions").status_code == 404
        assert ask(server, messages=[]).status_code == 400
        url = f"{server.openai_url}/chat/completions"
        assert client.post(url, content=b"{").status_code == 400
        assert client.post(url, json=[]).status_code == 400
    assert server.paid.total() == 0
    assert [asked.route for asked in server.received[:2]] == [Route.OTHER] * 2


def test_it_listens_on_loopback_alone():
    """No other address of this machine reaches it."""
    with FaultServer.in_thread() as server:
        assert server.openai_url.startswith("http://127.0.0.1:")

    async def hosts():
        async with FaultServer() as served:
            return [endpoint.getsockname()[0] for endpoint in served._server.sockets]

    assert asyncio.run(hosts()) == ["127.0.0.1"]


def test_the_table_is_played_by_number_attempt_and_content(ask):
    """The first row that matches is played; numbers count questions from 1."""
    script = Script(
        (
            Row(faults.SERVER_ERROR, numbers={2}),
            Row(faults.CONTENT_FILTERED, when=holding("bomb")),
            Row(faults.RATE_LIMITED, attempts={1}, when=holding("first")),
            Row(faults.OVERLOADED, numbers=range(6, 10)),
        )
    )

    def text(said):
        return [{"role": "user", "content": said}]

    with FaultServer.in_thread(script) as server:
        said = ["a", "b", "a bomb", "first", "first", "c", "bomb"]
        statuses = [ask(server, messages=text(what)).status_code for what in said]
    assert statuses == [200, 500, 400, 429, 200, 529, 400]
    assert [asked.attempt for asked in server.questions] == [1, 1, 1, 1, 2, 1, 1]
    assert server.ledger.statuses == {200: 2, 500: 1, 400: 2, 429: 1, 529: 1}


def test_storms(ask):
    """Each body's first attempts fail one after another, in whatever order bodies come."""
    script = Script.first_attempts(faults.RATE_LIMITED, faults.UNAVAILABLE)
    with FaultServer.in_thread(script) as server:
        statuses = [ask(server, seed=seed).status_code for seed in (1, 2, 1, 2, 1, 2)]
    assert statuses == [429, 429, 503, 503, 200, 200]


def test_headers_on_every_answer(ask):
    """What the script says of limits stands on answers and on refusals."""
    headers = {"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "599"}
    script = Script((Row(faults.RATE_LIMITED, numbers={2}),), headers=headers)
    with FaultServer.in_thread(script) as server:
        for reply in (ask(server), ask(server)):
            assert headers.items() <= dict(reply.headers).items()


def test_drift(ask):
    """Another model takes over after two answers."""
    script = Script(drift=Drift(after=2, model="m-2026", fingerprint="fp_new"))
    with FaultServer.in_thread(script) as server:
        replies = [ask(server).json() for _ in range(4)]
    assert [reply["model"] for reply in replies] == ["m", "m", "m-2026", "m-2026"]
    assert len({reply["system_fingerprint"] for reply in replies[:2]}) == 1
    assert replies[3]["system_fingerprint"] == "fp_new"


def test_requests_are_kept_whole(ask, question):
    """Path, body and headers as they came, so that secrets can be looked for."""
    with FaultServer.in_thread() as server:
        ask(server)
    (asked,) = server.received
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.body == question
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.secret == KEY
    assert KEY not in repr(asked)
    assert server.paid == {canonical_json(question): 1}


def test_only_so_many_are_kept(ask):
    """The counts go on where the requests themselves are let go."""
    with FaultServer.in_thread(keep=2) as server:
        for seed in range(5):
            ask(server, seed=seed)
    assert [asked.number for asked in server.received] == [4, 5]
    assert server.paid.total() == 5


def test_counts_of_many_at_once(question):
    """Open and peak concurrency, and answers paid although nobody waited for them."""

    async def run():
        async with (
            FaultServer(latency=1.0) as server,
            httpx2.AsyncClient(trust_env=False, timeout=10) as client,
        ):
            url = f"{server.openai_url}/chat/completions"
            tasks = [
                asyncio.create_task(client.post(url, json={**question, "seed": seed}))
                for seed in range(8)
            ]
            await until(lambda: server.ledger.open == 8)
            tasks[0].cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            await until(lambda: not server.ledger.open)
            totals = await client.get(f"{server.anthropic_url}/__spex__/totals")
            return server, done, totals.json()

    server, done, totals = asyncio.run(asyncio.wait_for(run(), 30))
    assert sum(isinstance(reply, httpx2.Response) for reply in done) == 7
    assert server.peak == 8
    assert server.paid.total() == 8
    assert server.delivered.total() == 7
    assert totals["answers_paid"] == 8
    assert "paid" not in totals
    assert set(server.paid.values()) == {1}


def test_closing_does_not_wait_for_stalls(question):
    """A server that holds a client up is closed at once, and the client is let go."""

    async def run():
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            async with FaultServer(Script.always(faults.SILENCE)) as server:
                url = f"{server.openai_url}/chat/completions"
                task = asyncio.create_task(client.post(url, json=question))
                await until(lambda: server.ledger.open)
            with pytest.raises(httpx2.TransportError):
                await task

    asyncio.run(asyncio.wait_for(run(), 30))


def test_limits_that_the_server_keeps(ask):
    """Beyond its own limit it refuses, and after the wait that it names it answers again."""
    script = Script(limits=Enforced(requests=3, window=0.5))
    with FaultServer.in_thread(script) as server:
        replies = [ask(server) for _ in range(3)]
        assert [r.headers["x-ratelimit-remaining-requests"] for r in replies] == ["2", "1", "0"]
        refused = ask(server, anthropic=True)
        assert refused.status_code == 429
        assert refused.headers["anthropic-ratelimit-requests-remaining"] == "0"
        time.sleep(float(refused.headers["retry-after"]))
        assert ask(server).status_code == 200
    assert server.paid.total() == 4


def test_windows_wherever_they_lie():
    """Under a clock of our own: no window holds more than its limit, in requests or tokens."""
    now = 0.0
    keeper = Enforcer(Enforced(requests=5, tokens=100, window=10.0), clock=lambda: now)
    admitted = []
    for step in range(200):
        now = step * 0.37
        size = 10 + step % 31
        if keeper.judge(size, dialect="openai").admitted:
            admitted.append((now, size))
    assert len(admitted) > 20
    for start, _ in admitted:
        within = [size for at, size in admitted if start <= at < start + 10.0]
        assert len(within) <= 5
        assert sum(within) <= 100


def test_the_wait_that_a_limit_names_is_right():
    """At the time that it names, and not a moment before, the same question is let in."""
    now = 0.0
    keeper = Enforcer(Enforced(tokens=100, window=10.0), clock=lambda: now)
    for at, size in ((0.0, 40), (2.0, 40), (3.0, 20)):
        now = at
        assert keeper.judge(size, dialect="openai").admitted
    now = 4.0
    refused = keeper.judge(50, dialect="openai")
    assert not refused.admitted
    assert ("retry-after-ms", "8000") in refused.headers
    now = 11.99
    assert not keeper.judge(50, dialect="openai").admitted
    now = 12.0
    assert keeper.judge(50, dialect="openai").admitted


def test_a_silent_limit(ask):
    """It refuses, and says nothing of how long."""
    script = Script(limits=Enforced(requests=1, silent=True))
    with FaultServer.in_thread(script) as server:
        replies = [ask(server), ask(server)]
    assert [reply.status_code for reply in replies] == [200, 429]
    for reply in replies:
        assert not [n for n in reply.headers if "retry" in n or "ratelimit" in n]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.25, "250ms"), (1, "1s"), (1.5, "1.5s"), (90, "1m30s"), (60, "1m0s")],
)
def test_durations(seconds, text):
    """As OpenAI's headers have them."""
    assert duration(seconds) == text


def test_servers_that_cannot_be():
    """Nonsense is refused where it is written."""
    for build in (
        lambda: FaultServer(latency=-1),
        lambda: Enforced(requests=0),
        lambda: Enforced(window=0.0),
    ):
        with pytest.raises(UsageError):
            build()


def test_the_vendors_own_clients_read_it(question):
    """Strict as they can be, they take every live answer, and name the errors as they should."""
    openai, anthropic = pytest.importorskip("openai"), pytest.importorskip("anthropic")
    script = Script.numbered({2: faults.REFUSED_ANSWER, 3: faults.QUOTA_EXHAUSTED})
    plain = {key: question[key] for key in ("model", "messages", "max_tokens")}
    strict = {"api_key": KEY, "max_retries": 0, "_strict_response_validation": True}
    with (
        FaultServer.in_thread(script) as server,
        httpx2.Client(trust_env=False) as bare,
    ):
        one = openai.OpenAI(base_url=server.openai_url, http_client=bare, **strict)
        assert one.chat.completions.create(**question).choices[0].logprobs.content[0].top_logprobs
        assert one.chat.completions.create(**question).choices[0].message.refusal
        with pytest.raises(openai.RateLimitError) as caught:
            one.chat.completions.create(**question)
        assert caught.value.code == "insufficient_quota"
    script = Script.numbered({2: faults.REFUSED_ANSWER, 3: faults.ramp_limited()})
    with (
        FaultServer.in_thread(script) as server,
        httpx2.Client(trust_env=False) as bare,
    ):
        other = anthropic.Anthropic(base_url=server.anthropic_url, http_client=bare, **strict)
        assert other.messages.create(**plain).content[0].text == "positive"
        assert other.messages.create(**plain).stop_reason == "refusal"
        with pytest.raises(anthropic.RateLimitError) as limited:
            other.messages.create(**plain)
        assert limited.value.error_code == "ramp_limit_exceeded"
        assert {asked.secret for asked in server.received} == {KEY}
