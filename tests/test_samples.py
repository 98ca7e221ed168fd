"""Plans and samples: what they refuse, and what they keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spex_api.errors import UsageError
from spex_api.samples import Aliasing, QueryPlan, Samples

MASKS = [[0, 1], [1, 1], [1, 0]]
ALIASING = Aliasing(np.ones((3, 2, 1)), np.array([[0, 0], [1, 0]]), degree=1)
NAN = float("nan")


@pytest.mark.parametrize(
    ("masks", "values", "variances", "word"),
    [
        ([[0, 2]], [1.0], None, "only 0"),
        ([0, 1], [1.0], None, "shape"),
        (MASKS, [1.0, 2.0], None, "3 masks"),
        (MASKS, [1.0, float("nan"), 2.0], None, "number 1 is nan"),
        (MASKS, [1.0, 2.0, 3.0], [0.0, -1.0, 0.0], "negative"),
        (MASKS, [1.0, 2.0, 3.0], [0.0, 1.0], "variances"),
    ],
)
def test_what_is_wrong_is_named(masks, values, variances, word):
    """Every bad array gets one sentence that names what is wrong with it."""
    with pytest.raises(UsageError, match=word):
        Samples.from_arrays(masks, values, variances)


def test_arrays_are_read_only_and_not_the_callers():
    """Nobody changes a sample after the fact, and the caller's array stays as it was."""
    values = np.array([1.0, 2.0, 3.0])
    samples = Samples.from_arrays(np.array(MASKS, dtype=bool), values)
    with pytest.raises(ValueError, match="read-only"):
        samples.values[0] = 9.0
    values[0] = 9.0
    assert samples.values[0] == 1.0


def test_signs_are_minus_one_where_kept():
    """`(−1)^m`: the convention in numbers."""
    samples = Samples.from_arrays(MASKS, [0, 0, 0])
    np.testing.assert_array_equal(samples.signs, [[1, -1], [-1, -1], [-1, 1]])


def test_take_keeps_rows_together():
    """A mask keeps its value and its variance, whatever the order of the rows."""
    samples = Samples.from_arrays(MASKS, [1, 2, 3], [0.1, 0.2, 0.3], ordered=True)
    part = samples.take([2, 0])
    np.testing.assert_array_equal(part.masks, [[1, 0], [0, 1]])
    np.testing.assert_array_equal(part.values, [3, 1])
    np.testing.assert_array_equal(part.variances, [0.3, 0.1])
    assert part.ordered


def test_the_probability_goes_with_its_masks():
    """From plan to samples to a part of them; one half where nothing else is said."""
    samples = Samples.from_plan(QueryPlan(MASKS, keep=0.9), [5, 6, 7])
    assert samples.keep == samples.take([1]).keep == 0.9
    assert replace(samples, values=np.zeros(3)).keep == 0.9
    assert Samples.from_arrays(MASKS, [5, 6, 7], keep=0.7).keep == 0.7
    assert QueryPlan(MASKS).keep == Samples.from_arrays(MASKS, [5, 6, 7]).keep == 0.5


@pytest.mark.parametrize("keep", [0.0, 1.0, -1, float("nan")])
def test_a_probability_lies_between(keep):
    """With 0 and 1 there is one mask, and no measure."""
    with pytest.raises(UsageError, match="between 0 and 1"):
        QueryPlan(MASKS, keep=keep)
    with pytest.raises(UsageError, match="between 0 and 1"):
        Samples.from_arrays(MASKS, [5, 6, 7], keep=keep)


def test_from_plan_pairs_in_the_plans_order():
    """The first value belongs to the plan's first mask."""
    samples = Samples.from_plan(QueryPlan(np.array(MASKS)), [5, 6, 7])
    np.testing.assert_array_equal(samples.masks, MASKS)
    np.testing.assert_array_equal(samples.values, [5, 6, 7])


def test_a_code_goes_with_its_masks():
    """From plan to samples to a part of them, it is the same code; arrays alone have none."""
    samples = Samples.from_plan(QueryPlan(MASKS, "aliased", ALIASING), [5, 6, 7])
    assert samples.aliasing is ALIASING
    assert samples.take([1]).aliasing is ALIASING
    assert Samples.from_arrays(MASKS, [5, 6, 7]).aliasing is None
    assert Samples.from_plan(QueryPlan(MASKS), [5, 6, 7]).aliasing is None


def test_a_code_tells_its_sizes():
    """Features and exponent are read off the arrays, whichever type they come in."""
    aliasing = Aliasing(np.zeros((3, 5, 2), dtype=bool), np.zeros((4, 5), dtype=int), degree=2)
    assert (aliasing.num_features, aliasing.sparsity_exponent) == (5, 2)
    assert aliasing.matrices.dtype == aliasing.delays.dtype == np.uint8


def test_a_plan_tells_its_sizes():
    """As many queries as rows, as many features as columns; its masks are read-only."""
    plan = QueryPlan(MASKS)
    assert (len(plan), plan.num_features, plan.design) == (3, 2, "uniform")
    with pytest.raises(ValueError, match="read-only"):
        plan.masks[0, 0] = 1


def test_a_hole_is_left_out_with_its_mask_and_variance():
    """NaN is a mask without an answer: the others keep their order, and the code goes on."""
    plan = QueryPlan(MASKS, "aliased", ALIASING)
    samples = Samples.from_plan(plan, [5, NAN, 7], [0.1, NAN, 0.3], ordered=True)
    np.testing.assert_array_equal(samples.masks, [[0, 1], [1, 0]])
    np.testing.assert_array_equal(samples.values, [5, 7])
    np.testing.assert_array_equal(samples.variances, [0.1, 0.3])
    assert samples.aliasing is ALIASING
    assert samples.ordered
    assert len(Samples.from_plan(plan, [NAN, NAN, 7])) == 1


@pytest.mark.parametrize(
    ("values", "variances", "word"),
    [
        ([5, 6], None, "3 masks, but the values have the shape"),
        ([[5, 6, 7]], None, "3 masks, but the values have the shape"),
        ([5, float("inf"), 7], None, "number 1 is inf"),
        ([5, NAN, 7], [0.1, 0.2, 0.3, 0.4], "variances have the shape"),
        ([5, NAN, 7], [0.1, 0.2], "variances have the shape"),
        ([5, 6e200, 7], None, "cannot be squared"),
        ([5, 6, 7], [0.1, NAN, 0.3], "number 1 is nan"),
    ],
)
def test_values_that_do_not_fit_a_plan_are_named(values, variances, word):
    """Another number of values or variances, infinity, or a value whose variance is missing."""
    with pytest.raises(UsageError, match=word):
        Samples.from_plan(QueryPlan(MASKS), values, variances)
