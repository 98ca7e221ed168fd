"""The attribution baselines against their definitions by brute force."""

from __future__ import annotations

from itertools import chain, combinations
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.decoding.attribution import LIME, Banzhaf, LeaveOneOut
from spex_api.decoding.decoder import Status
from spex_api.decoding.shapley_regression import FaithBanzhaf, FaithShapley, KernelSHAP
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.fidelity import r_squared
from spex_api.samples import Samples
from spex_api.transforms import FourierTransform, fourier_to_mobius

EVERY = [LIME(), KernelSHAP(), Banzhaf(), LeaveOneOut(), FaithBanzhaf(), FaithShapley()]


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def game(num_features, seed):
    """Random values of all masks, shuffled, and the same as a mapping from kept sets."""
    rng = np.random.default_rng(seed)
    masks = rng.permutation(cube(num_features))
    values = rng.normal(size=len(masks))
    by_set = {
        frozenset(np.flatnonzero(mask).tolist()): value
        for mask, value in zip(masks, values.tolist(), strict=True)
    }
    return Samples.from_arrays(masks, values), by_set


def attributions(decoder, samples):
    return fourier_to_mobius(decoder.decode(samples).transform)


def sets(features, top):
    return list(chain.from_iterable(combinations(features, size) for size in range(top + 1)))


