"""A comparison of two audits, on a terminal and as one object for machines.

What this module does not know: how cases were matched, and when a change counts as one.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from spex_api.cli import comparison
from spex_api.interaction_changes import Fate
from spex_api.report.naming import excerpt
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from rich.console import Console

    from spex_api.audited import Finding
    from spex_api.audits.comparing import AuditComparison, FindingChange
    from spex_api.completions import JsonObject

__all__ = ["render", "told"]

_ROWS: Final = 10
_LONGEST: Final = 60


def render(found: AuditComparison, console: Console) -> None:
    """Prints what changed: the summary first, then findings, then the cases that changed most."""
    console.print(Text(found.summary, style="bold"))
    for warning in found.warnings:
        console.print(Text(harmless(f"Beware: {warning}")))
    for names, which in ((found.only_before, "first"), (found.only_after, "second")):
        if names:
            shown = ", ".join(excerpt(name, _LONGEST) for name in names[:_ROWS])
            console.print(Text(harmless(f"Only in the {which}: {len(names):,} ({shown})")))
    _print_findings(found, console)
    _print_cases(found, console)


def told(found: AuditComparison) -> JsonObject:
    """The comparison as one JSON object."""
    return {
        "summary": found.summary,
        "counts": {str(fate): found.counts.get(fate, 0) for fate in Fate},
        "by_chance": found.by_chance,
        "only_before": list(found.only_before),
        "only_after": list(found.only_after),
        "findings": [
            {
                "fate": str(each.fate),
                "before": each.before and _finding(each.before),
                "after": each.after and _finding(each.after),
            }
            for each in found.findings
        ],
        "cases": [
            {
                "id": case.case_id,
                "why_not": case.why_not,
                "comparison": case.comparison and comparison.told(case.comparison),
            }
            for case in found.cases
        ],
        "warnings": list(found.warnings),
    }


def _finding(finding: Finding) -> JsonObject:
    return asdict(finding)


def _print_findings(found: AuditComparison, console: Console) -> None:
    if not found.findings:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("finding", overflow="fold")
    table.add_column("")
    for name in ("before", "now"):
        table.add_column(name, justify="right")
    for each in found.findings[:_ROWS]:
        table.add_row(_name(each), str(each.fate), _value(each.before), _value(each.after))
    console.print()
    console.print(table)
    if len(found.findings) > _ROWS:
        console.print(f"… and {len(found.findings) - _ROWS} more; --json has all.", style="dim")


def _print_cases(found: AuditComparison, console: Console) -> None:
    changed = [case for case in found.cases if case.changes]
    for case in changed[:_ROWS]:
        console.print()
        console.print(Text(harmless(excerpt(case.case_id, _LONGEST)), style="bold"))
        for change in case.changes[:3]:
            before, after = (
                "not there" if value is None else f"{value:+.3f}" for value in change.values
            )
            named = excerpt(" + ".join(change.names), _LONGEST)
            console.print(Text(harmless(f"- {named} {change.fate}: {before} → {after}")))
        if len(case.changes) > 3:
            console.print(f"  and {len(case.changes) - 3} more", style="dim")
    if len(changed) > _ROWS:
        console.print(f"… and {len(changed) - _ROWS} more prompts; --json has all.", style="dim")
    for case in [case for case in found.cases if case.comparison is None][:_ROWS]:
        console.print(Text(harmless(f"{excerpt(case.case_id, _LONGEST)}: {case.why_not}")))


def _name(each: FindingChange) -> Text:
    finding = each.told
    slices = ", ".join(f"{column} = {level}" for column, level in finding.among.items())
    name = f"{finding.kind} {' + '.join(finding.parts)}" + (f"  where {slices}" if slices else "")
    return Text(harmless(excerpt(name, _LONGEST)))


def _value(finding: Finding | None) -> str:
    if finding is None:
        return "not told"
    reach = finding.interval
    told = f"{finding.value:+.2f}"
    return f"{told} ({reach.low:+.2f} … {reach.high:+.2f})" if reach else told
