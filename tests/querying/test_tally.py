"""Counts of answers: additive, in the plan's order, and a few numbers a mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.completions import Completion, Outcome, Usage
from spex_api.errors import BadRequest, CacheMiss
from spex_api.querying.evaluation import Evaluation
from spex_api.querying.seconding import MaskAnswers
from spex_api.querying.tally import Tally
from spex_api.sampling.uniform import uniform_plan
from spex_api.scores import Scored


def answer(outcome=Outcome.ANSWERED, *, model="m", fingerprint="") -> Completion:
    usage = Usage(requests=1, input_tokens=10, output_tokens=1)
    return Completion("x", outcome=outcome, model=model, fingerprint=fingerprint, usage=usage)


def answers(*first) -> MaskAnswers:
    return MaskAnswers(first)


def tally_of(sources, before=None) -> Tally:
    return Tally(np.array(sources, dtype=np.intp), before or Evaluation.nothing(), 0.5)


def test_masks_that_read_alike_share_a_value():
    """Of five masks two read as an earlier one: three are asked, and all five have a value."""
    tally = tally_of([0, 1, 0, 3, 1])
    assert tally.asked.tolist() == [0, 1, 3]
    assert (tally.total, tally.num_known) == (3, 0)
    for row in (3, 0, 1):
        tally.count(row, answers(answer()), Scored(float(row), 0.5))
    found = tally.evaluation()
    np.testing.assert_array_equal(found.values, [0, 1, 0, 3, 1])
    np.testing.assert_array_equal(found.variances, [0.5] * 5)
    assert found.usage == Usage(requests=3, input_tokens=30, output_tokens=3)
    assert tally.answered == 3


def test_later_masks_take_the_values_of_earlier_ones():
    """What was asked before is not asked again, a hole of then stays one, and counts go on."""
    before = tally_of([0, 1, 2])
    before.count(0, answers(answer()), Scored(7.0))
    before.refuse(1, BadRequest("No."))
    before.count(2, answers(answer()), Scored(9.0))
    tally = tally_of([0, 1, 2, 0, 1, 5], before.evaluation())
    assert tally.asked.tolist() == [5]
    assert (tally.total, tally.num_known, tally.answered) == (4, 3, 2)
    tally.count(5, answers(answer()), Scored(1.0))
    np.testing.assert_array_equal(tally.evaluation().values, [7.0, np.nan, 1.0])
    assert tally.evaluation().refused == 0


def test_each_kind_of_answer_is_counted():
    """Bounds, answers without a value, outcomes and served models, each in its own count."""
    tally = tally_of([0, 1, 2, 3])
    tally.count(0, answers(answer(fingerprint="a"), answer(fingerprint="b")), Scored(1.0))
    tally.count(
        1, answers(answer(Outcome.REFUSED), answer(Outcome.TRUNCATED)), Scored(float("nan"))
    )
    tally.count(2, answers(answer(Outcome.FILTERED), answer()), Scored(2.0, censored=True))
    found = tally.evaluation()
    assert (found.without_value, found.censored) == (1, 1)
    assert found.outcomes == {"answered": 3, "filtered": 1, "refused": 1, "truncated": 1}
    assert found.withheld == tally.withheld == 2
    assert found.models == {"m": 4, "m a": 1, "m b": 1}
    assert np.isnan(found.values[3])


def test_refusals_and_failures_stop_the_asking():
    """More than half refused, one failure, or a halt: nothing new is to be sent."""
    tally = tally_of([0, 1, 2, 3])
    for row in range(2):
        tally.refuse(row, BadRequest("No."))
        assert not tally.stopped
    tally.refuse(2, BadRequest("Once more."))
    assert tally.stopped
    assert tally.refusal is not None
    assert tally.refusal.cause == "No."
    tally = tally_of([0, 1])
    tally.fail(ValueError("first"))
    tally.fail(ValueError("second"))
    assert tally.stopped
    assert str(tally.failure) == "first"
    assert not tally.evaluation().complete
    tally = tally_of([0, 1])
    tally.halted = True
    assert tally.stopped


def test_what_is_neither_answered_nor_refused_was_not_asked():
    """It is told by its row, in the plan's order, and makes the whole incomplete."""
    tally = tally_of([0, 1, 0, 3, 4, 5])
    tally.count(0, answers(answer()), Scored(1.0))
    tally.refuse(4, BadRequest("No."))
    found = tally.evaluation()
    assert found.unasked.ranges == ((1, 1), (3, 3), (5, 5))
    assert not found.complete
    for row in (5, 3, 1):
        tally.count(row, answers(answer()), Scored(1.0))
    assert tally.evaluation().complete


