"""Looks that are planned ahead, and an interval that bears them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.errors import UsageError
from spex_api.fidelity import Faithfulness
from spex_api.stopping import Spent, check_target, ending, looked_at, planned_looks, reached


def look(values, predictions, *, others=(), num_looks=1) -> Faithfulness:
    return looked_at(
        np.asarray(values),
        np.asarray(predictions),
        additive=np.zeros(len(values)),
        others=np.asarray(others, dtype=float),
        num_looks=num_looks,
    )


@given(st.integers(2, 1000), st.integers(20, 100_000))
def test_looks_grow_in_equal_ratios_up_to_the_budget(num_features, num_masks):
    """Known in advance, none beyond the budget, none before four masks a feature."""
    looks = planned_looks(num_features, num_masks)
    assert looks[-1] == num_masks
    assert list(looks) == sorted(set(looks))
    if len(looks) > 1:
        assert looks[0] == max(100, 4 * num_features)
        ratios = np.divide(looks[1:], looks[:-1])
        assert ratios.max() <= 1.51
        assert ratios.max() - ratios.min() < 0.02


@pytest.mark.parametrize("target", [0, 1, -0.5, 90, float("nan")])
def test_a_target_is_a_share(target):
    """Between 0 and 1; a percentage is told what to take."""
    with pytest.raises(UsageError, match=r"between 0 and 1, not .*0\.9"):
        check_target(target)


@pytest.mark.parametrize(("draw", "most"), [("standard_normal", 0.055), ("laplace", 0.12)])
def test_seven_looks_together_err_no_more_than_one(draw, most):
    """Where R² is the target at every look, one run in twenty errs; of heavy tails, one in nine.

    That is the worst case: a fit that improves is below the target at its first looks.
    """
    rng = np.random.default_rng(0)
    sizes = (32, 42, 56, 74, 97, 126, 160)
    failed = 0
    for _ in range(1000):
        values, fitted = rng.standard_normal(160), rng.standard_normal(800)
        noise = getattr(rng, draw)(size=160)
        said = values - noise * np.sqrt(0.1 / (2 if draw == "laplace" else 1))
        ends = (
            look(values[:size], said[:size], others=fitted[: 5 * size], num_looks=7).low
            for size in sizes
        )
        failed += max(ends) > 0.9
    assert failed / 1000 <= most


def test_more_looks_ask_for_more():
    """The interval of one look of ten is wider than that of a single look."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal(80)
    said = values + 0.3 * rng.standard_normal(80)
    once, often = look(values, said), look(values, said, num_looks=10)
    assert often.low < once.low < once.value == often.value < once.high < often.high


def test_other_values_sharpen_the_variance():
    """Values of fitted masks know nothing of the errors, and make the interval narrower."""
    rng = np.random.default_rng(2)
    values = rng.standard_normal(60)
    said = values + 0.3 * rng.standard_normal(60)
    alone, helped = look(values, said), look(values, said, others=rng.standard_normal(300))
    assert helped.high - helped.low < 0.85 * (alone.high - alone.low)
    assert helped.num_masks == 60


def test_one_large_error_counts():
    """A single miss among good predictions opens the interval."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal(60)
    said = values + 0.1 * rng.standard_normal(60)
    before = look(values, said)
    said[7] += 2.0
    after = look(values, said)
    assert before.low > 0.97
    assert after.low < 0.8 < after.value


def test_a_perfect_surrogate_is_perfect_and_a_constant_is_unknown():
    """No error, no interval; no variation, no R²: that reaches nothing."""
    values = np.arange(30.0)
    perfect = look(values, values)
    assert (perfect.value, perfect.low, perfect.high) == (1.0, 1.0, 1.0)
    constant = look(np.ones(30), np.ones(30))
    assert np.isnan(constant.value)
    assert not reached(constant, 0.1)


def faith(low: float, *, exhaustive: bool = False) -> Faithfulness:
    return Faithfulness(low, low, low, 50, 0.1, exhaustive)


@pytest.mark.parametrize(
    ("found", "spent", "said"),
    [
        (
            faith(0.9126),
            Spent(320, 1000, 320),
            "Stopped after 320 of 1,000 requests: the lower end of the held-out interval, 0.912, "
            "is above the target of 0.9.",
        ),
        (
            faith(0.8999),
            Spent(1000, 1000, 1000),
            "The budget of 1,000 requests ended before the target of 0.9 was reached: the lower "
            "end of the held-out interval is 0.899.",
        ),
        (
            faith(1.0, exhaustive=True),
            Spent(256, 1000, 256),
            "Asked 256 of 1,000 requests, which are all 256 masks that there are: R² is 1.000, no "
            "estimate, and reaches the target of 0.9.",
        ),
        (
            faith(float("nan")),
            Spent(50, 50, 50),
            "Asked 50 of 50 requests: the target of 0.9 cannot be measured, since the held-out "
            "values do not vary.",
        ),
        (
            faith(0.5),
            Spent(90, 90, 90, "SPEX()"),
            "The budget of 90 requests ended before the target of 0.9 was reached: the lower end "
            "of the held-out interval is 0.500. SPEX() asks all its masks before the first look.",
        ),
    ],
)
def test_the_ending_is_a_sentence(found, spent, said):
    """What was asked of what, the number, and the target; an end is never rounded up to it."""
    assert ending(found, 0.9, spent) == said
