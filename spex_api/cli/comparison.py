"""A comparison of two explanations, on a terminal and as one object for machines.

What this module does not know: how parts were matched, and when a change counts as one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from spex_api.cli.lines import counted
from spex_api.interaction_changes import Fate
from spex_api.matched_parts import How
from spex_api.report.naming import excerpt
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from spex_api.comparing import Comparison
    from spex_api.completions import JsonObject
    from spex_api.indices import Interval
    from spex_api.interaction_changes import Change

__all__ = ["render", "told"]

_ROWS: Final = 10
_SHOWN: Final = (Fate.APPEARED, Fate.VANISHED, Fate.CHANGED, Fate.UNTOLD)


def render(comparison: Comparison, console: Console) -> None:
    """Prints what changed: warnings first, then what the whole is worth, causes, interactions."""
    for warning in comparison.warnings:
        console.print(Text(harmless(f"Beware: {warning}")))
    console.print(_numbers(comparison))
    _print_differences(comparison, console)
    _print_parts(comparison, console)
    for heading, sentences in (
        ("Confirmed before, not now", comparison.causes_before),
        ("Confirmed now, not before", comparison.causes_after),
        ("Confirmed before and now", comparison.causes_still),
    ):
        if sentences:
            console.print()
            console.print(Text(heading, style="bold"))
            for each in sentences:
                console.print(Text(harmless(f"- {each}")))
    _print_changes(comparison, console)


def told(comparison: Comparison) -> JsonObject:
    """The comparison as one JSON object."""
    return {
        "numbers": [asdict(each) for each in comparison.numbers],
        "differences": [asdict(each) for each in comparison.differences],
        "parts": [{**asdict(each), "how": str(each.how)} for each in comparison.parts],
        "interactions": [_change(each) for each in comparison.changes],
        "causes": {
            "before": list(comparison.causes_before),
            "after": list(comparison.causes_after),
            "still": list(comparison.causes_still),
        },
        "warnings": list(comparison.warnings),
    }


def _change(change: Change) -> JsonObject:
    return {
        "fate": str(change.fate),
        "texts": list(change.names),
        "before": _side(change.before, change.values[0], change.intervals[0]),
        "after": _side(change.after, change.values[1], change.intervals[1]),
    }


def _side(
    features: Sequence[int] | None, value: float | None, interval: Interval | None
) -> JsonObject | None:
    """An interaction in one of the two explanations; null where its parts are not there."""
    if features is None:
        return None
    return {
        "features": list(features),
        "value": value,
        "low": interval and interval.low,
        "high": interval and interval.high,
    }


def _numbers(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column("now", justify="right")
    for each in comparison.numbers:
        table.add_row(each.what, _signed(each.before), _signed(each.after))
    return table


def _print_differences(comparison: Comparison, console: Console) -> None:
    if comparison.differences:
        console.print()
    for each in comparison.differences:
        before, after = (excerpt(text, 200) or "not known" for text in (each.before, each.after))
        console.print(Text(harmless(f"{each.what}: {before} → {after}")))


def _print_parts(comparison: Comparison, console: Console) -> None:
    """How many parts are what they were; which they are, a machine is told."""
    counts = Counter(pair.how for pair in comparison.parts)
    console.print()
    console.print("Parts: " + ", ".join(f"{counts[how]} {how}" for how in How if counts[how]) + ".")


def _print_changes(comparison: Comparison, console: Console) -> None:
    console.print()
    for fate in _SHOWN:
        found = comparison.of(fate)
        if not found:
            continue
        console.print(Text(f"Interactions {fate}", style="bold"))
        console.print(_table(found[:_ROWS]))
        if len(found) > _ROWS:
            console.print(f"… and {len(found) - _ROWS} more; --json has all.", style="dim")
        console.print()
    within = comparison.of(Fate.WITHIN)
    if len(within) == len(comparison.changes):
        console.print("No interaction appeared, vanished or changed beyond its interval.")
    if within:
        console.print(f"{counted(len(within), 'interaction')} within the intervals.")


def _table(found: Sequence[Change]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold", min_width=24)
    table.add_column("before", justify="right")
    table.add_column("now", justify="right")
    for change in found:
        (before, after), intervals = change.values, change.intervals
        table.add_row(
            Text(harmless(" + ".join(change.names))),
            _with_reach(before, intervals[0]),
            _with_reach(after, intervals[1]),
        )
    return table


def _with_reach(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "not there"
    if interval is None:
        return f"{value:+.3f}"
    return f"{value:+.3f} ({interval.low:+.3f} … {interval.high:+.3f})"


def _signed(value: float | None) -> str:
    return "not known" if value is None else f"{value:+.3f}"
