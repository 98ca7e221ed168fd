"""The one order in which policies stand around an adapter."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from spex_api.errors import UsageError
from spex_api.querying.adapter import Adapter, load_adapter
from spex_api.querying.budget import Budget, Budgeted
from spex_api.querying.cache import Cached, DiskStore, Offline, answers_folder, is_offline
from spex_api.querying.retry import Retrying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from spex_api.events import EventHandler
    from spex_api.querying.policy import Meter

__all__ = ["open_stack"]


@asynccontextmanager
async def open_stack(
    model: str | Adapter, *, budget: Budget, meter: Meter, on_event: EventHandler
) -> AsyncIterator[Cached]:
    """A model behind the cache, the retries and the budget, for as long as the context lasts.

    Args:
        model: a model's name, whose adapter is closed at the end, or an adapter, which stays open.
        budget: the cap.
        meter: counts what is sent.
        on_event: is told of waits and downloads.

    Raises:
        UsageError: no adapter has that name, or a cap in dollars meets a model of unknown price.
        CacheCorrupt: the folder of answers is not ours.
    """
    adapter = load_adapter(model, on_event=on_event) if isinstance(model, str) else model
    if budget.usd is not None and not adapter.capabilities.free:
        raise UsageError(
            f"The price of {adapter.model} is not known here, so a cap of {budget.usd} dollars "
            "cannot be kept.",
            advice="Cap the requests instead.",
        )
    store = DiskStore(answers_folder())
    try:
        if is_offline():
            yield Cached(Offline(adapter), store, meter)
        else:
            paid = Budgeted(adapter, budget, meter)
            yield Cached(Retrying(paid, meter, on_event=on_event), store, meter)
    finally:
        store.close()
        if adapter is not model:
            await adapter.aclose()
