"""The one retry loop: vendor clients are built with none of their own.

Only errors that may pass are tried again, by a positive list, so that a cancelled request never is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from spex_api.errors import RateLimited, SpexError, Unavailable
from spex_api.events import EventHandler, Notice, ignore
from spex_api.querying.policy import Meter, Policy

if TYPE_CHECKING:
    from spex_api.completions import Completion, CompletionRequest

__all__ = ["Retrying"]

_LONGEST_WAIT = 60.0
_backoff = wait_exponential(multiplier=0.5, max=_LONGEST_WAIT - 0.5) + wait_random(0, 0.5)


@dataclass(frozen=True, slots=True)
class Retrying(Policy):
    """Tries again what may pass, after the wait that the server asked for or a growing one."""

    meter: Meter
    attempts: int = 5
    on_event: EventHandler = ignore

    async def complete(self, request: CompletionRequest) -> Completion:
        """The first answer within `attempts`.

        Raises:
            AdapterError: the last attempt's, or the first that cannot pass.
            BudgetExhausted: the cap was reached in between.
        """
        loop = AsyncRetrying(
            retry=retry_if_exception_type((RateLimited, Unavailable)) & _waitable,
            wait=_wait,
            stop=stop_after_attempt(self.attempts),
            before_sleep=self._tell,
            reraise=True,
        )
        answer: Completion = await loop(self.inner.complete, request)
        return answer

    def _tell(self, state: RetryCallState) -> None:
        self.meter.retries += 1
        error = state.outcome.exception() if state.outcome else None
        what = error.cause if isinstance(error, SpexError) else str(error)
        self.on_event(
            Notice(f"{what} Trying again ({state.attempt_number + 1} of {self.attempts}).")
        )


def _waitable(state: RetryCallState) -> bool:
    """Whether the server's hint, if any, is short enough to sit out; a longer one ends the run."""
    return (_hint(state) or 0.0) <= _LONGEST_WAIT


def _wait(state: RetryCallState) -> float:
    hint = _hint(state)
    return _backoff(state) if hint is None else hint


def _hint(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return getattr(error, "retry_after", None)
