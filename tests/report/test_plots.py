"""Plots: what stands in the axes is what the explanation says, and nothing foreign acts in them."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from spex_api.errors import MissingExtra, UsageError
from spex_api.fidelity import Checkpoint, removal_curve
from spex_api.indices import interactions
from spex_api.report import story
from spex_api.report.plots import KINDS, canvas, draw
from spex_api.report.plots.text import Passage
from tests.report.drawn_explanations import drawn, words

if TYPE_CHECKING:
    import spex_api as spex

FILM = {(): 0.5, (1,): -2.0, (2,): -1.0, (1, 2): 4.0, (4,): 0.25, (0, 1, 4): 0.5}


@pytest.fixture(scope="module")
def film() -> spex.Explanation:
    """Of a film that never fails: both words hurt, and help together."""
    return drawn(FILM, words("It never fails to impress", system="Be just."), order=3)


def saved(ax) -> bytes:
    """The figure as it is written to a file; warnings are errors here."""
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, dpi=50)
    return buffer.getvalue()


def texts(ax) -> list[str]:
    """All that is written in a figure."""
    return [each.get_text() for each in ax.figure.findobj(lambda each: hasattr(each, "get_text"))]


def below(ax):
    """The matrix below a plot."""
    return next(each for each in ax.figure.axes if each is not ax)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_draws_itself_inside_its_figure(kind, film):
    """Nothing that is written runs out of the figure, and pyplot knows nothing of it."""
    ax = film.plot(kind)
    assert saved(ax).startswith(b"\x89PNG")
    whole = ax.figure.bbox
    inside = ax.figure.get_tightbbox().transformed(ax.figure.dpi_scale_trans)
    assert inside.x0 >= whole.x0 - 1
    assert inside.y0 >= whole.y0 - 1
    assert inside.x1 <= whole.x1 + 1
    assert inside.y1 <= whole.y1 + 1
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or ax.figure not in map(pyplot.figure, pyplot.get_fignums())


def test_axes_that_are_given_are_drawn_in(film):
    """Seven kinds in one figure; each gives back the axes that it was given."""
    figure = Figure(figsize=(14, 14), layout="constrained")
    for kind, ax in zip(KINDS, figure.subplots(4, 2).flat, strict=False):
        assert draw(film, kind, ax=ax) is ax
    saved(ax)


def test_axes_without_a_grid_are_divided(film):
    """Axes that were put by hand share their room with the matrix below."""
    ax = Figure(figsize=(6, 6)).add_axes((0.2, 0.1, 0.7, 0.8))
    film.plot("interactions", ax=ax)
    upper, lower = ax.get_position(), below(ax).get_position()
    assert upper.y0 >= lower.y1
    assert lower.y0 == pytest.approx(0.1)
    assert upper.y1 == pytest.approx(0.9)


def test_bars_are_the_strongest_interactions(film):
    """Their heights are the values, their lines the intervals, their dots the members."""
    ax = film.plot("interactions", count=4)
    found = film.interactions
    strongest = found.strongest(4)
    assert [bar.get_height() for bar in ax.patches] == [found[each] for each in strongest]
    lines = [tuple(line.get_ydata()) for line in ax.lines if len(set(line.get_xdata())) == 1]
    assert lines == [tuple(found.intervals[each]) for each in strongest]
    matrix = below(ax)
    names = [label.get_text() for label in matrix.get_yticklabels()]
    columns = [line.get_ydata() for line in matrix.lines]
    assert [tuple(names[int(row)] for row in rows) for rows in columns] == [
        found.named(each) for each in strongest
    ]
    for bar, support in zip(ax.patches, strongest, strict=True):
        side = canvas.UP if found[support] > 0 else canvas.DOWN
        assert bar.get_facecolor()[:3] == pytest.approx(to_rgb(side))


def test_a_bar_that_may_be_nothing_is_pale():
    """Its interval holds 0."""
    ax = drawn({(0,): 2.0, (1,): 0.1}, num_features=3).plot("interactions")
    sure, unsure = (bar.get_facecolor()[:3] for bar in ax.patches)
    assert sure == pytest.approx(to_rgb(canvas.UP))
    assert min(unsure) > min(sure)


def test_what_rounding_has_made_is_no_bar():
    """A value of 1e-16 beside one of 1 is none."""
    ax = drawn({(0,): 1.0, (1,): 1e-16}, num_features=3).plot("interactions")
    assert len(ax.patches) == 1


@pytest.mark.parametrize(
    ("index", "order"), [("FSII", 2), ("STII", 2), ("SV", 1), ("Möbius", 3), ("FSII", 1)]
)
def test_a_waterfall_adds_up(index, order, film):
    """From everything masked the steps lead to the whole prompt's predicted value, exactly."""
    ax = film.plot("waterfall", index=index, order=order, count=2)
    nothing, whole = film.predict([[0] * 5, [1] * 5])
    at = nothing
    for bar in ax.patches:
        left, right = sorted((at, at + bar.get_width()))
        assert min(bar.get_x(), bar.get_x() + bar.get_width()) == pytest.approx(left)
        assert max(bar.get_x(), bar.get_x() + bar.get_width()) == pytest.approx(right)
        at += bar.get_width()
    assert at == pytest.approx(whole, abs=1e-12)
    values = interactions(film.transform, index, order)
    strongest = [values[each] for each in values.strongest(2)]
    assert [bar.get_width() for bar in ax.patches][:2] == pytest.approx(strongest)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "everything masked"
    assert labels[-1] == "whole prompt"
    assert "weaker" in labels[-2]
    assert any(
        ("Shapley" if order == 1 else f"{index}, order {order}") in each for each in texts(ax)
    )


