"""Asking under masks: in the plan's order, never twice, and nothing lost when it breaks off."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from spex_api.completions import Capabilities
from spex_api.errors import AuthenticationFailed, BadRequest, CacheMiss, ScoreError
from spex_api.events import Notice, Progress, ignore
from spex_api.prompts import Prompt
from spex_api.querying.budget import Budget
from spex_api.querying.policy import Meter
from spex_api.querying.stack import open_stack
from spex_api.querying.value_function import Evaluation, ValueFunction
from spex_api.sampling.aliased import aliased_plan
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


TEXTS = [PROMPT.render(mask.tolist())[-1].content for mask in MASKS]
ONE_AT_A_TIME = Capabilities(concurrency=1)


def refusing(rows, answer=odds, **settings) -> FunctionAdapter:
    """A model that refuses the masks of these rows for good, each with its own sentence."""
    refused = {TEXTS[row]: row for row in rows}

    def answers(messages):
        row = refused.get(messages[-1].content)
        if row is not None:
            raise BadRequest(f"Filtered, row {row}.")
        return answer(messages)

    return FunctionAdapter(answers, **settings)


def evaluate(
    model, masks=MASKS, *, cap=1000, meter=None, on_event=ignore, prompt=PROMPT, before=None
):
    async def main():
        count = meter or Meter()
        budget = Budget(requests=cap)
        async with open_stack(model, budget=budget, meter=count, on_event=on_event) as adapter:
            workers = model.capabilities.concurrency
            score = LabelLogOdds("yes", "no")
            function = ValueFunction(prompt, adapter, score, count, workers, on_event)
            return await function.evaluate(masks, before=before)

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


def test_a_refused_mask_is_a_hole():
    """Its value is NaN, it is counted, and every other mask has its own value."""
    rows = [1, 5, 6, 30, 39]
    found = evaluate(refusing(rows))
    assert np.flatnonzero(np.isnan(found.values)).tolist() == rows
    whole = evaluate(FunctionAdapter(odds, model="without a filter")).values
    kept = np.isfinite(found.values)
    np.testing.assert_array_equal(found.values[kept], whole[kept])
    assert (found.refused, found.censored, found.without_value) == (5, 0, 0)
    assert found.usage.requests == 35
    assert found.complete
    assert found.anchor(0) is not None
    assert found.anchor(1) is None


def test_masks_that_read_the_same_are_refused_once():
    """A refused question is asked once and counts once, and each of its masks is a hole."""
    prompt = Prompt.from_template("{text}", text="a a a")
    cube = uniform_plan(3, 8, seed=0).masks

    def answers(messages):
        if messages[-1].content == "a a":
            raise BadRequest("Filtered.")
        return odds(messages)

    model = FunctionAdapter(answers)
    found = evaluate(model, cube, prompt=prompt)
    assert len(model.requests) == 4
    assert found.refused == 1
    np.testing.assert_array_equal(np.isnan(found.values), cube.sum(axis=1) == 2)


def test_the_cap_counts_refused_attempts():
    """A refusal may be billed: it takes one request of the budget, and is not tried again."""
    meter = Meter()
    found = evaluate(refusing(range(1, 20, 2)), cap=25, meter=meter)
    assert (meter.sent, meter.retries) == (25, 0)
    assert np.isfinite(found.values).sum() + found.refused == 25
    assert found.refused == 10
    assert not found.complete


def test_where_the_first_mask_is_refused_the_run_ends():
    """Asked alone and refused: one request, its sentence, and nothing else is tried."""
    model, events = refusing([0]), []
    with pytest.raises(
        BadRequest, match=r"^Filtered, row 0\. 1 request was sent\. 0 of 40 answers are on disk\.$"
    ):
        evaluate(model, on_event=events.append)
    assert len(model.requests) == 1
    assert events == []


def test_where_all_others_of_the_first_look_are_refused_the_run_ends():
    """The whole prompt passes and fifteen masks do not: the rest is not paid for."""
    model = refusing(range(1, 16), capabilities=ONE_AT_A_TIME)
    with pytest.raises(
        BadRequest, match=r"^Filtered, row 1\. 16 requests were sent\. 1 of 40 answers are on disk"
    ):
        evaluate(model)
    assert len(model.requests) == 16
    assert evaluate(refusing(range(1, 15))).refused == 14


def test_too_many_refusals_void_the_result_as_soon_as_they_must():
    """60 % refused: the first refusal, the cost, what is safe; the 21st of 40 is the last."""
    rows = [row for row in range(40) if row % 5 > 1]
    model = refusing(rows, capabilities=ONE_AT_A_TIME)
    told = (
        r"^The endpoint refused 21 masks for good; of its 14 answers 0 give only a bound, 0 "
        r"nothing\. Together that is 60% of the masks that were asked; 50% is allowed\. The first "
        r"of 21 refusals: Filtered, row 2\. 35 requests were sent\. 14 of 40 answers are on disk\. "
        r"Change the text"
    )
    with pytest.raises(BadRequest, match=told):
        evaluate(model)
    again = FunctionAdapter(odds)
    evaluate(again)
    assert len(again.requests) == 26


def test_the_void_is_measured_in_questions_and_ends_with_the_endpoints_advice():
    """Of five questions behind sixteen masks the third refusal is one too many."""
    prompt = Prompt.from_template("{text}", text="a a a a")
    cube = uniform_plan(4, 16, seed=0).masks
    asked = list(dict.fromkeys(prompt.render(mask.tolist())[-1].content for mask in cube))

    def answers(messages):
        if messages[-1].content in asked[1:4]:
            raise BadRequest("Too long.", advice="Shorten the text.")
        return odds(messages)

    model = FunctionAdapter(answers, capabilities=ONE_AT_A_TIME)
    with pytest.raises(
        BadRequest, match=r"refused 3 masks.* 1 of 5 answers .* Shorten the text\.$"
    ):
        evaluate(model, cube, prompt=prompt)
    assert [ask.messages[-1].content for ask in model.requests] == asked[:4]


def test_half_refused_is_still_a_result():
    """What the score allows is allowed to the last mask."""
    assert evaluate(refusing(range(1, 40, 2))).refused == 20


@pytest.mark.parametrize(
    ("listed", "counts"), [({"well": -0.1}, "0 .* 12 nothing"), ({"yes": -0.1}, "12 .* 0 nothing")]
)
def test_refusals_and_other_missing_values_are_one_share(listed, counts):
    """30 % refused and 30 % without a value (or with a bound) are each allowed; together not."""
    rows = [row for row in range(40) if row % 10 in (1, 4, 7)]
    others = {TEXTS[row] for row in range(40) if row % 10 in (2, 5, 8)}

    def poor(messages):
        return listed if messages[-1].content in others else odds(messages)

    assert evaluate(refusing(rows)).refused == 12
    found = evaluate(FunctionAdapter(poor, model="poor"))
    assert found.without_value + found.censored == 12
    with pytest.raises(
        ScoreError, match=rf"^60% of .*{counts}.*The first of 12 refusals: Filtered"
    ):
        evaluate(refusing(rows, poor, model="poor and filtered"))


def test_refusals_are_asked_again_by_the_next_run(monkeypatch):
    """They are not on disk: a replay sends them and nothing else, and offline each is a miss."""
    first = evaluate(refusing([3, 20]))
    again, meter = refusing([3, 20]), Meter()
    second = evaluate(again, meter=meter)
    assert [ask.messages[-1].content for ask in again.requests] == [TEXTS[3], TEXTS[20]]
    assert (meter.sent, meter.cached) == (2, 38)
    np.testing.assert_array_equal(first.values, second.values)
    assert first.usage == second.usage
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    with pytest.raises(CacheMiss):
        evaluate(refusing([3, 20]))
    monkeypatch.delenv("SPEX_OFFLINE")
    assert evaluate(FunctionAdapter(odds)).refused == 0


def test_progress_counts_to_what_is_not_refused():
    """Each refusal takes one from the total; the first is told in words, the others are not."""
    events = []
    evaluate(refusing([2, 7, 39], capabilities=ONE_AT_A_TIME), on_event=events.append)
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == ["Filtered, row 2. Masks that are refused are left out."]
    assert events[-1] == Progress(done=37, total=37, sent=40)


def test_samples_leave_holes_out_and_keep_the_plans_code():
    """A decoder sees which code was asked, and which of its masks are missing."""
    plan = aliased_plan(6, None, sparsity_exponent=1, degree=1, seed=0)
    texts = [PROMPT.render(mask.tolist())[-1].content for mask in plan.masks]

    def answers(messages):
        if messages[-1].content == texts[3]:
            raise BadRequest("Filtered.")
        return odds(messages)

    found = evaluate(FunctionAdapter(answers), plan.masks)
    samples = found.samples(plan, np.ones(len(plan), dtype=bool), ordered=False)
    assert samples.aliasing is plan.aliasing
    np.testing.assert_array_equal(samples.masks, np.delete(plan.masks, 3, axis=0))
    np.testing.assert_array_equal(samples.values, np.delete(found.values, 3))


def test_what_is_asked_in_two_parts_adds_up():
    """Only the new masks go out, and the sum is what one asking gives; nothing is its zero."""
    whole = evaluate(FunctionAdapter(odds))
    model, meter = FunctionAdapter(odds, model="in parts"), Meter()
    first = evaluate(model, MASKS[:25])
    second = evaluate(model, MASKS, before=first, meter=meter)
    assert (meter.sent, meter.cached) == (15, 0)
    total = Evaluation.nothing() + first + second
    np.testing.assert_array_equal(total.values, whole.values)
    np.testing.assert_array_equal(total.variances, whole.variances)
    assert total.usage == whole.usage
    assert sum(total.models.values()) == 40
    assert total.complete


def test_a_later_part_knows_what_was_refused_before():
    """A refusal of a later first mask ends nothing, and shares count over all that was asked."""
    model = refusing([1, 25, 30], capabilities=ONE_AT_A_TIME)
    events = []
    first = evaluate(model, MASKS[:25])
    second = evaluate(model, MASKS, before=first, on_event=events.append)
    assert (first.refused, second.refused) == (1, 2)
    assert events[-1] == Progress(done=37, total=37, sent=15)
    assert [event for event in events if isinstance(event, Notice)] == []
    most = refusing(range(25, 40), capabilities=ONE_AT_A_TIME, model="other")
    assert evaluate(most, MASKS, before=evaluate(most, MASKS[:25])).refused == 15
