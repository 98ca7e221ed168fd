"""Causes in words: each kind with its numbers, and nothing unconfirmed is said to be a cause."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from spex_api.claims import UNCHANGED, Arrangement, Kind, Trial
from spex_api.report import causes, machine, terminal
from spex_api.report.naming import Names
from tests.report.planted_causes import cause, explained, put_to_test
from tests.report.test_reports import Seen

THREE, SEVEN = (
    "documents[3] (“Note 3 of the handbook.”)",
    "documents[7] (“Note 7 of the handbook.”)",
)
NUMBERED = tuple(f"A sentence that is too long to be a name, number {place}." for place in range(9))


def told(found, flips, names=None) -> str:
    """The sentence of one cause."""
    whole = explained(put_to_test(found, flips=flips), *([names] if names else []))
    return causes.sentence(whole, found)


def shown(explanation) -> str:
    """What a console without colours prints, its lines joined."""
    console = Console(file=io.StringIO(), width=100, color_system=None)
    terminal.render(explanation, console)
    return " ".join(console.file.getvalue().split())


def test_one_part_alone():
    """What removing it does, beside the noise."""
    assert told(cause(Kind.ALONE, 3), {(3,): 9}) == (
        f"{THREE} brings it about alone (confirmed): removing it flips 9 of 10; unchanged 0 of 10."
    )


def test_parts_that_need_each_other():
    """Each is removed alone, and both are."""
    assert told(cause(Kind.TOGETHER, 3, 7), {(3,): 9, (7,): 8, (3, 7): 10}) == (
        f"{THREE} and {SEVEN} need each other (confirmed): removing documents[3] flips 9 of 10, "
        "removing documents[7] flips 8 of 10; removing both flips 10 of 10; unchanged 0 of 10."
    )
    three = told(cause(Kind.TOGETHER, 0, 3, 7), {(0,): 9, (3,): 9, (7,): 9})
    assert "need one another (confirmed)" in three
    assert "removing all" not in three


def test_redundant_parts():
    """Only both; either alone is told once where it is the same, and else by name."""
    assert told(cause(Kind.REDUNDANT, 3, 7), {(3,): 0, (7,): 0, (3, 7): 10}) == (
        f"Either {THREE} or {SEVEN} suffices (redundant, confirmed): removing both flips 10 of 10; "
        "either alone 0 of 10; unchanged 0 of 10."
    )
    differing = told(cause(Kind.REDUNDANT, 3, 7), {(3,): 0, (7,): 1, (3, 7): 10})
    assert "documents[3] alone 0 of 10; documents[7] alone 1 of 10;" in differing
    three = told(cause(Kind.REDUNDANT, 0, 3, 7), {(0, 3): 0, (0, 3, 7): 9})
    assert "Any of documents[0]" in three
    assert "removing all flips 9 of 10; removing documents[0] and documents[3] flips 0" in three


def test_a_suppressor():
    """It flips, but not where what it holds back is removed too."""
    found = cause(Kind.SUPPRESSOR, 3, 7, suppressors=(7,))
    assert told(found, {(7,): 9, (3, 7): 0, (3,): 1}) == (
        f"{SEVEN} holds back {THREE} (confirmed): removing documents[7] flips 9 of 10, but 0 of 10 "
        "where documents[3] is removed too; removing documents[3] alone flips 1 of 10; unchanged "
        "0 of 10."
    )


def test_a_position():
    """From where to where it was moved, and what removing it does."""
    moved = Arrangement(moved=((7, 0),))
    found = cause(Kind.POSITION, 7)
    assert told(found, {moved: 9, (7,): 10}) == (
        f"It is where {SEVEN} stands (confirmed): moved from documents[7] to documents[0], it "
        "flips 9 of 10; removing documents[7] flips 10 of 10; unchanged 0 of 10."
    )
    assert "moved to place 1, it flips 9 of 10" in told(found, {moved: 9}, NUMBERED)


def test_parts_that_suffice():
    """All others are left out, then one of them too, then everything."""
    others = tuple(each for each in range(10) if each not in (3, 7))
    found = cause(Kind.SUFFICIENT, 3, 7)
    whole = tuple(range(10))
    flips = {others: 1, (*others[:3], 3, *others[3:]): 9, whole: 10}
    assert told(found, flips) == (
        f"{THREE} and {SEVEN} suffice, whatever else is left out (confirmed): removing all others "
        "flips 1 of 10; and documents[3] too 9 of 10; with nothing left 10 of 10; unchanged 0 of "
        "10."
    )
    rows = causes.tried(explained(put_to_test(found, flips=flips)))
    assert [row.changed for row in rows[1:]] == [
        "with documents[3] and documents[7] alone",
        "with documents[7] alone",
        "with nothing left",
    ]


def test_a_way_of_their_own():
    """Every combination that was asked is told; in a terminal the table is too."""
    found = cause(Kind.MIXED, 1, 3, 7)
    flips = {(1,): 0, (3,): 9, (1, 3): 0, (1, 3, 7): 8}
    said = told(found, flips)
    assert "work in a way of their own (confirmed): removing documents[1] flips 0 of 10;" in said
    assert "removing documents[1] and documents[3] flips 0 of 10;" in said
    assert "without documents[1] and documents[3] 0 of 10" in shown(
        explained(put_to_test(found, flips=flips))
    )


@pytest.mark.parametrize("kind", Kind)
def test_what_was_not_confirmed_is_called_so(kind):
    """With its numbers, and how many of its claims hold; a trial that was not asked is not told."""
    found = cause(kind, 3, 7, confirmed=False, suppressors=(7,) if kind is Kind.SUPPRESSOR else ())
    said = told(found, {(3, 7): 4, (0, 1, 2, 4, 5, 6, 8, 9): 4})
    assert "not confirmed): " in said
    assert "4 of 10" in said
    assert said.endswith("unchanged 0 of 10. Of its 2 claims 1 is confirmed.")
    assert "None" not in said


def test_names_are_short_and_told_apart():
    """Short texts are names, equal ones say which, long ones are numbered from 1."""
    twice = explained(put_to_test(flips={}), ("not", "good", "not", NUMBERED[0], "x[0]: int"))
    names = Names.of(twice)
    assert names.short == ("“not” (1 of 2)", "“good”", "“not” (2 of 2)", "part 4", "“x[0]: int”")
    assert names.full(3) == f"part 4 (“{NUMBERED[0]}”)"
    assert names.full(0) == "“not” (1 of 2)"
    assert names.convention == "Parts are counted from 1."
    nameless = replace(twice, interactions=replace(twice.interactions, names=()))
    assert Names.of(nameless).full(1) == "part 2"


def test_addresses_are_names_where_all_have_one():
    """They count as Python does, and a long text is cut."""
    names = Names.of(
        explained(put_to_test(flips={}), ("q[0]: a b", "q[1]", "d[k][2]: " + "x" * 99))
    )
    assert names.short == ("q[0]", "q[1]", "d[k][2]")
    assert names.texts == ("a b", "", "x" * 99)
    assert names.full(1) == "q[1]"
    assert len(names.full(2)) == len("d[k][2] (“”)") + 60
    assert names.moved(2, 0) == "from d[k][2] to d[k][0]"
    assert names.convention == "Addresses count from 0, as Python does."


def test_where_nothing_is_confirmed_that_is_said_first():
    """Then what to do, then what was not confirmed."""
    found = cause(Kind.ALONE, 3, confirmed=False)
    nothing = explained(put_to_test(found, flips={(3,): 2}, advice="Ask for more answers."))
    said = "Nothing is confirmed: 1 cause was tested. Ask for more answers."
    assert causes.verdict(nothing.causes) == said
    assert f"Causes {said} - documents[3]" in shown(nothing)
    none = put_to_test(flips={}, advice="Split it otherwise.")
    assert causes.verdict(none) == "Nothing is confirmed. Split it otherwise."
    several = put_to_test(cause(Kind.ALONE, 1), cause(Kind.ALONE, 2), found, flips={})
    assert causes.verdict(several) == "2 causes are confirmed, 1 is not."


def test_outcome_noise_calls_and_alpha_are_told():
    """The line beneath says what the numbers mean."""
    said = causes.method(
        explained(put_to_test(cause(Kind.ALONE, 3), flips={UNCHANGED: 1, (3,): 9}))
    )
    assert said.startswith("Outcome: the answer says '25 days'. An answer is flipped where")
    assert "With everything in it holds of 9 of 10 answers" in said
    assert "The test took 20 answers" in said
    assert "with a probability of at most 5%." in said


def test_without_a_test_nothing_is_said():
    """No section, no sentence, and null for a machine."""
    plain = replace(explained(put_to_test(flips={})), causes=None)
    assert "Causes" not in shown(plain)
    assert 'id="causes"' not in plain.to_html()
    assert machine.told(plain)["causes"] is None
    assert causes.method(plain) == ""
    assert causes.tried(plain) == []


def test_the_page_has_sentences_and_a_table():
    """Near the top; every row and column of the table has a header."""
    found = cause(Kind.TOGETHER, 3, 7)
    whole = explained(put_to_test(found, cause(Kind.ALONE, 1, confirmed=False), flips={(3,): 9}))
    page = whole.to_html()
    assert page.index('id="causes"') < page.index("Strongest interactions")
    text = Seen(page).text
    assert causes.sentence(whole, found) in text
    assert causes.verdict(whole.causes) in text
    assert page.count('<th scope="row">') == len(whole.causes.trials) == 2
    assert '<th scope="row">without documents[3]</th><td class="number">9</td>' in page


def test_nothing_foreign_acts():
    """Hostile parts and a hostile outcome are text, in a page and on a terminal."""
    hostile = "documents[3]: <script>alert(1)</script> \x1b[31m\u202e [bold]x[/bold]"
    names = tuple(hostile if at == 3 else f"documents[{at}]: a" for at in range(5))
    bad = replace(
        put_to_test(cause(Kind.ALONE, 3), flips={(3,): 9}), outcome="<b>\x1b[1m", advice="<i>\x1b"
    )
    whole = explained(bad, names)
    page, printed = whole.to_html(), shown(whole)
    assert not {"b", "i"} & set(Seen(page).tags)
    assert Seen(page).tags.count("script") == 2  # the page's own facts and its script
    for text in (page, printed):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "[bold]x[/bold]" in printed


def test_a_machine_is_told_the_same():
    """Sentences, features and texts of each cause, the counts of each trial, and no answer."""
    found, other = (
        cause(Kind.SUPPRESSOR, 3, 7, suppressors=(7,)),
        cause(Kind.ALONE, 1, confirmed=False),
    )
    moved = Arrangement(moved=((7, 0),))
    whole = explained(put_to_test(found, other, flips={(7,): 9, moved: 2}, advice=""))
    told = json.loads(json.dumps(machine.told(whole)))["causes"]
    assert told["outcome"] == "the answer says '25 days'"
    (confirmed,) = told["confirmed"]
    assert confirmed == {
        "kind": "a suppressor",
        "features": [3, 7],
        "texts": ["Note 3 of the handbook.", "Note 7 of the handbook."],
        "sentence": causes.sentence(whole, found),
        "suppressors": [7],
    }
    assert [each["features"] for each in told["not_confirmed"]] == [[1]]
    assert told["trials"][2] == {
        "removed": [],
        "moved": [[7, 0]],
        "changed": "moved from documents[7] to documents[0]",
        "flipped": 2,
        "asked": 10,
    }
    assert (told["calls"], told["alpha"], told["advice"]) == (30, 0.05, "")


def test_a_trial_without_the_unchanged_one_says_so():
    """A number without its noise is no number."""
    found = cause(Kind.ALONE, 3)
    lone = replace(put_to_test(found, flips={}), trials=(Trial(Arrangement((3,)), 1, 10),))
    assert causes.sentence(explained(lone), found).endswith("unchanged was not asked.")
    assert "With everything in nothing was asked" in causes.method(explained(lone))