@pytest.mark.parametrize("index", ["FBII", "SII", "Banzhaf"])
def test_a_waterfall_of_what_does_not_add_up_is_refused(index, film):
    """It would end somewhere else."""
    with pytest.raises(UsageError, match="do not add up"):
        film.plot("waterfall", index=index)


def test_the_text_is_drawn_whole_and_tinted(film):
    """Every word stands there once, on a ground that its effect gives."""
    ax = film.plot("text")
    saved(ax)
    passage = next(each for each in ax.artists if isinstance(each, Passage))
    assert " ".join(word.get_text() for word in passage.words) == (
        "system Be just. user Good or bad? It never fails to impress"
    )
    grounds = {
        word.get_text(): word.get_bbox_patch().get_facecolor()[:3]
        for word in passage.words
        if word.get_bbox_patch() is not None
    }
    effects = story.effects(film)
    strongest = int(np.argmax(np.abs(effects)))
    names = film.interactions.names
    side = canvas.UP if effects[strongest] > 0 else canvas.DOWN
    assert grounds[names[strongest]] == pytest.approx(to_rgb(side))
    assert grounds["to"] == pytest.approx((1.0, 1.0, 1.0))
    assert set(grounds) == set(names)


def test_the_text_is_laid_out_anew_where_its_room_changes(film):
    """In narrower axes there are more lines, and none runs over."""
    ax = film.plot("text")
    places = []
    for width in (7.2, 2.4):
        ax.figure.set_size_inches(width, 3.0)
        saved(ax)
        passage = next(each for each in ax.artists if isinstance(each, Passage))
        right = max(word.get_window_extent().x1 for word in passage.words)
        assert right <= ax.figure.bbox.x1
        places.append(min(word.xyann[1] for word in passage.words))
    assert places[1] < places[0]


def test_a_long_text_shows_what_matters():
    """Of a thousand words few are drawn, and that is said."""
    long = drawn({(500,): 2.0}, words(" ".join(f"w{place}" for place in range(1000))))
    ax = long.plot("text")
    assert any("of 1,000 parts, the strongest" in each for each in texts(ax))
    saved(ax)
    passage = next(each for each in ax.artists if isinstance(each, Passage))
    assert {"w499", "w500", "w501"} <= {word.get_text() for word in passage.words}


@pytest.mark.parametrize("layout", ["circle", "arcs"])
def test_a_network_has_a_line_for_each_interaction(layout, film):
    """The wider the larger, by the colour of its sign; three parts meet in a point."""
    ax = film.plot("network", layout=layout)
    found = film.interactions
    joint = [each for each in found.strongest() if len(each) > 1 and found[each]]
    expected = [each for each in joint for _ in range(1 if len(each) == 2 else len(each))]
    lines = sorted(ax.patches, key=lambda line: -line.get_linewidth())
    assert len(lines) == len(expected)
    for line, support in zip(lines, expected, strict=True):
        share = abs(found[support]) / abs(found[joint[0]])
        assert line.get_linewidth() == pytest.approx(1.0 + 6.0 * share)
        blue = line.get_edgecolor()[2] > line.get_edgecolor()[0]
        assert blue == (found[support] > 0)
    members = {found.names[feature] for each in joint for feature in each}
    assert members <= set(texts(ax))
    assert "to" not in texts(ax)


