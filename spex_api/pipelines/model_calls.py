"""What all runs of a pipeline share of their model calls: answers on disk, a budget, and limits.

A model at an address stands behind the policies that any model stands behind, but for one: nothing
is tried again here, since the user's client does that. What this module does not know: which run
calls, and how a call comes here.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from spex_api.completions import Capabilities, Usage
from spex_api.errors import AdapterError
from spex_api.events import Progress
from spex_api.pipelines.wire import WireAdapter
from spex_api.querying.budget import Budget, Budgeted, Ledger
from spex_api.querying.cache import Cached, DiskStore, Mode, answers_folder, is_offline
from spex_api.querying.ledger import Amount
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import FREE, price_of
from spex_api.querying.telemetry import Traced
from spex_api.querying.throttle import Limiter, Throttled

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from spex_api.calls.gate import WireReply, WireRequest
    from spex_api.completions import Completion, JsonObject
    from spex_api.events import Event, EventHandler
    from spex_api.pipelines.wire import Outgoing
    from spex_api.querying.pace.limits import Limits
    from spex_api.querying.pricing import Price

__all__ = ["ModelCalls", "Totals"]

_MANY: Final = 10**9
"""Calls: runs are counted, and not what they call."""
_CONCURRENCY: Final = 16
_THREADS: Final = 32


@dataclass(slots=True)
class Totals:
    """What all calls come to.

    Attributes:
        usage: of all answers, on disk or not.
        unpriced: whether one of them has no known price.
        untold: how many answers do not say what they took.
        passed: how many calls went by, since their answers may not be kept.
    """

    usage: Usage = field(default_factory=Usage)
    unpriced: bool = False
    untold: int = 0
    passed: int = 0
    _cost: Amount = field(default_factory=Amount)

    def add(self, usage: Usage, price: Price | None) -> None:
        """One answer more."""
        self.usage += usage
        self.untold += not usage.input_tokens
        if price is None:
            self.unpriced = True
        else:
            # Exact, so that the sum is the same in whatever order answers come.
            self._cost += Amount.of(0, 0, price.cost(usage))

    @property
    def usd(self) -> float | None:
        """What they cost; None once one has no known price."""
        return None if self.unpriced else self._cost.usd

    @property
    def seen(self) -> int:
        """How many calls there were of any kind."""
        return self.usage.requests + self.passed


@dataclass(frozen=True, slots=True)
class _Model:
    adapter: WireAdapter
    cached: Cached
    price: Price | None


class ModelCalls:
    """The models that a pipeline calls, each behind its policies. Made where the event loop runs.

    Args:
        budget: what its tokens and dollars cap; its requests are none of these.
        limits: what each model bears in a minute; what is None is learned from refusals.
        price: what a call costs; by default the price list's.
        store_prompts: whether records hold what was asked, or only its digest.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        limits: Limits,
        price: Price | None = None,
        store_prompts: bool = True,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.thread = threading.get_ident()
        self.mode = Mode.REPLAY if is_offline() else Mode.LIVE
        # Offline nothing is spent, so no price is needed to keep a cap.
        caps = Budget(_MANY) if is_offline() else Budget(_MANY, budget.tokens, budget.usd)
        self.ledger = Ledger(caps, FREE)
        self.meter = Meter()
        self.totals = Totals()
        self._limits = limits
        self._price = price
        self.store_prompts = store_prompts
        self._models: dict[tuple[str, str], _Model] = {}
        self._store: DiskStore | None = None
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._store is not None:
            self._store.close()

    @property
    def pool(self) -> ThreadPoolExecutor:
        """Where plain clients send from, while the threads that called them wait."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="spex-call")
        return self._pool

    def telling(self, on_event: EventHandler) -> EventHandler:
        """The handler, told besides what the calls have cost so far."""

        def tell(event: Event) -> None:
            if isinstance(event, Progress) and self.totals.seen:
                known = self.totals.usd is not None
                usd = self.ledger.spent.usd if known else None
                event = replace(event, usd=usd, usd_cap=self.ledger.budget.usd)
            on_event(event)

        return tell

    async def ask(self, request: WireRequest, call: Outgoing) -> Completion:
        """The answer to a call, from disk or from the endpoint.

        Raises:
            UsageError: a cap in dollars meets a model of unknown price.
            BudgetExhausted: there is no room for the call.
            CacheMiss: it is not on disk, and no connection may be opened.
            AdapterError: the endpoint's answer is none to be kept.
        """
        model = self._model(request, call.body)
        completion = await model.cached.complete(call)
        self.totals.add(completion.usage, model.price)
        return completion

    def ask_at_once(
        self, request: WireRequest, call: Outgoing, forward: Callable[[], WireReply]
    ) -> Completion:
        """The same without waiting for anybody else.

        Raises:
            UsageError: as `ask` does.
            BudgetExhausted: there is no room for the call now.
            CacheMiss: as `ask` does.
            AdapterError: as `ask` does.
        """
        model = self._model(request, call.body)
        completion = model.cached.known(call)
        if completion is None:
            completion = self._paid(model, call, forward)
            model.cached.keep(call, completion)
        self.totals.add(completion.usage, model.price)
        return completion

    def _paid(self, model: _Model, call: Outgoing, forward: Callable[[], WireReply]) -> Completion:
        price = model.price or FREE
        bound = self.ledger.bound(call, price=price)
        reservation = self.ledger.reserve(bound.requests, bound.tokens, bound.usd)
        self.meter.sent += 1
        try:
            completion = model.adapter.received(call, forward())
            if completion.usage.input_tokens:
                reservation.settle(completion.usage, price.cost(completion.usage))
        except AdapterError as error:
            if error.unbilled:
                reservation.release()
            raise
        else:
            return completion
        finally:
            reservation.keep()

    def _model(self, request: WireRequest, body: JsonObject) -> _Model:
        """The model that a call is for.

        Raises:
            UsageError: there is a cap in dollars, and no price.
            CacheCorrupt: the folder of answers is not ours.
        """
        name = body.get("model")
        key = (request.url, name if isinstance(name, str) else "")
        if key not in self._models:
            self._models[key] = self._opened(*key, request.dialect)
        return self._models[key]

    def _opened(self, url: str, name: str, dialect: str) -> _Model:
        price = self._price or price_of(url, name)
        self.ledger.check_price(price, model=name or url)
        if self._store is None:
            self._store = DiskStore(answers_folder())
        adapter = WireAdapter(url, name, dialect, Capabilities(0, _CONCURRENCY))
        asked = Throttled(Traced(adapter), Limiter(self._limits, concurrency=_CONCURRENCY))
        paid = Budgeted(asked, self.ledger, self.meter, price or FREE)
        cached = Cached(paid, self._store, self.meter, self.mode, store_prompts=self.store_prompts)
        return _Model(adapter, cached, price)
