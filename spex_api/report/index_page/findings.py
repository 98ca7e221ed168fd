"""The findings: what matters in all cases, and where it does otherwise, each with its interval.

What this module does not know: how a finding is found.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from spex_api.report.naming import excerpt
from spex_api.report.page.markup import bar, number, reach, safe
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.audited import Audit, Finding
    from spex_api.indices import Interval

__all__ = ["Told"]

_FIRST: Final = 12
"""So many rows of a table are seen before more are asked for."""
_NAME: Final = 90
_REACH: Final = 2.5
"""Times the largest value: what an interval has beyond that is cut off."""
_KINDS: Final = {
    "text": "the same text",
    "role": "the same role",
    "document": "the same place",
    "position": "the same place",
}

_SECTION: Final = """<section class="found" aria-labelledby="findings">
<h2 id="findings">What matters again and again</h2>
{tables}
<p class="note">{note}</p>
</section>"""

_TABLE: Final = """<table class="findings">
<caption>{caption} <span class="note">{count}</span></caption>
<thead><tr><th scope="col" class="words">Parts</th>
<th scope="col" class="plot">Mean over cases, 90 %&nbsp;interval</th>
<th scope="col" class="number">Mean</th><th scope="col" class="number wide">Interval</th>
<th scope="col" class="often">{often}</th>
<th scope="col" class="most">Strongest in</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""

_SLICES: Final = """<section class="found" aria-labelledby="slices">
<h2 id="slices">Where it does otherwise</h2>
<table class="findings">
<caption class="unseen">Slices of the cases, beside the rest</caption>
<thead><tr><th scope="col" class="where">Among</th><th scope="col" class="words">Parts</th>
<th scope="col" class="plot">There <span class="mark there"></span> and elsewhere
<span class="mark rest"></span></th>
<th scope="col" class="number">There</th><th scope="col" class="number">Elsewhere</th>
<th scope="col" class="number wide">Difference</th>
<th scope="col" class="most">Strongest in</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p class="note">{note}</p>
</section>"""


