"""Peeling: what is admitted, what is dropped again, and what is said of the bins."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from spex_api.codes.bch import bch_code
from spex_api.decoding.bins import coded_rows
from spex_api.decoding.bins import fill_bins as fill
from spex_api.decoding.peeling import Guess, account
from spex_api.decoding.peeling import peel as peel_bins
from spex_api.decoding.proposals import Decoded, Scanned, _small_supports, proposals
from spex_api.samples import Samples
from spex_api.sampling.aliased import aliased_plan
from spex_api.transforms import FourierTransform


def fill_bins(samples, aliasing):
    return fill(samples, aliasing, coded_rows(samples, aliasing))


def filled(function, *, noise=0.0, exponent=5, degree=4, seed=0):
    plan = aliased_plan(
        function.num_features, None, sparsity_exponent=exponent, degree=degree, seed=seed
    )
    disturbed = noise * np.random.default_rng(seed).standard_normal(len(plan))
    samples = Samples.from_plan(plan, function(plan.masks) + disturbed)
    return fill_bins(samples, plan.aliasing)


def peel(bins, ways, *, degree):
    residual, rounds = peel_bins(bins, ways, degree=degree)
    return residual, account(residual, rounds)


def found(residual):
    supports = [tuple(int(i) for i in row if i >= 0) for row in residual.supports]
    return dict(zip(supports, residual.coefficients.tolist(), strict=True))


def test_a_lone_coefficient_is_one_singleton_a_group():
    """One support fills one bin of each group; all others are zerotons, and nothing is left."""
    bins = filled(FourierTransform({(2, 7, 19): -1.5}, 30))
    residual, peeling = peel(bins, proposals(bch_code(30, 4)), degree=4)
    assert found(residual) == {(2, 7, 19): pytest.approx(-1.5, abs=1e-10)}
    assert (peeling.zerotons, peeling.singletons, peeling.multitons) == (93, 3, 0)
    assert peeling.unresolved == 0
    assert peeling.residual_energy < 1e-20


@pytest.mark.parametrize("seed", range(8))
def test_two_supports_in_the_same_three_bins_are_told_apart(seed):
    """Where every group throws two supports together, the larger is read first, then the other."""
    aliasing = aliased_plan(30, None, sparsity_exponent=5, degree=4, seed=seed).aliasing
    # Rows of the matrices at two features made equal: {0} and {1} always share their bins.
    matrices = aliasing.matrices.copy()
    matrices[:, 1] = matrices[:, 0]
    function = FourierTransform({(): 0.3, (0,): 1.0, (1,): -0.4, (3, 4): 0.7}, 30)
    shared = type(aliasing)(matrices, aliasing.delays, 4)
    from spex_api.codes import gf2  # noqa: PLC0415 - only this test builds its own code
    from spex_api.sampling.aliased import coded_masks  # noqa: PLC0415

    masks = np.unique(gf2.unpack(coded_masks(shared).reshape(-1, 1), 30), axis=0)
    bins = fill_bins(Samples.from_arrays(masks, function(masks)), shared)
    residual, peeling = peel(bins, proposals(bch_code(30, 4)), degree=4)
    assert found(residual).keys() == dict(function).keys()
    assert found(residual)[(1,)] == pytest.approx(-0.4, abs=1e-9)
    assert peeling.multitons >= 3


def test_the_sign_of_a_coefficient_does_not_matter():
    """A function and its negative give the same supports and opposite coefficients."""
    terms = {(): 0.5, (3,): -1.0, (1, 8): 0.6, (2, 9, 20): -0.3}
    ways = proposals(bch_code(30, 4))
    plus = peel(filled(FourierTransform(terms, 30)), ways, degree=4)[0]
    negative = FourierTransform({key: -value for key, value in terms.items()}, 30)
    minus = peel(filled(negative), proposals(bch_code(30, 4)), degree=4)[0]
    assert found(plus) == pytest.approx({k: -v for k, v in found(minus).items()}, abs=1e-10)
    assert found(plus) == pytest.approx(terms, abs=1e-10)


def test_pure_noise_yields_nothing():
    """Bins of noise are zerotons, and no support is invented."""
    bins = filled(FourierTransform({(): 0.0}, 40), noise=1.0)
    residual, peeling = peel(bins, proposals(bch_code(40, 4)), degree=4)
    assert len(residual.supports) == 0
    assert peeling.zerotons == 96
    assert peeling.residual_energy == pytest.approx(1.0)


def test_a_wrong_guess_is_not_admitted():
    """A support that one bin suggests and the other groups deny stays out."""
    bins = filled(FourierTransform({(2,): 1.0, (5, 6): 0.8, (7, 8, 9): 0.7}, 30), noise=0.05)
    wrong = np.array([[2, 3, -1, -1]])
    places = bins.hashes.bins(wrong)[0]
    for place in places:
        residual, peeling = peel(bins, [lambda _, at=place: Guess(wrong, np.array([at]))], degree=4)
        assert len(residual.supports) == 0
        assert peeling.rounds == 0


def test_an_insignificant_guess_is_dropped_again():
    """A guess that no bin has to confirm is fitted, found to be nothing, and let go."""
    bins = filled(FourierTransform({(2,): 1.0}, 30), noise=0.3)
    guesses = np.array([[2, -1, -1, -1], [4, 11, -1, -1]])
    residual, _ = peel(bins, [lambda _: Guess(guesses, None)], degree=4)
    assert found(residual).keys() == {(2,)}
    assert found(residual)[(2,)] == pytest.approx(1.0, abs=0.05)


def test_scanning_sees_what_no_single_bin_shows():
    """A weak pair under noise is missed by decoding and found by its three bins together."""
    function = FourierTransform({(3, 17): 0.1, (5,): 1.0, (8, 9): -0.9}, 40)
    bins = filled(function, noise=1.0, exponent=6)
    code = bch_code(40, 4)
    decoded = peel(bins, proposals(code)[:1], degree=4)[0]
    scanned = peel(bins, proposals(code), degree=4)[0]
    assert (3, 17) not in found(decoded)
    assert found(scanned)[(3, 17)] == pytest.approx(0.1, abs=0.05)


def test_neighbours_reach_beyond_the_small():
    """A known support leads the scan to one with a feature more, of a size it does not list."""
    function = FourierTransform({(10, 20, 30): 1.0, (10, 20, 30, 40): 0.08}, 150)
    bins = filled(function, noise=0.5, exponent=5, degree=4)
    scan = Scanned(150, 4)
    first, _ = peel(bins, [Decoded(bch_code(150, 4), num_doubtful=8)], degree=4)
    assert found(first).keys() == {(10, 20, 30)}
    assert [10, 20, 30, 40] in scan(first).supports.tolist()


def test_all_small_supports_are_scanned():
    """Every support of one feature, of two and so on, once, in order, until they are too many."""
    listed = [tuple(row[row >= 0].tolist()) for part in _small_supports(7, 3) for row in part]
    expected = [s for size in (1, 2, 3) for s in combinations(range(7), size)]
    assert listed == expected
    assert [len(part) for part in _small_supports(1000, 5)] == [1000, 499_500]


def test_soft_decoding_finds_more_than_hard():
    """Turning doubtful parities recovers supports whose bins noise has spoilt for the hard code."""
    rng = np.random.default_rng(5)
    terms = {tuple(sorted(rng.choice(60, size=4, replace=False).tolist())): 1.0 for _ in range(12)}
    bins = filled(FourierTransform(terms, 60), noise=6.0, exponent=6)
    code = bch_code(60, 4)
    hard = peel(bins, [Decoded(code, num_doubtful=0)], degree=4)[0]
    soft = peel(bins, [Decoded(code, num_doubtful=8)], degree=4)[0]
    assert len(terms.keys() & found(soft).keys()) > len(terms.keys() & found(hard).keys())


def test_a_bin_is_decoded_again_only_when_it_changed():
    """The second call on the same residual has no bin to look at."""
    bins = filled(FourierTransform({(2,): 1.0, (5, 6): 0.8}, 30))
    nothing, _ = peel(bins, [], degree=4)
    decode = Decoded(bch_code(30, 4), num_doubtful=0)
    assert len(decode(nothing).supports)
    assert not len(decode(nothing).supports)


def test_what_is_left_after_a_transform_is_what_it_does_not_explain():
    """The bins after the true transform are empty, and after a part of it hold the rest."""
    terms = {(): 0.5, (2,): 1.0, (5, 6): 0.8}
    bins = filled(FourierTransform(terms, 30))
    residual, rounds = peel_bins(bins, [], degree=4)
    whole = residual.after(FourierTransform(terms, 30))
    np.testing.assert_allclose(whole.values, 0.0, atol=1e-12)
    part = account(residual.after(FourierTransform({(): 0.5, (2,): 1.0}, 30)), rounds)
    assert part.unresolved == 3
    assert part.residual_energy == pytest.approx(0.64 / 1.64)
