"""Soft decoding against every pattern turned by hand."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

from spex_api.codes import chase as module
from spex_api.codes.bch import bch_code
from spex_api.codes.chase import Candidates, chase, signs


def as_row(support, size):
    return [*support, *[-1] * (size - len(support))]


def signs_of(code, support):
    """`(−1)^{parity_p}` from the matrix."""
    return 1 - 2 * (code.parity_check[:, list(support)].sum(axis=1).astype(int) % 2)


def noisy_words(code, *, count, noise, seed=0):
    """Signs of random supports times an amplitude, with Gaussian noise; and the supports."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, min(code.num_errors, code.num_features) + 1, size=count)
    supports = [
        tuple(sorted(rng.choice(code.num_features, size=size, replace=False).tolist()))
        for size in sizes
    ]
    clean = np.array([signs_of(code, support) for support in supports])
    return 1.5 * clean + noise * rng.standard_normal(clean.shape), supports


def by_brute_force(code, word, num_doubtful):
    """Turns every pattern of at most three doubtful parities and decodes each word by itself."""
    doubtful = np.argsort(np.abs(word), kind="stable")[:num_doubtful]
    found = set()
    for pattern in chain.from_iterable(combinations(doubtful, size) for size in range(4)):
        parities = word < 0
        parities[list(pattern)] ^= True
        for support in code.decode(parities[None]).supports:
            found.add(tuple(int(feature) for feature in support if feature >= 0))
    return {support: float(word @ signs_of(code, support)) for support in found}


def candidates_of(candidates, row):
    """A word's candidates in their order."""
    of_row = candidates.rows == row
    return [
        (tuple(int(feature) for feature in support if feature >= 0), float(correlation))
        for support, correlation in zip(
            candidates.supports[of_row], candidates.correlations[of_row], strict=True
        )
    ]


