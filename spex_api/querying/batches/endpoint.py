"""The seam to a batch endpoint: the second, optional protocol of an adapter.

A batch takes a day at the most and costs half. An adapter that has one says so by a method
`batches() -> BatchEndpoint | None`, which opens nothing. A line's name at the endpoint is the key
that its answer is kept under, so whoever holds the question can read the result.

What this module does not know: any vendor, when to wait, and where answers are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - pydantic reads the annotation
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from spex_api.completions import JsonObject
from spex_api.errors import AdapterError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterable

__all__ = [
    "BatchEndpoint",
    "BatchLimits",
    "BatchState",
    "BatchStatus",
    "Chunk",
    "HasBatches",
    "Line",
    "Result",
]

Line = tuple[str, JsonObject]
"""A question of a batch: its name, and its wire body."""

Result = tuple[str, str | AdapterError]
"""What came of a question: its name, and the reply's body or why there is none."""


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may be.

    Attributes:
        requests: how many questions.
        bytes: how large they are together, as JSON.
        tokens: how many input tokens may be under way in batches at once; None where that is not
            known.
    """

    requests: int
    bytes: int
    tokens: int | None = None

    def __post_init__(self) -> None:
        if min(self.requests, self.bytes, self.tokens or 1) < 1:
            raise UsageError(f"A batch holds at least one question and one byte, not {self}.")


class BatchState(StrEnum):
    """How far a batch is. Whatever is over may hold answers, but for a failed one."""

    RUNNING = "running"
    ENDED = "ended"
    EXPIRED = "expired"
    """Its time was up first; what was answered until then is there, and paid."""
    CANCELLED = "cancelled"
    """Somebody stopped it; what was answered until then is there, and paid."""
    FAILED = "failed"
    """The endpoint refused it whole; nothing of it is paid."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """Where a batch stands.

    Attributes:
        state: how far it is.
        done: how many questions are over, where the endpoint says so meanwhile.
        answered: how many have an answer, and are paid; None where the endpoint does not say.
        failure: why it was refused whole.
    """

    state: BatchState
    done: int = 0
    failure: AdapterError | None = None
    answered: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Questions that go out as one batch.

    Attributes:
        run: the run's name.
        token: the chunk's own name, unlike any other's; goes along as metadata where that is kept.
        keys: the names of its questions.
        at: when it was intended, by the wall clock, with its zone.
        round: the how-manieth attempt at these questions it is, from 1.
        batch: what the endpoint calls it; "" until that is known.
        sure: whether that is this chunk's batch without a doubt; one that was only found may be
            another's.
    """

    run: str
    token: str
    keys: tuple[str, ...]
    at: datetime
    round: int = 1
    batch: str = ""
    sure: bool = True

    def __post_init__(self) -> None:
        if not self.keys or self.round < 1 or self.at.tzinfo is None:
            raise UsageError("A chunk has questions, a round from 1, and a time with its zone.")


class BatchEndpoint(Protocol):
    """Takes many questions at once, and answers them within a day.

    Every method raises AdapterError, of its kinds; the vendor's own errors never get through.
    """

    @property
    def limits(self) -> BatchLimits:
        """How large a batch may be."""
        ...

    @property
    def exact(self) -> bool:
        """Whether what `find` gives is the chunk's batch without a doubt."""
        ...

    @property
    def keeps(self) -> str:
        """What the endpoint keeps of the questions, and for how long: a sentence for the user."""
        ...

    async def submit(self, chunk: Chunk, lines: Iterable[Line]) -> str:
        """Sends the questions, and gives the batch's id. The one method that spends.

        An error that is not `unbilled` leaves open whether the batch is there: `find` tells.
        """
        ...

    async def find(self, chunk: Chunk, *, known: Collection[str]) -> str | None:
        """The batch that this chunk was submitted as, or may have been; None if there is none.

        Where it is not `exact` this is only likely, and the batch's results will tell.
        `known` are the ids of batches that are other chunks'.
        """
        ...

    async def poll(self, batch: str) -> BatchStatus:
        """Where the batch stands."""
        ...

    def fetch(self, batch: str) -> AsyncGenerator[Result, None]:
        """What came of the questions of a batch that is over, in any order, one by one.

        A line that cannot be read has the name "".
        """
        ...

    async def cancel(self, batch: str) -> None:
        """Asks the endpoint to stop; what is answered by then is paid, and can be fetched."""
        ...

    async def discard(self, batch: str) -> None:
        """Deletes what was uploaded for a batch that is over; its answers stay.

        Where nothing is uploaded, or it is gone already, there is nothing to do.
        """
        ...


@runtime_checkable
class HasBatches(Protocol):
    """An adapter that may have a batch endpoint."""

    def batches(self) -> BatchEndpoint | None:
        """The endpoint of batches, or None; opens nothing."""
        ...
