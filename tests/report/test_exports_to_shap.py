"""What shap is given adds up as it promises, and its own plots take it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import permutations

import matplotlib as mpl
import numpy as np
import pytest

import spex_api as spex
from spex_api.claims import Kind
from spex_api.report.exports import to_shap
from spex_api.transforms import FourierTransform, MobiusTransform, mobius_to_fourier
from tests.report.exported import HOSTILE, by, hostile
from tests.report.planted_causes import cause, explained, put_to_test

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shap

pytestmark = [
    # How shap calls matplotlib, and which letters the font has, is not ours.
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Glyph"),
]


@pytest.fixture(autouse=True)
def plots():
    """Drawing without a screen, and no figure left behind."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of where to draw

    yield plt
    plt.close("all")


@pytest.mark.parametrize("index", ["FBII", "SV"])
def test_the_values_are_shapley_values(index):
    """Each the mean over all orders of what the feature adds, whichever index was asked for."""
    explanation = by(index, 2)
    told = to_shap(explanation)
    orders = list(permutations(range(5)))
    masks = np.zeros((len(orders), 6, 5), dtype=np.uint8)
    for row, order in enumerate(orders):
        for place, feature in enumerate(order):
            masks[row, place + 1 :, feature] = 1
    steps = np.diff(explanation.predict(masks.reshape(-1, 5)).reshape(-1, 6))
    added = [steps[np.array(orders) == feature].mean() for feature in range(5)]
    assert told.values == pytest.approx(added)
    whole, nothing = explanation.predict([[1] * 5, [0] * 5])
    assert told.base_values == pytest.approx(nothing)
    assert told.base_values + told.values.sum() == pytest.approx(whole)


def test_a_matrix_parts_the_values_into_interactions():
    """It is symmetric, its rows add up to the values, and two that only act together share."""
    explanation = by("FBII", 2)
    matrix = to_shap(explanation, interactions=True)
    assert matrix.shape == (5, 5)
    assert matrix.values == pytest.approx(matrix.values.T)
    assert matrix.values.sum(axis=1) == pytest.approx(to_shap(explanation).values)
    pair = mobius_to_fourier(MobiusTransform({(0, 1): 4.0}, 3))
    told = to_shap(replace(explanation, transform=pair), interactions=True).values
    assert told == pytest.approx(np.array([[0, 2, 0], [2, 0, 0], [0, 0, 0]]))


def test_texts_read_as_the_prompt_does():
    """With the white space that stands behind each, so that their text plot is the text."""
    prompt = spex.Prompt.from_template("Good? {text}", text="Her acting\n never fails")
    plain = by("SV", 1)
    found = replace(plain.interactions, names=prompt.features)
    told = to_shap(
        replace(
            plain,
            prompt=prompt,
            interactions=found,
            transform=FourierTransform({(2,): -0.5}, 4),
        )
    )
    assert "".join(told.data) == "Her acting\n never fails"
    assert list(told.feature_names) == ["Her", "acting", "never", "fails"]
    assert list(told.display_data) == ["part 1", "part 2", "part 3", "part 4"]


def test_parts_with_addresses_are_called_by_them():
    """As features are in shap: what it says, and where it stands."""
    told = to_shap(explained(put_to_test(cause(Kind.ALONE, 3), flips={})))
    assert told.feature_names[3] == "documents[3]"
    assert told.display_data[3] == "Note 3 of the handbook."


def test_features_without_names_are_counted():
    """From 1, as people count."""
    told = to_shap(replace(by("SV", 1), interactions=replace(by("SV", 1).interactions, names=())))
    assert list(told.feature_names) == ["part 1", "part 2", "part 3", "part 4", "part 5"]
    assert set(told.display_data) == {"kept"}


@pytest.mark.parametrize("draw", ["bar", "waterfall"])
def test_their_plots_take_hostile_texts(draw, plots):
    """Nothing is read as mathematics, and what is written is what the texts say."""
    getattr(shap.plots, draw)(to_shap(hostile()), show=False, max_display=20)
    figure = plots.gcf()
    figure.canvas.draw()
    labels = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    assert any(label.endswith(r"\$a\$ of \$b") for label in labels)
    assert not any("\u202e" in label or "\x1b" in label for label in labels)


def test_their_text_plot_takes_hostile_texts():
    """Every text is in it, and none of them is markup."""
    page = shap.plots.text(to_shap(hostile()), display=False)
    assert "well-known" in page
    assert "</script><img" not in page
    assert "\u202e" not in page
    assert len(to_shap(hostile()).data) == len(HOSTILE)