def assert_same(one, other):
    for ours, theirs in zip(
        (one.rows, one.supports, one.correlations),
        (other.rows, other.supports, other.correlations),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("num_features", [5, 20])
def test_signs_are_parities_of_features(num_features):
    """`(−1)^{parity}` for supports of every size, the empty one included."""
    code = bch_code(num_features, 3)
    supports = [(), (0,), (num_features - 1,), (0, 2), (1, 2, 4)]
    rows = np.array([as_row(support, 3) for support in supports])
    found = signs(code, rows)
    np.testing.assert_array_equal(found, [signs_of(code, support) for support in supports])
    assert found.dtype == np.float64
    assert signs(code, rows[:0]).shape == (0, code.num_parities)


@pytest.mark.parametrize(
    ("num_features", "num_errors", "num_doubtful", "noise"),
    [
        (4, 1, 3, 1.0),
        (7, 2, 4, 1.0),
        (7, 2, 1, 1.5),
        (7, 2, 0, 1.0),
        (5, 3, 6, 2.0),
        (16, 3, 15, 1.0),
    ],
)
def test_candidates_are_those_of_every_pattern(num_features, num_errors, num_doubtful, noise):
    """The same supports as by hand, each once, with their correlations, the likeliest first."""
    code = bch_code(num_features, num_errors)
    words, _ = noisy_words(code, count=15, noise=noise)
    found = chase(code, words, num_doubtful=num_doubtful)
    best = found.likeliest()
    assert (np.diff(found.rows) >= 0).all()
    several = 0
    for row, word in enumerate(words):
        expected = by_brute_force(code, word, num_doubtful)
        ours = candidates_of(found, row)
        assert len(ours) == len(expected)
        assert dict(ours) == pytest.approx(expected)
        correlations = [correlation for _, correlation in ours]
        assert correlations == sorted(correlations, reverse=True)
        assert candidates_of(best, row) == ours[:1]
        several += len(ours) > 1
    assert several > 5 or num_doubtful < 2


def test_the_likeliest_support_is_found_through_noise():
    """Soft decoding finds far more than hard decoding, and nothing less likely than the truth."""
    code = bch_code(36, 5)
    words, supports = noisy_words(code, count=60, noise=1.2)
    hard = chase(code, words, num_doubtful=0).likeliest()
    soft = chase(code, words, num_doubtful=10).likeliest()

    def num_right(found):
        return sum(
            [decoded for decoded, _ in candidates_of(found, row)] == [support]
            for row, support in enumerate(supports)
        )

    assert num_right(hard) < 30
    assert num_right(soft) > num_right(hard) + 10
    truth = np.array([word @ signs_of(code, s) for word, s in zip(words, supports, strict=True)])
    found = {row: candidates_of(soft, row)[0] for row in soft.rows.tolist()}
    less_likely = [row for row, (_, likelihood) in found.items() if likelihood < truth[row] - 1e-9]
    assert len(less_likely) <= 3


def test_without_noise_the_first_candidate_is_the_support():
    """Its correlation is the sum of magnitudes, which no other support reaches."""
    code = bch_code(20, 3)
    words, supports = noisy_words(code, count=20, noise=0.0)
    best = chase(code, words, num_doubtful=6).likeliest()
    np.testing.assert_array_equal(best.rows, np.arange(20))
    np.testing.assert_array_equal(best.supports, [as_row(support, 3) for support in supports])
    np.testing.assert_allclose(best.correlations, 1.5 * code.num_parities)


def test_the_likeliest_is_not_the_one_with_fewest_errors():
    """One sure parity against two doubtful ones: the doubtful ones were turned.

    The signs as they stand decode, with a single turned parity, to the empty support; but that
    parity is the surest of all. With the doubtful parity turned, a feature explains the sure ones.
    """
    code = bch_code(4, 1)
    feature = next(i for i in range(4) if signs_of(code, (i,)).tolist() == [-1, -1, 1])
    word = np.array([[-10.0, 0.1, 5.0]])
    hard = code.decode(word < 0)
    assert hard.supports.tolist() == [[-1]]
    assert hard.num_turned.tolist() == [1]
    best = chase(code, word, num_doubtful=1).likeliest()
    assert best.supports.tolist() == [[feature]]
    assert best.correlations.tolist() == pytest.approx([14.9])


def test_equal_candidates_come_in_the_order_of_supports():
    """Two parities that say nothing leave the empty support and a feature: the former is taken."""
    code = bch_code(4, 1)
    feature = next(i for i in range(4) if signs_of(code, (i,)).tolist() == [-1, -1, 1])
    found = chase(code, np.array([[0.0, 0.0, 5.0]]), num_doubtful=2)
    assert candidates_of(found, 0) == [((), 5.0), ((feature,), 5.0)]
    assert found.likeliest().supports.tolist() == [[-1]]


def test_a_parity_of_zero_counts_as_even():
    """Where nothing is turned, a parity that says nothing is read as 0."""
    found = chase(bch_code(4, 1), np.array([[0.0, 0.0, 5.0]]), num_doubtful=0)
    assert candidates_of(found, 0) == [((), 5.0)]


def test_the_likeliest_of_any_order():
    """One a word, the highest correlation, wherever it stands; a word without one is left out."""
    found = Candidates(
        rows=np.array([0, 0, 0, 2, 2]),
        supports=np.array([[1, -1], [2, 3], [4, -1], [5, 6], [7, -1]]),
        correlations=np.array([-3.0, 1.0, -2.0, -1.0, -4.0]),
    )
    best = found.likeliest()
    assert best.rows.tolist() == [0, 2]
    assert best.supports.tolist() == [[2, 3], [5, 6]]
    assert best.correlations.tolist() == [1.0, -1.0]


def test_equal_doubts_are_turned_in_the_order_of_parities():
    """Where all parities are equally sure, the first ones count as the least reliable."""
    code = bch_code(7, 2)
    words = np.sign(noisy_words(code, count=30, noise=1.5)[0])
    found = chase(code, words, num_doubtful=2)
    for row, word in enumerate(words):
        assert {support for support, _ in candidates_of(found, row)} == set(
            by_brute_force(code, word, 2)
        )


def test_more_doubt_than_parities_is_doubt_of_all():
    """The number of doubtful parities is cut to those there are."""
    code = bch_code(4, 1)
    words, _ = noisy_words(code, count=10, noise=2.0)
    assert_same(chase(code, words, num_doubtful=9), chase(code, words, num_doubtful=3))


def test_words_that_nothing_decodes_are_left_out():
    """A word without a candidate has no row, the others keep theirs; all may be such words."""
    code = bch_code(5, 3)
    bits = np.arange(2**code.num_parities)[:, None] >> np.arange(code.num_parities) & 1
    words = 1.0 - 2.0 * bits
    hard = code.decode(bits)
    found = chase(code, words, num_doubtful=0)
    np.testing.assert_array_equal(found.rows, hard.rows)
    np.testing.assert_array_equal(found.supports, hard.supports)
    lost = np.setdiff1d(np.arange(len(words)), hard.rows)
    assert len(lost) > 100
    nothing = chase(code, words[lost], num_doubtful=0)
    assert nothing.supports.shape == (0, 3)
    assert nothing.likeliest().supports.shape == (0, 3)


def test_an_empty_batch_stays_empty():
    """No words have no candidates, and the shapes are the documented ones."""
    code = bch_code(5, 2)
    found = chase(code, np.zeros((0, code.num_parities)), num_doubtful=4)
    assert found.rows.shape == found.correlations.shape == (0,)
    assert found.supports.shape == (0, 2)
    assert found.likeliest().rows.shape == (0,)


@pytest.mark.parametrize("at_once", [1, 29, 30, 50, 150])
def test_memory_does_not_change_candidates(at_once, monkeypatch):
    """A word at a time, two or more at a time, the same candidates come out."""
    code = bch_code(7, 2)
    words, _ = noisy_words(code, count=20, noise=1.5)
    expected = chase(code, words, num_doubtful=4)
    monkeypatch.setattr(module, "_WORDS_AT_ONCE", at_once)
    widest = 0

    def watched(code, received, patterns):
        nonlocal widest
        widest = max(widest, len(received))
        return decode(code, received, patterns)

    decode = module._decoded
    monkeypatch.setattr(module, "_decoded", watched)
    assert_same(chase(code, words, num_doubtful=4), expected)
    assert widest == max(1, at_once // 15)
