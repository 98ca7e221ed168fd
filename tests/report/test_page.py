"""The page as text: its policy, its facts, its sets and its charts."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

import spex_api as spex
from spex_api.claims import Causes
from spex_api.feature_sets import FeatureSetStatus
from spex_api.fidelity import Checkpoint, Faithfulness
from spex_api.indices import Interval
from spex_api.report.page import charts, framed, render
from spex_api.report.page.facts import embedded
from spex_api.report.page.few import Few, threshold_of
from spex_api.report.page.markup import bar, names_of, number, tint
from spex_api.report.page.stepwise import steps
from spex_api.transforms import FourierTransform
from tests.report.drawn_explanations import drawn, sentences, words

FAITH = Faithfulness(0.9, 0.85, 0.94, 100, 0.4)


def element(page: str, name: str, attributes: str = "") -> str:
    """What stands in an element of a page."""
    return re.findall(rf"<{name}{attributes}>(.*?)</{name}>", page, re.DOTALL)[0]


@pytest.fixture
def explanation() -> spex.Explanation:
    """Two words that turn a third."""
    values = {(): -1.0, (0,): 0.5, (1,): 0.25, (0, 1): 2.0}
    whole = drawn(values, words("never fails us"))
    source = replace(whole.provenance, meaning="log-odds of 'yes' over 'no', in nats")
    return replace(whole, provenance=source)


def test_the_policy_allows_our_style_and_our_script_alone(explanation):
    """By their hashes; nothing inline is allowed besides, and nothing is loaded."""
    page = render(explanation)
    policy = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)[0]
    for name in ("script", "style"):
        digest = hashlib.sha256(element(page, name).encode()).digest()
        assert f"{name}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert " style=" not in page


def test_what_is_embedded_is_read_as_it_was():
    """JSON that can neither end a script nor begin a comment, and loses nothing."""
    hostile = {"</script>": ["<!--", "&amp;", "\u2028\u2029", 0.1 + 0.2, -1e-300, None]}
    text = embedded(hostile)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == hostile


def test_the_facts_hold_the_whole_surrogate(explanation):
    """The terms' own doubles, every interaction with its interval, and what a prediction is."""
    told = json.loads(element(render(explanation), "script", ' type="application/json" id="facts"'))
    terms = {tuple(key): value for key, value in zip(told["sets"], told["coefficients"], strict=1)}
    assert terms == dict(explanation.transform)
    found = explanation.interactions
    rows = {tuple(row[0]): (row[1], row[2], row[3]) for row in told["interactions"]}
    assert rows == {key: (found[key], *found.intervals[key]) for key in found}
    assert told["names"] == ["never", "fails", "us"]
    assert told["threshold"] == 0.0


def test_a_page_is_written_again_with_the_same_bytes(explanation):
    """What a replay relies on."""
    assert render(explanation) == render(spex.Explanation.from_json(explanation.to_json()))


def test_a_frame_holds_a_page_and_nothing_gets_out(explanation):
    """The page is an attribute of a frame that may run its script, and nothing else."""
    frame = framed(explanation)
    assert 'sandbox="allow-scripts"' in frame
    inner = html.unescape(re.findall(r'srcdoc="([^"]*)"', frame)[0])
    assert inner.startswith("<!doctype html>")
    assert "Strongest interactions" in inner
    assert "Where the numbers come from" not in inner


def test_a_threshold_is_known_where_an_answer_turns(explanation):
    """That of tested causes, else 0 of a log-odds; of shares their log-odds; else none."""
    other = replace(explanation, provenance=replace(explanation.provenance, meaning="a grade"))
    tested = Causes("it is high", (), (), 0, threshold=0.25)
    shares = replace(other, faithfulness=replace(other.faithfulness, of_shares=True))
    assert threshold_of(explanation) == 0.0
    assert threshold_of(other) is None
    assert threshold_of(replace(other, causes=tested)) == 0.25
    assert threshold_of(shares) == 0.0
    assert threshold_of(replace(shares, causes=tested)) == pytest.approx(math.log(1 / 3))


