"""The growing dictionary and the least squares that close a recovery."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.decoding.growth import grown_regression
from spex_api.decoding.least_squares import least_squares
from spex_api.decoding.sparse_regression import shuffled_folds
from spex_api.decoding.standardization import standardize
from spex_api.samples import Samples
from spex_api.sampling.uniform import uniform_plan
from spex_api.testing import planted_transform
from spex_api.transforms import FourierTransform


def sampled(function, count, *, noise=0.0, seed=0):
    masks = uniform_plan(function.num_features, count, seed=seed).masks
    disturbed = noise * np.random.default_rng(seed).standard_normal(count)
    return Samples.from_arrays(masks, function(masks) + disturbed)


def folds(samples):
    return shuffled_folds(len(samples), 5, seed=0)


def test_a_staircase_is_climbed():
    """From a single to its pair to the triple: each step shows in the residual of the last."""
    function = FourierTransform(
        {(): 1.0, (2,): 1.0, (2, 5): 1.0, (2, 5, 9): 1.0, (2, 5, 9, 11): 1.0}, 30
    )
    samples = sampled(function, 800, noise=0.3)
    grown = grown_regression(samples, standardize(samples), (), degree=4, folds=folds(samples))
    assert set(function) <= set(grown)
    for support, coefficient in function.items():
        assert grown[support] == pytest.approx(coefficient, abs=0.1)


def test_nothing_beyond_the_degree_joins():
    """A term of four features stays out where the degree is three."""
    function = FourierTransform({(): 0.0, (2, 5, 9): 1.0, (2, 5, 9, 11): 1.0}, 30)
    samples = sampled(function, 800)
    grown = grown_regression(
        samples, standardize(samples), [(2, 5, 9)], degree=3, folds=folds(samples)
    )
    assert grown.degree <= 3


def test_a_first_dictionary_is_where_growth_starts():
    """A triple without heredity is out of reach, and found when it is given."""
    function = FourierTransform({(): 0.0, (4, 8, 15): 1.0, (1,): 0.5}, 60)
    samples = sampled(function, 600, noise=0.2)
    blind = grown_regression(samples, standardize(samples), (), degree=3, folds=folds(samples))
    told = grown_regression(
        samples, standardize(samples), [(4, 8, 15)], degree=3, folds=folds(samples)
    )
    assert (4, 8, 15) not in blind
    assert told[(4, 8, 15)] == pytest.approx(1.0, abs=0.1)


def test_noise_adds_little():
    """Of pure noise no more than a sliver of the energy is fitted."""
    samples = sampled(FourierTransform({(): 0.0}, 40), 2000, noise=1.0)
    grown = grown_regression(samples, standardize(samples), (), degree=5, folds=folds(samples))
    assert grown.energy < 0.03


def test_least_squares_gives_the_planted_coefficients():
    """On the right support the coefficients come back to 1e-12, and a foreign one is dropped."""
    function = planted_transform(50, 40, degree=4, seed=0)
    samples = sampled(function, 900)
    supports = sorted({*function, (0, 1, 2, 3)} - ({(0, 1, 2, 3)} & set(function)))
    fitted = least_squares(samples, sorted({*supports, (0, 1, 2, 3)}))
    assert dict(fitted) == pytest.approx(dict(function), abs=1e-12)


def test_least_squares_of_indistinguishable_supports_is_none():
    """Where samples do not tell two supports apart there is no solution to report."""
    masks = np.repeat(uniform_plan(6, 20, seed=0).masks, 2, axis=0)
    masks[:, 1] = masks[:, 0]
    samples = Samples.from_arrays(masks, np.arange(40.0))
    assert least_squares(samples, [(), (0,), (1,)]) is None