def whole(masks, supports):
    return np.array([[mask[list(each)].all() for each in supports] for mask in masks], dtype=float)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_kernel_shap_on_all_masks_gives_shapley_values(num_features, seed):
    """The mean marginal contribution over all orders, and the value of the empty set as start."""
    samples, value = game(num_features, seed)
    found = attributions(KernelSHAP(), samples)
    for feature in range(num_features):
        others = [each for each in range(num_features) if each != feature]
        shapley = sum(
            factorial(len(each))
            * factorial(num_features - len(each) - 1)
            / factorial(num_features)
            * (value[frozenset({*each, feature})] - value[frozenset(each)])
            for each in sets(others, num_features)
        )
        assert found[(feature,)] == pytest.approx(shapley, abs=1e-8)
    assert found[()] == pytest.approx(value[frozenset()], abs=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_banzhaf_on_all_masks_is_the_mean_contribution(num_features, seed):
    """The mean marginal contribution over all sets of the others, around the mean value."""
    samples, value = game(num_features, seed)
    found = attributions(Banzhaf(), samples)
    for feature in range(num_features):
        others = [each for each in range(num_features) if each != feature]
        gains = [
            value[frozenset({*each, feature})] - value[frozenset(each)]
            for each in sets(others, num_features)
        ]
        assert found[(feature,)] == pytest.approx(np.mean(gains), abs=1e-10)
    transform = Banzhaf().decode(samples).transform
    assert transform[()] == pytest.approx(np.mean(samples.values), abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_faith_banzhaf_on_all_masks_is_least_squares(num_features, order, seed):
    """The Möbius coefficients of the best approximation of the order."""
    samples, _ = game(num_features, seed)
    supports = sets(range(num_features), order)
    expected = np.linalg.lstsq(whole(samples.masks, supports), samples.values, rcond=None)[0]
    found = attributions(FaithBanzhaf(order=order), samples)
    for support, coefficient in zip(supports, expected, strict=True):
        assert found[support] == pytest.approx(coefficient, abs=1e-8)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_faith_shapley_on_all_masks_is_constrained_least_squares(num_features, order, seed):
    """The Karush-Kuhn-Tucker system of the weighted problem, exact at both ends."""
    samples, value = game(num_features, seed)
    order = min(order, num_features)
    supports = sets(range(num_features), order)
    columns = whole(samples.masks, supports)
    sizes = samples.masks.sum(axis=1)
    inner = (sizes > 0) & (sizes < num_features)
    weights = np.array(
        [
            (num_features - 1) / (comb(num_features, s) * s * (num_features - s))
            for s in sizes[inner]
        ]
    )
    if order == num_features:  # then it interpolates, and is the Möbius transform itself
        expected = np.linalg.solve(columns, samples.values)
    else:
        ends = np.vstack([whole(cube(num_features)[[0, -1]], supports)])
        gram = columns[inner].T @ (weights[:, None] * columns[inner])
        system = np.block([[gram, ends.T], [ends, np.zeros((2, 2))]])
        limits = [value[frozenset()], value[frozenset(range(num_features))]]
        right = np.concatenate([columns[inner].T @ (weights * samples.values[inner]), limits])
        expected = np.linalg.solve(system, right)[:-2]
    found = attributions(FaithShapley(order=order), samples)
    for support, coefficient in zip(supports, expected, strict=True):
        assert found[support] == pytest.approx(coefficient, abs=1e-7)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_leave_one_out_is_the_loss_of_one(num_features, seed):
    """`f(1) − f(1 without i)`, from its own plan; its surrogate is right on the masks it read."""
    _, value = game(num_features, seed)
    masks = LeaveOneOut().plan(num_features, None, 0).masks
    assert (
        len(masks)
        == len(np.unique(masks, axis=0))
        == max(num_features + 2, 2) - (num_features == 1)
    )
    values = [value[frozenset(np.flatnonzero(mask).tolist())] for mask in masks]
    samples = Samples.from_arrays(masks, values)
    found = attributions(LeaveOneOut(), samples)
    everything = frozenset(range(num_features))
    for feature in range(num_features):
        assert found[(feature,)] == pytest.approx(value[everything] - value[everything - {feature}])
    read = masks.sum(axis=1) >= num_features - 1
    surrogate = LeaveOneOut().decode(samples).transform
    np.testing.assert_allclose(surrogate(masks[read]), samples.values[read], atol=1e-10)


@pytest.mark.parametrize("width", [0.25, 1.0])
def test_lime_is_the_weighted_ridge(width):
    """The normal equations with an unpenalised intercept; cosine distances taken from vectors."""
    rng = np.random.default_rng(0)
    masks = np.concatenate([rng.integers(0, 2, size=(40, 5)), np.zeros((1, 5), dtype=int)])
    values = rng.normal(size=41)
    norms = np.linalg.norm(masks, axis=1) * np.sqrt(5)
    cosines = np.divide(masks.sum(axis=1), norms, out=np.zeros(41), where=norms > 0)
    weights = np.exp(-((1 - cosines) ** 2) / (2 * width**2))
    columns = np.column_stack([np.ones(41), masks])
    penalty = np.diag([0.0, 1, 1, 1, 1, 1])
    system = columns.T @ (weights[:, None] * columns) + penalty
    expected = np.linalg.solve(system, columns.T @ (weights * values))
    found = attributions(LIME(kernel_width=width), Samples.from_arrays(masks, values))
    assert [found[()], *(found[(k,)] for k in range(5))] == pytest.approx(expected.tolist())


PLANTED = FourierTransform({(): 3.0, (1,): 2.0, (4,): -1.0, (1, 4): 1.5, (9,): 0.5}, 12)


def planted_samples(num_samples):
    plan = LIME().plan(12, num_samples, 5)
    return Samples.from_plan(plan, PLANTED(plan.masks))


def test_few_samples_are_regressed_by_ridge():
    """With 60 samples of 78 sets, pairs are predicted better than by any additive function."""
    fresh = np.random.default_rng(8).integers(0, 2, size=(500, 12))
    surrogate = FaithBanzhaf().decode(planted_samples(60)).transform
    additive = FaithBanzhaf(order=1).decode(planted_samples(60)).transform
    assert r_squared(PLANTED(fresh), surrogate(fresh)) > r_squared(PLANTED(fresh), additive(fresh))
    assert additive.degree == 1


@pytest.mark.parametrize("order", [1, 2])
def test_a_shapley_regression_is_exact_at_both_ends(order):
    """Whatever the samples, the surrogate gives the values of the full and the empty mask."""
    ends = np.array([[1] * 12, [0] * 12])
    surrogate = FaithShapley(order=order).decode(planted_samples(60)).transform
    np.testing.assert_allclose(surrogate(ends), PLANTED(ends), atol=1e-8)


def test_shapley_values_of_an_additive_function_need_few_samples():
    """Of an additive function each sample tells the truth."""
    additive = FourierTransform({(): 1.0, (0,): 2.0, (3,): -0.5}, 12)
    masks = planted_samples(60).masks
    found = attributions(KernelSHAP(), Samples.from_arrays(masks, additive(masks)))
    expected = fourier_to_mobius(additive)
    for feature in range(12):
        assert found[(feature,)] == pytest.approx(expected.get((feature,), 0.0), abs=1e-3)


@pytest.mark.parametrize("decoder", EVERY, ids=repr)
def test_equal_values_have_no_attributions(decoder):
    """A constant is its mean, and its status says so."""
    masks = cube(4)
    recovery = decoder.decode(Samples.from_arrays(masks, np.full(16, 0.7)))
    assert dict(recovery.transform) == {(): pytest.approx(0.7)}
    assert recovery.status is Status.CONSTANT


@pytest.mark.parametrize("decoder", EVERY, ids=repr)
def test_the_order_of_the_samples_and_their_unit_decide_nothing(decoder):
    """Shuffled samples give the same surrogate; scaled and shifted values scale and shift it."""
    masks = np.concatenate([LeaveOneOut().plan(6, None, 0).masks, cube(6)[:40]])
    values = np.random.default_rng(3).normal(size=len(masks))
    surrogate = decoder.decode(Samples.from_arrays(masks, values)).transform(cube(6))
    order = np.random.default_rng(4).permutation(len(masks))
    moved = Samples.from_arrays(masks[order], 1e3 * values[order] - 5.0)
    again = decoder.decode(moved).transform(cube(6))
    np.testing.assert_allclose(again, 1e3 * surrogate - 5.0, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    "decoder", [LIME(), KernelSHAP(), Banzhaf(), FaithBanzhaf(), FaithShapley()]
)
def test_one_sample_is_too_few(decoder):
    """Nothing is told apart by a single sample."""
    with pytest.raises(BudgetTooSmall, match="two samples"):
        decoder.decode(Samples.from_arrays([[1, 1]], [1.0]))


def test_missing_masks_are_named():
    """A method that needs certain masks says which it lacks."""
    masks = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]])
    samples = Samples.from_arrays(masks, [1.0, 2.0, 3.0])
    with pytest.raises(BudgetTooSmall, match="1 of them were not asked, the one without feature 0"):
        LeaveOneOut().decode(samples)
    with pytest.raises(BudgetTooSmall, match="exact at the empty mask"):
        KernelSHAP().decode(samples)
    with pytest.raises(BudgetTooSmall, match="exact at the full mask"):
        FaithShapley().decode(Samples.from_arrays([[0, 0], [0, 1]], [1.0, 2.0]))
    with pytest.raises(BudgetTooSmall, match="the full mask among them"):
        LeaveOneOut().decode(Samples.from_arrays([[0, 1], [1, 0]], [1.0, 2.0]))
    with pytest.raises(BudgetTooSmall, match="No sample masks feature 0"):
        Banzhaf().decode(samples)