def test_sets_keep_and_turn_the_answer(explanation):
    """Both words are needed for a positive value: together they suffice, and either turns it."""
    few = Few.of(explanation)
    assert few.sufficient.features == (0, 1)
    assert few.flip is not None
    assert few.flip.features == (0,)
    assert few.flip.proven
    assert [features for features, _ in few.removals[:2]] == [(0,), (0, 1)]
    page = render(explanation)
    assert "Proven: no smaller set does it." in page
    assert 'data-out="0">Take out the flip set' in page
    assert 'data-only="0 1">Keep only the sufficient set' in page


def test_without_a_threshold_a_share_is_kept_and_nothing_turns(explanation):
    """Of a grade it is told what keeps most of the value."""
    other = replace(explanation, provenance=replace(explanation.provenance, meaning="a grade"))
    few = Few.of(other)
    assert few.flip is None
    assert few.sufficient.features == (0, 1)
    page = render(other)
    assert "keep 90% of the way from nothing to the whole" in page
    assert "flip set" not in page


def test_a_set_of_a_large_surrogate_is_found_and_not_called_proven(explanation):
    """Above a few hundred terms the sets are found step by step, and their values are right."""
    rng = np.random.default_rng(0)
    terms = {tuple(sorted(rng.choice(90, 2, replace=False).tolist())): 0.01 for _ in range(2000)}
    terms = {**terms, (0,): -3.0, (1,): -2.0, (): 1.0}
    transform = FourierTransform(terms, 90)
    few = Few.of(replace(explanation, transform=transform))
    assert len(transform) > 400
    for found, kept in ((few.sufficient, 1), (few.flip, 0)):
        assert found is not None
        assert found.features is not None
        assert found.status is FeatureSetStatus.STOPPED
        mask = [kept if feature in found.features else 1 - kept for feature in range(90)]
        assert found.value == pytest.approx(transform([mask])[0])
        assert (found.value > 0) == bool(kept)


