"""At one glance: how the cases ended, what matters again and again, how sure, and the cost.

What this module does not know: the details, which stand in sections of their own below.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import TYPE_CHECKING, Final

from spex_api.report.index_page.standings import grade, kind_of, place_of
from spex_api.report.page.markup import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.audited import Audit
    from spex_api.report.index_page.findings import Told

__all__ = ["overview", "took"]

_STRONGEST: Final = 3
_BINS: Final = 10
_WIDTH, _HEIGHT = 240, 64

_GLANCE: Final = """<section class="glance" aria-label="At a glance">
<div class="card"><h2>How the cases ended</h2>{cases}</div>
<div class="card mattered"><h2>What matters again and again</h2>{mattered}</div>
<div class="card sure"><h2>How sure</h2>{sure}</div>
<div class="card cost"><h2>What it took</h2>{cost}</div>
</section>"""


def overview(audit: Audit, told: Told) -> str:
    """Four cards."""
    return _GLANCE.format(
        cases=_cases(audit),
        mattered=told.strongest(_STRONGEST),
        sure=_sure(audit),
        cost=_cost(audit),
    )


def _cases(audit: Audit) -> str:
    counts = Counter(case.standing for case in audit.cases)
    total = len(audit.cases)
    bars, items, left = [], [], 0.0
    for standing in sorted(counts, key=place_of):
        width = 100.0 * counts[standing] / total
        bars.append(
            f'<rect class="{kind_of(standing)}" x="{left:.2f}%" width="{width:.2f}%" height="10"/>'
        )
        left += width
        items.append(
            f'<li class="{kind_of(standing)}">{safe(standing.value)} '
            f"<b>{counts[standing]:,}</b></li>"
        )
    return (
        f'<p class="big">{total:,} <span class="unit">{"case" if total == 1 else "cases"}</span>'
        '</p><svg class="ended" aria-hidden="true" width="100%" height="10">'
        f'{"".join(bars)}</svg><ul class="standings">{"".join(items)}</ul>'
    )


def _sure(audit: Audit) -> str:
    explained = [case for case in audit.cases if case.explanation is not None]
    values = [
        case.explanation.faithfulness.value
        for case in explained
        if case.explanation is not None and math.isfinite(case.explanation.faithfulness.value)
    ]
    if not values:
        return '<p class="big">—</p><p>No case has a faithfulness that was measured.</p>'
    grades = Counter(grade(case.known) for case in explained)
    said = ", ".join(
        f"<b>{grades[each]:,}</b> {words}" for each, words in _GRADES.items() if grades[each]
    )
    return (
        f'<p class="big">{statistics.median(values):.2f} <span class="unit">R², the middle case'
        f"</span></p>{_histogram(values)}<p>{said}.</p>"
    )


_GRADES: Final = {
    "good": "speak for the model",
    "fair": "can be trusted in their strongest parts",
    "poor": "are not to be leaned on",
}


def _histogram(values: Sequence[float]) -> str:
    """How many cases have which R², from below 0 to 1."""
    counts = Counter(-1 if value < 0 else min(_BINS - 1, int(_BINS * value)) for value in values)
    step = _WIDTH / (_BINS + 1)
    tallest = max(counts.values())
    bars = "".join(
        f'<rect class="{grade((place + 0.5) / _BINS)}" x="{(place + 1) * step + 1:.1f}" '
        f'width="{step - 2:.1f}" y="{_HEIGHT - 14 - _tall(count, tallest):.1f}" '
        f'height="{_tall(count, tallest):.1f}" rx="1.5"><title>{_named(place)}: {count:,}</title>'
        "</rect>"
        for place, count in sorted(counts.items())
    )
    ticks = "".join(
        f'<text x="{step + share * (_WIDTH - step):.1f}" y="{_HEIGHT - 2}" '
        f'text-anchor="{anchor}">{share:g}</text>'
        for share, anchor in ((0.0, "middle"), (0.5, "middle"), (1.0, "end"))
    )
    said = "; ".join(f"{_named(place)}: {count}" for place, count in sorted(counts.items()))
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="Cases by R². {said}"><line class="zero" x1="0" x2="{_WIDTH}" '
        f'y1="{_HEIGHT - 13.5}" y2="{_HEIGHT - 13.5}"/>{bars}{ticks}</svg>'
    )


def _tall(count: int, tallest: int) -> float:
    # A single case among thousands is still seen.
    return max(2.0, (_HEIGHT - 16) * count / tallest)


def _named(place: int) -> str:
    return "below 0" if place < 0 else f"{place / _BINS:.1f} to {(place + 1) / _BINS:.1f}"


def took(audit: Audit) -> str:
    """The tokens and the price."""
    usage = audit.usage
    dollars = "price not known" if usage.usd is None else f"{usage.usd:,.2f} dollars"
    return f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out, {dollars}"


def _cost(audit: Audit) -> str:
    usage, total = audit.usage, len(audit.cases)
    each = f"{usage.requests / total:,.0f} a case; " if total else ""
    partial = (
        '<p class="standing good">Every case came to its end.</p>'
        if audit.complete
        else '<p class="standing fair">Not every case came to its end.</p>'
    )
    return (
        f'<p class="big">{usage.requests:,} <span class="unit">requests</span></p>'
        f"<p>{each}{safe(took(audit))}.</p>{partial}"
    )
