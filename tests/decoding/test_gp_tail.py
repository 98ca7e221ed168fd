"""What is not listed, against brute force over all supports; and intervals on real values."""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pytest

from spex_api.decoding.gp_averaging import Average
from spex_api.decoding.gp_features import AdditiveKernel, LevelKernel, LocalKernel
from spex_api.decoding.gp_kernels import ProductKernel, coordinates
from spex_api.decoding.gp_posterior import Evidence
from spex_api.decoding.gp_tail import tail_of
from spex_api.decoding.spectral_gp import SpectralGP
from spex_api.index_weights import check_index
from spex_api.indices import interactions
from spex_api.samples import Samples
from spex_api.sampling.uniform import uniform_plan
from spex_api.transforms import FourierTransform, characters

RECORDED = Path(__file__).parents[1] / "data" / "recorded"
N = 7
SCALE, UNSEEN = 2.5, 0.6
INDICES = [
    ("FBII", 2),
    ("FBII", 3),
    ("FSII", 2),
    ("STII", 2),
    ("SII", 3),
    ("BII", 2),
    ("SV", 1),
    ("Möbius", 3),
    ("Fourier", 2),
]


def all_supports(num_features):
    sizes = range(num_features + 1)
    return list(chain.from_iterable(combinations(range(num_features), size) for size in sizes))


def mixture(*, ordered):
    """Three posteriors with parameters that are alike for no two features."""
    rng = np.random.default_rng(0)
    product, level = ProductKernel(N), LevelKernel(N)
    local = (LocalKernel(N),) if ordered else ()
    masks = rng.integers(0, 2, size=(15, N), dtype=np.uint8)
    posteriors = []
    for kernels in ((product, level), (product, *local, level), (AdditiveKernel(N), level)):
        evidence = Evidence(
            coordinates(masks, 0.5), rng.normal(size=15), np.zeros(15), kernels, 1.0
        )
        start = evidence.start(0.3)
        posteriors.append(evidence.posterior(start + 0.6 * rng.normal(size=len(start))))
    return Average(posteriors, np.array([0.5, 0.3, 0.2]))


def some_listed():
    """The constant, all singles, and a part of the rest."""
    rng = np.random.default_rng(1)
    return [s for s in all_supports(N) if len(s) <= 1 or rng.random() < 0.25]


def own_variances(average):
    """`κ(S)` of every support, averaged over the posteriors, in the unit of the values."""
    total = dict.fromkeys(all_supports(N), 0.0)
    for weight, posterior in zip(average.weights, average.posteriors, strict=True):
        mean = posterior.mean
        parts = mean.evidence.split(mean.parameters)
        for kernel, part in zip(mean.evidence.kernels, parts, strict=True):
            for support in total:
                own = kernel.prior_variances(part, np.array([support], dtype=np.intp))[0]
                total[support] += weight * SCALE**2 * own
    return total


def index_weights(index, order, size):
    weight, limit = check_index(index, order)
    return np.array([0.0] * size + [weight(size, larger, limit) for larger in range(size, N + 1)])


def brute_force(average, listed, order, weights, target):
    """The variance of the index of one set, by the weight of every coefficient in it."""
    supports, total = all_supports(N), 0.0
    contains = [float(set(target) <= set(support)) for support in supports]
    row = np.array(contains) * weights[[len(support) for support in supports]]
    by_support = dict(zip(supports, row, strict=True))
    for support, variance in own_variances(average).items():
        if support not in listed:
            named = tuple(sorted(order[list(support)].tolist()))
            total += by_support[named] ** 2 * variance
    noise = sum(w * p.mean.noise for w, p in zip(average.weights, average.posteriors, strict=True))
    return total + noise * SCALE**2 * UNSEEN * np.sum(row**2) / 2**N


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(("index", "limit"), INDICES)
def test_variances_are_the_sum_over_all_unlisted_supports(index, limit, ordered):
    """Of every set, the tail is κ of each support that is not listed, and its share of noise."""
    average, listed = mixture(ordered=ordered), some_listed()
    order = np.arange(N) if ordered else np.roll(np.random.default_rng(2).permutation(N), 1)
    tail = tail_of(average, listed, order, scale=SCALE, unseen=UNSEEN)
    for size in range(1, limit + 1):
        weights = index_weights(index, limit, size)
        sets = list(combinations(range(N), size))[::3]
        expected = [brute_force(average, listed, order, weights, t) for t in sets]
        assert tail.variances(sets, weights) == pytest.approx(np.array(expected), rel=1e-8)


