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
    from pathlib import Path

    from spex_api.completions import JsonObject

__all__ = ["CONTEXT", "SETTINGS", "Engine", "free_cores", "start"]

CONTEXT: Final = 8192
"""How many tokens prompt and answer may have together; a model made for fewer has fewer."""

SETTINGS: Final = f"n_ctx={CONTEXT},jinja,cpu,no-flash-attention,whole-vocabulary"
"""What an answer depends on, besides weights and engine."""

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
        line = self._line
        async with line.lock:
            telling = bool(body.get("logprobs")) and not body.get("temperature")
            reuse = self.reuse and self.fresh and (telling or not self.trials)
            self.fresh = False
            raw, reply = await _post(line.client, body, reuse=reuse)
            if reuse and (self.trials or not _cut_alike(reply)):
                short = reply
                raw, reply = await _post(line.client, body, reuse=False)
                if self.trials and _cut_alike(short):
                    self.trials -= 1
                    self.reuse = short["choices"] == reply["choices"]
            self.fresh = body.get("max_tokens") == 1
            return raw

    async def aclose(self) -> None:
        """Stops the server and gives its memory back."""
        line, self._line = self._line, None
        if line and line.loop is asyncio.get_running_loop():
            await line.client.aclose()
        held = [self.server]
        self.server = None
        await asyncio.to_thread(held.clear)  # the last reference: its end waits for the threads


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


async def _post(
    client: httpx2.AsyncClient, body: JsonObject, *, reuse: bool
) -> tuple[str, JsonObject]:
    """One exchange. `cache_prompt` says how to compute, not what, and is no part of the body."""
    try:
        response = await client.post("/v1/chat/completions", json={**body, "cache_prompt": reuse})
    except httpx2.TransportError:
        failure: BadRequest | Unavailable = Unavailable(
            "The embedded model broke off.", advice="Nothing is billed; run again."
        )
    else:
        try:
            reply: JsonObject = json.loads(response.text)
        except ValueError:
            reply = {}
        if response.status_code == 200 and "choices" in reply:
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
