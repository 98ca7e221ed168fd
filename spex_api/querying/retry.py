"""The one retry loop: vendor clients are built with none of their own.

Only errors that may pass are tried again, by a positive list, so that a cancelled request never is.
A request waits as long as the server asks and a little longer; where the server says nothing, the
waits grow. Nothing that is answered depends on how long was waited. What this module does not know:
any vendor's words for these errors, and how many requests go out at once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from spex_api.errors import AdapterError, MalformedReply, RateLimited, RetryLater, Unavailable
from spex_api.events import EventHandler, Notice, ignore
from spex_api.querying.clock import Clock, RealClock
from spex_api.querying.idle import idle
from spex_api.querying.policy import Meter, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.completions import Completion, CompletionRequest

__all__ = ["Retrying"]

_log = logging.getLogger(__name__)

_LONGEST_WAIT = 60.0
"""Seconds of a wait that is ours."""
_MALFORMED_ATTEMPTS = 2
"""A reply that cannot be read may be billed all the same: one more, and no third."""
_SECONDS_BETWEEN_NOTICES = 5.0

_backoff = wait_random_exponential(multiplier=2, max=_LONGEST_WAIT)
_doubt = wait_random_exponential(multiplier=0.25, max=_LONGEST_WAIT)
"""What is added to a server's hint: a little, so that not all come back at once, and more where the
hint was obeyed in vain."""


@dataclass(slots=True)
class _Told:
    """When a wait was last told, and how many have begun since without a word."""

    at: float | None = None
    untold: int = 0


@dataclass(frozen=True, slots=True)
class Retrying(Policy):
    """Tries again what may pass, after the wait that the server asked for or a growing one.

    Attributes:
        meter: counts the retries.
        attempts: how often a request is sent at most. Attempts that the endpoint refused for going
            too fast do not count: `patience` alone ends those.
        patience: seconds that a request waits here at most, in all. What it waits for its turn, and
            for an answer, is not among them: of a slow queue nobody is to lose patience.
        longest_hint: seconds; a longer wait that the server asks for ends the run, resumably.
        clock: lets the waits pass.
        on_event: is told of the waits, every few seconds at most.
    """

    meter: Meter
    attempts: int = 6
    patience: float = 300.0
    longest_hint: float = 120.0
    clock: Clock = field(default_factory=RealClock)
    on_event: EventHandler = ignore
    _told: _Told = field(default_factory=_Told, repr=False)

    async def complete(self, request: CompletionRequest) -> Completion:
        """The first answer within the attempts and the patience.

        Raises:
            RetryLater: the server asks for a longer wait than we sit out.
            AdapterError: the last attempt's, or the first that cannot pass.
            BudgetExhausted: the cap was reached in between.
        """
        try:
            return await self.attempt(request)
        except AdapterError as error:
            failed = error
        # Only what failed pays for the loop, which begins with that failure.
        trial = _Trial(self, self._say, failed)
        loop = AsyncRetrying(
            retry=retry_if_exception(trial.may_pass),
            wait=_wait,
            stop=trial.is_over,
            sleep=self._sleep,
            before_sleep=trial.tell,
            reraise=True,
        )
        answer: Completion = await loop(trial.attempt, request)
        return answer

    async def attempt(self, request: CompletionRequest) -> Completion:
        """The answer to one attempt.

        Raises:
            RetryLater: the server asks for a longer wait than we sit out.
            AdapterError: as the inner adapter does.
        """
        try:
            return await self.inner.complete(request)
        except (RateLimited, Unavailable, MalformedReply) as error:
            hint = _hint(error)
            if hint is None or hint <= self.longest_hint:
                raise
            raise _later(error, hint) from None

    async def _sleep(self, seconds: float) -> None:
        with idle():
            await self.clock.sleep(seconds)

    def _say(self, sentence: str, wait: float) -> None:
        """Says that a request waits, unless that was said just now."""
        told, now = self._told, self.clock.now()
        if told.at is not None and now - told.at < _SECONDS_BETWEEN_NOTICES:
            told.untold += 1
            return
        others = f" {told.untold} other waits have begun since this was last said."
        self.on_event(Notice(sentence + (others if told.untold else ""), wait=wait))
        told.at, told.untold = now, 0


@dataclass(slots=True)
class _Trial:
    """How one request fares after its first failure."""

    policy: Retrying
    say: Callable[[str, float], None]
    failed: AdapterError | None
    counted: int = 0
    malformed: int = 0

    async def attempt(self, request: CompletionRequest) -> Completion:
        """The next attempt; the first one was made, and failed."""
        failed, self.failed = self.failed, None
        if failed is not None:
            raise failed
        return await self.policy.attempt(request)

    def may_pass(self, error: BaseException) -> bool:
        """Whether the same request may be answered yet; counts the attempt that failed."""
        if isinstance(error, RateLimited):
            return True
        self.counted += 1
        if isinstance(error, MalformedReply):
            self.malformed += 1
            return self.malformed < _MALFORMED_ATTEMPTS
        return isinstance(error, Unavailable)

    def is_over(self, state: RetryCallState) -> bool:
        """Whether the attempts are used up, or the next would have to wait too long."""
        waited = state.idle_for + state.upcoming_sleep
        return self.counted >= self.policy.attempts or waited > self.policy.patience

    def tell(self, state: RetryCallState) -> None:
        """Counts the retry, and says what is waited for."""
        error, seconds = _error(state), state.upcoming_sleep
        self.policy.meter.retries += 1
        _log.info(
            "A request is sent again after a wait.",
            extra={
                "error_kind": type(error).__name__,
                "attempt": state.attempt_number,
                "wait_seconds": round(seconds, 3),
                "hint_seconds": _hint(error),
            },
        )
        cause = getattr(error, "cause", "")
        number = f" ({self.counted + 1} of {self.policy.attempts})" if self.counted else ""
        self.say(f"{cause} Trying again in {_span(seconds)}{number}.", seconds)


def _wait(state: RetryCallState) -> float:
    hint = _hint(_error(state))
    return _backoff(state) if hint is None else hint + _doubt(state)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _hint(error: BaseException | None) -> float | None:
    """The seconds that the server asked for; None where it did not, or not in a number."""
    hint: float | None = getattr(error, "retry_after", None)
    return hint if hint is not None and hint >= 0 else None


def _later(error: AdapterError, seconds: float) -> RetryLater:
    try:
        moment = datetime.now().astimezone() + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        when = "longer than any calendar goes"
    else:
        when = f"{_span(seconds)}, until {moment:%Y-%m-%d %H:%M} (local time)"
    return RetryLater(
        f"{error.cause} The endpoint asks to wait {when}; that is longer than we sit out.",
        advice="Run the same command again then: it goes on from there, and pays for nothing "
        "twice.",
        retry_after=seconds,
        unbilled=error.unbilled,
        allowances=error.allowances,
    )


def _span(seconds: float) -> str:
    """A length of time, as one says it."""
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
