"""The cases that are explained worst, and those that failed: never hidden.

What this module does not know: what a poor explanation says.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from spex_api.report.index_page.standings import gauge, kind_of
from spex_api.report.naming import excerpt
from spex_api.report.page.markup import safe
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from spex_api.audited import Audit, Audited

__all__ = ["doubts"]

_WORST: Final = 10
_MOST_FAILED: Final = 20

_SECTION: Final = """<section class="doubts" aria-labelledby="doubts">
<h2 id="doubts">What is known worst</h2>
<p class="sentence">{sentence}</p>
<div class="columns">{worst}{failed}</div>
</section>"""


def doubts(audit: Audit) -> str:
    """The section; it is there where all is well, too."""
    explained = [case for case in audit.cases if case.explanation is not None]
    failed = [case for case in audit.cases if case.explanation is None or case.error]
    worst = sorted(explained, key=_how_far)[:_WORST]
    return _SECTION.format(
        sentence=_sentence(audit),
        worst=_list("The least faithful", "".join(map(_poor, worst))),
        failed=_list(
            f"What went wrong in {len(failed):,} {'case' if len(failed) == 1 else 'cases'}",
            "".join(map(_failed, failed[:_MOST_FAILED])),
            more=len(failed) - _MOST_FAILED,
        ),
    )


def _how_far(case: Audited) -> tuple[float, float]:
    """What is known of a case; where nothing is, by how much worse than nothing."""
    value = math.nan if case.explanation is None else case.explanation.faithfulness.value
    return case.known, value if math.isfinite(value) else -math.inf


def _sentence(audit: Audit) -> str:
    """How many cases are doubtful, and what part they have in the findings."""
    without = sum(case.explanation is None for case in audit.cases)
    nothing = sum(not case.known for case in audit.cases) - without
    doubtful = sum(case.is_doubtful for case in audit.cases) - without - nothing
    total = len(audit.cases)
    if not doubtful + nothing + without:
        return (
            f"All {total:,} explanations account for at least half of their answer's variation; "
            "each counts in the findings by how much of it."
        )
    said = []
    if doubtful:
        verb = "explanation accounts" if doubtful == 1 else "explanations account"
        said.append(
            f"<b>{doubtful:,}</b> {verb} for less than half of the answer’s "
            "variation (R² below 0.5): they count in the findings by how much of it, so by less "
            "than the others"
        )
    if nothing:
        verb, has = ("accounts", "has") if nothing == 1 else ("account", "have")
        said.append(f"<b>{nothing:,}</b> {verb} for nothing, and {has} no part in the findings")
    if without:
        verb = "has" if without == 1 else "have"
        said.append(f"<b>{without:,}</b> {verb} no explanation at all, and no part in them either")
    return f"Of {total:,} cases {'; '.join(said)}."


def _list(heading: str, items: str, *, more: int = 0) -> str:
    if not items:
        return ""
    rest = f'<p class="note">And {more:,} more; all are listed below.</p>' if more > 0 else ""
    return f'<div><h3>{heading}</h3><ol class="worst">{items}</ol>{rest}</div>'


def _poor(case: Audited) -> str:
    return (
        f'<li><a href="cases/{case.folder}/report.html">{_name(case)}</a>'
        f'<span class="measure">{gauge(case)}</span>'
        f'<span class="note">{safe(case.standing.value)}</span></li>'
    )


def _failed(case: Audited) -> str:
    said = excerpt(harmless(case.error or "It has no explanation, and nobody said why."), 240)
    return (
        f'<li class="error"><span class="id {kind_of(case.standing)}">{_name(case)}</span>'
        f"<span>{safe(said)}</span></li>"
    )


def _name(case: Audited) -> str:
    return safe(excerpt(harmless(case.case_id), 40) or "␣")