def test_many_parts_are_drawn_in_a_line():
    """Around a circle there is room for two dozen."""
    many = {(2 * pair, 2 * pair + 1): 1.0 for pair in range(13)}
    ax = drawn(many, num_features=30).plot("network")
    assert ax.get_aspect() != 1.0
    assert drawn(many, num_features=30).plot("network", layout="circle").get_aspect() == 1.0


def test_without_interactions_there_is_no_network():
    """That is said, with what else to draw."""
    with pytest.raises(UsageError, match="No two parts work together"):
        drawn({(0,): 1.0}, num_features=3).plot("network")


def test_faithfulness_is_drawn_against_samples(film):
    """Each checkpoint with its interval, beside the additive model's, and the levels there are."""
    whole = replace(film.faithfulness, value=0.9, low=0.8, high=0.95, additive=0.4, ceiling=0.97)
    early = replace(whole, value=0.5, low=0.3, high=0.6, additive=0.35)
    curve = (Checkpoint(50, early), Checkpoint(200, whole))
    ax = replace(film, faithfulness=whole, curve=curve, target=0.85).plot("faithfulness")
    bars = ax.containers[0]
    assert list(bars.lines[0].get_xdata()) == [50, 200]
    assert list(bars.lines[0].get_ydata()) == [0.5, 0.9]
    ends = [tuple(each[:, 1]) for each in bars.lines[2][0].get_segments()]
    assert ends == [pytest.approx((0.3, 0.6)), pytest.approx((0.8, 0.95))]
    levels = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert levels["parts taken alone"] == [0.35, 0.4]
    assert levels["target"] == [0.85, 0.85]
    assert levels["the most that few draws allow"] == [0.97, 0.97]
    saved(ax)


def test_without_a_curve_there_is_one_point(film):
    """A file of an older version has none."""
    one = replace(film, faithfulness=replace(film.faithfulness, value=0.7, low=0.6, high=0.8))
    ax = one.plot("faithfulness")
    assert list(ax.containers[0].lines[0].get_ydata()) == [0.7]
    nothing = replace(film, faithfulness=replace(film.faithfulness, value=float("nan")))
    with pytest.raises(UsageError, match="not measurable"):
        nothing.plot("faithfulness")


def test_the_removal_is_that_of_the_surrogate(film):
    """Changes and parts are those of `removal_curve`, and it is said that they are predicted."""
    ax = film.plot("removal", sizes=(1, 2, 40))
    curve = removal_curve(film.transform, sizes=(1, 2, 5))
    drawn_changes = ax.lines[0].get_ydata()
    assert drawn_changes == pytest.approx([each * abs(curve.before) for each in curve.changes])
    matrix = below(ax)
    names = [label.get_text() for label in matrix.get_yticklabels()]
    sets = [{names[int(row)] for row in line.get_ydata()} for line in matrix.lines]
    assert sets == [set(film.interactions.named(each.features)) for each in curve.sets]
    assert [label.get_text() for label in matrix.get_xticklabels()] == ["1", "2", "5"]
    assert "as the surrogate predicts" in ax.get_title(loc="left")


def test_a_whole_prompt_of_value_0_has_a_removal_curve_too():
    """Changes are told in the score's unit, so nothing is divided by that value."""
    ax = drawn({(): -1.0, (0,): 1.0}, num_features=3).plot("removal")
    assert list(ax.lines[0].get_ydata()) == [1.0, 1.0, 1.0]


def test_energy_is_drawn_against_terms(film):
    """Cumulative shares of Σ F², the strongest term first, in layers by size."""
    ax = film.plot("sparsity")
    energies = sorted((value**2 for key, value in film.transform.items() if key), reverse=True)
    shares = np.cumsum(energies) / film.transform.energy
    assert ax.lines[0].get_ydata() == pytest.approx(shares)
    needed = int(np.searchsorted(shares, 0.9)) + 1
    assert any(each == f"{needed} terms: 90%" for each in texts(ax))
    assert [each.get_label() for each in ax.collections] == ["one part", "two parts", "three parts"]
    with pytest.raises(UsageError, match="constant"):
        drawn({(): 1.0}, num_features=3).plot("sparsity")