def test_where_all_is_listed_the_noise_is_left():
    """A transform with every coefficient leaves the masks that no sample shows, and no prior."""
    average = mixture(ordered=True)
    weights = index_weights("Möbius", 2, 2)
    everything = all_supports(N)
    tail = tail_of(average, everything, np.arange(N), scale=SCALE, unseen=UNSEEN)
    expected = brute_force(average, everything, np.arange(N), weights, (1, 4))
    assert tail.variances([(1, 4)], weights) == pytest.approx([expected], rel=1e-6)
    seen = tail_of(average, everything, np.arange(N), scale=SCALE, unseen=0.0)
    assert seen.variances([(1, 4)], weights) == pytest.approx([0.0], abs=1e-9)


def test_the_tail_has_the_unit_of_the_values():
    """Values ten times as large have a tail a hundred times as large."""
    average, weights = mixture(ordered=True), index_weights("FBII", 2, 1)
    small, large = (
        tail_of(average, some_listed(), np.arange(N), scale=scale, unseen=0.5)
        for scale in (1.0, 10.0)
    )
    sets = [(feature,) for feature in range(N)]
    assert large.variances(sets, weights) == pytest.approx(100 * small.variances(sets, weights))


def test_a_thousand_features_have_a_tail():
    """At n = 1,000 the tail is finite, and that of a relevant feature is the larger one."""
    rng = np.random.default_rng(0)
    points = 1.0 - 2.0 * rng.integers(0, 2, size=(20, 1000))
    evidence = Evidence(points, rng.normal(size=20), np.zeros(20), (ProductKernel(1000),), 1.0)
    parameters = evidence.start(0.3)
    parameters[3] += 3.0
    average = Average([evidence.posterior(parameters)], np.ones(1))
    listed = [(), *((feature,) for feature in range(1000))]
    tail = tail_of(average, listed, np.arange(1000), scale=1.0, unseen=1.0)
    found = tail.variances([(2,), (3,)], np.array([0.0, *[-2.0] * 2, *[0.0] * 998]))
    assert found[1] > 5 * found[0] > 0
    mobius = tail.variances([(2,), (3,)], np.array([0.0, *[-2.0] * 1000]))
    assert np.isfinite(mobius).all()
    assert (mobius > found).all()


def test_intervals_grow_by_the_tail():
    """The half width of an interval is 1.645 deviations of what is listed and what is not."""
    rng = np.random.default_rng(3)
    masks = rng.integers(0, 2, size=(60, 9))
    values = masks @ rng.normal(size=9) + masks[:, 0] * masks[:, 1] + rng.normal(size=60)
    recovery = SpectralGP().decode(Samples.from_arrays(masks, values))
    listed, whole = (
        interactions(recovery.transform, "FSII", 2, covariance=recovery.covariance, unlisted=each)
        for each in (None, recovery.unlisted)
    )
    assert dict(listed) == dict(whole)
    weight, _ = check_index("FSII", 2)
    for support in whole:
        size = len(support)
        by_size = [0.0] * size + [weight(size, larger, 2) for larger in range(size, 10)]
        added = recovery.unlisted.variances([support], np.array(by_size))[0]
        half = [(each.intervals[support].high - each[support]) / 1.6449 for each in (listed, whole)]
        assert half[1] ** 2 == pytest.approx(half[0] ** 2 + added, rel=1e-3)
        assert added > 0


def whole_cube(name):
    """Every mask of a recording, the anchors too, and a look-up of their values."""
    table = np.load(RECORDED / f"{name}.npz")
    n = table["masks"].shape[1]
    masks = np.concatenate([table["masks"], [[1] * n, [0] * n]]).astype(np.uint8)
    values = np.concatenate([table["values"], [table["full"], table["empty"]]])
    found = np.full(2**n, np.nan)
    found[masks @ (1 << np.arange(n))] = values
    supports = all_supports(n)
    coefficients = characters(masks, supports).T @ values / len(values)
    transform = FourierTransform(dict(zip(supports, coefficients, strict=True)), n)
    return transform, lambda some: found[some @ (1 << np.arange(n))]


def test_intervals_cover_the_truth_on_real_values():
    """Of the 20 strongest interactions of real prompts about nine in ten lie in their interval."""
    inside = []
    for name in ("notes_10_sentences", "examples_10_lines"):
        exact, value_of = whole_cube(name)
        truth = interactions(exact, "FBII", 2)
        for seed in range(4):
            plan = uniform_plan(10, 150, seed=seed)
            samples = Samples.from_plan(plan, value_of(plan.masks), ordered=True)
            recovery = SpectralGP().decode(samples)
            found = interactions(
                recovery.transform,
                "FBII",
                2,
                covariance=recovery.covariance,
                unlisted=recovery.unlisted,
            )
            for support in found.strongest(20):
                low, high = found.intervals[support]
                inside.append(low <= truth[support] <= high)
    assert len(inside) > 120
    assert 0.8 < np.mean(inside) < 0.98
