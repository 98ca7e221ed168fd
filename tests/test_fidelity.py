"""Held-out R² and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.errors import UsageError
from spex_api.fidelity import held_out_faithfulness, r_squared


def test_r_squared_of_the_truth_the_mean_and_worse():
    """1 for the values themselves, 0 for their mean, below 0 for what is worse than that."""
    values = np.array([1.0, 2.0, 4.0])
    assert r_squared(values, values) == 1.0
    assert r_squared(values, np.full(3, values.mean())) == pytest.approx(0.0)
    assert r_squared(values, -values) < 0


def test_r_squared_of_constant_values_is_unknown():
    """Where nothing varies there is nothing to explain: NaN, not 1 and not 0."""
    assert np.isnan(r_squared([2.0, 2.0, 2.0], [2.0, 2.0, 2.1]))


@pytest.mark.parametrize(("values", "said"), [([], []), ([1.0, 2.0], [1.0])])
def test_columns_of_other_lengths_are_refused(values, said):
    """R² compares two columns of one length."""
    with pytest.raises(UsageError):
        r_squared(values, said)


def test_the_interval_covers_the_true_share():
    """Over 200 draws of 100 masks, the 90 % interval holds the population's R² in 84 to 96 %."""
    rng = np.random.default_rng(0)
    population = rng.standard_normal((200_000, 2)) @ np.diag([1.0, 0.5])
    truth = r_squared(population.sum(axis=1), population[:, 0])
    covered = 0
    for draw in range(200):
        rows = population[rng.integers(0, len(population), 100)]
        found = held_out_faithfulness(rows.sum(axis=1), rows[:, 0], additive=rows[:, 0], seed=draw)
        covered += found.low <= truth <= found.high
    assert 0.84 <= covered / 200 <= 0.96


def test_a_seed_fixes_the_interval():
    """The same seed gives the same ends, another seed others."""
    rng = np.random.default_rng(0)
    values, said = rng.standard_normal((2, 60))
    one = held_out_faithfulness(values, said, additive=said, seed=1)
    assert one == held_out_faithfulness(values, said, additive=said, seed=1)
    assert one != held_out_faithfulness(values, said, additive=said, seed=2)
    assert one.low < one.value < one.high
