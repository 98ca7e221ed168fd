"""The plan that `explain` would carry out, drawn in full and not carried out.

The design is the one that `explain` draws with the same arguments, so its masks are the very ones,
and what is on disk is looked up under the very keys. What this module does not know: how a plan is
shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from spex_api.completions import Completion, CompletionRequest
from spex_api.design import draw_design
from spex_api.errors import CacheMiss
from spex_api.events import EventHandler, ignore
from spex_api.indices import check_index
from spex_api.planning import Estimate, Load, Pace, Plan, check_caps
from spex_api.querying.asking import open_function
from spex_api.querying.batches.opening import batches_of
from spex_api.querying.budget import Budget
from spex_api.querying.cache import Mode
from spex_api.querying.first_look import FirstLook
from spex_api.querying.pace.limits import Limits
from spex_api.querying.pricing import FREE, batch_price_of
from spex_api.querying.seconding import second_questions
from spex_api.querying.stack import Terms
from spex_api.sampling.uniform import HALF
from spex_api.scores import Scored, as_score
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from spex_api.completions import Capabilities, Message
    from spex_api.decoding.decoder import Decoder
    from spex_api.design import Design
    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.pricing import Price
    from spex_api.querying.value_function import ValueFunction
    from spex_api.scores import Score

__all__ = ["plan", "plan_sync"]

_DEFAULT_BUDGET: Final = Budget()
_NO_LIMITS: Final = Limits()
_ASSUMED: Final = (
    "The score must see the answer to the whole prompt first, which is not on disk: until then, "
    "one question a mask with an answer of up to 16 tokens is assumed."
)


async def plan(
    prompt: Prompt,
    model: str | Adapter,
    *,
    score: Score | str | Sequence[str] = "auto",
    budget: Budget = _DEFAULT_BUDGET,
    index: str = "FBII",
    order: int = 2,
    decoder: str | Decoder = "auto",
    seed: int = 0,
    keep: float = HALF,
    target_faithfulness: float | None = None,
    limits: Limits = _NO_LIMITS,
    concurrency: int | None = None,
    price: Price | None = None,
    on_event: EventHandler = ignore,
) -> Plan:
    """What `explain` would take with the same arguments. Sends nothing, and needs no key.

    Args:
        prompt: what is asked, and which parts of it may be masked.
        model: a name such as "local" or "openai:gpt-4.1-mini", or an adapter.
        score: the number in an answer, a list of labels, or "auto".
        budget: the cap.
        index: the interaction index; it changes nothing of the plan.
        order: the size of the largest interactions; nor does it.
        decoder: "auto", a decoder's name, or a decoder.
        seed: of everything that is drawn.
        keep: the probability with which a mask keeps each part.
        target_faithfulness: the R² at which to stop, or None.
        limits: what the endpoint bears in a minute.
        concurrency: how many requests may be under way at once; by default the endpoint's own.
        price: what the model costs; by default the price list's.
        on_event: is told what happens.

    Raises:
        UsageError: something is asked for that there is not.
        ScoreError: the endpoint does not even claim to give what the score reads.
        CacheCorrupt: the folder of answers is not ours.
    """
    check_index(index, order)
    draw = partial(
        draw_design,
        decoder,
        num_features=prompt.num_features,
        seed=seed,
        keep=keep,
        target=target_faithfulness,
    )
    # In a replay nothing behind the cache is ever called; and a cap in dollars is only looked at.
    terms = Terms(limits, concurrency, price, Mode.REPLAY)
    opening = partial(
        open_function,
        prompt,
        model,
        budget=replace(budget, usd=None),
        terms=terms,
        on_event=on_event,
    )
    try:
        async with opening(score=as_score(score)) as function:
            return _drawn(function, draw, budget, terms)
    except CacheMiss:
        async with opening(score=_Unopened()) as function:
            return replace(_drawn(function, draw, budget, terms), assumed=_ASSUMED)


def _drawn(
    function: ValueFunction, draw: Callable[..., Design], budget: Budget, terms: Terms
) -> Plan:
    """The plan of this function, within this budget."""
    first_look = FirstLook.within(budget, function)
    design = draw(num_masks=first_look.num_masks)
    adapter, survey, known = function.adapter, design.survey, function.price
    asked = _Asked.by(function, survey.plan.masks, _batch_price(adapter, terms.price))
    probe = _probe_load(function, survey.plan.masks[0], first_look.extra)
    # The probe goes first: who has all answers to the masks has those to it.
    load = asked.missing + probe if asked.missing.requests else Load()
    last = design.looks[-1]
    return Plan(
        model=adapter.model,
        endpoint=adapter.endpoint,
        num_features=function.prompt.num_features,
        decoder=f"{last.decoder!r}: {last.reason}",
        to_fit=int(survey.fitted.sum()),
        held_out=int((survey.held_out & ~survey.fitted).sum()),
        near=int((survey.near & ~survey.fitted).sum()),
        looks=tuple(look.num_masks for look in design.looks),
        requests_per_mask=function.requests_per_mask(),
        distinct=asked.distinct,
        held=asked.distinct - asked.missing.requests,
        probe=first_look.extra,
        load=load,
        usd=None if known is None else load.usd,
        batch_usd=None
        if known is None
        else asked.batch_usd_with(probe if load.requests else Load()),
        price=known,
        pace=Pace(terms.limits, function.concurrency),
        caps=check_caps(budget, load, priced=known is not None),
    )


plan_sync = synchronous(plan, name="plan_sync")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the masks ask.

    Attributes:
        distinct: how many different requests.
        missing: what those take that are not on disk.
        by_batch: the same by batch, or None.
    """

    distinct: int
    missing: Load
    by_batch: Load | None

    @classmethod
    def by(
        cls, function: ValueFunction, masks: NDArray[np.uint8], batch_price: Price | None
    ) -> _Asked:
        """Goes through all of them; none is held in memory.

        What a second model is asked depends on the answers: it is taken to be not on disk.
        """
        seen: set[str] = set()
        alone, batched = Load(), Load()
        for request in (request for mask in masks for request in function.question(mask)):
            key = function.adapter.key(request)
            if key in seen:
                continue
            seen.add(key)
            if key not in function.adapter.store:
                alone += Load.of(request, function.price)
                batched += Load.of(request, batch_price)
        distinct = len(seen)
        if alone.requests:
            question = function.question(masks[0])
            longest = tuple(Completion("word " * each.max_tokens) for each in question)
            about = second_questions(function.score, function.second, longest)
            masks_missing = -(-alone.requests // len(question))
            second = sum((Load.of(each, function.second_price) for each in about), Load())
            alone += second.times(masks_missing)
            batched += second.times(masks_missing)
            distinct += len(about) * masks_missing
        return cls(distinct, alone, None if batch_price is None else batched)

    def batch_usd_with(self, probe: Load) -> Estimate | None:
        """What it costs where the masks go by batch, and only the probe goes one by one."""
        return None if self.by_batch is None else self.by_batch.usd + probe.usd


def _probe_load(function: ValueFunction, whole: NDArray[np.uint8], extra: int) -> Load:
    """What the probe takes beyond the masks: the whole prompt, again and again."""
    return Load.of(function.question(whole)[0], function.price).times(extra)


def _batch_price(adapter: Adapter, given: Price | None) -> Price | None:
    """What a batch costs, or None where the adapter takes none or nobody knows."""
    if batches_of(adapter) is None:
        return None
    return (
        FREE
        if adapter.capabilities.free
        else batch_price_of(adapter.endpoint, adapter.model, given)
    )


@dataclass(frozen=True, slots=True)
class _Unopened:
    """Stands in for a score that must know an answer first: what it will ask is not known yet."""

    meaning: str = ""
    max_censored: float = 1.0

    def requests(
        self,
        messages: tuple[Message, ...],
        capabilities: Capabilities,  # noqa: ARG002 - the protocol's
    ) -> tuple[CompletionRequest, ...]:
        """One short question."""
        return (CompletionRequest(messages, max_tokens=16),)

    def value(self, completions: Sequence[Completion]) -> Scored:  # noqa: ARG002 - the protocol's
        """Nothing is ever asked."""
        return Scored(float("nan"))

    def check(self, answers: Sequence[Sequence[Completion]]) -> None:
        """Nothing is ever asked."""
