"""What a budget ended is rebuilt from disk: the same masks are left out, whatever came later."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
import pytest

from spex_api.errors import CacheMiss, ContentFiltered, ScoreError, Unavailable, UsageError
from spex_api.prompts import Prompt
from spex_api.querying.asking import open_function
from spex_api.querying.budget import Budget
from spex_api.querying.evaluation import Evaluation
from spex_api.querying.policy import Policy
from spex_api.querying.stack import Terms
from spex_api.querying.unasked import ALL_ASKED, Unasked
from spex_api.sampling.uniform import uniform_plan
from spex_api.scores import LabelLogOdds
from spex_api.testing import FunctionAdapter

if TYPE_CHECKING:
    from spex_api.completions import Completion

PROMPT = Prompt.from_template("{text}", text="a b c d e f g")
MASKS = uniform_plan(7, 60, seed=0).masks
SCORE = LabelLogOdds("yes", "no")
BUSY = {PROMPT.render(MASKS[row].tolist())[-1].content for row in (9, 30)}
"""Fail once; the budget may end before they are tried again, which leaves a hole among the rest."""
REFUSED = {PROMPT.render(MASKS[row].tolist())[-1].content for row in (5, 11, 20)}


def odds(messages) -> dict[str, float]:
    """Log-odds that depend on the words; some prompts are refused for good."""
    said = messages[-1].content
    if said in REFUSED:
        raise ContentFiltered(f"Not this: {said}.")
    value = sum((ord(letter) - 99) / 4 for letter in said if letter in "abcdefg")
    return {"yes": -math.log1p(math.exp(-value)), "no": -math.log1p(math.exp(value))}


@dataclass(frozen=True, slots=True)
class Whimsical(Policy):
    """A model that answers in an order that nobody can foresee, and fails now and then."""

    random: random.Random
    failing: set[str] = field(default_factory=lambda: set(BUSY))

    async def complete(self, request) -> Completion:
        """The answer, after a few turns of the loop."""
        for _ in range(self.random.randrange(12)):
            await asyncio.sleep(0)
        said = request.messages[-1].content
        if said in self.failing:
            self.failing.remove(said)
            raise Unavailable("Busy.", retry_after=0.1)
        return await self.inner.complete(request)


def evaluate(
    seed=0, *, budget=None, mode="live", unasked=ALL_ASKED, answer=odds, score=SCORE
) -> Evaluation:
    """What comes of asking all masks, in two looks as with a target."""
    adapter = FunctionAdapter(answer)
    model = Whimsical(adapter, random.Random(seed))  # noqa: S311 - no secret

    async def main() -> Evaluation:
        async with open_function(
            PROMPT,
            model,
            score=score,
            budget=budget or Budget(),
            terms=Terms(mode=mode, unasked=unasked),
        ) as function:
            found = await function.evaluate(MASKS[:24])
            if found.complete:
                found += await function.evaluate(MASKS, before=found)
            return found

    found = asyncio.run(main())
    if mode == "replay":
        assert adapter.requests == []
    return found


def assert_same(some: Evaluation, other: Evaluation) -> None:
    """Field by field, to the bit."""
    for each in fields(Evaluation):
        one, two = getattr(some, each.name), getattr(other, each.name)
        if isinstance(one, np.ndarray):
            assert one.tobytes() == two.tobytes(), each.name
        else:
            assert one == two, each.name


BUDGETS = [Budget(requests=40), Budget(requests=20), Budget(tokens=400), Budget(tokens=200)]


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_a_replay_leaves_out_what_the_budget_left_out(answers, budget, seed):
    """The same values, counts and holes; also once a later run has asked the rest."""
    live = evaluate(seed, budget=budget)
    assert not live.complete
    assert np.isnan(live.values[list(_rows(live.unasked))]).all()
    assert_same(evaluate(mode="replay", unasked=live.unasked), live)
    with pytest.raises(CacheMiss, match="rebuilt from its explanation.json"):
        evaluate(mode="replay")

    whole = evaluate(seed + 100)
    assert whole.complete
    assert_same(evaluate(mode="replay", unasked=live.unasked), live)
    assert_same(evaluate(mode="replay"), whole)


def test_where_the_first_look_was_not_over_nobody_looks_again(answers):
    """Answers without a label end a whole first look; a broken one stays what it was."""

    def poor(messages):
        return {"yes": -0.1}

    lenient = LabelLogOdds("yes", "no", max_censored=1.0)
    live = evaluate(budget=Budget(requests=6), answer=poor, score=lenient)
    assert live.censored == 6
    again = evaluate(mode="replay", unasked=live.unasked, answer=poor, score=lenient)
    assert_same(again, live)
    with pytest.raises(ScoreError, match="'no'"):
        evaluate(answer=poor, score=lenient)


def test_what_is_missing_besides_is_an_error_still(answers):
    """Only the masks that were not asked then are let off."""
    live = evaluate(budget=Budget(requests=40))
    fewer = Unasked(live.unasked.ranges[1:])
    with pytest.raises(CacheMiss, match=r"^\d+ of \d+ answers are not on disk"):
        evaluate(mode="replay", unasked=fewer)


@pytest.mark.parametrize("mode", ["live", "refresh"])
def test_nothing_is_left_out_of_a_run_that_asks(mode):
    """It would be a result with holes that nobody made."""
    with pytest.raises(UsageError, match="left out of a replay alone"):
        Terms(mode=mode, unasked=Unasked(((3, 4),)))


def _rows(unasked: Unasked) -> list[int]:
    return [row for first, last in unasked.ranges for row in range(first, last + 1)]
