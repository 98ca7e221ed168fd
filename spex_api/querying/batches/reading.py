"""A batch that is over, read: each answer is on disk before the next line is looked at.

A line without an answer is one of three things: refused for good, which is a hole; without time or
luck, which may be asked again; or left, with a sentence. A batch in which no line is ours is
somebody else's.

What this module does not know: where a batch comes from, and whether there is another round.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from spex_api.completions import Usage
from spex_api.errors import AdapterError, BadRequest, MalformedReply, RateLimited, Unavailable
from spex_api.querying.batches.costs import most_of
from spex_api.querying.batches.endpoint import BatchState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from spex_api.completions import Completion, CompletionRequest, Fingerprint, JsonObject
    from spex_api.querying.batches.endpoint import BatchEndpoint, Chunk

__all__ = ["AnswerCache", "Reading"]

_CANCELLED = "The batch was cancelled before they were answered."
_NO_TIME = "The batch's time was up before they were answered."
_NOT_LISTED = "The batch's results do not mention them."
_UNREADABLE = "Lines of the batch's results cannot be read, and may be theirs."


class AnswerCache(Protocol):
    """Where answers are kept, and what knows how they are asked and read: `Cached` is one."""

    def fingerprint(self, request: CompletionRequest) -> Fingerprint:
        """What the answer to this request is kept under."""
        ...

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request."""
        ...

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body. Raises MalformedReply."""
        ...

    def holds(self, request: CompletionRequest) -> bool:
        """Whether the answer to this request is on disk."""
        ...

    def keep(self, request: CompletionRequest, completion: Completion) -> None:
        """Puts an answer to this request on disk; it is there when this returns."""
        ...


@dataclass(slots=True)
class Reading:
    """What the results of one chunk's batch add up to.

    Attributes:
        chunk: whose results.
        asked: the questions of this call, by name.
        cache: where answers go.
        held: the questions that had their answers before, whose results are passed over.
        state: how the batch ended.
        kept: how many answers were read.
        usage: what they took; where that is not known, the most that they can have taken.
        refused: the questions that were refused for good.
        again: those that may be asked again, and `why`.
        left: how many have no answer and are not to be asked again, by the reason.
        strangers: how many results are of questions that are not the chunk's.
    """

    chunk: Chunk
    asked: Mapping[str, CompletionRequest]
    cache: AnswerCache
    held: Collection[str]
    state: BatchState
    kept: int = 0
    usage: Usage = field(default_factory=Usage)
    refused: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    why: str = ""
    left: dict[str, int] = field(default_factory=dict)
    strangers: int = 0
    _unseen: dict[str, None] = field(init=False, repr=False)
    _unreadable: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._unseen = dict.fromkeys(self.chunk.keys)

    @property
    def foreign(self) -> bool:
        """Whether the batch is not this chunk's at all."""
        return self.strangers > 0 and len(self._unseen) == len(self.chunk.keys)

    @property
    def not_asked(self) -> list[str]:
        """The chunk's questions that are not among those of this call: they stay to be read."""
        return [key for key in self.chunk.keys if key not in self.asked]

    async def take(self, endpoint: BatchEndpoint) -> None:
        """Reads all results. After a break it may be called again, and goes on from there.

        Raises:
            AdapterError: the endpoint failed.
        """
        self.strangers = self._unreadable = 0
        chunks_own = frozenset(self.chunk.keys)
        async with aclosing(endpoint.fetch(self.chunk.batch)) as results:
            async for key, result in results:
                if key in self._unseen:
                    self._take(key, result)
                    del self._unseen[key]
                elif not key:
                    self._unreadable += 1
                else:
                    self.strangers += key not in chunks_own
        if not self.foreign:
            self._judge(key for key in self._unseen if key in self.asked and key not in self.held)

    def _take(self, key: str, result: str | AdapterError) -> None:
        request = self.asked.get(key)
        if request is None or key in self.held:
            return
        if isinstance(result, str):
            try:
                completion = self.cache.read(result)
            except MalformedReply as error:
                result = error
            else:
                # Another process may have been faster; what is on disk was perhaps used already.
                if not self.cache.holds(request):
                    self.cache.keep(request, completion)
                self.kept += 1
                used = completion.usage
                self.usage += used if used.input_tokens else most_of(request)
                return
        self._put_aside(key, request, result)

    def _put_aside(self, key: str, request: CompletionRequest, error: AdapterError) -> None:
        if not error.unbilled:
            self.usage += most_of(request)
        if isinstance(error, BadRequest):
            self.refused.append(key)
        elif isinstance(error, (RateLimited, Unavailable)):
            self._once_more(key, error.cause)
        else:
            self._leave(error.cause)

    def _judge(self, unseen: Iterable[str]) -> None:
        """What is to be thought of questions that the results say nothing of."""
        for key in unseen:
            if self.state is not BatchState.EXPIRED and self.state is not BatchState.CANCELLED:
                self.usage += most_of(self.asked[key])
            if self._unreadable:
                self._leave(_UNREADABLE)
            else:
                expired = self.state is BatchState.EXPIRED
                self._once_more(key, _NO_TIME if expired else _NOT_LISTED)

    def _once_more(self, key: str, why: str) -> None:
        if self.state is BatchState.CANCELLED:
            self._leave(_CANCELLED)
            return
        self.why = self.why or why
        self.again.append(key)

    def _leave(self, why: str) -> None:
        self.left[why] = self.left.get(why, 0) + 1
