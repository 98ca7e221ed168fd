"""What shapiq is given is what it computes itself, and comes back from its files."""

from __future__ import annotations

from itertools import product

import matplotlib as mpl
import numpy as np
import pytest
import shapiq
from shapiq.game_theory import indices as their_indices
from shapiq.game_theory.exact import ExactComputer

from spex_api.errors import UsageError
from spex_api.index_weights import INDICES
from spex_api.report.exports import to_shapiq
from tests.report.exported import by, hostile

KNOWN = {
    index: theirs
    for index in INDICES
    if their_indices.is_index_valid(theirs := {"Möbius": "Moebius"}.get(index, index))
}


def test_all_but_fourier_are_known_to_every_version():
    """So that none is left out of the comparison unseen."""
    assert set(INDICES) - set(KNOWN) <= {"Fourier"}


@pytest.mark.parametrize(("index", "order"), list(product(KNOWN, (1, 2, 3))))
def test_each_value_is_the_one_that_they_compute(index, order):
    """From the surrogate's values at all masks; the name, the order and the players agree too."""
    explanation = by(index, order)
    ours = to_shapiq(explanation)
    computer = ExactComputer(
        lambda coalitions: explanation.predict(coalitions.astype(np.uint8)), n_players=5
    )
    exact = computer(KNOWN[index], explanation.interactions.order)
    for players in range(1, explanation.interactions.order + 1):
        wanted = exact.get_n_order_values(players)
        # They solve for FSII with a weight of 10⁸ in place of an exact condition.
        assert ours.get_n_order_values(players) == pytest.approx(wanted, abs=1e-5)
    assert ours.n_players == 5
    assert (ours.min_order, ours.max_order) == (0, explanation.interactions.order)
    if index != "Möbius":  # of which theirs is always of full order
        assert ours.index == exact.index


@pytest.mark.parametrize("index", sorted({"STII", "FSII", "FBII", "BII"}))
def test_the_empty_set_is_worth_what_it_is_to_them(index):
    """It stands among the interactions, and is the baseline."""
    explanation = by(index, 2)
    ours = to_shapiq(explanation)
    computer = ExactComputer(
        lambda coalitions: explanation.predict(coalitions.astype(np.uint8)), n_players=5
    )
    exact = computer(index, 2)
    assert ours.dict_values[()] == pytest.approx(exact.dict_values[()], abs=1e-5)
    assert ours.baseline_value == ours.dict_values[()] == explanation.baseline


def test_no_interaction_is_lost_and_the_budget_is_told():
    """Every listed set has its value, bit for bit; nothing is said to be exact."""
    explanation = hostile()
    ours = to_shapiq(explanation)
    found = dict(explanation.interactions)
    assert ours.dict_values == {(): explanation.baseline, **found}
    assert ours.estimation_budget == explanation.provenance.samples
    assert ours.estimated


def test_their_file_gives_the_same_numbers_again(tmp_path):
    """Saved and loaded by shapiq."""
    ours = to_shapiq(hostile())
    ours.save(tmp_path / "values.json")
    again = shapiq.InteractionValues.load(tmp_path / "values.json")
    assert again == ours
    assert again.dict_values == ours.dict_values
    assert again.get_n_order(order=2).dict_values == {
        support: value for support, value in hostile().interactions.items() if len(support) == 2
    }


def test_their_network_takes_it():
    """A plot that needs interactions of two is drawn."""
    mpl.use("Agg")
    figure, _ = to_shapiq(hostile()).plot_network(show=False)
    assert figure.axes
    mpl.pyplot.close(figure)


def test_an_index_that_they_do_not_know_is_refused(monkeypatch):
    """With what to do, and never under another index's name."""
    monkeypatch.setattr(their_indices, "is_index_valid", lambda index: index != "Fourier")
    with pytest.raises(UsageError, match="has no index Fourier.*another index, such as FBII"):
        to_shapiq(by("Fourier", 2))
