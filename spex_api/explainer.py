"""The whole architecture on one screen: plan → query → decode → index."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from spex_api.decoding.auto import choose_decoder
from spex_api.decoding.ridge import additive_ridge
from spex_api.errors import UsageError
from spex_api.events import EventHandler, Notice, ignore
from spex_api.explanation import Cost, Explanation, Provenance
from spex_api.fidelity import Faithfulness, held_out_faithfulness
from spex_api.indices import Interactions, check_index, interactions
from spex_api.querying.budget import Budget
from spex_api.querying.policy import Meter
from spex_api.querying.stack import open_stack
from spex_api.querying.value_function import Evaluation, ValueFunction
from spex_api.sampling.survey import Survey, draw_survey
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from spex_api.decoding.decoder import Decoder, Recovery
    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter
    from spex_api.scores import Score

__all__ = ["explain", "explain_function", "explain_sync"]

DEFAULT_BUDGET = Budget()


async def explain(
    prompt: Prompt,
    model: str | Adapter,
    *,
    score: Score,
    budget: Budget = DEFAULT_BUDGET,
    index: str = "FBII",
    order: int = 2,
    decoder: str | Decoder = "auto",
    seed: int = 0,
    concurrency: int | None = None,
    on_event: EventHandler = ignore,
) -> Explanation:
    """Explains a model's answer to a prompt by asking it under masks.

    A mask that the endpoint refuses for good is left out and counted (`Provenance.refused`); the
    run ends where it refuses the first one, or too many.

    Args:
        prompt: what is asked, and which parts of it may be masked.
        model: a name such as "local" or "openai:gpt-4.1-mini", or an adapter.
        score: the number in an answer.
        budget: the cap. A fifth of the masks is held out to measure the fit.
        index: the interaction index; see `spex_api.indices`.
        order: the size of the largest interactions.
        decoder: "auto", a decoder's name, or a decoder.
        seed: of everything that is drawn.
        concurrency: how many requests may be under way at once; by default the endpoint's own.
        on_event: is told what happens.

    Raises:
        UsageError: something is asked for that there is not; nothing was sent.
        ScoreError: the answers do not hold what the score reads.
        CacheMiss: an answer is missing, and `SPEX_OFFLINE` forbids asking.
        AdapterError: the endpoint failed; what was answered before is on disk.
    """
    check_index(index, order)
    meter = Meter()
    async with open_stack(model, budget=budget, meter=meter, on_event=on_event) as adapter:
        workers = concurrency or adapter.capabilities.concurrency
        function = ValueFunction(prompt, adapter, score, meter, workers, on_event)
        num_masks = budget.requests // function.requests_per_mask()
        design = _design(decoder, prompt.num_features, num_masks, seed)
        answers = await function.evaluate(design.survey.plan.masks)
    on_event(Notice(f"Decoding. {design.reason}"))
    finding = await asyncio.to_thread(_decode, design, answers, ordered=prompt.ordered)
    source = _Source(adapter.model, adapter.endpoint, repr(score), score.meaning)
    cost = _cost(answers, meter, free=adapter.capabilities.free)
    found = finding.interactions(index, order, prompt.features)
    return _explanation(design, answers, finding, found, source=source, cost=cost, prompt=prompt)


explain_sync = synchronous(explain, name="explain_sync")


def explain_function(
    function: Callable[[NDArray[np.uint8]], ArrayLike],
    *,
    num_features: int,
    budget: Budget = DEFAULT_BUDGET,
    index: str = "FBII",
    order: int = 2,
    decoder: str | Decoder = "auto",
    seed: int = 0,
    ordered: bool = False,
    names: tuple[str, ...] = (),
) -> Explanation:
    """Explains any function of masks the same way.

    Args:
        function: from masks of shape (num_masks, num_features) to values of shape (num_masks,).
        num_features: how many features a mask has.
        budget: `requests` is the number of masks.
        index: the interaction index.
        order: the size of the largest interactions.
        decoder: "auto", a decoder's name, or a decoder.
        seed: of everything that is drawn.
        ordered: whether neighbouring features are neighbours.
        names: one a feature, or none.

    Raises:
        UsageError: something is asked for that there is not, or the values have another shape.
    """
    check_index(index, order)
    if names and len(names) != num_features:
        raise UsageError(f"{len(names)} names are given for {num_features} features.")
    design = _design(decoder, num_features, budget.requests, seed)
    masks = design.survey.plan.masks
    answers = Evaluation.of_values(function(masks), len(masks))
    finding = _decode(design, answers, ordered=ordered)
    name = getattr(function, "__name__", type(function).__name__)
    source = _Source(name, meaning="value of the function")
    cost = _cost(answers, Meter(sent=len(answers.values)), free=True)
    found = finding.interactions(index, order, names)
    return _explanation(design, answers, finding, found, source=source, cost=cost)


@dataclass(frozen=True, slots=True)
class _Design:
    """Which masks, for which decoder, and why that one."""

    decoder: Decoder
    reason: str
    survey: Survey
    seed: int


@dataclass(frozen=True, slots=True)
class _Source:
    """Who gave the values, and what they are."""

    model: str
    endpoint: str = ""
    score: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Finding:
    """What the samples show, and how well."""

    recovery: Recovery
    faithfulness: Faithfulness
    num_samples: int

    def interactions(self, index: str, order: int, names: tuple[str, ...]) -> Interactions:
        """The transform's interactions, with intervals where the decoder has a covariance."""
        found, covariance = self.recovery.transform, self.recovery.covariance
        return interactions(found, index, order, covariance=covariance, names=names)


