"""The limits of an endpoint, kept over all who share it, as the endpoint itself sees arrivals.

A request arrives some time between its leave and its reply. So it holds its share of a limit from
the leave on until a minute after the reply: of the requests that arrive within any one minute, all
the others held theirs when the last one got its leave, and there was room. What this costs is the
time of an answer: of a limit, a minute in a minute and that time is used. Leaves are paced besides,
as in one process (see `spex_api.querying.pace.windows`), and a pause that the endpoint asks for is
everybody's. Nobody looks again before there can be room.

What this module does not know: how many requests one process has under way, and what anything
costs.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.errors import (
    AdapterError,
    Overloaded,
    RateLimited,
    RetryLater,
    SpexError,
)
from spex_api.querying.idle import idle
from spex_api.querying.pace.limits import Expected, Limits
from spex_api.querying.shared.session import Work
from spex_api.querying.shared.slots import Asked, Ended, Slots

if TYPE_CHECKING:
    from spex_api.completions import Allowance, Completion, CompletionRequest
    from spex_api.querying.shared.locks import Locks
    from spex_api.querying.shared.session import Session

__all__ = ["SharedLimiter"]

_SHORTEST: Final = 0.02
_LONGEST: Final = 2.0
"""Seconds between two looks: others may have given back more than was to be expected."""
_PAUSE: Final = 1.0
"""Seconds for which "too fast" stops all, where the endpoint names no time."""
_ON_ITS_WAY: Final = 1.0
"""Seconds in which a request that nobody waits for any more may still arrive."""


@dataclass(frozen=True, slots=True)
class Leave:
    """The leave to send one request.

    Attributes:
        name: its own among all.
        input_bound: of the request.
    """

    name: uuid.UUID
    input_bound: int


class SharedLimiter:
    """What all processes that share a store and an endpoint may send, as `Throttled` asks it.

    Args:
        limits: what the user says that the endpoint bears; the rest is learnt from its replies.
        scope: names the endpoint and the model: who says the same shares the limits.
        session: to the database.
        locks: of that session: a worker that has lost its own is dead.
        minute: seconds for which a limit of a minute holds.
        longest_pause: the longest wait, in seconds, that is sat out.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        scope: str,
        session: Session,
        locks: Locks,
        minute: float = 60.0,
        longest_pause: float = 120.0,
    ) -> None:
        self._session = session
        self._longest_pause = longest_pause
        self._expected = Expected()
        self._numbers = itertools.count()
        self._due = 0.0
        slots = Slots(limits, scope=scope, locks=locks, minute=minute)
        self._asking: Work[Asked, float] = Work(slots.grant)
        self._ending: Work[Ended, None] = Work(slots.end)
        self._limits = limits

    async def acquire(self, request: CompletionRequest) -> Leave:
        """Returns once the request may be sent.

        A call that is cancelled leaves nothing behind. Whatever is raised here, a cancellation too,
        has an attribute `unsent` that is true.

        Raises:
            UsageError: it is larger than a limit.
            RetryLater: the endpoint asks for a longer wait than is sat out.
            CacheError: the store was gone for longer than our patience.
        """
        try:
            return await self._acquire(request)
        except (SpexError, asyncio.CancelledError) as error:
            error.unsent = True  # type: ignore[union-attr]  # as `Limiter` does
            raise

    async def _acquire(self, request: CompletionRequest) -> Leave:
        most = [self._limits.tokens_per_minute, self._limits.input_tokens_per_minute]
        both, read = (float("inf") if each is None else each for each in most)
        number, name = next(self._numbers), uuid.uuid4()
        with idle():
            while True:
                wait = self._due - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(max(wait, _SHORTEST))
                    continue
                bounds = request.input_bound, request.output_bound
                cost = self._expected.cost(*bounds, room=min(both - bounds[1], read))
                asked = Asked(number, name, cost)
                wait = await self._session.asked(
                    self._asking, asked, undo=lambda _: self._withdraw(name)
                )
                if wait <= 0:
                    return Leave(name, request.input_bound)
                if wait > self._longest_pause:
                    raise self._retry_later(wait)
                self._due = time.monotonic() + min(max(wait, _SHORTEST), _LONGEST)

    def answered(self, leave: Leave, completion: Completion) -> None:
        """The request was answered: counts what it really took, for a minute from now."""
        usage = completion.usage
        taken: tuple[int, int, int] | None = None
        if usage.input_tokens or usage.output_tokens:
            self._expected.learn(usage.input_tokens, input_bound=leave.input_bound)
            taken = (
                usage.input_tokens + usage.output_tokens,
                usage.input_tokens,
                usage.output_tokens,
            )
        self._end(Ended(leave.name, tokens=taken, limits=_named(completion.allowances)))

    def failed(self, leave: Leave, error: AdapterError) -> None:
        """The attempt failed: it stays counted, and a pause that the endpoint asks for is all's."""
        pause = 0.0
        if isinstance(error, RateLimited):
            pause = error.retry_after or _PAUSE
        elif isinstance(error, Overloaded):
            pause = error.retry_after or 0.0
        taken = (0, 0, 0) if error.unbilled else None
        named = _named(error.allowances)
        self._end(Ended(leave.name, tokens=taken, pause=max(pause, 0.0), limits=named))

    def abandoned(self, leave: Leave) -> None:
        """Nobody waits for the answer any more: it may still be on its way."""
        self._end(Ended(leave.name, late=_ON_ITS_WAY))

    def _withdraw(self, name: uuid.UUID) -> None:
        """Nothing is sent: it takes nothing."""
        self._end(Ended(name, withdrawn=True))

    def _end(self, ended: Ended) -> None:
        self._session.ask(self._ending, ended)

    def _retry_later(self, seconds: float) -> RetryLater:
        return RetryLater(
            f"The endpoint asks for a wait of {seconds:.0f} s, and at most "
            f"{self._longest_pause:.0f} s are sat out.",
            advice="Run again then: nothing that is kept is paid again.",
            retry_after=seconds,
            unbilled=True,
        )


def _named(allowances: tuple[Allowance, ...]) -> dict[str, float]:
    """The limits of a minute that a reply names, by what they are of."""
    return {
        each.of: each.limit
        for each in allowances
        if each.limit and 1 <= each.limit < float("inf") and (each.resets_in or 0.0) <= 61.0
    }
