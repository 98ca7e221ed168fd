"""The search for causes, on planted rules: what is found, what is not, and what is advised."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from spex_api.causes.asking import Answered
from spex_api.causes.search import Known, find_causes
from spex_api.claims import Kind
from spex_api.errors import UsageError

RULES = {
    Kind.ALONE: ((2,), lambda x: x[2]),
    Kind.TOGETHER: ((2, 5), lambda x: x[2] and x[5]),
    Kind.REDUNDANT: ((2, 5), lambda x: x[2] or x[5]),
    Kind.SUPPRESSOR: ((2, 5), lambda x: not (x[2] and not x[5])),
    Kind.MIXED: ((2, 5, 6), lambda x: x[2] and (x[5] or x[6])),
}


class Asked:
    """A rule over kept features, with noise, that counts its answers."""

    def __init__(self, rule, num_features, *, noise=0.0, seed=0, moved=lambda moved: True):
        self.rule, self.num_features, self.noise, self.moved = rule, num_features, noise, moved
        self.rng = np.random.default_rng([seed, 1])
        self.count = 0

    def one(self, kept):
        """Whether the outcome holds of one answer."""
        return bool(self.rule(kept)) != (self.rng.random() < self.noise)

    async def __call__(self, arrangements):
        """Answers each."""
        self.count += len(arrangements)
        found = []
        for arrangement in arrangements:
            kept = [feature not in arrangement.removed for feature in range(self.num_features)]
            holds = self.one(kept) and self.moved(dict(arrangement.moved))
            found.append(Answered(float(holds), holds))
        return found


def found_by(ask, **settings):
    terms = {"budget": 200, "outcome": "says 25 days", **settings}
    found = asyncio.run(find_causes(ask, ask.num_features, **terms))
    assert ask.count <= terms["budget"]
    return found


def kinds(causes):
    return [(cause.kind, cause.features) for cause in causes.confirmed]


@pytest.mark.parametrize("kind", RULES)
def test_a_planted_cause_is_found_and_confirmed(kind):
    """Its features and its kind, of ten parts, where no answer is wrong."""
    features, rule = RULES[kind]
    ask = Asked(rule, 10)
    found = found_by(ask, budget=160)
    assert kinds(found) == [(kind, features)]
    assert (found.outcome, found.advice, found.alpha) == ("says 25 days", "", 0.05)
    assert found.calls == sum(trial.asked for trial in found.trials) < ask.count
    assert found.trials[0].asked == found.trials[0].holds == 5


@pytest.mark.parametrize("kind", [Kind.ALONE, Kind.TOGETHER, Kind.REDUNDANT, Kind.SUPPRESSOR])
def test_with_noise_too(kind):
    """One answer in ten is wrong, some are known before, and the outcome may be the opposite."""
    features, rule = RULES[kind]
    right = 0
    for seed in range(4):
        ask = Asked(rule if seed % 2 else lambda x: not rule(x), 8, noise=0.1, seed=seed)
        masks = (np.random.default_rng(seed).random((40, 8)) < 0.5).astype(np.uint8)
        known = Known(masks, np.array([ask.one(mask) for mask in masks]))
        found = found_by(ask, seed=seed, known=known, otherwise="does not say it")
        right += kinds(found) == [(kind, features)]
        if found.confirmed:
            assert found.outcome == ("says 25 days" if seed % 2 else "does not say it")
            assert found.trials[0].holds > found.trials[0].flipped
    assert right >= 3


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
def test_where_there_is_no_cause_none_is_confirmed(noise):
    """Whether all answers agree, one in ten is wrong, or they are a coin's."""
    for seed in range(3):
        found = found_by(Asked(lambda x: True, 8, noise=noise, seed=seed), seed=seed)
        assert not found.confirmed
        assert found.advice


def test_where_no_part_matters_it_says_so_before_the_budget_ends():
    """And tells to look elsewhere."""
    ask = Asked(lambda x: True, 8)
    found = found_by(ask)
    assert (found.causes, found.trials, found.calls) == ((), (), 0)
    assert found.advice.startswith("No part was found that matters")
    assert ask.count < 200


@pytest.mark.parametrize(
    "rule", [lambda x: all(x[:5]), lambda x: sum(x[:5]) >= 3], ids=["five", "majority of five"]
)
def test_a_part_of_a_larger_rule_is_not_confirmed(rule):
    """Any four of five that need each other flip as a cause does, but it is not the cause."""
    for seed in range(3):
        found = found_by(Asked(rule, 12), seed=seed)
        assert not found.confirmed
        assert "part" in found.advice


