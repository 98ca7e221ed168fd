"""Asking under masks: in the plan's order, never twice, and nothing lost when it breaks off."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from spex_api.completions import Capabilities
from spex_api.errors import AuthenticationFailed, ScoreError
from spex_api.events import Progress, ignore
from spex_api.prompts import Prompt
from spex_api.querying.budget import Budget
from spex_api.querying.policy import Meter
from spex_api.querying.stack import open_stack
from spex_api.querying.value_function import ValueFunction
from spex_api.sampling.uniform import uniform_plan
from spex_api.scores import LabelLogOdds
from spex_api.testing import FunctionAdapter

PROMPT = Prompt.from_template("{text}", text="a b c d e f")
MASKS = uniform_plan(6, 40, seed=0).masks


def odds(messages) -> dict[str, float]:
    """Log-odds that depend on which letters are there."""
    said = messages[-1].content
    value = sum((ord(letter) - 99) / 4 for letter in said if letter != " ")
    return {"yes": -math.log1p(math.exp(-value)), "no": -math.log1p(math.exp(value))}


def evaluate(model, masks=MASKS, *, cap=1000, meter=None, on_event=ignore, prompt=PROMPT):
    async def main():
        count = meter or Meter()
        budget = Budget(requests=cap)
        async with open_stack(model, budget=budget, meter=count, on_event=on_event) as adapter:
            workers = model.capabilities.concurrency
            score = LabelLogOdds("yes", "no")
            function = ValueFunction(prompt, adapter, score, count, workers, on_event)
            return await function.evaluate(masks)

    return asyncio.run(main())


def test_values_are_in_the_plans_order():
    """Each value belongs to its mask, whoever answered first."""
    values = evaluate(FunctionAdapter(odds)).values
    weights = np.array([(ord(letter) - 99) / 4 for letter in "abcdef"])
    np.testing.assert_allclose(values, MASKS @ weights, atol=1e-9)


def test_permuting_the_masks_permutes_the_values(answers):
    """The order of asking changes nothing."""
    order = np.random.default_rng(0).permutation(len(MASKS))
    values = evaluate(FunctionAdapter(odds)).values
    np.testing.assert_array_equal(
        evaluate(FunctionAdapter(odds), MASKS[order]).values, values[order]
    )


def test_masks_that_read_the_same_are_asked_once():
    """Two masks of a text whose words repeat can read alike; that is one question."""
    prompt = Prompt.from_template("{text}", text="a a a")
    cube = uniform_plan(3, 8, seed=0).masks
    model = FunctionAdapter(odds)
    found = evaluate(model, cube, prompt=prompt)
    assert len(model.requests) == 4
    assert found.usage.requests == 4
    assert len(found.values) == 8


def test_a_full_cache_sends_nothing():
    """The second run asks nobody and gives the identical evaluation."""
    first = evaluate(FunctionAdapter(odds))
    again, meter = FunctionAdapter(odds), Meter()
    second = evaluate(again, meter=meter)
    assert again.requests == []
    assert (meter.sent, meter.cached) == (0, 40)
    np.testing.assert_array_equal(first.values, second.values)
    assert first.usage == second.usage


def test_a_spent_budget_is_a_smaller_result():
    """What the cap left unasked is NaN, and the evaluation says that it is not complete."""
    found = evaluate(FunctionAdapter(odds), cap=25)
    assert np.isfinite(found.values).sum() == 25
    assert not found.complete
    assert evaluate(FunctionAdapter(odds), cap=25).complete


def test_after_a_failure_nothing_new_is_sent_and_nothing_is_lost():
    """The answers under way at a failure are on disk; the error says how many there are."""
    model = FunctionAdapter(odds)

    def breaks(messages):
        if len(model_that_breaks.requests) == 30:
            raise AuthenticationFailed("The key was refused.")
        return odds(messages)

    model_that_breaks = FunctionAdapter(breaks)
    with pytest.raises(AuthenticationFailed, match=r"\d+ requests were sent\. \d+ of 40 answers"):
        evaluate(model_that_breaks)
    lost = len(model_that_breaks.requests) - 1
    evaluate(model)
    assert len(model.requests) == 40 - lost


def test_a_ctrl_c_waits_for_what_is_paid(answers):
    """Cancelling lets the requests under way end, keeps their answers, and sends no new one."""
    done = []

    class Slow(FunctionAdapter):
        async def complete(self, request):
            await asyncio.sleep(0.05)
            answer = await FunctionAdapter.complete(self, request)
            done.append(request)
            return answer

    async def main():
        count = Meter()
        slow = Slow(odds)
        async with open_stack(slow, budget=Budget(), meter=count, on_event=ignore) as adapter:
            score = LabelLogOdds("yes", "no")
            task = asyncio.create_task(
                ValueFunction(PROMPT, adapter, score, count, 4).evaluate(MASKS)
            )
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return count.sent

    sent = asyncio.run(main())
    assert len(done) == sent < 40
    resumed = FunctionAdapter(odds)
    evaluate(resumed)
    assert len(resumed.requests) == 40 - sent


def test_the_first_answers_are_looked_at_before_the_rest_is_paid():
    """A model without log-probs is found out after sixteen requests, not after forty."""
    model = FunctionAdapter(lambda messages: {})
    with pytest.raises(ScoreError, match=r"without log-probs.*16 requests were sent"):
        evaluate(model)
    assert len(model.requests) == 16


def test_too_many_bounds_void_the_result():
    """Where most values are bounds, that is an error that says where the answers are."""

    def often_missing(messages):
        listed = odds(messages)
        rare = {"a", "b"} <= set(messages[-1].content)
        return listed if rare else {"yes": -0.3, "well": -1.5}

    with pytest.raises(ScoreError, match=r"answers do not show.*on disk"):
        evaluate(FunctionAdapter(often_missing))


def test_a_few_bounds_are_counted():
    """A bound is a value, and is counted as what it is."""

    def once_missing(messages):
        return {"yes": -0.3, "well": -1.5} if messages[-1].content == "" else odds(messages)

    found = evaluate(FunctionAdapter(once_missing))
    assert (found.censored, found.without_value) == (1, 0)
    left_over = 1 - math.exp(-0.3) - math.exp(-1.5)
    assert found.values[1] == pytest.approx(-0.3 - math.log(left_over))


def test_progress_counts_to_the_total():
    """Every answer is told; the last event says that all are there."""
    events = []
    evaluate(
        FunctionAdapter(odds, capabilities=Capabilities(concurrency=1)), on_event=events.append
    )
    assert [event.done for event in events] == list(range(1, 41))
    assert events[-1] == Progress(done=40, total=40, sent=40)
