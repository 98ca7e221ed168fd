"""A batch that is stopped: what had been answered by then is counted, since it is billed."""

# The fake has the methods of the protocol.
# ruff: noqa: ARG002

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from spex_api.completions import Completion, Usage
from spex_api.errors import BadRequest, BatchError, MalformedReply, Unavailable
from spex_api.querying.batches.endpoint import BatchState, BatchStatus
from spex_api.querying.batches.stopping import Stopped, stop
from spex_api.querying.pricing import Price

RUNNING = BatchStatus(BatchState.RUNNING, answered=1)


@dataclass
class Endpoint:
    """A batch that stands as the script says; its last word counts again and again."""

    states: list
    results: list = field(default_factory=list)
    refusal: Exception | None = None
    cancelled: list = field(default_factory=list)

    async def poll(self, batch):
        """The next word of the script."""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return state if isinstance(state, BatchStatus) else BatchStatus(state)

    async def cancel(self, batch):
        """Is noted, or refused."""
        self.cancelled.append(batch)
        if self.refusal is not None:
            raise self.refusal

    async def fetch(self, batch):
        """All results."""
        for each in self.results:
            yield each


@dataclass
class Time:
    """A clock on which any wait is over at once, counted."""

    waits: list = field(default_factory=list)

    async def sleep(self, seconds):
        """Is over at once."""
        self.waits.append(seconds)


def read(raw):
    if raw == "torn":
        raise MalformedReply("It is torn.")
    return Completion(raw, usage=Usage(1, 30, 2), raw=raw)


def stopped(endpoint, clock=None):
    price = Price(10.0, 100.0)
    return asyncio.run(stop("batch_1", endpoint, read=read, tariff=price, clock=clock or Time()))


def test_what_was_answered_before_it_stopped_is_billed():
    """Two answers of four questions, one of them unreadable: both are counted."""
    not_reached = Unavailable("Not reached.", unbilled=True)
    results = [("a", "yes"), ("b", not_reached), ("c", "torn"), ("d", not_reached)]
    endpoint = Endpoint([RUNNING, RUNNING, BatchState.CANCELLED], results)
    assert stopped(endpoint) == Stopped(
        "batch_1", BatchState.CANCELLED, True, 2, Usage(2, 30, 2), pytest.approx(500e-6)
    )
    assert endpoint.cancelled == ["batch_1"]


def test_one_that_is_over_is_only_counted():
    """Nothing is stopped that has ended, or was refused whole."""
    endpoint = Endpoint([BatchState.ENDED], [("a", "yes")])
    assert stopped(endpoint) == Stopped(
        "batch_1", BatchState.ENDED, False, 1, Usage(1, 30, 2), pytest.approx(500e-6)
    )
    failed = Endpoint([BatchState.FAILED])
    assert stopped(failed) == Stopped("batch_1", BatchState.FAILED, False, 0, Usage(), 0.0)
    assert endpoint.cancelled == failed.cancelled == []


def test_one_that_ends_just_before_is_counted_and_another_refusal_told():
    """The endpoint refuses to stop what has ended; a refusal while it runs gets through."""
    refused = BadRequest("The batch has ended.")
    endpoint = Endpoint([RUNNING, BatchState.ENDED], [("a", "yes")], refused)
    found = stopped(endpoint)
    assert (found.state, found.by_us, found.answered) == (BatchState.ENDED, False, 1)
    with pytest.raises(BadRequest, match="has ended"):
        stopped(Endpoint([RUNNING], refusal=refused))


def test_nobody_waits_long_for_one_that_takes_its_time():
    """After a quarter of a minute it is told as it stands; the bill is not known yet."""
    time = Time()
    found = stopped(Endpoint([RUNNING]), time)
    assert found == Stopped("batch_1", BatchState.RUNNING, True, 1)
    assert sum(time.waits) == 15.0


def test_one_that_the_endpoint_does_not_know_is_told():
    """Most likely the key is another account's."""
    endpoint = Endpoint([BadRequest("There is none.")])
    with pytest.raises(BatchError, match=r"not to be found.*account"):
        stopped(endpoint)
    assert endpoint.cancelled == []
