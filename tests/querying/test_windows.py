"""The log of one dimension: its limit, its pace, and what the endpoint says of it."""

from __future__ import annotations

import math

import pytest

from spex_api.completions import Allowance
from spex_api.querying.pace.windows import BURST, WINDOW, Window


def fill(window, amount, *, start=0.0):
    """Takes one by one as early as it may; returns the moments."""
    now, moments = start, []
    for _ in range(amount):
        while (due := window.due(1, now)) > now:
            now = due
        window.take(1, now)
        moments.append(now)
    return moments


def test_no_sixty_seconds_take_more_than_the_limit():
    """In ten minutes of taking all that may be had, no minute has more, and all have 95 %."""
    moments = fill(Window(100), 1000)
    for start in moments[:-100]:
        taken = sum(start <= each <= start + 60 for each in moments)
        assert 95 <= taken <= 100


def test_the_minute_may_arrive_a_second_closer_together():
    """The 101st leaves more than a second after the first is a minute old: jitter is covered."""
    moments = fill(Window(100), 101)
    assert moments[100] - moments[0] == WINDOW > 60.5


def test_a_start_does_not_fire_the_whole_minute():
    """Two seconds' worth goes at once; then the pace is the limit's own."""
    moments = fill(Window(600), 100)
    assert sum(each == 0 for each in moments) in (20, 21)
    assert moments[99] == pytest.approx(99 * 0.1 - BURST)


def test_a_free_limit_takes_all_at_once():
    """Where there is no limit, nothing waits; yet it is counted, should one be named later."""
    window = Window(None)
    assert set(fill(window, 1000)) == {0.0}
    assert window.used == 1000


def test_what_is_larger_than_the_limit_never_fits():
    """Its moment is infinite, not a minute away."""
    assert Window(10).due(11, 0.0) == math.inf
    assert Window(10).due(10, 0.0) <= 0.0


def test_the_real_amount_stands_in_place_of_the_estimate():
    """What was set aside too much may be taken at once; the pace gets it back too."""
    window = Window(100)
    entry = window.take(100, 0.0)
    assert window.due(50, 1.0) == WINDOW
    window.settle(entry, 40, 1.0)
    assert window.used == 40
    assert window.due(60, 24.0) <= 24.0
    assert window.due(61, 24.0) == WINDOW


def test_more_than_the_estimate_slows_the_next():
    """An answer that took more than expected counts in full, from when it was sent."""
    window = Window(100)
    window.settle(window.take(10, 0.0), 95, 30.0)
    assert window.due(10, 59.0) == WINDOW


def test_what_is_settled_after_its_minute_changes_nothing():
    """An answer that took longer than the log looks back is not counted twice or below nothing."""
    window = Window(100)
    entry = window.take(80, 0.0)
    window.settle(entry, 10, 100.0)
    assert window.used == 0


def test_what_the_server_says_is_left_holds_until_it_is_all_back():
    """Others took the rest of the limit: of our own 100, only what is left may be taken."""
    window = Window(100)
    entry = window.take(10, 0.0)
    window.resync(Allowance("requests", 100, 5, 20.0), entry, 1.0)
    assert window.due(5, 10.0) <= 10.0
    assert window.due(6, 10.0) == 21.0
    assert window.due(6, 21.0) <= 21.0


def test_a_bucket_comes_back_little_by_little():
    """Where the time to the full limit is as long as a bucket needs, half of it brings half."""
    window = Window(100)
    entry = window.take(0.5, 0.0)
    window.resync(Allowance("requests", 100, 0, 60.0), entry, 0.0)
    assert window.due(50, 0.0) == pytest.approx(30.0, rel=0.01)


def test_the_servers_word_never_makes_us_faster():
    """More than the limit left, or a longer minute than ours: the user's limit holds."""
    window = Window(100)
    entry = window.take(100, 0.0)
    window.resync(Allowance("requests", 5000, 4999, 0.1), entry, 0.0)
    assert window.limit == 100
    assert window.due(1, 0.0) == WINDOW


def test_a_hold_ends_with_the_window():
    """A server that says that nothing is left for a day is asked again after a minute."""
    window = Window(100)
    entry = window.take(10, 0.0)
    window.resync(Allowance("requests", 100, 0, 86_400.0), entry, 0.0)
    assert window.due(1, 60.0) == WINDOW
    assert window.due(1, WINDOW) <= WINDOW


def test_an_older_reply_says_nothing_new():
    """Replies overtake each other: what the request sent last was told counts."""
    window = Window(100)
    early, late = window.take(1, 0.0), window.take(1, 1.0)
    window.resync(Allowance("requests", 100, 0, 30.0), late, 2.0)
    window.resync(Allowance("requests", 100, 90, 30.0), early, 3.0)
    assert window.due(1, 4.0) == 32.0


def test_a_newer_reply_lifts_the_hold():
    """More is left than was said before: nothing waits any longer."""
    window = Window(100)
    for remaining, moment in ((0, 0.0), (99, 3.0)):
        entry = window.take(1, moment)
        window.resync(Allowance("requests", 100, remaining, 30.0), entry, moment)
        assert (window.due(50, moment) <= moment) == (remaining == 99)


def test_a_limit_is_adopted_where_the_user_gave_none():
    """The server's own limit is held, and followed when it changes; a day's limit is not."""
    window = Window(None)
    entry = window.take(1, 0.0)
    window.resync(Allowance("requests", 14_400, 14_399, 7000.0), entry, 0.0)
    assert window.limit == math.inf
    window.resync(Allowance("requests", 500, 499, 0.12), entry, 0.0)
    assert window.limit == 500
    window.resync(Allowance("requests", 50, 49, 1.2), entry, 0.0)
    assert window.limit == 50
    assert window.due(50, 0.0) == WINDOW


@pytest.mark.parametrize("limit", [None, 0.0, -1.0, math.inf, math.nan])
def test_a_limit_that_is_none_is_not_adopted(limit):
    """Headers say strange things; a limit of nothing would stop the run for ever."""
    window = Window(None)
    window.resync(Allowance("requests", limit), window.take(1, 0.0), 0.0)
    assert window.limit == math.inf


def test_what_was_taken_before_a_limit_was_known_counts():
    """The log is kept without a limit, so that the first minute under one is right."""
    window = Window(None)
    for _ in range(60):
        entry = window.take(1, 0.0)
    window.resync(Allowance("requests", 60, None, None), entry, 1.0)
    assert window.due(1, 1.0) == WINDOW
