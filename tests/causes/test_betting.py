"""Bets on pairs: an e-value by its integral, and its promise by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spex_api.causes.betting import e_value, is_hopeless, wins_needed


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_e_value_is_the_mean_capital_of_its_bets(wins, losses):
    """Over θ with a density that grows as θ¹⁵ between one half and 1."""

    def capital(theta):
        return (2 * theta) ** wins * (2 * (1 - theta)) ** losses * 16 * theta**15

    whole = 1 - 0.5**16
    assert e_value(wins, losses) == pytest.approx(quad(capital, 0.5, 1)[0] / whole, rel=1e-6)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_capital_is_a_martingale_where_a_win_is_as_likely_as_a_loss(wins, losses):
    """What one more pair makes of it is, in the mean, what it was."""
    after = (e_value(wins + 1, losses) + e_value(wins, losses + 1)) / 2
    assert after == pytest.approx(e_value(wins, losses), rel=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.045, 0.01])
@pytest.mark.parametrize("chance", [0.5, 0.4])
def test_a_false_claim_is_hardly_ever_confirmed_however_long_one_looks(alpha, chance):
    """All walks of 300 pairs that differ, stopped as soon as they reach the bound."""
    going, confirmed = {0: 1.0}, 0.0
    for pairs in range(1, 301):
        after: dict[int, float] = {}
        for wins, mass in going.items():
            for more, share in ((1, chance), (0, 1 - chance)):
                if e_value(wins + more, pairs - wins - more) >= 1 / alpha:
                    confirmed += mass * share
                else:
                    after[wins + more] = after.get(wins + more, 0) + mass * share
        going = after
    assert 0 < confirmed <= alpha


def test_five_wins_confirm_where_no_answer_is_wrong():
    """One cause takes five pairs, one of whose α a tenth is left nine; a loss costs five more."""
    assert wins_needed(0, 0, bound=20) == 5
    assert wins_needed(0, 0, bound=222) == 9
    assert wins_needed(3, 1, bound=20) == 6
    assert wins_needed(5, 0, bound=20) == 0


def test_a_claim_is_given_up_when_it_hardly_ever_wins():
    """Six pairs without a win are enough, and of a worthy claim they are rare."""
    assert [is_hopeless(0, pairs) for pairs in range(7)] == [False] * 6 + [True]
    assert not is_hopeless(2, 10)
    rng = np.random.default_rng(0)
    wins = (rng.random((4000, 30)) < 0.81).cumsum(axis=1)
    given_up = [
        any(is_hopeless(int(won), pairs) for pairs, won in enumerate(row, 1)) for row in wins
    ]
    assert np.mean(given_up) < 0.001
