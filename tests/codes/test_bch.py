"""BCH codes against tables, against galois, and against every word within reach."""

from __future__ import annotations

from functools import cache
from itertools import chain, combinations

import galois
import numpy as np
import pytest

from spex_api.codes.bch import bch_code
from spex_api.errors import UsageError

# (length, message, t): Lin and Costello 2004, table 6.1.
TABLE = [
    (3, 1, 1), (7, 4, 1), (15, 11, 1), (15, 7, 2), (15, 5, 3), (31, 26, 1), (31, 21, 2),
    (31, 16, 3), (31, 11, 5), (63, 57, 1), (63, 51, 2), (63, 45, 3), (63, 39, 4), (63, 36, 5),
    (63, 30, 6), (127, 120, 1), (127, 113, 2), (127, 106, 3), (127, 99, 4), (127, 92, 5),
    (127, 85, 6), (255, 247, 1), (255, 231, 3), (255, 215, 5), (255, 207, 6), (511, 466, 5),
    (1023, 973, 5), (1023, 963, 6),
]  # fmt: skip


@cache
def oracle(exponent: int, num_errors: int):
    """The code by galois: the same field, the same designed distance, uncompiled."""
    field = galois.GF(
        2**exponent,
        irreducible_poly=galois.matlab_primitive_poly(2, exponent),
        compile="python-calculate",
    )
    code = galois.BCH(2**exponent - 1, d=2 * num_errors + 1, extension_field=field)
    assert code.t == num_errors
    return code


def words_within(length, num_errors):
    """Every set of at most so many positions."""
    return chain.from_iterable(combinations(range(length), size) for size in range(num_errors + 1))


def split(code, errors):
    """The parities of a word with these errors, and what decoding has to say of it."""
    support = tuple(e - code.num_parities for e in errors if e >= code.num_parities)
    turned = [e for e in errors if e < code.num_parities]
    parities = code.parity_check[:, list(support)].sum(axis=1) % 2
    parities[turned] ^= 1
    return parities, (support, len(turned))


def decoded(words):
    """Each decoded word's support and number of turned parities, by its row."""
    assert (np.diff(words.rows) > 0).all()
    return {
        int(row): (tuple(int(feature) for feature in support if feature >= 0), int(turned))
        for row, support, turned in zip(words.rows, words.supports, words.num_turned, strict=True)
    }


def planted(code, *, count, seed):
    """Words at every distance from 0 to t, and what they decode to."""
    rng = np.random.default_rng(seed)
    length = code.num_parities + code.num_features
    sizes = rng.integers(0, min(code.num_errors, length) + 1, size=count)
    chosen = [np.sort(rng.choice(length, size=size, replace=False)).tolist() for size in sizes]
    parities, answers = zip(*(split(code, errors) for errors in chosen), strict=True)
    return np.array(parities), dict(enumerate(answers))


@pytest.mark.parametrize(("length", "message", "num_errors"), TABLE)
def test_a_code_is_the_tables_and_the_shortest(length, message, num_errors):
    """As many features as the message fit; one more takes the next field."""
    code = bch_code(message, num_errors)
    assert (code.num_features, code.num_errors) == (message, num_errors)
    assert code.num_parities == length - message
    assert code.field.order == length
    assert bch_code(message + 1, num_errors).field.order > length
    assert bch_code(message, num_errors) is code


@pytest.mark.parametrize(("num_errors", "length"), [(1, 3), (2, 7), (3, 7), (4, 15), (6, 15)])
def test_a_single_feature_has_the_smallest_field(num_errors, length):
    """The field has room for 2t + 1 positions, and no more than that takes."""
    assert bch_code(1, num_errors).field.order == length


@pytest.mark.parametrize(
    ("exponent", "num_errors"), [(5, 1), (5, 2), (5, 3), (5, 5), (6, 4), (6, 6)]
)
def test_parities_are_galois_systematic_generator(exponent, num_errors):
    """The generator polynomial and the parities of every feature, at full length and shortened.

    galois writes the highest power first: message first, then parities.
    """
    theirs = oracle(exponent, num_errors)
    expected = np.array(theirs.G)[::-1, ::-1].T[: theirs.n - theirs.k]
    for num_features in (theirs.k, theirs.k - 1):
        code = bch_code(num_features, num_errors)
        assert list(code.generator) == np.array(theirs.generator_poly.coeffs)[::-1].tolist()
        np.testing.assert_array_equal(code.parity_check, expected[:, :num_features])


@pytest.mark.parametrize(
    ("num_features", "num_errors"),
    [(1, 1), (4, 1), (6, 1), (2, 2), (7, 2), (12, 2), (4, 3), (5, 3), (1, 4), (1, 6)],
)
def test_every_word_within_t_errors_decodes(num_features, num_errors):
    """Every set of features and turned parities, at most t together, is found with its count."""
    code = bch_code(num_features, num_errors)
    every = words_within(code.num_parities + num_features, num_errors)
    parities, answers = zip(*(split(code, errors) for errors in every), strict=True)
    assert decoded(code.decode(np.array(parities))) == dict(enumerate(answers))


