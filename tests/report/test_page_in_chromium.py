"""The page in a real browser: it shows, computes, sorts, is walked by keyboard, and asks nobody."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import spex_api as spex
from spex_api.fidelity import Checkpoint
from spex_api.report.page import framed, render
from spex_api.transforms import FourierTransform
from tests.report.browser import chromium, visit
from tests.report.drawn_explanations import drawn, words

__all__ = ["chromium", "visit"]

TEXT = "her acting never fails to please good people and thin plots and cheap jokes"
NEVER, FAILS, GOOD, THIN, CHEAP = 2, 3, 6, 9, 12
VALUES = {
    (): -0.5,
    (NEVER,): -0.4,
    (FAILS,): -0.9,
    (NEVER, FAILS): 3.4,
    (THIN,): -1.1,
    (CHEAP,): -0.9,
    (THIN, CHEAP): 0.8,
    (GOOD,): 0.7,
    (NEVER, FAILS, GOOD): 0.6,
}
HOSTILE = "</script><script>alert(1)</script> <img/src=x onerror=alert(1)> \x1b[31mred \u202eolleh"


def planted(**changes) -> spex.Explanation:
    """A review whose surrogate is known, with half-widths for what is uncertain."""
    whole = drawn(VALUES, words(TEXT), order=3)
    faith = replace(
        whole.faithfulness,
        value=0.91,
        low=0.85,
        high=0.95,
        additive=0.4,
        within=0.75,
        exhaustive=False,
    )
    near = replace(faith, within=0.25)
    curve = (Checkpoint(50, replace(faith, value=0.5, low=0.3, high=0.6)), Checkpoint(200, faith))
    source = replace(whole.provenance, meaning="log-odds of 'yes' over 'no', in nats")
    return replace(whole, faithfulness=faith, near=near, curve=curve, provenance=source, **changes)


def large(num_features: int = 1000, num_terms: int = 2000) -> spex.Explanation:
    """A long prompt with many interactions."""
    rng = np.random.default_rng(0)
    vocabulary = ["the", "model", "never", "fails", "because", "two", "masks"]
    prompt = words(" ".join(rng.choice(vocabulary, num_features)))
    terms = {(): 0.1}
    while len(terms) < num_terms:
        support = set(rng.integers(0, num_features, rng.integers(1, 4)).tolist())
        terms[tuple(sorted(support))] = float(rng.laplace())
    transform = FourierTransform(terms, num_features)
    found = spex.interactions(transform, "FBII", 3, names=prompt.features)
    return replace(planted(), prompt=prompt, transform=transform, interactions=found)


@pytest.fixture(scope="module")
def page() -> str:
    """The planted review as a page."""
    return render(planted())


def test_pointing_at_a_part_shows_its_partners(page, visit):
    """Partners are marked and joined by arcs; value, interval and synergy are told in words."""
    seen = visit(page)
    assert "never + fails" in seen.page.locator("#inspect").inner_text()
    seen.part(NEVER).hover()
    seen.settle()
    assert sorted(seen.names(".partner")) == [FAILS, GOOD]
    assert seen.names(".here") == [NEVER]
    assert seen.page.locator(".arcs path:not(.halo)").count() == 2
    told = seen.page.locator("#inspect").inner_text()
    assert "never" in told
    assert "fails" in told
    assert "+3.40" in told
    assert "+3.15 … +3.65" in told
    assert "Synergy: together it is 3.40 higher than the two alone add up to." in told
    assert "All 3 together: 0.60 higher" in told
    assert "+3.40" in seen.page.locator(".badge").all_text_contents()
    seen.page.locator("h1").hover()
    seen.settle()
    assert seen.names(".partner") == []
    assert seen.page.locator(".arcs path").count() == 0


def test_redundancy_is_told_in_words(page, visit):
    """Of two parts that go the same way and less together it says that one is superfluous."""
    seen = visit(page)
    seen.part(THIN).hover()
    seen.settle()
    told = seen.page.locator("#inspect").inner_text()
    assert "Redundancy: each makes the other partly superfluous, together 0.80 less." in told
    assert "Alone −1.10 and −0.90, both −1.20." in told


def test_what_may_be_nothing_does_not_stand_before_what_is_sure(visit):
    """A pair whose interval holds zero is listed, and joined by an arc only where it is alone."""
    values = {(NEVER, FAILS): 3.0, (NEVER, THIN): 0.1, (GOOD, CHEAP): -0.1}
    seen = visit(render(drawn(values, words(TEXT))))
    seen.part(NEVER).hover()
    seen.settle()
    assert seen.names(".partner") == [FAILS]
    told = seen.page.locator("#inspect").inner_text()
    assert "thin" in told
    assert "Its interval holds 0: it may be nothing." in told
    seen.part(CHEAP).hover()
    seen.settle()
    assert seen.names(".partner") == [GOOD]
    assert seen.page.locator(".arcs path.unsure").count() == 1


def test_a_click_holds_a_part(page, visit):
    """What is held stays when the pointer leaves, until it is let go."""
    seen = visit(page)
    seen.part(NEVER).click()
    seen.page.locator("h1").hover()
    seen.settle()
    assert seen.names("[aria-current=true]") == [NEVER]
    assert FAILS in seen.names(".partner")
    seen.page.keyboard.press("Escape")
    seen.page.locator("h1").hover()
    seen.page.evaluate("document.activeElement.blur()")
    seen.settle()
    assert seen.names("[aria-current=true]") == []
    assert seen.names(".partner") == []


def test_taking_parts_out_moves_the_prediction_to_that_of_predict(page, visit):
    """Whatever is out, the page predicts what the explanation does, to the last digits."""
    explanation, seen = planted(), visit(page)
    count = explanation.transform.num_features
    seen.page.get_by_role("button", name="Take out", exact=True).click()
    mask = np.ones(count, dtype=np.uint8)
    rng = np.random.default_rng(0)
    assert seen.prediction() == pytest.approx(explanation.predict([mask])[0], rel=1e-12)
    for feature in rng.integers(0, count, 25).tolist():
        seen.part(feature).click()
        mask[feature] ^= 1
        assert seen.prediction() == pytest.approx(explanation.predict([mask])[0], rel=1e-12)
        assert sorted(seen.names(".out")) == np.flatnonzero(mask == 0).tolist()


def test_a_prediction_says_how_sure_it_is(page, visit):
    """With one to three parts out by what was measured near the whole prompt, else by all."""
    seen = visit(page)
    give = seen.page.locator("#give")
    assert give.inner_text() == "± 0.75"
    seen.part(0).focus()
    for place in range(4):
        seen.page.keyboard.press("Space")
        assert give.inner_text() == ("± 0.25" if place < 3 else "± 0.75")
        seen.page.keyboard.press("ArrowRight")
    unknown = replace(planted().faithfulness, within=None)
    seen = visit(render(replace(planted(), faithfulness=unknown, near=None)))
    assert seen.page.locator("#give").inner_text() == ""
    assert "not known" in seen.page.locator("#told").inner_text()


def test_shares_of_answers_are_predicted_as_shares(visit):
    """Where values are shares, the surrogate's log-odds are told as a share."""
    shares = replace(planted().faithfulness, of_shares=True, within=0.1)
    explanation = replace(planted(), faithfulness=shares, near=None)
    seen = visit(render(explanation))
    whole = explanation.predict([[1] * explanation.transform.num_features])[0]
    expected = 1 / (1 + np.exp(-whole))
    assert seen.prediction() == pytest.approx(expected, rel=1e-12)
    assert seen.page.locator("#now").inner_text() == f"{100 * expected:.0f} %"
    assert seen.page.locator("#give").inner_text() == "± 10 points"


