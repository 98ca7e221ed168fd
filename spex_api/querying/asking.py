"""A prompt, a model and a score, ready to be asked: all policies stand, the score is opened.

What this module does not know: which masks will be asked, and what becomes of the values.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from spex_api.errors import UsageError
from spex_api.events import EventHandler, Notice, ignore
from spex_api.prompts import Prompt
from spex_api.querying.batches.journals import batches_folder
from spex_api.querying.batches.opening import open_batches, run_name
from spex_api.querying.budget import Budget
from spex_api.querying.cache import Mode
from spex_api.querying.policy import Meter
from spex_api.querying.stack import Stack, Terms, open_stack
from spex_api.querying.value_function import ValueFunction
from spex_api.scores import Chosen, Seconded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from spex_api.querying.adapter import Adapter
    from spex_api.scores import Score

__all__ = ["check_asked", "function_on", "open_function"]


@asynccontextmanager
async def open_function(
    prompt: Prompt,
    model: str | Adapter,
    *,
    score: Score,
    budget: Budget,
    terms: Terms,
    run: tuple[str, ...] = (),
    on_event: EventHandler = ignore,
) -> AsyncIterator[ValueFunction]:
    """The function of masks that is explained, for as long as the context lasts.

    A score that must know something first, as the answer to the whole prompt, asks for it now.

    Args:
        prompt: what is asked, and which parts of it may be masked.
        model: a model's name, or an adapter.
        score: the number in an answer.
        budget: the cap.
        terms: on what terms the model is asked.
        run: what else makes this run what it is: a batch that was left open is found by it.
        on_event: is told what happens.

    Raises:
        UsageError: no adapter has that name, a cap in dollars meets a model of unknown price, or a
            batch is asked for that the endpoint does not take; nothing was sent.
        CacheCorrupt: the folder of answers is not ours.
        ScoreError: the endpoint does not answer with what the score must know first.
        CacheMiss: what it must know is not on disk, and no connection may be opened.
        AdapterError: the endpoint failed.
    """
    check_asked(prompt, model, budget)
    async with (
        open_stack(model, budget=budget, meter=Meter(), terms=terms, on_event=on_event) as stack,
        function_on(
            stack, prompt, score=score, terms=terms, run=run, on_event=on_event
        ) as function,
    ):
        yield function


@asynccontextmanager
async def function_on(
    stack: Stack,
    prompt: Prompt,
    *,
    score: Score,
    terms: Terms,
    run: tuple[str, ...] = (),
    second: Callable[[str], Awaitable[Stack]] | None = None,
    on_event: EventHandler = ignore,
) -> AsyncIterator[ValueFunction]:
    """The same on policies that stand already, and that others may share.

    Args:
        stack: who is asked, behind its policies.
        prompt: what is asked, and which parts of it may be masked.
        score: the number in an answer.
        terms: on what terms the model is asked; what the stack has of them, it keeps.
        run: what else makes this run what it is: a batch that was left open is found by it.
        second: opens a second model by its name, where several functions share it.
        on_event: is told what happens.

    Raises:
        UsageError: the score's second model meets a cap in dollars and has no known price, or a
            batch is asked for that the endpoint does not take.
        ScoreError: the endpoint does not answer with what the score must know first.
        CacheMiss: what it must know is not on disk, and no connection may be opened.
        AdapterError: the endpoint failed.
    """
    async with AsyncExitStack() as opened:
        first = ValueFunction(
            prompt,
            stack.adapter,
            score,
            stack.adapter.meter,
            stack.concurrency,
            on_event,
            usd_cap=stack.ledger.budget.usd,
            price=stack.price,
            unasked=terms.unasked,
        )
        function = await first.open()
        if isinstance(function.score, Chosen):
            on_event(Notice(function.score.reason))
        if isinstance(function.score, Seconded):
            name = function.score.second_model
            if not name:
                beside = stack
            elif second is not None:
                beside = await second(name)
            else:
                beside = await opened.enter_async_context(stack.beside(name, on_event=on_event))
            function = replace(function, second=beside.adapter, second_price=beside.price)
        if terms.batch and stack.adapter.mode is not Mode.REPLAY:
            named = run_name(stack.adapter, repr(prompt), repr(score), *run)
            batches = open_batches(
                stack.adapter,
                run=named,
                folder=batches_folder(),
                ledger=stack.ledger,
                price=terms.price,
                on_event=on_event,
            )
            function = replace(function, fill_first=await opened.enter_async_context(batches))
        yield function


def check_asked(prompt: object, model: object, budget: object) -> None:
    """Refuses, in a sentence, what is none of these: each is easily mistaken for another.

    Args:
        prompt: what should be a prompt; None where there is none yet.
        model: what should be a model's name or an adapter.
        budget: what should be a budget.

    Raises:
        UsageError: one is of another kind.
    """
    if prompt is not None and not isinstance(prompt, Prompt):
        raise UsageError(
            f"{prompt!r} is no prompt.",
            advice='Make one: Prompt.from_template("… {text}", text=…), or from_openai(messages).',
        )
    if not isinstance(model, str) and not callable(getattr(model, "complete", None)):
        raise UsageError(
            f"{model!r} is neither a model's name nor an adapter.",
            advice='A model is named as in "openai:gpt-4.1-mini"; "local" needs no key.',
        )
    if not isinstance(budget, Budget):
        raise UsageError(f"{budget!r} is no budget.", advice="For instance Budget(requests=1000).")
