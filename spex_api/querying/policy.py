"""The shape of every policy: a wrapper with the adapter's own protocol.

Policies stack in one order, `Cached(Retrying(Budgeted(Throttled(adapter))))`. The cache is
outermost, so a hit costs nothing; the budget is inside the retry, since every attempt may be
billed; what waits for its turn is inside the budget, so that its cost is set aside before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.completions import Capabilities, Completion, CompletionRequest, JsonObject
    from spex_api.querying.adapter import Adapter

__all__ = ["Meter", "Policy"]


@dataclass(slots=True)
class Meter:
    """Counts what a run does: the one thing in a stack of policies that changes.

    Attributes:
        cached: requests answered from disk.
        sent: attempts that went out, failed ones among them.
        retries: attempts that went out again.
        in_flight: attempts that are being waited for.
        usd: what the settled attempts cost, or None where no price is known.
        usd_reserved: what the attempts under way may cost at most.
    """

    cached: int = 0
    sent: int = 0
    retries: int = 0
    in_flight: int = 0
    usd: float | None = None
    usd_reserved: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Forwards everything; a policy overrides `complete`."""

    inner: Adapter

    @property
    def endpoint(self) -> str:
        """The inner adapter's."""
        return self.inner.endpoint

    @property
    def model(self) -> str:
        """The inner adapter's."""
        return self.inner.model

    @property
    def capabilities(self) -> Capabilities:
        """The inner adapter's."""
        return self.inner.capabilities

    def body(self, request: CompletionRequest) -> JsonObject:
        """The inner adapter's."""
        return self.inner.body(request)

    def read(self, raw: str) -> Completion:
        """The inner adapter's."""
        return self.inner.read(raw)

    async def complete(self, request: CompletionRequest) -> Completion:
        """The inner adapter's."""
        return await self.inner.complete(request)

    async def aclose(self) -> None:
        """The inner adapter's."""
        await self.inner.aclose()
