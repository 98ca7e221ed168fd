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
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

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
from spex_api.querying.policy import Meter, Policy
from spex_api.querying.sharing import sharing

if TYPE_CHECKING:
    from spex_api.completions import Completion, CompletionRequest
    from spex_api.querying.answers.desk import Desk

__all__ = [
    "AnswerStore",
    "Cached",
    "DiskStore",
    "Mode",
    "answers_folder",
    "is_offline",
]


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
        turns: what lets no more questions be asked at once than may be lost at once.
    """

    flights: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    refreshed: set[str] = field(default_factory=set)
    refusals: dict[str, BadRequest] = field(default_factory=dict)
    doubtful: dict[str, bytes] = field(default_factory=dict)
    heard: bool = False
    turns: asyncio.Semaphore | nullcontext[None] = field(default_factory=nullcontext)


@dataclass(frozen=True, slots=True)
class Cached(Policy):
    """Answers from disk where it can, and writes what it must ask before anyone uses it.

    Attributes:
        store: where records are kept.
        meter: counts what came from disk.
        mode: what is done with what is on disk.
        store_prompts: whether records hold what was asked, or only its digest. The reply's body is
            kept in any case, whatever it repeats.
        at_once: how many questions may be under way until their answers are kept: as many are paid
            twice, at the most, where this process is killed. None sets no bound.
    """

    store: AnswerStore
    meter: Meter
    mode: Mode = Mode.LIVE
    store_prompts: bool = True
    at_once: int | None = None
    _underway: _Underway = field(default_factory=_Underway, repr=False, compare=False)
    _desk: Desk = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_desk", sharing(self.store).desk)
        if self.at_once is not None and isinstance(self._underway.turns, nullcontext):
            self._underway.turns = asyncio.Semaphore(self.at_once)

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
        flights = self._underway.flights
        while True:
            known = await self._found(request, asked)
            if known is not None:
                return known
            others = flights.get(asked.key)
            if others is None:
                break
            # A follower that is cancelled must not take the flight of the others with it.
            await asyncio.shield(others)
        flight = flights[asked.key] = asyncio.get_running_loop().create_future()
        try:
            return await self._settled(request, asked)
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # it may be that nobody waits; then nobody is to be told
            raise
        finally:
            del flights[asked.key]
            if not flight.done():
                flight.set_result(None)

    async def _settled(self, request: CompletionRequest, asked: Keyed) -> Completion:
        """The answer that is there by the time when nobody else asks, or that is asked for then."""
        if self.mode is Mode.REFRESH:
            known = await self._found(request, asked)
            return await self._ask(request, asked) if known is None else known
        while not await self._desk.claim(asked.key):
            await asyncio.sleep(self._desk.pause)
            known = await self._found(request, asked)
            if known is not None:
                return known
        try:
            # What another process asked is on disk before its own claim ends: so once a question is
            # claimed, a second look tells whether it is still to be asked.
            known = await self._found(request, asked)
            return await self._ask(request, asked) if known is None else known
        finally:
            self._desk.release(asked.key)

    def known(self, request: CompletionRequest) -> Completion | None:
        """The answer on disk, or None where it is to be asked for. Sends nothing.

        Raises:
            BadRequest: it was refused for good.
            CacheMiss: in a replay, there is none.
            CacheCorrupt: the record on disk is not what was written.
        """
        asked = self._keyed(request)
        stored = self.store.get(asked.key) if self._may_be_used(asked) else None
        return self._read(request, asked, stored)

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
        self._underway.refusals.pop(asked.key, None)
        self._underway.doubtful.pop(asked.key, None)
        records = {**self._heard(), asked.key: self._record(asked, completion)}
        with self.store.together():
            for key, record in records.items():
                if key == asked.key or self.mode is Mode.REFRESH or key not in self.store:
                    self.store.put(key, record)

    def _keyed(self, request: CompletionRequest) -> Keyed:
        return Keyed.of(self.fingerprint(request))

    async def _found(self, request: CompletionRequest, asked: Keyed) -> Completion | None:
        """As `known` does, without holding up anybody."""
        stored = await self._desk.get(asked.key) if self._may_be_used(asked) else None
        return self._read(request, asked, stored)

    def _may_be_used(self, asked: Keyed) -> bool:
        """Whether what is on disk may be taken, which a refresh does of what it asked itself.

        Raises:
            BadRequest: it was refused in this run.
        """
        if asked.key in self._underway.refusals:
            raise copy(self._underway.refusals[asked.key])
        return self.mode is not Mode.REFRESH or asked.key in self._underway.refreshed

    def _read(
        self, request: CompletionRequest, asked: Keyed, stored: bytes | None
    ) -> Completion | None:
        """The answer in what is on disk, or None where it is to be asked for.

        Raises:
            BadRequest: what is on disk is its refusal.
            CacheMiss: in a replay, there is none.
            CacheCorrupt: the record is not what was written.
        """
        if stored is not None:
            known = self._understood(asked, stored)
            self.meter.cached += 1
            return known
        if self.mode is Mode.REPLAY:
            raise _missing(request, self.model, "a replay asks nothing")
        return None

    async def _ask(self, request: CompletionRequest, asked: Keyed) -> Completion:
        """Asks for all who wait for this key, and writes the answer before anyone has it."""
        try:
            # An answer that is not kept yet is under way: its turn goes to the next one after that.
            async with self._underway.turns:
                completion = await self.inner.complete(request)
                await self._desk.write(asked.key, self._record(asked, completion))
            await self._keep_refusals(self._heard())
        except BadRequest as error:
            await self._refuse(asked, error)
            raise
        return completion

    async def _refuse(self, asked: Keyed, error: BadRequest) -> None:
        """Remembers a refusal, and keeps it once it is sure that this question alone is refused.

        Raises:
            CacheError: it could not be kept.
        """
        underway = self._underway
        underway.refusals[asked.key] = copy(error)
        record = write_refusal(asked, error, with_prompt=self.store_prompts)
        if underway.heard or isinstance(error, (ContentFiltered, ContextTooLong)):
            await self._keep_refusals({asked.key: record})
        else:
            underway.doubtful[asked.key] = record

    def _heard(self) -> dict[str, bytes]:
        """The endpoint answers: so what it refused, it refused for what was asked.

        Returns:
            The refusals that are to be kept now.
        """
        underway = self._underway
        underway.heard = True
        if not underway.doubtful:
            return {}
        doubtful, underway.doubtful = underway.doubtful, {}
        return doubtful

    async def _keep_refusals(self, records: dict[str, bytes]) -> None:
        """Keeps refusals; what another process was answered meanwhile stays.

        Raises:
            CacheError: they could not be kept.
        """
        if records:
            await self._desk.keep(records, over=self.mode is Mode.REFRESH)

    def _record(self, asked: Keyed, completion: Completion) -> bytes:
        if self.mode is Mode.REFRESH:
            self._underway.refreshed.add(asked.key)
        return write_record(asked, completion, with_prompt=self.store_prompts)

    def _understood(self, asked: Keyed, stored: bytes) -> Completion:
        """The answer in a record, read again.

        Raises:
            BadRequest: it is a refusal.
            CacheCorrupt: it is not what was written.
        """
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
