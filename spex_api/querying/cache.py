"""Every answer is on disk before it is used, and is never asked for again.

The same question asked twice at once is sent once, also by two processes. What ends without an
answer leaves nothing on disk; what the model declined or a truncated text is an answer. What the
endpoint refuses for good stands on disk too, so that a replay, and a run that goes on, is refused
alike and sends nothing; but only where it is this question that is refused, not a wrong address or
an unknown model: a refusal for what is said, or for its length, is one, and any other is taken for
one once the endpoint has answered something else in the same run. What this module does not know:
what an answer means, and how a record is kept.
"""

from __future__ import annotations

import asyncio
import os
from copy import copy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from spex_api.completions import Fingerprint
from spex_api.errors import (
    BadRequest,
    CacheCorrupt,
    CacheMiss,
    ContentFiltered,
    ContextTooLong,
    MalformedReply,
)
from spex_api.querying.answers.record import Keyed, read_record, write_record, write_refusal
from spex_api.querying.answers.store import AnswerStore, DiskStore, answers_folder
from spex_api.querying.answers.writing import Writer
from spex_api.querying.policy import Meter, Policy

if TYPE_CHECKING:
    from spex_api.completions import Completion, CompletionRequest

__all__ = [
    "AnswerStore",
    "Cached",
    "DiskStore",
    "Mode",
    "answers_folder",
    "is_offline",
]


_PAUSE: Final = 0.05
"""Seconds between two looks for the answer that another process is asking for."""


class Mode(StrEnum):
    """What is done with what is on disk."""

    LIVE = "live"
    """It is used, and what is missing is asked."""
    REFRESH = "refresh"
    """Everything is asked anew, once, and written over it."""
    REPLAY = "replay"
    """It is all there is: nothing is asked, and what is missing is an error."""


def is_offline() -> bool:
    """Whether `SPEX_OFFLINE` forbids every connection."""
    return os.environ.get("SPEX_OFFLINE", "") not in ("", "0")


