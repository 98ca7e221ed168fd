"""Our indices against those that shapiq computes from the same Möbius transform."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapiq import InteractionValues
from shapiq.game_theory.moebius_converter import MoebiusConverter

from spex_api.index_weights import INDICES
from spex_api.indices import interactions
from spex_api.transforms import MobiusTransform, mobius_to_fourier

# Its converter has no BII in version 1.4.1, but in 1.8.0; what it calls SII is not k-SII.
SHARED = sorted(set(INDICES) & set(MoebiusConverter.valid_indices))


def planted(seed):
    """A random sparse Möbius transform of up to 12 features and degree 6."""
    rng = np.random.default_rng(seed)
    num_features = int(rng.integers(6, 13))
    terms = {(): float(rng.standard_normal())}
    for size in rng.integers(1, 7, size=20).tolist():
        chosen = rng.choice(num_features, size=size, replace=False).tolist()
        terms[tuple(sorted(chosen))] = float(rng.standard_normal())
    return MobiusTransform(terms, num_features)


def as_theirs(mobius):
    """The transform in shapiq's type, the empty set's value also as its baseline."""
    return InteractionValues(
        np.array(list(mobius.values())),
        index="Moebius",
        min_order=0,
        max_order=mobius.num_features,
        n_players=mobius.num_features,
        interaction_lookup={support: place for place, support in enumerate(mobius)},
        baseline_value=mobius[()],
    )


def test_all_their_indices_are_compared():
    """Every version of shapiq knows at least these, so that none is left out unseen."""
    assert {"SV", "BV", "SII", "STII", "FSII", "FBII"} <= set(SHARED)


@pytest.mark.parametrize("index", SHARED)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_an_index_agrees_with_shapiq(index, seed, order):
    """Every set has the same value, whichever of the two lists it."""
    mobius = planted(seed)
    ours = interactions(mobius_to_fourier(mobius), index, order)
    theirs = MoebiusConverter(as_theirs(mobius))(index, ours.order)
    listed = {s: float(v) for s, v in theirs.dict_values.items() if s}
    for support in {*ours, *listed}:
        assert ours.get(support, 0.0) == pytest.approx(listed.get(support, 0.0), abs=1e-9)
    # In their BII and BV the empty set's value is another one, and not the same in each version.
    if index not in {"BII", "BV"}:
        assert ours.baseline == pytest.approx(theirs.baseline_value, abs=1e-9)
