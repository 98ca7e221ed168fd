"""The one way in which batches stand beside the policies: they fill the cache before it is asked.

The budget is the run's own, at the price of a batch; the limits of single answers do not count
there. What a batch could not bring is then asked one by one, under the same cap.

What this module does not know: a prompt, and which questions it leads to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from spex_api.completions import CompletionRequest, canonical_json
from spex_api.errors import UsageError
from spex_api.events import EventHandler, Notice, ignore
from spex_api.querying.batch import Filled, fill
from spex_api.querying.batches.costs import BatchCosts
from spex_api.querying.batches.endpoint import BatchEndpoint, HasBatches
from spex_api.querying.batches.journal import open_journal
from spex_api.querying.cache import Cached, Mode
from spex_api.querying.policy import Policy
from spex_api.querying.pricing import FREE, batch_price_of
from spex_api.querying.telemetry import Traced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from spex_api.querying.adapter import Adapter
    from spex_api.querying.clock import Clock
    from spex_api.querying.ledger import Ledger
    from spex_api.querying.pricing import Price

__all__ = ["FillFirst", "batches_of", "open_batches", "run_name"]


FillFirst = Callable[[Iterable[CompletionRequest]], Awaitable[Filled]]
"""Brings the answers to these questions into the cache, before they are asked one by one."""


def batches_of(adapter: Adapter) -> BatchEndpoint | None:
    """The batch endpoint of an adapter, through all policies around it; None if it has none."""
    while isinstance(adapter, Policy):
        adapter = adapter.inner
    return adapter.batches() if isinstance(adapter, HasBatches) else None


def _provider_of(adapter: Adapter) -> str:
    """The part of the model's name before the colon, as the policies know it; "" if they do not."""
    while isinstance(adapter, Policy):
        if isinstance(adapter, Traced):
            return adapter.provider
        adapter = adapter.inner
    return ""


def run_name(adapter: Adapter, *parts: str) -> str:
    """The name of a run: the same for the same model and the same parts, whoever starts it.

    Args:
        adapter: who is asked.
        parts: what makes the run what it is: its prompt, score, decoder and seed, in text.
    """
    whole = canonical_json([adapter.endpoint, adapter.model, *parts])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


@asynccontextmanager
async def open_batches(
    cached: Cached,
    *,
    run: str,
    folder: Path,
    ledger: Ledger,
    price: Price | None = None,
    clock: Clock | None = None,
    on_event: EventHandler = ignore,
) -> AsyncIterator[FillFirst]:
    """What fills this cache by batches, for as long as the context lasts.

    Args:
        cached: the whole stack, whose meter is told what batches took.
        run: the run's name; the same name takes up what was left open.
        folder: where journals are, beside the answers.
        ledger: the run's budget.
        price: what the user says that a single answer costs.
        clock: lets the waits pass.
        on_event: is told what happens.

    Raises:
        UsageError: the endpoint has no batches, the cache is not to be filled, or a cap in dollars
            meets a batch of unknown price; nothing was sent.
        BatchError: another process follows this run, or its journal is not what was written.
    """
    endpoint = batches_of(cached)
    if endpoint is None:
        raise UsageError(
            f"{cached.model} at {cached.endpoint} takes no batches.",
            cost="Nothing was sent.",
            advice="Ask one by one: leave out --batch.",
        )
    if cached.mode is not Mode.LIVE:
        raise UsageError(
            f"A batch brings what is not on disk, and does not go with {cached.mode}.",
            cost="Nothing was sent.",
        )
    free = cached.capabilities.free
    tariff = FREE if free else batch_price_of(cached.endpoint, cached.model, price)
    if tariff is None and ledger.budget.usd is not None:
        raise UsageError(
            f"What {cached.model} costs in a batch is not known here, so a cap of "
            f"{ledger.budget.usd:g} dollars cannot be kept.",
            cost="Nothing was sent.",
            advice="Cap the requests or the tokens instead, or leave out --batch.",
        )
    with open_journal(
        folder,
        run,
        endpoint=cached.endpoint,
        model=cached.model,
        provider=_provider_of(cached),
    ) as journal:

        async def fill_first(requests: Iterable[CompletionRequest]) -> Filled:
            filled = await fill(
                requests,
                endpoint,
                cache=cached,
                journal=journal,
                costs=BatchCosts(ledger, tariff),
                clock=clock,
                on_event=on_event,
            )
            meter = cached.meter
            meter.sent += filled.usage.requests
            meter.cached -= filled.kept  # they will be found on disk, but were paid just now
            if ledger.price is not None:
                meter.usd = ledger.spent.usd
            for reason in filled.reasons:
                on_event(Notice(f"Asked one by one, not by batch: {reason}"))
            return filled

        yield fill_first
