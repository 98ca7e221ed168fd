"""What an adapter is asked under the contract, and what a maker tells of theirs.

What this module does not know: the checks, which `adapter_contract` has.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from spex_api.completions import (
    Ask,
    Capabilities,
    Completion,
    CompletionRequest,
    Image,
    Message,
    Target,
    ToolCall,
    Way,
)
from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spex_api.completions import JsonObject
    from spex_api.querying.adapter import Adapter

__all__ = ["CASES", "KEY", "STATUSES", "Subject", "as_json", "promised", "shown"]

KEY: Final = "sk-contract-7d1f0c77be9a4e21"
"""The key that stands in the subject's environment variable while a check runs."""

_REVIEW: Final = (Message("user", "Positive or negative? Zoë’s film: “never fails” 🎬\n{{x}}"),)
_TALK: Final = (
    Message("system", "Answer with one word."),
    Message("user", "Is it good?"),
    Message("assistant", "Yes."),
    Message("user", "Sure?"),
)

_PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
_TOOL: Final = (
    '{"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{}}}}'
)
_CALLED: Final = (
    *_REVIEW,
    Message("assistant", "", tool_calls=(ToolCall("call_1", "look", '{"at": "film"}'),)),
    Message("tool", "It is good.", answers="call_1"),
)
_SHOWN: Final = "What is in it?"

CASES: Final[Mapping[str, CompletionRequest]] = MappingProxyType(
    {
        "plain": CompletionRequest(_REVIEW),
        "listed": CompletionRequest(_REVIEW, top_logprobs=3),
        "longest": CompletionRequest(_REVIEW, top_logprobs=100_000),
        "warm": CompletionRequest(_REVIEW, max_tokens=40, temperature=0.7),
        "talk": CompletionRequest(_TALK, max_tokens=5),
        "begun": CompletionRequest((*_REVIEW, Message("assistant", "It is")), top_logprobs=2),
        "words": CompletionRequest((Message("user", _SHOWN),)),
        "image": CompletionRequest((Message.of_blocks("user", (_SHOWN, Image(_PIXEL))),)),
        "linked": CompletionRequest(
            (Message.of_blocks("user", (Image(url="https://example.org/a.png"), _SHOWN)),)
        ),
        "tools": CompletionRequest(_REVIEW, tools=(_TOOL,)),
        "called": CompletionRequest(_CALLED, tools=(_TOOL,)),
        "samples": CompletionRequest(_REVIEW, max_tokens=5, temperature=1.0, num_samples=3),
        "exact": CompletionRequest(_REVIEW, exact_tokens=(504, 31176)),
        "tokens": CompletionRequest((Message("user", " Positive"),), ask=Ask.TOKENS),
        "vectors": CompletionRequest(
            (Message("user", "good"), Message("user", "bad")), ask=Ask.VECTORS
        ),
        **{
            f"target by {way.value}": CompletionRequest(
                _REVIEW, target=Target("Positive 🎬", way, (504, 31176))
            )
            for way in Way
            if way is not Way.STEPS
        },
    }
)
"""Requests of every kind. An adapter has a body for each, or refuses it with a `UsageError`."""

STATUSES: Final[Mapping[int, type[AdapterError]]] = MappingProxyType(
    {
        307: AdapterError,  # it is not followed, since another server would have the prompt
        400: BadRequest,
        401: AuthenticationFailed,
        402: QuotaExhausted,
        403: AuthenticationFailed,
        404: BadRequest,
        408: Unavailable,
        409: Unavailable,
        410: BadRequest,
        413: ContextTooLong,
        418: AdapterError,
        422: BadRequest,
        429: RateLimited,
        500: Unavailable,
        501: AdapterError,
        502: Unavailable,
        503: Unavailable,
        504: Unavailable,
        520: Unavailable,
        529: Overloaded,
    }
)
"""What a refusal with each status must become: this kind, or a kind of it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An adapter under the contract.

    Attributes:
        name: of the adapter, for sentences.
        build: the adapter at an address on loopback, which ends in /v1.
        bodies: for each case that the adapter can be asked, the exact body that must go out; the
            others it must refuse.
        reply: a reply as it was recorded.
        says: what `shown` must make of the answer in it.
        variable: the environment variable of its key; "" where it takes none.
        over_wire: whether it asks over HTTP, so that a server can stand for the endpoint.
        statuses: what a refusal must become, where it is another than in `STATUSES`.
    """

    name: str
    build: Callable[[str], Adapter]
    bodies: Mapping[str, JsonObject] = field(repr=False)
    reply: str = field(repr=False)
    says: JsonObject = field(repr=False)
    variable: str = ""
    over_wire: bool = True
    statuses: Mapping[int, type[AdapterError]] = field(default_factory=dict)


def promised(capabilities: Capabilities) -> frozenset[str]:
    """The cases that an adapter with these capabilities must have a body for, by their names."""
    able = {
        "plain": True,
        "samples": capabilities.samples_at_once > 1,
        "exact": capabilities.exact_tokens,
        "tokens": capabilities.tokenizes,
        "vectors": capabilities.embeds,
        **{f"target by {way.value}": True for way in capabilities.ways if way is not Way.STEPS},
    }
    return frozenset(name for name, can in able.items() if can)


def shown(answer: Completion) -> JsonObject:
    """An answer as JSON that can be compared: without its raw text, and with null for NaN."""
    names = [each.name for each in fields(answer) if each.name not in {"raw", "allowances"}]
    made: JsonObject = as_json({name: getattr(answer, name) for name in names})
    return made


def as_json(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A value as JSON, with null for NaN."""
    if hasattr(value, "__dataclass_fields__"):
        return {each.name: as_json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return deepcopy(value)
