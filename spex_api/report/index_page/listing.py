"""All cases as a table that the script sorts and filters, and what it does that with.

Without its script the page has the first of them. What this module does not know: what a case's own
report tells.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from spex_api.report.index_page.standings import gauge, grade, kind_of, place_of
from spex_api.report.naming import excerpt
from spex_api.report.page.markup import number, safe
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.audited import Audit, Audited
    from spex_api.fidelity import Faithfulness
    from spex_api.report.index_page.columns import Columns

__all__ = ["facts", "listing"]

_ROWS: Final = 100
_NAME: Final = 60
_STRONGEST: Final = 80
_SOUGHT: Final = 2_000_000
"""Characters of all cases' columns that can be searched: more make the page slow."""

_SECTION: Final = """<section class="cases" aria-labelledby="cases">
<h2 id="cases">All cases</h2>
<div class="filters script" role="search" aria-label="Cases" hidden>
<label>Search <input id="sought" type="search" autocomplete="off" spellcheck="false"
placeholder="any words of a case"></label>
<label>Ended <select id="standing"><option value="">any way</option>{standings}</select></label>
<label>Faithfulness <select id="grade"><option value="">any</option>
<option value="good">0.8 and more</option><option value="fair">0.5 to 0.8</option>
<option value="poor">below 0.5</option><option value="none">none</option></select></label>
{selects}
<button type="button" id="clear" hidden>Clear</button>
<span id="matches" class="note" role="status"></span></div>
<div class="across" tabindex="0" role="region" aria-labelledby="cases">
<table id="listing">
<caption class="unseen">Every case, with a link to its report</caption>
<thead><tr><th scope="col" class="id" data-sort="id">Case</th>{heads}
<th scope="col" class="ended" data-sort="standing">Ended</th>
<th scope="col" class="measure" data-sort="faith">Faithfulness</th>
<th scope="col" class="words" data-sort="strength">Strongest</th>
<th scope="col" class="number" data-sort="requests">Requests</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
<p class="after script" hidden><button type="button" id="more"></button></p>
<p class="note plain">{note}</p>
</section>"""


def listing(audit: Audit, columns: Columns) -> str:
    """The section with the first cases, and what the filters offer."""
    standings = dict.fromkeys(case.standing for case in audit.cases)
    ordered = sorted(standings, key=place_of)
    shown = audit.cases[:_ROWS]
    rest = len(audit.cases) - len(shown)
    return _SECTION.format(
        standings="".join(f"<option>{safe(each.value)}</option>" for each in ordered),
        selects="\n".join(
            f"<label>{safe(excerpt(harmless(name), 24))} "
            f'<select data-column="{place}" data-name="{safe(name)}"><option value="">any</option>'
            f"{''.join(f'<option>{safe(level)}</option>' for level in levels)}</select></label>"
            for place, (name, levels) in enumerate(zip(columns.names, columns.levels, strict=True))
        ),
        heads="".join(
            f'<th scope="col" class="level" data-sort="{place}">'
            f"{safe(excerpt(harmless(name), 24))}</th>"
            for place, name in enumerate(columns.shown)
        ),
        rows="\n".join(_row(case, columns) for case in shown),
        note=f"The first {len(shown):,} of {len(audit.cases):,}; all are in audit.json."
        if rest
        else "",
    )


def facts(audit: Audit, columns: Columns) -> dict[str, Any]:
    """What the script computes with; nothing in its texts can act.

    Args:
        audit: whose cases they are.
        columns: those by which cases are chosen.
    """
    room = _SOUGHT // max(1, len(audit.cases))
    return {
        "shown": len(columns.shown),
        "cases": [_fact(case, columns, room) for case in audit.cases],
    }


def _fact(case: Audited, columns: Columns, room: int) -> dict[str, Any]:
    words, value = _strongest(case)
    explanation = case.explanation
    faith = None if explanation is None else explanation.faithfulness
    return {
        "id": _name(case),
        "folder": None if explanation is None else case.folder,
        "levels": columns.entries(case),
        "standing": harmless(case.standing.value),
        "kind": kind_of(case.standing),
        "faith": None if faith is None else _measured(faith),
        "grade": "none" if explanation is None else grade(case.known),
        "strongest": words,
        "value": value,
        "requests": 0 if explanation is None else explanation.usage.requests,
        "error": excerpt(harmless(case.error), 200),
        "words": excerpt(harmless(" ".join(case.columns.values())), room),
    }


def _measured(faith: Faithfulness) -> list[float | None] | None:
    """R² and its interval; None where it is no number."""
    ends = (faith.value, faith.low, faith.high)
    finite = [end if math.isfinite(end) else None for end in ends]
    return None if finite[0] is None else finite


def _row(case: Audited, columns: Columns) -> str:
    words, value = _strongest(case)
    name = f'<span class="name">{safe(_name(case))}</span>'
    if case.explanation is not None:
        name = f'<a class="name" href="cases/{case.folder}/report.html">{safe(_name(case))}</a>'
    levels: Sequence[str] = columns.entries(case)[: len(columns.shown)]
    side = "up" if (value or 0.0) > 0 else "down"
    strongest = (
        f'<span class="note">{safe(excerpt(harmless(case.error), 200))}</span>'
        if value is None
        else f'<span class="what">{safe(words)}</span> <span class="value {side}">'
        f"{number(value, 2)}</span>"
    )
    requests = 0 if case.explanation is None else case.explanation.usage.requests
    return (
        f'<tr><th scope="row" class="id">{name}</th>'
        + "".join(f'<td class="level">{safe(level)}</td>' for level in levels)
        + f'<td class="ended"><span class="dotted {kind_of(case.standing)}">'
        f"{safe(case.standing.value)}</span></td>"
        f'<td class="measure"><div>{gauge(case)}</div></td><td class="words">{strongest}</td>'
        f'<td class="number">{requests:,}</td></tr>'
    )


def _name(case: Audited) -> str:
    return excerpt(harmless(case.case_id), _NAME) or "␣"


def _strongest(case: Audited) -> tuple[str, float | None]:
    """What moves the case most, in words, and by how much."""
    if case.explanation is None:
        return "", None
    found = case.explanation.interactions
    for support in found.strongest(1):
        names = [harmless(str(name)) for name in found.named(support)]
        said = " + ".join(excerpt(name, _STRONGEST // len(names)) or "␣" for name in names)
        return said, found[support]
    return "nothing", 0.0
