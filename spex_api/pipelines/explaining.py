"""The user's own pipeline, explained: survey → decode → search → test.

A third of the runs are a survey under random masks, from which a surrogate is decoded; the rest
looks for the few parts on which the answer hangs, and tests them on runs of its own. What this
module does not know: how a part is left out, how a cause is found, and what the pipeline calls.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from spex_api.causes.fresh_answers import FreshAnswers, own_text
from spex_api.causes.search import Known, find_causes
from spex_api.claims import Causes
from spex_api.completions import Usage
from spex_api.design import draw_design
from spex_api.errors import UsageError
from spex_api.events import EventHandler, Notice, ignore
from spex_api.explainer import inquire
from spex_api.indices import check_index
from spex_api.pipelines.adapter import PipelineAdapter
from spex_api.pipelines.inputs import Inputs
from spex_api.pipelines.model_calls import ModelCalls
from spex_api.pipelines.score import Hit, OfRuns, pipeline_score
from spex_api.pipelines.sides import sides_of
from spex_api.pipelines.telling import cost_of, warnings_of
from spex_api.querying.answers.memory import MemoryStore
from spex_api.querying.budget import Budget
from spex_api.querying.evaluation import Evaluation
from spex_api.querying.ledger import Ledger
from spex_api.querying.pace.limits import Limits
from spex_api.querying.policy import Meter
from spex_api.querying.stack import Terms, open_beside
from spex_api.querying.value_function import ValueFunction
from spex_api.scores import ToolCalled
from spex_api.scores.tool_calls import with_calls
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from spex_api.claims import Arrangement
    from spex_api.completions import Completion, CompletionRequest
    from spex_api.decoding.decoder import Decoder
    from spex_api.explainer import Inquiry
    from spex_api.explanation import Explanation
    from spex_api.pipelines.arguments import Vary
    from spex_api.querying.pricing import Price
    from spex_api.scores import Matcher, Score

__all__ = ["explain_pipeline", "explain_pipeline_sync"]

_DEFAULT_BUDGET: Final = Budget(200)
_NO_LIMITS: Final = Limits()
_SURVEY: Final = 0.32
"""Of the runs: 64 of 200."""
_FEWEST: Final = 20
"""Masks, below which nothing is decoded."""
_ALL_THE_SAME: Final = (
    "Every answer of the survey has the same value, so nothing hangs on any part: vary another "
    "argument, or read the answers by another score."
)
_NOTHING_LEFT: Final = "The survey took all runs: raise the budget."


async def explain_pipeline(
    answer: Callable[..., Any],
    inputs: object,
    *,
    vary: Vary = None,
    score: Score | Matcher | str | Sequence[str] = "auto",
    budget: Budget = _DEFAULT_BUDGET,
    verify: bool = True,
    index: str = "FBII",
    order: int = 2,
    decoder: str | Decoder = "auto",
    seed: int = 0,
    concurrency: int = 4,
    model_limits: Limits = _NO_LIMITS,
    price: Price | None = None,
    store_prompts: bool = True,
    on_event: EventHandler = ignore,
) -> Explanation:
    """Explains what a pipeline of the user's answers, and finds what brings the answer about.

    The function is called again and again with parts of its arguments left out. Calls of models in
    it that go through clients of `spex_adapters.record` are answered from disk where they can be,
    and keep to the limits and the budget; other calls it makes as ever. Whole answers of the
    pipeline are not kept on disk, since nobody can tell whether it is the same one tomorrow.

    A run that ends in an exception has no value and is counted, unless nothing was left out.

    Args:
        answer: the function, plain or asynchronous; plain ones run in threads. It should not change
            what it is given: the elements of its lists are the caller's own.
        inputs: its arguments by name, or a tuple of them by place.
        vary: which arguments' parts are features: the name of a list or a tuple, several names, or
            names and how each is cut, as {"question": "sentences"}; by default every list's
            elements.
        score: what is looked for in an answer: a text that it says, a matcher as `Pattern` or
            `ToolCalled`, labels of which the first counts, or any score that needs only texts;
            "auto" compares answers to that with everything in.
        budget: `requests` caps the runs in all. `tokens` and `usd` cap what the recorded calls of
            models take.
        verify: whether causes are looked for and tested; without, all runs are the survey.
        index: the interaction index; see `spex_api.indices`.
        order: the size of the largest interactions.
        decoder: "auto", a decoder's name, or a decoder.
        seed: of everything that is drawn.
        concurrency: how many runs may be under way at once.
        model_limits: what each model that is called bears in a minute.
        price: what the models cost; by default the price list's.
        store_prompts: whether records of calls hold what was asked, or only its digest.
        on_event: is told what happens.

    Returns:
        The explanation. Its `prompt` shows the parts, its `causes` what was tested.

    Raises:
        UsageError: something is asked for that there is not, or the function gives no answer.
        BudgetTooSmall: too few runs to fit anything.
        PipelineFailed: the function fails with nothing left out.
        ScoreError: the answers do not hold what the score reads, or too many are exceptions.
        BudgetExhausted: a cap on tokens or dollars was reached before there was anything to tell.
        CacheMiss: a recorded call is not on disk, and `SPEX_OFFLINE` forbids making it.
    """
    check_index(index, order)
    _check(budget, concurrency)
    read, reads = Inputs.of(answer, inputs, vary), pipeline_score(score)
    with ModelCalls(budget, limits=model_limits, price=price, store_prompts=store_prompts) as calls:
        adapter = PipelineAdapter(answer, read, calls=calls, concurrency=concurrency)
        async with _opened(adapter, read, reads, budget.requests, on_event) as pipeline:
            design = draw_design(
                decoder,
                num_features=read.prompt.num_features,
                num_masks=pipeline.num_masks(verify=verify),
                seed=seed,
            )
            before = Evaluation.nothing(opened=pipeline.function.opened)
            asked = await inquire(pipeline.function, design, before=before)
            second = asked.answers.second
            causes = None
            if verify:
                causes, more = await pipeline.causes(asked, seed=seed)
                second += more
    function = pipeline.function
    explanation = asked.explained(function, index=index, order=order, budget=budget)
    told = explanation.provenance
    warnings = told.warnings + warnings_of(asked.answers.values, adapter, calls, budget)
    return replace(
        explanation,
        usage=cost_of(pipeline.ledger.spent.requests, calls, second, function.second_price),
        provenance=replace(told, warnings=warnings),
        causes=causes,
        pipeline=read.described(answer),
    )


explain_pipeline_sync = synchronous(explain_pipeline, name="explain_pipeline_sync")


@dataclass(frozen=True, slots=True)
class _Pipeline:
    """A pipeline behind its policies.

    Attributes:
        function: of masks.
        inputs: its arguments.
        score: what is read in its answers, once it knows what it must.
        ledger: its runs.
    """

    function: ValueFunction
    inputs: Inputs
    score: OfRuns
    ledger: Ledger

    @property
    def left(self) -> int:
        """How many answers there are runs left for."""
        whole = np.ones(self.inputs.prompt.num_features, dtype=np.uint8)
        runs = self.ledger.budget.requests - self.ledger.spent.requests
        return runs // len(self.function.question(whole))

    def num_masks(self, *, verify: bool) -> int:
        """How many masks the survey has."""
        if not verify:
            return self.left
        fewest = max(round(_SURVEY * self.left), _FEWEST)
        return min(self.left, fewest)

    def question(self, arrangement: Arrangement) -> tuple[CompletionRequest, ...]:
        """What is asked with these parts left out or moved.

        Raises:
            UsageError: a part is to be moved that stands in no list.
        """
        messages = self.inputs.asked(self.inputs.arranged(arrangement))
        return self.function.score.requests(messages, self.function.adapter.capabilities)

    async def causes(self, asked: Inquiry, *, seed: int) -> tuple[Causes, Usage]:
        """What is found with the runs that the survey has left, and what a second model took.

        Raises:
            CacheMiss: a recorded call is not on disk, and may not be made.
        """
        values = asked.answers.values
        sides = sides_of(self.score, values)
        if sides is None:
            always = f"the {self.score.meaning} is {np.nanmean(values):.3g}"
            return Causes(always, (), (), 0, advice=_ALL_THE_SAME), Usage()
        outcome, left = sides.outcome, self.left
        if left < 1:
            return Causes(outcome.words, (), (), 0, advice=_NOTHING_LEFT), Usage()
        self.function.on_event(Notice(f"Looking for what it hangs on that {outcome.words}."))
        told = np.isfinite(values)
        masks = asked.design.survey.plan.masks[: len(values)][told]
        holds = np.array([outcome.holds(value) is True for value in values[told].tolist()])
        looks_at_tools = isinstance(self.score.score, Hit) and isinstance(
            self.score.score.matcher, ToolCalled
        )
        runs = FreshAnswers(
            self.function,
            outcome,
            self.question,
            first=1,  # the survey has asked the first time
            total=left,
            text=_with_its_calls if looks_at_tools else own_text,
        )
        found = await find_causes(
            runs,
            self.inputs.prompt.num_features,
            budget=left,
            outcome=outcome.words,
            otherwise=sides.otherwise,
            seed=seed,
            known=Known(masks, holds.astype(np.uint8)),
            places=self.inputs.places,
        )
        return sides.drawn(found), runs.second


@asynccontextmanager
async def _opened(
    adapter: PipelineAdapter,
    inputs: Inputs,
    score: OfRuns,
    runs: int,
    on_event: EventHandler,
) -> AsyncIterator[_Pipeline]:
    """The pipeline behind its policies, for as long as the context lasts; the score is opened.

    Raises:
        UsageError: no adapter has the name of the score's second model, or a cap in dollars meets a
            price that is not known.
    """
    calls, ledger, meter = adapter.calls, Ledger(Budget(runs)), Meter()
    tell = calls.telling(on_event)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(adapter.aclose)
        terms = Terms(concurrency=adapter.capabilities.concurrency, store=MemoryStore())
        stack = await opened.enter_async_context(
            open_beside(adapter, ledger=ledger, meter=meter, terms=terms, on_event=tell)
        )
        first = ValueFunction(inputs.prompt, stack.adapter, score, meter, stack.concurrency, tell)
        function = await first.open()
        if score.second_model:
            terms = Terms(mode=calls.mode, store_prompts=calls.store_prompts)
            beside = await opened.enter_async_context(
                open_beside(
                    score.second_model,
                    ledger=calls.ledger,
                    meter=calls.meter,
                    terms=terms,
                    on_event=tell,
                )
            )
            function = replace(function, second=beside.adapter, second_price=beside.price)
        known = function.score
        yield _Pipeline(function, inputs, known if isinstance(known, OfRuns) else score, ledger)


def _with_its_calls(answer: Completion) -> str:
    return with_calls(answer.text, answer.tool_calls)


def _check(budget: object, concurrency: object) -> None:
    if not isinstance(budget, Budget):
        raise UsageError(f"{budget!r} is no budget.", advice="For instance Budget(requests=200).")
    if not isinstance(concurrency, int) or concurrency < 1:
        raise UsageError(f"At least one run must be under way at once, not {concurrency!r}.")
