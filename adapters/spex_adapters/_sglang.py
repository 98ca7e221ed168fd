"""SGLang's own replies into an answer: of `/generate`, of the template's tokens, of their pieces.

Its chat gives no log-probs of a prompt or of chosen tokens, and `/generate` has no chat template.
So such a question takes two steps, and both replies make the answer. What this module does not
know: what was asked, which `_questions` words.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError

from spex_adapters._chat import Count, no_answer, read_chat
from spex_adapters._kinds import parsed
from spex_adapters._logprobs import nats, ranked
from spex_api.completions import Completion, Outcome, TokenLogprob, Usage

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = [
    "as_told",
    "both_steps",
    "read_generated",
    "read_prompt_ids",
    "read_texts",
    "read_two_steps",
]

M = TypeVar("M", bound=BaseModel)

_ADVICE: Final = "Check the kind of server in the model's name, and its version."
_Triple = tuple[float | None, int, str | None]


class _End(BaseModel):
    type: str = ""


class _Meta(BaseModel):
    """What SGLang's `/generate` tells of an answer."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    cached_tokens: Count = 0
    finish_reason: _End | None = None
    input_token_logprobs: list[_Triple] | None = None
    output_token_logprobs: list[_Triple] | None = None
    output_top_logprobs: list[list[_Triple] | None] | None = None
    output_token_ids_logprobs: list[list[_Triple] | None] | None = None


class _Generated(BaseModel):
    text: str = ""
    meta_info: _Meta


class _Prompted(BaseModel):
    prompt_token_ids: Annotated[list[int], Field(min_length=1)]


class _Texts(BaseModel):
    text: list[str]


def read_prompt_ids(raw: str) -> list[int]:
    """The numbers of a prompt's tokens, in SGLang's reply to a chat body that asks for them.

    Raises:
        MalformedReply: they are not there.
    """
    read_chat(raw)  # an error in place of an answer
    body = parsed(raw)
    first = body["choices"][0] if isinstance(body, dict) else {}
    told = first if "prompt_token_ids" in first else body
    return as_told(_Prompted, json.dumps(told), "a reply with the prompt's tokens").prompt_token_ids


def read_texts(raw: str) -> list[str]:
    """The texts in SGLang's reply to `detokenize_body`.

    Raises:
        MalformedReply: they are not there.
    """
    return as_told(_Texts, raw, "a list of texts").text


def both_steps(chat: str, generated: str) -> str:
    """SGLang's two replies to one question as one text, which is what is kept of the answer."""
    told = {"chat": parsed(chat), "generate": parsed(generated)}
    return json.dumps(told, separators=(",", ":"))


def as_told(model: type[M], raw: str, of: str) -> M:
    """A reply as this model.

    Args:
        model: what the reply should be.
        raw: the reply.
        of: the same as a noun, for the sentence.

    Raises:
        MalformedReply: it is something else.
    """
    try:
        return model.model_validate_json(raw)
    except ValidationError as refused:
        flawed = no_answer(raw, refused, of=of, advice=_ADVICE)
    raise flawed


def read_two_steps(body: JsonObject, raw: str) -> Completion:
    """The answer in both replies: one answer, whose first step is paid like the second.

    Args:
        body: what `both_steps` made, parsed.
        raw: the same as it is kept.

    Raises:
        MalformedReply: one of them is no reply.
    """
    first = read_chat(json.dumps(body.get("chat")))
    second = read_generated(json.dumps(body["generate"]))
    return replace(
        second,
        raw=raw,
        model=first.model,
        fingerprint=first.fingerprint,
        usage=replace(first.usage + second.usage, requests=1),
    )


def read_generated(raw: str) -> Completion:
    """The answer in a reply of `/generate`.

    Raises:
        MalformedReply: it is no such reply.
    """
    told = as_told(_Generated, raw, "an answer of /generate")
    meta = told.meta_info
    ended = meta.finish_reason.type if meta.finish_reason else ""
    tops = [_pairs(each) for each in meta.output_top_logprobs or ()]
    exact = [_numbers(each) for each in meta.output_token_ids_logprobs or ()]
    tokens = [
        replace(
            place,
            top=tops[index] if index < len(tops) else (),
            exact=exact[index] if index < len(exact) else (),
        )
        for index, place in enumerate(_triples(meta.output_token_logprobs))
    ]
    return Completion(
        told.text,
        tuple(tokens),
        finish_reason=ended,
        outcome=Outcome.TRUNCATED if ended == "length" else Outcome.ANSWERED,
        usage=Usage(
            requests=1,
            input_tokens=meta.prompt_tokens,
            output_tokens=meta.completion_tokens,
            cache_read_tokens=min(meta.cached_tokens, meta.prompt_tokens),
        ),
        raw=raw,
        prompt_tokens=_triples(meta.input_token_logprobs),
    )


def _triples(told: list[_Triple] | None) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(text or "", nats(logprob), token_id=token_id)
        for logprob, token_id, text in told or ()
    )


def _pairs(told: list[_Triple] | None) -> tuple[tuple[str, float], ...]:
    return ranked((text, logprob) for logprob, _, text in told or () if text is not None)


def _numbers(told: list[_Triple] | None) -> tuple[tuple[int, float], ...]:
    known = ((token_id, nats(logprob)) for logprob, token_id, _ in told or ())
    return tuple((token_id, value) for token_id, value in known if not math.isnan(value))
