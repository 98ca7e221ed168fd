"""One exception tree, so that a caller can catch as much or as little as they mean.

::

    SpexError
    ├── UsageError               the caller can mend it; nothing was sent because of it
    │   ├── SpecError            a spec file or a command line that cannot be read
    │   ├── PromptError          a prompt that cannot be split, masked or rendered
    │   └── BudgetTooSmall       too few queries to fit anything
    ├── ScoreError               the answers do not hold what the score reads
    ├── BudgetExhausted          the cap was reached; what is paid is on disk
    ├── AdapterError             the endpoint's side
    │   ├── AuthenticationFailed no key, or a key that is refused
    │   ├── QuotaExhausted       the account has no credit: waiting does not help
    │   ├── RateLimited          too fast: waiting helps
    │   │   └── RampLimited      more at once than before: going up slowly helps
    │   ├── RetryLater           the wait that is asked for is longer than we sit out
    │   ├── Unavailable          unreachable, failing or broken off: trying again may help
    │   │   └── Overloaded       it has too much to do, whoever asks
    │   ├── BadRequest           the endpoint refuses this request for good
    │   │   ├── ContextTooLong   the prompt does not fit the model
    │   │   └── ContentFiltered  the prompt is refused for what it says
    │   ├── MalformedReply       an answer that is not what the protocol says
    │   └── EndpointUnfit        what it answers cannot be trusted: a probe caught it
    ├── PipelineFailed           the user's own function fails with everything in
    ├── WorkersFailed            a scheduler or its workers are gone, or break down
    ├── BatchError               a batch that cannot be submitted, followed or read
    ├── CacheError
    │   ├── CacheMiss            an answer is needed, and no connection may be opened
    │   ├── CacheCorrupt         a record or a folder that is not what was written
    │   └── BundleRefused        a bundle that is not what its manifest says
    └── MissingExtra             an optional dependency is not installed

What this module does not know: who raises what, and the exit status of the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.completions import Allowance

__all__ = [
    "AdapterError",
    "AuthenticationFailed",
    "BadRequest",
    "BatchError",
    "BudgetExhausted",
    "BudgetTooSmall",
    "BundleRefused",
    "CacheCorrupt",
    "CacheError",
    "CacheMiss",
    "ContentFiltered",
    "ContextTooLong",
    "EndpointUnfit",
    "MalformedReply",
    "MissingExtra",
    "Overloaded",
    "PipelineFailed",
    "PromptError",
    "QuotaExhausted",
    "RampLimited",
    "RateLimited",
    "RetryLater",
    "ScoreError",
    "SpecError",
    "SpexError",
    "Unavailable",
    "UsageError",
    "WorkersFailed",
]


class SpexError(Exception):
    """Everything that this package raises on purpose.

    Its text is one line in four parts: what was wrong and why it matters (`cause`), whether money
    was spent (`cost`), what is safe on disk (`safe`), and what to do (`advice`).
    """

    def __init__(self, cause: str, *, advice: str = "", cost: str = "", safe: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.cost = cost
        self.safe = safe
        self.advice = advice

    def __str__(self) -> str:
        return " ".join(part for part in (self.cause, self.cost, self.safe, self.advice) if part)


class UsageError(SpexError, ValueError):
    """The caller can mend it; nothing was sent because of it."""


class SpecError(UsageError):
    """A spec file or a command line that cannot be read."""


class PromptError(UsageError):
    """A prompt that cannot be split, masked or rendered."""


class BudgetTooSmall(UsageError):
    """Too few queries to fit anything."""


class ScoreError(SpexError):
    """The answers do not hold what the score reads."""


class BudgetExhausted(SpexError):
    """The cap was reached before the plan was done; what is paid is on disk."""


class AdapterError(SpexError):
    """The endpoint's side: it did not answer, or not with an answer."""

    def __init__(
        self,
        cause: str,
        *,
        advice: str = "",
        cost: str = "",
        safe: str = "",
        retry_after: float | None = None,
        unbilled: bool = False,
        allowances: tuple[Allowance, ...] = (),
    ) -> None:
        super().__init__(cause, advice=advice, cost=cost, safe=safe)
        self.retry_after = retry_after
        """Seconds that the server asked us to wait, where it did."""
        self.unbilled = unbilled
        """Whether it is sure that nobody pays for the attempt: nothing was sent, or the endpoint
        refused it. Otherwise a budget keeps the attempt charged."""
        self.allowances = allowances
        """What the endpoint said is left of its limits."""


class AuthenticationFailed(AdapterError):
    """No key, or a key that is refused."""


class QuotaExhausted(AdapterError):
    """The account has no credit left: waiting does not help."""


class RateLimited(AdapterError):
    """Too fast: waiting helps."""


class RampLimited(RateLimited):
    """Many more at once than shortly before: going up slowly helps."""


class RetryLater(AdapterError):
    """The endpoint asks for a longer wait than we sit out; `retry_after` has its seconds."""


class Unavailable(AdapterError):
    """Unreachable, failing or broken off: trying again may help."""


class Overloaded(Unavailable):
    """The endpoint has too much to do, whoever asks."""


class BadRequest(AdapterError):
    """The endpoint refuses this request for good."""


class ContextTooLong(BadRequest):
    """The prompt does not fit the model."""


class ContentFiltered(BadRequest):
    """The endpoint refuses the prompt for what it says."""


class MalformedReply(AdapterError):
    """An answer that is not what the protocol says."""


class EndpointUnfit(AdapterError):
    """What the endpoint answers cannot be trusted: a probe caught it."""


class PipelineFailed(SpexError):
    """The user's own function fails with all of its arguments as they are."""


class WorkersFailed(SpexError):
    """A scheduler or its workers are gone, or break down; what was answered is in the store."""


class BatchError(SpexError):
    """A batch that cannot be submitted, followed or read."""


class CacheError(SpexError):
    """The answers on disk."""


class CacheMiss(CacheError):
    """An answer is needed that is not on disk, and no connection may be opened."""


class CacheCorrupt(CacheError):
    """A record or a folder that is not what was written."""


class BundleRefused(CacheError):
    """A bundle of answers that is not what its manifest says; nothing of it was taken in."""


class MissingExtra(SpexError):
    """An optional dependency is not installed."""
