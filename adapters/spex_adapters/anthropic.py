"""Anthropic's Messages: answers without log-probs, each of them a sample.

The body that `body` builds is sent as it is, so what the answer's key is made of is what went out.
It is sent by a bare HTTP client, opened at the first `complete`, with the headers that the vendor's
own client sends; that client is there for batches. What this module does not know: retries and
prices.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from spex_adapters._addresses import checked_address
from spex_adapters._http import TIMEOUT, Line
from spex_adapters._kinds import ANTHROPIC
from spex_adapters._messages import messages_body, read_messages
from spex_adapters._wire import Wire
from spex_api.completions import Capabilities
from spex_api.errors import UsageError
from spex_api.events import EventHandler, ignore

if TYPE_CHECKING:
    import anthropic
    import httpx2

    from spex_api.completions import Completion, CompletionRequest, JsonObject
    from spex_api.errors import AdapterError
    from spex_api.querying.batches.endpoint import BatchEndpoint

__all__ = ["AnthropicAdapter", "connect"]

_DEFAULT_URL: Final = "https://api.anthropic.com"
_KEY: Final = "ANTHROPIC_API_KEY"
_URL: Final = "ANTHROPIC_BASE_URL"
_VERSION: Final = "2026-10-21"
"""Of the API; what an answer depends on, and so pinned here and not by the installed client."""


def connect(model: str, *, on_event: EventHandler, endpoint: str | None = None) -> AnthropicAdapter:
    """The adapter of `anthropic:MODEL`, at `ANTHROPIC_BASE_URL` where that is set, or where it was.

    Raises:
        UsageError: the model has no name, or the address is one that we do not send prompts to.
    """
    return AnthropicAdapter(model, base_url=endpoint, on_event=on_event)


class AnthropicAdapter:
    """One model behind Anthropic's Messages. Building it opens nothing and needs no key.

    Args:
        model: the model's name, as the server knows it.
        base_url: the address; otherwise `ANTHROPIC_BASE_URL`, otherwise Anthropic's own.
        timeout: seconds that an attempt may take as a whole.
        transport: how bytes travel, in place of connections.
        on_event: is told when prompts leave this machine unencrypted.

    Raises:
        UsageError: the model has no name, the timeout is not above 0, or the address is one that
            we do not send prompts to.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        timeout: float = TIMEOUT,
        transport: httpx2.AsyncBaseTransport | None = None,
        on_event: EventHandler = ignore,
    ) -> None:
        if not model.strip():
            raise UsageError(
                "The model's name is missing after the colon.",
                advice="Name it as in anthropic:claude-haiku-5-5.",
            )
        address = checked_address(base_url or os.environ.get(_URL) or _DEFAULT_URL, variable=_URL)
        self._model = model
        # The paths of this API begin with /v1; who gives it in the address means the same place.
        self._endpoint = address.removesuffix("/v1")
        self._line = Line(
            Wire(self._endpoint, model, _KEY, _URL, "messages", "ends before /v1"),
            path="/v1/messages",
            headers=lambda: {"anthropic-version": _VERSION},
            timeout=timeout,
            transport=transport,
            on_event=on_event,
        )
        self._client: tuple[httpx2.AsyncClient, anthropic.AsyncAnthropic] | None = None

    def __repr__(self) -> str:
        return f"AnthropicAdapter({self._model!r}, base_url={self._endpoint!r})"

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
        """No log-probs: a score must count samples."""
        return Capabilities(top_logprobs=0, concurrency=8, temperature=False)

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request.

        Raises:
            UsageError: it asks for what the dialect has no words for.
        """
        return messages_body(request, model=self._model)

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body.

        Raises:
            MalformedReply: the body is an error, or no message.
        """
        return read_messages(raw)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Asks, once.

        Raises:
            AdapterError: one of its kinds; the client's own errors never get through.
            UsageError: it asks for what the dialect has no words for.
        """
        return await self._line.ask(self.body(request), read=self.read)

    def client(self) -> anthropic.AsyncAnthropic:
        """The vendor's client over the running loop's connections: for batches.

        It tries nothing again, follows no redirect, and is closed by `aclose`. It holds the key,
        and so do its errors: `explain` makes ours of them.

        Raises:
            AuthenticationFailed: there is no key.
        """
        import anthropic  # noqa: PLC0415 - takes longer to load than all else that a question needs

        under = self._line.client()
        if self._client is None or self._client[0] is not under:
            client = anthropic.AsyncAnthropic(
                api_key=self._line.secret(),
                base_url=self._endpoint,
                max_retries=0,
                http_client=under,
                open_telemetry=False,
            )
            self._client = (under, client)
        return self._client[1]

    def batches(self) -> BatchEndpoint:
        """The batches of the account. Opens nothing."""
        from spex_adapters._anthropic_batch import AnthropicBatches  # noqa: PLC0415 - few runs need it

        return AnthropicBatches(self.client, explain=self.explain, scrub=self._line.scrub)

    def explain(self, error: BaseException) -> AdapterError:
        """Our error for one of the vendor's client; raise it where that is no longer around."""
        return self._line.explain(error, ANTHROPIC)

    async def aclose(self) -> None:
        """Closes the connections; a later `complete` opens new ones."""
        self._client = None
        await self._line.aclose()
