"""One endpoint's connections: what goes out, what comes back, and how an attempt ends."""

from __future__ import annotations

import asyncio
import json
import traceback

import httpx2
import pytest
from spex_adapters._chat import read_chat
from spex_adapters._http import Line
from spex_adapters._wire import Wire

from spex_api.completions import Allowance
from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    ContextTooLong,
    MalformedReply,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    UsageError,
)

KEY = "sk-test-4f1d0c77be9a4e21"
WIRE = Wire("https://h/v1", "gpt-9", "A_KEY", "AN_URL")
GOOD = '{"choices": [{"message": {"content": "yes, Bearer bonds"}}], "model": "ü"}'


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("A_KEY", KEY)


def _line(handler, **settings) -> Line:
    return Line(WIRE, path="/chat", transport=httpx2.MockTransport(handler), **settings)


def _ask(line: Line):
    async def ask():
        try:
            return await line.ask({"a": "ü"}, read=read_chat)
        finally:
            await line.aclose()

    return asyncio.run(ask())


def _refusal(line: Line) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        _ask(line)
    return caught.value


def _replies(*args, **settings):
    return lambda request: httpx2.Response(*args, **settings)


def test_a_question_and_its_answer():
    """The body goes out as it is, with the key; the answer is kept byte for byte."""
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(
            200,
            text=GOOD,
            headers={"content-type": "application/json", "x-ratelimit-remaining-tokens": "12"},
        )

    answer = _ask(_line(handler, headers=lambda: {"x-version": "7"}))
    assert answer.raw == GOOD
    assert answer.text == "yes, Bearer bonds"
    assert answer.allowances == (Allowance("tokens", remaining=12),)
    (request,) = seen
    assert str(request.url) == "https://h/v1/chat"
    assert json.loads(request.content) == {"a": "ü"}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-version"] == "7"


@pytest.mark.parametrize("kind", ["text/html", "text/plain; charset=latin-1", ""])
def test_an_answer_of_another_type_is_read(kind):
    """An answer that can be read is paid, whatever its header calls it."""
    answer = _ask(_line(_replies(200, content=GOOD.encode(), headers={"content-type": kind})))
    assert answer.raw == GOOD


def test_a_key_in_a_reply_is_taken_out():
    """A reply that repeats the key does not bring it into the cache."""
    answer = _ask(_line(_replies(200, text=GOOD.replace("yes", KEY))))
    assert answer.text == "[key], Bearer bonds"


_BROKEN = {
    "error": ('{"error": {"message": "Upstream ' + KEY + '."}}', "application/json",
              MalformedReply, ": Upstream [key]."),
    "502": ('{"error": {"message": "Gone.", "code": "502"}}', "application/json",
            MalformedReply, "in place of a completion: Gone."),
    "rate": ('{"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}', "",
             RateLimited, "in place of an answer: Slow down."),
    "429": ('{"error": {"code": 429}}', "", RateLimited, "in place of an answer."),
    "overloaded": ('{"type": "error", "error": {"type": "overloaded_error"}}', "",
                   Overloaded, "in place of an answer."),
    "quota": ('{"error": {"code": "insufficient_quota"}}', "", QuotaExhausted, "in place"),
    "context": ('{"error": {"code": "context_length_exceeded"}}', "", ContextTooLong, "in place"),
    "cut": (GOOD[:40], "application/json", MalformedReply, "Invalid JSON"),
    "empty": ("", "application/json", MalformedReply, "Invalid JSON"),
    "portal": ("Please log in.", "text/html; charset=utf-8", MalformedReply,
               "It came as text/html; charset=utf-8, not as JSON."),
    "bytes": (b"\xff\x00\xfe", "application/json", MalformedReply, "no text in UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", _BROKEN)
def test_a_200_that_is_no_answer(name):
    """Each ends in the kind that says what to do, and may have been billed."""
    body, content_type, kind, said = _BROKEN[name]
    data = body if isinstance(body, bytes) else body.encode()
    headers = {"content-type": content_type, "x-ratelimit-remaining-requests": "3"}
    refused = _refusal(_line(_replies(200, content=data, headers=headers)))
    assert type(refused) is kind
    assert said in refused.cause
    assert "billed" in refused.cost
    assert not refused.unbilled
    assert refused.allowances == (Allowance("requests", remaining=3),)
    _assert_secretless(refused)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status):
    """A redirect would hand the prompt to another server."""
    asked: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(status, headers={"location": "https://elsewhere/v1"})

    assert "redirects are not followed" in str(_refusal(_line(handler)))
    assert asked == ["https://h/v1/chat"]


