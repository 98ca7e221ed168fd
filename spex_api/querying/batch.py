"""A whole plan in a few batches at half the price, into the same cache that single answers go to.

What is planned and not on disk is cut into chunks; each is set aside in the budget at the most it
can cost, written into the journal, submitted, and followed; each answer is kept the moment it is
read. Whatever breaks in between, the next run takes up what is open before it submits anything, so
nothing is paid twice. Questions that the endpoint refuses for good are holes; what only had no time
or no luck goes out again, a few times; all else is left, with a sentence.

What this module does not know: any vendor, what a score needs, and what a hole is to a decoder.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spex_api.completions import Usage, canonical_json
from spex_api.errors import AdapterError, BatchError, BudgetExhausted, RateLimited, UsageError
from spex_api.events import EventHandler, Notice, Progress, ignore
from spex_api.querying.batches.calls import Calls
from spex_api.querying.batches.costs import UNMETERED, BatchCosts
from spex_api.querying.batches.endpoint import BatchState
from spex_api.querying.batches.filled import Filled
from spex_api.querying.batches.reading import Reading
from spex_api.querying.clock import Clock, RealClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from spex_api.completions import CompletionRequest
    from spex_api.querying.batches.costs import Reservation
    from spex_api.querying.batches.endpoint import BatchEndpoint, BatchStatus, Chunk, Line
    from spex_api.querying.batches.journal import Journal
    from spex_api.querying.batches.reading import AnswerCache

__all__ = ["Filled", "fill"]

_FRAME: Final = 256
"""Bytes that a line has beside the body, at the most."""
_FULL: Final = 0.95
"""How full a batch is made: the endpoint may count bytes a little otherwise."""
_FEWEST: Final = 16
"""Fewer questions than this are no batch, where there are more but the budget has no room."""
_FIRST_WAIT, _WAIT_GROWTH, _LONGEST_WAIT = 5.0, 1.5, 300.0


async def fill(
    requests: Iterable[CompletionRequest],
    endpoint: BatchEndpoint,
    *,
    cache: AnswerCache,
    journal: Journal,
    costs: BatchCosts = UNMETERED,
    clock: Clock | None = None,
    rounds: int = 3,
    on_event: EventHandler = ignore,
) -> Filled:
    """Brings the answers to these questions into the cache, by batches; those there stay as is.

    A batch of this journal with no question among these is left alone, for the call that asks them.

    Args:
        requests: the questions; equal ones are asked once.
        endpoint: takes batches.
        cache: where the answers go.
        journal: of this run, open.
        costs: the budget and the price, where there are any.
        clock: lets the waits pass.
        rounds: how often a question that had no time or no luck is asked at the most.
        on_event: is told what happens.

    Raises:
        UsageError: there is no round to ask in.
        BatchError: a batch of this run is not to be found at the endpoint.
        AdapterError: the endpoint failed, or refuses batches; what was read before is on disk, and
            batches that are under way go on. So it is with whatever else is raised.
    """
    if rounds < 1:
        raise UsageError(f"A batch is asked in at least one round, not {rounds}.")
    asked = {cache.fingerprint(request).digest(): request for request in requests}
    filling = _Filling(
        asked, Calls(endpoint, journal, clock or RealClock()), cache, costs, rounds, on_event
    )
    try:
        await filling.take_up()
        while await filling.submit():
            await filling.follow()
    except asyncio.CancelledError:
        if filling.under_way:
            on_event(
                Notice(
                    "Batches go on without us: the same command reads them later. To stop them: "
                    "spex batch ls, and spex batch cancel."
                )
            )
        raise
    return filling.result()


@dataclass(slots=True)
class _UnderWay:
    """A chunk at the endpoint, and what is set aside for it."""

    chunk: Chunk
    reservation: Reservation | None
    tokens: int


@dataclass(slots=True)
class _Filling:
    """How far one call of `fill` is.

    `queue` holds what is to go out, with its round; `room` is how many input tokens may be under
    way, as far as that is known or was learned.
    """

    asked: dict[str, CompletionRequest]
    calls: Calls
    cache: AnswerCache
    costs: BatchCosts
    rounds: int
    on_event: EventHandler
    held: set[str] = field(default_factory=set)
    queue: deque[tuple[int, list[str]]] = field(default_factory=deque)
    under_way: dict[str, _UnderWay] = field(default_factory=dict)
    room: int | None = None
    wait: float = _FIRST_WAIT
    kept: int = 0
    refused: int = 0
    usage: Usage = field(default_factory=Usage)
    reasons: dict[str, int] = field(default_factory=dict)
    told: bool = False

    @property
    def endpoint(self) -> BatchEndpoint:
        """Who takes batches."""
        return self.calls.endpoint

    @property
    def journal(self) -> Journal:
        """Of this run."""
        return self.calls.journal

    async def take_up(self) -> None:
        """Takes up what an earlier run left open, then queues what is missing beyond."""
        self.room = self.endpoint.limits.tokens
        self.held = {key for key, request in self.asked.items() if self.cache.holds(request)}
        for chunk in self.journal.chunks:
            await self._take_up(chunk)
        settled = self.held | self.journal.refused
        for each in self.under_way.values():
            settled.update(each.chunk.keys)
        self.refused = len((self.journal.refused & self.asked.keys()) - self.held)
        missing = [key for key in self.asked if key not in settled]
        if missing:
            self.queue.append((1, missing))

    async def _take_up(self, chunk: Chunk) -> None:
        if self.held.issuperset(chunk.keys):
            self.journal.withdraw(chunk)  # killed between the last answer and the record of it
            return
        ours = [key for key in chunk.keys if key in self.asked and key not in self.held]
        if not ours and chunk.batch and chunk.sure:
            return
        if not chunk.batch:
            batch = await self.calls.locate(chunk)
            if batch is None:
                self.journal.withdraw(chunk)
                return
            chunk = self.journal.submitted(chunk, batch, sure=self.endpoint.exact)
        self.on_event(Notice(f"The batch {chunk.batch} of this run is taken up again."))
        # It is paid, or will be: the answers are read whatever the cap is, and count.
        reservation = self.costs.reserve((self.asked[key] for key in ours), paid=True)
        self.under_way[chunk.token] = _UnderWay(chunk, reservation, self._tokens(ours))

    async def submit(self) -> bool:
        """Sends what there is room for; tells whether anything is under way then.

        As long as a batch may be another's, nothing is sent: of two chunks in doubt, one might take
        the other's batch for its own.
        """
        while self.queue and all(each.chunk.sure for each in self.under_way.values()):
            number, keys = self.queue.popleft()
            count = self._fitting(keys)
            try:
                count, reservation = self._set_aside(keys[:count]) if count else (0, None)
            except BudgetExhausted as error:
                if not self.under_way:
                    self._leave(len(keys), error.cause)
                    continue
                count = 0
            if not count:
                self.queue.appendleft((number, keys))
                break
            if keys[count:]:
                self.queue.appendleft((number, keys[count:]))
            await self._submit(keys[:count], number, reservation)
        return bool(self.under_way)

    def _fitting(self, keys: Sequence[str]) -> int:
        """How many of the first of these make one batch now; one at least if none is under way."""
        limits = self.endpoint.limits
        used = sum(each.tokens for each in self.under_way.values())
        size = tokens = count = 0
        for key in keys[: limits.requests]:
            request = self.asked[key]
            size += len(canonical_json(self.cache.body(request)).encode()) + _FRAME
            tokens += request.input_bound
            crowded = self.room is not None and used + tokens > self.room
            if (count and size > limits.bytes * _FULL) or (crowded and (count or self.under_way)):
                break
            count += 1
        return count

    def _set_aside(self, keys: Sequence[str]) -> tuple[int, Reservation | None]:
        """Sets aside the most that these can cost, or that as many of them can as there is room.

        Raises:
            BudgetExhausted: there is not even room for a few.
        """
        count = len(keys)
        while True:
            try:
                return count, self.costs.reserve(self.asked[key] for key in keys[:count])
            except BudgetExhausted:
                if self.under_way or count <= _FEWEST:
                    raise
                count //= 2

    async def _submit(
        self, keys: Sequence[str], number: int, reservation: Reservation | None
    ) -> None:
        chunk = self.journal.intend(keys, round_number=number)
        try:
            batch, sure = await self.calls.submit(chunk, lambda: self._lines(chunk))
        except AdapterError as error:
            if error.unbilled:
                self.journal.withdraw(chunk)
                if reservation is not None:
                    reservation.release()
            raise
        chunk = self.journal.submitted(chunk, batch, sure=sure)
        self.under_way[chunk.token] = _UnderWay(chunk, reservation, self._tokens(keys))
        keeps = "" if self.told else f" {self.endpoint.keeps}"
        self.told = True
        self.on_event(
            Notice(
                f"{_questions(len(keys))} went out as the batch {batch}, at half the price; that "
                f"may take up to a day.{keeps}"
            )
        )

    def _lines(self, chunk: Chunk) -> Iterator[Line]:
        return ((key, self.cache.body(self.asked[key])) for key in chunk.keys)

    async def follow(self) -> None:
        """Waits, looks at every batch, and reads those that are over."""
        await self.calls.clock.sleep(self.wait)
        done, over = 0, False
        for each in tuple(self.under_way.values()):
            status = await self.calls.poll(each.chunk)
            if status.state is BatchState.RUNNING:
                done += status.done
                continue
            over = True
            await self._close(each, status)
        self.wait = _FIRST_WAIT if over else min(self.wait * _WAIT_GROWTH, _LONGEST_WAIT)
        in_flight = sum(len(each.chunk.keys) for each in self.under_way.values())
        self.on_event(
            Progress(
                done=len(self.held) + self.kept + done,
                total=len(self.asked) - self.refused,
                cached=len(self.held),
                in_flight=in_flight - done,
                sent=self.usage.requests + in_flight,
            )
        )

    async def _close(self, each: _UnderWay, status: BatchStatus) -> None:
        """Reads what is over, and queues again or leaves what has no answer."""
        chunk = each.chunk
        if status.state is BatchState.FAILED:
            del self.under_way[chunk.token]
            await self._discard(chunk.batch)
            self._failed(each, status.failure)
            return
        reading = Reading(chunk, self.asked, self.cache, self.held, status.state)
        try:
            await self.calls.patiently(lambda: reading.take(self.endpoint))
        finally:
            self.kept += reading.kept
        if reading.foreign:
            await self._disown(each)
            return
        del self.under_way[chunk.token]
        self.usage += reading.usage
        if each.reservation is not None:
            each.reservation.settle(reading.usage, self.costs.usd(reading.usage))
        self.refused += len(reading.refused)
        if chunk.sure and not reading.not_asked:
            await self._discard(chunk.batch)
        self.journal.finish(chunk, refused=reading.refused, unread=reading.not_asked)
        for reason, count in reading.left.items():
            self._leave(count, reason)
        self._again(reading.again, chunk.round, reading.why)

    async def _discard(self, batch: str) -> None:
        """Has the endpoint forget the questions; one that does not is no reason to stop."""
        try:
            await self.endpoint.discard(batch)
        except AdapterError as error:
            self.on_event(
                Notice(
                    f"The questions of the batch {batch} could not be deleted at the endpoint, and "
                    f"stay there until you delete them: {error.cause}"
                )
            )

    def _failed(self, each: _UnderWay, failure: AdapterError | None) -> None:
        """Nothing of it was asked; too much at once is mended by less at once."""
        chunk = each.chunk
        self.journal.finish(chunk)
        if each.reservation is not None:
            each.reservation.release()
        if not isinstance(failure, RateLimited):
            raise failure or BatchError(
                f"The endpoint refused the batch {chunk.batch} without a reason.",
                cost="Nothing of it is billed.",
            )
        self.room = max(1, each.tokens // 2)
        missing = [key for key in chunk.keys if key in self.asked]
        # Halving ends by itself; only a question that does not even fit alone uses up its rounds.
        self._again(missing, chunk.round - (len(missing) > 1), failure.cause)

    async def _disown(self, each: _UnderWay) -> None:
        """The batch only looked like this chunk's: looks for another, or queues it again."""
        chunk = self.journal.disown(each.chunk)
        batch = await self.calls.locate(chunk)
        if batch is not None:
            each.chunk = self.journal.submitted(chunk, batch, sure=self.endpoint.exact)
            return
        self.journal.withdraw(chunk)
        del self.under_way[chunk.token]
        if each.reservation is not None:
            each.reservation.release()
        missing = [key for key in chunk.keys if key in self.asked and key not in self.held]
        if missing:
            self.queue.append((chunk.round, missing))

    def _again(self, keys: list[str], number: int, why: str) -> None:
        if keys and number >= self.rounds:
            self._leave(len(keys), why)
        elif keys:
            self.on_event(Notice(f"Once more: {_questions(len(keys))}. {why}"))
            self.queue.append((number + 1, keys))

    def _leave(self, count: int, why: str) -> None:
        self.reasons[why] = self.reasons.get(why, 0) + count

    def _tokens(self, keys: Iterable[str]) -> int:
        return sum(self.asked[key].input_bound for key in keys)

    def result(self) -> Filled:
        """What came of it."""
        reasons = tuple(f"{_questions(count)}: {why}" for why, count in self.reasons.items())
        return Filled(
            asked=len(self.asked),
            held=len(self.held),
            kept=self.kept,
            refused=self.refused,
            usage=self.usage,
            usd=self.costs.usd(self.usage),
            reasons=reasons,
        )


def _questions(count: int) -> str:
    return f"{count} question{'s' if count != 1 else ''}"
