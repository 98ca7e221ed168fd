"""The adapter of OpenAI-compatible servers, against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import traceback

import httpx2
import openai
import pytest
from spex_adapters.openai import OpenAIAdapter, connect

from spex_api.completions import Ask, CompletionRequest, Message, Target, Way
from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    MalformedReply,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    UsageError,
)
from spex_api.events import Notice, ignore

_ASKED = CompletionRequest(messages=(Message("user", "Good or bad?"),), top_logprobs=30)


def _ask(adapter: OpenAIAdapter, *requests: CompletionRequest):
    async def ask():
        try:
            return [await adapter.complete(request) for request in requests or (_ASKED,)]
        finally:
            await adapter.aclose()

    return asyncio.run(ask())


def _refusal(adapter: OpenAIAdapter) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        _ask(adapter)
    return caught.value


def test_body_names_the_length_as_the_server_does(monkeypatch):
    """OpenAI's hosts get `max_completion_tokens`, every other server `max_tokens`."""
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    body = connect("gpt-4.1-mini", on_event=ignore).body(_ASKED)
    assert body == {
        "model": "gpt-4.1-mini",
        "messages": [{"role": "user", "content": "Good or bad?"}],
        "max_completion_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": 20,
    }
    for url, name in {
        "https://eu.api.openai.com/v1": "max_completion_tokens",
        "https://me.openai.azure.com/openai/v1": "max_completion_tokens",
        "https://notopenai.com/v1": "max_tokens",
        "http://localhost:8000/v1": "max_tokens",
    }.items():
        assert name in OpenAIAdapter("m", base_url=url).body(_ASKED)


def test_sends_the_body_and_reads_the_reply(wire, key, reply):
    """What goes out is exactly `body`, and what comes in is kept byte for byte."""
    wire.reply = reply["openai"]
    adapter = connect("gpt-4.1-mini", on_event=ignore)
    (answer,) = _ask(adapter)
    ((path, headers, body),) = wire.asked
    assert path == "/v1/chat/completions"
    assert body == adapter.body(_ASKED)
    assert headers["authorization"] == f"Bearer {key}"
    assert answer == adapter.read(reply["openai"])
    assert answer.raw == reply["openai"]
    assert answer.text == "Positive"


def test_embeddings(wire):
    """Embeddings are asked for where they are given, and read in the order of the texts."""
    vectors = [{"index": 1, "embedding": [0.5, -1]}, {"index": 0, "embedding": [0.25, 2.0]}]
    wire.reply = json.dumps({"data": vectors, "model": "e-1", "usage": {"prompt_tokens": 9}})
    adapter = connect("text-embedding-3-small", on_event=ignore)
    asked = CompletionRequest((Message("user", "good"), Message("user", "é")), ask=Ask.VECTORS)
    (answer,) = _ask(adapter, asked)
    ((path, _, body),) = wire.asked
    assert path == "/v1/embeddings"
    assert body == adapter.body(asked)
    assert body == {
        "model": "text-embedding-3-small",
        "input": ["good", "é"],
        "encoding_format": "float",
    }
    assert answer.vectors == ((0.25, 2.0), (0.5, -1.0))
    assert answer.usage.input_tokens == 9
    assert adapter.read(answer.raw) == answer


