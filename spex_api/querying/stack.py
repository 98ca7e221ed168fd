"""The one order in which policies stand around an adapter."""

from __future__ import annotations

from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spex_api.errors import UsageError
from spex_api.events import ignore
from spex_api.querying.adapter import Adapter, load_adapter
from spex_api.querying.budget import Budget, Budgeted, Ledger
from spex_api.querying.cache import Cached, DiskStore, Mode, answers_folder, is_offline
from spex_api.querying.pace.limits import Limits
from spex_api.querying.pricing import Price, price_for
from spex_api.querying.retry import Retrying
from spex_api.querying.sharing import sharing
from spex_api.querying.telemetry import Traced
from spex_api.querying.unasked import ALL_ASKED, Unasked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from spex_api.events import EventHandler
    from spex_api.querying.cache import AnswerStore
    from spex_api.querying.policy import Meter

__all__ = ["Stack", "Terms", "open_beside", "open_stack"]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a model is asked.

    Attributes:
        limits: what the endpoint bears in a minute; what is None is learned from its replies.
        concurrency: the most requests under way at once; by default the endpoint's own.
        price: what the model costs; by default the price list's.
        mode: what is done with the answers on disk: "live", "refresh" or "replay"; see `Mode`.
        store_prompts: whether records hold what was asked, or only its digest.
        batch: whether what is not on disk is sent as batches: half the price, within a day.
        unasked: of a replay: the masks that the budget of the run left out, which are left out
            again. Without it a replay misses their answers.
        store: where answers are kept, in place of the folder on disk; it stays open. One that
            several machines share brings the caps of the run and the endpoint's limits with it.

    Raises:
        UsageError: there is no such mode, not even one request may be under way, or masks are to be
            left out of something else than a replay.
    """

    limits: Limits = Limits()
    concurrency: int | None = None
    price: Price | None = None
    mode: str = Mode.LIVE
    store_prompts: bool = True
    batch: bool = False
    unasked: Unasked = ALL_ASKED
    store: AnswerStore | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in set(Mode):
            raise UsageError(f"There is no mode {self.mode!r}; there are {', '.join(Mode)}.")
        if self.concurrency is not None and self.concurrency < 1:
            raise UsageError(f"At least one request must be under way, not {self.concurrency}.")
        if self.unasked and self.mode != Mode.REPLAY:
            raise UsageError(
                f"Masks are left out of a replay alone, and this is {self.mode!r}: it asks all."
            )


@dataclass(frozen=True, slots=True)
class Stack:
    """A model behind all policies.

    Attributes:
        adapter: what to ask.
        ledger: what is spent and set aside.
        concurrency: the most requests that are under way at once.
        price: what the model costs, or None where nobody knows.
    """

    adapter: Cached
    ledger: Ledger
    concurrency: int
    price: Price | None

    @asynccontextmanager
    async def beside(
        self, model: str | Adapter, *, on_event: EventHandler = ignore
    ) -> AsyncIterator[Stack]:
        """A second model under the same budget, over the same answers on disk.

        Its price is the price list's, and its limits are learned from its replies.

        Args:
            model: as for `open_stack`.
            on_event: is told of waits and downloads.

        Raises:
            UsageError: no adapter has that name, or a cap in dollars meets a model of unknown
                price.
        """
        first = self.adapter
        terms = Terms(mode=first.mode, store_prompts=first.store_prompts, store=first.store)
        async with open_beside(
            model, ledger=self.ledger, meter=first.meter, terms=terms, on_event=on_event
        ) as stack:
            yield stack


@asynccontextmanager
async def open_beside(
    model: str | Adapter,
    *,
    ledger: Ledger,
    meter: Meter,
    terms: Terms,
    on_event: EventHandler = ignore,
) -> AsyncIterator[Stack]:
    """A model under a budget that it shares with others.

    Args:
        model: as for `open_stack`.
        ledger: the budget, and what all who share it have taken.
        meter: counts what is sent.
        terms: on what terms it is asked.
        on_event: is told of waits and downloads.

    Raises:
        UsageError: no adapter has that name, or a cap in dollars meets a model of unknown price.
        CacheCorrupt: the folder of answers is not ours.
    """
    async with _connected(model, on_event=on_event) as adapter:
        price = price_for(adapter, terms.price)
        ledger.check_price(price, model=adapter.model)
        with _opened(terms.store) as store:
            asked = _traced(adapter, model)
            yield _stacked(asked, terms, ledger, store, meter, price, on_event=on_event)


@asynccontextmanager
async def open_stack(
    model: str | Adapter,
    *,
    budget: Budget,
    meter: Meter,
    terms: Terms | None = None,
    on_event: EventHandler = ignore,
) -> AsyncIterator[Stack]:
    """A model behind all policies, for as long as the context lasts.

    In a replay, and where `SPEX_OFFLINE` is set, nothing behind the cache is ever called.

    Args:
        model: a model's name, whose adapter is closed at the end, or an adapter, which stays open.
        budget: the cap.
        meter: counts what is sent.
        terms: on what terms it is asked.
        on_event: is told of waits and downloads.

    Raises:
        UsageError: no adapter has that name, or a cap in dollars meets a model of unknown price.
        CacheCorrupt: the folder of answers is not ours.
    """
    terms = terms or Terms()
    if is_offline():
        terms = replace(terms, mode=Mode.REPLAY)
    async with _connected(model, on_event=on_event) as adapter:
        price = price_for(adapter, terms.price)
        # A replay spends nothing: it needs no price to keep a cap.
        caps = Budget(budget.requests) if terms.mode == Mode.REPLAY else budget
        with _opened(terms.store) as store:
            ours = Ledger if terms.mode == Mode.REPLAY else sharing(store).ledger
            ledger = ours(caps, price, model=adapter.model)
            asked = _traced(adapter, model)
            yield _stacked(asked, terms, ledger, store, meter, price, on_event=on_event)


@contextmanager
def _opened(store: AnswerStore | None) -> Iterator[AnswerStore]:
    """The store that is given, or else the folder on disk, closed at the end."""
    if store is not None:
        yield store
        return
    with closing(DiskStore(answers_folder())) as on_disk:
        yield on_disk


@asynccontextmanager
async def _connected(model: str | Adapter, *, on_event: EventHandler) -> AsyncIterator[Adapter]:
    """The adapter of a name, closed at the end; one that is given stays open."""
    if not isinstance(model, str):
        yield model
        return
    adapter = load_adapter(model, on_event=on_event)
    try:
        yield adapter
    finally:
        await adapter.aclose()


def _traced(adapter: Adapter, model: str | Adapter) -> Traced:
    return Traced(adapter, model.partition(":")[0] if isinstance(model, str) else "custom")


def _stacked(
    adapter: Traced,
    terms: Terms,
    ledger: Ledger,
    store: AnswerStore,
    meter: Meter,
    price: Price | None,
    *,
    on_event: EventHandler,
) -> Stack:
    concurrency = terms.concurrency or adapter.capabilities.concurrency
    asked = sharing(store).throttled(adapter, terms.limits, concurrency=concurrency)
    paid = Retrying(Budgeted(asked, ledger, meter, price), meter, on_event=on_event)
    cached = Cached(
        paid,
        store,
        meter,
        Mode(terms.mode),
        store_prompts=terms.store_prompts,
        at_once=concurrency,
    )
    return Stack(cached, ledger, concurrency, price)
