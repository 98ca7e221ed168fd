"""Sets of features against brute force over the whole cube, and the cases with a known answer."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.errors import UsageError
from spex_api.feature_sets import FeatureSetStatus, flip_set, removal_set, sufficient_set
from spex_api.testing import planted_transform
from spex_api.transforms import FourierTransform, MobiusTransform, fourier_to_mobius

OR = MobiusTransform({(): -0.5, (0,): 1.0, (1,): 1.0, (0, 1): -1.0}, 3)
"""−0.5, and 0.5 where feature 0 or feature 1 is kept; feature 2 is idle."""

AND = MobiusTransform({(): -0.5, (0, 1): 1.0}, 3)
"""−0.5, and 0.5 where the features 0 and 1 are both kept."""

seeds = st.integers(0, 10_000)


def cube(transform):
    """Every mask and its value; the first is the empty prompt and the last the full one."""
    masks = np.array(list(product((0, 1), repeat=transform.num_features)), dtype=np.uint8)
    return masks, transform(masks)


def planted(seed, degree=4):
    """A random function of 2 to 8 features; every third has integer values, and so ties."""
    num_features = 2 + seed % 7
    terms = planted_transform(num_features, num_features + 1, degree=degree, seed=seed)
    if seed % 3:
        return terms
    return FourierTransform({s: float(np.round(v)) for s, v in terms.items()}, num_features)


def value_without(transform, features):
    """The value when these are removed from the full prompt."""
    mask = np.ones((1, transform.num_features), dtype=np.uint8)
    mask[0, list(features)] = 0
    return float(transform(mask)[0])


def value_of(transform, features):
    """The value when these alone are kept."""
    mask = np.zeros((1, transform.num_features), dtype=np.uint8)
    mask[0, list(features)] = 1
    return float(transform(mask)[0])


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 5))
def test_a_removal_set_changes_the_most(seed, size):
    """Its change is the largest of all sets of that size, either way and each way, and proven."""
    transform = planted(seed)
    masks, values = cube(transform)
    changes = (values - values[-1])[masks.sum(axis=1) >= transform.num_features - size]
    for direction, most in [
        ("either", np.abs(changes).max()),
        ("up", changes.max()),
        ("down", -changes.min()),
    ]:
        found = removal_set(transform, size, direction=direction)
        assert found.proven
        assert len(found.features) <= size
        assert found.before == pytest.approx(values[-1])
        assert found.value == pytest.approx(value_without(transform, found.features))
        change = found.value - found.before
        moved = {"either": abs(change), "up": change, "down": -change}[direction]
        assert moved == pytest.approx(most, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(-3, 3))
def test_a_flip_set_is_the_smallest_and_of_those_the_furthest(seed, threshold):
    """No smaller removal crosses the threshold, and none of its size goes further beyond it."""
    transform = planted(seed)
    masks, values = cube(transform)
    beyond = (values - threshold) * (1 if values[-1] < threshold else -1)
    found = flip_set(transform, threshold=threshold)
    if abs(beyond[-1]) < 1e-4 or (np.abs(beyond) < 1e-4).any():
        return
    removed = (masks == 0).sum(axis=1)
    if not (beyond > 0).any():
        assert (found.features, found.value) == (None, None)
        assert (found.status, found.proven) == (FeatureSetStatus.NO_SET, True)
        return
    fewest = removed[beyond > 0].min()
    assert (len(found.features), found.proven) == (fewest, True)
    assert found.value == pytest.approx(value_without(transform, found.features))
    assert abs(found.value - threshold) == pytest.approx(beyond[removed == fewest].max())


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(-3, 3), st.sampled_from([0.3, 0.9, 1.0]))
def test_a_sufficient_set_is_the_smallest(seed, threshold, share):
    """No smaller set keeps the side of the threshold, and none keeps the share."""
    transform = planted(seed)
    masks, values = cube(transform)
    side = (values - threshold) * np.sign(values[-1] - threshold)
    found = sufficient_set(transform, threshold=threshold)
    if not (np.abs(side) < 1e-4).any():
        assert (len(found.features), found.proven) == (masks[side > 0].sum(axis=1).min(), True)
        assert found.value == pytest.approx(value_of(transform, found.features))
    span = values[-1] - values[0]
    kept = (values - values[0]) * (1 if span >= 0 else -1)
    found = sufficient_set(transform, share=share)
    enough = kept >= share * abs(span) - 1e-9
    if enough.sum() == (kept >= share * abs(span) - 1e-4).sum():
        assert (len(found.features), found.proven) == (masks[enough].sum(axis=1).min(), True)
        assert found.value == pytest.approx(value_of(transform, found.features))


def test_a_redundant_pair_flips_together_only():
    """Of `x0 or x1`, one removal does nothing; both turn the answer; either alone keeps it."""
    alone = removal_set(OR, 1)
    assert (alone.features, alone.value) == ((), 0.5)
    assert alone.status == FeatureSetStatus.NOTHING_MOVES
    assert removal_set(OR, 2).features == (0, 1)
    assert (flip_set(OR).features, flip_set(OR).value) == ((0, 1), -0.5)
    assert (sufficient_set(OR).features, sufficient_set(OR).value) == ((0,), 0.5)


def test_a_needed_pair_flips_alone_and_suffices_together():
    """Of `x0 and x1`, the first of two equal removals turns the answer; only both keep it."""
    assert (removal_set(AND, 1).features, removal_set(AND, 1).value) == ((0,), -0.5)
    assert removal_set(AND, 2).features == (0,)
    assert (flip_set(AND).features, flip_set(AND).value) == ((0,), -0.5)
    assert (sufficient_set(AND).features, sufficient_set(AND).value) == ((0, 1), 0.5)


def test_a_mobius_transform_is_its_fourier_transform():
    """The same function in another basis has the same sets."""
    transform = planted_transform(7, 10, degree=3, seed=1)
    mobius = fourier_to_mobius(transform)
    assert removal_set(mobius, 3).features == removal_set(transform, 3).features
    assert flip_set(mobius).features == flip_set(transform).features


def test_an_answer_that_nothing_turns():
    """Where every mask is on one side no set flips, and keeping nothing suffices."""
    transform = FourierTransform({(): 5.0, (0,): -1.0, (1, 2): 1.0}, 3)
    found = flip_set(transform)
    assert (found.features, found.value, found.proven) == (None, None, True)
    assert found.status == FeatureSetStatus.NO_SET
    assert sufficient_set(transform).features == ()


@pytest.mark.parametrize("terms", [{}, {(): -2.0}, {(): -2.0, (1,): 0.0}])
def test_a_constant_has_no_sets(terms):
    """Nothing moves a constant, nothing turns it, and keeping nothing keeps all of it."""
    transform = FourierTransform(terms, 3)
    found = removal_set(transform, 2)
    assert (found.features, found.status) == ((), FeatureSetStatus.NOTHING_MOVES)
    assert flip_set(transform, threshold=1.0).features is None
    assert sufficient_set(transform, threshold=1.0).features == ()
    assert sufficient_set(transform, share=0.9).features == ()


def test_more_room_than_features():
    """A size above the number of features is the best set of any size."""
    transform = planted_transform(5, 8, seed=3)
    assert removal_set(transform, 50) == removal_set(transform, 5)


def test_the_full_prompt_on_the_threshold():
    """A value on the threshold has no side, and the status says so."""
    transform = FourierTransform({(): 1.0, (0,): 1.0}, 2)
    for found in (flip_set(transform), sufficient_set(transform)):
        assert (found.features, found.status) == (None, FeatureSetStatus.ON_THRESHOLD)
    assert "threshold" in FeatureSetStatus.ON_THRESHOLD


def test_either_side_of_a_threshold():
    """For x0 + 2·x1 − 3·x2, the fewest removals that turn it up, and down, are as by hand."""
    transform = MobiusTransform({(0,): 1.0, (1,): 2.0, (2,): -3.0}, 3)
    assert flip_set(transform, threshold=1.0).features == (2,)
    assert flip_set(transform, threshold=-1.5).features == (1,)
    assert flip_set(transform, threshold=-2.5).features == (0, 1)
    assert sufficient_set(transform, threshold=-2.5).features == ()
    assert sufficient_set(transform, threshold=2.5).features == ()
    higher = MobiusTransform({(): -1.0, (0,): 1.5, (1,): 2.0, (2,): -1.0}, 3)
    assert sufficient_set(higher, threshold=0.25).features == (1,)
    assert sufficient_set(higher, threshold=1.25).features == (0, 1)


def test_a_negative_answer_is_kept_by_what_makes_it_negative():
    """Where f(1) is below the threshold, the features that push down suffice."""
    transform = MobiusTransform({(): 1.0, (0,): -3.0, (1,): 0.5}, 3)
    assert (sufficient_set(transform).features, sufficient_set(transform).value) == ((0,), -2.0)
    assert (flip_set(transform).features, flip_set(transform).value) == ((0,), 1.5)
    assert sufficient_set(transform, share=1.0).features == (0,)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_unit_does_not_matter(scale):
    """A score in other units has the same sets."""
    plain = planted_transform(8, 12, degree=4, seed=5)
    scaled = FourierTransform({s: scale * v for s, v in plain.items()}, 8)
    assert removal_set(scaled, 3).features == removal_set(plain, 3).features
    assert flip_set(scaled).features == flip_set(plain).features
    assert sufficient_set(scaled, share=0.8).features == sufficient_set(plain, share=0.8).features


def test_a_term_of_many_features():
    """A parity of twelve features, too many for a hull, turns at the removal of any one."""
    transform = FourierTransform({tuple(range(12)): 2.0, (0,): 0.25, (12,): -1.0}, 13)
    found = removal_set(transform, 3)
    assert (found.features, found.proven) == ((1, 12), True)
    assert found.value == pytest.approx(value_without(transform, (1, 12))) == -3.25


def test_features_that_no_term_touches_are_left_alone():
    """Numbers survive where the surrogate knows few of many features."""
    transform = MobiusTransform({(7,): 1.0, (90,): -3.0}, 100)
    assert removal_set(transform, 1).features == (90,)
    assert removal_set(transform, 5, direction="down").features == (7,)


def test_time_that_runs_out_is_told():
    """A search that is cut short still gives a set, says so, and does not call it proven."""
    transform = planted_transform(60, 900, degree=4, seed=0)
    found = removal_set(transform, 8, time_limit=1e-3)
    assert (found.status, found.proven) == (FeatureSetStatus.STOPPED, False)
    assert found.gap > 0
    assert 1 <= len(found.features) <= 8
    assert found.value == pytest.approx(value_without(transform, found.features))
    threshold = found.value + 0.1 * (found.value - found.before)
    flipped = flip_set(transform, threshold=threshold, time_limit=1e-3)
    assert not flipped.proven
    far = 0.999 * sum(abs(v) for v in transform.values())
    unknown = flip_set(transform, threshold=far, time_limit=1e-3)
    assert (unknown.features, unknown.status) == (None, FeatureSetStatus.NONE_FOUND)


def test_a_gap_that_is_allowed_is_told():
    """A set within the gap is not called the best one, unless it is proven to be."""
    found = removal_set(planted_transform(16, 120, degree=4, seed=0), 5, gap=50.0)
    assert found.status in {FeatureSetStatus.WITHIN_GAP, FeatureSetStatus.OPTIMAL}
    assert found.proven == (found.status == FeatureSetStatus.OPTIMAL)
    assert found.gap <= 50.0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda f: removal_set(f, 0),
        lambda f: removal_set(f, 2, direction="sideways"),
        lambda f: removal_set(f, 2, time_limit=0.0),
        lambda f: removal_set(f, 2, time_limit=float("nan")),
        lambda f: removal_set(f, 2, gap=-0.1),
        lambda f: flip_set(f, threshold=float("nan")),
        lambda f: flip_set(f, threshold=float("inf")),
        lambda f: flip_set(f, gap=float("nan")),
        lambda f: sufficient_set(f, threshold=float("nan")),
        lambda f: sufficient_set(f, share=0.0),
        lambda f: sufficient_set(f, share=1.1),
        lambda f: sufficient_set(f, share=float("nan")),
        lambda f: sufficient_set(f, share=0.9, threshold=1.0),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    """A size, time, gap, threshold or share out of its range is the caller's to mend."""
    with pytest.raises(UsageError):
        wrong(AND)