def test_sets_are_a_click_away(page, visit):
    """Everything out, everything back, and the sets that decide, each with its prediction."""
    explanation, seen = planted(), visit(page)
    count = explanation.transform.num_features

    def press(name: str) -> float:
        seen.page.get_by_role("button", name=name).click()
        return seen.prediction()

    nothing, whole = explanation.predict([[0] * count, [1] * count])
    assert press("Take all out") == pytest.approx(nothing)
    assert press("Put all back") == pytest.approx(whole)
    assert press("Take out the flip set") < 0 < whole
    assert press("Keep only the sufficient set") > 0
    assert len(seen.names(".out")) > count / 2


def test_the_prompt_is_walked_by_keyboard(page, visit):
    """One stop for the tab key; arrows, Home and End move, Enter holds, Space takes out."""
    explanation, seen = planted(), visit(page)
    assert seen.page.locator(".turns [tabindex='0']").count() == 1
    here = "Number(document.activeElement.dataset.f)"
    seen.part(0).focus()
    walked = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft"):
        seen.page.keyboard.press(key)
        walked.append(seen.page.evaluate(here))
    last = explanation.transform.num_features - 1
    assert walked == [1, 2, 1, last, last, 0, 0]
    assert seen.page.locator(".turns [tabindex='0']").count() == 1
    seen.page.keyboard.press("ArrowRight")
    seen.page.keyboard.press("ArrowRight")
    seen.page.keyboard.press("Enter")
    seen.page.keyboard.press("Space")
    seen.settle()
    assert seen.part(NEVER).get_attribute("aria-current") == "true"
    assert seen.part(NEVER).get_attribute("aria-pressed") == "true"
    assert "fails" in seen.page.locator("#inspect").inner_text()
    spoken = seen.page.get_by_role("status")
    spoken.filter(has_text=re.compile("Predicted .* 1 part out")).wait_for()
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.dataset.f") is None