def test_too_many_sets_are_counted():
    """The error says how many columns there would be, before any is made."""
    samples = Samples.from_arrays(np.vstack([np.ones(100), np.zeros(100)]), [0.0, 1.0])
    for decoder in (FaithBanzhaf(order=3), FaithShapley(order=3)):
        with pytest.raises(UsageError, match="166,750 sets"):
            decoder.decode(samples)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LIME(kernel_width=0.0),
        lambda: LIME(penalty=-1.0),
        lambda: FaithBanzhaf(order=0),
        lambda: FaithShapley(max_columns=0),
        lambda: LeaveOneOut().plan(5, 6, 0),
        lambda: LeaveOneOut().plan(0, None, 0),
        lambda: Banzhaf().plan(5, 0, 0),
    ],
)
def test_what_means_nothing_is_refused(wrong):
    """Settings and budgets that mean nothing raise."""
    with pytest.raises(UsageError):
        wrong()


@pytest.mark.parametrize("decoder", EVERY, ids=repr)
def test_a_plan_serves_its_decoder(decoder):
    """Each decoder can read the plan that it makes, and its repr can be evaluated."""
    plan = decoder.plan(7, None, 1)
    recovery = decoder.decode(Samples.from_plan(plan, plan.masks[:, 2] * 2.0))
    assert fourier_to_mobius(recovery.transform)[(2,)] == pytest.approx(2.0, rel=0.2)
    assert eval(repr(decoder)) == decoder  # noqa: S307
