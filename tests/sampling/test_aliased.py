"""Coded plans: every mask of the code, once, and what is left of the budget."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from spex_api.codes import gf2
from spex_api.codes.bch import bch_code
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.samples import Aliasing
from spex_api.sampling.aliased import aliased_plan, coded_masks, num_coded_queries


def plan_of(num_features, num_queries=None, *, exponent=3, degree=3, seed=0):
    return aliased_plan(
        num_features, num_queries, sparsity_exponent=exponent, degree=degree, seed=seed
    )


def rows_of(masks):
    return {mask.tobytes() for mask in masks}


def by_definition(aliasing):
    """`M_c l + d_p`, shape (C, P + 1, 2^b, n), matrix by matrix and point by point."""
    points = list(product((0, 1), repeat=aliasing.sparsity_exponent))
    # The first column of a matrix belongs to the lowest bit of a point's number.
    return np.array(
        [
            [[(matrix @ point[::-1] + delay) % 2 for point in points] for delay in aliasing.delays]
            for matrix in aliasing.matrices.astype(int)
        ],
        dtype=np.uint8,
    )


@pytest.mark.parametrize(
    ("num_features", "exponent", "degree"), [(2, 1, 1), (9, 3, 2), (40, 4, 3), (70, 2, 1)]
)
def test_masks_are_points_plus_delays(num_features, exponent, degree):
    """The packed table and the plan hold `M_c l + d_p` for every group, delay and point."""
    plan = plan_of(num_features, exponent=exponent, degree=degree)
    expected = by_definition(plan.aliasing)
    table = gf2.unpack(coded_masks(plan.aliasing), num_features)
    np.testing.assert_array_equal(table, expected)
    whole = np.ones((1, num_features), np.uint8)
    assert rows_of(plan.masks) == rows_of(expected.reshape(-1, num_features)) | rows_of(whole)


@pytest.mark.parametrize(
    ("num_features", "degree"), [(2, 1), (9, 2), (40, 3), (64, 5), (1000, 5), (4096, 2)]
)
def test_delays_are_zero_and_the_parity_check(num_features, degree):
    """The first delay is zero; the others read the parities of the shortest code."""
    aliasing = plan_of(num_features, exponent=2, degree=degree).aliasing
    assert not aliasing.delays[0].any()
    np.testing.assert_array_equal(aliasing.delays[1:], bch_code(num_features, degree).parity_check)
    assert aliasing.degree == degree
    assert aliasing.num_features == num_features


@pytest.mark.parametrize(("num_features", "exponent"), [(3, 3), (5, 5), (12, 8), (100, 8)])
def test_matrices_have_full_rank(num_features, exponent):
    """No two points of a group are one mask, though a random square matrix is often singular."""
    for seed in range(10):
        aliasing = plan_of(num_features, exponent=exponent, degree=1, seed=seed).aliasing
        assert aliasing.matrices.shape == (3, num_features, exponent)
        assert aliasing.sparsity_exponent == exponent
        points = coded_masks(aliasing)[:, 0]
        assert all(len(np.unique(group, axis=0)) == 2**exponent for group in points)


def test_groups_differ():
    """Each group has a matrix of its own, of entries that are one about as often as zero."""
    matrices = plan_of(200, exponent=6).aliasing.matrices
    assert len(rows_of(matrices)) == 3
    assert 0.4 < matrices.mean() < 0.6


@pytest.mark.parametrize(
    ("num_features", "exponent", "degree", "num_parities"),
    [(36, 3, 5, 27), (37, 3, 5, 35), (92, 4, 5, 35), (215, 5, 5, 40), (64, 4, 1, 7)],
)
def test_masks_are_as_many_as_the_formula(num_features, exponent, degree, num_parities):
    """`(C 2^b − C + 1)(P + 1)` coded masks for many features, each once, and the whole prompt."""
    plan = plan_of(num_features, exponent=exponent, degree=degree)
    formula = num_coded_queries(num_features, sparsity_exponent=exponent, degree=degree)
    assert formula == (3 * 2**exponent - 2) * (num_parities + 1)
    assert len(plan) == formula + 1
    assert len(rows_of(plan.masks)) == len(plan)
    assert plan.design == "aliased"


def test_few_features_ask_fewer():
    """Where masks coincide by chance, each is asked once and the plan is shorter."""
    plan = plan_of(8, exponent=3, degree=5)
    assert len(plan) < num_coded_queries(8, sparsity_exponent=3, degree=5)
    assert len(plan) <= 2**8
    assert len(rows_of(plan.masks)) == len(plan)


@pytest.mark.parametrize("num_features", [10, 30])
def test_the_anchors_are_among_the_masks(num_features):
    """The empty prompt is the first point of all; the whole prompt stands once behind the code."""
    plan = plan_of(num_features, 1500, exponent=2, degree=2)
    assert not plan.masks[0].any()
    assert (~plan.masks.any(axis=1)).sum() == 1
    assert plan.masks.all(axis=1).sum() == 1


@pytest.mark.parametrize("num_queries", [800, 801, 3000])
def test_a_budget_is_used_whole(num_queries):
    """What the code leaves goes to distinct uniform masks, behind the coded ones."""
    coded = plan_of(40, exponent=4, degree=2)
    plan = plan_of(40, num_queries, exponent=4, degree=2)
    assert len(coded) < 800
    assert len(plan) == num_queries
    assert len(rows_of(plan.masks)) == num_queries
    np.testing.assert_array_equal(plan.masks[: len(coded)], coded.masks)
    rest = plan.masks[len(coded) :]
    assert abs(rest.mean() - 0.5) < 5 * 0.5 / np.sqrt(rest.size)


def test_a_budget_of_just_the_code_is_enough():
    """As many queries as the plan of its own accord has give that plan; one fewer is refused."""
    coded = plan_of(40)
    same = plan_of(40, len(coded))
    np.testing.assert_array_equal(same.masks, coded.masks)
    with pytest.raises(BudgetTooSmall, match=f"{len(coded):,} masks; {len(coded) - 1:,} are given"):
        plan_of(40, len(coded) - 1)


@pytest.mark.parametrize("num_features", [2, 3, 6, 9])
def test_a_tiny_cube_is_asked_whole(num_features):
    """More queries than the cube has masks ask all of it, each once."""
    for num_queries in (2**num_features, 5000):
        plan = plan_of(num_features, num_queries, exponent=1, degree=1)
        assert len(plan) == len(rows_of(plan.masks)) == 2**num_features


def test_a_seed_fixes_the_plan():
    """The same seed gives the same plan, another seed other matrices and other masks."""
    one, same, other = plan_of(30, 900, seed=1), plan_of(30, 900, seed=1), plan_of(30, 900, seed=2)
    np.testing.assert_array_equal(one.masks, same.masks)
    np.testing.assert_array_equal(one.aliasing.matrices, same.aliasing.matrices)
    assert (one.aliasing.matrices != other.aliasing.matrices).any()
    assert not rows_of(one.masks[-50:]) & rows_of(other.masks[-50:])


def test_a_bin_holds_the_supports_that_alias():
    """`U_{c,p}(j) = Σ_{k: M_cᵀ k = j} F(k) (−1)^⟨d_p,k⟩`: what the code is for, in numbers."""
    num_features, exponent = 9, 3
    aliasing = plan_of(num_features, exponent=exponent, degree=2).aliasing
    rng = np.random.default_rng(0)
    supports = rng.integers(0, 2, (6, num_features))
    coefficients = rng.standard_normal(6)
    masks = gf2.unpack(coded_masks(aliasing), num_features).astype(int)
    values = (1 - 2 * (masks @ supports.T % 2)) @ coefficients
    numbers = np.arange(2**exponent)
    bits = numbers[:, None] >> np.arange(exponent) & 1
    bins = values @ (1 - 2 * (bits @ bits.T % 2)) / 2**exponent
    expected = np.zeros_like(bins)
    for support, coefficient in zip(supports, coefficients, strict=True):
        for group, matrix in enumerate(aliasing.matrices.astype(int)):
            place = (support @ matrix % 2) @ 2 ** np.arange(exponent)
            expected[group, :, place] += coefficient * (1 - 2 * (aliasing.delays @ support % 2))
    np.testing.assert_allclose(bins, expected, atol=1e-12)


def test_a_thousand_features():
    """The largest plan of the papers: n = 1000, b = 8, as many masks as the formula says."""
    plan = plan_of(1000, exponent=8, degree=5)
    assert len(plan) == (3 * 2**8 - 2) * 56 + 1
    assert plan.masks.shape[1] == 1000


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ({"num_features": 1}, "from 2 to 4,096 features, not 1"),
        ({"num_features": 4097}, "from 2 to 4,096 features, not 4097"),
        ({"degree": 0}, "from 1 to 6, not 0"),
        ({"degree": 7}, "from 1 to 6, not 7"),
        ({"sparsity_exponent": 0}, "from 1 to 16 for 20 features, not 0"),
        ({"sparsity_exponent": 17}, "from 1 to 16 for 20 features, not 17"),
        ({"num_features": 5, "sparsity_exponent": 6}, "from 1 to 5 for 5 features, not 6"),
    ],
)
def test_numbers_without_a_plan_are_refused(numbers, word):
    """Too few or too many features, a degree or an exponent out of range, named by value."""
    settings = {"num_features": 20, "sparsity_exponent": 3, "degree": 2} | numbers
    num_features = settings.pop("num_features")
    with pytest.raises(UsageError, match=word):
        num_coded_queries(num_features, **settings)
    with pytest.raises(UsageError, match=word):
        aliased_plan(num_features, None, seed=0, **settings)


def test_the_limits_themselves_have_plans():
    """The smallest and the largest numbers that are named as allowed are."""
    assert num_coded_queries(2, sparsity_exponent=1, degree=1) == 4 * 4
    assert num_coded_queries(4096, sparsity_exponent=16, degree=6) == (3 * 2**16 - 2) * 79
    assert num_coded_queries(5, sparsity_exponent=5, degree=6) > 0


def test_an_aliasing_checks_and_freezes_its_arrays():
    """Delays are masks as wide as the matrices are tall, and nobody changes either."""
    aliasing = plan_of(10).aliasing
    with pytest.raises(ValueError, match="read-only"):
        aliasing.matrices[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        aliasing.delays[0, 0] = 1
    with pytest.raises(UsageError, match="9 features; 10"):
        Aliasing(aliasing.matrices, aliasing.delays[:, :9], 3)
