"""The page over all cases of an audit: what it tells, and what a browser does with it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from spex_api.audited import Audit, Audited, Finding, Standing
from spex_api.indices import Interval
from spex_api.provenance import Cost
from spex_api.report.index_page import render
from tests.report.browser import chromium, visit
from tests.report.drawn_explanations import drawn, words

__all__ = ["chromium", "visit"]

HOSTILE = "</script><script>alert(1)</script> <img/src=x onerror=alert(1)> \x1b[31mred \u202eolleh"
TEXTS = ("never slow", "slow food", "good food", "never good")
FAITHFUL = (0.95, 0.7, 0.3, -0.2)


def case(number: int, *, faithful: float = 0.9, standing=Standing.REACHED, **columns) -> Audited:
    """A case with a text of its own."""
    text = TEXTS[number % len(TEXTS)]
    whole = drawn({(0,): -0.5 - number, (0, 1): 0.25}, words(text))
    faith = replace(whole.faithfulness, value=faithful, low=faithful - 0.1, high=faithful + 0.05)
    cost = Cost(100 + number, 1000, 100, 0.01)
    explanation = replace(whole, faithfulness=faith, usage=cost)
    return Audited(f"case-{number}", {"text": text, **columns}, standing, explanation)


def audit(**changes) -> Audit:
    """Eight cases, one of them failed, with a finding of each sort."""
    cases = [
        case(
            number,
            faithful=FAITHFUL[number % 4],
            standing=Standing.HOPELESS if number % 4 > 1 else Standing.REACHED,
            gender="female" if number % 2 else "male",
        )
        for number in range(7)
    ]
    failed = Audited(
        "case-7", {"text": "x", "gender": "female"}, Standing.FAILED, None, "The endpoint refused."
    )
    findings = (
        Finding(
            "text", ("never",), {}, 7, 5, -1.5, Interval(-2.0, -1.0), None, ("case-0",), None, 9
        ),
        Finding("text", ("food", "slow"), {}, 6, 4, 0.5, Interval(0.25, 0.75), looked_at=9),
        Finding("gender", ("{gender}",), {}, 7, 0, 0.1, Interval(-0.25, 0.5), looked_at=9),
        Finding(
            "text",
            ("never",),
            {"gender": "female"},
            5,
            4,
            -2.5,
            Interval(-3.0, -2.0),
            -0.5,
            ("case-1", "case-3"),
            Interval(-2.75, -1.25),
            9,
        ),
    )
    whole = Audit((*cases, failed), findings, Cost(721, 7000, 700, 0.07), ending="All ended.")
    return replace(whole, **changes)


@pytest.fixture(scope="module")
def page() -> str:
    """The page of these."""
    return render(audit())


def column(seen, place: int) -> list[str]:
    """What a column of the table of cases says."""
    return seen.page.locator(f"#listing tbody tr > :nth-child({place})").all_inner_texts()


def test_every_explanation_is_linked(page):
    """By the folder of its case, relative to the page; what failed has no report."""
    links = set(re.findall(r'href="([^"]*)"', page))
    assert links == {f"cases/case-{number}/report.html" for number in range(7)}


def test_links_of_foreign_ids_lead_nowhere_else():
    """An id that is a path, or markup, is a folder beside the others."""
    cases = tuple(replace(case(0), case_id=each) for each in ("../../x", '"><b>', "a\nb", "\ud800"))
    links = re.findall(r'href="([^"]*)"', render(audit(cases=cases, findings=())))
    assert len(set(links)) == 4
    assert all(re.fullmatch("cases/[a-z0-9_-]+/report.html", link) for link in links)


def test_the_poor_and_the_failed_are_counted(page):
    """How many are below 0.5, account for nothing, or failed, and what part they have."""
    shown = re.sub("<[^>]*>", "", page)
    assert "Of 8 cases 2 explanations account for less than half" in shown
    assert "1 accounts for nothing, and has no part in the findings" in shown
    assert "1 has no explanation at all" in shown
    assert "The endpoint refused." in shown
    worst = re.findall(r'<li><a href="cases/([^/]*)', page)
    assert worst[:3] == ["case-3", "case-2", "case-6"]


def test_where_all_is_well_that_is_said():
    """The section is there in any case, with the least faithful ones."""
    html = render(audit(cases=tuple(case(number) for number in range(3)), findings=()))
    assert "All 3 explanations account for at least half" in html
    assert "The least faithful" in html


def test_findings_are_told_with_their_intervals(page):
    """Value, interval, how often, how they are corrected; a slice beside the rest."""
    shown = " ".join(re.sub("<[^>]*>", " ", page).split())
    for said in (
        "−2.000 … −1.000",
        "5 of 7 cases",
        "9 means and differences were looked at",
        "gender = female",
        "−2.750 … −1.250",
        "the column gender; not shown to matter",
    ):
        assert said in shown


def test_an_audit_without_findings_says_so():
    """Neither cases nor findings leave a page that says what there is."""
    html = render(audit(findings=()))
    assert "chance would not show as much" in html
    assert 'id="slices"' not in html
    empty = render(Audit(()))
    assert "0 <span" in empty


def test_where_no_case_has_intervals_none_is_called_strong():
    """A decoder that cannot tell how sure it is leaves only in how many cases the parts stand."""
    one = case(0)
    untold = replace(one.explanation.interactions, intervals={})
    bare = replace(one, explanation=replace(one.explanation, interactions=untold))
    html = render(audit(cases=(bare,)))
    assert "Strong in" not in html
    assert ">7 cases<" in html


def test_the_same_audit_is_the_same_page(page):
    """To the byte: nothing in it depends on the day."""
    assert render(audit()) == page


def test_costs_and_a_replay_are_told():
    """Requests, tokens, dollars, how it ended, and how to have it again."""
    shown = re.sub("<[^>]*>", " ", render(audit(spec={"model": "local"}, complete=False)))
    for said in ("721", "7,000 tokens in", "0.07 dollars", "All ended.", "spex replay"):
        assert said in shown
    assert "Not every case came to its end." in shown


def test_cases_are_chosen_by_words_and_by_columns(page, visit):
    """Any words of a case, how it ended, its faithfulness, and the levels of a column."""
    seen = visit(page)
    status = seen.page.locator("#matches")
    assert status.inner_text() == "8 cases"
    seen.page.get_by_label("Search").fill("SLOW food")
    seen.settle()
    assert column(seen, 1) == ["case-1", "case-5"]
    assert status.inner_text() == "2 of 8 cases"
    seen.page.get_by_role("button", name="Clear").click()
    seen.page.get_by_label("Ended").select_option("more answers did not help")
    assert column(seen, 1) == ["case-2", "case-3", "case-6"]
    seen.page.get_by_label("gender").select_option("male")
    assert column(seen, 1) == ["case-2", "case-6"]
    seen.page.get_by_role("button", name="Clear").click()
    seen.page.get_by_label("Faithfulness").select_option("none")
    assert column(seen, 1) == ["case-7"]
    assert "The endpoint refused." in column(seen, 5)[0]


def test_cases_are_sorted_by_any_column(page, visit):
    """Either way, by keyboard as well; what has no value comes first or last."""
    seen = visit(page)
    head = seen.page.locator("#listing thead")
    head.get_by_role("button", name="Faithfulness").focus()
    seen.page.keyboard.press("Enter")
    assert column(seen, 1)[:2] == ["case-7", "case-3"]
    seen.page.keyboard.press("Enter")
    assert column(seen, 1)[0] == "case-0"
    assert head.locator("[aria-sort]").get_attribute("aria-sort") == "descending"
    head.get_by_role("button", name="Strongest").click()
    assert column(seen, 1)[0] == "case-6"
    head.get_by_role("button", name="Requests").click()
    assert column(seen, 6)[0] == "106"
    head.get_by_role("button", name="gender").click()
    assert column(seen, 2) == ["female"] * 4 + ["male"] * 4
    head.get_by_role("button", name="Case").click()
    assert column(seen, 1) == [f"case-{number}" for number in range(8)]


def test_a_finding_leads_to_its_cases(page, visit):
    """Its words are sought, and of a slice its level is chosen."""
    seen = visit(page, reduced_motion="reduce")
    seen.page.locator(".findings").nth(2).get_by_role("button", name="never").click()
    assert seen.page.get_by_label("Search").input_value() == "never"
    assert seen.page.get_by_label("gender").input_value() == "female"
    assert column(seen, 1) == ["case-3"]
    seen.page.locator(".findings").first.get_by_role("button", name="never").click()
    assert column(seen, 1) == ["case-0", "case-3", "case-4"]


def test_a_thousand_cases_are_shown_piece_by_piece(visit):
    """A hundred first, then more; what is sought is found among all of them."""
    one = case(0)
    cases = tuple(replace(one, case_id=f"n{number}") for number in range(1000))
    seen = visit(render(audit(cases=cases, findings=())))
    assert seen.page.locator("#listing tbody tr").count() == 100
    seen.page.get_by_role("button", name="Show 250 more of 900").click()
    assert seen.page.locator("#listing tbody tr").count() == 350
    assert seen.page.evaluate("document.activeElement.innerText") == "n100"
    seen.page.get_by_label("Search").fill("n999")
    seen.settle()
    assert column(seen, 1) == ["n999"]
    assert not seen.page.locator("#more").is_visible()
    assert (seen.requests, seen.violations, seen.complaints) == ([], [], [])


def test_long_tables_are_folded(visit):
    """Twelve rows first; a button, and paper, show all of them."""
    finding = audit().findings[0]
    many = tuple(replace(finding, parts=(f"word{number}",)) for number in range(30))
    seen = visit(render(audit(findings=many)))
    rows = seen.page.locator(".findings tbody tr")
    assert [rows.nth(place).is_visible() for place in (11, 12)] == [True, False]
    seen.page.emulate_media(media="print")
    assert rows.nth(29).is_visible()
    seen.page.emulate_media(media="screen")
    seen.page.get_by_role("button", name="Show all 30").click()
    assert rows.nth(29).is_visible()


def test_what_is_hostile_stays_inert(visit):
    """Ids, columns, names, levels, errors and findings that are markup do nothing."""
    whole = drawn({(0,): 1.0, (0, 1): 2.0}, words(HOSTILE))
    source = replace(whole.provenance, model=HOSTILE, meaning=HOSTILE, served={HOSTILE: 1})
    bad = replace(whole, provenance=source)
    cases = [
        Audited(f"{HOSTILE}{number}", {HOSTILE: f"{number % 2}<b>"}, Standing.REACHED, bad)
        for number in range(5)
    ]
    cases.append(Audited("7", {HOSTILE: "1<b>"}, Standing.FAILED, None, HOSTILE))
    finding = replace(
        audit().findings[3],
        kind=HOSTILE,
        parts=(HOSTILE, "<b>"),
        among={HOSTILE: "1<b>"},
        strongest=(cases[0].case_id,),
    )
    findings = (finding, replace(finding, among={}, apart=None, rest=None))
    html = render(Audit(tuple(cases), findings, ending=HOSTILE, version=HOSTILE))
    seen = visit(html)
    dialogs = []
    seen.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    seen.page.get_by_label("Search").fill("script")
    seen.page.locator("select[data-column]").first.select_option("1<b>")
    seen.settle()
    assert len(column(seen, 1)) == 3
    assert seen.page.locator("img, main b b").count() == 0
    assert seen.page.locator("script").count() == 2
    assert (dialogs, seen.requests, seen.violations, seen.complaints) == ([], [], [], [])
    assert not {"\x1b", "\u202e"} & set(html + seen.page.content())


@pytest.mark.parametrize(
    "settings",
    [
        {"color_scheme": "dark"},
        {"viewport": {"width": 390, "height": 844}, "has_touch": True},
        {"viewport": {"width": 800, "height": 600}, "reduced_motion": "reduce"},
    ],
    ids=["dark", "phone", "tablet"],
)
def test_it_is_quiet_however_it_is_seen(page, visit, settings):
    """No request, no complaint, nothing forbidden, and nothing wider than the window."""
    seen = visit(page, **settings)
    seen.page.get_by_label("Search").fill("food")
    seen.settle()
    assert (seen.requests, seen.violations, seen.complaints) == ([], [], [])
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert seen.page.evaluate(wide) <= 0


def test_it_is_read_without_its_script(page, visit):
    """Findings, slices and cases are there; what cannot work is not."""
    seen = visit(page, java_script_enabled=False)
    shown = seen.page.locator("body").inner_text()
    for said in ("never", "gender = female", "case-6", "What is known worst"):
        assert said in shown
    assert not seen.page.get_by_label("Search").is_visible()
    assert seen.page.locator("#listing tbody tr").count() == 8


def test_with_and_without_its_script_it_says_the_same(page, visit):
    """The rows that the script draws are those that stand in the page."""
    plain, scripted = visit(page, java_script_enabled=False), visit(page)
    for place in range(1, 7):
        assert column(plain, place) == column(scripted, place)


def test_it_is_printed_whole(page, visit):
    """On paper there are no controls."""
    seen = visit(page)
    seen.page.emulate_media(media="print")
    assert not seen.page.get_by_label("Search").is_visible()
    assert seen.page.pdf(format="A4").startswith(b"%PDF")
    assert seen.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page, visit, scheme):
    """With cases chosen and sorted."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    seen = visit(page, color_scheme=scheme, reduced_motion="reduce")
    seen.page.get_by_label("gender").select_option("female")
    seen.page.locator("#listing thead").get_by_role("button", name="Requests").click()
    found = axe.Axe().run(seen.page).response["violations"]
    serious = {
        fault["id"]: [node["html"] for node in fault["nodes"]][:3]
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    }
    assert serious == {}


def test_faithfulness_that_is_no_number_is_no_bar(visit):
    """It is said that it cannot be measured, with and without the script."""
    one = case(0)
    faith = replace(one.explanation.faithfulness, value=np.nan, low=np.nan, high=np.nan)
    odd = replace(one, explanation=replace(one.explanation, faithfulness=faith))
    html = render(audit(cases=(odd, case(1))))
    assert "not measurable" in html
    assert "NaN" not in html
    assert column(visit(html), 3)[0] == "not measurable"
