"""The whole architecture on one screen: plan → query → decode → index.

With a target, query and decode take turns until it is reached.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from spex_api.design import draw_design
from spex_api.errors import UsageError
from spex_api.events import EventHandler, Notice, ignore
from spex_api.explanation import Cost, Explanation, Provenance
from spex_api.finding import find
from spex_api.indices import check_index
from spex_api.querying.asking import open_function
from spex_api.querying.budget import Budget
from spex_api.querying.first_look import FirstLook
from spex_api.querying.pace.limits import Limits
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import FREE
from spex_api.querying.stack import Terms
from spex_api.querying.unasked import Unasked
from spex_api.querying.value_function import Evaluation
from spex_api.sampling.uniform import HALF
from spex_api.scores import Chosen, as_score
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from spex_api.decoding.decoder import Decoder
    from spex_api.design import Design
    from spex_api.fidelity import Checkpoint
    from spex_api.finding import Finding
    from spex_api.indices import Interactions
    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.cache import AnswerStore
    from spex_api.querying.pricing import Price
    from spex_api.querying.value_function import ValueFunction
    from spex_api.scores import Score

__all__ = ["Inquiry", "explain", "explain_function", "explain_sync", "inquire"]

DEFAULT_BUDGET = Budget()
NO_LIMITS = Limits()


async def explain(
    prompt: Prompt,
    model: str | Adapter,
    *,
    score: Score | str | Sequence[str] = "auto",
    budget: Budget = DEFAULT_BUDGET,
    index: str = "FBII",
    order: int = 2,
    decoder: str | Decoder = "auto",
    seed: int = 0,
    keep: float = HALF,
    target_faithfulness: float | None = None,
    limits: Limits = NO_LIMITS,
    concurrency: int | None = None,
    price: Price | None = None,
    mode: str = "live",
    store_prompts: bool = True,
    store: AnswerStore | None = None,
    batch: bool = False,
    unasked: Sequence[tuple[int, int]] = (),
    on_event: EventHandler = ignore,
) -> Explanation:
    """Explains a model's answer to a prompt by asking it under masks.

    A mask that the endpoint refuses for good is left out and counted (`Provenance.refused`); the
    run ends where it refuses the first one, or too many.

    Args:
        prompt: what is asked, and which parts of it may be masked.
        model: a name such as "local" or "openai:gpt-4.1-mini", or an adapter.
        score: the number in an answer; a list of labels, or "auto", for one that suits the endpoint
            and its answer to the whole prompt (`Provenance.chosen` says why that one).
        budget: the cap. About a fifth of the masks is held out to measure the fit.
        index: the interaction index; see `spex_api.indices`.
        order: the size of the largest interactions.
        decoder: "auto", a decoder's name, or a decoder.
        seed: of everything that is drawn.
        keep: the probability with which a mask keeps each part, from 0.5 to 0.95: near 1 the masks
            stand near the full prompt. Decoders with masks of their own take 0.5 only.
        target_faithfulness: stop as soon as the lower end of the held-out interval reaches this R²,
            from 0 to 1; None asks the whole budget. See `spex_api.stopping`.
        limits: what the endpoint bears in a minute; what is left out is learned from its replies.
        concurrency: how many requests may be under way at once; by default the endpoint's own.
        price: what the model costs; by default the price list's.
        mode: "live" asks what is not on disk, "refresh" asks all anew, "replay" asks nothing.
        store_prompts: whether what was asked is kept on disk, or only its digest.
        store: where answers are kept, in place of the folder on disk; it stays open.
        batch: whether the masks are sent as batches: half the price, within a day. `usage.usd` is
            what single answers would have cost.
        unasked: of a replay: the masks that the budget of the run left out
            (`Provenance.unasked`), which are left out again. Without it their answers are missing.
        on_event: is told what happens.

    Raises:
        UsageError: something is asked for that there is not; nothing was sent.
        ScoreError: the answers do not hold what the score reads.
        CacheMiss: an answer is missing, and `SPEX_OFFLINE` forbids asking.
        AdapterError: the endpoint failed; what was answered before is on disk.
    """
    check_index(index, order)
    terms = Terms(
        limits,
        concurrency,
        price,
        mode,
        store_prompts=store_prompts,
        batch=batch,
        unasked=Unasked(tuple(unasked)),
        store=store,
    )
    run = (repr(decoder), str(seed), str(keep))
    score = as_score(score)
    async with open_function(
        prompt, model, score=score, budget=budget, terms=terms, run=run, on_event=on_event
    ) as function:
        first_look = FirstLook.within(budget, function)
        design = draw_design(
            decoder,
            num_features=prompt.num_features,
            num_masks=first_look.num_masks,
            seed=seed,
            keep=keep,
            target=target_faithfulness,
        )
        probed = await first_look.take(design.survey.plan.masks)
        before = Evaluation.nothing(probed, function.opened)
        asked = await inquire(function, design, before=before)
    return asked.explained(
        function, index=index, order=order, budget=budget, noise_floor=probed.noise_floor
    )


explain_sync = synchronous(explain, name="explain_sync")


@dataclass(frozen=True, slots=True, eq=False)
class Inquiry:
    """What was asked under masks, and what is found in it.

    Attributes:
        design: what was to be asked.
        answers: to the first of the design's masks, in their order.
        finding: at the last look.
        curve: how faithful it would have been from fewer of the answers.
    """

    design: Design
    answers: Evaluation
    finding: Finding
    curve: tuple[Checkpoint, ...] = ()

    def explained(
        self,
        function: ValueFunction,
        *,
        index: str,
        order: int,
        budget: Budget,
        noise_floor: float | None = None,
    ) -> Explanation:
        """The same as an explanation.

        Args:
            function: what was asked.
            index: the interaction index.
            order: the size of the largest interactions.
            budget: the cap.
            noise_floor: how far values differ under one mask, where somebody looked.
        """
        finding = self.finding
        return _explanation(
            self.design,
            self.answers,
            finding,
            finding.interactions(index, order, function.prompt.features),
            ending=finding.ending(self.design, self.answers, budget.requests),
            source=_Source.of(function, noise_floor),
            cost=_cost(self.answers, function.meter, function.price, function.second_price),
            prompt=function.prompt,
            curve=self.curve,
        )


async def inquire(function: ValueFunction, design: Design, *, before: Evaluation) -> Inquiry:
    """Asks a design's masks and decodes, look by look.

    Args:
        function: what is asked.
        design: under which masks, and when to look.
        before: what is known of it already.

    Raises:
        ScoreError: the answers do not hold what the score reads.
        CacheMiss: an answer is missing, and no connection may be opened.
        AdapterError: the endpoint failed; what was answered before is on disk.
    """
    answers = before
    for look in design.looks:
        masks = design.survey.plan.masks[: look.num_masks]
        answers += await function.evaluate(masks, before=answers)
        function.on_event(Notice(f"Decoding. {look.reason}"))
        finding = await asyncio.to_thread(
            find, design, look, answers=answers, ordered=function.prompt.ordered
        )
        if finding.enough or not answers.complete:
            break
    curve = await asyncio.to_thread(finding.curve, seed=design.seed)
    return Inquiry(design, answers, finding, curve)


def explain_function(
    function: Callable[[NDArray[np.uint8]], ArrayLike],
    *,
    num_features: int,
    budget: Budget = DEFAULT_BUDGET,
    index: str = "FBII",
    order: int = 2,
    decoder: str | Decoder = "auto",
    seed: int = 0,
    keep: float = HALF,
    target_faithfulness: float | None = None,
    ordered: bool = False,
    names: tuple[str, ...] = (),
) -> Explanation:
    """Explains any function of masks the same way.

    Args:
        function: from masks of shape (num_masks, num_features) to values of shape (num_masks,);
            with a target it is called once a round.
        num_features: how many features a mask has.
        budget: `requests` is the number of masks.
        index: the interaction index.
        order: the size of the largest interactions.
        decoder: "auto", a decoder's name, or a decoder.
        seed: of everything that is drawn.
        keep: the probability with which a mask keeps each feature.
        target_faithfulness: the R² at which to stop, or None.
        ordered: whether neighbouring features are neighbours.
        names: one a feature, or none.

    Raises:
        UsageError: something is asked for that there is not, or the values have another shape.
    """
    check_index(index, order)
    if names and len(names) != num_features:
        raise UsageError(f"{len(names)} names are given for {num_features} features.")
    design = draw_design(
        decoder,
        num_features=num_features,
        num_masks=budget.requests,
        seed=seed,
        keep=keep,
        target=target_faithfulness,
    )
    answers = Evaluation.nothing()
    for look in design.looks:
        masks = design.survey.plan.masks[len(answers.values) : look.num_masks]
        answers += Evaluation.of_values(function(masks), len(masks))
        finding = find(design, look, answers=answers, ordered=ordered)
        if finding.enough:
            break
    name = getattr(function, "__name__", type(function).__name__)
    source = _Source(name, meaning="value of the function")
    cost = _cost(answers, Meter(sent=len(answers.values)), FREE)
    found = finding.interactions(index, order, names)
    told = finding.ending(design, answers, budget.requests)
    return _explanation(
        design,
        answers,
        finding,
        found,
        ending=told,
        source=source,
        cost=cost,
        curve=finding.curve(seed=seed),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """Who gave the values, what they are, and how well they repeat."""

    model: str
    endpoint: str = ""
    score: str = ""
    meaning: str = ""
    noise_floor: float | None = None
    chosen: str = ""

    @classmethod
    def of(cls, function: ValueFunction, noise_floor: float | None) -> _Source:
        """The model behind a function of masks, and what is read in its answers."""
        adapter, score, chosen = function.adapter, repr(function.score), ""
        if isinstance(function.score, Chosen):
            score, chosen = repr(function.score.score), function.score.reason
        meaning = function.score.meaning
        return cls(adapter.model, adapter.endpoint, score, meaning, noise_floor, chosen)


def _cost(
    answers: Evaluation, meter: Meter, price: Price | None, second_price: Price | None = None
) -> Cost:
    usage, second = answers.usage, answers.second
    total = usage + second
    usd = price.cost(usage) if price else None
    if second.requests:
        usd = None if usd is None or second_price is None else usd + second_price.cost(second)
    return Cost(
        requests=total.requests,
        input_tokens=total.input_tokens,
        output_tokens=total.output_tokens,
        usd=usd,
        sent=meter.sent,
        cached=max(meter.cached, 0),
    )


def _explanation(
    design: Design,
    answers: Evaluation,
    finding: Finding,
    found: Interactions,
    *,
    ending: str,
    source: _Source,
    cost: Cost,
    curve: tuple[Checkpoint, ...],
    prompt: Prompt | None = None,
) -> Explanation:
    return Explanation(
        prompt=prompt,
        interactions=found,
        transform=finding.recovery.transform,
        faithfulness=finding.faithfulness,
        usage=cost,
        decoder=repr(finding.decoder),
        reason=finding.reason,
        status=str(finding.recovery.status),
        complete=answers.complete,
        provenance=Provenance(
            model=source.model,
            endpoint=source.endpoint,
            served=answers.models,
            score=source.score,
            meaning=source.meaning,
            seed=design.seed,
            planned=len(answers.values),
            samples=finding.num_samples,
            censored=answers.censored,
            without_value=answers.without_value,
            refused=answers.refused,
            full=answers.anchor(0),
            empty=answers.anchor(1),
            version=version("spex-api"),
            keep=design.survey.plan.keep,
            withheld=answers.withheld,
            noise_floor=source.noise_floor,
            chosen=source.chosen,
            warnings=tuple(filter(None, [answers.drift])),
            unasked=answers.unasked.ranges,
        ),
        near=finding.near,
        target=finding.target,
        ending=ending,
        curve=curve,
    )
