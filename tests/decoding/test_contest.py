"""A contest of decoders: the first decodes, unless another clearly predicts better."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.decoding import SPEX, FaithBanzhaf, Lasso, SpectralGP
from spex_api.decoding.contest import Contest
from spex_api.errors import UsageError
from spex_api.samples import Samples

ADDITIVE, PAIRS = FaithBanzhaf(order=1), FaithBanzhaf(order=2)


def samples(*, interacting: bool, count: int = 200, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(count, 8))
    signs = 1.0 - 2.0 * masks
    values = signs[:, 0] + 0.5 * signs[:, 1] + interacting * signs[:, 2] * signs[:, 3]
    return Samples.from_arrays(masks, values + 0.3 * rng.normal(size=count))


def test_who_predicts_better_decodes():
    """Where features interact, a fit with pairs is taken, and its numbers are told."""
    given = samples(interacting=True)
    recovery = Contest((ADDITIVE, PAIRS)).decode(given)
    assert recovery.choice.decoder == PAIRS
    assert recovery.transform == PAIRS.decode(given).transform
    assert recovery.choice.reason.startswith("Of 40 answers hidden from them, they explained: ")
    assert recovery.choice.reason.count("FaithBanzhaf 0.") == 2


def test_the_first_has_the_benefit_of_the_doubt():
    """Where the others are no better, or hardly, the first decodes."""
    given = samples(interacting=False)
    for rival in (PAIRS, ADDITIVE):
        assert Contest((ADDITIVE, rival)).decode(given).choice.decoder == ADDITIVE
        assert Contest((rival, ADDITIVE)).decode(given).choice.decoder == rival


def test_a_sparse_fit_wins_where_nothing_matters_alone():
    """Pairs of features that do nothing alone are found by a regression, and by no process."""
    rng = np.random.default_rng(1)
    masks = rng.integers(0, 2, size=(300, 40))
    signs = 1.0 - 2.0 * masks
    pairs = rng.permutation(40).reshape(20, 2)[:8]
    values = sum(signs[:, a] * signs[:, b] for a, b in pairs)
    recovery = Contest((SpectralGP(), SPEX())).decode(Samples.from_arrays(masks, values))
    assert recovery.choice.decoder == SPEX()
    assert {tuple(sorted(pair)) for pair in pairs.tolist()} <= set(recovery.transform)


@pytest.mark.parametrize("given", [samples(interacting=True, count=49), None])
def test_there_is_no_contest_of_few_samples_or_of_one_value(given):
    """The first decodes where there is nothing to compare."""
    constant = Samples.from_arrays(samples(interacting=True).masks, np.ones(200))
    recovery = Contest((ADDITIVE, PAIRS)).decode(given or constant)
    assert recovery.choice == (ADDITIVE, "")


def test_the_first_plans():
    """The masks are those of the first decoder."""
    plan = Contest((Lasso(), SPEX())).plan(9, 50, 3)
    assert (plan.masks == Lasso().plan(9, 50, 3).masks).all()


def test_nobody_is_no_contest():
    """An empty contest raises where it is made."""
    with pytest.raises(UsageError, match="at least one decoder"):
        Contest(())
