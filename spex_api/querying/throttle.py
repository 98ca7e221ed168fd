"""Every request waits for its turn: in order, within all limits, and no longer than it must.

A request goes once three things hold: fewer are under way than the endpoint was found to bear, no
pause is on, and it fits into what a minute allows. The first in the queue goes first: a small
request never overtakes a large one, which might else wait for ever. Whatever the endpoint says to
one request is said to all: a wait that it asks for stops everyone who shares the limiter.

Nothing is polled: one alarm is set, for the first in the queue, and everything else that lets it go
(an answer, a failure, a cancelled neighbour) looks at once.

What this module does not know: whether a failed request is tried again, and what anything costs.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    Overloaded,
    QuotaExhausted,
    RampLimited,
    RateLimited,
    RetryLater,
    Unavailable,
    UsageError,
)
from spex_api.querying.clock import RealClock
from spex_api.querying.idle import idle
from spex_api.querying.pace.adaptive import AdaptiveConcurrency
from spex_api.querying.pace.alarm import Alarm
from spex_api.querying.pace.limits import Limits, Minute
from spex_api.querying.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.completions import Completion, CompletionRequest
    from spex_api.querying.clock import Clock
    from spex_api.querying.pace.limits import Taken

__all__ = ["Limiter", "LimiterState", "Limits", "Throttled", "Ticket", "Turns"]

_Error = TypeVar("_Error", bound=BaseException)
_Turn = TypeVar("_Turn")

_FIRST_PAUSE = 1.0
"""Seconds for which "too fast" stops all, where the endpoint names no time; then twice as long."""


@dataclass(frozen=True, slots=True)
class LimiterState:
    """How things stand, for whoever draws it.

    Attributes:
        limits: those in force: the user's, and those that the endpoint named.
        concurrency: how many requests may be under way at once just now.
        in_flight: how many are.
        waiting: how many wait for their turn.
        paused_for: seconds until the pause that is on ends; 0 where none is.
        cuts: how many seconds ago the concurrency was cut: the last few times, latest last.
    """

    limits: Limits
    concurrency: int
    in_flight: int
    waiting: int
    paused_for: float
    cuts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Ticket:
    """The leave to send one request, given back by `answered`, `failed` or `abandoned`.

    Attributes:
        taken: what it takes of each limit.
        sent_at: when it was given.
        input_bound: of the request.
        storm: how many storms of "too fast" there had been.
    """

    taken: Taken
    sent_at: float
    input_bound: int
    storm: int


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    input_bound: int
    max_tokens: int
    turn: asyncio.Future[Ticket] = field(repr=False)


class Limiter:
    """What all requests to one endpoint share: its limits, its pauses and its concurrency.

    It belongs to no event loop, and may serve one after another.

    Args:
        limits: what the user says that the endpoint bears; the rest is learnt from its replies.
        clock: what tells the time and sleeps; the machine's where none is given.
        concurrency: the most that may ever be under way at once.
        longest_pause: the longest wait, in seconds, that is sat out. An endpoint that asks for more
            ends the run: whoever waits or comes until then is turned away.

    Raises:
        UsageError: not even one request may be under way.
    """

    __slots__ = (
        "_alarm",
        "_clock",
        "_closed_until",
        "_concurrency",
        "_longest_pause",
        "_minute",
        "_next_pause",
        "_paused_until",
        "_queue",
        "_storm",
        "_waiting",
    )

    def __init__(
        self,
        limits: Limits | None = None,
        clock: Clock | None = None,
        concurrency: int = 16,
        *,
        longest_pause: float = 120.0,
    ) -> None:
        self._minute = Minute(limits or Limits())
        self._clock: Clock = clock or RealClock()
        self._concurrency = AdaptiveConcurrency(concurrency)
        self._longest_pause = longest_pause
        self._queue: deque[_Waiting] = deque()
        self._waiting = 0
        self._paused_until = -math.inf
        self._closed_until = -math.inf
        self._storm = 0
        self._next_pause = _FIRST_PAUSE
        self._alarm = Alarm(self._clock, self._let_go)

    @property
    def state(self) -> LimiterState:
        """How things stand just now."""
        now = self._clock.now()
        return LimiterState(
            limits=self._minute.limits,
            concurrency=self._concurrency.limit,
            in_flight=self._concurrency.in_flight,
            waiting=self._waiting,
            paused_for=max(0.0, self._paused_until - now),
            cuts=tuple(now - cut for cut in self._concurrency.cuts),
        )

    def pause_until(self, moment: float) -> None:
        """Sends nothing before this moment of the clock; an earlier pause is never shortened."""
        self._paused_until = max(self._paused_until, moment)

    async def acquire(self, request: CompletionRequest) -> Ticket:
        """Returns once the request may be sent, in the order of the calls.

        A call that is cancelled leaves nothing behind: neither a place in the queue nor a count.
        Whatever is raised here, a cancellation too, has an attribute `unsent` that is true.

        Raises:
            UsageError: it is larger than a limit.
            RetryLater: the endpoint asks for a longer wait than is sat out.
            QuotaExhausted: the endpoint said so to another request.
            AuthenticationFailed: likewise.
        """
        now = self._clock.now()
        if now < self._closed_until:
            raise _unsent(self._retry_later(self._closed_until - now))
        turn: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(request.input_bound, request.output_bound, turn))
        self._waiting += 1
        if len(self._queue) == 1:
            self._let_go()
        if turn.done():
            return turn.result()
        try:
            with idle():
                return await turn
        except asyncio.CancelledError as error:
            self._leave_queue(turn)
            raise _unsent(error) from None

    def answered(self, ticket: Ticket, completion: Completion) -> None:
        """The request was answered: counts what it really took."""
        now = self._clock.now()
        self._minute.settle(ticket.taken, completion.usage, input_bound=ticket.input_bound, now=now)
        if completion.allowances:
            self._minute.resync(ticket.taken, completion.allowances, now)
        if ticket.storm == self._storm:
            self._next_pause = _FIRST_PAUSE
        self._concurrency.answered(now)
        self._give_back()

    def failed(self, ticket: Ticket, error: AdapterError) -> None:
        """The attempt failed: it stays counted, and all learn what the endpoint said.

        Only its tokens are given back, and only where it is sure that nobody pays for them.
        """
        now = self._clock.now()
        if error.allowances:
            self._minute.resync(ticket.taken, error.allowances, now)
        if error.unbilled:
            self._minute.give_back_tokens(ticket.taken, now)
        if isinstance(error, RateLimited):
            ramp = isinstance(error, RampLimited)
            self._concurrency.cut(ticket.sent_at, now, ramp=ramp)
            self._pause(ticket, error.retry_after, now)
        elif isinstance(error, Unavailable):
            self._concurrency.freeze(now)
            if isinstance(error, Overloaded) and error.retry_after:
                self._pause(ticket, error.retry_after, now)
        elif isinstance(error, QuotaExhausted | AuthenticationFailed):
            kind, cause, advice = type(error), error.cause, error.advice
            self._turn_away(lambda: kind(cause, advice=advice, unbilled=True))
        self._give_back()

    def abandoned(self, ticket: Ticket) -> None:
        """Nobody waits for the answer any more: what was sent stays counted."""
        del ticket
        self._give_back()

    def _give_back(self) -> None:
        self._concurrency.leave()
        self._let_go()

    def _let_go(self) -> None:
        """Lets go all at the head of the queue that may; sets the alarm for the first that waits.

        Those that were cancelled or turned away stay in the queue until they are its head.
        """
        queue = self._queue
        now = self._clock.now()
        while queue:
            head = queue[0]
            if not head.turn.done():
                if not self._concurrency.free:
                    return
                cost = self._minute.cost(head.input_bound, head.max_tokens)
                try:
                    due = max(self._paused_until, self._minute.due(cost, now))
                except UsageError as error:
                    head.turn.set_exception(_unsent(error))
                else:
                    if due > now:
                        self._alarm.set(due)
                        return
                    taken = self._minute.take(cost, now)
                    self._concurrency.enter()
                    head.turn.set_result(Ticket(taken, now, head.input_bound, self._storm))
                self._waiting -= 1
            queue.popleft()
        self._alarm.drop()

    def _leave_queue(self, turn: asyncio.Future[Ticket]) -> None:
        """A waiting call was cancelled: before its turn, or just after it came."""
        if turn.cancel() or turn.cancelled():
            self._waiting -= 1
            self._let_go()
        elif turn.exception() is None:
            self._minute.withdraw(turn.result().taken, self._clock.now())
            self._give_back()

    def _pause(self, ticket: Ticket, hint: float | None, now: float) -> None:
        """Stops all for as long as the endpoint asks; without a hint, ever longer with each storm.

        All requests that were under way when it began are of one storm.
        """
        same_storm = ticket.storm < self._storm
        self._storm += not same_storm
        if not hint or hint < 0:
            if same_storm:
                return
            hint = min(self._next_pause, self._longest_pause)
            self._next_pause *= 2.0
        elif hint > self._longest_pause:
            self._closed_until = max(self._closed_until, now + hint)
            self._turn_away(lambda: self._retry_later(hint))
        self.pause_until(now + min(hint, self._longest_pause))

    def _turn_away(self, error: Callable[[], AdapterError]) -> None:
        """Nobody waits for what will not come: none of the waiting is sent."""
        for waiting in self._queue:
            if not waiting.turn.done():
                waiting.turn.set_exception(_unsent(error()))
                self._waiting -= 1
        self._queue.clear()

    def _retry_later(self, seconds: float) -> RetryLater:
        return RetryLater(
            f"The endpoint asks for a wait of {seconds:.0f} s, and at most "
            f"{self._longest_pause:.0f} s are sat out.",
            advice="Run again then: nothing that is on disk is paid again.",
            retry_after=seconds,
            unbilled=True,
        )


def _unsent(error: _Error) -> _Error:
    """The same error, marked: whoever counts what goes out is to know that this did not."""
    error.unsent = True  # type: ignore[attr-defined]
    return error


class Turns(Protocol[_Turn]):
    """Who says when a request may be sent, and is told what came of it; see `Limiter`."""

    async def acquire(self, request: CompletionRequest) -> _Turn:
        """Returns once the request may be sent; what it raises has a true `unsent`."""
        ...

    def answered(self, ticket: _Turn, completion: Completion, /) -> None:
        """The request was answered."""
        ...

    def failed(self, ticket: _Turn, error: AdapterError, /) -> None:
        """The attempt failed."""
        ...

    def abandoned(self, ticket: _Turn, /) -> None:
        """Nobody waits for the answer any more."""
        ...


@dataclass(frozen=True, slots=True)
class Throttled(Policy):
    """Sends each request when its turn has come."""

    limiter: Turns[Any]

    async def complete(self, request: CompletionRequest) -> Completion:
        """Waits, asks, and tells the limiter what came of it.

        Raises:
            UsageError: the request is larger than a limit.
            RetryLater: the endpoint asks for a longer wait than is sat out.
            AdapterError: as the inner adapter does, or as it did for another request.
        """
        ticket = await self.limiter.acquire(request)
        try:
            completion = await self.inner.complete(request)
        except AdapterError as error:
            self.limiter.failed(ticket, error)
            raise
        except BaseException:
            self.limiter.abandoned(ticket)
            raise
        self.limiter.answered(ticket, completion)
        return completion