def test_tables_are_sorted_and_filtered(page, visit):
    """By any column and either way, and by what the parts say."""
    seen = visit(page)
    table = seen.page.locator("table[data-order='1']")

    def column(place: int) -> list[str]:
        return table.locator(f"tbody td:nth-child({place})").all_inner_texts()

    sizes = [abs(float(value.replace("−", "-"))) for value in column(2)]
    assert sizes == sorted(sizes, reverse=True)
    header = table.get_by_role("button", name="Parts")
    header.click()
    assert column(1) == sorted(column(1))
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    header.click()
    assert column(1) == sorted(column(1), reverse=True)
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    seen.page.get_by_label("Show only those with").fill("NEVER")
    assert column(1) == ["never"]
    assert seen.page.locator("#matches").inner_text() == "4 matches"
    rows = seen.page.locator("table[data-order='2'] tbody tr")
    assert rows.all_inner_texts()[0].split("\t")[0] == "never + fails"
    rows.first.get_by_role("button").click()
    seen.page.locator("h1").hover()
    seen.settle()
    assert seen.names("[aria-current=true]") == [NEVER]


def test_a_thousand_parts_are_ready_within_two_seconds(visit):
    """From the address to the last listener, with two thousand terms and all their interactions."""
    explanation = large()
    seen = visit(render(explanation))
    assert seen.page.evaluate("document.documentElement.dataset.ready") == "true"
    loaded = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    assert 0 < seen.page.evaluate(loaded) < 2000
    seen.part(500).click()
    seen.page.keyboard.press("Space")
    mask = np.ones(1000, dtype=np.uint8)
    mask[500] = 0
    assert seen.prediction() == pytest.approx(explanation.predict([mask])[0], rel=1e-9)
    shown = "document.querySelector('.scroll').scrollTop"
    before = seen.page.evaluate(shown)
    seen.page.locator(".map").click(position={"x": 5, "y": 5})
    seen.page.wait_for_function(f"{shown} < {before}")
    table = seen.page.locator("table[data-order='1']")
    assert table.locator("tbody tr").count() == 25
    seen.page.get_by_role("button", name="Show 250 more").first.click()
    assert table.locator("tbody tr").count() == 275
    assert seen.complaints == []


