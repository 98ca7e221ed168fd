"""Where it is looked whether a rule is a piece of a larger one."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.causes.contexts import dealt, turning_points
from spex_api.causes.kinds import subsets
from spex_api.causes.known import most_removed


@pytest.mark.parametrize(
    ("holds", "points"),
    [
        (lambda i, j: i and j, [()]),
        (lambda i, j: i or j, [(), (1,)]),
        (lambda i, j: not (i and not j), [()]),
    ],
)
def test_a_rule_turns_at_few_removals(holds, points):
    """Where nothing is removed, and at the most that it bears."""
    rule = {removed: bool(holds(1 not in removed, 4 not in removed)) for removed in subsets((1, 4))}
    assert turning_points(rule) == points


@pytest.mark.parametrize("num_features", [2, 3, 5, 20, 61])
def test_each_other_feature_is_missing_once(num_features):
    """In one group of each removal; the features of the set are only where they are removed."""
    dealt_out = list(dealt([(), (1,)], (0, 1), num_features, np.random.default_rng(0)))
    for removal in ((), (1,)):
        masks = np.array([mask for removed, mask in dealt_out if removed == removal])
        masks = masks.reshape(-1, num_features)
        assert len(masks) in (min(4, num_features - 2), 5)
        assert ((1 - masks[:, 2:]).sum(axis=0) == 1).all()
        assert masks[:, 0].all()
        assert (masks[:, 1] == (not removal)).all()
        assert ((1 - masks).sum(axis=1) <= most_removed(num_features)).all()
