"""SpectralGP: planted functions, real ones under any measure, cubes without noise, and noise."""

from __future__ import annotations

from itertools import chain, combinations
from types import SimpleNamespace

import numpy as np
import pytest

from spex_api.decoding import spectral_gp
from spex_api.decoding.decoder import Status
from spex_api.decoding.gp_extraction import BeamSearch
from spex_api.decoding.ridge import additive_ridge
from spex_api.decoding.spectral_gp import SpectralGP
from spex_api.fidelity import r_squared
from spex_api.samples import Samples
from spex_api.sampling.uniform import fresh_masks, uniform_plan
from spex_api.transforms import FourierTransform, characters


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def all_supports(num_features):
    sizes = range(num_features + 1)
    return list(chain.from_iterable(combinations(range(num_features), size) for size in sizes))


def sparse_function(num_features, rng):
    """Seven coefficients with heredity, up to order 3, and a constant."""
    a, b, c, d = rng.choice(num_features, size=4, replace=False).tolist()
    terms = {(): 1.0, (a,): 2.0, (b,): -1.5, (c,): 1.0, (d,): 0.7, (a, b): 1.2, (b, c): -0.9}
    terms[(a, b, c)] = 0.8
    return FourierTransform(
        {tuple(sorted(key)): value for key, value in terms.items()}, num_features
    )


def planted(num_features, num_samples, *, seed=0, noise=0.0, test=500):
    """A sparse function with heredity: training samples, and clean test masks with their values."""
    rng = np.random.default_rng(seed)
    f = sparse_function(num_features, rng)
    masks = rng.integers(0, 2, size=(num_samples + test, num_features))
    values = f(masks)
    noisy = values[:num_samples] + noise * rng.normal(size=num_samples)
    samples = Samples.from_arrays(masks[:num_samples], noisy)
    return f, samples, masks[num_samples:], values[num_samples:]


@pytest.mark.parametrize("num_features", [11, 25])
def test_a_planted_function_is_recovered(num_features):
    """Interactions up to order 3 are found from 250 noisy samples, the strong ones on top."""
    f, samples, masks, values = planted(num_features, 250, noise=0.4)
    recovery = SpectralGP().decode(samples)
    assert recovery.status is Status.CONVERGED
    assert r_squared(values, recovery.transform(masks)) > 0.95
    assert set(recovery.transform.strongest(7)) == set(f)


@pytest.mark.parametrize("ordered", [False, True])
def test_masks_near_the_full_prompt_recover_a_planted_function(ordered):
    """From masks that keep 0.8 the function is found, there and as the plain transform."""
    f = sparse_function(12, np.random.default_rng(4))
    plan = uniform_plan(12, 250, seed=0, keep=0.8)
    rng = np.random.default_rng(1)
    samples = Samples.from_plan(plan, f(plan.masks) + 0.2 * rng.normal(size=250), ordered=ordered)
    recovery = SpectralGP().decode(samples)
    near = fresh_masks(plan.masks, 400, seed=1, keep=0.8)
    assert r_squared(f(near), recovery.transform(near)) > 0.95
    assert r_squared(f(cube(12)), recovery.transform(cube(12))) > 0.9
    assert set(recovery.transform.strongest(7)) == set(f)
    assert recovery.covariance.shape == (len(recovery.transform),) * 2


@pytest.mark.parametrize("ordered", [False, True])
def test_an_additive_function_is_seldom_overfitted(ordered):
    """Without interactions and under much noise, a fit is about as good as additive ridge."""
    shortfalls = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        masks = rng.integers(0, 2, size=(620, 8 + seed))
        values = masks @ rng.normal(size=8 + seed)
        noisy = values[:120] + 1.5 * values.std() * rng.normal(size=120)
        samples = Samples.from_arrays(masks[:120], noisy, ordered=ordered)
        found = r_squared(values[120:], SpectralGP().decode(samples).transform(masks[120:]))
        additive = r_squared(values[120:], additive_ridge(samples)(masks[120:]))
        shortfalls.append(additive - found)
    assert np.mean(shortfalls) < 0.02
    assert max(shortfalls) < 0.05


def test_neighbours_help_where_features_are_ordered():
    """Interactions of neighbours are recovered better by the kernel that expects them."""
    rng = np.random.default_rng(6)
    masks = rng.integers(0, 2, size=(1150, 30))
    signs = 1.0 - 2.0 * masks
    values = (signs[:, :-1] * signs[:, 1:]) @ rng.normal(size=29)
    scores = [
        r_squared(
            values[150:],
            SpectralGP()
            .decode(Samples.from_arrays(masks[:150], values[:150], ordered=ordered))
            .transform(masks[150:]),
        )
        for ordered in (False, True)
    ]
    assert scores[1] > scores[0] + 0.2


def test_levels_help_where_the_number_of_kept_features_counts(monkeypatch):
    """A function of how much is kept, and nothing else, needs the kernel of whole sizes."""
    rng = np.random.default_rng(7)
    masks = rng.integers(0, 2, size=(1100, 18))
    values = (masks.sum(axis=1) - 9.0) ** 2
    noisy = values[:100] + 0.3 * values.std() * rng.normal(size=100)
    samples = Samples.from_arrays(masks[:100], noisy)
    helped = SpectralGP().decode(samples).transform
    monkeypatch.setattr(spectral_gp, "LevelKernel", lambda _: SimpleNamespace(sizes=()))
    unhelped = SpectralGP().decode(samples).transform
    assert r_squared(values[100:], helped(masks[100:])) > 0.8
    assert r_squared(values[100:], unhelped(masks[100:])) < 0.5
    pairs = [helped[pair] for pair in combinations(range(18), 2)]
    assert np.mean(pairs) == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize("num_features", range(1, 9))