@pytest.mark.parametrize(("num_features", "num_errors"), [(4, 1), (3, 1), (7, 2), (4, 2), (5, 3)])
def test_every_word_beyond_t_errors_is_left_out(num_features, num_errors):
    """Of all words of parities, only those decode that some set of at most t errors explains."""
    code = bch_code(num_features, num_errors)
    bits = np.arange(2**code.num_parities)[:, None] >> np.arange(code.num_parities) & 1
    within = words_within(code.num_parities + num_features, num_errors)
    reached = {tuple(parities): answer for parities, answer in (split(code, e) for e in within)}
    found = decoded(code.decode(bits))
    assert {tuple(bits[row]): answer for row, answer in found.items()} == reached


@pytest.mark.parametrize(
    ("num_features", "num_errors"),
    [(11, 5), (30, 6), (36, 5), (64, 4), (256, 5), (256, 6), (1000, 3), (1000, 5)],
)
def test_planted_words_decode(num_features, num_errors):
    """Features and turned parities at random, up to t, in codes of every size."""
    code = bch_code(num_features, num_errors)
    parities, answers = planted(code, count=150, seed=num_features)
    assert decoded(code.decode(parities)) == answers


@pytest.mark.parametrize(("exponent", "num_errors"), [(5, 2), (5, 3), (5, 5), (6, 4), (6, 6)])
def test_random_words_agree_with_galois(exponent, num_errors):
    """The same words decode, to the same features; some lie a little beyond t, most far."""
    theirs = oracle(exponent, num_errors)
    code = bch_code(theirs.k, num_errors)
    rng = np.random.default_rng(exponent)
    near, _ = planted(code, count=40, seed=1)
    near[:20, rng.choice(code.num_parities, size=2, replace=False)] ^= 1
    parities = np.concatenate([near, rng.integers(0, 2, (60, code.num_parities), dtype=np.uint8)])
    words = np.zeros((len(parities), theirs.n), dtype=np.uint8)
    words[:, theirs.k :] = parities[:, ::-1]
    corrected, num_errors_found = theirs.decode(galois.GF2(words), output="codeword", errors=True)
    expected = {}
    for row in np.flatnonzero(np.array(num_errors_found) >= 0).tolist():
        support = tuple(np.flatnonzero(np.array(corrected[row])[: theirs.k][::-1]).tolist())
        expected[row] = (support, int(num_errors_found[row]) - len(support))
    assert decoded(code.decode(parities)) == expected
    assert 20 <= len(expected) < 100


@pytest.mark.parametrize(("num_features", "num_errors"), [(11, 3), (5, 2)])
def test_errors_where_the_code_was_cut_off_are_left_out(num_features, num_errors):
    """The last feature decodes; a position behind it belongs to nobody."""
    code = bch_code(num_features, num_errors)
    length = code.num_parities + num_features
    positions = np.arange(code.field.order)
    odd = 1 + 2 * np.arange(num_errors)
    found = decoded(code.decode_syndromes(code.field.power(positions[:, None] * odd)))
    assert sorted(found) == list(range(length))
    assert found[length - 1] == ((num_features - 1,), 0)
    assert found[code.num_parities] == ((0,), 0)
    assert found[code.num_parities - 1] == ((), 1)


def test_syndromes_are_their_definition():
    """`S_l = Σ_p r_p α^{lp}`, term by term, from numbers and from bool alike."""
    code = bch_code(20, 3)
    parities = np.random.default_rng(0).integers(0, 2, (5, code.num_parities))
    expected = np.zeros((5, 3), dtype=np.int32)
    for row, place in zip(*np.nonzero(parities), strict=True):
        expected[row] ^= code.field.power(np.array([1, 3, 5]) * place)
    np.testing.assert_array_equal(code.syndromes(parities), expected)
    np.testing.assert_array_equal(code.syndromes(parities == 1), expected)
    with pytest.raises(ValueError, match="zip"):
        code.syndromes(parities[:, 1:])


def test_supports_ascend_and_fill_up_with_minus_one():
    """Shapes and types are the documented ones; an empty batch keeps them."""
    code = bch_code(20, 3)
    parities = np.array([split(code, [code.num_parities + 17, code.num_parities + 2, 4])[0]])
    words = code.decode(parities)
    np.testing.assert_array_equal(words.supports, [[2, 17, -1]])
    np.testing.assert_array_equal(words.num_turned, [1])
    nothing = code.decode(parities[:0])
    assert nothing.supports.shape == (0, 3)
    assert nothing.rows.shape == nothing.num_turned.shape == (0,)
    assert nothing.supports.dtype == words.supports.dtype == np.intp


def test_a_codes_arrays_are_read_only():
    """A code is made once for everybody, so nobody may change it."""
    code = bch_code(20, 3)
    assert code.parity_check is code.parity_check
    with pytest.raises(ValueError, match="read-only"):
        code.parity_check[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        code.parity_syndromes[0, 0] = 1


@pytest.mark.parametrize(("num_features", "num_errors"), [(0, 1), (-3, 2), (5, 0), (5, 7)])
def test_numbers_without_a_code_are_refused(num_features, num_errors):
    """No feature, or a degree outside 1 to 6, named with its value."""
    with pytest.raises(UsageError, match=f"not {num_features} and {num_errors}"):
        bch_code(num_features, num_errors)


def test_more_features_than_the_largest_field_serves_are_refused():
    """GF(2^14) has room for `2^14 − 1 − P` features, and not for one more."""
    assert bch_code(2**14 - 15, 1).field.exponent == 14
    with pytest.raises(UsageError, match="16370 features"):
        bch_code(2**14 - 14, 1)
