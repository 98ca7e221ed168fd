"""Claimed causes on trial: true ones are confirmed, false ones are not, and what it costs."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from spex_api.causes.asking import Answered
from spex_api.causes.kinds import cause_of, subsets
from spex_api.causes.verification import verify
from spex_api.claims import UNCHANGED, Arrangement, Cause, Claim, Kind
from spex_api.errors import UsageError


class Asked:
    """A function of what is removed, with noise, that notes what it was asked."""

    def __init__(self, holds, *, noise=0.0, seed=0, most=10**6):
        self.holds, self.noise, self.most = holds, noise, most
        self.rng = np.random.default_rng(seed)
        self.batches = []

    async def __call__(self, arrangements):
        """Answers each."""
        self.batches.append(list(arrangements))
        found = []
        for arrangement in arrangements[: self.most]:
            holds = self.holds(set(arrangement.removed))
            if holds is not None:
                holds = bool(holds) != (self.rng.random() < self.noise)
            found.append(Answered(float(holds or 0), holds, str(holds)))
        return found

    @property
    def count(self):
        """How many answers were asked for."""
        return sum(map(len, self.batches))


def claimed(holds, *features):
    return cause_of(features, {removed: bool(holds(set(removed))) for removed in subsets(features)})


def tried(causes, ask, **settings):
    return asyncio.run(verify(causes, ask, **{"budget": 200, **settings}))


def both(removed):
    return not removed & {3, 7}


def either(removed):
    return removed & {3, 7} != {3, 7}


def held_back(removed):
    return 7 not in removed or 3 in removed


def one(removed):
    return 3 not in removed


@pytest.mark.parametrize("rule", [both, either, held_back])
def test_a_true_claim_is_confirmed_in_twenty_calls(rule):
    """Where no answer is wrong: all in, each out alone, all out, five times."""
    ask = Asked(rule)
    causes = tried([claimed(rule, 3, 7)], ask, budget=20, outcome="says 25 days")
    assert [cause.features for cause in causes.confirmed] == [(3, 7)]
    assert (causes.calls, causes.outcome, causes.advice) == (20, "says 25 days", "")
    assert [trial.arrangement.removed for trial in causes.trials] == [(), (3,), (7,), (3, 7)]
    for trial in causes.trials:
        assert trial.flipped == (0 if rule(set(trial.arrangement.removed)) else 5)
        assert len(trial.answers) == len(trial.values) == trial.asked == 5
    assert all(claim.evidence >= 20 for claim in causes.causes[0].claims)


@pytest.mark.parametrize("rule", [both, either, held_back, one])
@pytest.mark.parametrize("truth", [both, either, held_back, one])
def test_with_noise_true_claims_are_confirmed_and_others_are_not(rule, truth):
    """Of twenty tests each, one answer in ten wrong; 0.05 of false ones is one."""
    cause = claimed(rule, *((3,) if rule is one else (3, 7)))
    confirmed = 0
    for seed in range(20):
        ask = Asked(truth, noise=0.1, seed=seed)
        confirmed += len(tried([cause], ask, budget=120).confirmed)
        assert ask.count <= 120
    # That 3 matters alone is true of two that need each other, as far as these claims go.
    expected = rule is truth or (rule is one and truth is both)
    assert confirmed >= 19 if expected else confirmed <= 1


def test_where_nothing_matters_hardly_any_claim_is_confirmed():
    """Answers at random, five causes claimed at once, 100 times, as long as the budget lasts."""
    causes = [claimed(lambda removed, f=f: f not in removed, f) for f in range(5)]
    wrong = sum(
        bool(tried(causes, Asked(lambda removed: True, noise=0.5, seed=seed)).confirmed)
        for seed in range(100)
    )
    assert wrong <= 5


def test_a_false_claim_is_given_up_before_the_budget_ends():
    """After six rounds without one win, and the rest is not spent."""
    ask = Asked(lambda removed: True)
    causes = tried([claimed(both, 3, 7)], ask)
    assert (causes.confirmed, causes.calls) == ((), 24)
    assert "did not stand the test" in causes.advice


def test_an_outcome_that_varies_is_named_as_the_trouble():
    """More than a quarter of the answers to the unchanged are the rarer one."""
    answers = iter([True, False, True] * 20)
    ask = Asked(lambda removed: bool(removed) or next(answers))
    causes = tried([claimed(both, 3, 7)], ask)
    assert causes.advice.startswith("The outcome varies where nothing is removed: of 6 answers 2")


def test_several_causes_share_their_rounds():
    """In each round each arrangement is asked once, whoever needs it; confirmed ones drop out."""
    causes = [claimed(one, 3), claimed(lambda removed: 5 not in removed, 5)]
    ask = Asked(lambda removed: not removed & {3, 5})
    found = tried(causes, ask)
    assert len(found.confirmed) == 2
    assert ask.batches == [[UNCHANGED, Arrangement((3,)), Arrangement((5,))]] * 6


def test_confirmed_causes_come_first_and_none_is_lost():
    """Also one that the budget had no round for is told, with no evidence."""
    causes = [claimed(lambda removed: 1 not in removed, 1), claimed(one, 3), claimed(both, 3, 7)]
    found = tried(causes, Asked(one), budget=30)
    assert [cause.features for cause in found.causes] == [(3,), (1,), (3, 7)]
    assert [cause.confirmed for cause in found.causes] == [True, False, False]
    assert {claim.evidence for claim in found.causes[2].claims} == {1.0}


def test_old_evidence_counts_for_nothing():
    """A claim that comes confirmed leaves unconfirmed where it is false."""
    claim = Claim(UNCHANGED, Arrangement((3,)), evidence=1000, confirmed=True)
    found = tried([Cause(Kind.ALONE, (3,), (claim,))], Asked(lambda removed: True))
    assert not found.confirmed
    assert found.causes[0].claims[0].evidence < 1.1


def test_what_does_not_hold_unchanged_is_told_as_its_opposite():
    """The trials count what does, and the claims are turned with them."""
    ask = Asked(lambda removed: not both(removed))
    cause = claimed(lambda removed: not both(removed), 3, 7)
    found = tried([cause], ask, outcome="says 15 days", otherwise="does not say 15 days")
    assert found.outcome == "does not say 15 days"
    assert (found.trials[0].holds, found.trials[0].asked) == (5, 5)
    assert len(found.confirmed) == 1
    assert {claim.more for claim in found.confirmed[0].claims} == {UNCHANGED}
    assert tried([cause], ask, outcome="says 15 days").outcome == "not: says 15 days"


def test_cells_of_three_parts_that_no_claim_speaks_of_are_looked_at_twice():
    """The claims are asked in each round, pairs and all three in two of them."""
    rule = claimed(lambda removed: not removed & {1, 2, 3}, 1, 2, 3)
    found = tried([rule], Asked(lambda removed: not removed & {1, 2, 3}))
    assert len(found.confirmed) == 1
    assert {trial.asked for trial in found.trials if len(trial.arrangement.removed) > 1} == {2}
    assert {trial.asked for trial in found.trials if len(trial.arrangement.removed) < 2} == {5}


def test_exact_answers_are_taken_at_their_word():
    """The unchanged thrice, each arrangement once, for all that is claimed."""
    causes = [claimed(both, 3, 7), claimed(one, 3), claimed(either, 3, 7)]
    ask = Asked(both)
    found = tried(causes, ask, budget=20, exact=True)
    assert [cause.kind for cause in found.confirmed] == [Kind.TOGETHER, Kind.ALONE]
    assert found.calls == ask.count == 6


def test_answers_that_were_said_to_repeat_and_do_not_are_tested_like_others():
    """The unchanged tells; and then one pair is no proof."""
    answers = iter([True, False, True])
    ask = Asked(lambda removed: next(answers, both(removed)))
    found = tried([claimed(both, 3, 7)], ask, budget=60, exact=True)
    assert len(found.confirmed) == 1
    assert (found.calls, found.trials[0].asked) == (23, 8)


@pytest.mark.parametrize("budget", range(1, 24))
def test_a_budget_is_never_overspent(budget):
    """However small; too small a one confirms nothing and says what it can."""
    ask = Asked(both)
    found = tried([claimed(both, 3, 7)], ask, budget=budget)
    assert found.calls == ask.count <= budget
    assert bool(found.confirmed) == (budget >= 20)


def test_who_stops_answering_ends_the_test():
    """The answers that came are told, and nobody is asked again."""
    ask = Asked(both, most=3)
    found = tried([claimed(both, 3, 7)], ask)
    assert (len(ask.batches), found.calls, found.confirmed) == (1, 3, ())


def test_answers_that_cannot_be_told_confirm_nothing():
    """They are paid and not counted; after six rounds it is given up."""
    ask = Asked(lambda removed: None if removed else True)
    found = tried([claimed(one, 3)], ask)
    assert (found.calls, found.confirmed) == (12, ())
    assert [trial.asked for trial in found.trials] == [6, 0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0}, "at least one answer, and the budget is 0"),
        ({"alpha": 0.0}, "between 0 and 1, not 0.0"),
        ({"alpha": 5}, "between 0 and 1, not 5"),
    ],
)
def test_terms_that_make_no_test(settings, message):
    """Nothing is asked."""
    ask = Asked(both)
    with pytest.raises(UsageError, match=message):
        tried([claimed(both, 3, 7)], ask, **settings)
    with pytest.raises(UsageError, match="nothing to test"):
        tried([], ask)
    assert not ask.batches
