"""Asking under masks: in the plan's order, never twice, and nothing lost when it breaks off."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import math
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from spex_api.completions import Capabilities, Outcome
from spex_api.errors import (
    AuthenticationFailed,
    BadRequest,
    CacheMiss,
    RateLimited,
    RetryLater,
    ScoreError,
    Unavailable,
)
from spex_api.events import Notice, Progress, ignore
from spex_api.prompts import Prompt
from spex_api.querying.budget import Budget
from spex_api.querying.cache import Cached, DiskStore, Mode
from spex_api.querying.policy import Meter
from spex_api.querying.retry import Retrying
from spex_api.querying.stack import open_stack
from spex_api.querying.value_function import Evaluation, ValueFunction
from spex_api.sampling.aliased import aliased_plan
from spex_api.sampling.uniform import uniform_plan
from spex_api.scores import LabelLogOdds
from spex_api.testing import FunctionAdapter
from tests.querying.virtual_clock import VirtualClock

PROMPT = Prompt.from_template("{text}", text="a b c d e f")
MASKS = uniform_plan(6, 40, seed=0).masks


def odds(messages) -> dict[str, float]:
    """Log-odds that depend on which letters are there."""
    said = messages[-1].content
    value = sum((ord(letter) - 99) / 4 for letter in said if letter in "abcdef")
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
        async with open_stack(model, budget=budget, meter=count, on_event=on_event) as stack:
            adapter = stack.adapter
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
        async with open_stack(slow, budget=Budget(), meter=count, on_event=ignore) as stack:
            score = LabelLogOdds("yes", "no")
            task = asyncio.create_task(
                ValueFunction(PROMPT, stack.adapter, score, count, 4).evaluate(MASKS)
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
        return {"yes": -0.3, "well": -1.5} if messages[-1].content == "…" else odds(messages)

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
    assert evaluate(refusing(range(1, 15), model="another")).refused == 14


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
    from_disk = (
        r"refused 21 masks .* 0 requests were sent\. .* Refused on .* a refresh asks anew\.$"
    )
    with pytest.raises(BadRequest, match=from_disk):
        evaluate(again)
    assert again.requests == []


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


def test_refusals_are_not_asked_again_by_the_next_run(monkeypatch):
    """They are on disk as the answers are: whoever asks again sends nothing, offline too."""
    first = evaluate(refusing([3, 20]))
    for offline in ("0", "1"):
        monkeypatch.setenv("SPEX_OFFLINE", offline)
        again, meter = FunctionAdapter(odds), Meter()
        second = evaluate(again, meter=meter)
        assert again.requests == []
        assert (meter.sent, meter.cached, second.refused) == (0, 38, 2)
        np.testing.assert_array_equal(first.values, second.values)
        assert first.usage == second.usage


def test_progress_counts_to_what_is_not_refused():
    """Each refusal takes one from the total; the first is told in words, the others are not."""
    events = []
    evaluate(refusing([2, 7, 39], capabilities=ONE_AT_A_TIME), on_event=events.append)
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices == ["Filtered, row 2. Masks that are refused are left out."]
    assert events[-1] == Progress(done=37, total=37, sent=40, failed=3)


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
    assert events[-1] == Progress(done=37, total=37, sent=15, failed=3)
    assert [event for event in events if isinstance(event, Notice)] == []
    most = refusing(range(25, 40), capabilities=ONE_AT_A_TIME, model="other")
    assert evaluate(most, MASKS, before=evaluate(most, MASKS[:25])).refused == 15


def asking(model, masks=MASKS, *, meter=None, on_event=ignore, workers=4, **changes):
    """An evaluation straight at a model, without any policy of ours around it."""
    score = changes.pop("score", LabelLogOdds("yes", "no"))
    return ValueFunction(
        PROMPT, model, score, meter or Meter(), workers, on_event, **changes
    ).evaluate(masks)


def replay(folder, masks=MASKS, *, prepared=40, **changes):
    """A replay of masks of which the first ones are on disk."""
    store, model = DiskStore(folder), FunctionAdapter(odds)
    try:
        asyncio.run(asking(Cached(model, store, Meter()), masks[:prepared]))
        asked = len(model.requests)
        silent = Cached(model, store, Meter(), mode=Mode.REPLAY)
        try:
            return asyncio.run(asking(silent, masks, **changes))
        finally:
            assert len(model.requests) == asked == prepared
    finally:
        store.close()


def test_a_replay_sends_nothing_and_gives_the_same(tmp_path):
    """All answers on disk: the identical values, and the model is not asked."""
    found = replay(tmp_path / "a")
    np.testing.assert_array_equal(found.values, evaluate(FunctionAdapter(odds)).values)
    assert found.complete


def test_a_replay_counts_all_that_is_missing_and_names_the_first(tmp_path):
    """One error: how many of how many, the first in the plan's order, and what they would cost."""
    with pytest.raises(CacheMiss) as raised:
        replay(
            tmp_path / "a",
            prepared=33,
            price=SimpleNamespace(bound=lambda request: 0.125),
            workers=7,
        )
    told = str(raised.value)
    assert told.startswith("7 of 40 answers are not on disk. The first: No answer of function to ")
    assert repr(TEXTS[33]) in told
    assert "They would cost $0.88 at most" in told
    assert "0 requests were sent." in told
    assert "33 of 40 answers are on disk." in told


