"""Any OpenAI-compatible server, asked in its own dialect where it has one for scoring.

`http:https://host/v1#model` asks for what every such server gives. With the kind of server before
the address, as in `http:vllm+https://host/v1#model`, it is asked for more: log-probs of a given
text, of tokens by their number, several samples at once, tokens, embeddings; `_servers` has the
table.
`http:endpoint.toml` is an in-house endpoint that a file describes. A key is sent where
`SPEX_HTTP_API_KEY` holds one. What this module does not know: any dialect, retries and prices.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spex_adapters._http import TIMEOUT, Line
from spex_adapters._questions import (
    CHAT,
    GENERATE,
    PIECES,
    Route,
    detokenize_body,
    generate_body,
    question,
)
from spex_adapters._replies import read_reply
from spex_adapters._servers import KEY, Place, place
from spex_adapters._sglang import both_steps, read_prompt_ids, read_texts
from spex_adapters._wire import Secrets, Wire, read_key
from spex_adapters.template import TemplateAdapter
from spex_api.completions import Completion
from spex_api.errors import UsageError
from spex_api.events import EventHandler, ignore

if TYPE_CHECKING:
    import httpx2

    from spex_api.completions import Capabilities, CompletionRequest, JsonObject

__all__ = ["HttpAdapter", "connect"]

_FILES: Final = (".toml", ".json")
_ECHOING: Final = ("fireworks", "completions")


def connect(
    model: str, *, on_event: EventHandler, endpoint: str | None = None
) -> HttpAdapter | TemplateAdapter:
    """The adapter of `http:ADDRESS#MODEL`, `http:KIND+ADDRESS#MODEL` or `http:FILE`.

    Raises:
        UsageError: the name has not that form, the kind is none of ours, the address is one that
            we do not send prompts to, the file does not describe an endpoint, or it would have to
            be the file of then.
    """
    if "://" not in model and model.strip().lower().endswith(_FILES):
        if endpoint is not None:
            raise UsageError(
                f"The model {model!r} is described by a file, so what it was asked cannot be told "
                "where that file is not.",
                advice="Name the endpoint itself, as in http:https://host/v1#model.",
            )
        return TemplateAdapter.from_file(Path(model.strip()).expanduser(), on_event=on_event)
    return HttpAdapter(model, on_event=on_event)


class HttpAdapter:
    """One model behind an OpenAI-compatible address. Building it opens nothing and needs no key.

    Args:
        name: the address and the model, as in "https://host/v1#model" or
            "vllm+https://host/v1#model".
        timeout: seconds that an attempt may take as a whole.
        transport: how bytes travel, in place of connections.
        on_event: is told when prompts leave this machine unencrypted.

    Raises:
        UsageError: the name has not that form, the kind is none of ours, the timeout is not above
            0, or the address is one that we do not send prompts to.
    """

    def __init__(
        self,
        name: str,
        *,
        timeout: float = TIMEOUT,
        transport: httpx2.AsyncBaseTransport | None = None,
        on_event: EventHandler = ignore,
    ) -> None:
        self._place: Place = place(name)
        self._timeout = timeout
        self._transport = transport
        self._on_event = on_event
        self._lines: dict[Route, Line] = {}
        self._line(CHAT)  # a wrong timeout is refused here, and not at the first question

    def __repr__(self) -> str:
        at = self._place
        return f"HttpAdapter({f'{at.server.kind}+{at.url}#{at.model}'!r})"

    @property
    def endpoint(self) -> str:
        """The address: scheme, host, port and path."""
        return self._place.url

    @property
    def model(self) -> str:
        """The model's name, as the server knows it."""
        return self._place.model

    @property
    def capabilities(self) -> Capabilities:
        """What servers of this kind document."""
        return self._place.server.capabilities

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request; of a question in two steps, both bodies.

        Raises:
            UsageError: this kind of server cannot be asked that.
        """
        return self._question(request)[1]

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body.

        Raises:
            MalformedReply: the body is an error, or no reply that is known.
        """
        return read_reply(raw, echoes=self._place.server.kind in _ECHOING)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Asks, once; what SGLang answers in two steps only, in two.

        Raises:
            AdapterError: one of its kinds; the client's own errors never get through.
            UsageError: this kind of server cannot be asked that.
        """
        route, body = self._question(request)
        if "generate" in body:
            return await self._in_two_steps(body)
        answer = await self._line(route).ask(body, read=self.read)
        in_numbers = self._place.server.kind == "sglang" and "prompt" in body
        return await self._with_pieces(answer) if in_numbers and answer.tokens else answer

    async def aclose(self) -> None:
        """Closes the connections; a later `complete` opens new ones."""
        for line in self._lines.values():
            await line.aclose()

    def _question(self, request: CompletionRequest) -> tuple[Route, JsonObject]:
        return question(request, server=self._place.server, model=self._place.model)

    async def _in_two_steps(self, body: JsonObject) -> Completion:
        """Has SGLang's template applied, and asks about the tokens that it makes."""
        found: list[int] = []

        def first(raw: str) -> Completion:
            found[:] = read_prompt_ids(raw)
            return Completion("", raw=raw)

        chat = await self._line(CHAT).ask(body["chat"], read=first)
        return await self._line(GENERATE).ask(
            generate_body(body, found), read=lambda raw: self.read(both_steps(chat.raw, raw))
        )

    async def _with_pieces(self, answer: Completion) -> Completion:
        """The tokens of a text with their pieces, which SGLang tells on another route."""
        ids = [token.token_id for token in answer.tokens if token.token_id is not None]

        def read(raw: str) -> Completion:
            # Both replies make the answer, so both are what is kept of it.
            return self.read(json.dumps({"tokens": ids, "pieces": read_texts(raw)}))

        body = detokenize_body(self._place.model, ids)
        return await self._line(PIECES).ask(body, read=read)

    def _line(self, route: Route) -> Line:
        """The connections of a route, which are opened at its first question."""
        if route not in self._lines:
            at = self._place
            self._lines[route] = Line(
                Wire(
                    at.root if route.at_root else at.url,
                    at.model,
                    KEY,
                    "the address in the model's name",
                    f"route {route.path}",
                ),
                path=route.path,
                secrets=_key,
                timeout=self._timeout,
                transport=self._transport,
                on_event=self._on_event,
            )
        return self._lines[route]


def _key() -> Secrets:
    """The key in the environment, or none."""
    if not os.environ.get(KEY, "").strip():
        return Secrets()
    return Secrets.bearer(read_key(KEY, endpoint="the endpoint"))