@pytest.mark.parametrize("removing", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
def test_each_step_takes_what_helps_most(removing, sign):
    """The value after a step is the best of all that were to be had."""
    rng = np.random.default_rng(3)
    terms = {(): 0.2, **{(i,): rng.normal() for i in range(6)}, (0, 1): 1.5, (2, 3, 4): -2.0}
    transform = FourierTransform(terms, 7)
    mask = np.full(7, int(removing), dtype=np.uint8)
    path = steps(transform, sign=sign, removing=removing, most=9)
    assert sorted(step.feature for step in path) == list(range(6))
    for step in path:
        others = np.repeat(mask[None], 7, axis=0)
        np.fill_diagonal(others, 1 - int(removing))
        untaken = np.flatnonzero(mask[:6] == int(removing))
        assert step.value == pytest.approx(sign * (sign * transform(others))[untaken].max())
        mask[step.feature] = 1 - int(removing)


def test_parts_are_called_by_their_beginning():
    """One line each, told apart where they are the same, and by number where they have no text."""
    same = drawn({(0,): 1.0}, words("good not good"))
    assert names_of(same) == ["good (1 of 2)", "not", "good (2 of 2)"]
    assert names_of(drawn({(0,): 1.0}, num_features=2)) == ["feature 0", "feature 1"]
    long = names_of(drawn({(0,): 1.0}, sentences("a\nlong text " * 20, "b")))[0]
    assert len(long) == 64
    assert "\n" not in long


def test_numbers_and_tints_have_a_sign():
    """A minus as wide as a plus, none at all for zero, and a class for either way."""
    assert [number(value, 2) for value in (1.234, -1.234, -0.001)] == ["+1.23", "−1.23", "0.00"]
    assert [tint(effect, 2.0) for effect in (2.0, -1.0, 0.01)] == ["up8", "down4", ""]
    assert tint(0.0, 0.0) == ""


def test_a_bar_goes_from_the_middle_to_the_value():
    """To the right where it is positive; its interval crosses its end."""
    drawn_bar = bar(1.0, Interval(0.5, 1.5), 2.0)
    assert 'class="up" x="50.00%"' in drawn_bar
    assert 'width="23.00%"' in drawn_bar
    assert 'x1="61.50%" x2="84.50%"' in drawn_bar
    assert 'class="down" x="27.00%"' in bar(-1.0, None, 2.0)


def test_the_curve_stands_for_each_measurement():
    """A dot each, the additive model as a line, and the numbers in words; none of one point."""
    curve = [
        Checkpoint(50, replace(FAITH, value=0.2, low=-0.1, high=0.4)),
        Checkpoint(100, replace(FAITH, value=math.nan)),
        Checkpoint(200, FAITH),
    ]
    drawing = charts.against_queries(curve)
    assert drawing.count('class="dot"') == 2
    assert "without interactions" in drawing
    assert 'aria-label="R² against samples in the fit. 50 samples: 0.20; 200 samples: 0.90"' in (
        drawing
    )
    assert charts.against_queries(curve[:2]) == ""


def test_the_curve_of_removals_shows_where_the_answer_turns():
    """A dot for each number of parts, and a line at the threshold where there is one."""
    drawing = charts.removal([2.0, 0.5, -1.0], 0.0)
    assert drawing.count('class="dot"') == 3
    assert "the answer turns" in drawing
    assert "the answer turns" not in charts.removal([2.0, 0.5, -1.0], None)
    assert charts.removal([1.0, 1.0], None).count('class="dot"') == 2


def test_a_dial_stays_within_its_line():
    """A surrogate that is worse than a constant stands at its beginning."""
    poor = charts.dial(replace(FAITH, value=-3.0, low=-9.0, high=0.1, additive=math.nan))
    assert 'cx="0.0%"' in poor
    assert 'class="other"' not in poor
    assert 'cx="90.0%"' in charts.dial(FAITH)


@pytest.mark.parametrize(
    ("value", "ceiling", "said"),
    [
        (0.9, None, "It speaks for the model."),
        (0.6, None, "Trust its strongest parts, not its details."),
        (0.6, 0.7, "It speaks for the model."),
        (0.1, None, "Do not lean on it."),
        (math.nan, None, "It was not measured, or cannot be."),
    ],
)
def test_how_sure_it_is_stands_at_the_top(explanation, value, ceiling, said):
    """In a sentence that follows the number, held against what can be known."""
    faith = replace(explanation.faithfulness, value=value, ceiling=ceiling)
    glance = element(render(replace(explanation, faithfulness=faith)), "section", "[^>]*glance.*?")
    assert said in glance


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.9, ["<p>0.90 near the whole prompt"]),
        (0.6, ['<p class="standing fair">Less so near the whole prompt: 0.60']),
        (-0.4, ['<p class="standing poor">Not so near the whole prompt: −0.40']),
        (math.nan, []),
    ],
)
def test_a_surrogate_that_fails_for_small_edits_says_so_at_the_top(explanation, value, said):
    """However good it is on the whole."""
    near = replace(explanation.faithfulness, value=value)
    glance = element(render(replace(explanation, near=near)), "section", "[^>]*glance.*?")
    assert re.findall("<p[^>]*>[^<]*near the whole prompt[^<]*", glance) == said


def test_a_log_odds_is_told_as_odds_too(explanation):
    """As people bet; another value is not."""
    source = replace(explanation.provenance, full=3.0, empty=-1.0)
    page = render(replace(explanation, provenance=source))
    assert "(20 to 1 for): the whole, as measured." in page
    source = replace(source, full=-0.1)
    assert "(1.1 to 1 against)" in render(replace(explanation, provenance=source))
    source = replace(source, meaning="a grade")
    assert " to 1 " not in render(replace(explanation, provenance=source))


def test_a_run_says_how_to_have_it_again(explanation):
    """Only one that has a spec to be rebuilt from."""
    assert "spex replay" not in render(explanation)
    assert "spex replay explanation.json" in render(replace(explanation, spec={"model": "local"}))
