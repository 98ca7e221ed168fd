"""The posterior over sets of features, against all Boolean functions counted one by one."""

from __future__ import annotations

from itertools import combinations, product
from math import comb

import numpy as np
import pytest

from spex_api.causes import evidence
from spex_api.causes.evidence import weigh


def counted(masks, holds):
    """Posterior and chances by set: each function of each set, at each pair of error rates."""
    num_features = masks.shape[1]
    found = {}
    for size in range(min(4, num_features) + 1):
        for features in combinations(range(num_features), size):
            cells = [sum((1 - mask[f]) << p for p, f in enumerate(features)) for mask in masks]
            mass, table = 0.0, np.zeros(2**size)
            functions = [f for f in product((0, 1), repeat=2**size) if depends_on_all(f, size)]
            for function in functions:
                odd = min(sum(function), 2**size - sum(function)) == (1 if size else 0)
                same = 2 if size == 1 else 1
                prior = 0.25 / len(functions) + 0.75 * odd * same / (2 * 2**size)
                for wrong, wrongly in evidence._ERRORS:
                    hit = np.where(np.take(function, cells), 1 - wrong, wrongly)
                    likelihood = prior * np.prod(np.where(holds, hit, 1 - hit))
                    mass += likelihood
                    table += likelihood * np.array(function)
            found[features] = (mass / comb(num_features, size), table / mass)
    total = sum(mass for mass, _ in found.values())
    return {features: (mass / total, table) for features, (mass, table) in found.items()}


def depends_on_all(function, size):
    return all(
        any(function[cell] != function[cell ^ (1 << place)] for cell in range(2**size))
        for place in range(size)
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_posterior_is_that_of_counting_all_functions(seed):
    """Of three features and a few noisy answers, for each set; the constant is one of them."""
    rng = np.random.default_rng(seed)
    masks = (rng.random((14, 3)) < 0.6).astype(np.uint8)
    holds = ((masks[:, 0] & masks[:, 2]) ^ (rng.random(14) < 0.1)).astype(np.uint8)
    expected = counted(masks, holds)
    found = {each.features: each for each in weigh(masks, holds).suspicions}
    assert set(found) == set(expected)
    for features, (weight, _) in expected.items():
        assert found[features].weight == pytest.approx(weight, rel=1e-6)


def test_the_table_of_a_set_that_is_sure_is_that_of_counting_too():
    """Functions that depend on fewer features have no weight left."""
    masks = (np.random.default_rng(0).random((60, 3)) < 0.6).astype(np.uint8)
    holds = masks[:, 0] & masks[:, 2]
    lead = weigh(masks, holds).lead
    assert lead.features == (0, 2)
    assert lead.table == pytest.approx(counted(masks, holds)[0, 2][1], abs=1e-3)


def planted(num_features, num_answers, *, noise, seed=0):
    rng = np.random.default_rng(seed)
    masks = (rng.random((num_answers, num_features)) < 0.7).astype(np.uint8)
    holds = (masks[:, 1] & masks[:, 5]) ^ (rng.random(num_answers) < noise)
    return masks, holds.astype(np.uint8)


@pytest.mark.parametrize(
    ("num_features", "num_answers", "noise"), [(8, 60, 0.0), (20, 120, 0.1), (70, 150, 0.1)]
)
def test_the_planted_pair_leads_with_its_table(num_features, num_answers, noise):
    """Also where there are too many features for all sets of three or four of them."""
    masks, holds = planted(num_features, num_answers, noise=noise)
    lead = weigh(masks, holds).lead
    assert lead.features == (1, 5)
    assert lead.weight > 0.9
    assert lead.rule == {(): True, (1,): False, (5,): False, (1, 5): False}
    assert lead.chances[()] == pytest.approx(1, abs=0.01)
    assert lead.holds[0] == pytest.approx(1 - noise, abs=0.1)


def test_where_all_answers_agree_no_feature_matters():
    """The more masks, the surer; with few, it may as well be one that was hardly ever removed."""
    masks = (np.random.default_rng(0).random((120, 12)) < 0.5).astype(np.uint8)
    few, many = (weigh(masks[:size], np.ones(size, np.uint8)).lead for size in (8, 120))
    assert few.features == many.features == ()
    assert few.weight < 0.9
    assert many.weight > 0.99
    assert many.rule == {(): True}


def test_equal_answers_by_another_order_of_features_say_the_same():
    """Renaming the features renames what is suspected."""
    masks, holds = planted(9, 30, noise=0.1)
    order = np.random.default_rng(1).permutation(9)
    here = {frozenset(each.features): each.weight for each in weigh(masks, holds).suspicions}
    there = {
        frozenset(order[list(each.features)].tolist()): each.weight
        for each in weigh(masks[:, order], holds).suspicions
    }
    for features in set(here) & set(there):
        assert here[features] == pytest.approx(there[features], rel=1e-6)


def test_a_set_predicts_by_its_cells():
    """A mask's prediction is the cell's that it lies in."""
    found = weigh(*planted(8, 60, noise=0.0))
    masks = np.ones((2, 8), dtype=np.uint8)
    masks[1, 5] = 0
    shares = found.predict(masks)
    assert shares.shape == (2, len(found.suspicions))
    assert shares[:, 0].tolist() == [found.lead.holds[0], found.lead.holds[2]]


def test_answers_that_repeat_exactly_need_fewer_of_them():
    """Where none is wrong, each rules out more."""
    masks, holds = planted(20, 40, noise=0.0)
    assert weigh(masks, holds, exact=True).lead.weight > weigh(masks, holds).lead.weight
