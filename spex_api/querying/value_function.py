"""A prompt, a model and a score, evaluated on masks.

Answers come in any order and are put in the plan's; so what comes out depends on the plan and the
answers alone, never on what was on disk or on who was faster. A mask that the endpoint refuses for
good is a hole: it has no value, is counted, and the run goes on. What the model declined, or a
filter took away, is an answer: it is kept, and counted apart. Where the budget ends first, the
masks that were not asked are holes too, and are told: a replay that is to rebuild the result leaves
the same ones out.

A question is written when it is its turn, and forgotten once it is answered: a few numbers a mask
stay in memory, no texts. What this module does not know: why a mask was refused, and what a decoder
makes of a hole.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spex_api.completions import WITHHELD
from spex_api.errors import BadRequest, CacheMiss, ScoreError, Unavailable
from spex_api.events import EventHandler, Notice, Progress, ignore
from spex_api.querying.evaluation import Evaluation
from spex_api.querying.idle import IdleTasks, watch_idle
from spex_api.querying.opening import Opened, open_score
from spex_api.querying.seconding import MaskAnswers, num_requests, second_questions
from spex_api.querying.tally import Tally
from spex_api.querying.unasked import ALL_ASKED, Unasked
from spex_api.querying.verdict import check_share, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from spex_api.completions import Completion, CompletionRequest
    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.batches.opening import FillFirst
    from spex_api.querying.cache import Cached
    from spex_api.querying.policy import Meter
    from spex_api.querying.pricing import Price
    from spex_api.scores import Score, Scored

__all__ = ["Evaluation", "ValueFunction"]

_log = logging.getLogger(__name__)

_CHECKED_FIRST = 16
"""How many masks are asked, and their answers looked at, before the rest is paid for."""


@dataclass(frozen=True, slots=True)
class ValueFunction:
    """The function of masks that is explained.

    Attributes:
        prompt: what is asked.
        adapter: who is asked, behind its policies.
        score: what to ask for, and the number in the answers.
        meter: counts what the policies let through.
        concurrency: how many masks may be under way at once.
        on_event: is told how far it is.
        usd_cap: what may be spent, for who draws it: keeping to it is a policy's business.
        price: what the model costs, where it is known: what a replay lacks is told with it.
        fill_first: brings answers to disk before they are asked one by one, as batches do.
        second: the score's second model, behind policies of its own, where it has one.
        second_price: what that costs, where it is known.
        opened: what the score had to know first, once it was asked.
        unasked: masks that are left out, as the budget of an earlier run left them.
    """

    prompt: Prompt
    adapter: Cached
    score: Score
    meter: Meter
    concurrency: int
    on_event: EventHandler = ignore
    usd_cap: float | None = None
    price: Price | None = None
    fill_first: FillFirst | None = None
    second: Adapter | None = None
    second_price: Price | None = None
    opened: Opened | None = None
    unasked: Unasked = ALL_ASKED

    async def open(self) -> ValueFunction:
        """The same function, its score knowing what it must; asks for that, if need be.

        Raises:
            ScoreError: the answers do not hold what the score needs.
            CacheMiss: an answer is missing, and no connection may be opened.
            AdapterError: the endpoint failed. What was answered before is on disk.
        """
        whole = self.prompt.render([True] * self.prompt.num_features)
        opened = await open_score(self.score, self.adapter, whole, tools=self.prompt.tools)
        return replace(self, score=opened.score, opened=opened)

    def bound_of(self, adapter: Adapter) -> Callable[[CompletionRequest], float] | None:
        """The most that a request to this one of the two models costs, where that is known."""
        price = self.price if adapter is self.adapter else self.second_price
        return price.bound if price else None

    def requests_per_mask(self) -> int:
        """How many requests one mask takes.

        Raises:
            ScoreError: the endpoint cannot give what the score reads.
        """
        question = self.question(np.ones(self.prompt.num_features, dtype=np.uint8))
        return num_requests(self.score, self.second, question)

    def question(self, mask: NDArray[np.uint8]) -> tuple[CompletionRequest, ...]:
        """What is asked under a mask.

        Raises:
            ScoreError: the endpoint cannot give what the score reads.
        """
        kept: list[int] = mask.tolist()
        asked = self.score.requests(self.prompt.render(kept), self.adapter.capabilities)
        tools = self.prompt.tools_under(kept)
        return tuple(request.with_tools(tools) for request in asked)

    async def evaluate(
        self, masks: NDArray[np.uint8], *, before: Evaluation | None = None
    ) -> Evaluation:
        """Asks the model under each mask; two masks that read the same are asked once.

        Args:
            masks: shape (num_masks, num_features). The first few are asked first, and their answers
                looked at, before the rest is paid for.
            before: what came of the first of these masks, which are not asked again.

        Returns:
            What came of the others: to be added to `before`.

        Raises:
            ScoreError: the answers do not hold what the score reads.
            CacheMiss: answers are missing, and no connection may be opened; it counts them all.
            BadRequest: the endpoint refused the first mask, or all others of the first few, or more
                masks than the score bears to be without a value.
            AdapterError: the endpoint failed. What was answered before is on disk.
        """
        tally = Tally(self._sources(masks), before or Evaluation.nothing(), self.score.max_censored)
        rows: list[int] = tally.asked.tolist()
        _log.info("Asking begins.", extra={"model": self.adapter.model, "questions": len(rows)})
        with watch_idle() as idle_tasks:
            run = _Run(self, masks, tally, idle_tasks)
            if not tally.num_known:
                await run.look_at_first(rows[:_CHECKED_FIRST])
                rows = rows[_CHECKED_FIRST:]
            if self.fill_first is not None and rows and not tally.stopped:
                await self.fill_first(ask for row in rows for ask in self.question(masks[row]))
            await run.ask_all(rows)
        _log.info("Asking ends.", extra=_counts(tally, self.meter))
        settle(tally, sent=self.meter.sent)
        found = tally.evaluation()
        check_share(
            tally, tally.before + found, allowed=self.score.max_censored, sent=self.meter.sent
        )
        return found

    def _sources(self, masks: NDArray[np.uint8]) -> NDArray[np.intp]:
        """For each mask the first that reads the same, known by the digest of what it reads."""
        first: dict[bytes, int] = {}

        def source(row: int) -> int:
            # A question is a pure function of what is read: all settings are the same for all.
            return first.setdefault(self.prompt.reading(masks[row].tolist()), row)

        return np.fromiter(map(source, range(len(masks))), dtype=np.intp, count=len(masks))


@dataclass(frozen=True, slots=True)
class _Run:
    """One asking of many masks."""

    function: ValueFunction
    masks: NDArray[np.uint8]
    tally: Tally
    idle_tasks: IdleTasks

    async def look_at_first(self, rows: Sequence[int]) -> None:
        """Asks the first few masks, and lets the score look at the answers."""
        looked_at: list[MaskAnswers] = []
        tally = self.tally
        # One alone: if the endpoint cannot be reached, or refuses everything, that is said once.
        for first_few in (rows[:1], rows[1:]):
            await self.ask_all(first_few, looked_at.append)
            if tally.refusal is not None and tally.refused == len(first_few):
                tally.fail(tally.refusal)
        # Where the budget ended here the first time, nobody looked any further then.
        if tally.stopped or tally.missing or any(row in self.function.unasked for row in rows):
            return
        given = [answers for answers in looked_at if not _withheld(answers)]
        if not given and not np.isfinite(tally.values).any():
            tally.fail(
                ScoreError(
                    f"Each of the first {len(looked_at)} answers was declined by the model or "
                    "taken away by a filter.",
                    advice="Change what is asked, or ask another model.",
                )
            )
            return
        try:
            self.function.score.check([answers.together for answers in given or looked_at])
        except ScoreError as error:
            tally.fail(error)

    async def ask_all(
        self,
        rows: Sequence[int],
        keep: Callable[[MaskAnswers], None] | None = None,
    ) -> None:
        """Asks, and counts each answer as it comes; none is held in memory but what `keep` keeps.

        After a failure or a Ctrl-C nothing new is sent, and what only waits is broken off; but what
        is under way is waited for: it is paid, so it belongs on disk.
        """
        queue = iter(rows)
        workers = [
            asyncio.create_task(self._work(queue, keep)) for _ in rows[: self.function.concurrency]
        ]
        if not workers:
            return
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            self.tally.halted = True
            self.idle_tasks.break_off()
            self.function.on_event(
                Notice("Stopping: what is under way is waited for, since it is paid.")
            )
            await asyncio.wait(workers)
            raise
        for worker in workers:
            if not worker.cancelled():
                worker.result()
            elif not self.tally.stopped:
                # Nobody here broke it off; without this its masks would be lost without a word.
                self.tally.fail(Unavailable("A request was cancelled by what sends it."))

    async def _work(self, queue: Iterator[int], keep: Callable[[MaskAnswers], None] | None) -> None:
        for row in queue:
            if self.tally.stopped:
                return
            if row in self.function.unasked:
                continue
            try:
                answers = await self._answers(row)
                if answers is not None:
                    self._count(row, answers)
            except BadRequest as error:
                self._refuse(row, error)
            except Exception as error:  # noqa: BLE001 - kept, and raised once all are back
                self.tally.fail(error)
            else:
                if answers is not None and keep is not None:
                    keep(answers)
            if self.tally.stopped:
                self.idle_tasks.break_off()

    async def _answers(self, row: int) -> MaskAnswers | None:
        """The answers under one mask, or None where one is not on disk and cannot be asked for."""
        function = self.function
        first = await self._ask(row, function.adapter, function.question(self.masks[row]))
        if first is None:
            return None
        about = second_questions(function.score, function.second, first)
        if function.second is None or not about:
            return MaskAnswers(first)
        second = await self._ask(row, function.second, about)
        return None if second is None else MaskAnswers(first, second)

    async def _ask(
        self, row: int, adapter: Adapter, question: tuple[CompletionRequest, ...]
    ) -> tuple[Completion, ...] | None:
        completions: list[Completion] = []
        bound = self.function.bound_of(adapter)
        for request in question:
            self.tally.looked_up += 1
            try:
                completions.append(await adapter.complete(request))
            except CacheMiss as error:
                self.tally.miss(row, error, None if bound is None else bound(request))
        return tuple(completions) if len(completions) == len(question) else None

    def _count(self, row: int, answers: MaskAnswers) -> None:
        tally = self.tally
        scored: Scored = self.function.score.value(answers.together)
        num_withheld, num_models = tally.withheld, len(tally.models)
        tally.count(row, answers, scored)
        if tally.withheld and not num_withheld and not tally.before.withheld:
            self.function.on_event(
                Notice(
                    "An answer was declined by the model or taken away by a filter. Such answers "
                    "are kept and counted, and have no value unless the score reads one."
                )
            )
        if len(tally.models) > max(num_models, 1) == 1:
            self.function.on_event(Notice(tally.evaluation().drift))
        self._tell()

    def _refuse(self, row: int, error: BadRequest) -> None:
        tally = self.tally
        tally.refuse(row, error)
        # Where nothing is answered yet, it is the first mask, and ends the run.
        if tally.answered:
            if tally.before.refused + tally.refused == 1:
                self.function.on_event(
                    Notice(f"{error.cause} Masks that are refused are left out.")
                )
            self._tell()

    def _tell(self) -> None:
        tally, meter = self.tally, self.function.meter
        refused = tally.before.refused + tally.refused
        self.function.on_event(
            Progress(
                done=tally.answered,
                total=tally.total - refused,
                cached=max(meter.cached, 0),  # those of a probe are taken off before they are met
                in_flight=meter.in_flight,
                retries=meter.retries,
                sent=meter.sent,
                failed=refused,
                usd=meter.usd,
                usd_cap=self.function.usd_cap,
            )
        )


def _withheld(answers: MaskAnswers) -> bool:
    return any(answer.outcome in WITHHELD for answer in answers.first)


def _counts(tally: Tally, meter: Meter) -> dict[str, object]:
    return {
        "answered": tally.answered,
        "refused": tally.refused,
        "missing": tally.missing,
        "cached": meter.cached,
        "sent": meter.sent,
        "retries": meter.retries,
        "failure": type(tally.failure).__name__ if tally.failure else "",
    }