@dataclass(slots=True)
class _Underway:
    """What is being asked, by key, what a refresh has asked already, and what was refused.

    Attributes:
        flights: end when the answer is there.
        refreshed: what is not asked anew once more.
        refusals: of this run.
        doubtful: records of those that may be of everything that is asked, as a wrong address is.
        heard: whether the endpoint has answered anything in this run.
    """

    flights: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    refreshed: set[str] = field(default_factory=set)
    refusals: dict[str, BadRequest] = field(default_factory=dict)
    doubtful: dict[str, bytes] = field(default_factory=dict)
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Cached(Policy):
    """Answers from disk where it can, and writes what it must ask before anyone uses it.

    Attributes:
        store: where records are kept.
        meter: counts what came from disk.
        mode: what is done with what is on disk.
        store_prompts: whether records hold what was asked, or only its digest. The reply's body is
            kept in any case, whatever it repeats.
    """

    store: AnswerStore
    meter: Meter
    mode: Mode = Mode.LIVE
    store_prompts: bool = True
    _underway: _Underway = field(default_factory=_Underway, repr=False, compare=False)
    _writer: Writer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_writer", Writer(self.store))

    async def complete(self, request: CompletionRequest) -> Completion:
        """The answer on disk, or else the inner adapter's, once it is on disk.

        Of several that ask the same at once, one is sent; the others wait for it, and its error is
        theirs too. Where it is cancelled, the next of them asks.

        What was refused for good is not asked again, neither in this run nor, where it is kept on
        disk, in a later one: whoever has other rights by then asks with a refresh.

        Raises:
            BadRequest: it is refused for good, now or by what is on disk; then it has no cost.
            AdapterError: as the inner adapter does.
            CacheMiss: in a replay, there is no answer on disk.
            CacheCorrupt: the record on disk is not what was written.
            CacheError: the answer, which is paid, could not be kept.
        """
        asked = self._keyed(request)
        while True:
            flight = self._underway.flights.get(asked.key)
            if flight is not None:
                # A follower that is cancelled must not take the flight of the others with it.
                await asyncio.shield(flight)
                continue
            known = self._known(request, asked)
            if known is not None:
                return known
            # What another process asked is on disk before its own claim ends: so once a question is
            # claimed, a second look tells whether it is still to be asked.
            claimed = self.mode is Mode.LIVE and self.store.claim(asked.key)
            try:
                known = self._known(request, asked) if claimed else None
                if known is not None:
                    return known
                if claimed or self.mode is Mode.REFRESH:
                    return await self._ask(request, asked)
            finally:
                if claimed:
                    self.store.release(asked.key)
            await asyncio.sleep(_PAUSE)

    def known(self, request: CompletionRequest) -> Completion | None:
        """The answer on disk, or None where it is to be asked for. Sends nothing.

        Raises:
            BadRequest: it was refused for good.
            CacheMiss: in a replay, there is none.
            CacheCorrupt: the record on disk is not what was written.
        """
        return self._known(request, self._keyed(request))

    def holds(self, request: CompletionRequest) -> bool:
        """Whether this question is settled on disk, by an answer or a refusal. Sends nothing."""
        return self.key(request) in self.store

    def key(self, request: CompletionRequest) -> str:
        """What the answer to this request is kept under."""
        return self._keyed(request).key

    def fingerprint(self, request: CompletionRequest) -> Fingerprint:
        """What the answer to this request is kept under."""
        inner = self.inner
        return Fingerprint(inner.endpoint, inner.model, inner.body(request), request.sample_index)

    def keep(self, request: CompletionRequest, completion: Completion) -> None:
        """Writes an answer that came by another way than `complete`, as from a batch.

        Raises:
            CacheError: it could not be kept.
        """
        asked = self._keyed(request)
        self.store.put(asked.key, self._record(asked, completion))
        self._underway.refusals.pop(asked.key, None)
        self._underway.doubtful.pop(asked.key, None)
        self._hear()

    def _keyed(self, request: CompletionRequest) -> Keyed:
        return Keyed.of(self.fingerprint(request))

    def _known(self, request: CompletionRequest, asked: Keyed) -> Completion | None:
        """The answer on disk, or None where it is to be asked for.

        Raises:
            BadRequest: it was refused, in this run or by what is on disk.
            CacheMiss: in a replay, there is none.
            CacheCorrupt: the record is not what was written.
        """
        if asked.key in self._underway.refusals:
            raise copy(self._underway.refusals[asked.key])
        if self.mode is not Mode.REFRESH or asked.key in self._underway.refreshed:
            known = self._lookup(asked)
            if known is not None:
                self.meter.cached += 1
                return known
        if self.mode is Mode.REPLAY:
            raise _missing(request, self.model, "a replay asks nothing")
        return None

    async def _ask(self, request: CompletionRequest, asked: Keyed) -> Completion:
        """Asks for all who wait for this key, and writes the answer before anyone has it."""
        flight = asyncio.get_running_loop().create_future()
        self._underway.flights[asked.key] = flight
        try:
            completion = await self.inner.complete(request)
            await self._writer.write(asked.key, self._record(asked, completion))
            self._hear()
        except Exception as error:
            if isinstance(error, BadRequest):
                self._refuse(asked, error)
            flight.set_exception(error)
            flight.exception()  # it may be that nobody waits; then nobody is to be told
            raise
        finally:
            del self._underway.flights[asked.key]
            if not flight.done():
                flight.set_result(None)
        return completion

    def _refuse(self, asked: Keyed, error: BadRequest) -> None:
        """Remembers a refusal, and keeps it once it is sure that this question alone is refused.

        Raises:
            CacheError: it could not be kept.
        """
        underway = self._underway
        underway.refusals[asked.key] = copy(error)
        record = write_refusal(asked, error, with_prompt=self.store_prompts)
        if underway.heard or isinstance(error, (ContentFiltered, ContextTooLong)):
            self._put_refusal(asked.key, record)
        else:
            underway.doubtful[asked.key] = record

    def _hear(self) -> None:
        """The endpoint answers: so what it refused, it refused for what was asked.

        Raises:
            CacheError: the refusals could not be kept.
        """
        underway = self._underway
        underway.heard = True
        if underway.doubtful:
            doubtful, underway.doubtful = underway.doubtful, {}
            with self.store.together():
                for key, record in doubtful.items():
                    self._put_refusal(key, record)

    def _put_refusal(self, key: str, record: bytes) -> None:
        """Keeps a refusal; what another process was answered meanwhile stays."""
        if self.mode is Mode.REFRESH or key not in self.store:
            self.store.put(key, record)

    def _record(self, asked: Keyed, completion: Completion) -> bytes:
        if self.mode is Mode.REFRESH:
            self._underway.refreshed.add(asked.key)
        return write_record(asked, completion, with_prompt=self.store_prompts)

    def _lookup(self, asked: Keyed) -> Completion | None:
        """The answer on disk, read again, or None.

        Raises:
            BadRequest: what is on disk is its refusal.
            CacheCorrupt: the record is not what was written.
        """
        stored = self.store.get(asked.key)
        if stored is None:
            return None
        record = read_record(stored, key=asked.key)
        if not asked.is_answered_by(record, stored):
            raise CacheCorrupt(
                f"The record {asked.key[:12]} answers another question.",
                advice="See what else is wrong with: spex cache verify.",
            )
        if record.refused is not None:
            raise record.refused.error(record.when)
        try:
            return self.inner.read(record.raw)
        except MalformedReply as error:  # nobody was billed for it now: its cost is not passed on
            raise CacheCorrupt(
                f"The record {asked.key} holds no answer that can be read: {error.cause}",
                advice="Delete it with: spex cache purge --keys FILE, its key being in the file.",
            ) from None


def _missing(request: CompletionRequest, model: str, why: str) -> CacheMiss:
    said = request.messages[-1].content
    shown = said if len(said) <= 60 else f"{said[:24]} … {said[-32:]}"
    return CacheMiss(
        f"No answer of {model} to {shown!r} is on disk, and {why}.",
        cost="Nothing was sent.",
        advice="Run without replay, and with SPEX_OFFLINE unset, to ask for what is missing.",
    )
