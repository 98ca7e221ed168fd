"""The OpenAI chat dialect, which many servers speak: a request into a body, a reply into an answer.

What this module does not know: who is on the other side, or how to get there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from spex_adapters._errors import one_line
from spex_api.completions import Completion, TokenLogprob, Usage
from spex_api.errors import MalformedReply

if TYPE_CHECKING:
    from spex_api.completions import CompletionRequest, JsonObject

__all__ = ["chat_body", "read_chat"]

_BILLED = "The answer may have been billed."


class _Listed(BaseModel):
    token: str
    logprob: FiniteFloat


class _Token(_Listed):
    top_logprobs: list[_Listed] | None = None


class _Logprobs(BaseModel):
    content: list[_Token] | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Failure(BaseModel):
    """A body that may hold an error, whatever status it came with."""

    error: Any = None


class _Reply(_Failure):
    """A chat completion, as far as we read it; fields that we do not know are let through."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None


def chat_body(
    request: CompletionRequest, *, model: str, length_field: str, longest_list: int
) -> JsonObject:
    """The wire body of a request, whole.

    Args:
        request: what is asked.
        model: who is asked.
        length_field: what the server calls the answer's greatest length.
        longest_list: the longest list of likeliest tokens that the server gives.
    """
    body: JsonObject = {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
        length_field: request.max_tokens,
        "temperature": request.temperature,
    }
    if request.top_logprobs > 0:
        body["logprobs"] = True
        body["top_logprobs"] = min(request.top_logprobs, longest_list)
    return body


def read_chat(raw: str) -> Completion:
    """The first choice of a chat completion. Without log-probs in it, `tokens` is empty.

    Raises:
        MalformedReply: the body is an error, or no chat completion.
    """
    reply = _parsed(raw)
    choice = reply.choices[0]
    listed = (choice.logprobs and choice.logprobs.content) or ()
    used = reply.usage or _Usage()
    return Completion(
        text=choice.message.content or choice.message.refusal or "",
        tokens=tuple(
            TokenLogprob(
                entry.token,
                entry.logprob,
                tuple((likely.token, likely.logprob) for likely in entry.top_logprobs or ()),
            )
            for entry in listed
        ),
        finish_reason=choice.finish_reason or "",
        model=reply.model or "",
        fingerprint=reply.system_fingerprint or "",
        usage=Usage(
            requests=1,
            input_tokens=used.prompt_tokens or 0,
            output_tokens=used.completion_tokens or 0,
        ),
        raw=raw,
    )


def _parsed(raw: str) -> _Reply:
    flaw = ""
    try:
        reply: _Reply | None = _Reply.model_validate_json(raw)
        failure = reply and reply.error
    except ValidationError as refused:
        reply, failure = None, _failure(raw)
        first = refused.errors(include_url=False, include_input=False)[0]
        flaw = one_line(": ".join((".".join(map(str, first["loc"])) or "body", first["msg"])))
    if failure:
        said = failure.get("message", failure) if isinstance(failure, dict) else failure
        raise MalformedReply(
            f"The endpoint answered with an error in place of a completion: {one_line(said)}.",
            cost=_BILLED,
        )
    if reply is None:
        raise MalformedReply(
            f"The reply is not a chat completion ({flaw}); it begins "
            f"{one_line(raw, longest=60)!r}.",
            cost=_BILLED,
            advice="Check that the address is that of an OpenAI-compatible API.",
        )
    return reply


def _failure(raw: str) -> object:
    try:
        return _Failure.model_validate_json(raw).error
    except ValidationError:
        return None
