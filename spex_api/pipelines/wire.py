"""A model call of the user's own client, as a question that our policies understand.

The body stays as the client wrote it, and the reply as the endpoint gave it; what is read of them
is what a cap must know: the most that the call may take, and what it took. What this module does
not know: which policies there are, and who called.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spex_api.calls.answer import read_answer
from spex_api.calls.events import assembled
from spex_api.calls.gate import WireReply
from spex_api.calls.loosely import as_count, as_object
from spex_api.completions import Capabilities, Completion, CompletionRequest, Message, Usage
from spex_api.errors import AdapterError, MalformedReply, Overloaded, RateLimited, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from spex_api.calls.gate import WireRequest
    from spex_api.completions import JsonObject

__all__ = ["Outgoing", "WireAdapter", "is_question", "reply_from_disk"]

_EMBEDDINGS: Final = "/embeddings"
_LONGEST: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_MOST_WRITTEN: Final = 16_384
"""Tokens that an answer may have where the call does not say: more than nearly all have."""
_TOO_MANY: Final = 429
_BUSY: Final = (503, 529)


def is_question(request: WireRequest) -> bool:
    """Whether the answer depends on the body alone, so that it may be kept.

    What else is posted may change something at the endpoint, or hang on it.
    """
    return bool(request.dialect) or request.url.endswith(_EMBEDDINGS)


@dataclass(frozen=True, slots=True)
class Outgoing(CompletionRequest):
    """One call, on its way.

    Attributes:
        dialect: of the body; "" of embeddings.
        body: as the client wrote it.
        forward: sends it, and gives the reply.
        replies: what came of it, if it was sent.
    """

    dialect: str = ""
    body: JsonObject = field(default_factory=dict, repr=False)
    forward: Callable[[], Awaitable[WireReply]] | None = field(
        default=None, compare=False, repr=False
    )
    replies: list[WireReply] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        request: WireRequest,
        body: JsonObject,
        forward: Callable[[], Awaitable[WireReply]] | None = None,
        *,
        sample_index: int,
    ) -> Outgoing:
        """The call as a question.

        Args:
            request: what the client asks.
            body: the same, read.
            forward: sends it, where the policies are to do that.
            sample_index: which of several samples of the same question.
        """
        return cls(
            (Message("user", request.body.decode(errors="replace")),),
            sample_index=sample_index,
            dialect=request.dialect,
            body=body,
            forward=forward,
        )

    @property
    def input_bound(self) -> int:
        """More input tokens than any endpoint counts for it: none takes less than a byte."""
        return 64 + len(self.messages[0].content.encode())

    @property
    def output_bound(self) -> int:
        """The most tokens that all its answers may have together."""
        if not self.dialect:
            return 0
        told = (self.body.get(name) for name in _LONGEST)
        longest = next((each for each in told if isinstance(each, int)), _MOST_WRITTEN)
        return longest * max(as_count(self.body.get("n")), 1)


@dataclass(frozen=True, slots=True)
class WireAdapter:
    """One model at one address, as the user's client reaches it.

    Attributes:
        endpoint: the address, from the scheme to the path.
        model: its name, as the body has it.
        dialect: of bodies; "" of embeddings.
        capabilities: only the concurrency says anything.
    """

    endpoint: str
    model: str
    dialect: str
    capabilities: Capabilities

    def body(self, request: CompletionRequest) -> JsonObject:
        """The call's own body."""
        return _outgoing(request).body

    async def complete(self, request: CompletionRequest) -> Completion:
        """Sends the call. The reply stands in its `replies`, whatever it is.

        Raises:
            AdapterError: it is no answer to be kept.
        """
        call = _outgoing(request)
        if call.forward is None:
            raise MalformedReply("This call has no connection to go out by.", unbilled=True)
        return self.received(call, await call.forward())

    def received(self, call: Outgoing, reply: WireReply) -> Completion:
        """A reply that came, read.

        Args:
            call: what it answers.
            reply: joins the call's `replies`.

        Raises:
            AdapterError: it is no answer to be kept.
        """
        call.replies.append(reply)
        if reply.status >= 300:
            raise _refusal(reply)
        try:
            return self.read(reply.body.decode())
        except UnicodeDecodeError:
            raise MalformedReply("The reply is no text in UTF-8.") from None

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body, or in a stream's events.

        Raises:
            MalformedReply: it is none, or a stream that broke off.
        """
        if _is_object(raw):
            try:
                body = as_object(json.loads(raw))
            except ValueError as error:
                raise MalformedReply(f"The reply is no JSON: {error}.") from None
            whole = True
        else:
            events = assembled(raw, dialect=self.dialect)
            body, whole = events.body, events.whole
        answer = read_answer(body, dialect=self.dialect)
        if answer.error or not whole or not body:
            raise MalformedReply(answer.error or "The reply broke off.")
        usage = answer.usage if self.dialect else _of_embeddings(body)
        return Completion(
            answer.text,
            finish_reason=answer.finish_reason,
            model=answer.model,
            usage=usage,
            raw=raw,
            tool_calls=answer.tool_calls,
        )

    async def aclose(self) -> None:
        """Has nothing to give back: the connections are the client's."""


def reply_from_disk(completion: Completion) -> WireReply:
    """An answer that was kept, as the client reads it."""
    kind = "application/json" if _is_object(completion.raw) else "text/event-stream"
    return WireReply(200, kind, (completion.raw.encode(),))


def _outgoing(request: CompletionRequest) -> Outgoing:
    if not isinstance(request, Outgoing):
        raise TypeError("Only calls of a client go over its wire.")
    return request


def _is_object(raw: str) -> bool:
    return raw.lstrip().startswith("{")


def _of_embeddings(body: JsonObject) -> Usage:
    usage = as_object(body.get("usage"))
    return Usage(requests=1, input_tokens=as_count(usage.get("prompt_tokens")))


def _refusal(reply: WireReply) -> AdapterError:
    """An endpoint's refusal as those who pace and pay must know it; the client reads the reply."""
    said = f"The endpoint answered with status {reply.status}."
    if reply.status == _TOO_MANY:
        return RateLimited(said, retry_after=_wait(reply), unbilled=True)
    if reply.status in _BUSY:
        return Overloaded(said, retry_after=_wait(reply), unbilled=True)
    if reply.status >= 500:
        return Unavailable(said)
    return AdapterError(said, unbilled=True)


def _wait(reply: WireReply) -> float | None:
    """The seconds that the endpoint asks to wait, where it says so in a number."""
    told = dict(reply.headers)
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(told.get(name, "")) / unit
        except ValueError:
            continue
        return seconds if 0 <= seconds < math.inf else None
    return None