def test_a_diffuse_rule_has_no_cause_of_few_parts():
    """Where the answer turns on how much is left in all, no few parts are blamed."""
    weights = np.random.default_rng(0).random(12)
    for seed in range(3):
        ask = Asked(lambda x: weights @ np.array(x) > 0.6 * weights.sum(), 12)
        assert not found_by(ask, seed=seed).confirmed


def test_a_rule_that_holds_near_the_full_prompt_only_is_found():
    """A pipeline that lost half of its parts says nothing any more."""
    rule = lambda x: x[2] and x[5] and sum(x) > 7  # noqa: E731 - a rule as all others
    ask = Asked(rule, 12)
    masks = (np.random.default_rng(0).random((40, 12)) < 0.5).astype(np.uint8)
    known = Known(masks, np.array([ask.one(mask) for mask in masks]))
    assert kinds(found_by(ask, known=known)) == [(Kind.TOGETHER, (2, 5))]


def test_what_is_known_serves_the_search_and_never_the_test():
    """With enough of it, only the test is paid; and it has answers of its own."""
    ask = Asked(RULES[Kind.TOGETHER][1], 10)
    masks = (np.random.default_rng(0).random((150, 10)) < 0.7).astype(np.uint8)
    known = Known(masks, np.array([ask.one(mask) for mask in masks]))
    found = found_by(ask, known=known, budget=20)
    assert kinds(found) == [(Kind.TOGETHER, (2, 5))]
    assert found.calls == ask.count == 20


def test_misleading_knowledge_confirms_nothing():
    """Known answers that are another rule's end in a failed test, or in none."""
    masks = (np.random.default_rng(0).random((150, 10)) < 0.7).astype(np.uint8)
    found = found_by(Asked(lambda x: True, 10), known=Known(masks, masks[:, 4]), budget=60)
    assert not found.confirmed
    assert found.advice


def test_answers_that_repeat_exactly_are_asked_less_often():
    """The test takes the unchanged thrice and each other arrangement once."""
    ask = Asked(RULES[Kind.SUPPRESSOR][1], 10)
    found = found_by(ask, exact=True)
    assert kinds(found) == [(Kind.SUPPRESSOR, (2, 5))]
    assert found.calls == 6


def test_one_part_and_one_query_are_enough_to_begin():
    """A budget too small for a test confirms nothing; a single part can be a cause."""
    assert kinds(found_by(Asked(lambda x: x[0], 1))) == [(Kind.ALONE, (0,))]
    found = found_by(Asked(lambda x: x[0], 1), budget=1)
    assert not found.confirmed
    assert found.advice


def test_an_inquiry_is_the_same_for_the_same_seed():
    """Down to the last trial; another asks other masks."""
    first, again, other = (
        found_by(Asked(RULES[Kind.REDUNDANT][1], 10, noise=0.1), seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.trials != other.trials


def test_answers_that_cannot_be_told_are_left_out():
    """Where none can, there was nothing to look at."""

    async def ask(arrangements):
        return [Answered(float("nan"), None)] * len(arrangements)

    found = asyncio.run(find_causes(ask, 6, budget=50))
    assert (found.causes, found.advice) == (
        (),
        "There was no answer to look at. Raise the budget.",
    )


@pytest.mark.parametrize(
    ("num_features", "settings", "message"),
    [
        (0, {}, "at least one feature, not 0"),
        (4, {"budget": 0}, "the budget is 0"),
        (4, {"alpha": 1.0}, "between 0 and 1"),
        (4, {"known": Known(np.ones((2, 3)), np.ones(2))}, "have 3 features, not 4"),
    ],
)
def test_misuse_asks_nothing(num_features, settings, message):
    """It is told before any answer is paid."""
    ask = Asked(all, num_features)
    with pytest.raises(UsageError, match=message):
        found_by(ask, **settings)
    assert not ask.count


def test_a_part_that_must_stand_first_is_a_position():
    """Moved to the other end, it flips as if it were removed; a part that need not, does not."""
    ask = Asked(lambda x: x[0], 6, moved=lambda moved: moved.get(0, 0) == 0)
    found = found_by(ask, places=dict.fromkeys(range(6), 6))
    assert kinds(found) == [(Kind.ALONE, (0,)), (Kind.POSITION, (0,))]
    claim = found.confirmed[1].claims[0]
    assert (claim.more.moved, claim.less.moved) == ((), ((0, 5),))
    anywhere = found_by(Asked(lambda x: x[0], 6), places=dict.fromkeys(range(6), 6))
    assert kinds(anywhere) == [(Kind.ALONE, (0,))]
    assert not any(trial.arrangement.moved for trial in anywhere.trials)
