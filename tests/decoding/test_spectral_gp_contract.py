"""SpectralGP: what holds of every answer, whatever the function, and what is refused."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.decoding.decoder import Status
from spex_api.decoding.spectral_gp import Hyperprior, SpectralGP
from spex_api.errors import UsageError
from spex_api.indices import interactions
from spex_api.samples import Samples
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from spex_api.decoding import Recovery

each_order = pytest.mark.parametrize("ordered", [False, True])
each_keep = pytest.mark.parametrize("keep", [0.5, 0.8])


def some_samples(num_features, num_samples, *, noise=0.5, keep=0.5, ordered=False):
    """Noisy values of a sparse function with heredity."""
    rng = np.random.default_rng(0)
    a, b, c = rng.choice(num_features, size=3, replace=False).tolist()
    terms = {(): 1.0, (a,): 2.0, (b,): -1.5, (c,): 1.0, (a, b): 1.2, (a, b, c): 0.8}
    f = FourierTransform({tuple(sorted(key)): value for key, value in terms.items()}, num_features)
    masks = (rng.random((num_samples, num_features)) < keep).astype(np.uint8)
    values = f(masks) + noise * rng.normal(size=num_samples)
    return Samples.from_arrays(masks, values, ordered=ordered, keep=keep)


@cache
def decoded(num_features: int, num_samples: int, noise: float = 0.5) -> Recovery:
    """What others are held against: decoding is pure, as the first test shows."""
    return SpectralGP().decode(some_samples(num_features, num_samples, noise=noise))


def cube(num_features):
    return (np.arange(2**num_features)[:, None] >> np.arange(num_features) & 1).astype(np.uint8)


@each_order
@each_keep
def test_the_same_samples_give_the_same_answer(ordered, keep):
    """Decoding is a pure function, to the last bit."""
    samples = some_samples(15, 80, ordered=ordered, keep=keep)
    first, second = SpectralGP().decode(samples), SpectralGP().decode(samples)
    assert first.transform == second.transform
    assert (first.covariance == second.covariance).all()
    intervals = [
        interactions(each.transform, covariance=each.covariance, unlisted=each.unlisted).intervals
        for each in (first, second)
    ]
    assert intervals[0] == intervals[1]


@settings(max_examples=4, deadline=None)
@given(st.permutations(range(14)))
def test_permuting_the_features_permutes_the_answer(order):
    """The numbering of unordered features decides nothing, to the last bit."""
    samples = some_samples(14, 60)
    permuted = SpectralGP().decode(Samples.from_arrays(samples.masks[:, order], samples.values))
    original = decoded(14, 60)
    named = [tuple(sorted(order[feature] for feature in key)) for key in permuted.transform]
    assert dict(zip(named, permuted.transform.values(), strict=True)) == dict(original.transform)
    place = [list(original.transform).index(key) for key in named]
    assert (permuted.covariance == original.covariance[np.ix_(place, place)]).all()


def test_permuting_the_features_permutes_what_is_not_listed():
    """The tail of each feature goes with it, whatever its number."""
    samples, order = some_samples(14, 60), np.random.default_rng(1).permutation(14)
    permuted = SpectralGP().decode(Samples.from_arrays(samples.masks[:, order], samples.values))
    original = decoded(14, 60)
    weights = np.array([0.0, *[-2.0] * 14])
    tails = [
        each.unlisted.variances([(feature,) for feature in range(14)], weights)
        for each in (permuted, original)
    ]
    assert np.ptp(tails[1]) > 0.1 * tails[1].max()
    assert tails[0] == pytest.approx(tails[1][order], rel=1e-9)


@settings(max_examples=5, deadline=None)
@given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_the_answer_has_the_unit_of_the_values(scale, shift):
    """Another unit and another zero of the score change the transform as they change the values."""
    samples, masks = some_samples(8, 50, noise=0.3), cube(8)
    moved = Samples.from_arrays(samples.masks, scale * (samples.values + shift))
    original, found = decoded(8, 50, noise=0.3), SpectralGP().decode(moved)
    expected = scale * (original.transform(masks) + shift)
    assert found.transform(masks) == pytest.approx(expected, rel=1e-3, abs=1e-2 * scale)
    deviations = [np.sqrt(np.diag(each.covariance)[:9]) for each in (original, found)]
    assert deviations[1] == pytest.approx(scale * deviations[0], rel=1e-2)


def test_equal_values_are_their_mean():
    """Where the value never changes, the transform is the constant, and the status says so."""
    recovery = SpectralGP().decode(Samples.from_arrays(cube(3), np.full(8, 0.1)))
    assert recovery.status is Status.CONSTANT
    assert dict(recovery.transform) == {(): pytest.approx(0.1)}
    assert recovery.covariance.shape == (1, 1)


def test_steps_that_run_out_are_told():
    """A search that is broken off says so, and its result is still finite."""
    recovery = SpectralGP(max_steps=1).decode(some_samples(12, 80, noise=0.0))
    assert recovery.status is Status.STEPS_RAN_OUT
    assert np.isfinite(recovery.covariance).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(1, 5), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_few_samples_are_decoded(num_samples, num_features, ordered, seed):
    """However few the samples, repeated masks among them, a finite transform comes out."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(num_samples, num_features))
    keep = rng.choice([0.5, 0.8])
    samples = Samples.from_arrays(masks, rng.normal(size=num_samples), ordered=ordered, keep=keep)
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
        lambda: Hyperprior(relevance_variance=1.0, noise_floor=1.0),
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


def test_the_noise_floor_falls_with_the_samples():
    """A floor is a share, at most a number of samples over N, and nothing where all is seen."""
    prior = Hyperprior(relevance_variance=1.0, noise_floor=0.1, noise_samples=25.0)
    masks = np.random.default_rng(0).integers(0, 2, size=(1000, 40))
    few = Samples.from_arrays(masks[:100], np.zeros(100))
    many = Samples.from_arrays(masks, np.zeros(1000))
    assert prior.floor(few) == pytest.approx(0.1)
    assert prior.floor(many) == pytest.approx(0.025)
    half, whole = (Samples.from_arrays(cube(5)[:size], np.zeros(size)) for size in (16, 32))
    assert prior.floor(half) == pytest.approx(0.05)
    assert 0 < prior.floor(whole) < 1e-6


@pytest.mark.parametrize(("num_features", "expected"), [(3, 8), (24, 240), (10, 200), (300, 1000)])
def test_the_default_plan_grows_with_the_features(num_features, expected):
    """Ten queries a feature, at least 200, at most 1,000, and never more than there are masks."""
    assert len(SpectralGP().plan(num_features, None, 0)) == expected
    assert len(SpectralGP().plan(30, 77, 0)) == 77


def test_settings_are_written_as_python():
    """`eval(repr(x)) == x`, and what is the default is left out."""
    decoder = SpectralGP(fit_samples=50)
    assert repr(decoder) == "SpectralGP(fit_samples=50)"
    assert eval(repr(decoder)) == decoder  # noqa: S307
