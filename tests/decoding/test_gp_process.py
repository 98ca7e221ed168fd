"""The whole posterior mean: its indices against brute force over the cube, and at many features."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from spex_api.decoding import gp_process
from spex_api.decoding.gp_averaging import MeanAverage
from spex_api.decoding.gp_diagonal import Diagonal, Products, diagonal_of
from spex_api.decoding.gp_features import AdditiveKernel, LevelKernel, LocalKernel
from spex_api.decoding.gp_kernels import ProductKernel, coordinates
from spex_api.decoding.gp_posterior import Evidence
from spex_api.decoding.gp_process import Process
from spex_api.decoding.spectral_gp import SpectralGP
from spex_api.decoding.walsh_hadamard import WalshHadamard
from spex_api.errors import UsageError
from spex_api.indices import interactions
from spex_api.samples import Samples

INDICES = ["SV", "BV", "SII", "BII", "STII", "FBII", "FSII", "Möbius", "Fourier"]


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def a_process(num_features, *, keep=0.5, ordered=True, num_samples=50, spread=1.0, seed=0):
    """An average of two priors under random parameters, in a random order of features."""
    rng = np.random.default_rng(seed)
    points = coordinates((rng.random((num_samples, num_features)) < keep).astype(np.uint8), keep)
    level = [each for each in [LevelKernel(num_features)] if each.sizes]
    local = [LocalKernel(num_features)] if ordered and num_features > 3 else []
    product = ProductKernel(num_features, keep=keep)
    means = []
    for kernels in ((product, *local, *level), (AdditiveKernel(num_features), product, *level)):
        evidence = Evidence(
            points, rng.normal(size=num_samples), rng.random(num_samples), kernels, 1.0
        )
        start = evidence.start(0.2)
        means.append(evidence.mean(start + spread * rng.normal(size=len(start))))
    average = MeanAverage(means, np.array([0.7, 0.3]))
    return Process(average, rng.permutation(num_features), mean=3.0, scale=2.5, keep=keep)


def exact_transform(process):
    """The transform of the values at all masks."""
    masks = cube(len(process.order))
    return WalshHadamard().decode(Samples(masks, process.predict(masks))).transform


def assert_same(found, expected, *, atol=1e-8):
    """The same sets, values and baseline; a set that is not listed has the value 0."""
    assert (found.index, found.order, found.names) == (
        expected.index,
        expected.order,
        expected.names,
    )
    assert found.baseline == pytest.approx(expected.baseline, abs=atol)
    assert set(expected) <= set(found)
    np.testing.assert_allclose(
        list(found.values()), [expected.values_by_set.get(each, 0.0) for each in found], atol=atol
    )


@pytest.mark.parametrize("keep", [0.5, 0.8])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("num_features", [1, 2, 3, 5, 8])
def test_every_index_is_that_of_the_whole_cube(num_features, ordered, keep):
    """All indices, both orders: by the definition from the values at all masks."""
    process = a_process(num_features, keep=keep, ordered=ordered)
    transform = exact_transform(process)
    names = tuple("abcdefgh"[:num_features])
    for index in INDICES:
        for order in (1, 2):
            found = process.interactions(index, order, names=names)
            assert_same(found, interactions(transform, index, order, names=names))


def test_sets_are_all_there_and_sorted():
    """All singles, then all pairs, as `spex_api.indices` sorts them; no interval is claimed."""
    found = a_process(6).interactions("SII", 2)
    singles = [(i,) for i in range(6)]
    assert list(found) == [*singles, *combinations(range(6), 2)]
    assert list(a_process(6).interactions("SII", 1)) == singles
    assert found.intervals == {}


def fitted(samples):
    """What `SpectralGP` makes of the samples, not truncated."""
    return SpectralGP().decode(samples).process


@pytest.mark.parametrize("keep", [0.5, 0.8])
@pytest.mark.parametrize("ordered", [True, False])
def test_a_fit_has_the_indices_of_its_predictions(ordered, keep):
    """Fitted to a part of the cube: predictions in the score's unit, and the indices of them."""
    rng = np.random.default_rng(1)
    masks = np.unique((rng.random((90, 7)) < keep).astype(np.uint8), axis=0)
    signs = 1.0 - 2.0 * masks
    values = 40 + signs[:, 0] + 0.7 * signs[:, 2] * signs[:, 3] + 0.2 * rng.normal(size=len(masks))
    process = fitted(Samples(masks, values, ordered=ordered, keep=keep))
    assert np.corrcoef(values, process.predict(masks))[0, 1] > 0.9
    assert np.mean(values - process.predict(masks)) == pytest.approx(0.0, abs=0.1)
    transform = exact_transform(process)
    for index in INDICES:
        assert_same(process.interactions(index, 2), interactions(transform, index, 2))


@pytest.mark.parametrize("keep", [0.5, 0.8])
@pytest.mark.parametrize("ordered", [True, False])
def test_the_sparse_transform_says_the_same_where_it_lists_everything(ordered, keep):
    """Every mask of the cube has a value, and the decoder's own transform all coefficients."""
    values = np.random.default_rng(2).normal(size=64)
    samples = Samples(cube(6), values, ordered=ordered, keep=keep)
    process, transform = (
        SpectralGP().decode(samples).process,
        SpectralGP().decode(samples).transform,
    )
    assert len(transform) == 64
    for index in INDICES:
        assert_same(process.interactions(index, 2), interactions(transform, index, 2))


