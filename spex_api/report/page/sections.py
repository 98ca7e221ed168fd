"""The sections below the prompt: causes, the few that decide, how sure, and where from.

What this module does not know: how a set was searched, and how faithfulness was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.feature_sets import FeatureSetStatus
from spex_api.report import causes, story
from spex_api.report.naming import listed
from spex_api.report.page import charts
from spex_api.report.page.few import SHARE
from spex_api.report.page.markup import number, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.claims import Cause
    from spex_api.explanation import Explanation
    from spex_api.feature_sets import FeatureSet
    from spex_api.report.page.few import Few

__all__ = ["deciding", "origin", "sureness", "tested"]

_MOST_NAMED = 12

_CAUSES = """<section class="causes" aria-labelledby="causes">
<h2 id="causes">Causes <span class="note">({outcome})</span></h2>
<p class="verdict">{verdict}</p>
{sentences}
<p class="note">{method}</p>
<details open><summary>All that was asked</summary>
<table>
<caption>What was asked, and of how many answers the outcome does not hold</caption>
<thead><tr><th scope="col">Changed</th><th scope="col" class="number">Flipped</th>
<th scope="col" class="number">Answers</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></details>
</section>"""

_FEW = """<section class="few" aria-labelledby="few">
<h2 id="few">The few that decide <span class="note">(as the surrogate predicts; try them
above)</span></h2>
<div class="columns"><div>{sets}</div>{removal}</div>
</section>"""

_SURE = """<section class="trust" aria-labelledby="trust">
<h2 id="trust">How sure is it?</h2>
<div class="columns"><div><p>{trust}</p></div>{curve}</div>
</section>"""

_ORIGIN = """<section class="origin" aria-labelledby="origin">
<h2 id="origin">Where the numbers come from</h2>
<dl>
{lines}
</dl>
</section>"""


def tested(explanation: Explanation) -> str:
    """What was put to the test, with the table of all trials; "" where nothing was."""
    told = explanation.causes
    if told is None:
        return ""
    items = "\n".join(
        f'<li class="{_state(cause)}">{safe(causes.sentence(explanation, cause))}</li>'
        for cause in told.causes
    )
    rows = "\n".join(
        f'<tr><th scope="row">{safe(row.changed)}</th><td class="number">{row.flipped}</td>'
        f'<td class="number">{row.asked}</td></tr>'
        for row in causes.tried(explanation)
    )
    return _CAUSES.format(
        outcome=safe(told.outcome),
        verdict=safe(causes.verdict(told)),
        sentences=f"<ul>\n{items}\n</ul>" if items else "",
        method=safe(causes.method(explanation)),
        rows=rows,
    )


def _state(cause: Cause) -> str:
    return "confirmed" if cause.confirmed else "unconfirmed"


def deciding(few: Few, names: Sequence[str]) -> str:
    """The sets with what is proven of them, and the curve of removals."""
    goal = (
        f"keep {SHARE:.0%} of the way from nothing to the whole"
        if few.threshold is None
        else "keep the answer on their own"
    )
    sets = _set(f"The fewest parts that {goal}", few.sufficient, names)
    if few.flip is not None:
        sets += _set("The fewest that turn the answer when taken out", few.flip, names)
    return _FEW.format(sets=sets, removal=_removal(few, names))


def _set(heading: str, found: FeatureSet, names: Sequence[str]) -> str:
    if found.features is None:
        told = f"<p>{found.status.value}</p>"
    else:
        steps = "" if found.proven else " Found step by step; it may not be the smallest."
        proof = found.status.value if found.proven else ""
        if found.status is FeatureSetStatus.OPTIMAL:
            proof = "Proven: no smaller set does it."
        told = (
            f'<p class="set">{_named(found.features, names)}</p>'
            f'<p class="note">{len(found.features)} of {len(names)}; predicted '
            f"{number(found.value or 0.0)}, whole {number(found.before)}. {proof}{steps}</p>"
        )
    return f"<h3>{heading}</h3>{told}"


def _named(features: Sequence[int], names: Sequence[str]) -> str:
    if not features:
        return "none at all: it holds with everything masked"
    shown = [f"<mark>{safe(names[feature])}</mark>" for feature in features[:_MOST_NAMED]]
    more = len(features) - len(shown)
    return listed(shown) if not more else f"{', '.join(shown)} and {more} more"


def _removal(few: Few, names: Sequence[str]) -> str:
    if not few.removals:
        return ""
    values = [few.sufficient.before, *(value for _, value in few.removals)]
    rows = "\n".join(
        f'<tr><td class="number">{len(features)}</td><td class="words">'
        f"{safe(' + '.join(names[each] for each in features))}</td>"
        f'<td class="number">{number(value)}</td></tr>'
        for features, value in few.removals
    )
    return (
        "<div><h3>Taking out what moves it most</h3>"
        f"{charts.removal(values, few.threshold)}<details><summary>Which parts</summary><table>"
        '<thead><tr><th scope="col" class="number">Out</th><th scope="col" class="words">Parts</th>'
        '<th scope="col" class="number">Predicted</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></details></div>"
    )


def sureness(explanation: Explanation) -> str:
    """The words of trust, and how faithfulness grew with the questions."""
    curve = charts.against_queries(explanation.curve)
    if curve:
        curve = (
            f"<div><h3>Would more questions help?</h3>{curve}"
            '<p class="note">The same decoder on the first part of the answers, measured on the '
            "same unseen masks; the band is the 90 % interval. A curve that still rises asks for "
            "more.</p></div>"
        )
    return _SURE.format(trust=safe(story.trust(explanation)), curve=curve)


def origin(explanation: Explanation) -> str:
    """Where the numbers come from, what it took, and how to have them again."""
    lines = [*story.provenance(explanation), ("Took", story.cost(explanation))]
    if explanation.spec is not None:
        lines.append(("Again", "spex replay explanation.json"))
    return _ORIGIN.format(
        lines="\n".join(f"<dt>{safe(name)}</dt><dd>{safe(text)}</dd>" for name, text in lines)
    )
