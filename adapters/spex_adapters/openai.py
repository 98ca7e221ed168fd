"""OpenAI's chat completions, and every server that speaks them (vLLM, Ollama, llama-server, …).

The body that `body` builds is sent as it is, so what the answer's key is made of is what went out.
The vendor's client is imported and built at the first `complete`: planning, and replaying from
disk, need neither key nor connection. What this module does not know: retries (the client is built
with none) and prices.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from spex_adapters._addresses import checked_address, is_loopback
from spex_adapters._chat import chat_body, read_chat
from spex_adapters._errors import OPENAI, Wire, conceal, translate
from spex_api.completions import Capabilities
from spex_api.errors import AuthenticationFailed, UsageError
from spex_api.events import EventHandler, Notice, ignore

if TYPE_CHECKING:
    import openai

    from spex_api.completions import Completion, CompletionRequest, JsonObject

__all__ = ["OpenAIAdapter", "connect"]

_DEFAULT_URL: Final = "https://api.openai.com/v1"
_KEY: Final = "OPENAI_API_KEY"
_URL: Final = "OPENAI_BASE_URL"
_OF_OPENAI: Final = (".openai.com", ".openai.azure.com")
_CONNECTIONS: Final = 256  # above any sensible concurrency: the policies limit, not the pool


def connect(model: str, *, on_event: EventHandler) -> OpenAIAdapter:
    """The adapter of `openai:MODEL`, at `OPENAI_BASE_URL` where that is set.

    Raises:
        UsageError: the model has no name, or the address is one that we do not send prompts to.
    """
    return OpenAIAdapter(model, on_event=on_event)


class OpenAIAdapter:
    """One model behind an OpenAI-compatible address. Building it opens nothing and needs no key.

    Args:
        model: the model's name, as the server knows it.
        base_url: the address; otherwise `OPENAI_BASE_URL`, otherwise OpenAI's own.
        on_event: is told when prompts leave this machine unencrypted.

    Raises:
        UsageError: the model has no name, or the address is one that we do not send prompts to.
    """

    def __init__(
        self, model: str, *, base_url: str | None = None, on_event: EventHandler = ignore
    ) -> None:
        if not model.strip():
            raise UsageError(
                "The model's name is missing after the colon.",
                advice="Name it as in openai:gpt-4.1-mini.",
            )
        self._model = model
        self._endpoint = checked_address(
            base_url or os.environ.get(_URL) or _DEFAULT_URL, variable=_URL
        )
        self._on_event = on_event
        self._client: tuple[asyncio.AbstractEventLoop, openai.AsyncOpenAI] | None = None

    def __repr__(self) -> str:
        return f"OpenAIAdapter({self._model!r}, base_url={self._endpoint!r})"

    @property
    def endpoint(self) -> str:
        """The address: scheme, host, port and path."""
        return self._endpoint

    @property
    def model(self) -> str:
        """The model's name, as the server knows it."""
        return self._model

    @property
    def capabilities(self) -> Capabilities:
        """What OpenAI documents: twenty likeliest tokens at the most."""
        return Capabilities(top_logprobs=20, concurrency=16)

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request.

        OpenAI's newer models refuse `max_tokens`; many compatible servers know nothing else.
        """
        host = "." + (urlsplit(self._endpoint).hostname or "")
        return chat_body(
            request,
            model=self._model,
            length_field="max_completion_tokens" if host.endswith(_OF_OPENAI) else "max_tokens",
            longest_list=self.capabilities.top_logprobs,
        )

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body.

        Raises:
            MalformedReply: the body is an error, or no chat completion.
        """
        return read_chat(raw)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Asks, once.

        Raises:
            AdapterError: one of its kinds; the client's own errors never get through.
        """
        client = self._open()
        import httpx2  # noqa: PLC0415 - loaded with the client, at the first question
        import openai  # noqa: PLC0415

        try:
            response = await client.post(
                "/chat/completions", body=self.body(request), cast_to=httpx2.Response
            )
        except openai.OpenAIError as error:
            wire = Wire(self._endpoint, self._model, _KEY, _URL, client.api_key)
            refused = translate(error, wire, OPENAI)
        else:
            return self.read(conceal(response.text, client.api_key))
        raise refused  # here, where the client's error, which holds the key, is no longer around

    async def aclose(self) -> None:
        """Closes the connections; a later `complete` opens new ones."""
        opened, self._client = self._client, None
        if opened and opened[0] is asyncio.get_running_loop():
            await opened[1].close()

    def _open(self) -> openai.AsyncOpenAI:
        """The client of the running event loop: connections do not outlive the loop of theirs."""
        loop = asyncio.get_running_loop()
        if self._client and self._client[0] is loop:
            return self._client[1]
        key = _key(self._endpoint)
        import httpx2  # noqa: PLC0415 - a third of a second that a replay does not need
        import openai  # noqa: PLC0415

        if self._endpoint.startswith("http:") and not is_loopback(self._endpoint):
            self._on_event(Notice(f"Prompts go to {self._endpoint} unencrypted."))
        client = openai.AsyncOpenAI(
            api_key=key,
            base_url=self._endpoint,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpx2Client(
                follow_redirects=False,
                # A busy event loop is slow to notice that a connection stands.
                timeout=httpx2.Timeout(300.0, connect=60.0),
                limits=httpx2.Limits(
                    max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS
                ),
            ),
        )
        self._client = (loop, client)
        return client


def _key(endpoint: str) -> str:
    """The key.

    Raises:
        AuthenticationFailed: there is none, or none that a header can carry.
    """
    key = os.environ.get(_KEY, "").strip()
    if not key:
        raise AuthenticationFailed(
            f"{_KEY} is not set, so {endpoint} cannot be asked.",
            cost="Nothing was sent.",
            advice=f'Set {_KEY} (to anything, for a server without keys), or use model = "local", '
            "which needs no key.",
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise AuthenticationFailed(
            f"{_KEY} holds characters that no key has.",
            cost="Nothing was sent.",
            advice="Copy it again, without quotes, spaces or line breaks.",
        )
    return key