class _Slow(httpx2.AsyncByteStream):
    """A byte at a time, without end."""

    closed = False

    async def __aiter__(self):
        while True:
            await asyncio.sleep(0.001)
            yield b" "

    async def aclose(self) -> None:
        self.closed = True


def test_a_reply_that_never_ends():
    """A server that sends a byte now and then meets the deadline of the whole attempt."""
    slow = _Slow()
    line = _line(_replies(200, stream=slow), timeout=0.05)
    refused = _refusal(line)
    assert type(refused) is Unavailable
    assert refused.cause == "https://h/v1 gave no whole answer in 0.05 s."
    assert not refused.unbilled
    assert slow.closed
    _assert_secretless(refused)


def test_cancellation_gets_through():
    """A cancelled question ends as cancelled, and the line goes on."""
    slow = _Slow()
    replies = iter([{"stream": slow}, {"text": GOOD}])

    async def run() -> str:
        line = _line(lambda request: httpx2.Response(200, **next(replies)))
        task = asyncio.create_task(line.ask({}, read=read_chat))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answer = await line.ask({}, read=read_chat)
        await line.aclose()
        return answer.raw

    assert asyncio.run(run()) == GOOD
    assert slow.closed


def test_a_deadline_from_outside_is_not_ours():
    """Who gives a question less time than we do gets their own error."""

    async def run() -> None:
        line = _line(_replies(200, stream=_Slow()))
        try:
            async with asyncio.timeout(0.02):
                await line.ask({}, read=read_chat)
        finally:
            await line.aclose()

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_nothing_shows_the_key():
    """Neither the line, nor its fields, nor its client, nor an error's frames show the key."""

    async def run() -> list[str]:
        line = _line(_replies(500))
        with pytest.raises(Unavailable) as caught:
            await line.ask({}, read=read_chat)
        client = line.client()
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        shown = [
            repr(line),
            repr(vars(line)),
            repr(line._opened),
            repr(client),
            repr(vars(client)),
            repr(dict(client.headers)),
            "".join(told.format()),
        ]
        await line.aclose()
        return shown

    shown = asyncio.run(run())
    assert len(shown) == 7
    for text in shown:
        assert KEY not in text


def test_one_client_a_loop():
    """A client lives in its loop, and a closed one is followed by another."""
    line = _line(_replies(200, text=GOOD))

    async def clients() -> list[httpx2.AsyncClient]:
        first, same = line.client(), line.client()
        await line.aclose()
        other = line.client()
        await line.aclose()
        return [first, same, other]

    first, same, other = asyncio.run(clients())
    (third, *_) = asyncio.run(clients())
    assert first is same
    assert len({id(first), id(other), id(third)}) == 3
    assert not first.follow_redirects


def test_without_a_key(monkeypatch):
    """Without a key nothing is opened, and nobody pays."""
    monkeypatch.delenv("A_KEY")
    refused = _refusal(_line(_replies(200)))
    assert type(refused) is AuthenticationFailed
    assert refused.unbilled


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_an_impossible_timeout(timeout):
    """A deadline lies ahead."""
    with pytest.raises(UsageError, match="timeout"):
        Line(WIRE, path="/chat", timeout=timeout)


def _assert_secretless(refused: AdapterError) -> None:
    assert refused.__cause__ is None
    assert refused.__context__ is None
    shown = "".join(traceback.format_exception(refused)) + repr(refused) + str(vars(refused))
    assert KEY not in shown
    assert "\n" not in str(refused)
