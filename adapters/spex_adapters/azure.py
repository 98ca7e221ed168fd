"""OpenAI's models at Azure: a deployment, asked through the vendor's client, which signs for Azure.

`azure:DEPLOYMENT` is asked at `AZURE_OPENAI_ENDPOINT`, in the version of the API that
`OPENAI_API_VERSION` names. The key is `AZURE_OPENAI_API_KEY`, or a token of Entra's in
`AZURE_OPENAI_AD_TOKEN`; a program may give a function that makes such tokens. Building the adapter,
planning and replaying need none of them. What this module does not know: which model a deployment
is, so that a probe must find out what it gives; retries and prices.
"""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import SecretStr

from spex_adapters._addresses import checked_address
from spex_adapters._chat import chat_body, vectors_body
from spex_adapters._gpt import samples_at_once
from spex_adapters._http import TIMEOUT, Line
from spex_adapters._kinds import OPENAI
from spex_adapters._refusing import refuse_beyond
from spex_adapters._replies import read_chat_or_vectors
from spex_adapters._vendor_line import VendorLine
from spex_adapters._wire import Secrets, Wire, read_key
from spex_api.completions import Ask, Capabilities
from spex_api.errors import AuthenticationFailed, UsageError
from spex_api.events import EventHandler, ignore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx2
    import openai

    from spex_api.completions import Completion, CompletionRequest, JsonObject

    TokenMaker = Callable[[], str | Awaitable[str]]

__all__ = ["AzureAdapter", "connect"]

_KEY: Final = "AZURE_OPENAI_API_KEY"
_TOKEN: Final = "AZURE_OPENAI_AD_TOKEN"  # noqa: S105 - the name of a variable
_URL: Final = "AZURE_OPENAI_ENDPOINT"
_VERSION: Final = "OPENAI_API_VERSION"
_USUAL_VERSION: Final = "2024-10-21"
"""What an answer depends on, and so pinned here where nothing else is said."""
_LONGEST_LIST: Final = 20


def connect(model: str, *, on_event: EventHandler, endpoint: str | None = None) -> AzureAdapter:
    """The adapter of `azure:DEPLOYMENT`, at `AZURE_OPENAI_ENDPOINT`, or where it was.

    Raises:
        UsageError: the deployment has no name, or there is no address, or one that we do not send
            prompts to.
    """
    if endpoint is None:
        return AzureAdapter(model, on_event=on_event)
    address, _, version = endpoint.partition("?api-version=")
    address = address.partition("/openai/deployments/")[0]
    return AzureAdapter(model, endpoint=address, api_version=version, on_event=on_event)


class AzureAdapter:
    """One deployment at Azure. Building it opens nothing and needs no key.

    Args:
        deployment: its name.
        endpoint: the resource's address; otherwise `AZURE_OPENAI_ENDPOINT`.
        api_version: of the API; otherwise `OPENAI_API_VERSION`.
        token: makes a token of Entra's for a question, in place of a key.
        timeout: seconds that an attempt may take as a whole.
        transport: how bytes travel, in place of connections.
        on_event: is told when prompts leave this machine unencrypted.

    Raises:
        UsageError: the deployment has no name, the timeout is not above 0, or there is no address,
            or one that we do not send prompts to.
    """

    def __init__(
        self,
        deployment: str,
        *,
        endpoint: str | None = None,
        api_version: str | None = None,
        token: TokenMaker | None = None,
        timeout: float = TIMEOUT,
        transport: httpx2.AsyncBaseTransport | None = None,
        on_event: EventHandler = ignore,
    ) -> None:
        if not deployment.strip():
            raise UsageError(
                "The deployment's name is missing after the colon.",
                advice="Name it as in azure:my-deployment.",
            )
        address = endpoint or os.environ.get(_URL, "")
        if not address.strip():
            raise UsageError(
                f"{_URL} is not set, so it is not known where the deployment {deployment!r} is.",
                advice="Set it to the resource's address, as https://me.openai.azure.com.",
            )
        self._deployment = deployment
        self._address = checked_address(address, variable=_URL).removesuffix("/openai")
        self._version = api_version or os.environ.get(_VERSION, "").strip() or _USUAL_VERSION
        self._token = token
        self._made: tuple[SecretStr, ...] = ()
        wire = Wire(self._address, deployment, _KEY, _URL, "such deployment", "ends in .azure.com")
        keyless = Line(
            wire, path="", secrets=Secrets, timeout=timeout, transport=transport, on_event=on_event
        )
        self._line = VendorLine(
            keyless,
            wire,
            build=self._signed,
            table=OPENAI,
            hidden=lambda: self._made,
            timeout=timeout,
        )

    def __repr__(self) -> str:
        return (
            f"AzureAdapter({self._deployment!r}, endpoint={self._address!r}, "
            f"api_version={self._version!r})"
        )

    @property
    def endpoint(self) -> str:
        """The deployment's address, with the version of the API."""
        at = f"{self._address}/openai/deployments/{quote(self._deployment, safe='')}"
        return f"{at}?api-version={self._version}"

    @property
    def model(self) -> str:
        """The deployment's name."""
        return self._deployment

    @property
    def capabilities(self) -> Capabilities:
        """What OpenAI documents; which of it a deployment gives, a probe finds out."""
        return Capabilities(
            top_logprobs=_LONGEST_LIST,
            concurrency=16,
            samples_at_once=samples_at_once(".openai.azure.com"),
            embeds=True,
        )

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request.

        Raises:
            UsageError: it asks for what the endpoint has no words for.
        """
        refuse_beyond(request, self.capabilities, whom="Azure's dialect")
        if request.ask is Ask.VECTORS:
            return vectors_body(request, model=self._deployment)
        return chat_body(
            request,
            model=self._deployment,
            length_field="max_completion_tokens",
            longest_list=_LONGEST_LIST,
        )

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
        path = "/embeddings" if request.ask is Ask.VECTORS else "/chat/completions"
        return await self._line.ask(path, self.body(request), read=self.read)

    async def aclose(self) -> None:
        """Closes the connections; a later `complete` opens new ones."""
        await self._line.aclose()

    def _signed(self, under: httpx2.AsyncClient) -> openai.AsyncAzureOpenAI:
        """The vendor's client over a connection.

        Raises:
            AuthenticationFailed: there is neither key nor token.
        """
        key = token = None
        if self._token is None:
            if os.environ.get(_TOKEN, "").strip():
                token = read_key(_TOKEN, endpoint=self._address)
            else:
                key = read_key(_KEY, endpoint=self._address)
            self._made = tuple(each for each in (key, token) if each)
        import openai  # noqa: PLC0415 - takes longer to load than all else that a question needs

        return openai.AsyncAzureOpenAI(
            azure_endpoint=self._address,
            api_version=self._version,
            api_key=key.get_secret_value() if key else None,
            azure_ad_token=token.get_secret_value() if token else None,
            azure_ad_token_provider=self._make if self._token else None,
            max_retries=0,
            http_client=under,
        )

    async def _make(self) -> str:
        """A token for a question.

        Raises:
            AuthenticationFailed: none could be made.
        """
        made: object = None
        try:
            made = self._token() if self._token else None
            if inspect.isawaitable(made):
                made = await made
        except Exception:  # noqa: BLE001 - a foreign function's error may hold a secret
            made = None
        if not isinstance(made, str) or not made.strip():
            raise AuthenticationFailed(
                f"No token could be made for {self._address}.",
                cost="Nothing was sent.",
                advice="Call the function that makes it, to see what is wrong.",
                unbilled=True,
            )
        self._made = (SecretStr(made),)
        return made
