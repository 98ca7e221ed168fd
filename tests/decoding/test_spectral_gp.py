"""SpectralGP: kernels and posteriors against brute force over all subsets; planted functions."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from spex_api.decoding.decoder import Status
from spex_api.decoding.gp_extraction import BeamSearch
from spex_api.decoding.gp_kernels import AdditiveKernel, ProductKernel, WindowKernel
from spex_api.decoding.gp_posterior import Evidence, maximize
from spex_api.decoding.ridge import additive_ridge
from spex_api.decoding.spectral_gp import Hyperprior, SpectralGP
from spex_api.decoding.standardization import standardize
from spex_api.errors import UsageError
from spex_api.fidelity import r_squared
from spex_api.samples import Samples
from spex_api.transforms import FourierTransform, characters

KERNELS = {
    "product": lambda n: (ProductKernel(n),),
    "two products": lambda n: (ProductKernel(n), ProductKernel(n, total_relevance=0.4)),
    "windows": lambda n: (ProductKernel(n), WindowKernel(n)),
    "additive": lambda n: (AdditiveKernel(n), ProductKernel(n)),
    "none": lambda _: (),
}


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


def all_supports(num_features):
    sizes = range(num_features + 1)
    return list(chain.from_iterable(combinations(range(num_features), size) for size in sizes))


def some_evidence(kernels, *, num_features=5, num_samples=20, seed=0):
    rng = np.random.default_rng(seed)
    return Evidence(
        signs=rng.choice([-1.0, 1.0], size=(num_samples, num_features)),
        values=rng.normal(size=num_samples),
        variances=rng.random(num_samples),
        kernels=kernels,
        prior_variance=0.7,
    )


def some_parameters(evidence, seed=1):
    start = evidence.start(0.2)
    return start + 0.7 * np.random.default_rng(seed).normal(size=len(start))


def brute_force_prior(evidence, parameters, supports):
    """κ(S) by the definitions: products of relevances, and means of them over windows."""
    variances = np.array([float(support == ()) for support in supports])
    for kernel, part in zip(evidence.kernels, evidence.split(parameters), strict=True):
        relevances, scale = 1 / (1 + np.exp(-part[:-1])), np.exp(part[-1])
        num_features = kernel.num_features
        if isinstance(kernel, AdditiveKernel):
            variances += [scale / num_features * (len(support) == 1) for support in supports]
            continue
        width = 3 if isinstance(kernel, WindowKernel) else num_features
        windows = [range(first, first + width) for first in range(num_features - width + 1)]
        for place, support in enumerate(supports):
            for window in windows:
                if set(support) <= set(window):
                    weight = np.prod(relevances[list(support)]) if support else 1.0
                    normal = np.prod(1 + relevances[list(window)]) * len(windows)
                    variances[place] += scale * weight / normal
    return variances


def planted(num_features, num_samples, *, seed=0, noise=0.0, test=500):
    """A sparse function with heredity: training samples, and clean test masks with their values."""
    rng = np.random.default_rng(seed)
    a, b, c, d = rng.choice(num_features, size=4, replace=False).tolist()
    terms = {(): 1.0, (a,): 2.0, (b,): -1.5, (c,): 1.0, (d,): 0.7, (a, b): 1.2, (b, c): -0.9}
    terms[(a, b, c)] = 0.8
    f = FourierTransform({tuple(sorted(key)): value for key, value in terms.items()}, num_features)
    masks = rng.integers(0, 2, size=(num_samples + test, num_features))
    values = f(masks)
    noisy = values[:num_samples] + noise * rng.normal(size=num_samples)
    samples = Samples.from_arrays(masks[:num_samples], noisy)
    return f, samples, masks[num_samples:], values[num_samples:]


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_gradient_is_the_slope_of_the_loss(kernels):
    """The analytic gradient equals finite differences in every parameter."""
    evidence = some_evidence(KERNELS[kernels](5))
    parameters = some_parameters(evidence)
    numeric = approx_fprime(parameters, lambda x: evidence.loss(x)[0], 1e-6)
    assert evidence.loss(parameters)[1] == pytest.approx(numeric, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_loss_is_a_normal_density(kernels):
    """Two losses differ as the densities of the values and of the relevances do."""
    evidence = some_evidence(KERNELS[kernels](5))
    supports = all_supports(5)
    at_samples = characters((evidence.signs < 0).astype(np.uint8), supports)

    def expected(parameters):
        prior = brute_force_prior(evidence, parameters, supports)
        covariance = (at_samples * prior) @ at_samples.T
        covariance += np.diag(np.exp(parameters[-1]) + evidence.variances)
        loss = 0.5 * evidence.values @ np.linalg.solve(covariance, evidence.values)
        loss += 0.5 * np.linalg.slogdet(covariance)[1]
        for part in (part for part in evidence.split(parameters) if len(part) > 1):
            loss += 0.5 * np.sum((part[:-1] - part[:-1].mean()) ** 2) / 0.7
        return loss

    first, second = some_parameters(evidence, 1), some_parameters(evidence, 2)
    difference = evidence.loss(first)[0] - evidence.loss(second)[0]
    assert difference == pytest.approx(expected(first) - expected(second))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("num_features", [4, 6])
def test_moments_equal_brute_force_over_all_subsets(kernels, num_features):
    """Means and covariance are those of a Bayesian linear regression on all 2^n characters."""
    evidence = some_evidence(KERNELS[kernels](num_features), num_features=num_features)
    parameters = some_parameters(evidence)
    supports = all_supports(num_features)
    prior = brute_force_prior(evidence, parameters, supports)
    at_samples = characters((evidence.signs < 0).astype(np.uint8), supports)
    noise = np.exp(parameters[-1]) + evidence.variances
    gram = (at_samples * prior) @ at_samples.T + np.diag(noise)
    gain = (at_samples * prior).T @ np.linalg.inv(gram)
    means, covariance = evidence.posterior(parameters).moments(supports)
    assert means == pytest.approx(gain @ evidence.values)
    expected = np.diag(prior) - gain @ (at_samples * prior)
    assert covariance == pytest.approx(expected, abs=1e-10)
    assert (covariance == covariance.T).all()
    assert np.linalg.eigvalsh(covariance)[0] > -1e-12


@pytest.mark.parametrize("kernels", KERNELS)
def test_predictions_are_the_sum_over_all_coefficients(kernels):
    """The posterior mean at any mask is the transform of all 2^n posterior coefficients."""
    evidence = some_evidence(KERNELS[kernels](5))
    posterior = evidence.posterior(some_parameters(evidence))
    supports = all_supports(5)
    means, _ = posterior.moments(supports)
    predicted = posterior.predict(1.0 - 2.0 * cube(5))
    assert predicted == pytest.approx(characters(cube(5), supports) @ means)


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 9), st.integers(0, 2**32 - 1))
def test_the_window_kernel_is_a_mean_over_windows(num_features, seed):
    """The feature map gives the mean of the product kernels of all windows of three."""
    rng = np.random.default_rng(seed)
    kernel, parameters = WindowKernel(num_features), rng.normal(size=num_features + 1)
    left = rng.choice([-1.0, 1.0], size=(6, num_features))
    right = rng.choice([-1.0, 1.0], size=(4, num_features))
    scale = parameters[-1:]
    by_window = [
        ProductKernel(3).gram(np.append(parameters[place], scale), left[:, place], right[:, place])
        for place in (np.arange(first, first + 3) for first in range(num_features - 2))
    ]
    assert kernel.gram(parameters, left, right) == pytest.approx(np.mean(by_window, axis=0))


def test_a_step_that_cannot_be_factored_gets_a_jitter():
    """Repeated masks without noise have a singular covariance, which is factored all the same."""
    evidence = Evidence(np.ones((4, 3)), np.ones(4), np.zeros(4), (ProductKernel(3),), 1.0)
    loss, gradient = evidence.loss(evidence.start(1e-300))
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()


def test_the_search_finds_the_largest_coefficients():
    """The beam finds what looking at every support finds, up to its degree."""
    _, samples, _, _ = planted(12, 150, noise=0.3)
    evidence = Evidence(
        samples.signs, samples.values, np.zeros(150), (ProductKernel(12),), prior_variance=1.5
    )
    fitted = maximize(evidence, least_noise=0.05, fixed_noise=False, max_steps=100)
    assert fitted.converged
    posterior = evidence.posterior(fitted.parameters)
    supports = [support for support in all_supports(12) if 1 < len(support) <= 4]
    means, _ = posterior.moments(supports)
    strongest = {supports[place] for place in np.argsort(-np.abs(means))[:25]}
    found = BeamSearch(max_degree=4, tolerance=1e-6, max_terms=2000).supports(posterior)
    assert strongest <= set(found)
    assert len(set(found)) == len(found)
    assert {(), *((feature,) for feature in range(12))} <= set(found)


@pytest.mark.parametrize("num_features", [11, 25])
def test_a_planted_function_is_recovered(num_features):
    """Interactions up to order 3 are found from 250 noisy samples, the strong ones on top."""
    f, samples, masks, values = planted(num_features, 250, noise=0.4)
    recovery = SpectralGP().decode(samples)
    assert recovery.status is Status.CONVERGED
    assert r_squared(values, recovery.transform(masks)) > 0.95
    assert set(recovery.transform.strongest(7)) == set(f)


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


@pytest.mark.parametrize("ordered", [False, True])
def test_the_transform_predicts_as_the_whole_process(ordered):
    """What the transform leaves out costs less than 0.01 of held-out R²."""
    rng = np.random.default_rng(4)
    masks = rng.integers(0, 2, size=(1200, 20))
    values = np.tanh(masks @ rng.normal(size=20)) + masks[:, 3:6].all(axis=1)
    samples = Samples.from_arrays(masks[:200], values[:200], ordered=ordered)
    decoder, standardized = SpectralGP(), standardize(samples)
    posterior, _ = decoder._fit(samples, samples.signs, standardized)
    whole = standardized.mean + standardized.scale * posterior.predict(1.0 - 2.0 * masks[200:])
    truncated = decoder.decode(samples).transform(masks[200:])
    assert abs(r_squared(values[200:], truncated) - r_squared(values[200:], whole)) < 0.01


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


def test_repeated_masks_with_other_values_are_averaged():
    """Where one mask got several values, their scatter is noise, and their mean is the answer."""
    rng = np.random.default_rng(0)
    masks = np.repeat(cube(3), 30, axis=0)
    f = FourierTransform({(0,): 1.0, (0, 2): 0.8}, num_features=3)
    samples = Samples.from_arrays(masks, f(masks) + rng.normal(size=len(masks)))
    recovery = SpectralGP().decode(samples)
    assert r_squared(f(cube(3)), recovery.transform(cube(3))) > 0.95


def test_the_covariance_covers_the_truth():
    """Nine in ten planted coefficients lie about where the 90 % interval says."""
    inside = []
    for seed in range(6):
        f, samples, _, _ = planted(12, 200, noise=1.0, seed=seed)
        recovery = SpectralGP().decode(samples)
        deviations = np.sqrt(np.diag(recovery.covariance))
        for (support, value), deviation in zip(recovery.transform.items(), deviations, strict=True):
            inside.append(abs(value - f.get(support, 0.0)) < 1.645 * deviation)
    assert np.mean(inside) > 0.8
    assert (recovery.covariance == recovery.covariance.T).all()
    smallest = np.linalg.eigvalsh(recovery.covariance)[0]
    assert smallest > -1e-10 * np.max(recovery.covariance)


@pytest.mark.parametrize("ordered", [False, True])
def test_the_same_samples_give_the_same_answer(ordered):
    """Decoding is a pure function, to the last bit."""
    _, samples, _, _ = planted(15, 120, noise=0.5)
    samples = Samples.from_arrays(samples.masks, samples.values, ordered=ordered)
    first, second = SpectralGP().decode(samples), SpectralGP().decode(samples)
    assert first.transform == second.transform
    assert (first.covariance == second.covariance).all()


@settings(max_examples=4, deadline=None)
@given(st.permutations(range(14)))
def test_permuting_the_features_permutes_the_answer(order):
    """The numbering of unordered features decides nothing, to the last bit."""
    _, samples, _, _ = planted(14, 60, noise=0.5)
    permuted = SpectralGP().decode(Samples.from_arrays(samples.masks[:, order], samples.values))
    original = SpectralGP().decode(samples)
    named = [tuple(sorted(order[feature] for feature in key)) for key in permuted.transform]
    assert dict(zip(named, permuted.transform.values(), strict=True)) == dict(original.transform)
    place = [list(original.transform).index(key) for key in named]
    assert (permuted.covariance == original.covariance[np.ix_(place, place)]).all()


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_the_answer_has_the_unit_of_the_values(scale, shift):
    """Another unit and another zero of the score change the transform as they change the values."""
    _, samples, masks, _ = planted(8, 50, noise=0.3)
    moved = Samples.from_arrays(samples.masks, scale * (samples.values + shift))
    expected = scale * (SpectralGP().decode(samples).transform(masks) + shift)
    found = SpectralGP().decode(moved).transform(masks)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-2 * scale)


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


def test_equal_values_are_their_mean():
    """Where the value never changes, the transform is the constant, and the status says so."""
    recovery = SpectralGP().decode(Samples.from_arrays(cube(3), np.full(8, 0.1)))
    assert recovery.status is Status.CONSTANT
    assert dict(recovery.transform) == {(): pytest.approx(0.1)}
    assert recovery.covariance.shape == (1, 1)


def test_noise_alone_is_called_noise():
    """Values that no mask explains have a status of their own, and next to no coefficients."""
    rng = np.random.default_rng(3)
    samples = Samples.from_arrays(rng.integers(0, 2, size=(200, 20)), rng.normal(size=200))
    recovery = SpectralGP().decode(samples)
    assert recovery.status is Status.NOTHING_BUT_NOISE
    assert recovery.transform.energy < 0.05


def test_steps_that_run_out_are_told():
    """A search that is broken off says so, and its result is still finite."""
    _, samples, _, _ = planted(12, 80)
    assert SpectralGP(max_steps=1).decode(samples).status is Status.STEPS_RAN_OUT


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(1, 5), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_few_samples_are_decoded(num_samples, num_features, ordered, seed):
    """However few the samples, repeated masks among them, a finite transform comes out."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(num_samples, num_features))
    samples = Samples.from_arrays(masks, rng.normal(size=num_samples), ordered=ordered)
    recovery = SpectralGP().decode(samples)
    assert {(), *((feature,) for feature in range(num_features))} <= set(recovery.transform)
    assert np.isfinite(recovery.covariance).all()


def test_one_sample_is_too_few():
    """Nothing is fitted to a single sample."""
    with pytest.raises(UsageError, match="two samples"):
        SpectralGP().decode(Samples.from_arrays([[0, 1]], [1.0]))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Hyperprior(relevance_variance=1.0, noise_floor=0.0),
        lambda: Hyperprior(relevance_variance=0.0, noise_floor=0.1),
        lambda: Hyperprior(relevance_variance=1.0, noise_floor=0.1, noise_samples=0.0),
        lambda: SpectralGP(fit_samples=1),
        lambda: SpectralGP(max_steps=0),
    ],
)
def test_wrong_settings_are_refused(wrong):
    """A setting that means nothing raises where it is made."""
    with pytest.raises(UsageError):
        wrong()


@pytest.mark.parametrize(("num_features", "expected"), [(3, 8), (24, 240), (10, 200), (300, 1000)])
def test_the_default_plan_grows_with_the_features(num_features, expected):
    """Ten queries a feature, at least 200, at most 1,000, and never more than there are masks."""
    assert len(SpectralGP().plan(num_features, None, 0)) == expected
    assert len(SpectralGP().plan(30, 77, 0)) == 77
