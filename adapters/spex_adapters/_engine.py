"""The embedded engine: one llama.cpp server, answering one question at a time, quietly.

An answer depends on its question alone. With llama.cpp's defaults it does not: the numbers of a
batch depend on how its rows were cut, so that prefix reuse and parallel slots moved one prompt's
log-odds with a standard deviation of 0.10 (where masking moved them by 0.3). So there is one slot,
and flash attention is off: then each row of a batch of two or more is computed alike, whatever the
cut, and a prompt's prefix may be taken from the question before. What remains is watched for:

- a batch's last part that holds a single row is computed by another kernel: such an answer is
  computed again from the start;
- a generated token enters the memory as a single row: the next question starts afresh;
- another processor's kernels may behave otherwise: there is reuse on x86-64 alone, where this was
  measured, the first answers are computed both ways, and one difference ends it.

A forced text is computed alike, so that its log-prob is what its tokens have one by one: generated
in a row, each token would be a single row, and was found to differ by up to 0.3 nats.

What this module does not know: where weights come from, and what is asked.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx2

from spex_api.errors import BadRequest, ContextTooLong, MissingExtra, Unavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from spex_api.completions import JsonObject

__all__ = ["CONTEXT", "SETTINGS", "Engine", "free_cores", "start"]

CONTEXT: Final = 8192
"""How many tokens prompt and answer may have together; a model made for fewer has fewer."""

SETTINGS: Final = f"n_ctx={CONTEXT},jinja,cpu,no-flash-attention,whole-vocabulary"
"""What an answer depends on, besides weights and engine."""

_CHAT: Final = "/v1/chat/completions"
_PLAIN: Final = "/v1/completions"
_ANSWERS: Final = frozenset({"choices", "prompt", "tokens"})
"""What a reply holds, by the path that was asked."""
_SURELY: Final = 1000.0
"""A weight that no other token's comes near."""
_ALL: Final = 10**6
"""A longer list than any vocabulary."""
_PART: Final = 512
_TRIALS: Final = 4


