"""What an honest endpoint answers: a pure function of the request's body, in each vendor's dialect.

Equal bodies get equal answers, byte for byte, so that a resumed run can be compared with one that
was never interrupted. What this module does not know: faults, sockets, and who was paid.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from spex_api.completions import JsonObject, Message, canonical_json
from spex_api.errors import UsageError

__all__ = [
    "ANTHROPIC",
    "FINGERPRINT",
    "OPENAI",
    "WORDS",
    "Answer",
    "Dialect",
    "known_words",
    "read_messages",
    "token_counts",
]

Answer = Callable[[tuple[Message, ...]], Mapping[str, float]]
"""From a conversation to the log-probs of first tokens, as in `FunctionAdapter`."""

FINGERPRINT: Final = "fp_spex_1"
_CREATED: Final = 1_767_225_600  # the same in every answer: nothing may depend on the clock

WORDS: Final[Mapping[str, float]] = {
    "good": 1.3,
    "great": 1.7,
    "impress": 1.1,
    "love": 1.6,
    "bad": -1.4,
    "awful": -1.9,
    "boring": -1.2,
    "never": -0.9,
    "fails": -1.0,
    "never fails": 3.1,
    "not good": -2.4,
}
"""What the known words add to the log-odds of "positive"; of several words, all must be there."""

_OTHERS: Final = (
    "neutral",
    "mixed",
    "The",
    "It",
    "This",
    "I",
    "Overall",
    "Both",
    "Sure",
    "Yes",
    "No",
    "A",
    "In",
    "Well",
    "My",
    "Not",
    "So",
    "An",
    "To",
    "Of",
)
_REST: Final = 0.02


def known_words(
    weights: Mapping[str, float] = WORDS, *, labels: tuple[str, str] = ("positive", "negative")
) -> Answer:
    """A model that adds up the words it knows, and answers with one of two labels.

    Args:
        weights: what a word adds to the log-odds of the first label; a key of several words counts
            where all of them are there.
        labels: the two labels, which share 98 % of the mass.

    Raises:
        UsageError: a weight is no finite number.
    """
    if not all(math.isfinite(weight) for weight in weights.values()):
        raise UsageError("The weight of a word must be a finite number.")
    known = [(frozenset(words.lower().split()), float(w)) for words, w in weights.items()]
    total = sum(0.5**k for k in range(1, len(_OTHERS) + 1))
    rest = {
        token: math.log(_REST * 0.5**k / total)
        for k, token in enumerate(_OTHERS, start=1)
        if token not in labels
    }

    def answer(messages: tuple[Message, ...]) -> Mapping[str, float]:
        present = {
            word.strip(".,;:!?\"'()[]")
            for turn in messages
            for word in turn.content.lower().split()
        }
        odds = 0.25 + sum(weight for words, weight in known if words <= present)
        share = math.log1p(-_REST)
        return {
            labels[0]: share - math.log1p(math.exp(-odds)),
            labels[1]: share - math.log1p(math.exp(odds)),
            **rest,
        }

    return answer


def read_messages(body: JsonObject) -> tuple[Message, ...]:
    """The conversation in a body of either dialect; parts of text are joined, the rest is left out.

    Raises:
        UsageError: the body holds no conversation.
    """
    turns = body.get("messages")
    if not isinstance(turns, list) or not turns or not all(isinstance(t, dict) for t in turns):
        raise UsageError("The body holds no messages.")
    system = [Message("system", _text(body["system"]))] if body.get("system") else []
    return (
        *system,
        *(Message(str(turn.get("role", "")), _text(turn.get("content"))) for turn in turns),
    )


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def token_counts(body: JsonObject) -> tuple[int, int]:
    """Tokens read (a word is one, a turn's frame four) and the most that may be written."""
    read = sum(4 + len(turn.content.split()) for turn in read_messages(body))
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or 1
    return read, int(asked)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one vendor words an answer and an error.

    Attributes:
        name: "openai" or "anthropic".
        answer: (body, listed log-probs likeliest first, model) → the reply.
        error: (status, kind, code, message) → the body of an error.
    """

    name: str
    answer: Callable[[JsonObject, list[tuple[str, float]], str], JsonObject]
    error: Callable[[int, str, str, str], JsonObject]


def _identity(body: JsonObject) -> str:
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()[:24]


def _entry(token: str, logprob: float) -> JsonObject:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _echoed(body: JsonObject) -> list[JsonObject]:
    """The prompt's tokens, where the body asks for them; the first has no log-prob."""
    if not body.get("echo"):
        return []
    words = [word for turn in read_messages(body) for word in turn.content.split()]
    return [
        {**_entry(word, -1.0 - 0.25 * (place % 8)), "top_logprobs": []}
        if place
        else {**_entry(word, 0.0), "logprob": None, "top_logprobs": []}
        for place, word in enumerate(words)
    ]


def _logprobs(body: JsonObject, ranked: list[tuple[str, float]]) -> JsonObject:
    top = [_entry(*pair) for pair in ranked[: int(body.get("top_logprobs") or 0)]]
    chosen = {**_entry(*ranked[0]), "top_logprobs": top}
    return {"content": [*_echoed(body), chosen], "refusal": None}


def _openai_answer(body: JsonObject, ranked: list[tuple[str, float]], model: str) -> JsonObject:
    token = ranked[0][0]
    read, most = token_counts(body)
    copies = int(body.get("n") or 1)
    return {
        "id": f"chatcmpl-{_identity(body)}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": token, "refusal": None},
                "logprobs": _logprobs(body, ranked) if body.get("logprobs") else None,
                "finish_reason": "length" if most == 1 else "stop",
            }
            for index in range(copies)
        ],
        "usage": {
            "prompt_tokens": read,
            "completion_tokens": copies,
            "total_tokens": read + copies,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "system_fingerprint": FINGERPRINT,
    }


def _anthropic_answer(body: JsonObject, ranked: list[tuple[str, float]], model: str) -> JsonObject:
    read, most = token_counts(body)
    return {
        "id": f"msg_{_identity(body)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": ranked[0][0]}],
        "stop_reason": "max_tokens" if most == 1 else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": read,
            "output_tokens": 1,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


_OPENAI_KINDS: Final = {429: "requests", 500: "server_error", 503: "service_unavailable_error"}
_ANTHROPIC_KINDS: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def _openai_error(status: int, kind: str, code: str, message: str) -> JsonObject:
    kind = kind or _OPENAI_KINDS.get(status, "invalid_request_error" if status < 500 else "error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code or None}}


def _anthropic_error(status: int, kind: str, code: str, message: str) -> JsonObject:
    standing = "api_error" if status >= 500 else "invalid_request_error"
    error: JsonObject = {"type": kind or _ANTHROPIC_KINDS.get(status, standing), "message": message}
    if code:
        error["details"] = {"error_code": code}
    return {"type": "error", "error": error, "request_id": "req_spex"}


OPENAI: Final = Dialect("openai", _openai_answer, _openai_error)
ANTHROPIC: Final = Dialect("anthropic", _anthropic_answer, _anthropic_error)
