"""One prompt of an audit, asked in this process from look to look, as far as somebody else says.

What goes wrong with it alone ends it, and nothing else: an error that any other prompt would meet
too is raised. How far the prompt is may come from another process: what this one has not opened it
opens again, from disk, and what it has not decoded it decodes again. What this module does not
know: the other prompts, and how many requests are left.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from spex_api.audited import Audited, Standing
from spex_api.audits.allotment import Course, stops
from spex_api.audits.inquired import total
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

    from spex_api.audits.inquired import Inquired
    from spex_api.audits.terrain import Brief, Terrain
    from spex_api.design import Design, Look
    from spex_api.events import EventHandler
    from spex_api.explanation import Explanation
    from spex_api.finding import Finding
    from spex_api.prompts import Prompt
    from spex_api.querying.value_function import ValueFunction

__all__ = ["Inquiring"]

_MASKS_PER_FEATURE: Final = 20
_FEWEST: Final = 300
_MOST: Final = 4000
_LONGEST_CAUSE: Final = 4096
"""Characters: as much of a refusal is kept on disk."""


@dataclass(slots=True)
class Inquiring:
    """A prompt that is being asked in this process.

    Attributes:
        each: how far it is; changes from look to look.
        terrain: what all are asked under.
        on_event: is told how far it is.
    """

    each: Inquired
    terrain: Terrain
    on_event: EventHandler
    _function: ValueFunction | None = None
    _finding: Finding | None = None

    def follow(self, each: Inquired) -> None:
        """Goes on from how far the prompt is, which another process may have brought it to."""
        if each is self.each:
            return
        self.each = each
        if self._function is not None:
            own = replace(self._function.adapter, meter=each.meter)
            self._function = replace(self._function, adapter=own)

    async def open(self) -> None:
        """Makes the prompt, and asks what its score must know first."""
        await self._alone(self._open())

    async def probe(self) -> None:
        """Finds out by this prompt what the endpoint gives."""
        await self._alone(self._probe())

    async def look(self) -> None:
        """Asks up to the next look, and decodes."""
        await self._alone(self._look())

    async def audited(self) -> Audited:
        """What came of it."""
        each = self.each
        standing = each.standing or Standing.ENOUGH
        said = "" if each.error is None else _said(each.error)
        explained = await self._explained(standing) if each.course.shown else None
        return Audited(each.case.case_id, each.case.columns, standing, explained, said)

    @property
    def _brief(self) -> Brief:
        return self.terrain.brief

    @property
    def _recorded(self) -> Audited | None:
        return self.terrain.recorded.get(self.each.case.case_id)

    async def _alone(self, work: Awaitable[None]) -> None:
        """Does some of it; what goes wrong with it alone ends it.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        try:
            await work
        except BudgetExhausted:
            self.each.close(Standing.ENDED)
        except _ALONE as error:
            self.each.close(Standing.FAILED, error)

    async def _open(self) -> None:
        prompt = self._brief.make(self.each.case.columns)
        looks = tuple(look.num_masks for look in self._design(prompt).looks)
        function = await self._opened(prompt, meter=self.each.meter)
        self._keep(Evaluation.nothing(opened=function.opened), function)
        self.each.charged = total(self.each.answers)
        per_mask = function.requests_per_mask()
        self.each.course = Course(prompt.num_features, looks, cost=per_mask)

    async def _opened(self, prompt: Prompt | None = None, *, meter: Meter) -> ValueFunction:
        """The function of its masks, opened in this process.

        Args:
            prompt: it, where it is made already.
            meter: counts what comes from disk for the opening.
        """
        if self._function is not None:
            return self._function
        terrain = self.terrain
        adapter = terrain.stack.adapter
        recorded = self._recorded
        unasked = ALL_ASKED
        if recorded is not None and recorded.explanation is not None:
            unasked = Unasked(recorded.explanation.provenance.unasked)
        opening = function_on(
            # The cache of all, but what comes from it for this prompt is counted apart.
            replace(terrain.stack, adapter=replace(adapter, meter=meter)),
            prompt or self._brief.make(self.each.case.columns),
            score=self._brief.score,
            terms=replace(self._brief.terms, unasked=unasked),
            second=terrain.second,
            on_event=self.on_event,
        )
        try:
            function = await terrain.opened.enter_async_context(opening)
        except CacheMiss:
            self._meet_the_record()
            raise
        own = replace(function.adapter, meter=self.each.meter)
        self._function = replace(function, adapter=own, meter=adapter.meter)
        return self._function

    async def _probe(self) -> None:
        function = await self._opened(meter=Meter())
        if self._recorded is not None and self._recorded.standing is Standing.FAILED:
            self._meet_the_record()
        look = FirstLook.within(self._brief.budget, function)
        try:
            probed = await look.take(self._design(function.prompt).survey.plan.masks)
        except CacheMiss:  # or else it was probed, and the budget ended before its first look
            self._meet_the_record()
            raise
        self.each.noise_floor = probed.noise_floor
        self._keep(Evaluation.nothing(probed, function.opened), function)
        self.each.charged = total(self.each.answers)

    async def _look(self) -> None:
        each = self.each
        function = await self._opened(meter=Meter())
        self._meet_the_record()
        before, each.charged = each.charged, each.charged + each.course.next_cost
        design = self._design(function.prompt)
        look = design.looks[len(each.course.shown)]
        masks = design.survey.plan.masks[: look.num_masks]
        answers = each.answers + await function.evaluate(masks, before=each.answers)
        try:
            finding = await self._find(design, look, answers, ordered=function.prompt.ordered)
        except BudgetExhausted as error:
            if answers.complete:  # all was asked, and hardly anything of it can be used
                raise ScoreError(error.cause) from None
            raise
        self._keep(answers, function)
        self._finding, each.faithfulness = finding, finding.faithfulness.value
        each.curve = (*each.curve, Checkpoint(finding.num_samples, finding.faithfulness))
        showed = Shown.of(
            finding.faithfulness, num_masks=look.num_masks, num_looks=len(design.looks)
        )
        each.course = replace(each.course, shown=(*each.course.shown, showed))
        if answers.complete:
            each.charged = max(total(answers), before)
        self._close_where_it_ends(finding)

    async def _find(
        self, design: Design, look: Look, answers: Evaluation, *, ordered: bool
    ) -> Finding:
        """What the answers show at a look; decoded beside the asking."""
        return await self.terrain.beside.run(find, design, look, answers=answers, ordered=ordered)

    def _keep(self, answers: Evaluation, function: ValueFunction) -> None:
        """Keeps all its answers, and what they took."""
        self.each.answers = answers
        usd = 0.0
        for part, price in (
            (answers.usage, function.price),
            (answers.second, function.second_price),
        ):
            usd += price.cost(part) if price else 0.0
        together = answers.usage + answers.second
        tokens = together.input_tokens + together.output_tokens
        self.each.took = (together.requests, tokens, usd)

    def _close_where_it_ends(self, finding: Finding) -> None:
        each = self.each
        if not each.answers.complete:
            each.close(Standing.ENDED)
        elif finding.enough:
            each.close(Standing.REACHED)
        elif len(each.course.shown) == len(each.course.looks):
            each.close(Standing.WHOLE)
        elif not math.isfinite(finding.faithfulness.value):
            each.close(Standing.HOPELESS)

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
        if explanation is None or self.each.course.num_masks >= explanation.provenance.planned:
            if recorded.standing is Standing.ENDED:
                raise BudgetExhausted("The budget of the run ended here.")
            raise _AsRecorded(recorded.error)

    def _design(self, prompt: Prompt) -> Design:
        """What it may be asked at the most, and when it is looked at; drawn anew each time.

        A long prompt's masks are megabytes, which thousands of prompts need not hold at once.

        Raises:
            BudgetTooSmall: it has too few parts, or may be asked too little.
        """
        brief, count = self._brief, prompt.num_features
        most = brief.most or min(max(_MASKS_PER_FEATURE * count, _FEWEST), _MOST)
        return draw_design(
            brief.decoder,
            num_features=count,
            num_masks=most,
            seed=_seed(brief.seed, self.each.case.case_id),
            keep=brief.keep,
            target=brief.target,
            stops=stops(count, most),
        )

    async def _explained(self, standing: Standing) -> Explanation:
        """What was found so far."""
        each, brief = self.each, self._brief
        function = await self._opened(meter=Meter())
        most = each.course.cost * each.course.looks[-1]
        design = self._design(function.prompt)
        look = design.looks[len(each.course.shown) - 1]
        finding = self._finding
        if finding is None or finding.look.num_masks != look.num_masks:  # it was another process
            finding = await self._find(design, look, each.answers, ordered=function.prompt.ordered)
        inquiry = Inquiry(design, each.answers, finding, each.curve)
        explanation = await asyncio.to_thread(
            inquiry.explained,
            function,
            index=brief.index,
            order=brief.order,
            budget=Budget(most),
            noise_floor=each.noise_floor,
        )
        took = explanation.usage.requests
        cached = min(max(each.meter.cached, 0), took)
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
