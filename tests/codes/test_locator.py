"""Error locators against every error pattern there is."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

from spex_api.codes import locator
from spex_api.codes.gf2m import field_of_order
from spex_api.codes.locator import locators, roots


def syndromes_of(field, patterns, num_errors):
    """`S_l = Σ_e α^{l e}` for l = 1, 3, …, from its definition."""
    found = np.zeros((len(patterns), num_errors), dtype=np.int32)
    for row, pattern in enumerate(patterns):
        for place in range(num_errors):
            for position in pattern:
                found[row, place] ^= field.power(np.array([(2 * place + 1) * position]))[0]
    return found


def patterns_up_to(length, num_errors):
    return list(
        chain.from_iterable(combinations(range(length), size) for size in range(num_errors + 1))
    )


def random_patterns(length, num_errors, *, count, seed=0):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, num_errors + 1, size=count)
    return [tuple(sorted(rng.choice(length, size=size, replace=False).tolist())) for size in sizes]


def decode(field, syndromes, length):
    """Each decoded word's positions, by its row."""
    rows, positions = roots(field, *locators(field, syndromes), length=length)
    assert (np.diff(rows) > 0).all()
    return {
        int(row): tuple(int(place) for place in places if place >= 0)
        for row, places in zip(rows, positions, strict=True)
    }


def evaluate_everywhere(field, polynomials):
    """How many elements besides zero each polynomial vanishes at, by Horner's rule."""
    count = np.zeros(polynomials.shape[1], dtype=int)
    for element in range(1, field.order + 1):
        value = np.zeros(polynomials.shape[1], dtype=np.int32)
        for coefficients in polynomials[::-1]:
            value = field.multiply(value, np.int32(element)) ^ coefficients
        count += value == 0
    return count


@pytest.mark.parametrize(
    ("exponent", "num_errors"), [(2, 1), (3, 1), (4, 1), (3, 2), (4, 2), (5, 2), (4, 3)]
)
def test_every_syndrome_there_is(exponent, num_errors):
    """Of all syndromes, exactly those of at most t errors are decoded, and to those errors."""
    field = field_of_order(exponent)
    patterns = patterns_up_to(field.order, num_errors)
    known = syndromes_of(field, patterns, num_errors)
    expected = {tuple(row): pattern for row, pattern in zip(known.tolist(), patterns, strict=True)}
    grid = np.meshgrid(*[np.arange(field.order + 1)] * num_errors, indexing="ij")
    every = np.column_stack([axis.ravel() for axis in grid]).astype(np.int32)
    found = decode(field, every, field.order)
    assert {tuple(every[row].tolist()): pattern for row, pattern in found.items()} == expected


@pytest.mark.parametrize(("exponent", "num_errors"), [(4, 3), (5, 4), (6, 5), (6, 6), (8, 6)])
def test_locators_are_products(exponent, num_errors):
    """The polynomial is `Π (1 − α^e x)`, and claims as many errors as there are."""
    field = field_of_order(exponent)
    patterns = random_patterns(field.order, num_errors, count=60)
    found, claimed = locators(field, syndromes_of(field, patterns, num_errors))
    assert found.shape == (num_errors + 1, 60)
    np.testing.assert_array_equal(claimed, [len(pattern) for pattern in patterns])
    for column, pattern in zip(found.T, patterns, strict=True):
        product = np.zeros(num_errors + 1, dtype=np.int32)
        product[0] = 1
        for position in pattern:
            product[1:] ^= field.multiply(product[:-1], field.power(np.array([position])))
        np.testing.assert_array_equal(column, product)


@pytest.mark.parametrize("num_errors", range(1, 7))
def test_a_batch_of_every_size_decodes(num_errors):
    """No error, one, … up to t, mixed in one batch, each in its row."""
    field = field_of_order(7)
    patterns = random_patterns(field.order, num_errors, count=100, seed=num_errors)
    found = decode(field, syndromes_of(field, patterns, num_errors), field.order)
    assert found == dict(enumerate(patterns))


