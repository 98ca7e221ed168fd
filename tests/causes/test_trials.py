"""Answers kept by round: pairs and trials."""

from __future__ import annotations

from spex_api.causes.asking import Answered
from spex_api.causes.trials import Heard
from spex_api.claims import UNCHANGED, Arrangement, Trial

OUT = Arrangement((2,))


def heard(*rounds):
    whole = Heard()
    for each in rounds:
        answers = [Answered(float(bool(holds)), holds, f"says {holds}") for holds in each.values()]
        whole.add(list(each), answers)
    return whole


def test_only_answers_of_one_round_make_a_pair():
    """One that was known before its partner was asked for proves nothing."""
    answers = heard(
        {UNCHANGED: True, OUT: False},
        {UNCHANGED: True},
        {UNCHANGED: False, OUT: True},
        {UNCHANGED: True, OUT: True},
        {UNCHANGED: None, OUT: False},
        {OUT: False},
    )
    assert answers.pairs(UNCHANGED, OUT) == (1, 1, 4)
    assert answers.pairs(OUT, UNCHANGED) == (1, 1, 4)
    assert (answers.count, answers.times(OUT), answers.times(Arrangement((1,)))) == (10, 5, 0)


def test_a_trial_counts_what_can_be_told():
    """Its texts and values are those of the counted answers, the unchanged comes first."""
    answers = heard({OUT: False, UNCHANGED: True}, {UNCHANGED: None}, {UNCHANGED: False})
    assert answers.trials() == (
        Trial(UNCHANGED, 1, 2, ("says True", "says False"), (1.0, 0.0)),
        Trial(OUT, 0, 1, ("says False",), (0.0,)),
    )
    assert [trial.holds for trial in answers.trials(opposite=True)] == [1, 1]
    assert answers.told() == [(OUT, False), (UNCHANGED, True), (UNCHANGED, False)]


def test_trials_are_in_order_of_how_much_is_changed():
    """Fewer removals first, and what is moved last."""
    moved = Arrangement(moved=((0, 1),))
    order = [UNCHANGED, Arrangement((1,)), OUT, Arrangement((1, 2)), moved]
    answers = heard(dict.fromkeys(reversed(order), True))
    assert [trial.arrangement for trial in answers.trials()] == order


def test_a_round_that_a_budget_cut_short_holds_its_first_answers():
    """The others were not asked."""
    whole = Heard()
    whole.add([UNCHANGED, OUT], [Answered(1.0, holds=True)])
    assert whole.pairs(UNCHANGED, OUT) == (0, 0, 0)
    assert whole.trials() == (Trial(UNCHANGED, 1, 1, (), (1.0,)),)


def test_rounds_of_several_tests_come_one_after_the_other():
    """They keep their pairs, and are counted together."""
    whole = Heard.joined([heard({UNCHANGED: True, OUT: False}), heard({UNCHANGED: True})])
    assert whole.pairs(UNCHANGED, OUT) == (1, 0, 1)
    assert whole.trials()[0].asked == 2
