"""Queries go where they gain most, in whole looks, and nobody is asked more than the budget."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.audits.allotment import Course, allot, is_hopeless, stops
from spex_api.audits.learning import Beliefs, Learner, Shown


def course(num_features=20, values=(), *, cost=1, error=0.05):
    """A prompt that was looked at as often as there are values."""
    looks = stops(num_features, 600)
    shown = tuple(Shown(at, value, error) for at, value in zip(looks, values, strict=False))
    return Course(num_features, looks, shown, cost)


@st.composite
def courses(draw):
    """A few prompts, each somewhere on its way."""
    values = st.one_of(st.floats(-1, 1), st.just(math.nan))
    return [
        replace(
            course(
                draw(st.integers(2, 60)),
                draw(st.lists(values, max_size=3)),
                cost=draw(st.integers(1, 3)),
            ),
            closed=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 8)))
    ]


@given(courses(), st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_a_round_is_within_the_budget_and_of_those_that_are_open(every, left):
    """Whatever was shown."""
    going = allot(every, left=left)
    assert list(going) == sorted(set(going))
    assert all(every[at].open for at in going)
    assert sum(every[at].next_cost for at in going) <= left


@given(st.permutations(range(6)), st.integers(50, 2000))
@settings(max_examples=30, deadline=None)
def test_prompts_are_chosen_for_what_they_showed_and_not_for_their_place(order, left):
    """In another order the same ones go on."""
    every = [
        course(11, (0.6,)),
        course(17, (0.1, 0.5)),
        course(23),
        course(29, (0.8, 0.9)),
        course(41, (0.3,), cost=2),
        course(60, (0.0, 0.02, 0.01)),
    ]
    mixed = [every[at] for at in order]
    assert {every[at] for at in allot(every, left=left)} == {
        mixed[at] for at in allot(mixed, left=left)
    }


def test_the_budget_is_given_away_to_the_last_look_that_fits():
    """Rounds follow one another until nobody can go on."""
    every, left = [course(num_features) for num_features in (8, 16, 24, 200)], 900
    while going := allot(every, left=left):
        for at in going:
            left -= every[at].next_cost
            count = every[at].looks[len(every[at].shown)]
            value = 0.8 * (1 - math.exp(-count / 60))
            every[at] = replace(every[at], shown=(*every[at].shown, Shown(count, value, 0.05)))
    assert left >= 0
    assert left < min(each.next_cost for each in every if each.open)


def test_what_is_explained_well_gives_way_to_what_still_grows():
    """Of one that has all and one that has half, the second is asked."""
    well, growing = course(values=(0.97, 0.985, 0.99)), course(values=(0.2, 0.4, 0.55))
    assert allot([well, growing], left=growing.next_cost) == (1,)
    assert allot([growing, well], left=growing.next_cost) == (0,)


def test_a_hopeless_prompt_does_not_eat_the_budget():
    """One that showed nothing in many looks is asked no more, though there is enough for it."""
    nothing = course(values=(0.0, 0.01, -0.01, 0.0, 0.0, 0.01), error=0.02)
    assert is_hopeless(nothing, [nothing])
    assert allot([nothing, course(values=(0.5,))], left=10_000) == (1,)
    assert not is_hopeless(course(values=(0.02,), error=0.3), [course(values=(0.02,), error=0.3)])
    assert not is_hopeless(course(), [course()])


def test_short_prompts_come_first():
    """They take fewer queries for as much."""
    short, long = course(10), course(300)
    assert allot([long, short], left=short.next_cost) == (1,)
    assert allot([long], left=short.next_cost) == ()


def test_a_mask_that_takes_several_requests_counts_as_often():
    """Three samples a mask are three times as dear."""
    dear, cheap = course(cost=3), course()
    assert dear.next_cost == 3 * cheap.next_cost
    assert allot([dear, cheap], left=cheap.next_cost) == (1,)


@pytest.mark.parametrize(("num_features", "most"), [(2, 20), (10, 300), (24, 480), (200, 4000)])
def test_looks_end_with_all_that_may_be_asked(num_features, most):
    """In ratios of about 1.5, from one mask a feature."""
    looks = stops(num_features, most)
    assert looks[-1] == most
    assert list(looks) == sorted(set(looks))
    assert looks[0] == min(most, max(50, num_features))
    assert all(1.2 < after / before < 1.9 for before, after in pairwise(looks))


def test_what_is_expected_follows_what_was_shown():
    """A prompt that did well is expected to do well; one that was not looked at, as the others."""
    good = Learner(20, (Shown(80, 0.7, 0.05), Shown(160, 0.85, 0.03)))
    bad = Learner(20, (Shown(80, 0.0, 0.05), Shown(160, 0.05, 0.03)))
    beliefs = Beliefs.of([good, bad, Learner(20)])
    told = [beliefs.expected(at, 320) for at in range(3)]
    assert told[0] > 0.8
    assert told[1] < 0.3
    assert told[1] < told[2] < told[0]
    np.testing.assert_allclose(beliefs.weights.sum(axis=(1, 2, 3)), 1)


def test_others_of_the_same_length_teach():
    """Where all of them fail, less is expected of the next; of a longer one they say little."""
    alone = Beliefs.of([Learner(20)]).expected(0, 100)
    failing = [Learner(20, (Shown(160, 0.0, 0.02),))] * 20
    beliefs = Beliefs.of([*failing, Learner(20), Learner(400)])
    assert beliefs.expected(20, 100) < 0.6 * alone
    assert beliefs.expected(21, 2000) > beliefs.expected(20, 100)


def test_what_cannot_be_measured_teaches_nothing():
    """A look whose values do not vary leaves the belief as it was."""
    unseen, blind = Learner(20), Learner(20, (Shown(80, math.nan, math.nan),))
    assert Beliefs.of([unseen]).expected(0, 100) == Beliefs.of([blind]).expected(0, 100)
