"""The exact transform: against the matrix, against planted functions, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard

from spex_api.decoding.decoder import Status
from spex_api.decoding.repeats import without_repeats
from spex_api.decoding.walsh_hadamard import WalshHadamard, fast_walsh_hadamard
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.samples import Samples
from spex_api.transforms import FourierTransform, characters


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


@pytest.mark.parametrize("bits", range(9))
def test_the_butterflies_equal_the_matrix(bits):
    """The transform over the last axis is the product with Sylvester's matrix, in its order."""
    values = np.random.default_rng(bits).normal(size=(3, 2, 2**bits))
    given_values = values.copy()
    expected = values @ hadamard(2**bits)
    np.testing.assert_allclose(fast_walsh_hadamard(values), expected, atol=1e-10)
    assert (values == given_values).all()


def test_the_bits_of_an_index_are_in_the_stated_order():
    """Bit k of an index is `index >> k & 1`: a function of bit 0 alone lands at index 1."""
    assert fast_walsh_hadamard(np.array([1.0, -1.0, 1.0, -1.0])).tolist() == [0, 4, 0, 0]


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((2, 6)), np.ones(0), np.array(1.0)])
def test_a_length_that_is_no_power_of_two_is_refused(wrong):
    """The butterflies need 2^b values."""
    with pytest.raises(UsageError, match=r"takes 2\^b values"):
        fast_walsh_hadamard(wrong)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_a_planted_function_is_recovered_exactly(num_features, seed):
    """In any order of masks, with repeats, coefficients and support come back."""
    rng = np.random.default_rng(seed)
    keys = {
        tuple(np.flatnonzero(row).tolist()): float(rng.choice([-1.5, 0.5, 2.0]))
        for row in rng.integers(0, 2, size=(6, num_features))
    }
    planted = FourierTransform({(): 3.0} | keys, num_features)
    order = rng.permutation(2**num_features)
    masks = cube(num_features)[np.concatenate([order, order[:2]])]
    recovery = WalshHadamard().decode(Samples.from_arrays(masks, planted(masks)))
    assert set(recovery.transform) == set(planted)
    for support, coefficient in planted.items():
        assert recovery.transform[support] == pytest.approx(coefficient, abs=1e-12)
    assert recovery.covariance is None


def test_the_covariance_is_that_of_the_means():
    """`A diag(v) Aᵀ`, with A the matrix that turns values into coefficients."""
    rng = np.random.default_rng(4)
    masks = rng.permutation(cube(4))
    variances = rng.uniform(0.0, 2.0, size=16)
    samples = Samples.from_arrays(masks, rng.normal(size=16), variances)
    recovery = WalshHadamard().decode(samples)
    linear = characters(masks, recovery.transform).T / 16
    np.testing.assert_allclose(recovery.covariance, linear * variances @ linear.T, atol=1e-12)
    assert len(recovery.transform) == 16


def test_repeats_are_averaged_by_their_variances():
    """Values 1 ± 1 and 4 ± 2 of one mask give 8/5 ± 2/√5; exact values decide alone."""
    masks = [[0], [0], [1], [1], [1]]
    values, variances = [1.0, 4.0, 2.0, 50.0, 4.0], [1.0, 4.0, 0.0, 9.0, 0.0]
    once = without_repeats(Samples.from_arrays(masks, values, variances))
    assert once.masks.tolist() == [[0], [1]]
    assert once.values.tolist() == pytest.approx([1.6, 3.0])
    assert once.variances is not None
    assert once.variances.tolist() == pytest.approx([0.8, 0.0])


def test_repeats_without_variances_have_their_mean():
    """Without variances, repeated values count alike."""
    once = without_repeats(Samples.from_arrays([[1], [0], [1]], [1.0, 7.0, 4.0]))
    assert once.values.tolist() == [7.0, 2.5]
    assert once.variances is None


def test_equal_values_are_a_constant():
    """Nothing of rounding's size is taken for an interaction."""
    recovery = WalshHadamard().decode(Samples.from_arrays(cube(5), np.full(32, 0.1)))
    assert dict(recovery.transform) == {(): pytest.approx(0.1)}
    assert recovery.status is Status.CONSTANT


def test_a_hole_is_regressed_on_what_there_is():
    """With a mask missing the status says so, and the regression uses the others' values alone."""
    planted = FourierTransform({(): 1.0, (0,): -2.0, (1, 3): 0.5}, num_features=5)
    masks = cube(5)[np.arange(32) != 13]
    recovery = WalshHadamard().decode(Samples.from_arrays(masks, planted(masks)))
    assert recovery.status is Status.HOLES
    assert "no answer" in recovery.status
    np.testing.assert_allclose(recovery.transform(cube(5)), planted(cube(5)), atol=1e-3)
    constant = WalshHadamard().decode(Samples.from_arrays(masks, np.full(31, 2.0)))
    assert constant.status is Status.CONSTANT


def test_one_sample_is_refused():
    """One value tells nothing of a function of two masks and more."""
    with pytest.raises(BudgetTooSmall, match="not 1"):
        WalshHadamard().decode(Samples.from_arrays([[1, 0]], [1.0]))


def test_too_many_features_are_refused():
    """Beyond 20 features neither a plan is drawn nor an array made."""
    with pytest.raises(UsageError, match="limit is 20 features"):
        WalshHadamard().plan(21, None, 0)
    with pytest.raises(BudgetTooSmall, match="limit is 20 features"):
        WalshHadamard().decode(Samples.from_arrays(np.ones((1, 21)), [1.0]))


def test_the_plan_is_the_cube():
    """Every mask once, for any budget that allows it; a smaller one is refused."""
    for num_queries in (None, 16, 100):
        masks = WalshHadamard().plan(4, num_queries, 3).masks
        assert sorted(map(tuple, masks.tolist())) == sorted(map(tuple, cube(4).tolist()))
    with pytest.raises(BudgetTooSmall, match="all 16 masks"):
        WalshHadamard().plan(4, 15, 0)
    with pytest.raises(UsageError):
        WalshHadamard().plan(0, None, 0)