@pytest.mark.parametrize("num_errors", [2, 3, 4, 5, 6])
def test_too_many_errors_are_left_out_or_taken_for_fewer(num_errors):
    """Whatever is decoded has at most t errors and the very syndromes; most words are not."""
    field = field_of_order(6)
    rng = np.random.default_rng(num_errors)
    syndromes = rng.integers(0, field.order + 1, (300, num_errors)).astype(np.int32)
    found = decode(field, syndromes, field.order)
    rows = sorted(found)
    patterns = [found[row] for row in rows]
    np.testing.assert_array_equal(syndromes_of(field, patterns, num_errors), syndromes[rows])
    assert max(map(len, patterns), default=0) <= num_errors
    assert len(found) < 200


def test_positions_beyond_the_length_are_not_looked_at():
    """The last position within the length is found; a word with one beyond is left out."""
    field = field_of_order(5)
    patterns = [(19,), (20,), (), (3, 19), (3, 20), (0, 30), (0, 1)]
    found = decode(field, syndromes_of(field, patterns, 3), 20)
    assert found == {0: (19,), 2: (), 3: (3, 19), 6: (0, 1)}


def test_positions_fill_up_with_minus_one():
    """Shapes and types are the documented ones, positions stand first and ascend."""
    field = field_of_order(4)
    polynomials, claimed = locators(field, syndromes_of(field, [(7, 2), ()], 3))
    rows, positions = roots(field, polynomials, claimed, length=15)
    np.testing.assert_array_equal(rows, [0, 1])
    np.testing.assert_array_equal(positions, [[2, 7, -1], [-1, -1, -1]])
    assert positions.dtype == rows.dtype == np.intp


def test_an_empty_batch_stays_empty():
    """No words have no polynomials and no roots, and the shapes say how many errors t is."""
    field = field_of_order(4)
    polynomials, claimed = locators(field, np.zeros((0, 3), dtype=np.int32))
    assert polynomials.shape == (4, 0)
    rows, positions = roots(field, polynomials, claimed, length=15)
    assert rows.shape == (0,)
    assert positions.shape == (0, 3)


@pytest.mark.parametrize("cells", [1, 14, 31, 45, 100])
def test_memory_does_not_change_roots(cells, monkeypatch):
    """A word at a time, two, three or six at a time, the same words come out in the same order."""
    field = field_of_order(4)
    syndromes = syndromes_of(field, random_patterns(15, 3, count=40), 3)
    expected = roots(field, *locators(field, syndromes), length=15)
    monkeypatch.setattr(locator, "_CELLS", cells)
    widest = 0

    def watched(field, polynomials, length):
        nonlocal widest
        widest = max(widest, polynomials.shape[1])
        return evaluate(field, polynomials, length)

    evaluate = locator._is_root
    monkeypatch.setattr(locator, "_is_root", watched)
    for ours, alike in zip(
        roots(field, *locators(field, syndromes), length=15), expected, strict=True
    ):
        np.testing.assert_array_equal(ours, alike)
    assert widest == max(1, cells // 15)


@pytest.mark.parametrize("degree", range(7))
def test_polynomials_that_split_are_told_from_others(degree):
    """Exactly those with as many distinct roots, zero not counted, as their degree."""
    field = field_of_order(4)
    rng = np.random.default_rng(degree)
    polynomials = rng.integers(0, field.order + 1, (degree + 1, 2500)).astype(np.int32)
    # Some are products, so that many split; of these some have a root twice.
    for column in range(1000):
        product = np.eye(1, degree + 1, dtype=np.int32)[0]
        for position in rng.integers(0, field.order, size=degree):
            product[1:] ^= field.multiply(product[:-1], field.power(np.array([position])))
        polynomials[:, column] = product
    polynomials[0] = 1
    split = locator._splits(field, polynomials)
    np.testing.assert_array_equal(split, evaluate_everywhere(field, polynomials) == degree)
    assert split.any()