def test_a_replay_without_a_price_says_so(tmp_path):
    """Where no price is known none is told; even an empty folder is counted to the end."""
    with pytest.raises(CacheMiss, match=r"^38 of 40 answers .* What they would cost is not known"):
        replay(tmp_path / "a", prepared=2)


def test_missing_answers_go_before_what_the_others_lack(tmp_path):
    """Answers without log-probs are not judged while some are missing: it may be for that."""
    store, model = DiskStore(tmp_path / "a"), FunctionAdapter(lambda messages: {})
    cached = Cached(model, store, Meter())
    for row in (0, 1):
        asyncio.run(
            cached.complete(
                LabelLogOdds("yes", "no").requests(
                    PROMPT.render(MASKS[row].tolist()), model.capabilities
                )[0]
            )
        )
    with pytest.raises(CacheMiss, match="38 of 40"):
        asyncio.run(asking(Cached(model, store, Meter(), mode=Mode.REPLAY)))
    store.close()


def ending(texts, outcome, *, listed=None) -> FunctionAdapter:
    """A model whose answers to these texts are withheld, in this way."""
    marks = {True: -50.0, False: -40.0}

    class Ending(FunctionAdapter):
        def read(self, raw):
            told = json.loads(raw)
            withheld = told.pop("mark") == marks[True]
            answer = FunctionAdapter.read(self, json.dumps((listed or {}) if withheld else told))
            return dataclasses.replace(
                answer, raw=raw, outcome=outcome if withheld else Outcome.ANSWERED
            )

    return Ending(lambda messages: {**odds(messages), "mark": marks[messages[-1].content in texts]})


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.FILTERED])
def test_a_withheld_answer_is_an_observation_without_a_value(outcome):
    """It is paid and kept, a hole among the values, counted apart, and told once."""
    rows = [3, 9, 30]
    events = []
    found = evaluate(ending([TEXTS[row] for row in rows], outcome), on_event=events.append)
    assert np.flatnonzero(np.isnan(found.values)).tolist() == rows
    assert found.outcomes == {"answered": 37, outcome.value: 3}
    assert (found.withheld, found.without_value, found.refused) == (3, 3, 0)
    assert found.usage.requests == 40
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert notices[0].startswith("An answer was declined by the model or taken away by a filter.")
    again = ending([], outcome)
    evaluate(again)
    assert again.requests == []


def test_a_withheld_answer_has_the_value_that_the_score_reads():
    """Where its log-probs came all the same, they are read."""
    rows = [3, 9, 30]
    listed = {"yes": -0.5, "no": -1.0}
    found = evaluate(ending([TEXTS[row] for row in rows], Outcome.REFUSED, listed=listed))
    np.testing.assert_allclose(found.values[rows], 0.5)
    assert (found.withheld, found.without_value) == (3, 0)


def test_where_all_first_answers_are_withheld_the_run_ends():
    """Sixteen answers, none of them given: the rest is not paid for."""
    model = ending(TEXTS, Outcome.REFUSED)
    with pytest.raises(ScoreError, match=r"^Each of the first 16 answers was declined"):
        evaluate(model)
    assert len(model.requests) == 16


def test_withheld_answers_are_named_where_they_void_the_result():
    """Sixty per cent withheld: the error says that it is these."""
    rows = [row for row in range(40) if row % 5 > 1]
    with pytest.raises(ScoreError, match=r"^60% of .*; 24 were declined by the model or taken"):
        evaluate(ending([TEXTS[row] for row in rows], Outcome.FILTERED))


def test_a_second_model_is_told_when_it_first_serves():
    """One notice as soon as two models stand behind one name, and the warning at the end."""

    class Changing(FunctionAdapter):
        def read(self, raw):
            answer = FunctionAdapter.read(self, raw)
            name = "snapshot-1" if len(self.requests) <= 30 else "snapshot-2"
            return dataclasses.replace(answer, model=name)

    events = []
    found = asyncio.run(
        asking(Changing(odds, capabilities=ONE_AT_A_TIME), on_event=events.append, workers=1)
    )
    assert found.models == {"snapshot-1": 30, "snapshot-2": 10}
    assert "2 models" in found.drift
    assert "snapshot-1 gave 30, snapshot-2 gave 10" in found.drift
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "snapshot-2 gave 1" in notices[0]