def _design(decoder: str | Decoder, num_features: int, num_queries: int, seed: int) -> _Design:
    chosen, reason = choose_decoder(decoder, num_features=num_features, num_queries=num_queries)
    survey = draw_survey(
        lambda count: chosen.plan(num_features, count, seed),
        num_features=num_features,
        num_queries=num_queries,
        seed=seed,
    )
    return _Design(chosen, reason, survey, seed)


def _decode(design: _Design, answers: Evaluation, *, ordered: bool) -> _Finding:
    plan, held_out = design.survey.plan, design.survey.held_out
    seen = answers.samples(plan, ~held_out, ordered=ordered)
    exhaustive = not held_out.any()
    unseen = seen if exhaustive else answers.samples(plan, held_out, ordered=ordered)
    recovery = design.decoder.decode(seen)
    faithfulness = held_out_faithfulness(
        unseen.values,
        recovery.transform(unseen.masks),
        additive=additive_ridge(seen)(unseen.masks),
        seed=design.seed,
        exhaustive=exhaustive,
    )
    return _Finding(recovery, faithfulness, len(seen))


def _cost(answers: Evaluation, meter: Meter, *, free: bool) -> Cost:
    return Cost(
        requests=answers.usage.requests,
        input_tokens=answers.usage.input_tokens,
        output_tokens=answers.usage.output_tokens,
        usd=0.0 if free else None,
        sent=meter.sent,
        cached=meter.cached,
    )


def _explanation(
    design: _Design,
    answers: Evaluation,
    finding: _Finding,
    found: Interactions,
    *,
    source: _Source,
    cost: Cost,
    prompt: Prompt | None = None,
) -> Explanation:
    return Explanation(
        prompt=prompt,
        interactions=found,
        transform=finding.recovery.transform,
        faithfulness=finding.faithfulness,
        usage=cost,
        decoder=repr(design.decoder),
        reason=design.reason,
        status=str(finding.recovery.status),
        complete=answers.complete,
        provenance=Provenance(
            model=source.model,
            endpoint=source.endpoint,
            served=answers.models,
            score=source.score,
            meaning=source.meaning,
            seed=design.seed,
            planned=len(design.survey.plan.masks),
            samples=finding.num_samples,
            censored=answers.censored,
            without_value=answers.without_value,
            refused=answers.refused,
            full=answers.anchor(0),
            empty=answers.anchor(1),
            version=version("spex-api"),
        ),
    )