def test_capabilities():
    """What OpenAI documents is claimed of OpenAI, and little of a server that is not known."""

    def able(model, url="https://api.openai.com/v1"):
        return OpenAIAdapter(model, base_url=url).capabilities

    assert able("gpt-4.1-mini").samples_at_once == 128
    assert not able("gpt-4.1-mini").embeds
    assert able("text-embedding-3-small").embeds
    other = able("m", "http://localhost:8000/v1")
    assert (other.samples_at_once, other.embeds, other.ways) == (1, True, ())


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"ask": Ask.TOKENS}, "how it cuts a text into tokens"),
        ({"ask": Ask.VECTORS}, "embeddings"),
        ({"exact_tokens": (7,)}, "tokens by their number"),
        ({"target": Target("yes", Way.PROMPT_LOGPROBS)}, "by 'prompt_logprobs'"),
        ({"num_samples": 129}, "so many answers at once"),
    ],
)
def test_what_openai_cannot_be_asked(key, monkeypatch, asked, named):
    """It is refused by name before anything is sent, by `complete` as by `body`."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    barred = httpx2.MockTransport(lambda request: pytest.fail("something was sent"))
    adapter = OpenAIAdapter("m", base_url="https://api.openai.com/v1", transport=barred)
    request = CompletionRequest((Message("user", "Hi"),), **asked)
    with pytest.raises(UsageError, match=named):
        adapter.body(request)
    with pytest.raises(UsageError, match=named):
        _ask(adapter, request)


def test_lives_in_any_event_loop(wire, reply):
    """One adapter answers in several event loops, closed in between or not."""
    wire.reply = reply["openai"]
    adapter = connect("gpt-4.1-mini", on_event=ignore)
    assert _ask(adapter) == _ask(adapter)

    async def twice():
        first = await adapter.complete(_ASKED)
        await adapter.aclose()
        await adapter.aclose()
        second = await adapter.complete(_ASKED)
        await adapter.aclose()
        return first == second

    assert asyncio.run(twice())


def test_goes_out_as_the_vendors_client_does(reply, key, monkeypatch):
    """Address, key, account and body are those of the vendor's own client."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        headers = {"content-type": "application/json"}
        return httpx2.Response(200, text=reply["openai"], headers=headers)

    adapter = OpenAIAdapter("m", base_url="https://h/v1", transport=httpx2.MockTransport(handler))

    async def both() -> None:
        await adapter.complete(_ASKED)
        client = adapter.client()
        assert client is adapter.client()
        assert client.max_retries == 0
        await client.chat.completions.create(**adapter.body(_ASKED))
        await adapter.aclose()

    asyncio.run(both())
    ours, theirs = seen
    assert ours.url == theirs.url
    for name in (
        "authorization",
        "openai-organization",
        "openai-project",
        "content-type",
        "accept",
    ):
        assert ours.headers[name] == theirs.headers[name]
    assert json.loads(ours.content) == json.loads(theirs.content)


def test_an_error_of_the_vendors_client_becomes_ours(key, monkeypatch):
    """Whoever uses the vendor's client, for batches, gets our errors from `explain`."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    refuses = httpx2.MockTransport(
        lambda request: httpx2.Response(429, text=_error(key, "insufficient_quota"))
    )
    adapter = OpenAIAdapter("m", base_url="https://h/v1", transport=refuses)

    async def run() -> AdapterError:
        try:
            await adapter.client().chat.completions.create(**adapter.body(_ASKED))
        except openai.OpenAIError as error:
            return adapter.explain(error)
        finally:
            await adapter.aclose()

    ours = asyncio.run(run())
    assert type(ours) is QuotaExhausted
    assert key not in str(ours)


def test_batches_open_nothing(monkeypatch):
    """The endpoint of batches can be named without a key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert connect("m", on_event=ignore).batches().limits.requests > 0


def test_needs_no_key_until_asked(monkeypatch):
    """Building, planning and reading need no key; asking without one says what to set."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    adapter = connect("gpt-4.1-mini", on_event=ignore)
    assert adapter.endpoint == "https://api.openai.com/v1"
    assert adapter.model == "gpt-4.1-mini"
    assert adapter.capabilities.top_logprobs == 20
    assert adapter.body(_ASKED)["model"] == "gpt-4.1-mini"
    assert adapter.read('{"choices": [{"message": {"content": "x"}}]}').text == "x"
    refused = _refusal(adapter)
    assert type(refused) is AuthenticationFailed
    assert str(refused) == (
        "OPENAI_API_KEY is not set, so https://api.openai.com/v1 cannot be asked. Nothing was "
        "sent. Set OPENAI_API_KEY (to anything, for a server without keys), or use "
        'model = "local", which needs no key.'
    )


def test_imports_no_client_until_asked():
    """Building an adapter loads neither the vendor's client nor an HTTP stack."""
    code = (
        "import sys; from spex_adapters.openai import connect; connect('m', on_event=print)\n"
        "assert not {'openai', 'httpx2'} & set(sys.modules)"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths, "OPENAI_BASE_URL": ""}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize("text", ["sk-zoë", "sk-a b", "sk-a\nb"])
