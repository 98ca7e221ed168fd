"""OpenAI's chat completions, and every server that speaks them (vLLM, Ollama, llama-server, …).

The body that `body` builds is sent as it is, so what the answer's key is made of is what went out.
It goes over connections of our own, opened at the first `complete`: planning, and replaying from
disk, need neither key nor connection. The vendor's client, which takes several times as much
processor time a call, is there for files and batches. What this module does not know: retries and
prices.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from spex_adapters._addresses import checked_address
from spex_adapters._chat import chat_body, vectors_body
from spex_adapters._gpt import embeds, gives_logprobs, samples_at_once, settings
from spex_adapters._http import TIMEOUT, Line
from spex_adapters._kinds import OPENAI
from spex_adapters._refusing import refuse_beyond
from spex_adapters._replies import read_chat_or_vectors
from spex_adapters._wire import Wire
from spex_api.completions import Ask, Capabilities
from spex_api.errors import UsageError
from spex_api.events import EventHandler, ignore

if TYPE_CHECKING:
    import httpx2
    import openai

    from spex_api.completions import Completion, CompletionRequest, JsonObject
    from spex_api.errors import AdapterError
    from spex_api.querying.batches.endpoint import BatchEndpoint

__all__ = ["OpenAIAdapter", "connect"]

_DEFAULT_URL: Final = "https://api.openai.com/v1"
_KEY: Final = "OPENAI_API_KEY"
_URL: Final = "OPENAI_BASE_URL"
_LONGEST_LIST: Final = 20
_ROUTES: Final = (("/chat/completions", "chat completions"), ("/embeddings", "embeddings"))
_OPENAI: Final = ".openai.com"
_AZURE: Final = ".openai.azure.com"  # where a deployment may be called anything
_ACCOUNT: Final = {"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"}


def connect(model: str, *, on_event: EventHandler, endpoint: str | None = None) -> OpenAIAdapter:
    """The adapter of `openai:MODEL`, at `OPENAI_BASE_URL` where that is set, or where it was.

    Raises:
        UsageError: the model has no name, or the address is one that we do not send prompts to.
    """
    return OpenAIAdapter(model, base_url=endpoint, on_event=on_event)


class OpenAIAdapter:
    """One model behind an OpenAI-compatible address. Building it opens nothing and needs no key.

    Args:
        model: the model's name, as the server knows it.
        base_url: the address; otherwise `OPENAI_BASE_URL`, otherwise OpenAI's own.
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
                advice="Name it as in openai:gpt-4.1-mini.",
            )
        self._model = model
        self._endpoint = checked_address(
            base_url or os.environ.get(_URL) or _DEFAULT_URL, variable=_URL
        )
        host = "." + (urlsplit(self._endpoint).hostname or "")
        self._at_openai, self._at_azure = host.endswith(_OPENAI), host.endswith(_AZURE)
        silent = self._at_openai and not gives_logprobs(model)
        self._capabilities = Capabilities(
            top_logprobs=0 if silent else _LONGEST_LIST,
            concurrency=16,
            samples_at_once=samples_at_once(host),
            embeds=embeds(model) or not self._at_openai,
        )
        self._line, self._vectors = (
            Line(
                Wire(self._endpoint, model, _KEY, _URL, service),
                path=path,
                headers=_account,
                timeout=timeout,
                transport=transport,
                on_event=on_event,
            )
            for path, service in _ROUTES
        )
        self._client: tuple[httpx2.AsyncClient, openai.AsyncOpenAI] | None = None

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
        """What OpenAI documents: twenty likeliest tokens at the most, and of some models none.

        Of another server nothing is known, so that it is asked for one answer at a time; whether
        it has embeddings, it says itself.
        """
        return self._capabilities

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request.

        OpenAI's newer models refuse `max_tokens`; many compatible servers know nothing else.

        Raises:
            UsageError: it asks for what the endpoint has no words for.
        """
        refuse_beyond(
            request,
            self.capabilities,
            whom=f"The endpoint {self._endpoint}",
            advice="Choose another score, or name the kind of server, as in "
            "http:vllm+https://host/v1#model.",
        )
        if request.ask is Ask.VECTORS:
            return vectors_body(request, model=self._model)
        newer = self._at_openai or self._at_azure
        body = chat_body(
            request,
            model=self._model,
            length_field="max_completion_tokens" if newer else "max_tokens",
            longest_list=_LONGEST_LIST,
        )
        return {**body, **settings(self._model)} if self._at_openai else body

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body.

        Raises:
            MalformedReply: the body is an error, or neither a chat completion nor embeddings.
        """
        return read_chat_or_vectors(raw)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Asks, once.

        Raises:
            AdapterError: one of its kinds; the client's own errors never get through.
            UsageError: it asks for what the endpoint has no words for.
        """
        line = self._vectors if request.ask is Ask.VECTORS else self._line
        return await line.ask(self.body(request), read=self.read)

    def client(self) -> openai.AsyncOpenAI:
        """The vendor's client over the running loop's connections: for files and batches.

        It tries nothing again, follows no redirect, and is closed by `aclose`. It holds the key,
        and so do its errors: `explain` makes ours of them.

        Raises:
            AuthenticationFailed: there is no key.
        """
        import openai  # noqa: PLC0415 - takes longer to load than all else that a question needs

        under = self._line.client()
        if self._client is None or self._client[0] is not under:
            client = openai.AsyncOpenAI(
                api_key=self._line.secret(),
                base_url=self._endpoint,
                max_retries=0,
                http_client=under,
            )
            self._client = (under, client)
        return self._client[1]

    def batches(self) -> BatchEndpoint:
        """The batches of the account. Opens nothing."""
        from spex_adapters._openai_batch import OpenAIBatches  # noqa: PLC0415 - few runs need it

        return OpenAIBatches(self.client, explain=self.explain, scrub=self._line.scrub)

    def explain(self, error: BaseException) -> AdapterError:
        """Our error for one of the vendor's client; raise it where that is no longer around."""
        return self._line.explain(error, OPENAI)

    async def aclose(self) -> None:
        """Closes the connections; a later `complete` opens new ones."""
        self._client = None
        await self._line.aclose()
        await self._vectors.aclose()


def _account() -> dict[str, str]:
    """Whose account pays, where the key is of several, as OpenAI's own client says it."""
    said = {header: os.environ.get(name, "").strip() for header, name in _ACCOUNT.items()}
    return {header: value for header, value in said.items() if value}
