"""The adapter of Anthropic's Messages, and its likeness to the vendor's own client."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import traceback

import anthropic
import httpx2
import pytest
from spex_adapters.anthropic import AnthropicAdapter, connect

from spex_api.completions import (
    Allowance,
    Ask,
    CompletionRequest,
    Message,
    Outcome,
    Target,
    ToolCall,
    Way,
)
from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    Overloaded,
    QuotaExhausted,
    RampLimited,
    RateLimited,
    UsageError,
)
from spex_api.events import ignore

KEY = "ant-key-0123456789abcdef"
_ASKED = CompletionRequest(
    messages=(Message("system", "Be brief."), Message("user", "Good or bad?")),
    max_tokens=4,
    top_logprobs=20,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)


def _adapter(handler) -> AnthropicAdapter:
    return AnthropicAdapter("claude-haiku-5-5", transport=httpx2.MockTransport(handler))


def _ask(adapter: AnthropicAdapter, request: CompletionRequest = _ASKED):
    async def ask():
        try:
            return await adapter.complete(request)
        finally:
            await adapter.aclose()

    return asyncio.run(ask())


def test_sends_the_body_and_reads_the_reply(reply):
    """What goes out is exactly `body`, to the right place; what comes in is kept."""
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        headers = {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
        }
        return httpx2.Response(200, text=reply["anthropic"], headers=headers)

    adapter = _adapter(handler)
    answer = _ask(adapter)
    assert str(seen[0].url) == "https://api.anthropic.com/v1/messages"
    assert json.loads(seen[0].content) == adapter.body(_ASKED)
    assert "logprobs" not in seen[0].content.decode()
    assert "temperature" not in seen[0].content.decode()
    assert answer.raw == reply["anthropic"]
    assert answer.outcome is Outcome.TRUNCATED
    assert answer.allowances == (Allowance("requests", 50, 49),)
    assert adapter.read(answer.raw).text == answer.text == "Positive"


def test_goes_out_as_the_vendors_client_does(reply):
    """Address, key, version and body are those of the vendor's own client."""
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(
            200, text=reply["anthropic"], headers={"content-type": "application/json"}
        )

    adapter = _adapter(handler)

    async def both() -> None:
        await adapter.complete(_ASKED)
        client = adapter.client()
        assert client is adapter.client()
        assert client.max_retries == 0
        await client.messages.create(**adapter.body(_ASKED))
        await adapter.aclose()

    asyncio.run(both())
    ours, theirs = seen
    assert ours.url == theirs.url
    for name in ("authorization", "anthropic-version", "content-type", "accept"):
        assert ours.headers[name] == theirs.headers[name]
    assert json.loads(ours.content) == json.loads(theirs.content)