@dataclass(slots=True)
class _Line:
    """A connection; it belongs to one event loop."""

    loop: asyncio.AbstractEventLoop
    client: httpx2.AsyncClient
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class Engine:
    """A running server. What changes here is how answers are computed, never what they are."""

    server: Any = field(repr=False)
    address: str
    password: str = field(repr=False)
    reuse: bool = True
    trials: int = _TRIALS
    fresh: bool = False
    _line: _Line | None = field(default=None, repr=False)

    async def ask(self, body: JsonObject) -> str:
        """The reply to a chat body, as text. One question at a time.

        Raises:
            BadRequest: the server refuses the body; mostly a prompt longer than the context.
            Unavailable: the server broke off.
        """
        line = self._connected()
        async with line.lock:
            raw, _ = await self._computed(line.client, _CHAT, body)
            return raw

    async def cut(self, body: JsonObject) -> str:
        """How a text is cut into tokens: the reply to such a body, as text.

        Raises:
            BadRequest: the server refuses the body.
            Unavailable: the server broke off.
        """
        raw, _ = await _post(self._connected().client, "/tokenize", body)
        return raw

    async def force(self, body: JsonObject, tokens: Sequence[int]) -> str:
        """The reply to a chat body whose answer is made of these tokens, as text.

        Each token's log-prob is read from a question for one token, whose prompt has those before
        it. The answers are put together to one, of the form that the server's own would have.

        Args:
            body: the chat body, which may hold a grammar: that has no say.
            tokens: the numbers of the answer's tokens, at least one.

        Raises:
            BadRequest: the server refuses the body; mostly a prompt longer than the context.
            Unavailable: the server broke off.
        """
        line = self._connected()
        shown = {name: value for name, value in body.items() if name != "grammar"}
        async with line.lock:
            _, told = await _post(line.client, "/apply-template", shown)
            asked = {"content": told["prompt"], "add_special": True, "parse_special": True}
            _, cut = await _post(line.client, "/tokenize", asked)
            prompt: list[int] = cut["tokens"]
            frame = {"model": body.get("model"), "max_tokens": 1, "temperature": 0.0}
            frame["logprobs"] = max(1, body.get("top_logprobs", 1))
            told_of: dict[int, JsonObject] = {}

            async def tell(place: int) -> JsonObject:
                question = {**frame, "prompt": [*prompt, *tokens[:place]]}
                reply = await self._chosen(line.client, question, tokens[place])
                told_of[place] = reply["choices"][0]["logprobs"]["content"][0]
                return reply

            # Two tokens further with each question, so that two rows are left to be computed; then
            # back to the prompt's last token, by a detour, for those that were left out.
            first = await tell(0)
            for place in range(2, len(tokens), 2):
                await tell(place)
            if len(tokens) > 1 and self.fresh and self.reuse:
                other = 1 if prompt[-1] != 1 else 2
                detour = {**frame, "prompt": [*prompt[:-1], other, other]}
                await _post(line.client, _PLAIN, detour, reuse=True)
            for place in range(1, len(tokens), 2):
                await tell(place)
        return json.dumps(_together(first, [told_of[place] for place in range(len(tokens))]))

    async def _chosen(
        self, client: httpx2.AsyncClient, question: JsonObject, token: int
    ) -> JsonObject:
        """The reply to a question for one token that is made to be this one.

        By a weight, which is put on behind the log-probs: a grammar takes no part of a character.
        """
        body = {**question, "logit_bias": [[token, _SURELY]]}
        _, reply = await self._computed(client, _PLAIN, body)
        if not reply["choices"][0].get("logprobs"):
            # Nothing is told of the beginning of a character, but in the list of another token.
            last = question["prompt"][-1]
            body |= {"logit_bias": [[last, _SURELY]], "logprobs": _ALL}
            _, reply = await self._computed(client, _PLAIN, body)
            entry = reply["choices"][0]["logprobs"]["content"][0]
            listed = entry["top_logprobs"]
            found = next((each for each in listed if each["id"] == token), entry)
            entry |= {**found, "top_logprobs": listed[: question["logprobs"]]}
        if reply["choices"][0]["logprobs"]["content"][0]["id"] != token:
            raise BadRequest(f"The embedded model has no token {token}.")
        return reply

    def _connected(self) -> _Line:
        loop = asyncio.get_running_loop()
        if self._line is None or self._line.loop is not loop:
            # No proxy of the user's stands between two parts of one process.
            client = httpx2.AsyncClient(
                base_url=self.address,
                headers={"authorization": f"Bearer {self.password}"},
                timeout=httpx2.Timeout(3600.0, connect=60.0),
                trust_env=False,
            )
            self._line = _Line(loop, client)
        return self._line

    async def _computed(
        self, client: httpx2.AsyncClient, path: str, body: JsonObject
    ) -> tuple[str, JsonObject]:
        """The reply to a question, as if nothing had been asked before."""
        telling = bool(body.get("logprobs")) and not body.get("temperature")
        reuse = self.reuse and self.fresh and (telling or not self.trials)
        self.fresh = False
        raw, reply = await _post(client, path, body, reuse=reuse)
        if reuse and (self.trials or not _cut_alike(reply)):
            short = reply
            raw, reply = await _post(client, path, body, reuse=False)
            if self.trials and _cut_alike(short):
                self.trials -= 1
                self.reuse = short["choices"] == reply["choices"]
        self.fresh = body.get("max_tokens") == 1
        return raw, reply

    async def aclose(self) -> None:
        """Stops the server and gives its memory back."""
        line, self._line = self._line, None
        if line and line.loop is asyncio.get_running_loop():
            await line.client.aclose()
        await asyncio.to_thread(self.stop)

    def stop(self) -> None:
        """Stops the server. Blocks: the end of the last reference waits for its threads."""
        self.server = None


