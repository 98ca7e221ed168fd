"""When something goes wrong: a table of faults by request number, by content and by attempt.

A script is a value; playing it is the server's business. What this module does not know: the
catalogue of faults (`faults`), the vendors' words, and time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from spex_api.testing.ledger import Received
    from spex_api.testing.lies import Lie

__all__ = [
    "BatchPlan",
    "Delivery",
    "Drift",
    "Enforced",
    "Fault",
    "Header",
    "Route",
    "Row",
    "Script",
    "holding",
]

Header = str | Callable[[datetime], str]


class Route(StrEnum):
    """What a request is about; the requests of each are numbered from 1."""

    QUESTION = "question"
    """Chat completions and messages: what is billed."""
    UPLOAD = "upload"
    SUBMIT = "submit"
    POLL = "poll"
    LIST = "list"
    RESULTS = "results"
    CANCEL = "cancel"
    DELETE = "delete"
    FILE = "file"
    LINE = "line"
    """One question within a batch."""
    OTHER = "other"
    """No path of ours, such as where a redirect leads to."""


class Delivery(StrEnum):
    """How a reply goes over the wire."""

    WHOLE = "whole"
    CLOSED = "closed"
    """Half of the body, then the connection is closed in good order."""
    RESET = "reset"
    """Half of the body, then the connection is reset."""
    UNANSWERED = "unanswered"
    """The question is read, then the connection is reset."""
    STALL = "stall"
    """Half of the body, then nothing, for as long as the client holds on."""
    SILENCE = "silence"
    """Nothing at all, for as long as the client holds on."""
    TRICKLE = "trickle"
    """Byte by byte, with a pause between two."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        name: what it is called.
        status: the HTTP status.
        message: what an error says; "{key}" in it becomes the key that came with the request.
        kind: the error's type, where it is not the usual one of its status.
        code: the error's code.
        headers: in addition; a value may be a function of the time of the reply.
        body: goes out as it is, in place of an answer or an error.
        lie: what becomes of the honest answer.
        keeps: the share of the body that is left, with a length that fits: from 0 to 1.
        content_type: of the body, where it is not the usual one.
        delivery: how it goes over the wire.
        gap: seconds between two bytes of a trickle.

    Raises:
        UsageError: the status, the share or the gap cannot be.
    """

    name: str
    status: int = 200
    message: str = ""
    kind: str = ""
    code: str = ""
    headers: tuple[tuple[str, Header], ...] = ()
    body: str | None = None
    lie: Lie | None = None
    keeps: float = 1.0
    content_type: str = ""
    delivery: Delivery = Delivery.WHOLE
    gap: float = 0.0

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise UsageError(f"A status of {self.status} is none that a reply can have.")
        if not (0 <= self.keeps <= 1 and self.gap >= 0):
            raise UsageError("A fault keeps a share of 0 … 1, and its gap is 0 or more seconds.")

    @property
    def answers(self) -> bool:
        """Whether something of an answer goes out, honest or not: then it is paid."""
        silent = self.delivery in {Delivery.SILENCE, Delivery.UNANSWERED}
        return self.status == 200 and self.body is None and not self.message and not silent

    @property
    def acts(self) -> bool:
        """Whether the server does what it was asked before it fails; a refusal does not."""
        return self.status == 200 and self.body is None and not self.message


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a fault, and when it is played. What is not given always holds.

    Attributes:
        fault: what goes wrong.
        numbers: the numbers of the requests, the first being 1: a set, a tuple or a range.
        attempts: how often the same body came, this time included: `{1}` is each one's first.
        when: a condition on the request.
        route: which requests are meant.
    """

    fault: Fault
    numbers: Container[int] | None = None
    attempts: Container[int] | None = None
    when: Callable[[Received], bool] | None = None
    route: Route = Route.QUESTION

    def matches(self, asked: Received) -> bool:
        """Whether the fault is played on this request."""
        return (
            self.route is asked.route
            and (self.numbers is None or asked.number in self.numbers)
            and (self.attempts is None or asked.attempt in self.attempts)
            and (self.when is None or self.when(asked))
        )


def holding(text: str) -> Callable[[Received], bool]:
    """The condition that a request's body holds a text, which is looked for as JSON writes it."""
    return lambda asked: text in asked.text


@dataclass(frozen=True, slots=True)
class Enforced:
    """Limits that the server keeps itself: whatever is beyond gets 429, with the time to wait.

    No window of the given length, wherever it begins, holds more than is allowed.

    Attributes:
        requests: how many questions a window.
        tokens: how many tokens a window, read and at most written.
        window: its length in seconds.
        silent: whether the server says nothing of its limits, neither before nor after.

    Raises:
        UsageError: a limit or the window is not above 0.
    """

    requests: int | None = None
    tokens: int | None = None
    window: float = 60.0
    silent: bool = False

    def __post_init__(self) -> None:
        if not all(limit is None or limit > 0 for limit in (self.requests, self.tokens)):
            raise UsageError("A limit that lets nothing in is none; give 1 or more.")
        if not (math.isfinite(self.window) and self.window > 0):
            raise UsageError(f"A window of {self.window} seconds is none.")


@dataclass(frozen=True, slots=True)
class Drift:
    """Another model takes over in the course of a run.

    Attributes:
        after: how many answers the first one gives.
        model: the second one's name; "" keeps the name that was asked for.
        fingerprint: that of its system; "" keeps the first.
    """

    after: int
    model: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What becomes of a batch.

    Attributes:
        polls: how many times it is found under way before it is done.
        ends: "completed", "expired" or "failed", which Anthropic's dialect says at once.
        answered: how many of its questions are answered before it expires or is cancelled.
        unordered: whether the results come in another order than the questions.

    Raises:
        UsageError: there is no such end, or a number is negative.
    """

    polls: int = 1
    ends: str = "completed"
    answered: int = 0
    unordered: bool = True

    def __post_init__(self) -> None:
        if self.ends not in {"completed", "expired", "failed"}:
            raise UsageError(f"A batch cannot end as {self.ends!r}.")
        if self.polls < 0 or self.answered < 0:
            raise UsageError("Polls and answers of a batch are counted from 0.")


@dataclass(frozen=True, slots=True)
class Script:
    """All that a server is told: `Script()` is an honest one without limits.

    >>> Script((Row(RATE_LIMITED, numbers={1, 2}), Row(CONTENT_FILTERED, when=holding("bomb"))))

    Attributes:
        rows: the table; the first row that matches is played.
        limits: what the server enforces by itself.
        drift: when another model takes over.
        batch: what becomes of batches.
        headers: stand on every answer to a question.
    """

    rows: tuple[Row, ...] = ()
    limits: Enforced | None = None
    drift: Drift | None = None
    batch: BatchPlan = BatchPlan()
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def numbered(cls, table: Mapping[int, Fault]) -> Script:
        """A script of one fault a question's number, the first being 1."""
        return cls(tuple(Row(fault, numbers=(number,)) for number, fault in table.items()))

    @classmethod
    def always(cls, fault: Fault) -> Script:
        """A script that plays one fault on every question."""
        return cls((Row(fault),))

    @classmethod
    def first_attempts(cls, *faults: Fault) -> Script:
        """A script that plays these, one after another, on each body's first attempts."""
        return cls(tuple(Row(fault, attempts=(n,)) for n, fault in enumerate(faults, start=1)))

    def fault(self, asked: Received) -> Fault | None:
        """What is played on this request, if anything is."""
        return next((row.fault for row in self.rows if row.matches(asked)), None)
