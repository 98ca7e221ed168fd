"""A prompt, a model and a score, evaluated on masks.

Answers come in any order and are put in the plan's; so what comes out depends on the plan and the
answers alone, never on what was on disk or on who was faster. A mask that the endpoint refuses for
good is a hole: it has no value, is counted, and the run goes on. Refusals are not kept on disk: the
next run asks those masks again.

What this module does not know: why a mask was refused, and what a decoder makes of a hole.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spex_api.completions import CompletionRequest, Usage
from spex_api.errors import BadRequest, BudgetExhausted, ScoreError, SpexError, UsageError
from spex_api.events import EventHandler, Notice, Progress, ignore
from spex_api.samples import Samples
from spex_api.scores import Scored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from spex_api.completions import Completion
    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.policy import Meter
    from spex_api.samples import QueryPlan
    from spex_api.scores import Score

__all__ = ["Evaluation", "ValueFunction"]

_CHECKED_FIRST = 16
"""How many masks are asked, and their answers looked at, before the rest is paid for."""

Question = tuple[CompletionRequest, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What came of asking; what comes of asking more masks is added to it.

    Attributes:
        values: shape (num_masks,); NaN where there is no value.
        variances: shape (num_masks,).
        censored: how many values are only bounds.
        without_value: how many masks were answered without a value in the answer.
        refused: how many masks the endpoint refused for good. Here as above, masks that read the
            same count once.
        usage: what all answers took, whether they were asked now or before.
        models: how many answers each served model gave, by its name and fingerprint.
        complete: whether every mask was answered or refused; else the budget ended first.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    censored: int
    without_value: int
    refused: int
    usage: Usage
    models: dict[str, int]
    complete: bool

    @classmethod
    def nothing(cls) -> Evaluation:
        """What came of asking no mask yet: the zero of the addition."""
        return cls.of_values((), 0)

    def __add__(self, later: Evaluation) -> Evaluation:
        return Evaluation(
            values=np.concatenate([self.values, later.values]),
            variances=np.concatenate([self.variances, later.variances]),
            censored=self.censored + later.censored,
            without_value=self.without_value + later.without_value,
            refused=self.refused + later.refused,
            usage=self.usage + later.usage,
            models=dict(sorted((Counter(self.models) + Counter(later.models)).items())),
            complete=self.complete and later.complete,
        )

    @classmethod
    def of_values(cls, values: ArrayLike, num_masks: int) -> Evaluation:
        """What a plain function gave: exact values, one a mask.

        Raises:
            UsageError: there is not one finite number a mask.
        """
        column = np.asarray(values, dtype=np.float64)
        if column.shape != (num_masks,) or not np.isfinite(column).all():
            raise UsageError(
                f"The function gave values of shape {column.shape} for {num_masks} masks: one "
                "finite number a mask is expected."
            )
        usage = Usage(requests=num_masks)
        return cls(column, np.zeros(num_masks), 0, 0, 0, usage, {}, complete=True)

    def samples(self, plan: QueryPlan, rows: NDArray[np.bool_], *, ordered: bool) -> Samples:
        """The samples among these rows of the plan that have a value.

        Raises:
            BudgetExhausted: fewer than two have one.
        """
        chosen = rows & np.isfinite(self.values)
        if chosen.sum() < 2:
            raise BudgetExhausted(
                f"The run ended with {int(chosen.sum())} usable answers of {len(rows)}: too few to "
                "fit and to measure anything.",
                safe="What was answered is on disk.",
                advice="Raise the budget and run again.",
            )
        variances = self.variances if self.variances[chosen].any() else None
        values = np.where(rows, self.values, np.nan)
        return Samples.from_plan(plan, values, variances, ordered=ordered)

    def anchor(self, row: int) -> float | None:
        """The value under the mask of this row, where there is one."""
        return float(self.values[row]) if np.isfinite(self.values[row]) else None


@dataclass(slots=True)
class _Tally:
    """What the answers so far add up to.

    More than `bearable` refusals void the result, whatever else comes. `before` came of the masks
    that were asked earlier, which had so many `known` questions.
    """

    total: int
    bearable: float
    before: Evaluation
    known: Mapping[Question, Scored]
    scored: dict[Question, Scored] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    models: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    refusal: BadRequest | None = None
    failure: Exception | None = None
    halted: bool = False

    @property
    def stopped(self) -> bool:
        """Whether nothing new is to be sent."""
        too_many = self.before.refused + self.refused > self.bearable
        return self.halted or self.failure is not None or too_many

    @property
    def answered(self) -> int:
        """How many questions have an answer, earlier ones among them."""
        return len(self.known) - self.before.refused + len(self.scored)

    def fail(self, error: Exception) -> None:
        """Keeps the first error; the others came of it."""
        if self.failure is None:
            self.failure = error

    def refuse(self, error: BadRequest) -> None:
        """Counts a refusal, and keeps the first."""
        self.refused += 1
        if self.refusal is None:
            self.refusal = error


@dataclass(frozen=True, slots=True)
class ValueFunction:
    """The function of masks that is explained."""

    prompt: Prompt
    adapter: Adapter
    score: Score
    meter: Meter
    concurrency: int
    on_event: EventHandler = ignore

    def requests_per_mask(self) -> int:
        """How many requests one mask takes.

        Raises:
            ScoreError: the endpoint cannot give what the score reads.
        """
        return len(self._question(np.ones(self.prompt.num_features, dtype=np.uint8)))

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
            CacheMiss: an answer is missing, and no connection may be opened.
            BadRequest: the endpoint refused the first mask, or all others of the first few, or more
                masks than the score bears to be without a value.
            AdapterError: the endpoint failed. What was answered before is on disk.
        """
        before = before or Evaluation.nothing()
        questions = [self._question(mask) for mask in masks]
        earlier, later = questions[: len(before.values)], questions[len(before.values) :]
        scored = map(Scored, before.values.tolist(), before.variances.tolist())
        known = dict(zip(earlier, scored, strict=True))
        distinct = [each for each in dict.fromkeys(later) if each not in known]
        total = len(known) + len(distinct)
        tally = _Tally(total, self.score.max_censored * total, before, known)
        if not known:
            await self._look_at_first(distinct[:_CHECKED_FIRST], tally)
            distinct = distinct[_CHECKED_FIRST:]
        await self._ask_all(distinct, tally)
        self._settle(tally)
        return self._evaluation(later, tally)

    async def _look_at_first(self, questions: Sequence[Question], tally: _Tally) -> None:
        looked_at: list[tuple[Completion, ...]] = []
        # One alone: if the endpoint cannot be reached, or refuses everything, that is said once.
        for first_few in (questions[:1], questions[1:]):
            await self._ask_all(first_few, tally, looked_at.append)
            if tally.refusal is not None and tally.refused == len(first_few):
                tally.fail(tally.refusal)
        if not tally.stopped:
            try:
                self.score.check(looked_at)
            except ScoreError as error:
                tally.fail(error)

    def _question(self, mask: NDArray[np.uint8]) -> Question:
        kept: list[int] = mask.tolist()
        return self.score.requests(self.prompt.render(kept), self.adapter.capabilities)

    async def _ask_all(
        self,
        questions: Sequence[Question],
        tally: _Tally,
        keep: Callable[[tuple[Completion, ...]], None] | None = None,
    ) -> None:
        """Asks, and counts each answer as it comes; none is held in memory but what `keep` keeps.

        After a failure or a Ctrl-C nothing new is sent, but what is under way is waited for: it is
        paid, so it belongs on disk.
        """

        async def work(queue: Iterator[Question]) -> None:
            for question in queue:
                if tally.stopped:
                    return
                try:
                    completions = tuple([await self.adapter.complete(ask) for ask in question])
                except BadRequest as error:
                    self._refuse(error, tally)
                    continue
                except Exception as error:  # noqa: BLE001 - kept, and raised once all are back
                    tally.fail(error)
                    return
                if keep is not None:
                    keep(completions)
                self._count(question, completions, tally)

        queue = iter(questions)
        workers = [asyncio.create_task(work(queue)) for _ in questions[: self.concurrency]]
        if not workers:
            return
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            tally.halted = True
            self.on_event(Notice("Stopping: what is under way is waited for, since it is paid."))
            await asyncio.wait(workers)
            raise

    def _count(
        self, question: Question, completions: tuple[Completion, ...], tally: _Tally
    ) -> None:
        tally.scored[question] = self.score.value(completions)
        for completion in completions:
            tally.usage += completion.usage
            tally.models[" ".join(filter(None, (completion.model, completion.fingerprint)))] += 1
        self._tell(tally)

    def _refuse(self, error: BadRequest, tally: _Tally) -> None:
        tally.refuse(error)
        # Where nothing is answered yet, it is the first mask, and ends the run.
        if tally.answered:
            if tally.before.refused + tally.refused == 1:
                self.on_event(Notice(f"{error.cause} Masks that are refused are left out."))
            self._tell(tally)

    def _tell(self, tally: _Tally) -> None:
        self.on_event(
            Progress(
                done=tally.answered,
                total=tally.total - tally.before.refused - tally.refused,
                cached=self.meter.cached,
                in_flight=self.meter.in_flight,
                retries=self.meter.retries,
                sent=self.meter.sent,
            )
        )

    def _settle(self, tally: _Tally) -> None:
        """Raises what went wrong, saying what it cost and what is safe; a spent budget is no error.

        Raises:
            Exception: the first that a request ended in.
        """
        error = tally.failure
        if error is None or (isinstance(error, BudgetExhausted) and tally.answered):
            return
        if isinstance(error, SpexError):
            error.cost = error.cost or self._sent()
            error.safe = f"{tally.answered} of {tally.total} answers are on disk."
        raise error

    def _sent(self) -> str:
        count = self.meter.sent
        return f"{count} request{'s were' if count != 1 else ' was'} sent."

    def _evaluation(self, questions: Sequence[Question], tally: _Tally) -> Evaluation:
        unknown = Scored(float("nan"))
        every = {**tally.known, **tally.scored}
        scored = [every.get(question, unknown) for question in questions]
        distinct = tally.scored.values()
        censored = sum(answer.known and answer.censored for answer in distinct)
        without_value = sum(not answer.known for answer in distinct)
        found = Evaluation(
            values=np.array([answer.value for answer in scored]),
            variances=np.array([answer.variance for answer in scored]),
            censored=censored,
            without_value=without_value,
            refused=tally.refused,
            usage=tally.usage,
            models=dict(sorted(tally.models.items())),
            complete=tally.failure is None,
        )
        self._check_share(tally, tally.before + found)
        return found

    def _check_share(self, tally: _Tally, found: Evaluation) -> None:
        """Lets pass what has values enough.

        Raises:
            BadRequest: too few masks have a value of their own, for the most part since the
                endpoint refused the others.
            ScoreError: too few have one, for the most part since the answers do not show it.
        """
        missing = found.censored + found.without_value + found.refused
        share = missing / max(tally.answered + found.refused, 1)
        allowed = f"{self.score.max_censored:.0%} is allowed."
        if share <= self.score.max_censored:
            return
        counts = f"{found.censored} give only a bound, {found.without_value} nothing"
        first = ""
        if tally.refusal is not None:
            first = f" The first of {found.refused} refusals: {tally.refusal.cause}"
        if tally.refusal is not None and found.refused > missing / 2:
            raise BadRequest(
                f"The endpoint refused {found.refused} masks for good; of its {tally.answered} "
                f"answers {counts}. Together that is {share:.0%} of the masks that were asked; "
                f"{allowed}{first}",
                cost=self._sent(),
                safe=f"{tally.answered} of {tally.total} answers are on disk.",
                advice=tally.refusal.advice
                or "Change the text or how it is masked, or raise max_censored.",
            )
        raise ScoreError(
            f"{share:.0%} of the answers do not show what the score reads ({counts}); "
            f"{allowed}{first}",
            cost=self._sent(),
            safe="All answers are on disk: another score reads them at no cost.",
            advice="Ask in the prompt for exactly these labels, use a server with a longer "
            "list of log-probs, or raise max_censored.",
        )
