"""Plans and samples: what they refuse, and what they keep."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.errors import UsageError
from spex_api.samples import QueryPlan, Samples

MASKS = [[0, 1], [1, 1], [1, 0]]


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


def test_from_plan_pairs_in_the_plans_order():
    """The first value belongs to the plan's first mask."""
    samples = Samples.from_plan(QueryPlan(np.array(MASKS)), [5, 6, 7])
    np.testing.assert_array_equal(samples.masks, MASKS)
    np.testing.assert_array_equal(samples.values, [5, 6, 7])
