"""A batch is stopped at its endpoint, and what it had answered by then is counted: that is billed.

Nothing is read to disk here, since only the run knows the questions behind the names; the run reads
what is paid when it is started again. What this module does not know: a journal, and any vendor.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.completions import Usage
from spex_api.errors import AdapterError, BadRequest, BatchError, MalformedReply
from spex_api.querying.batches.endpoint import BatchState
from spex_api.querying.clock import RealClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.completions import Completion
    from spex_api.querying.batches.costs import Tariff
    from spex_api.querying.batches.endpoint import BatchEndpoint, BatchStatus
    from spex_api.querying.clock import Clock

__all__ = ["Stopped", "stop"]

_WAITS: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds between looks: many batches stop within them, and nobody sits and waits for the rest."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of a batch that was to stop.

    Attributes:
        batch: its id.
        state: where it stands now; one that still runs is about to stop.
        by_us: whether it still ran when it was asked to stop.
        answered: how many of its questions are answered, and so billed; None where that is not
            known yet.
        usage: what these answers took; None where that is not known yet.
        usd: what that costs, in dollars; None where it is not known.
    """

    batch: str
    state: BatchState
    by_us: bool
    answered: int | None = None
    usage: Usage | None = None
    usd: float | None = None


async def stop(
    batch: str,
    endpoint: BatchEndpoint,
    *,
    read: Callable[[str], Completion],
    tariff: Tariff | None = None,
    clock: Clock | None = None,
) -> Stopped:
    """Stops a batch, waits a little until it has stopped, and counts what is billed.

    One that is over already is only counted.

    Args:
        batch: its id.
        endpoint: who has it.
        read: the answer in a reply's body; raises MalformedReply.
        tariff: the price in a batch, where it is known.
        clock: lets the waits pass.

    Raises:
        BatchError: the endpoint does not know it.
        AdapterError: the endpoint failed.
    """
    clock = clock or RealClock()
    status = await _poll(batch, endpoint)
    by_us = status.state is BatchState.RUNNING
    if by_us:
        try:
            await endpoint.cancel(batch)
        except AdapterError:
            status = await _poll(batch, endpoint)
            if status.state is BatchState.RUNNING:
                raise
            by_us = False  # it ended just before
    for wait in _WAITS:
        if status.state is not BatchState.RUNNING:
            break
        await clock.sleep(wait)
        status = await _poll(batch, endpoint)
    if status.state is BatchState.RUNNING:
        return Stopped(batch, status.state, by_us, status.answered)
    if status.state is BatchState.FAILED:
        return Stopped(batch, status.state, by_us, 0, Usage(), 0.0)
    answered, usage = await _billed(batch, endpoint, read)
    usd = tariff.cost(usage) if tariff else None
    return Stopped(batch, status.state, by_us, answered, usage, usd)


async def _poll(batch: str, endpoint: BatchEndpoint) -> BatchStatus:
    try:
        return await endpoint.poll(batch)
    except BadRequest as error:
        raise BatchError(
            f"The batch {batch} is not to be found at the endpoint. {error.cause}",
            cost="It may have been billed.",
            safe="Its journal was not touched.",
            advice="Check that the key is of the account that submitted it.",
        ) from None


async def _billed(
    batch: str, endpoint: BatchEndpoint, read: Callable[[str], Completion]
) -> tuple[int, Usage]:
    """How many answers there are, and what they took as far as they say it."""
    answered, usage = 0, Usage()
    async with aclosing(endpoint.fetch(batch)) as results:
        async for _, result in results:
            if isinstance(result, str):
                answered += 1
                try:
                    usage += read(result).usage
                except MalformedReply:
                    usage += Usage(1)  # paid, though nobody can read it
    return answered, usage