def start(weights: Path, *, name: str) -> Engine:
    """Loads the weights and serves them on a loopback port of the system's choice. Blocks.

    Args:
        weights: a GGUF file.
        name: what the model is called in its replies, in place of the file's path.

    Raises:
        MissingExtra: the engine is not installed.
        UsageError: the file cannot be loaded.
    """
    try:
        import xllamacpp  # noqa: PLC0415 - a hundred megabytes that only this model needs
    except ImportError:
        raise MissingExtra(
            "The embedded model needs the package xllamacpp, which is not installed.",
            advice='Run: python -m pip install "spex-api[local]"',
        ) from None
    settings = xllamacpp.CommonParams()
    settings.model.path = str(weights)
    settings.model_alias = {name}
    settings.hostnames, settings.port = ["127.0.0.1"], 0
    password = secrets.token_urlsafe(16)
    settings.api_keys = [password]
    settings.ui = settings.endpoint_slots = settings.warmup = False
    settings.verbosity = -1
    settings.n_ctx, settings.fit_params = CONTEXT, False
    settings.n_gpu_layers, settings.no_op_offload = 0, True
    settings.use_jinja = True
    settings.n_parallel = 1
    settings.n_ubatch = _PART
    settings.cache_ram_mib = 0
    # Samples come from the whole vocabulary, as a hosted model's do; T = 0 is not touched by it.
    settings.sampling.top_k, settings.sampling.top_p, settings.sampling.min_p = 0, 1.0, 0.0
    settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = free_cores()
    try:
        server = xllamacpp.Server(settings)
    except RuntimeError:
        raise UsageError(
            f"The engine cannot load {weights}.",
            advice="Check that it is a whole GGUF file of a chat model, and that it fits memory.",
        ) from None
    reuse = _rows_stand_alone(xllamacpp.get_system_info())
    return Engine(server, server.listening_address, password, reuse=reuse)


def free_cores() -> int:
    """How many cores are free: a thread that shares its core slows all of them down tenfold."""
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, usable - round(load))


def _rows_stand_alone(features: str) -> bool:
    """Whether a batch's rows may be computed alike however it is cut: not so with a BLAS."""
    library = any(word in features.upper() for word in ("BLAS", "ACCELERATE"))
    return platform.machine().lower() in {"x86_64", "amd64"} and not library


def _cut_alike(reply: JsonObject) -> bool:
    """Whether no part of the prompt's batch held a single row, with reuse or without."""
    times = reply.get("timings") or {}
    computed, reused = times.get("prompt_n"), times.get("cache_n")
    if computed is None or reused is None:
        return False
    return 1 not in {computed % _PART, (computed + reused) % _PART}


def _together(reply: JsonObject, content: Sequence[JsonObject]) -> JsonObject:
    """One chat completion out of the first token's completion and what is told of all tokens."""
    text = bytes(byte for entry in content for byte in entry["bytes"]).decode(errors="replace")
    read = reply["usage"]["prompt_tokens"]
    return {
        **{name: reply[name] for name in ("id", "created", "model", "system_fingerprint")},
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "logprobs": {"content": content},
                "finish_reason": "length",
            }
        ],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": len(content),
            "total_tokens": read + len(content),
        },
    }


async def _post(
    client: httpx2.AsyncClient, path: str, body: JsonObject, *, reuse: bool = False
) -> tuple[str, JsonObject]:
    """One exchange. `cache_prompt` says how to compute, not what, and is no part of the body."""
    try:
        response = await client.post(path, json={**body, "cache_prompt": reuse})
    except httpx2.TransportError:
        failure: BadRequest | Unavailable = Unavailable(
            "The embedded model broke off.", advice="Nothing is billed; run again."
        )
    else:
        try:
            reply: JsonObject = json.loads(response.text)
        except ValueError:
            reply = {}
        if response.status_code == 200 and _ANSWERS & reply.keys():
            return response.text, reply
        failure = _refusal(response.status_code, reply.get("error") or {})
    raise failure


def _refusal(status: int, error: JsonObject) -> BadRequest | Unavailable:
    if error.get("type") == "exceed_context_size_error":
        return ContextTooLong(
            f"The prompt has {error.get('n_prompt_tokens')} tokens, and the embedded model reads "
            f"{error.get('n_ctx')} at most.",
            advice="Shorten the text, or name a hosted model.",
            unbilled=True,
        )
    said = f"The embedded model refused the request ({status}): {error.get('message', 'unknown')}"
    return Unavailable(said) if status >= 500 else BadRequest(said)