def test_a_cube_without_noise_is_transformed_exactly(num_features):
    """From every mask's value the transform is exact, whatever the function."""
    rng = np.random.default_rng(num_features)
    masks, values = cube(num_features), rng.normal(size=2**num_features)
    repeated = Samples.from_arrays(np.concatenate([masks, masks[:2]]), [*values, *values[:2]])
    for samples in (Samples.from_arrays(masks, values), repeated):
        recovery = SpectralGP().decode(samples)
        assert recovery.transform(masks) == pytest.approx(values, abs=1e-5)
        expected = characters(masks, all_supports(num_features)).T @ values / len(values)
        coefficients = [recovery.transform.get(key, 0.0) for key in all_supports(num_features)]
        assert coefficients == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_cube_is_exact_however_few_terms_are_asked_for():
    """What is known is listed whole: a limit on the terms is one on estimates."""
    values = np.random.default_rng(3).normal(size=32)
    decoder = SpectralGP(search=BeamSearch(max_terms=3))
    recovery = decoder.decode(Samples.from_arrays(cube(5), values))
    assert recovery.transform(cube(5)) == pytest.approx(values, abs=1e-5)


def test_a_cube_is_exact_under_another_measure():
    """All masks of the cube give the plain transform, whatever probability is said to be behind."""
    values = np.random.default_rng(3).normal(size=64)
    recovery = SpectralGP().decode(Samples.from_arrays(cube(6), values, keep=0.8))
    expected = characters(cube(6), all_supports(6)).T @ values / 64
    coefficients = [recovery.transform[key] for key in all_supports(6)]
    assert coefficients == pytest.approx(expected.tolist(), abs=1e-5)


def test_repeated_masks_with_other_values_are_averaged():
    """Where one mask got several values, their scatter is noise, and their mean is the answer."""
    rng = np.random.default_rng(0)
    masks = np.repeat(cube(3), 30, axis=0)
    f = FourierTransform({(0,): 1.0, (0, 2): 0.8}, num_features=3)
    samples = Samples.from_arrays(masks, f(masks) + rng.normal(size=len(masks)))
    recovery = SpectralGP().decode(samples)
    assert r_squared(f(cube(3)), recovery.transform(cube(3))) > 0.95
    # A mean of 240 values of variance 1, shrunk a little.
    deviation = recovery.covariance[1, 1] ** 0.5
    assert 0.03 < deviation < 240**-0.5 + 0.01


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_the_covariance_covers_the_truth(keep):
    """Nine in ten planted coefficients lie about where the 90 % interval says."""
    inside = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        f = sparse_function(12, rng)
        masks = (rng.random((150, 12)) < keep).astype(np.uint8)
        samples = Samples.from_arrays(masks, f(masks) + rng.normal(size=150), keep=keep)
        recovery = SpectralGP().decode(samples)
        deviations = np.sqrt(np.diag(recovery.covariance))
        for (support, value), deviation in zip(recovery.transform.items(), deviations, strict=True):
            inside.append(abs(value - f.get(support, 0.0)) < 1.645 * deviation)
    assert np.mean(inside) > 0.8
    asymmetry = np.max(np.abs(recovery.covariance - recovery.covariance.T))
    # Multiplying out into the plain basis rounds.
    assert asymmetry <= (0.0 if keep == 0.5 else 1e-15 * np.max(recovery.covariance))
    smallest = np.linalg.eigvalsh(recovery.covariance)[0]
    assert smallest > -1e-10 * np.max(recovery.covariance)


def test_samples_of_large_variance_count_for_less():
    """Wild values do little harm where their variance is told, and much where it is not."""
    _, clean, masks, values = planted(14, 200)
    rng = np.random.default_rng(2)
    wild = rng.random(200) < 0.3
    noisy = clean.values + wild * rng.normal(scale=40.0, size=200)
    told = SpectralGP().decode(Samples.from_arrays(clean.masks, noisy, wild * 1600.0))
    untold = SpectralGP().decode(Samples.from_arrays(clean.masks, noisy))
    assert r_squared(values, told.transform(masks)) > 0.9
    assert r_squared(values, untold.transform(masks)) < 0.7


def test_fitting_on_some_samples_still_uses_all():
    """The relevances may come from a part of the samples; the answer is better than the part's."""
    _, samples, masks, values = planted(14, 400, noise=1.5)
    part = samples.take(np.linspace(0, 399, 100).astype(int))
    quick = SpectralGP(fit_samples=100).decode(samples)
    assert r_squared(values, quick.transform(masks)) > r_squared(
        values, SpectralGP().decode(part).transform(masks)
    )


@pytest.mark.parametrize("ordered", [False, True])
def test_noise_alone_is_called_noise(ordered):
    """Values that no mask explains have a status of their own, and next to no coefficients."""
    rng = np.random.default_rng(3)
    masks, values = rng.integers(0, 2, size=(200, 20)), rng.normal(size=200)
    recovery = SpectralGP().decode(Samples.from_arrays(masks, values, ordered=ordered))
    assert recovery.status is Status.NOTHING_BUT_NOISE
    assert recovery.transform.energy < 0.05
