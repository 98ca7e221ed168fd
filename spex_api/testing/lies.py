"""What endpoints have been seen to answer in place of the truth; each is a change of an answer.

A lie takes the honest answer and how often its question has been asked, and gives back what goes
out. An answer without log-probs, such as every one of Anthropic's, is left as it is by those that
are about log-probs. What this module does not know: when a lie is told.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any, Final

from spex_api.completions import JsonObject
from spex_api.errors import UsageError

__all__ = [
    "Lie",
    "all_nines",
    "all_zero",
    "chosen_nines",
    "chosen_not_listed",
    "dropped",
    "echo_ignored",
    "emptied",
    "filtered",
    "length",
    "mass_above_one",
    "noisy",
    "not_numbers",
    "null",
    "refused",
    "same_always",
    "scaled",
    "unlisted",
    "unrelated",
    "without_usage",
]

Lie = Callable[[JsonObject, int], JsonObject]
"""(the honest answer, how often the question was asked, this time included) → the answer."""

_SENTINEL: Final = -9999.0
_UNRELATED: Final = tuple(f"tok{k}" for k in range(20))

Pair = tuple[str, float]
Entry = Callable[[Pair, list[Pair]], tuple[Pair, list[Pair]]]


def _choices(answer: JsonObject) -> list[Any]:
    choices = answer.get("choices")
    return choices if isinstance(choices, list) else []


def _field(value: object, *, drop: bool = False) -> Lie:
    """Every choice's `logprobs` replaced, or taken away."""

    def lie(answer: JsonObject, times: int) -> JsonObject:
        del times
        for choice in _choices(answer):
            choice["logprobs"] = value
            if drop:
                del choice["logprobs"]
        return answer

    return lie


dropped: Final = _field(None, drop=True)
null: Final = _field(None)
emptied: Final = _field({"content": [], "refusal": None})


def _entries(change: Callable[[Pair, list[Pair], int], tuple[Pair, list[Pair]]]) -> Lie:
    """The last token of every choice, chosen and listed, put through a change."""

    def lie(answer: JsonObject, times: int) -> JsonObject:
        for choice in _choices(answer):
            if not choice.get("logprobs"):
                continue
            entry = choice["logprobs"]["content"][-1]
            listed = [(one["token"], one["logprob"]) for one in entry["top_logprobs"]]
            chosen, listed = change((entry["token"], entry["logprob"]), listed, times)
            entry.update(_said(chosen), top_logprobs=[_said(pair) for pair in listed])
        return answer

    return lie


def _said(pair: Pair) -> JsonObject:
    return {"token": pair[0], "logprob": pair[1], "bytes": list(pair[0].encode())}


def _valued(value: float) -> Lie:
    return _entries(lambda one, top, _: ((one[0], value), [(token, value) for token, _ in top]))


all_zero: Final = _valued(0.0)
all_nines: Final = _valued(_SENTINEL)
not_numbers: Final = _valued(math.nan)
unlisted: Final = _entries(lambda one, _top, _: (one, []))
chosen_nines: Final = _entries(
    lambda one, top, _: (
        (one[0], _SENTINEL),
        [(name, value) for name, (_, value) in zip(_UNRELATED, top, strict=False)],
    )
)
chosen_not_listed: Final = _entries(lambda one, top, _: (one, [p for p in top if p[0] != one[0]]))
mass_above_one: Final = _entries(
    lambda one, top, _: (
        (one[0], max(one[1], -0.05)),
        [(token, -0.05 * (place + 1)) for place, (token, _) in enumerate(top)],
    )
)
unrelated: Final = _entries(
    lambda one, top, _: (
        one,
        [(name, value) for name, (_, value) in zip(_UNRELATED, top, strict=False)],
    )
)
same_always: Final = _entries(
    lambda _one, top, _: (
        ("positive", -0.5),
        [(("positive", "negative", *_UNRELATED)[k], -0.5 - k) for k in range(len(top))],
    )
)


def scaled(temperature: float) -> Lie:
    """Log-probs after the temperature, as samplers see them, in place of the model's own.

    Raises:
        UsageError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise UsageError(f"A temperature of {temperature} scales nothing; give one above 0.")

    def change(one: Pair, top: list[Pair], _: int) -> tuple[Pair, list[Pair]]:
        mass = math.fsum(math.exp(value / temperature) for _, value in top or [one])
        shift = math.log(mass)
        moved = [(token, value / temperature - shift) for token, value in top]
        return (one[0], one[1] / temperature - shift), moved

    return _entries(change)


def noisy(sigma: float) -> Lie:
    """Log-probs that differ each time a question is asked, by about `sigma` nats.

    Raises:
        UsageError: sigma is negative.
    """
    if not sigma >= 0:
        raise UsageError(f"Noise of {sigma} nats cannot be made; give 0 or more.")

    def change(one: Pair, top: list[Pair], times: int) -> tuple[Pair, list[Pair]]:
        def moved(pair: Pair) -> Pair:
            seed = hashlib.sha256(f"{times} {pair[0]} {one[1]!r}".encode()).digest()
            uniform = int.from_bytes(seed[:8], "big") / 2**64
            return pair[0], pair[1] - 2 * sigma * uniform

        return moved(one), [moved(pair) for pair in top]

    return _entries(change)


def echo_ignored(answer: JsonObject, times: int) -> JsonObject:
    """The prompt's tokens are left out, though the body asked for them."""
    del times
    for choice in _choices(answer):
        if choice.get("logprobs"):
            choice["logprobs"]["content"] = choice["logprobs"]["content"][-1:]
    return answer


def without_usage(answer: JsonObject, times: int) -> JsonObject:
    """Nothing is said of what the answer took."""
    del times
    return {name: value for name, value in answer.items() if name != "usage"}


def _ended(reason: str, stop: str, *, text: str | None, refusal: str | None = None) -> Lie:
    """An answer that ended otherwise, in either dialect."""

    def change(answer: JsonObject, times: int) -> JsonObject:
        del times
        for choice in _choices(answer):
            choice["finish_reason"] = reason
            if text is not None or refusal is not None:
                choice["message"] = {"role": "assistant", "content": text, "refusal": refusal}
                choice["logprobs"] = None
        if "stop_reason" in answer:
            answer["stop_reason"] = stop
            if text is not None or refusal is not None:
                answer["content"] = []
        return answer

    return change


length: Final = _ended("length", "max_tokens", text=None)
filtered: Final = _ended("content_filter", "refusal", text="")
refused: Final = _ended("stop", "refusal", text=None, refusal="I'm sorry, I can't help with that.")
