"""How faithful a decoder would have been from fewer of the answers."""

import numpy as np
import pytest

import spex_api as spex
from spex_api.decoding import SPEX
from spex_api.fidelity import within_reach


def planted(masks):
    """Two interactions of two and three features, and one feature alone."""
    signs = 1.0 - 2.0 * np.asarray(masks, dtype=float)
    return signs[:, 0] + 2.0 * signs[:, 1] * signs[:, 2] + signs[:, 3] * signs[:, 4] * signs[:, 5]


def explained(**settings):
    budget = spex.Budget(requests=settings.pop("requests", 240))
    settings = {"decoder": "lasso", **settings}
    return spex.explain_function(planted, num_features=12, budget=budget, **settings)


def test_a_curve_rises_to_the_explanation_itself():
    """A quarter and half of the samples, and all, on the same unseen masks."""
    found = explained()
    counts = [each.num_samples for each in found.curve]
    whole = found.provenance.samples
    assert counts == [whole // 4, whole // 2, whole]
    assert found.curve[-1].faithfulness == found.faithfulness
    assert found.curve[0].faithfulness.value < found.faithfulness.value
    assert {each.faithfulness.num_masks for each in found.curve} == {found.faithfulness.num_masks}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"decoder": "walsh_hadamard", "requests": 4096}, "no mask is held out"),
        ({"decoder": SPEX(sparsity_exponent=2, degree=1)}, "a code is whole or nothing"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_where_there_is_no_curve(settings, why):
    """It is empty."""
    assert explained(**settings).curve == (), why


def test_a_curve_stands_in_the_file(tmp_path):
    """It is read again as it was."""
    found = explained()
    found.to_json(tmp_path / "explanation.json")
    again = spex.Explanation.from_json(tmp_path / "explanation.json")
    assert again.curve == found.curve
    assert again.faithfulness.within == found.faithfulness.within is not None


def test_nine_in_ten_unseen_values_lie_within_reach():
    """Over many draws of held-out masks, a further error lies within it as often as promised."""
    random = np.random.default_rng(0)
    errors = random.standard_cauchy((4000, 30))
    hits = [abs(row[0]) <= within_reach(row[1:], np.zeros(29)) for row in errors]
    # ⌈0.9 · 30⌉ of 30 equally likely places; five standard errors of 4,000 draws are 0.024.
    assert np.mean(hits) == pytest.approx(0.9, abs=0.024)


def test_fewer_than_nine_values_promise_nothing():
    """No finite half-width covers nine in ten of what comes next."""
    assert within_reach(np.arange(8.0), np.zeros(8)) is None
    assert within_reach(np.arange(9.0), np.zeros(9)) == 8.0
