"""The concurrency that an endpoint bears: how it grows, when it is cut."""

from __future__ import annotations

import pytest

from spex_api.errors import UsageError
from spex_api.querying.pace.adaptive import AdaptiveConcurrency


def rounds(concurrency, count, *, now=0.0, share=1.0):
    """So many rounds of answers, each with a share of the limit under way; the limits after."""
    limits = []
    for _ in range(count):
        limit = concurrency.limit
        together = max(1, int(share * limit))
        for start in range(0, limit, together):
            batch = min(together, limit - start)
            for _ in range(batch):
                concurrency.enter()
            for _ in range(batch):
                concurrency.answered(now)
                concurrency.leave()
        limits.append(concurrency.limit)
    return limits


def test_it_starts_low_and_doubles():
    """Four at first, twice as many after each clean round, never more than the most."""
    concurrency = AdaptiveConcurrency(50)
    assert concurrency.limit == 4
    assert rounds(concurrency, 5) == [8, 16, 32, 50, 50]


@pytest.mark.parametrize("most", [1, 3])
def test_the_most_may_be_less_than_the_start(most):
    """Whoever allows one gets one."""
    concurrency = AdaptiveConcurrency(most)
    assert concurrency.limit == most
    assert rounds(concurrency, 3) == [most] * 3


def test_none_at_all_is_wrong_use():
    """A concurrency of nothing could never send."""
    with pytest.raises(UsageError, match="not 0"):
        AdaptiveConcurrency(0)


def test_it_is_full_at_its_limit():
    """A place is free until as many are under way as the limit says, and again once one is back."""
    concurrency = AdaptiveConcurrency(10)
    for _ in range(4):
        assert concurrency.free
        concurrency.enter()
    assert not concurrency.free
    concurrency.leave()
    assert concurrency.free


def test_too_fast_cuts_by_a_quarter_once_in_a_while():
    """The second of a storm says nothing new; ten seconds later another cut is made."""
    concurrency = AdaptiveConcurrency(64)
    rounds(concurrency, 4)
    concurrency.cut(0.0, 1.0, ramp=False)
    assert concurrency.limit == 48
    concurrency.cut(1.5, 2.0, ramp=False)
    assert concurrency.limit == 48
    concurrency.cut(11.0, 12.0, ramp=False)
    assert concurrency.limit == 36
    assert list(concurrency.cuts) == [1.0, 12.0]


def test_a_late_error_of_before_the_cut_is_no_news():
    """What left before the cut may fail long after it: the cut is not made twice."""
    concurrency = AdaptiveConcurrency(64)
    rounds(concurrency, 4)
    concurrency.cut(0.0, 1.0, ramp=False)
    concurrency.cut(0.5, 30.0, ramp=False)
    assert concurrency.limit == 48


def test_it_never_falls_below_one():
    """However often it is cut, one may go."""
    concurrency = AdaptiveConcurrency(64)
    for now in range(0, 1000, 20):
        concurrency.cut(now, now, ramp=True)
    assert concurrency.limit == 1
    assert concurrency.free


def test_after_a_cut_it_grows_slowly():
    """No doubling again: a few hundredths a round, after a while without growth."""
    concurrency = AdaptiveConcurrency(100)
    rounds(concurrency, 4)
    concurrency.cut(0.0, 0.0, ramp=False)
    assert rounds(concurrency, 5, now=9.0) == [48] * 5
    assert rounds(concurrency, 2, now=10.0) == [50, 52]


def test_it_grows_only_when_it_is_used():
    """With less than 80 % under way a round teaches nothing."""
    concurrency = AdaptiveConcurrency(100)
    assert rounds(concurrency, 1) == [8]
    assert rounds(concurrency, 3, share=0.7) == [8, 8, 8]
    assert rounds(concurrency, 1, share=0.9) == [16]


def test_a_ramp_limit_cuts_harder_and_grows_slower():
    """Half instead of a quarter, and two hundredths a round instead of five."""
    concurrency = AdaptiveConcurrency(200)
    rounds(concurrency, 5)
    concurrency.cut(0.0, 0.0, ramp=True)
    assert concurrency.limit == 64
    assert rounds(concurrency, 2, now=20.0) == [65, 66]
    concurrency.cut(40.0, 40.0, ramp=False)
    assert rounds(concurrency, 2, now=60.0) == [50, 51]


def test_a_failing_endpoint_pauses_growth_without_a_cut():
    """A 500 says nothing of our speed; growth goes on, still by doubling, once it is past."""
    concurrency = AdaptiveConcurrency(100)
    rounds(concurrency, 1)
    concurrency.freeze(0.0)
    assert rounds(concurrency, 2, now=5.0) == [8, 8]
    assert rounds(concurrency, 1, now=10.0) == [16]
    assert not concurrency.cuts


@pytest.mark.parametrize("failure", ["cut", "freeze"])
def test_a_round_is_clean_from_its_beginning(failure):
    """The answers before a failure do not count towards the round after it."""
    concurrency = AdaptiveConcurrency(20)
    rounds(concurrency, 3)
    for _ in range(20):
        concurrency.enter()
    for _ in range(14):
        concurrency.answered(0.0)
    if failure == "cut":
        concurrency.cut(0.0, 0.0, ramp=False)
    else:
        concurrency.freeze(0.0)
        concurrency._most = 100
    before = concurrency.limit
    for _ in range(before - 1):
        concurrency.answered(30.0)
    assert concurrency._exact == before
    concurrency.answered(30.0)
    assert concurrency._exact > before