def test_a_storm_of_failures_ends_the_run_resumably(tmp_path):
    """What came before it is on disk; the error says so, and a later run sends only the rest."""
    clock, meter = VirtualClock(), Meter()
    store = DiskStore(tmp_path / "a")
    model = FunctionAdapter(odds)

    def storm(messages):
        if len(broken.requests) > 25:
            raise Unavailable("The server is down.")
        return odds(messages)

    broken = FunctionAdapter(storm)
    stack = Cached(Retrying(broken, meter, clock=clock), store, meter)

    async def main():
        return await clock.finish(asking(stack, meter=meter))

    with pytest.raises(Unavailable, match=r"25 of 40 answers are on disk\. The same command goes"):
        asyncio.run(main())
    assert asyncio.run(asking(Cached(model, store, Meter()))).complete
    assert len(model.requests) == 15
    store.close()


def test_after_a_failure_nobody_waits_and_nothing_is_sent_again():
    """One request must come back in 120 s when another finds the door closed: it is broken off."""
    clock, meter = VirtualClock(), Meter()

    def answers(messages):
        if messages[-1].content == TEXTS[20]:
            raise RateLimited("Too fast.", retry_after=100.0)
        if messages[-1].content == TEXTS[30]:
            raise RetryLater("Come back tomorrow.", retry_after=86400.0)
        return odds(messages)

    model = FunctionAdapter(answers)
    stack = Retrying(model, meter, clock=clock)

    async def main():
        with pytest.raises(RetryLater, match="Come back tomorrow"):
            await clock.finish(asking(stack, meter=meter))

    asyncio.run(main())
    assert clock.now() == 0.0
    asked = [request.messages[-1].content for request in model.requests]
    assert asked.count(TEXTS[20]) == 1


def test_a_ctrl_c_does_not_wait_for_a_wait():
    """A request that waits to be sent again is broken off; nothing paid is lost by that."""
    clock, meter = VirtualClock(), Meter()

    def answers(messages):
        if messages[-1].content == TEXTS[20]:
            raise RateLimited("Too fast.", retry_after=100.0)
        return odds(messages)

    model = FunctionAdapter(answers)

    async def main():
        task = asyncio.create_task(asking(Retrying(model, meter, clock=clock), workers=1))
        await clock.advance(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert clock.now() == 1.0
    assert len(model.requests) == 21


def test_a_request_that_is_cancelled_from_within_is_not_lost_silently():
    """If what sends a request cancels it of itself, the result does not pass for complete."""

    class Cancelling(FunctionAdapter):
        async def complete(self, request):
            if request.messages[-1].content == TEXTS[25]:
                raise asyncio.CancelledError
            return await FunctionAdapter.complete(self, request)

    with pytest.raises(Unavailable, match="cancelled by what sends it"):
        asyncio.run(asking(Cancelling(odds)))


def test_progress_tells_what_was_spent_and_what_failed():
    """Dollars come from the meter, the cap from who knows it, and refusals are failures."""
    meter, events = Meter(usd=0.0), []

    def answers(messages):
        meter.usd += 0.5
        if messages[-1].content == TEXTS[7]:
            raise BadRequest("Filtered.")
        return odds(messages)

    asyncio.run(asking(FunctionAdapter(answers), meter=meter, on_event=events.append, usd_cap=25.0))
    assert events[-1] == Progress(done=39, total=39, failed=1, usd=20.0, usd_cap=25.0)


def test_the_log_tells_the_beginning_and_the_end(caplog):
    """Two records with counts and the kind of failure, and no text of the prompt."""
    with caplog.at_level(logging.INFO, logger="spex_api.querying"):
        evaluate(FunctionAdapter(odds))
        with pytest.raises(AuthenticationFailed):
            asyncio.run(asking(refusing_keys()))
    begin, end, _, failed = (
        record for record in caplog.records if record.name.endswith("value_function")
    )
    assert begin.questions == 40
    assert (end.answered, end.sent, end.failure) == (40, 40, "")
    assert failed.failure == "AuthenticationFailed"
    assert "a b c" not in repr([vars(record) for record in caplog.records])


def refusing_keys() -> FunctionAdapter:
    """A model whose door is closed."""

    def answers(messages):
        raise AuthenticationFailed("The key was refused.")

    return FunctionAdapter(answers)


def test_memory_is_a_few_numbers_a_mask():
    """A prompt of 20 kB under 2,000 masks, 40 MB of text in all, is asked within 4 MB."""

    class Forgetful(FunctionAdapter):
        async def complete(self, request):
            return self.read(json.dumps(self.answer(request.messages)))

    words = " ".join(f"{'word' * 250}{number}" for number in range(20))
    prompt = Prompt.from_template("{text}", text=words)
    masks = uniform_plan(20, 2000, seed=0).masks
    function = ValueFunction(
        prompt,
        Forgetful(lambda messages: {"yes": -0.1, "no": -2.4}),
        LabelLogOdds("yes", "no"),
        Meter(),
        16,
    )
    tracemalloc.start()
    try:
        found = asyncio.run(function.evaluate(masks))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.complete
    assert peak < 4e6
