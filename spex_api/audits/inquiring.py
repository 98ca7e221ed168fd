"""One prompt of an audit, asked from look to look, as far as somebody else says.

What goes wrong with it alone ends it, and nothing else: an error that any other prompt would meet
too is raised. What this module does not know: the other prompts, and how many requests are left.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from spex_api.audited import Audited, Standing
from spex_api.audits.allotment import Course, stops
from spex_api.audits.learning import Shown
from spex_api.design import draw_design
from spex_api.errors import (
    AdapterError,
    BadRequest,
    BudgetExhausted,
    BudgetTooSmall,
    CacheMiss,
    EndpointUnfit,
    MalformedReply,
    PromptError,
    ScoreError,
    SpexError,
    Unavailable,
)
from spex_api.explainer import Inquiry
from spex_api.fidelity import Checkpoint
from spex_api.finding import find
from spex_api.querying.asking import function_on
from spex_api.querying.budget import Budget
from spex_api.querying.first_look import FirstLook
from spex_api.querying.policy import Meter
from spex_api.querying.unasked import ALL_ASKED, Unasked
from spex_api.querying.value_function import Evaluation

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from spex_api.audits.cases import Case
    from spex_api.audits.terrain import Terrain
    from spex_api.design import Design
    from spex_api.events import EventHandler
    from spex_api.explanation import Explanation
    from spex_api.finding import Finding
    from spex_api.prompts import Prompt
    from spex_api.querying.value_function import ValueFunction

__all__ = ["Inquiring"]

_MASKS_PER_FEATURE: Final = 20
_FEWEST: Final = 300
_MOST: Final = 4000
_NOT_OPENED: Final = Course(1, (), closed=True)
_LONGEST_CAUSE: Final = 4096
"""Characters: as much of a refusal is kept on disk."""


@dataclass(slots=True)
class Inquiring:
    """A prompt that is being asked; it changes from look to look.

    Attributes:
        case: its row.
        terrain: what all are asked under.
        on_event: is told how far it is.
        course: how far it is.
        charged: the requests that it took, or that were set aside for it.
        standing: how it ended; None while it has not.
        error: what went wrong, or None.
        meter: counts what came from disk for it.
    """

    case: Case
    terrain: Terrain
    on_event: EventHandler
    course: Course = _NOT_OPENED
    charged: int = 0
    standing: Standing | None = None
    error: SpexError | None = None
    meter: Meter = field(default_factory=Meter)
    _function: ValueFunction | None = None
    _noise_floor: float | None = None
    _answers: Evaluation = field(default_factory=Evaluation.nothing)
    _finding: Finding | None = None
    _curve: list[Checkpoint] = field(default_factory=list)

    @property
    def fresh(self) -> bool:
        """Whether it was neither opened yet nor ended."""
        return self._function is None and self.standing is None

    @property
    def failed(self) -> bool:
        """Whether something went wrong with it."""
        return self.standing is Standing.FAILED

    @property
    def took(self) -> tuple[int, int, float]:
        """Requests, tokens and dollars of all its answers; no dollars where no price is known."""
        usage, second = self._answers.usage, self._answers.second
        usd = 0.0
        for part, price in (
            (usage, self._function and self._function.price),
            (second, self._function and self._function.second_price),
        ):
            usd += price.cost(part) if price else 0.0
        total = usage + second
        return total.requests, total.input_tokens + total.output_tokens, usd

    @property
    def faithfulness(self) -> float:
        """R² at the last look; NaN where there was none."""
        return self._finding.faithfulness.value if self._finding else math.nan

    async def open(self) -> None:
        """Makes the prompt, and asks what its score must know first."""
        await self._alone(self._open())

    async def probe(self) -> None:
        """Finds out by this prompt what the endpoint gives."""
        await self._alone(self._probe(self._opened))

    async def look(self) -> None:
        """Asks up to the next look, and decodes."""
        await self._alone(self._look(self._opened))

    def close(self, standing: Standing, error: SpexError | None = None) -> None:
        """Ends it, unless it has ended."""
        if self.standing is None:
            self.standing, self.error = standing, error
            self.course = replace(self.course, closed=True)

    def audited(self) -> Audited:
        """What came of it."""
        standing = self.standing or Standing.ENOUGH
        said = "" if self.error is None else _said(self.error)
        return Audited(
            self.case.case_id, self.case.columns, standing, self._explained(standing), said
        )

    @property
    def _opened(self) -> ValueFunction:
        if self._function is None:
            raise RuntimeError("A prompt is opened before it is asked.")
        return self._function

    @property
    def _recorded(self) -> Audited | None:
        return self.terrain.recorded.get(self.case.case_id)

    async def _alone(self, work: Awaitable[None]) -> None:
        """Does some of it; what goes wrong with it alone ends it.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        try:
            await work
        except BudgetExhausted:
            self.close(Standing.ENDED)
        except _ALONE as error:
            self.close(Standing.FAILED, error)

    async def _open(self) -> None:
        terrain = self.terrain
        prompt = terrain.make(self.case.columns)
        looks = tuple(look.num_masks for look in self._design(prompt).looks)
        adapter = terrain.stack.adapter
        recorded = self._recorded
        unasked = ALL_ASKED
        if recorded is not None and recorded.explanation is not None:
            unasked = Unasked(recorded.explanation.provenance.unasked)
        opening = function_on(
            # The cache of all, but what comes from it for this prompt is counted apart.
            replace(terrain.stack, adapter=replace(adapter, meter=self.meter)),
            prompt,
            score=terrain.score,
            terms=replace(terrain.terms, unasked=unasked),
            second=terrain.second,
            on_event=self.on_event,
        )
        try:
            function = await terrain.opened.enter_async_context(opening)
        except CacheMiss:
            self._meet_the_record()
            raise
        self._function = replace(function, meter=adapter.meter)
        self._answers = Evaluation.nothing(opened=function.opened)
        self.charged = _total(self._answers)
        each = function.requests_per_mask()
        self.course = Course(prompt.num_features, looks, cost=each)

    async def _probe(self, function: ValueFunction) -> None:
        self._meet_the_record()
        look = FirstLook.within(self.terrain.budget, function)
        probed = await look.take(self._design(function.prompt).survey.plan.masks)
        self._noise_floor = probed.noise_floor
        self._answers = Evaluation.nothing(probed, function.opened)
        self.charged = _total(self._answers)

    async def _look(self, function: ValueFunction) -> None:
        self._meet_the_record()
        before, self.charged = self.charged, self.charged + self.course.next_cost
        design = self._design(function.prompt)
        look = design.looks[len(self.course.shown)]
        masks = design.survey.plan.masks[: look.num_masks]
        answers = self._answers + await function.evaluate(masks, before=self._answers)
        try:
            finding = await self.terrain.beside.run(
                find, design, look, answers=answers, ordered=function.prompt.ordered
            )
        except BudgetExhausted as error:
            if answers.complete:  # all was asked, and hardly anything of it can be used
                raise ScoreError(error.cause) from None
            raise
        self._answers, self._finding = answers, finding
        self._curve.append(Checkpoint(finding.num_samples, finding.faithfulness))
        showed = Shown.of(
            finding.faithfulness, num_masks=look.num_masks, num_looks=len(design.looks)
        )
        shown = (*self.course.shown, showed)
        self.course = replace(self.course, shown=shown)
        if answers.complete:
            self.charged = max(_total(answers), before)
        self._close_where_it_ends(finding)

    def _close_where_it_ends(self, finding: Finding) -> None:
        if not self._answers.complete:
            self.close(Standing.ENDED)
        elif finding.enough:
            self.close(Standing.REACHED)
        elif len(self.course.shown) == len(self.course.looks):
            self.close(Standing.WHOLE)
        elif not math.isfinite(finding.faithfulness.value):
            self.close(Standing.HOPELESS)

    def _meet_the_record(self) -> None:
        """In a replay, ends as the run did: what it did not ask is not on disk.

        Raises:
            BudgetExhausted: the budget ended here.
            SpexError: something went wrong here.
        """
        recorded = self._recorded
        if recorded is None or recorded.standing not in (Standing.FAILED, Standing.ENDED):
            return
        explanation = recorded.explanation
        if explanation is None or self.course.num_masks >= explanation.provenance.planned:
            if recorded.standing is Standing.ENDED:
                raise BudgetExhausted("The budget of the run ended here.")
            raise _AsRecorded(recorded.error)

    def _design(self, prompt: Prompt) -> Design:
        """What it may be asked at the most, and when it is looked at; drawn anew each time.

        A long prompt's masks are megabytes, which thousands of prompts need not hold at once.

        Raises:
            BudgetTooSmall: it has too few parts, or may be asked too little.
        """
        terrain, count = self.terrain, prompt.num_features
        most = terrain.most or min(max(_MASKS_PER_FEATURE * count, _FEWEST), _MOST)
        return draw_design(
            terrain.decoder,
            num_features=count,
            num_masks=most,
            seed=_seed(terrain.seed, self.case.case_id),
            keep=terrain.keep,
            target=terrain.target,
            stops=stops(count, most),
        )

    def _explained(self, standing: Standing) -> Explanation | None:
        """What was found so far."""
        if self._finding is None:
            return None
        terrain, function = self.terrain, self._opened
        most = self.course.cost * self.course.looks[-1]
        design = self._design(function.prompt)
        inquiry = Inquiry(design, self._answers, self._finding, tuple(self._curve))
        explanation = inquiry.explained(
            function,
            index=terrain.index,
            order=terrain.order,
            budget=Budget(most),
            noise_floor=self._noise_floor,
        )
        took = explanation.usage.requests
        cached = min(max(self.meter.cached, 0), took)
        return replace(
            explanation,
            usage=replace(explanation.usage, sent=took - cached, cached=cached),
            ending=f"Asked {took:,} of at most {most:,} requests: {standing}.",
        )


class _AsRecorded(SpexError):
    """In a replay, what went wrong in the run."""


_ALONE: Final = (
    BadRequest,
    BudgetTooSmall,
    EndpointUnfit,
    MalformedReply,
    PromptError,
    ScoreError,
    Unavailable,
    _AsRecorded,
)
"""What goes wrong with one prompt, and need not with the next."""


def _seed(seed: int, case_id: str) -> int:
    """Of a case's masks: its own, so that what the masks of one miss those of another may see."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{case_id}".encode()).digest()[:4], "big")


def _said(error: SpexError) -> str:
    """What went wrong, in words that are the same whether it went wrong now or before.

    What an endpoint refused is told from disk with another advice, and in printable characters.
    """
    advice = "" if isinstance(error, AdapterError) else error.advice
    said = f"{error.cause[:_LONGEST_CAUSE]} {advice}".strip()
    return "".join(each if each.isprintable() else " " for each in said)


def _total(answers: Evaluation) -> int:
    return answers.usage.requests + answers.second.requests + answers.refused