def test_impossible_key(monkeypatch, text):
    """A key that no header can carry is refused before anything is sent, and not shown."""
    monkeypatch.setenv("OPENAI_API_KEY", text)
    refused = _refusal(OpenAIAdapter("m", base_url="http://127.0.0.1:9/v1"))
    assert type(refused) is AuthenticationFailed
    assert text not in str(refused)


def test_key_is_stripped(wire, key, reply, monkeypatch):
    """The line break that a shell leaves at a key's end does not reach the header."""
    monkeypatch.setenv("OPENAI_API_KEY", f" {key}\n")
    wire.reply = reply["openai"]
    _ask(connect("m", on_event=ignore))
    assert wire.asked[0][1]["authorization"] == f"Bearer {key}"


@pytest.mark.parametrize("name", ["", "  "])
def test_missing_model(name):
    """A provider without a model is a mistake of the caller's."""
    with pytest.raises(UsageError, match=r"openai:gpt-4\.1-mini"):
        connect(name, on_event=ignore)


def test_repr_builds_the_adapter_again():
    """The repr is Python for the same adapter, and holds no secret."""
    adapter = OpenAIAdapter("m", base_url="https://host/v1")
    again = eval(repr(adapter))  # noqa: S307 - our own text
    assert (again.model, again.endpoint) == ("m", "https://host/v1")


def _error(message: str, code: str | None = None, kind: str | None = None) -> str:
    return json.dumps({"error": {"message": message, "code": code, "type": kind, "param": None}})


_FAILURES = {
    "401": (401, {}, _error("Incorrect API key provided: {key}"), AuthenticationFailed,
            "The endpoint refused the key in OPENAI_API_KEY (401)."),
    "403": (403, {}, _error("Region not supported"), AuthenticationFailed,
            "The key in OPENAI_API_KEY may not ask 'gpt-9' (403): Region not supported."),
    "429": (429, {"retry-after": "7"}, _error("Slow down, {key}"), RateLimited,
            "{url} asks for fewer requests (429): Slow down, [key]."),
    "quota": (429, {}, _error("You exceeded your quota", "insufficient_quota"), QuotaExhausted,
              "The account of the key in OPENAI_API_KEY has no credit left (429)."),
    "quota words": (429, {}, _error("INSUFFICIENT QUOTA of connections"), RateLimited,
                    "{url} asks for fewer requests (429): INSUFFICIENT QUOTA of connections."),
    "402": (402, {}, _error("Pay"), QuotaExhausted,
            "The account of the key in OPENAI_API_KEY has no credit left (402)."),
    "400": (400, {}, _error("Too long.\nBy far.", "context_length_exceeded"), ContextTooLong,
            "The prompt is too long for 'gpt-9' (400): Too long. By far."),
    "404 model": (404, {}, _error("No such thing", "model_not_found"), BadRequest,
                  "{url} knows no model 'gpt-9' (404)."),
    "404 path": (404, {}, "<h1>Not found</h1>", BadRequest,
                 "{url} has no chat completions (404)"),
    "409": (409, {}, _error("locked"), Unavailable,
            "{url} is overloaded or failing (409): locked."),
    "422": (422, {}, _error("bad field"), BadRequest,
            "{url} refused the request (422): bad field."),
    "500": (500, {}, "", Unavailable, "{url} is overloaded or failing (500)."),
    "529": (529, {"retry-after-ms": "1500"}, _error("Overloaded"), Overloaded,
            "{url} is overloaded or failing (529): Overloaded."),
    "echo": (400, {}, _error("headers: authorization: Bearer {key}"), BadRequest,
             "{url} refused the request (400): headers: authorization: [key]."),
    "redirect": (307, {"location": "http://127.0.0.1:1/v1"}, "", BadRequest,
                 "{url} sends the request elsewhere (307)"),
    "200 error": (200, {}, _error("upstream {key}"), MalformedReply,
                  "The endpoint answered with an error in place of a completion: upstream [key]."),
    "200 html": (200, {}, "<html>{key}</html>", MalformedReply, "The reply is not a chat"),
    "200 bytes": (200, {}, b"\xff\x00\xfe", MalformedReply, "The reply is no text in UTF-8."),
}  # fmt: skip


