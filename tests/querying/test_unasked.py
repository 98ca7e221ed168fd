"""Rows that were not asked: as ranges, in order and apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.errors import UsageError
from spex_api.querying.unasked import ALL_ASKED, Unasked

ROWS = st.sets(st.integers(0, 60))


@given(ROWS, ROWS)
def test_ranges_hold_their_rows_and_no_others(some, more):
    """For any rows: each is found, the rest is not, and sums hold what either holds."""
    unasked = Unasked.of(some)
    assert {row for row in range(-2, 65) if row in unasked} == some
    assert len(unasked) == len(some)
    assert bool(unasked) == bool(some)
    assert Unasked(unasked.ranges) == unasked
    assert unasked + Unasked.of(more) == Unasked.of(some | more)
    assert unasked + ALL_ASKED == unasked


def test_neighbours_are_one_range():
    """A budget that ended leaves a tail, and a few holes before it."""
    assert Unasked.of([9, 4, 7, 8, 10]).ranges == ((4, 4), (7, 10))


@pytest.mark.parametrize(
    "ranges",
    [((3, 2),), ((-1, 2),), ((0, 2), (3, 4)), ((0, 2), (2, 4)), ((5, 6), (0, 1))],
    ids=str,
)
def test_other_ranges_are_refused(ranges):
    """Backwards, before the first row, touching, overlapping or out of order."""
    with pytest.raises(UsageError, match="no ranges of rows"):
        Unasked(ranges)
