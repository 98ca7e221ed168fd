"""The wire's words: what is asked of a model, and what comes back.

The key of an answer is a public ladder, so that a surprising miss can be looked at on every rung:
`Fingerprint` (a value) → `canonical()` (JSON text) → `digest()` (sha256). What this module does not
know: any vendor's dialect, and any secret: neither can reach the key.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from spex_api.messages import Image, Message, ToolCall

__all__ = [
    "KEY_SCHEMA",
    "WITHHELD",
    "Allowance",
    "Ask",
    "Capabilities",
    "Completion",
    "CompletionRequest",
    "Draw",
    "Fingerprint",
    "Image",
    "JsonObject",
    "Message",
    "Outcome",
    "Target",
    "TokenLogprob",
    "ToolCall",
    "Usage",
    "Way",
    "canonical_json",
]

JsonObject = dict[str, Any]

KEY_SCHEMA = 1
"""Changes only when the same question must no longer find its old answer."""


class Ask(StrEnum):
    """What kind of question it is. All kinds go through one door, and are kept alike."""

    CHAT = "chat"
    """The next turn of a conversation."""
    TOKENS = "tokens"
    """How the endpoint cuts the last message into tokens."""
    VECTORS = "vectors"
    """The embedding of each message."""


class Way(StrEnum):
    """How the log-prob of a given text can be had, the best first."""

    PROMPT_LOGPROBS = "prompt_logprobs"
    """The text is the assistant's turn, and the server tells the log-probs of what it reads."""
    ECHO = "echo"
    """The same in another dialect."""
    GRAMMAR = "grammar"
    """The server lets the model write nothing else, and tells what it would have thought of it."""
    STEPS = "steps"
    """The assistant's turn is begun, and the next token's list is read, one token a question."""


@dataclass(frozen=True, slots=True)
class Target:
    """A text whose log-prob is asked for.

    Attributes:
        text: the answer that is forced.
        way: how it is forced; never `Way.STEPS`, which needs plain questions only.
        tokens: the ids of its tokens where they are known: a text can be spelt in several ways.
    """

    text: str
    way: Way
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question to a model, in no vendor's dialect.

    Attributes:
        messages: the conversation. Where the last turn is the assistant's, the answer goes on from
            it.
        max_tokens: how long an answer may be.
        temperature: 0 asks for the likeliest answer.
        top_logprobs: how many of the likeliest tokens to list at each position; 0 asks for none.
        sample_index: tells repeated samples of one question apart; never sent.
        ask: what kind of question it is.
        num_samples: how many answers to draw at once.
        target: the text whose log-prob is asked for, where one is.
        exact_tokens: ids of tokens whose log-probs are asked for, likely or not.
        tools: the tools that the model may call: JSON texts in the endpoint's own dialect.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 1
    temperature: float = 0.0
    top_logprobs: int = 0
    sample_index: int = 0
    ask: Ask = Ask.CHAT
    num_samples: int = 1
    target: Target | None = None
    exact_tokens: tuple[int, ...] = ()
    tools: tuple[str, ...] = ()

    @property
    def input_bound(self) -> int:
        """More input tokens than any endpoint counts for it."""
        forced = len(self.target.text.encode()) if self.target else 0
        tools = sum(len(tool.encode()) + 64 for tool in self.tools)
        return 64 + sum(turn.bound for turn in self.messages) + forced + tools

    @property
    def output_bound(self) -> int:
        """The most tokens that all its answers may have together."""
        return 0 if self.ask is not Ask.CHAT else self.max_tokens * self.num_samples

    def with_tools(self, tools: tuple[str, ...]) -> CompletionRequest:
        """The same question with these tools, where it is one that may call any."""
        return replace(self, tools=tools) if tools and self.ask is Ask.CHAT else self


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
    """One token, its log-probability in nats, and what else is known of its place.

    Attributes:
        token: its text.
        logprob: its log-probability; NaN where it has none, as the first of a prompt.
        top: the likeliest tokens in its place, by their text.
        token_id: its number in the model's vocabulary, where the endpoint tells it.
        exact: the log-probs that were asked for by number (`exact_tokens`).
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()
    token_id: int | None = None
    exact: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """One of several answers to one question."""

    text: str
    outcome: Outcome = Outcome.ANSWERED
    tool_calls: tuple[ToolCall, ...] = ()


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
        others: the further answers, where several were drawn at once.
        prompt_tokens: what the model read, where the endpoint tells the log-probs of it.
        vectors: the embeddings, where these were asked for.
        tool_calls: what tools it asked for.
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
    others: tuple[Draw, ...] = ()
    prompt_tokens: tuple[TokenLogprob, ...] = field(default=(), repr=False)
    vectors: tuple[tuple[float, ...], ...] = field(default=(), repr=False)
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def served(self) -> str:
        """Who answered: the served model with its fingerprint, as far as they are told."""
        return " ".join(filter(None, (self.model, self.fingerprint)))

    @property
    def draws(self) -> tuple[Draw, ...]:
        """All answers that were drawn, this one first."""
        return (Draw(self.text, self.outcome, self.tool_calls), *self.others)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an endpoint can do.

    Attributes:
        top_logprobs: the longest list of likeliest tokens that it gives; 0 if it gives none.
        concurrency: how many requests may be under way at once, unless the user says otherwise.
        free: whether nobody sends a bill.
        ways: how the log-prob of a given text can be had, the best first; empty if it cannot.
        exact_tokens: whether log-probs can be asked for by a token's number.
        samples_at_once: how many answers one question may draw; the input is then billed once.
        temperature: whether it takes a temperature; else every answer is a sample at 1.
        tokenizes: whether it tells how it cuts a text into tokens.
        embeds: whether it gives embeddings.
    """

    top_logprobs: int = 20
    concurrency: int = 16
    free: bool = False
    ways: tuple[Way, ...] = ()
    exact_tokens: bool = False
    samples_at_once: int = 1
    temperature: bool = True
    tokenizes: bool = False
    embeds: bool = False


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


_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return _canonical.encode(value)
