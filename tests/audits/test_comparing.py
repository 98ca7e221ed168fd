"""Two audits are compared case by case, and chance is told from change."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from spex_api.audited import Audit, Audited, Finding, Standing
from spex_api.audits.auditing import audit_sync
from spex_api.audits.comparing import compare_audits
from spex_api.cli import audit_comparison
from spex_api.decoding import SpectralGP
from spex_api.errors import UsageError
from spex_api.indices import Interval
from spex_api.interaction_changes import Fate
from spex_api.querying.answers.memory import MemoryStore
from spex_api.querying.budget import Budget
from spex_api.testing import FunctionAdapter
from tests.audits.played import SETTINGS, opinion, rows


def turned(messages):
    """A later model, to which what was good is bad."""
    said = str(messages[-1].content)
    return opinion([replace(messages[-1], content=said.replace("good", "bad"))])


@pytest.fixture(scope="module")
def audits():
    """The same cases by two models."""
    settings = {**SETTINGS, "decoder": SpectralGP(), "most": 60, "budget": Budget(260)}
    given = [{**row, "text": "good plot never dull cast"} for row in rows(3)]
    models = (FunctionAdapter(opinion), FunctionAdapter(turned))
    return [audit_sync(given, model, store=MemoryStore(), **settings) for model in models]


def test_an_audit_has_not_changed_from_itself(audits):
    """Every interaction is within its intervals, and the summary says so."""
    found = compare_audits(audits[0], audits[0])
    assert found.num_changes == 0
    assert found.counts[Fate.WITHIN] > 0
    assert (found.only_before, found.only_after) == ((), ())
    assert "not clearly more than chance alone" in found.summary


def test_another_model_shows(audits):
    """In each case, more often than chance would."""
    found = compare_audits(*audits)
    assert all(case.changes for case in found.cases)
    assert found.num_changes > 2 * found.by_chance > 0
    assert ": more than chance alone" in found.summary
    total = sum(count for fate, count in found.counts.items() if fate is not Fate.UNTOLD)
    assert 0.0 <= found.by_chance <= 0.1 * total


def test_cases_are_matched_by_their_names(audits):
    """What only one has is listed; without any in common there is nothing to compare."""
    before = audits[0]
    last = replace(before.cases[-1], case_id="another")
    found = compare_audits(before, replace(before, cases=(*before.cases[:-1], last)))
    assert (found.only_before, found.only_after) == (("case 2",), ("another",))
    assert len(found.cases) == 2
    with pytest.raises(UsageError, match="no case in common"):
        compare_audits(before, replace(before, cases=(last,)))


def test_a_case_that_failed_is_told(audits):
    """It is not compared, and the others are."""
    before = audits[0]
    failed = Audited("case 0", {}, Standing.FAILED, None, "It was refused.")
    found = compare_audits(before, replace(before, cases=(failed, *before.cases[1:])))
    (lost,) = [case for case in found.cases if case.comparison is None]
    assert lost.why_not == "The second audit has no explanation of it: It was refused."
    assert "1 of 3 prompts that both have cannot be compared." in found.warnings


def test_what_became_of_findings(audits):
    """By their own intervals; what only one tells has appeared or vanished."""

    def finding(name, low=None, high=None):
        interval = None if low is None else Interval(low, high)
        return Finding("text", (name,), value=low or 0.0, interval=interval)

    before = [finding("a", 1, 2), finding("b", 1, 2), finding("c", 1, 2), finding("d")]
    before += [finding("e", -1, 1)]
    after = [finding("a", 1.5, 3), finding("b", 3, 4), finding("new", 1, 2), finding("d")]
    after += [finding("e", 2, 3)]
    old, new = (replace(audits[0], findings=tuple(each)) for each in (before, after))
    fates = {each.told.parts[0]: each.fate for each in compare_audits(old, new).findings}
    assert fates == {
        "a": Fate.WITHIN,
        "b": Fate.CHANGED,
        "c": Fate.VANISHED,
        "d": Fate.UNTOLD,
        "e": Fate.APPEARED,
        "new": Fate.APPEARED,
    }


def test_it_is_told_to_people_and_machines(audits):
    """The summary first; names of others act on no terminal."""
    hostile = [
        replace(audit, cases=(replace(audit.cases[0], case_id="\u202e[b]x"), *audit.cases[1:]))
        for audit in audits
    ]
    found = compare_audits(*hostile)
    console = Console(record=True, width=100, file=io.StringIO())
    audit_comparison.render(found, console)
    printed = console.export_text()
    assert printed.startswith("Of ")
    assert "[b]x" in printed
    assert "\u202e" not in printed
    told = json.loads(json.dumps(audit_comparison.told(found)))
    assert set(told) >= {"summary", "counts", "by_chance", "findings", "cases", "warnings"}
    assert len(told["cases"]) == 3


def test_an_empty_audit_is_compared_with_nothing():
    """There is no case in it."""
    with pytest.raises(UsageError, match="no case in common"):
        compare_audits(Audit(()), Audit(()))