def test_missing_answers_are_counted_and_the_first_of_the_plan_is_kept():
    """In whatever order they are found; one of unknown price makes the sum unknown."""
    tally = tally_of(range(9))
    tally.miss(5, CacheMiss("five"), 0.25)
    tally.miss(2, CacheMiss("two"), 0.5)
    tally.miss(2, CacheMiss("two again"), 0.5)
    assert (tally.missing, tally.missing_cost) == (3, 1.25)
    assert tally.first_missing is not None
    assert tally.first_missing[1].cause == "two"
    tally.miss(7, CacheMiss("seven"), None)
    assert tally.missing_cost is None


def test_sampled_variances_are_pooled_and_bounds_keep_theirs():
    """Draws that agree by luck count no more than others; a bound is as wide as it says."""
    plan = uniform_plan(3, 8, seed=0)
    rows = np.ones(8, dtype=bool)

    def variances(*scored):
        tally = tally_of(range(8))
        for row, each in enumerate(scored):
            tally.count(row, answers(answer()), each)
        return tally.evaluation().samples(plan, rows, ordered=False).variances.tolist()

    spread = [Scored(float(row), variance=0.1 + 0.1 * row) for row in range(8)]
    assert variances(*spread) == pytest.approx([0.45] * 8)
    bounds = [Scored(1.0)] * 7 + [Scored(-9.0, variance=4.0, censored=True)]
    assert variances(*bounds) == [0.0] * 7 + [4.0]


def test_one_model_is_no_drift():
    """Without a second name there is nothing to warn of."""
    tally = tally_of([0, 1])
    for row in (0, 1):
        tally.count(row, answers(answer(model="gpt", fingerprint="fp_1")), Scored(1.0))
    assert tally.evaluation().drift == ""
    assert Evaluation.nothing().drift == ""


def test_drift_is_a_sentence_with_counts():
    """Each model that served is named with its share, the busiest first; of many, four."""
    tally = tally_of(range(4))
    for row, name in enumerate(["old", "new", "new", ""]):
        tally.count(row, answers(answer(model=name)), Scored(1.0))
    told = tally.evaluation().drift
    assert told.startswith("The answers come from 3 models or systems behind one name: new gave 2")
    assert "old gave 1" in told
    assert "one without a name gave 1" in told
    tally = tally_of(range(6))
    for row in range(6):
        tally.count(row, answers(answer(fingerprint=f"fp_{row}")), Scored(1.0))
    assert tally.evaluation().drift.count(" gave 1") == 4
    assert "2 others the rest" in tally.evaluation().drift


SCORED = st.builds(Scored, st.floats(-5, 5) | st.just(float("nan")), st.floats(0, 1), st.booleans())
OUTCOMES = st.sampled_from(list(Outcome))


@given(st.lists(st.tuples(SCORED, OUTCOMES), min_size=1, max_size=20), st.data())
@settings(max_examples=60, deadline=None)
def test_counting_in_parts_adds_up(rows, data):
    """Wherever the masks are cut in two, and in any order, the sum is the count of all at once."""
    cut = data.draw(st.integers(0, len(rows)))
    order = data.draw(st.permutations(range(len(rows))))

    def counted(tally: Tally, some) -> Evaluation:
        for row in some:
            scored, outcome = rows[row]
            tally.count(row, answers(answer(outcome)), scored)
        return tally.evaluation()

    whole = counted(tally_of(range(len(rows))), order)
    first = counted(tally_of(range(cut)), [row for row in order if row < cut])
    later = counted(tally_of(range(len(rows)), first), [row for row in order if row >= cut])
    total = Evaluation.nothing() + first + later
    np.testing.assert_array_equal(total.values, whole.values)
    np.testing.assert_array_equal(total.variances, whole.variances)
    for name in ("censored", "without_value", "usage", "models", "outcomes", "unasked"):
        assert getattr(total, name) == getattr(whole, name), name


@pytest.mark.parametrize("count", [0, 1])
def test_few_masks_are_no_special_case(count):
    """No mask, or one, has values of the right shape."""
    found = tally_of(range(count)).evaluation()
    assert found.values.shape == found.variances.shape == (count,)
    assert found.outcomes == {}