@pytest.mark.parametrize("kind", KINDS)
def test_foreign_text_is_neither_mathematics_nor_a_missing_glyph(kind):
    """TeX, direction marks, escapes, and letters that the font lacks are drawn as plain text."""
    prompt = words("$x^2$ \\frac{1} \u202eevil \x1b[31m 日本語 $\\undefined$ %#_^ " + "long" * 99)
    hostile = drawn({(0,): 1.0, (2, 3): 2.0, (4, 5): -1.0, (6, 7): 0.5}, prompt)
    source = replace(hostile.provenance, meaning="of $\\beta_{$ 日本 \u202e")
    ax = replace(hostile, provenance=source).plot(kind)
    saved(ax)
    for each in ax.figure.findobj(lambda each: hasattr(each, "get_parse_math")):
        assert "\u202e" not in each.get_text()
        assert "日" not in each.get_text()
        if "x^2" in each.get_text() or "beta" in each.get_text():
            assert not each.get_parse_math()


def test_names_are_short_and_told_apart():
    """Two sentences that begin alike get their numbers, an empty name its own."""
    same = "The same beginning of a sentence that goes on "
    plain = drawn({(0,): 1.0}, num_features=4)
    named = replace(plain.interactions, names=(same + "here", same + "there", " ", "$"))
    names = canvas.named(replace(plain, interactions=named), range(4))
    assert names == {
        0: "The same beginning of a sen… (0)",
        1: "The same beginning of a sen… (1)",
        2: "(2)",
        3: "$",
    }
    assert canvas.named(plain, [2]) == {2: "feature 2"}


def test_on_dark_ground_letters_are_light(film):
    """All but the two sides comes from matplotlib's own settings."""
    import matplotlib as mpl  # noqa: PLC0415 - only here

    dark = {"axes.facecolor": "black", "figure.facecolor": "black", "text.color": "white"}
    with mpl.rc_context(dark):
        ax = film.plot("text")
        saved(ax)
        passage = next(each for each in ax.artists if isinstance(each, Passage))
        to = next(word for word in passage.words if word.get_text() == "to")
        assert to.get_color() == (1.0, 1.0, 1.0)
        assert to.get_bbox_patch().get_facecolor()[:3] == pytest.approx((0.0, 0.0, 0.0))


def test_a_notebook_shows_a_plot_as_any_other(film, monkeypatch):
    """There the figure is one of pyplot's."""
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(canvas, "_in_ipython", lambda: True)
    ax = film.plot("sparsity")
    assert ax.figure.number in plt.get_fignums()
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("interaction", {}, "There is no plot 'interaction'. Did you mean 'interactions'?"),
        ("pie", {}, "It is one of interactions, text, network"),
        ("network", {"layuot": "arcs"}, "no setting 'layuot'. Did you mean 'layout'?"),
        ("faithfulness", {"count": 3}, "no setting 'count'. It has none."),
        ("network", {"layout": "star"}, "A layout is one of auto, circle, arcs, not 'star'."),
        ("network", {"count": 0}, "At least 1 interaction is drawn, not 0."),
        ("interactions", {"count": 0}, "At least 1 interaction is drawn, not 0."),
        ("waterfall", {"count": 0}, "At least 1 interaction is drawn, not 0."),
        ("removal", {"sizes": (0, 1)}, "Each size of a removal is at least 1"),
        ("removal", {"sizes": ()}, "Each size of a removal is at least 1"),
    ],
)
def test_misuse_is_told(kind, settings, said, film):
    """Kinds and settings that there are not name the nearest one."""
    with pytest.raises(UsageError) as caught:
        film.plot(kind, **settings)
    assert said in str(caught.value)


def test_a_function_has_no_text_and_may_have_no_interaction():
    """Both are said, with no figure."""
    with pytest.raises(UsageError, match="no text to draw"):
        drawn({(0,): 1.0}, num_features=3).plot("text")
    with pytest.raises(UsageError, match="No part moves the value"):
        drawn({(): 1.0}, num_features=3).plot("interactions")


def test_without_matplotlib_it_is_said_what_to_install(film, monkeypatch):
    """The extra is named, and the kind is checked before."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"spex-api\[plots\]"):
        film.plot("text")
