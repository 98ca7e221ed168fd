"""A batch endpoint, called again where that may help: none of these calls is paid for itself.

Submitting is the one that must not happen twice. Where it is not known whether it came through, the
endpoint's list of batches is looked at, and once more when a batch surely stands in it.

What this module does not know: what is asked, and what becomes of the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from spex_api.errors import AdapterError, BadRequest, BatchError, RateLimited, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from spex_api.querying.batches.endpoint import BatchEndpoint, BatchStatus, Chunk, Line
    from spex_api.querying.batches.journal import Journal
    from spex_api.querying.clock import Clock

__all__ = ["Calls"]

_SETTLED: Final = 120.0
"""Seconds after which a batch that was submitted is surely among those that the endpoint lists."""
_ATTEMPTS: Final = 8
_LONGEST_HINT: Final = 300.0
_backoff = wait_exponential(multiplier=2.0, max=120.0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of an endpoint for one run.

    Attributes:
        endpoint: who is called.
        journal: of the run.
        clock: lets the waits pass.
    """

    endpoint: BatchEndpoint
    journal: Journal
    clock: Clock

    async def submit(self, chunk: Chunk, lines: Callable[[], Iterable[Line]]) -> tuple[str, bool]:
        """Submits a chunk that the journal has; gives the batch's id, and whether it is sure.

        Raises:
            AdapterError: the endpoint failed. If it is `unbilled`, there is no such batch.
        """
        doubtful = False

        async def send() -> tuple[str, bool]:
            nonlocal doubtful
            try:
                return await self.endpoint.submit(chunk, lines()), True
            except AdapterError as error:
                # What one attempt left open, a later one that is surely refused does not settle.
                doubtful = doubtful or not error.unbilled
                error.unbilled = not doubtful
                batch = await self.locate(chunk) if doubtful else None
                if batch is None:
                    raise
                return batch, self.endpoint.exact

        return await self.patiently(send)

    async def locate(self, chunk: Chunk) -> str | None:
        """The batch of a chunk whose id was never written down, or None if there surely is none.

        Raises:
            AdapterError: the endpoint failed.
        """

        async def find() -> str | None:
            return await self.endpoint.find(chunk, known=self.journal.known)

        batch = await self.patiently(find)
        if batch is None:
            await self.clock.sleep(_SETTLED)
            batch = await self.patiently(find)
        return batch

    async def poll(self, chunk: Chunk) -> BatchStatus:
        """Where the chunk's batch stands.

        Raises:
            BatchError: the endpoint does not know it.
            AdapterError: the endpoint failed.
        """
        try:
            return await self.patiently(lambda: self.endpoint.poll(chunk.batch))
        except BadRequest as error:
            raise BatchError(
                f"The batch {chunk.batch} of this run is not to be found. {error.cause}",
                cost=f"Its {len(chunk.keys)} questions may have been billed.",
                safe="What was read before is on disk.",
                advice="Check that the key is of the account that submitted it. To give the batch "
                f"up, and pay for its questions again, move {self.journal.path} away.",
            ) from None

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Makes a call, and makes it again after a wait where it may pass.

        Raises:
            AdapterError: the last attempt's, or the first that cannot pass.
        """

        async def attempt() -> T:
            return await call()

        loop = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=_wait,
            stop=stop_after_attempt(_ATTEMPTS),
            sleep=self.clock.sleep,
            reraise=True,
        )
        answer: T = await loop(attempt)
        return answer


def _may_pass(error: BaseException) -> bool:
    hint = getattr(error, "retry_after", None) or 0.0
    return isinstance(error, (RateLimited, Unavailable)) and hint <= _LONGEST_HINT


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    hint: float | None = getattr(error, "retry_after", None)
    return _backoff(state) if hint is None else max(hint, 0.0)