class Told:
    """The findings of an audit, in words and pictures."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._folders = {case.case_id: case.folder for case in audit.cases}
        self._has_intervals = any(
            case.explanation.interactions.intervals for case in audit.cases if case.explanation
        )
        self._everywhere = [each for each in audit.findings if not each.among]
        self._sliced = [each for each in audit.findings if each.among]

    def strongest(self, count: int) -> str:
        """The few that move the value most, as a list."""
        shown = [each for each in self._everywhere if _is_sure(each)][:count]
        longest = max((abs(each.value) for each in shown), default=0.0)
        items = "".join(
            f'<li><span class="what">{safe(_brief(each))}</span> '
            f'<span class="value {_side(each.value)}">{number(each.value, 2)}</span>'
            f"{bar(each.value, each.interval, longest)}</li>"
            for each in shown
        )
        if items:
            return f'<ol class="strongest">{items}</ol>'
        return "<p>Nothing that chance would not show as well.</p>"

    def findings(self) -> str:
        """The section of what is said of all cases."""
        tables = []
        for caption, size in (("Alone", 1), ("Two together", 2)):
            shown = [each for each in self._everywhere if len(each.parts) == size]
            if shown:
                tables.append(
                    _TABLE.format(
                        caption=caption,
                        count=len(shown),
                        often="Strong in" if self._has_intervals else "Stands in",
                        rows="\n".join(self._rows(shown, self._row)),
                    )
                )
        if not tables:
            tables = [
                '<p class="nothing">No part, and no two together, matter in so many cases that '
                "chance would not show as much.</p>"
            ]
        return _SECTION.format(tables="\n".join(tables), note=self._note())

    def slices(self) -> str:
        """The section of slices; "" where there are none."""
        if not self._sliced:
            return ""
        return _SLICES.format(
            rows="\n".join(self._rows(self._sliced, self._slice)),
            note="The interval of a difference is corrected like all others. Where it holds 0, no "
            "difference is shown; that there is none is not shown either.",
        )

    def _note(self) -> str:
        looked_at = max((each.looked_at for each in self._audit.findings), default=0)
        corrected = (
            f"{looked_at:,} means and differences were looked at, and every interval is widened "
            "for that (Benjamini and Yekutieli 2001, 2005): of those that leave 0 out, about one "
            "in ten at most is expected to be chance. "
            if looked_at
            else ""
        )
        carries = (
            "both how far the cases differ and how sure each of them is"
            if self._has_intervals
            else "how far the cases differ; how sure each of them is, their decoder does not tell"
        )
        return corrected + (
            "A value is the mean over the cases in which the parts stand, each counted by how far "
            f"its explanation accounts for its answer; the interval carries {carries}."
        )

    def _rows(self, shown: Sequence[Finding], row: _Row) -> list[str]:
        longest = _longest(self._audit.findings)
        return [
            row(each, longest, "" if place < _FIRST else ' class="folded"')
            for place, each in enumerate(shown)
        ]

    def _row(self, finding: Finding, longest: float, folded: str) -> str:
        strong = f"{finding.num_strong:,} of " if self._has_intervals else ""
        return (
            f'<tr{folded}><th scope="row" class="words">{_parts(finding)}{_kind(finding)}</th>'
            f'<td class="plot">{_whisker(finding, longest)}</td>'
            f'<td class="number">{number(finding.value)}</td>'
            f'<td class="number wide">{_interval(finding.interval)}</td>'
            f'<td class="often">{strong}{finding.num_cases:,} cases</td>'
            f'<td class="most">{self._links(finding)}</td></tr>'
        )

    def _slice(self, finding: Finding, longest: float, folded: str) -> str:
        where = ", ".join(f"{name} = {level}" for name, level in finding.among.items())
        elsewhere = "—" if finding.rest is None else number(finding.rest)
        return (
            f'<tr{folded}><td class="where"><span class="level">{safe(excerpt(where, _NAME))}'
            f'</span><span class="note">{finding.num_cases:,} cases</span></td>'
            f'<th scope="row" class="words">{_parts(finding)}{_kind(finding)}</th>'
            f'<td class="plot">{_whisker(finding, longest)}</td>'
            f'<td class="number">{number(finding.value)}</td>'
            f'<td class="number">{elsewhere}</td>'
            f'<td class="number wide">{_interval(finding.apart)}</td>'
            f'<td class="most">{self._links(finding)}</td></tr>'
        )

    def _links(self, finding: Finding) -> str:
        return ", ".join(
            f'<a href="cases/{self._folders[each]}/report.html">{safe(excerpt(each, 24))}</a>'
            for each in finding.strongest
            if each in self._folders
        )


if TYPE_CHECKING:
    from collections.abc import Callable

    _Row = Callable[[Finding, float, str], str]


def _parts(finding: Finding) -> str:
    """The parts, each as a button by which the script looks for it among the cases."""
    names = [excerpt(harmless(part), _NAME) or "␣" for part in finding.parts]
    said = ' <span class="plus">+</span> '.join(f"<mark>{safe(name)}</mark>" for name in names)
    return f'<span class="parts"{_sought(finding)}>{said}</span>'


def _sought(finding: Finding) -> str:
    """What the script looks for: the words of the parts, in the slice."""
    if finding.kind in ("role", "document", "position") or not all(map(_is_short, finding.parts)):
        return ""
    # A column's part stands in braces, and says something else in each case.
    words = " ".join(part for part in finding.parts if not part.startswith("{"))
    slices = "".join(
        f' data-column="{safe(name)}" data-level="{safe(level)}"'
        for name, level in list(finding.among.items())[:1]
    )
    return f' data-sought="{safe(words)}"{slices}' if words or slices else ""


def _is_short(part: str) -> bool:
    return len(part) <= _NAME


def _brief(finding: Finding) -> str:
    length = max(18, 60 // len(finding.parts))
    return " + ".join(excerpt(harmless(part), length) for part in finding.parts)


def _kind(finding: Finding) -> str:
    said = _KINDS.get(finding.kind, f"the column {finding.kind}")
    sure = "" if _is_sure(finding) else "; not shown to matter"
    return f'<span class="note kindly">{safe(said)}{sure}</span>'


def _is_sure(finding: Finding) -> bool:
    """Whether its interval leaves 0 out."""
    interval = finding.interval
    return interval is not None and not interval.low <= 0 <= interval.high


def _side(value: float) -> str:
    return "up" if value > 0 else "down"


def _interval(interval: Interval | None) -> str:
    return "too few cases" if interval is None else reach(interval)


def _longest(findings: Sequence[Finding]) -> float:
    """What fills half of a plot: the same for all of them, so that they can be compared."""
    largest = max((abs(value) for each in findings for value in _values(each)), default=0.0)
    ends = (
        abs(end)
        for each in findings
        if each.interval is not None
        for end in each.interval
        if math.isfinite(end)
    )
    return min(_REACH * largest, max(ends, default=largest)) or 1.0


def _values(finding: Finding) -> list[float]:
    return [finding.value, *([] if finding.rest is None else [finding.rest])]


def _whisker(finding: Finding, longest: float) -> str:
    """The mean as a dot, its interval as a line, and the rest's mean as a diamond."""

    def at(value: float) -> str:
        return f"{min(99.0, max(1.0, 50 + 47 * value / longest)):.2f}%"

    side = _side(finding.value) if _is_sure(finding) else "unsure"
    drawn = ""
    if finding.interval is not None:
        low, high = map(at, finding.interval)
        drawn = f'<line class="whisker" x1="{low}" x2="{high}" y1="10" y2="10"/>'
        drawn += "".join(
            f'<line class="whisker" x1="{x}" x2="{x}" y1="7" y2="13"/>' for x in (low, high)
        )
    if finding.rest is not None:
        x = at(finding.rest)
        drawn += (
            f'<svg x="{x}" y="10" width="1" height="1" class="rest">'
            '<path d="M0,-5.5 L5.5,0 L0,5.5 L-5.5,0 Z"/></svg>'
        )
    drawn += f'<circle class="dot" cx="{at(finding.value)}" cy="10" r="4.5"/>'
    return (
        f'<svg class="whiskers {side}" aria-hidden="true" width="100%" height="20">'
        f'<line class="zero" x1="50%" x2="50%" y1="0" y2="20"/>{drawn}</svg>'
    )
