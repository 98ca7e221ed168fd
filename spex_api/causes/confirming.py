"""What an explanation claims, tested on the model itself near the full prompt.

What this module does not know: what is claimed, and how a claim is tested.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from spex_api.causes.claimed import claimed_causes
from spex_api.causes.fresh_answers import FRESH, FreshAnswers
from spex_api.causes.known import lacking
from spex_api.causes.outcome import EVEN, Outcome
from spex_api.causes.verification import verify as put_to_the_test
from spex_api.claims import Cause, Causes, Kind
from spex_api.errors import UsageError
from spex_api.events import EventHandler, Notice, ignore
from spex_api.provenance import Cost
from spex_api.querying.asking import open_function
from spex_api.querying.budget import Budget
from spex_api.querying.pace.limits import Limits
from spex_api.querying.stack import Terms
from spex_api.scores import Chosen, LabelFrequency, as_score
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.claims import Arrangement
    from spex_api.completions import CompletionRequest
    from spex_api.explanation import Explanation
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.cache import AnswerStore
    from spex_api.querying.pricing import Price
    from spex_api.querying.value_function import ValueFunction
    from spex_api.scores import Score

__all__ = ["verify", "verify_sync"]

_NO_LIMITS: Final = Limits()
_SHARE: Final = 0.05
_LEAST: Final = 20
"""About a twentieth of what the explanation took, and no fewer answers than this."""
_MOST_REQUESTS: Final = 1_000_000
"""Where there is no cap, the number of answers is one."""
_NOTHING_CLAIMED: Final = (
    "By the explanation no few parts turn the answer, so there was nothing to test. Ask more "
    "queries, explain other parts, or give a threshold nearer to the whole prompt's value."
)


async def verify(
    explanation: Explanation,
    model: str | Adapter,
    *,
    score: Score | str | Sequence[str] = "auto",
    budget: Budget | None = None,
    threshold: float | None = None,
    limits: Limits = _NO_LIMITS,
    concurrency: int | None = None,
    price: Price | None = None,
    mode: str = "live",
    store_prompts: bool = True,
    store: AnswerStore | None = None,
    on_event: EventHandler = ignore,
) -> Explanation:
    """Tests what an explanation claims, by asking the model near the full prompt.

    The claims are the surrogate's: which few parts turn the answer when they are removed, which
    suffice on their own, which interactions turn it. Each is asked with everything in, each part
    out alone, all out, on answers that the explanation has not seen. Sampled answers are repeated
    until a claim is confirmed, or the budget ends; values that repeat exactly are asked once.

    Args:
        explanation: of a prompt.
        model: who was asked.
        score: the number in an answer, as it was explained.
        budget: the cap of the test; by default a twentieth of the explanation's requests, and at
            least 20 answers.
        threshold: what a value must pass for the answer to be another; by default 0 of a log-odds,
            ½ of a share, and of other scores half way between the whole prompt and the empty one.
        limits: this and the rest as in `explain`.
        concurrency: as in `explain`.
        price: as in `explain`.
        mode: as in `explain`.
        store_prompts: as in `explain`.
        store: as in `explain`.
        on_event: is told what happens.

    Returns:
        The explanation with its `causes`: what was confirmed, and what was not.

    Raises:
        UsageError: the explanation is of a function, or no threshold lies between its values.
        CacheMiss: an answer is missing, and no connection may be opened.
        AdapterError: the endpoint failed; what was answered before is on disk.
    """
    prompt = explanation.prompt
    if prompt is None:
        raise UsageError(
            "This explanation is of a function: there is no prompt to ask a model about.",
            advice="Test it by calling the function, or explain a prompt.",
        )
    terms = Terms(limits, concurrency, price, mode, store_prompts=store_prompts, store=store)
    async with open_function(
        prompt,
        model,
        score=as_score(score),
        budget=budget or Budget(_MOST_REQUESTS),
        terms=terms,
        on_event=on_event,
    ) as opened:
        outcome = _outcome(explanation, _score_of(opened), threshold)
        function, seen = _one_at_a_time(opened, outcome)
        each = function.requests_per_mask()
        answers = max(_LEAST, math.ceil(_SHARE * explanation.usage.requests / each))
        if budget is not None:
            answers = budget.requests // each
        claimed = await asyncio.to_thread(claimed_causes, explanation, outcome)
        causes = Causes(outcome.words, (), (), 0, advice=_NOTHING_CLAIMED)
        asked = FreshAnswers(
            function,
            seen,
            partial(_without, function),
            first=FRESH,
            total=answers,
        )
        if claimed:
            causes = await put_to_the_test(
                claimed,
                asked,
                budget=answers,
                outcome=outcome.words,
                exact=not _is_sampled(function),
            )
    causes = replace(causes, causes=_told(causes), threshold=seen.threshold, above=seen.above)
    on_event(Notice(f"{len(causes.confirmed)} of {len(causes.causes)} causes are confirmed."))
    usage = explanation.usage + _cost(asked)
    return replace(explanation, causes=causes, usage=usage)


verify_sync = synchronous(verify, name="verify_sync")


def _outcome(explanation: Explanation, score: Score, threshold: float | None) -> Outcome:
    """What holds of the answer to the whole prompt, as the explanation tells it.

    Raises:
        UsageError: the whole prompt has no value, or no threshold lies below it or above.
    """
    told = explanation.provenance
    full = math.nan if told.full is None else told.full
    if threshold is None:
        return Outcome.of(score, full=full, empty=told.empty)
    return Outcome.beyond(score, threshold, full=full)


def _score_of(function: ValueFunction) -> Score:
    return function.score.score if isinstance(function.score, Chosen) else function.score


def _one_at_a_time(function: ValueFunction, outcome: Outcome) -> tuple[ValueFunction, Outcome]:
    """The same with one answer where the explanation counted several, and what holds of one.

    So a test that is sure after eight answers takes eight, and the trials count what was answered.
    """
    score = _score_of(function)
    if not isinstance(score, LabelFrequency):
        return function, outcome
    single = LabelFrequency(
        *score.labels,
        samples=1,
        scale="probability",
        max_tokens=score.max_tokens,
        temperature=score.temperature,
        match=score.match,
        max_censored=score.max_censored,
    )
    return replace(function, score=single), replace(outcome, threshold=EVEN)


def _cost(asked: FreshAnswers) -> Cost:
    """What the test took."""
    function, usage = asked.function, asked.usage + asked.second
    usd = function.price.cost(asked.usage) if function.price else None
    if asked.second.requests:
        second = function.second_price
        usd = None if usd is None or second is None else usd + second.cost(asked.second)
    return Cost(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        usd=usd,
        sent=function.meter.sent,
        cached=max(function.meter.cached, 0),
    )


def _without(function: ValueFunction, arrangement: Arrangement) -> tuple[CompletionRequest, ...]:
    """What is asked with these parts left out.

    Raises:
        UsageError: a part is to be moved.
    """
    if arrangement.moved:
        raise UsageError("The parts of a prompt stand where they stand: none can be moved.")
    (mask,) = lacking([arrangement.removed], function.prompt.num_features)
    return function.question(mask)


def _told(causes: Causes) -> tuple[Cause, ...]:
    """The causes without those that are a part of a confirmed one: that says what they say."""
    return tuple(
        cause
        for cause in causes.causes
        if cause.kind is Kind.SUFFICIENT
        or not any(
            set(cause.features) < set(other.features)
            for other in causes.confirmed
            if other.kind is not Kind.SUFFICIENT
        )
    )


def _is_sampled(function: ValueFunction) -> bool:
    """Whether answers to one question differ by design."""
    whole = np.ones(function.prompt.num_features, dtype=np.uint8)
    return any(request.temperature > 0 for request in function.question(whole))
