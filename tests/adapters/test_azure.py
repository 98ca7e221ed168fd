"""The adapter of Azure's deployments: what its client puts around a body, and that no key shows."""

from __future__ import annotations

import asyncio
import json
import traceback

import httpx2
import pytest
from spex_adapters.azure import AzureAdapter, connect

from spex_api.completions import Ask, CompletionRequest, Message, Target, Way
from spex_api.errors import (
    AuthenticationFailed,
    MalformedReply,
    RateLimited,
    Unavailable,
    UsageError,
)
from spex_api.events import ignore

KEY = "azure-key-0123456789abcdef"
ENTRA = "eyJ0-entra-token-0123456789"
_URL = "https://me.openai.azure.com"
_ASKED = CompletionRequest((Message("user", "Good or bad?"),), top_logprobs=30)


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", _URL)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    for name in ("AZURE_OPENAI_AD_TOKEN", "OPENAI_API_VERSION", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


class _Server:
    """Answers with one reply, and keeps what it was asked."""

    def __init__(self, reply: str, status: int = 200, **headers: str):
        self.reply, self.status, self.headers = reply, status, headers
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        headers = {"content-type": "application/json", **self.headers}
        return httpx2.Response(self.status, text=self.reply, headers=headers)


def _ask(server, *requests: CompletionRequest, **settings):
    adapter = AzureAdapter("my-gpt", transport=httpx2.MockTransport(server), **settings)

    async def ask():
        try:
            return [await adapter.complete(request) for request in requests or (_ASKED,)]
        finally:
            await adapter.aclose()

    return asyncio.run(ask())


def test_sends_the_body_and_reads_the_reply(reply):
    """The body goes out as it is, to the deployment, with the key where Azure looks for it."""
    server = _Server(reply["openai"])
    (answer,) = _ask(server)
    (request,) = server.asked
    adapter = connect("my-gpt", on_event=ignore)
    assert str(request.url) == (
        f"{_URL}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    )
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers
    assert json.loads(request.content) == adapter.body(_ASKED)
    assert adapter.body(_ASKED) == {
        "model": "my-gpt",
        "messages": [{"role": "user", "content": "Good or bad?"}],
        "max_completion_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": 20,
    }
    assert answer == adapter.read(reply["openai"])


def test_who_answers_is_in_the_key(monkeypatch):
    """Deployment and version of the API are part of who is asked; the environment may name them."""
    adapter = connect("my gpt", on_event=ignore)
    assert adapter.endpoint == f"{_URL}/openai/deployments/my%20gpt?api-version=2024-10-21"
    monkeypatch.setenv("OPENAI_API_VERSION", "2025-04-01-preview")
    assert connect("m", on_event=ignore).endpoint.endswith("?api-version=2025-04-01-preview")
    told = AzureAdapter("m", endpoint="https://other.openai.azure.com/openai/", api_version="v2")
    assert told.endpoint == "https://other.openai.azure.com/openai/deployments/m?api-version=v2"
    assert eval(repr(told), {"AzureAdapter": AzureAdapter}).endpoint == told.endpoint  # noqa: S307


def test_a_token_of_the_environment(reply, monkeypatch):
    """A token of Entra's goes as a bearer, in place of the key."""
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", ENTRA)
    server = _Server(reply["openai"])
    _ask(server)
    assert server.asked[0].headers["authorization"] == f"Bearer {ENTRA}"
    assert "api-key" not in server.asked[0].headers


def test_a_token_for_every_question(reply):
    """A function makes the tokens, anew for each question, and no reply shows one."""
    made = []

    async def token() -> str:
        made.append(f"{ENTRA}-{len(made)}")
        return made[-1]

    echoing = reply["openai"].rstrip().removesuffix("}") + f', "echo": "{ENTRA}-1"}}'
    server = _Server(echoing)
    answers = _ask(server, _ASKED, _ASKED, token=token)
    sent = [request.headers["authorization"] for request in server.asked]
    assert sent == [f"Bearer {ENTRA}-0", f"Bearer {ENTRA}-1"]
    assert ENTRA not in answers[1].raw


@pytest.mark.parametrize("token", [lambda: "", lambda: 1 // 0, lambda: None])
def test_no_token(token, reply):
    """Where none can be made nothing is sent, and what went wrong in there is not shown."""
    server = _Server(reply["openai"])
    with pytest.raises(AuthenticationFailed, match="No token could be made") as caught:
        _ask(server, token=token)
    assert not server.asked
    assert caught.value.unbilled
    assert "ZeroDivisionError" not in "".join(traceback.format_exception(caught.value))


def test_no_key(reply, monkeypatch):
    """Planning needs no key, and a question without one is refused before it is sent."""
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    server = _Server(reply["openai"])
    assert connect("m", on_event=ignore).body(_ASKED)
    with pytest.raises(AuthenticationFailed, match="AZURE_OPENAI_API_KEY is not set"):
        _ask(server)
    assert not server.asked


def test_no_address(monkeypatch):
    """Without an address, or a deployment, there is nobody to ask."""
    with pytest.raises(UsageError, match="deployment's name"):
        connect(" ", on_event=ignore)
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT")
    with pytest.raises(UsageError, match="AZURE_OPENAI_ENDPOINT is not set"):
        connect("m", on_event=ignore)


def test_failures_are_ours():
    """A refusal is told in our words, once, without the key, and with nothing hanging on it."""
    error = json.dumps({"error": {"code": "429", "message": f"Slow down, {KEY}."}})
    server = _Server(error, 429, **{"retry-after": "7"})
    with pytest.raises(RateLimited) as caught:
        _ask(server)
    assert len(server.asked) == 1
    assert caught.value.retry_after == 7
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_nonsense_and_silence():
    """What is no reply is malformed, and a connection that cannot be made is unavailable."""
    with pytest.raises(MalformedReply, match="no"):
        _ask(_Server("<html>"))

    def unreachable(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no", request=request)

    with pytest.raises(Unavailable) as caught:
        _ask(unreachable)
    assert caught.value.unbilled


def test_embeddings():
    """A deployment that gives embeddings is asked on its own path."""
    server = _Server(json.dumps({"data": [{"index": 0, "embedding": [0.5, 2]}]}))
    (answer,) = _ask(server, CompletionRequest((Message("user", "good"),), ask=Ask.VECTORS))
    assert server.asked[0].url.path == "/openai/deployments/my-gpt/embeddings"
    assert answer.vectors == ((0.5, 2.0),)


def test_what_it_cannot_be_asked():
    """It is refused before anything is sent."""
    server = _Server("{}")
    target = Target("yes", Way.ECHO)
    with pytest.raises(UsageError, match="has no words for"):
        _ask(server, CompletionRequest((Message("user", "Hi"),), target=target))
    assert not server.asked
