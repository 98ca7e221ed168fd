"""Before anything is paid for, about ten questions find out what an endpoint truly gives.

The whole prompt four times (do answers repeat?) and once at another temperature (are log-probs the
model's own?), the prompt with everything masked and under a few random masks (are the labels
listed, and does masking move the value at all?). All go through the adapter that is given, which is
the whole stack: they are budgeted, cached and replayable like any other, and those under masks that
a plan has as well cost the plan nothing. One is asked after the other, so that each latency is one
answer's own.

What this module does not know: what makes an answer insane (`sanity`), and which sentence an answer
deserves (`judging`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spex_api.completions import CompletionRequest
from spex_api.errors import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    ScoreError,
    SpexError,
)
from spex_api.querying.afresh import afresh
from spex_api.querying.clock import Clock, RealClock
from spex_api.querying.probing.answer import Asked
from spex_api.querying.probing.inquiry import Inquiry
from spex_api.querying.probing.judging import flawed
from spex_api.querying.probing.probed import Judgement, Probed, Verdict
from spex_api.querying.probing.sanity import Flaw
from spex_api.sampling.uniform import fresh_masks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.policy import Meter
    from spex_api.querying.probing.inquiry import Shown
    from spex_api.scores import Score

__all__ = ["extra_requests", "most_requests", "probe"]

_REPEATS = 4
"""How often the whole prompt is asked in all."""
_RANDOM_MASKS = 3
_WARM = 1.0

Question = tuple[CompletionRequest, ...]


def extra_requests(question: Question, each: int | None = None) -> int:
    """How many requests a probe takes, at the most, beyond those of a plan whose masks it shares.

    Args:
        question: what one mask asks the model that is explained.
        each: how many requests one mask takes, those to a second model among them.
    """
    return (_REPEATS - 1) * (each or len(question)) + len(_warm(question))


def most_requests(question: Question) -> int:
    """How many requests a probe takes in all, at the most, if none has to be sent again.

    Args:
        question: what one mask takes.
    """
    # One more, where log-probs are refused, finds out whether that is why.
    return extra_requests(question) + (2 + _RANDOM_MASKS) * len(question) + 1


async def probe(
    adapter: Adapter,
    prompt: Prompt,
    score: Score,
    *,
    masks: NDArray[np.uint8] | None = None,
    seed: int = 0,
    meter: Meter | None = None,
    clock: Clock | None = None,
    repeats: bool = True,
    require: bool = False,
    second: Adapter | None = None,
) -> Probed:
    """Asks, and says what is true of the endpoint.

    Args:
        adapter: the whole stack, or an adapter alone.
        prompt: what is asked, and which parts of it may be masked.
        score: the number in an answer.
        masks: shape (num_masks, num_features), those that will be asked anyway; the first few that
            mask something and not all are taken. By default such masks are drawn.
        seed: of the masks that are drawn.
        meter: the stack's: it tells what was sent for from what was on disk. Without one, every
            answer counts as sent for.
        clock: what latencies are measured with.
        repeats: whether the whole prompt is asked again and again, and at another temperature;
            without, all that is asked is under `masks`.
        require: whether a fatal finding is raised, at the first answer that has one.
        second: the score's second model, where it has one.

    Raises:
        EndpointUnfit: with `require`, what the endpoint answers cannot be trusted.
        ScoreError: with `require`, the answers do not hold what the score reads.
        BadRequest: the endpoint refuses the whole prompt, with log-probs or without.
        BudgetExhausted: the cap was reached in between.
        CacheMiss: an answer is missing, and no connection may be opened.
        AdapterError: the endpoint failed. What was answered before is on disk.
    """
    inquiry = Inquiry(adapter, score, meter, clock or RealClock(), second)
    whole = [1] * prompt.num_features
    rows = [whole, [0] * prompt.num_features, *_between(prompt.num_features, masks, seed)]
    try:
        shown = [(prompt.render(row), prompt.tools_under(row)) for row in rows]
        await _ask_all(inquiry, shown, repeats=repeats, require=require)
        probed = inquiry.probed()
        unfit = probed.unfit() if require else None
        if unfit is not None:
            raise unfit
    except SpexError as error:
        error.cost = error.cost or inquiry.cost
        error.safe = error.safe or inquiry.safe
        raise
    return probed


async def _ask_all(
    inquiry: Inquiry, shown: Sequence[Shown], *, repeats: bool, require: bool
) -> None:
    """Asks the whole prompt, and what follows from its answer.

    Raises:
        ScoreError: with `require`, the endpoint does not even claim to give what the score reads.
        AdapterError: as the adapter does.
    """
    try:
        questions = inquiry.questions(shown)
    except ScoreError as error:
        if require:
            raise
        inquiry.give_up(Judgement("log-probs", Verdict.FATAL, error.cause, error.advice))
        questions = _plain(shown)
    try:
        await inquiry.ask(Asked.FULL, questions[0])
    except BadRequest as refusal:
        questions = await _without_logprobs(inquiry, questions, refusal)
    for asked, question in _rest(inquiry, questions, repeats=repeats):
        if require and inquiry.is_lost:
            break
        await inquiry.ask(asked, question)


async def _without_logprobs(
    inquiry: Inquiry, questions: list[Question], refusal: BadRequest
) -> list[Question]:
    """Finds out whether a refusal is one of log-probs, and if so goes on without them.

    Returns:
        The questions, asking for no log-probs.

    Raises:
        BadRequest: it is not; the first refusal is the one that is raised.
    """
    asking = any(request.top_logprobs > 0 for request in questions[0])
    if not asking or isinstance(refusal, (ContextTooLong, ContentFiltered)):
        raise refusal
    plain = _plain([(question[0].messages, question[0].tools) for question in questions])
    inquiry.give_up(flawed(Flaw.REFUSED, share=f" In its words: {refusal.cause}"))
    try:
        await inquiry.ask(Asked.FULL, plain[0])
    except BadRequest:
        raise refusal from None
    return plain


def _plain(shown: Sequence[Shown]) -> list[Question]:
    return [(CompletionRequest(messages, tools=tools),) for messages, tools in shown]


def _rest(
    inquiry: Inquiry, questions: list[Question], *, repeats: bool
) -> Iterator[tuple[Asked, Question]]:
    """What is asked after the whole prompt.

    Nothing to compare values with where none are read; repeats only where a value has no variance
    of its own.
    """
    whole, empty, *between = questions
    yield Asked.EMPTY, empty
    for question in between:
        yield Asked.RANDOM, question
    if not (repeats and inquiry.reads_values):
        return
    if warm := _warm(whole):
        yield Asked.WARM, warm
    if not inquiry.knows_variance:
        for times in range(1, _REPEATS):
            yield Asked.REPEAT, afresh(whole, times)


def _between(num_features: int, masks: NDArray[np.uint8] | None, seed: int) -> Iterator[list[int]]:
    """A few masks between the whole prompt and the empty one."""
    none = np.empty((0, num_features), dtype=np.uint8)
    given = fresh_masks(none, _RANDOM_MASKS, seed=seed) if masks is None else masks
    partial = given[given.any(axis=1) & ~given.all(axis=1)]
    yield from partial[:_RANDOM_MASKS].tolist()


def _warm(question: Question) -> Question:
    """The first of its requests at another temperature, where that may tell anything."""
    first = question[0]
    if first.top_logprobs < 1 or first.temperature == _WARM:
        return ()
    return (replace(first, temperature=_WARM),)
