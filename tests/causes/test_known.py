"""What a search knows: checked, joined, and parted by how much is missing."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.causes.known import Known, lacking, most_removed
from spex_api.claims import UNCHANGED, Arrangement
from spex_api.errors import UsageError


def test_known_answers_are_zeros_and_ones_a_row_each():
    """Anything else is told what is wrong with it; what is kept cannot be changed."""
    with pytest.raises(UsageError, match="Known holds are 0 or 1"):
        Known(np.ones((2, 3)), np.array([1, np.nan]))
    with pytest.raises(UsageError, match=r"shape \(2, 3\) do not go with outcomes of shape \(3,\)"):
        Known(np.ones((2, 3)), np.ones(3))
    known = Known(np.ones((2, 3)), np.array([True, False]))
    assert known.holds.tolist() == [1, 0]
    with pytest.raises(ValueError, match="read-only"):
        known.masks[0, 0] = 0


def test_answers_that_serve_a_mask_are_joined():
    """Not those that cannot be told, nor those where something was moved."""
    told = [
        (Arrangement((1,)), False),
        (UNCHANGED, None),
        (Arrangement(moved=((0, 2),)), True),
        (UNCHANGED, True),
    ]
    known = Known.nothing(3).joined(told).joined([])
    assert known.masks.tolist() == [[1, 0, 1], [1, 1, 1]]
    assert known.holds.tolist() == [0, 1]
    assert (len(known), known.num_features) == (2, 3)


def test_what_is_near_the_full_prompt_is_parted_from_the_rest():
    """With its outcomes."""
    masks = lacking([(), tuple(range(6)), tuple(range(7))], 20)
    near, far = Known(masks, np.array([1, 0, 1])).parted()
    assert near.holds.tolist() == [1, 0]
    assert far.masks.tolist() == [[0] * 7 + [1] * 13]


@pytest.mark.parametrize(("num_features", "most"), [(3, 4), (12, 4), (20, 6), (60, 18)])
def test_near_the_full_prompt_most_is_there(num_features, most):
    """Three features in ten may be missing, or four."""
    assert most_removed(num_features) == most
