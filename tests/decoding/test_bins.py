"""Bins against their definition, and what a missing mask does to them."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.codes import gf2
from spex_api.decoding.bins import Hashes, coded_rows
from spex_api.decoding.bins import fill_bins as fill
from spex_api.samples import Samples
from spex_api.sampling.aliased import aliased_plan, coded_masks
from spex_api.testing import planted_transform


def fill_bins(samples, aliasing):
    return fill(samples, aliasing, coded_rows(samples, aliasing))


def padded(supports, size):
    rows = np.full((len(supports), size), -1, dtype=np.intp)
    for row, support in zip(rows, supports, strict=True):
        row[: len(support)] = support
    return rows


@pytest.fixture(scope="module", name="plan")
def coded_plan():
    return aliased_plan(12, None, sparsity_exponent=3, degree=3, seed=4)


def test_a_bin_is_its_definition(plan):
    """`U_{c,p}(j) = 2^−b Σ_l f(M_c l + d_p) (−1)^⟨l,j⟩`, summed term by term."""
    function = planted_transform(12, 15, degree=3, seed=1)
    bins = fill_bins(Samples.from_plan(plan, function(plan.masks)), plan.aliasing)
    masks = gf2.unpack(coded_masks(plan.aliasing), 12)
    for group, delay, place in [(0, 0, 0), (1, 3, 5), (2, 1, 7), (0, 9, 4)]:
        values = function(masks[group, delay])
        signs = [(-1.0) ** (point & place).bit_count() for point in range(8)]
        expected = np.mean(values * signs)
        assert bins.values[group * 8 + place, delay] == pytest.approx(expected, abs=1e-12)


def test_a_support_stands_in_its_bins_with_its_signs(plan):
    """The bins of a function are the sum over its supports of coefficient times signs."""
    function = planted_transform(12, 15, degree=3, seed=2)
    bins = fill_bins(Samples.from_plan(plan, function(plan.masks)), plan.aliasing)
    supports = padded(list(function), 3)
    expected = np.zeros_like(bins.values)
    parts = np.array(list(function.values()))[:, None] * bins.hashes.signs(supports)
    for places in bins.hashes.bins(supports).T:
        np.add.at(expected, places, parts)
    np.testing.assert_allclose(bins.values, expected, atol=1e-12)


def test_the_order_of_the_samples_decides_nothing(plan):
    """Shuffled samples with others among them fill the same bins."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal(len(plan))
    samples = Samples.from_plan(plan, values)
    others = Samples.from_arrays(1 - plan.masks[:9], rng.standard_normal(9))
    mixed = Samples(
        np.concatenate([others.masks, plan.masks]),
        np.concatenate([others.values, values]),
        aliasing=plan.aliasing,
    ).take(rng.permutation(len(plan) + 9))
    one, other = fill_bins(samples, plan.aliasing), fill_bins(mixed, plan.aliasing)
    distinct = {mask.tobytes() for mask in others.masks} & {m.tobytes() for m in plan.masks}
    if not distinct:
        np.testing.assert_array_equal(one.values, other.values)


def test_missing_masks_are_counted(plan):
    """A coded mask that a delay asks in every group is missing in each of them."""
    samples = Samples.from_plan(plan, np.ones(len(plan)))
    empty = ~samples.masks.any(axis=1)
    rows = coded_rows(samples.take(~empty), plan.aliasing)
    np.testing.assert_array_equal(np.argwhere(rows < 0), [[0, 0, 0], [1, 0, 0], [2, 0, 0]])
    assert fill_bins(samples, plan.aliasing).values.shape == (24, len(plan.aliasing.delays))


def test_known_variances_become_noise(plan):
    """An entry is a mean of 2^b values: its variance is theirs over 2^b."""
    samples = Samples.from_plan(plan, np.arange(len(plan)), np.full(len(plan), 0.4))
    assert fill_bins(samples, plan.aliasing).noise == pytest.approx(0.4 / 8)


def test_hashes_are_linear(plan):
    """The bin of a symmetric difference is the XOR of the bins, its signs the product."""
    hashes = Hashes.of(plan.aliasing)
    one, other, both = padded([(1, 5), (5, 7, 11), (1, 7, 11)], 3)[:, None]
    within = hashes.bins(one) % 8 ^ hashes.bins(other) % 8
    np.testing.assert_array_equal(within, hashes.bins(both) % 8)
    np.testing.assert_array_equal(hashes.signs(one) * hashes.signs(other), hashes.signs(both))