def test_permuting_the_features_permutes_the_indices():
    """Where neighbours are not neighbours in the text, to the last bit."""
    rng = np.random.default_rng(4)
    masks = rng.integers(0, 2, (60, 9)).astype(np.uint8)
    values = rng.normal(size=60) + masks[:, 0] + masks[:, 1] * masks[:, 2]
    renamed = rng.permutation(9)
    plain = fitted(Samples(masks, values)).interactions("SII", 2)
    permuted = fitted(Samples(masks[:, renamed], values)).interactions("SII", 2)
    for features, value in permuted.items():
        assert plain[tuple(sorted(renamed[list(features)].tolist()))] == value


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_shapley_values_add_up(keep):
    """At 60 features: from the value with all masked to the value with all kept."""
    process = a_process(60, keep=keep, num_samples=200)
    nothing, everything = process.predict(np.array([[0] * 60, [1] * 60]))
    found = process.interactions("SV")
    assert found.baseline == pytest.approx(nothing, abs=1e-9)
    assert found.baseline + sum(found.values()) == pytest.approx(everything, abs=1e-8)
    for index in ("STII", "FSII"):
        pairwise = process.interactions(index, 2)
        assert pairwise.baseline + sum(pairwise.values()) == pytest.approx(everything, abs=1e-8)


@pytest.mark.parametrize("keep", [0.5, 0.8])
@pytest.mark.parametrize("index", ["SII", "STII", "FSII"])
def test_few_nodes_are_as_good_as_exactly_many(index, keep, monkeypatch):
    """No more nodes are taken than a tolerance needs, and with these the error is below it."""
    process = a_process(150, keep=keep, num_samples=60, spread=0.7)
    diagonal = diagonal_of(process.average, keep)
    found = {}
    for tolerance in (1e-12, 1e-6, 1e-3):
        assert diagonal.num_nodes(tolerance) < 40
        monkeypatch.setattr(gp_process, "_TOLERANCE", tolerance)
        found[tolerance] = process.interactions(index, 2)
    monkeypatch.setattr(Diagonal, "num_nodes", lambda self, tolerance: 76)
    exact = process.interactions(index, 2)
    for tolerance, each in found.items():
        assert_same(each, exact, atol=process.scale * tolerance + 1e-12)


def test_three_hundred_features_have_all_their_pairs():
    """All singles and pairs are there, and finite."""
    process = a_process(300, num_samples=300)
    for index in INDICES:
        found = process.interactions(index, 2)
        assert len(found) == (300 if found.order == 1 else 300 + 300 * 299 // 2)
        assert np.isfinite([found.baseline, *found.values()]).all()


@pytest.mark.parametrize("num_nothing", [1, 2, 3])
def test_a_factor_of_zero_is_no_division_by_it(num_nothing):
    """A relevance of 1 leaves factors of 0; the derivatives are still those by the definition."""
    rng = np.random.default_rng(3)
    factors = rng.random((2, 2, 5))
    factors[[0, 1], [1, 0], :num_nothing] = 0.0
    kept = rng.random((7, 5)) < 0.5
    weights = rng.normal(size=7)
    part = Products(weights, kept, factors)
    for q in (0.0, 0.3, 1.0):
        by_sample = np.where(kept[:, None], factors[1], factors[0])
        here = (1 - q) * by_sample[:, 0] + q * by_sample[:, 1]
        steps = by_sample[:, 1] - by_sample[:, 0]
        singles, pairs = np.zeros(5), np.zeros((5, 5))
        for i in range(5):
            singles[i] = weights @ (steps[:, i] * np.delete(here, i, axis=1).prod(axis=1))
            for k in set(range(5)) - {i}:
                others = np.delete(here, [i, k], axis=1).prod(axis=1)
                pairs[i, k] = weights @ (steps[:, i] * steps[:, k] * others)
        np.testing.assert_allclose(part.derivatives(q, 0), weights @ here.prod(axis=1), atol=1e-14)
        np.testing.assert_allclose(part.derivatives(q, 1), singles, atol=1e-14)
        np.testing.assert_allclose(part.derivatives(q, 2), pairs, atol=1e-14)


def test_misuse_is_told():
    """An unknown index, an order that it does not go to, masks of another width, no permutation."""
    process = a_process(4)
    with pytest.raises(UsageError, match="no index 'Owen'"):
        process.interactions("Owen", 1)
    with pytest.raises(UsageError, match="at least 1, not 0"):
        process.interactions("SII", 0)
    with pytest.raises(UsageError, match=r"of two features, not of 3(.|\n)*transform"):
        process.interactions("FSII", 3)
    with pytest.raises(UsageError, match="4 are expected"):
        process.predict([[0, 1]])
    with pytest.raises(ValueError, match="no order of 4 features"):
        Process(process.average, np.array([0, 1, 2, 2]), mean=0.0, scale=1.0, keep=0.5)
    assert process.interactions("SV", 7).order == 1
