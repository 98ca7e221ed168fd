"""What a store shares with other processes besides answers: the caps of a run, and the limits.

A store on disk shares neither: each process keeps its own. What this module does not know: how a
store that shares them does so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from spex_api.querying.answers.desk import NearDesk
from spex_api.querying.ledger import Ledger
from spex_api.querying.throttle import Limiter, Throttled

if TYPE_CHECKING:
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.answers.desk import Desk
    from spex_api.querying.answers.store import AnswerStore
    from spex_api.querying.budget import Budget
    from spex_api.querying.pace.limits import Limits
    from spex_api.querying.policy import Policy
    from spex_api.querying.pricing import Price

__all__ = ["Sharing", "sharing"]


@runtime_checkable
class Sharing(Protocol):
    """What a store offers to whoever asks under it."""

    @property
    def desk(self) -> Desk:
        """Its answers, for an event loop."""
        ...

    def ledger(self, budget: Budget, price: Price | None, *, model: str) -> Ledger:
        """The caps, and what all who share them have taken.

        Raises:
            UsageError: there is a cap in dollars and no price, or the others have other caps.
        """
        ...

    def throttled(self, adapter: Adapter, limits: Limits, *, concurrency: int) -> Policy:
        """The adapter, which sends each request when its turn has come."""
        ...


@dataclass(frozen=True, slots=True)
class _Own:
    """Of a store that shares its answers alone.

    Attributes:
        store: on disk, or in memory.
    """

    store: AnswerStore

    @property
    def desk(self) -> Desk:
        """Its answers, for an event loop."""
        return NearDesk(self.store)

    def ledger(self, budget: Budget, price: Price | None, *, model: str) -> Ledger:
        """The caps of this process.

        Raises:
            UsageError: there is a cap in dollars, and no price.
        """
        return Ledger(budget, price, model=model)

    def throttled(self, adapter: Adapter, limits: Limits, *, concurrency: int) -> Policy:
        """The adapter, which sends each request when this process may."""
        return Throttled(adapter, Limiter(limits, concurrency=concurrency))


def sharing(store: AnswerStore) -> Sharing:
    """What this store offers.

    Args:
        store: any; one that offers nothing more shares its answers alone.
    """
    return store if isinstance(store, Sharing) else _Own(store)
