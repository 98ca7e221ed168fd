"""The transform of trees equals the trees, mask for mask."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.decoding.tree_fourier import Trees, read_trees, tree_fourier
from spex_api.errors import UsageError

QUIET = {"verbose": -1, "num_threads": 1, "min_data_in_bin": 1, "feature_pre_filter": False}


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def boosted(masks, values, *, num_trees=20, **growth):
    growth = {**QUIET, "min_data_in_leaf": 1, "objective": "regression", **growth}
    dataset = lightgbm.Dataset(masks.astype(np.float32), values, params=growth)
    return lightgbm.train(growth, dataset, num_boost_round=num_trees)


def fourier_of(booster, num_features):
    return tree_fourier(read_trees(booster.model_to_string()), num_features=num_features)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_transform_equals_the_boosted_trees(num_features, depth, seed):
    """On the whole cube it says what LightGBM predicts, for any depth and number of features."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(80, num_features))
    booster = boosted(masks, rng.normal(size=80), max_depth=depth, num_leaves=max(2, 2**depth))
    predicted = booster.predict(cube(num_features))
    found = fourier_of(booster, num_features).transform()(cube(num_features))
    np.testing.assert_allclose(found, predicted, atol=1e-12)


def test_many_features_of_deep_trees_are_told_apart():
    """Where a key of all a path's features outgrows 64 bits, supports still are the right ones."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, size=(600, 900))
    values = masks[:, 899] * masks[:, 3] * 4.0 + masks[:, 500] + 0.1 * rng.normal(size=600)
    booster = boosted(masks, values, num_trees=4, max_depth=9, num_leaves=40)
    terms = fourier_of(booster, 900)
    assert terms.features.shape[1] > 6
    fresh = rng.integers(0, 2, size=(300, 900))
    np.testing.assert_allclose(terms.transform()(fresh), booster.predict(fresh), atol=1e-12)


def test_values_that_never_change_are_one_leaf():
    """A tree without a split is a constant."""
    booster = boosted(cube(3), np.full(8, 2.5), num_trees=3)
    assert dict(fourier_of(booster, 3).transform()) == {(): pytest.approx(2.5)}


def test_a_stump_between_splitting_trees_keeps_its_place():
    """Trees of one leaf and of several may be mixed: 5 + (±1 by feature 2) + ¼, by hand."""
    trees = Trees(
        roots=np.array([-1, 0, -4]),
        features=np.array([2]),
        children=np.array([[-2, -3]]),
        leaves=np.array([5.0, -1.0, 1.0, 0.25]),
    )
    assert dict(tree_fourier(trees, num_features=3).transform()) == {(): 5.25, (2,): -1.0}


def test_a_feature_that_is_asked_twice_leads_one_way():
    """Behind a kept feature, the leaf where it would be masked is empty and counts for nothing."""
    # Feature 1: masked → 1; kept → feature 1 again: masked → 100 (empty), kept → feature 0: 3 or 7.
    trees = Trees(
        roots=np.array([0]),
        features=np.array([1, 1, 0]),
        children=np.array([[-1, 1], [-2, 2], [-3, -4]]),
        leaves=np.array([1.0, 100.0, 3.0, 7.0]),
    )
    masks = cube(2)
    values = np.where(masks[:, 1] == 0, 1.0, np.where(masks[:, 0] == 0, 3.0, 7.0))
    np.testing.assert_allclose(tree_fourier(trees, num_features=2).transform()(masks), values)


def test_fewer_trees_may_be_read():
    """The text of a booster's first trees is read as these."""
    rng = np.random.default_rng(1)
    masks = rng.integers(0, 2, size=(60, 5))
    booster = boosted(masks, rng.normal(size=60))
    terms = tree_fourier(read_trees(booster.model_to_string(num_iteration=7)), num_features=5)
    predicted = booster.predict(cube(5), num_iteration=7)
    np.testing.assert_allclose(terms.transform()(cube(5)), predicted, atol=1e-12)


def test_rows_are_supports():
    """A row of features, its padding left out, is a support; no support occurs twice."""
    rng = np.random.default_rng(2)
    masks = rng.integers(0, 2, size=(60, 6))
    terms = fourier_of(boosted(masks, rng.normal(size=60), max_depth=3), 6)
    supports = terms.supports(np.arange(len(terms.coefficients)))
    assert len(set(supports)) == len(supports)
    assert all(list(support) == sorted(set(support)) for support in supports)
    assert terms.supports(np.array([2])) == [supports[2]]


def test_a_path_of_too_many_features_is_refused():
    """Seventeen features on one path have too many subsets to list."""
    chain = np.arange(17)
    children = np.column_stack([-1 - chain, np.append(chain[1:], -18)])
    trees = Trees(np.array([0]), chain, children, np.ones(18))
    with pytest.raises(UsageError, match="17 features on one path"):
        tree_fourier(trees, num_features=20)


def test_a_split_elsewhere_than_between_masked_and_kept_is_refused():
    """Trees over numbers that are no masks are not read as if they were."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(scale=9.0, size=(50, 2))
    booster = boosted(numbers, numbers[:, 0])
    with pytest.raises(UsageError, match="splits at a number from 0 to 1"):
        read_trees(booster.model_to_string())


def test_linear_leaves_are_refused():
    """A leaf that is a linear model has no single value."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, size=(60, 3))
    booster = boosted(masks, rng.normal(size=60), linear_tree=True)
    with pytest.raises(UsageError, match="not linear models"):
        read_trees(booster.model_to_string())
