"""The wire's words: what is asked of a model, and what comes back.

The key of an answer is a public ladder, so that a surprising miss can be looked at on every rung:
`Fingerprint` (a value) → `canonical()` (JSON text) → `digest()` (sha256). What this module does not
know: any vendor's dialect, and any secret: neither can reach the key.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "KEY_SCHEMA",
    "WITHHELD",
    "Allowance",
    "Capabilities",
    "Completion",
    "CompletionRequest",
    "Fingerprint",
    "JsonObject",
    "Message",
    "Outcome",
    "TokenLogprob",
    "Usage",
    "canonical_json",
]

JsonObject = dict[str, Any]

KEY_SCHEMA = 1
"""Changes only when the same question must no longer find its old answer."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question to a model, in no vendor's dialect.

    Attributes:
        messages: the conversation.
        max_tokens: how long the answer may be.
        temperature: 0 asks for the likeliest answer.
        top_logprobs: how many of the likeliest tokens to list at each position; 0 asks for none.
        sample_index: tells repeated samples of one question apart; never sent.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 1
    temperature: float = 0.0
    top_logprobs: int = 0
    sample_index: int = 0

    @property
    def input_bound(self) -> int:
        """More input tokens than any endpoint counts for it.

        No tokenizer makes more tokens than there are bytes; a turn's frame takes a few more.
        """
        return 64 + sum(len(turn.content.encode()) + 16 for turn in self.messages)


class Outcome(StrEnum):
    """How an answer ended. Each is an observation: it is paid, kept on disk, and counted."""

    ANSWERED = "answered"
    TRUNCATED = "truncated"
    """Its greatest length was reached; after one token that is what was asked for."""
    REFUSED = "refused"
    """The model declined to answer."""
    FILTERED = "filtered"
    """A filter of the endpoint took the answer away, or part of it."""


WITHHELD = (Outcome.REFUSED, Outcome.FILTERED)
"""The outcomes of an answer that was not given: paid and kept, but without a value as a rule."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an endpoint says is left of one of its limits.

    Attributes:
        of: "requests", "tokens" (input and output together), "input_tokens" or "output_tokens".
        limit: how much there is, in the endpoint's own window, where it says so.
        remaining: how much of it is left.
        resets_in: seconds until all of it is back, where it says so.
    """

    of: str
    limit: float | None = None
    remaining: float | None = None
    resets_in: float | None = None


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer, its log-probability in nats, and the likeliest in its place."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What answers took. Adds up; `Usage()` is zero.

    Attributes:
        requests: how many answers.
        input_tokens: all that was read, from the endpoint's prompt cache or not.
        output_tokens: all that was written, reasoning included.
        cache_read_tokens: of the input, what came from the endpoint's prompt cache.
        cache_write_tokens: of the input, what was written to it.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, read.

    Attributes:
        text: what the model wrote.
        tokens: one entry a token, where the endpoint gave log-probs; else empty.
        finish_reason: why it stopped, in the endpoint's word.
        outcome: the same in ours.
        model: the model that served it, as the endpoint names it.
        fingerprint: of the serving system, or "".
        usage: what it took.
        raw: the reply's body, byte for byte; what the cache keeps.
        allowances: what the reply's headers say is left; not kept, so none on an answer from disk.
    """

    text: str
    tokens: tuple[TokenLogprob, ...] = ()
    finish_reason: str = ""
    outcome: Outcome = Outcome.ANSWERED
    model: str = ""
    fingerprint: str = ""
    usage: Usage = Usage(requests=1)
    raw: str = field(default="", repr=False)
    allowances: tuple[Allowance, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an endpoint can do.

    Attributes:
        top_logprobs: the longest list of likeliest tokens that it gives; 0 if it gives none.
        concurrency: how many requests may be under way at once, unless the user says otherwise.
        free: whether nobody sends a bill.
    """

    top_logprobs: int = 20
    concurrency: int = 16
    free: bool = False


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What makes two questions the same question.

    Attributes:
        endpoint: who answers: a normalised URL, or the identity of local weights and engine.
        model: the model's name.
        body: the whole wire body.
        sample_index: which of several samples.
    """

    endpoint: str
    model: str
    body: JsonObject
    sample_index: int = 0

    def ladder(self) -> JsonObject:
        """The fingerprint as a JSON object: all that the key is made of."""
        return {
            "body": self.body,
            "endpoint": self.endpoint,
            "key_schema": KEY_SCHEMA,
            "model": self.model,
            "sample_index": self.sample_index,
        }

    def canonical(self) -> str:
        """The fingerprint as canonical JSON."""
        return canonical_json(self.ladder())

    def digest(self) -> str:
        """The sha256 of the canonical JSON, 64 hexadecimal digits: the answer's key."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