def test_needs_no_key_until_asked(monkeypatch):
    """Building, planning and reading need no key; asking without one says what to set."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    adapter = connect("claude-haiku-5-5", on_event=ignore)
    assert adapter.endpoint == "https://api.anthropic.com"
    assert adapter.model == "claude-haiku-5-5"
    assert adapter.capabilities.top_logprobs == 0
    assert adapter.capabilities.concurrency == 8
    assert not adapter.capabilities.free
    assert adapter.body(_ASKED)["model"] == "claude-haiku-5-5"
    with pytest.raises(AuthenticationFailed, match="ANTHROPIC_API_KEY is not set"):
        _ask(adapter)


def test_imports_no_client_until_asked():
    """Building an adapter loads neither the vendor's client nor an HTTP stack."""
    code = (
        "import sys; from spex_adapters.anthropic import connect; connect('m', on_event=print)\n"
        "assert not {'anthropic', 'openai', 'httpx2'} & set(sys.modules)"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize(
    "url", ["https://gate.example/anthropic", "https://gate.example/anthropic/v1/"]
)
def test_address(monkeypatch, url):
    """The address may be given with or without the version of the paths."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    assert connect("m", on_event=ignore).endpoint == "https://gate.example/anthropic"


def test_mistakes_of_the_callers():
    """A missing name, and an address that no prompt should go to, are refused at once."""
    with pytest.raises(UsageError, match="anthropic:claude"):
        connect(" ", on_event=ignore)
    with pytest.raises(UsageError, match="ANTHROPIC_BASE_URL"):
        AnthropicAdapter("m", base_url="http://169.254.169.254")


def test_repr_builds_the_adapter_again():
    """The repr is Python for the same adapter, and holds no secret."""
    adapter = AnthropicAdapter("m", base_url="https://host")
    again = eval(repr(adapter))  # noqa: S307 - our own text
    assert (again.model, again.endpoint) == ("m", "https://host")


def _error(kind: str, message: str = "No.", code: str = "") -> str:
    details = {"details": {"error_code": code}} if code else {}
    return json.dumps({"type": "error", "error": {"type": kind, "message": message, **details}})


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "wait"),
    [
        (400, {}, _error("invalid_request_error"), BadRequest, None),
        (401, {}, _error("authentication_error", f"invalid x-api-key {KEY}"),
         AuthenticationFailed, None),
        (402, {}, _error("billing_error"), QuotaExhausted, None),
        (404, {}, _error("not_found_error", "model: claude-haiku-5-5"), BadRequest, None),
        (413, {}, _error("request_too_large"), ContextTooLong, None),
        (429, {"retry-after": "9"}, _error("rate_limit_error"), RateLimited, 9.0),
        (429, {"retry-after": "9"}, _error("rate_limit_error", code="ramp_limit_exceeded"),
         RampLimited, 9.0),
        (429, {}, _error("rate_limit_error", code="enforced_spend_limit_reached"),
         QuotaExhausted, None),
        (529, {}, _error("overloaded_error", f"x-api-key: {KEY}"), Overloaded, None),
    ],
)  # fmt: skip
def test_failures(status, headers, body, kind, wait):
    """Every refusal is one line of ours, with no key in it or hanging on it."""
    adapter = _adapter(lambda request: httpx2.Response(status, text=body, headers=headers))
    with pytest.raises(AdapterError) as caught:
        _ask(adapter)
    refused = caught.value
    assert type(refused) is kind
    assert refused.retry_after == wait
    assert refused.unbilled is (status < 500)
    assert refused.__cause__ is None
    assert refused.__context__ is None
    shown = "".join(traceback.format_exception(refused)) + repr(refused) + str(vars(refused))
    assert KEY not in shown


def test_an_error_of_the_vendors_client_becomes_ours():
    """Whoever uses the vendor's client, for batches, gets our errors from `explain`."""
    adapter = _adapter(lambda request: httpx2.Response(529, text=_error("overloaded_error", KEY)))

    async def run() -> AdapterError:
        try:
            await adapter.client().messages.create(**adapter.body(_ASKED))
        except anthropic.AnthropicError as error:
            return adapter.explain(error)
        finally:
            await adapter.aclose()

    ours = asyncio.run(run())
    assert type(ours) is Overloaded
    assert KEY not in str(ours)


def test_batches_open_nothing(monkeypatch):
    """The endpoint of batches can be named without a key."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert connect("m", on_event=ignore).batches().limits.requests > 0


def test_tools_go_out_and_come_back():
    """A conversation with a tool is one that the API takes, and the call in its answer is read."""
    call = ToolCall("c1", "look", '{"at": "é"}')
    blocks = [{"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "é"}}]
    seen = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, json={"content": blocks, "stop_reason": "tool_use"})

    tool = {"name": "look", "input_schema": {"type": "object"}}
    turns = (
        Message("user", "Weather?"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "Rain.", answers="c1"),
        Message("user", "Again?"),
    )
    answer = _ask(_adapter(handler), CompletionRequest(turns, tools=(json.dumps(tool),)))
    assert answer.tool_calls == (call,)
    (body,) = seen
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == blocks
    assert body["tools"] == [tool]


@pytest.mark.parametrize(
    "asked",
    [
        {"ask": Ask.VECTORS},
        {"ask": Ask.TOKENS},
        {"target": Target("yes", Way.STEPS)},
        {"exact_tokens": (7,)},
        {"num_samples": 3},
    ],
)
def test_what_it_cannot_be_asked(asked):
    """It is refused before anything is sent."""
    adapter = _adapter(lambda request: pytest.fail("something was sent"))
    with pytest.raises(UsageError, match="has no words for"):
        _ask(adapter, CompletionRequest((Message("user", "Hi"),), **asked))
