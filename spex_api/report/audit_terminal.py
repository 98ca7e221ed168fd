"""An audit in a terminal: how far it came, what matters again and again, and what to doubt.

What this module does not know: the pages.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from spex_api.audited import Standing
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from spex_api.audited import Audit, Audited, Finding

__all__ = ["render"]

_FINDINGS: Final = 8
_WORST: Final = 3
_FAILED: Final = 5
_WIDEST: Final = 120
_BAR: Final = 12
_LONGEST: Final = 48
_KINDS: Final = {
    "text": "",
    "role": "role",
    "document": "document",
    "position": "place",
}


def render(audit: Audit, console: Console) -> None:
    """Prints the story of an audit. Colours appear only where the console has them."""
    width = min(console.width, _WIDEST)
    models = sorted({case.explanation.provenance.model for case in audit.cases if case.explanation})
    console.print()
    named = harmless(", ".join(models)) or "nobody"
    console.print(Text(f"What moved {len(audit.cases):,} answers of {named}", style="bold"))
    console.print()
    _print_standings(audit, console)
    console.print()
    _print_findings(audit.findings, console, width=width)
    _print_worst(audit, console)
    _print_failed(audit, console, width=width)
    console.print(Text(harmless(audit.ending), style="dim"), width=width)


def _print_standings(audit: Audit, console: Console) -> None:
    """How the prompts ended, with how well they are explained."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("prompts", justify="right")
    table.add_column("ended")
    table.add_column("faithfulness", justify="right")
    table.add_column("requests each", justify="right")
    counts = Counter(case.standing for case in audit.cases)
    for standing in (each for each in Standing if counts[each]):
        explained = [
            case.explanation
            for case in audit.cases
            if case.standing is standing and case.explanation is not None
        ]
        known = [each.faithfulness.value for each in explained]
        known = [value for value in known if math.isfinite(value)]
        asked = [each.usage.requests for each in explained]
        table.add_row(
            f"{counts[standing]:,}",
            str(standing),
            f"{sum(known) / len(known):.2f} (least {min(known):.2f})" if known else "–",
            f"{min(asked):,} to {max(asked):,}" if asked else "–",
        )
    console.print(table)


def _print_findings(findings: Sequence[Finding], console: Console, *, width: int) -> None:
    """The strongest findings, and the strongest of slices."""
    console.print(Text("What matters again and again", style="bold"))
    shown = [each for each in findings if not each.among][:_FINDINGS]
    sliced = [each for each in findings if each.among][:_FINDINGS]
    if not shown and not sliced:
        console.print(Text("Nothing that chance would not show as well.", style="dim"))
    largest = max((abs(each.value) for each in (*shown, *sliced)), default=1.0) or 1.0
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("parts", "left"), ("", "left"), ("mean", "right")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name in ("90 % interval", "prompts"):
        table.add_column(name, justify="right")
    if any(each.among for each in sliced):
        table.add_column("elsewhere", justify="right")
    for each in (*shown, *sliced):
        table.add_row(*_row(each, largest))
    if shown or sliced:
        console.print(table, width=width)
    console.print()


def _row(finding: Finding, largest: float) -> list[Text | str]:
    kind = _KINDS.get(finding.kind, finding.kind)
    name = " + ".join(_short(part) for part in finding.parts)
    name = f"{kind} {name}" if kind else name
    if finding.among:
        slices = ", ".join(f"{column} = {level}" for column, level in finding.among.items())
        name = f"{name}  where {_short(slices)}"
    bar = "█" * max(round(_BAR * abs(finding.value) / largest), 1)
    style = "green" if finding.value >= 0 else "red"
    interval = finding.interval
    return [
        Text(harmless(name)),
        Text(bar, style=style),
        _signed(finding.value),
        f"{_signed(interval.low)} to {_signed(interval.high)}" if interval else "–",
        f"{finding.num_cases:,}",
        *([_signed(finding.rest)] if finding.rest is not None else []),
    ]


def _print_worst(audit: Audit, console: Console) -> None:
    """The prompts that are explained least: never hidden."""
    known = [case for case in audit.cases if case.explanation is not None]
    worst = sorted(known, key=_faithfulness)[:_WORST]
    if not worst:
        return
    console.print(Text("Explained least", style="bold"))
    for case in worst:
        value = _faithfulness(case)
        told = f"{value:.2f}" if math.isfinite(value) else "not measurable"
        console.print(Text(f"- {_short(case.case_id)}: {told}; {case.standing}"))
    doubtful = sum(case.is_doubtful for case in known)
    if doubtful:
        console.print(
            Text(f"Of {doubtful:,} of {len(known):,} less than half is accounted for.", style="dim")
        )
    console.print()


def _print_failed(audit: Audit, console: Console, *, width: int) -> None:
    failed = [case for case in audit.cases if case.error]
    if not failed:
        return
    console.print(Text("Failed", style="bold"))
    for case in failed[:_FAILED]:
        console.print(Text(harmless(f"- {_short(case.case_id)}: {case.error}")), width=width)
    if len(failed) > _FAILED:
        console.print(Text(f"and {len(failed) - _FAILED:,} others: see audit.json", style="dim"))
    console.print()


def _faithfulness(case: Audited) -> float:
    if case.explanation is None or not math.isfinite(case.explanation.faithfulness.value):
        return math.inf
    return case.explanation.faithfulness.value


def _short(text: str) -> str:
    plain = " ".join(harmless(text).split())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