@pytest.mark.parametrize("name", _FAILURES)
def test_failures(wire, key, name):
    """Every failure is one line of ours, sent once, with no key in it or hanging on it."""
    status, headers, body, kind, cause = _FAILURES[name]
    wire.status, wire.headers = status, headers
    wire.reply = body.replace("{key}", key) if isinstance(body, str) else body
    refused = _refusal(connect("gpt-9", on_event=ignore))
    assert type(refused) is kind
    assert refused.cause.startswith(cause.replace("{url}", wire.url))
    assert len(wire.asked) == 1
    _assert_secretless(refused, key)


def test_waits_are_told(wire):
    """The wait that a server asks for reaches whoever retries."""
    wire.status, wire.headers, wire.reply = 429, {"retry-after": "7"}, "{}"
    assert _refusal(connect("m", on_event=ignore)).retry_after == 7.0
    wire.status, wire.headers = 529, {"retry-after-ms": "1500"}
    assert _refusal(connect("m", on_event=ignore)).retry_after == 1.5
    wire.headers = {}
    assert _refusal(connect("m", on_event=ignore)).retry_after is None


def test_connection_refused(monkeypatch, key):
    """A server that is not there is named, with what to check."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    refused = _refusal(OpenAIAdapter("m", base_url=f"http://127.0.0.1:{port}"))
    assert type(refused) is Unavailable
    assert str(refused) == (
        f"http://127.0.0.1:{port} could not be reached (connection refused). Nothing was sent. "
        "Check OPENAI_BASE_URL and that the server runs."
    )
    _assert_secretless(refused, key)


def test_name_that_does_not_resolve(monkeypatch, key):
    """A host that no name server knows is told apart from one that refuses."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setattr(socket, "getaddrinfo", _unknown_host)
    refused = _refusal(OpenAIAdapter("m", base_url="https://nowhere.invalid/v1"))
    assert type(refused) is Unavailable
    assert "(its name does not resolve)" in str(refused)


def _unknown_host(*_: object, **__: object) -> object:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_reply_that_breaks_off(wire, key):
    """A reply that ends too early may have been billed, and says so."""
    wire.headers, wire.reply = {"content-length": "5000"}, '{"choices": ['
    refused = _refusal(connect("m", on_event=ignore))
    assert type(refused) is Unavailable
    assert str(refused) == (
        f"{wire.url} broke off the connection. The request may have been billed."
    )
    _assert_secretless(refused, key)


def test_tells_of_unencrypted_prompts(wire, monkeypatch, reply):
    """Plain http to a neighbour is allowed, and told; to this machine it is nobody's concern."""
    told = []
    wire.reply = reply["openai"]
    _ask(connect("m", on_event=told.append))
    assert told == []
    monkeypatch.setattr("spex_adapters._http.is_loopback", lambda url: False)
    _ask(connect("m", on_event=told.append))
    assert told == [Notice(f"Prompts go to {wire.url} unencrypted.")]


def _assert_secretless(refused: AdapterError, key: str) -> None:
    assert refused.__cause__ is None
    assert refused.__context__ is None
    shown = "".join(traceback.format_exception(refused)) + repr(refused) + str(vars(refused))
    assert key not in shown
    assert key[3:] not in shown
    assert "\n" not in str(refused)