def test_what_is_hostile_stays_inert(visit):
    """Texts, names, a model and warnings that are markup or control characters do nothing."""
    whole = drawn({(0,): 1.0, (0, 1): 2.0}, words(HOSTILE))
    source = replace(
        whole.provenance, model=HOSTILE, meaning=HOSTILE, warnings=(HOSTILE,), served={HOSTILE: 1}
    )
    names = (HOSTILE,) * whole.transform.num_features
    found = replace(whole.interactions, names=names)
    html = render(replace(whole, provenance=source, interactions=found))
    seen = visit(html)
    dialogs = []
    seen.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for feature in (0, 1):
        seen.part(feature).hover()
        seen.part(feature).click()
        seen.settle()
    assert seen.page.locator("img").count() == 0
    assert seen.page.locator("script").count() == 2
    assert (dialogs, seen.requests, seen.violations, seen.complaints) == ([], [], [], [])
    shown = seen.page.locator("body").inner_text()
    assert "<img/src=x onerror=alert(1)>" in shown
    assert not {"\x1b", "\u202e"} & set(html + seen.page.content())


@pytest.mark.parametrize(
    "settings",
    [
        {"color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 844}, "has_touch": True},
        {"reduced_motion": "reduce"},
    ],
    ids=["dark", "phone", "calm"],
)
def test_it_is_quiet_however_it_is_seen(page, visit, settings):
    """No request, no complaint, nothing forbidden, and nothing wider than the window."""
    seen = visit(page, **settings)
    seen.part(NEVER).hover()
    seen.page.get_by_role("button", name="Take all out").click()
    seen.settle()
    assert (seen.requests, seen.violations, seen.complaints) == ([], [], [])
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert seen.page.evaluate(wide) <= 0


def test_it_is_printed_whole(page, visit):
    """On paper there are no controls, and nothing is hidden in a box that scrolls."""
    seen = visit(page)
    seen.page.emulate_media(media="print")
    assert not seen.page.get_by_role("button", name="Take all out").is_visible()
    assert not seen.page.locator(".panel").is_visible()
    assert seen.page.locator(".scroll").evaluate("box => box.scrollHeight - box.clientHeight") <= 0
    assert seen.page.pdf(format="A4").startswith(b"%PDF")
    assert seen.complaints == []


def test_it_is_read_without_its_script(page, visit):
    """Prompt, tables, sets and charts are there; what cannot work is not."""
    seen = visit(page, java_script_enabled=False)
    shown = seen.page.locator("body").inner_text()
    for said in ("never + fails", "+3.400", "The few that decide", "How sure is it?"):
        assert said in shown
    assert "Take all out" not in shown
    assert seen.page.locator("svg.chart").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page, visit, scheme):
    """With a part held, another one taken out, and everything else as it is at first."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    seen = visit(page, color_scheme=scheme, reduced_motion="reduce")
    seen.part(NEVER).click()
    seen.part(THIN).click()
    seen.page.keyboard.press("Space")
    seen.settle()
    found = axe.Axe().run(seen.page).response["violations"]
    serious = {
        fault["id"]: [node["html"] for node in fault["nodes"]][:3]
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    }
    assert serious == {}


def test_a_notebook_has_the_core_in_a_frame(visit):
    """The frame runs the script of the page and nothing else's."""
    seen = visit(f"<!doctype html><title>A notebook</title>{framed(planted())}")
    frame = seen.page.frame_locator("iframe")
    frame.locator(f"[data-f='{NEVER}']").hover()
    frame.locator(f"[data-f='{FAILS}'].partner").wait_for()
    assert seen.page.locator("iframe").get_attribute("sandbox") == "allow-scripts"
    assert frame.locator("table.interactions").count() == 3
    assert frame.locator("dl").count() == 0
    assert (seen.requests, seen.complaints) == ([], [])
