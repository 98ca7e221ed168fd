"""The interactions as tables, one an order, and the few that matter most.

Without its script the page has the strongest of them; the script sorts, filters and shows all.
What this module does not know: how a value was found.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from spex_api.report import story
from spex_api.report.interplay import interplay
from spex_api.report.naming import excerpt
from spex_api.report.page.markup import bar, names_of, number, reach, safe

if TYPE_CHECKING:
    from spex_api.explanation import Explanation
    from spex_api.transforms import Support

__all__ = ["Listed"]

_ROWS: Final = 25
_NOTHING: Final = 0.01
_BRIEF: Final = 66
_SHORTEST: Final = 16

_SECTION = """<section class="list" aria-labelledby="interactions">
<h2 id="interactions">Strongest interactions <span class="note">({index}, order {order};
{meaning})</span></h2>
<p class="filter" hidden><label for="filter">Show only those with</label>
<input id="filter" type="search" autocomplete="off" spellcheck="false"
placeholder="a word of theirs"> <span id="matches" class="note" aria-live="polite"></span></p>
{tables}
<p class="note">{count} of {total} interactions are listed{more}.
With everything masked the surrogate says {empty:+.3f}.</p>
</section>"""

_TABLE = """<table class="interactions" data-order="{order}">
<caption>{heading}{note}</caption>
<thead><tr><th scope="col" class="words" data-sort="words">Parts</th>
<th scope="col" class="number" data-sort="value" aria-sort="descending">Value</th>
<th scope="col" class="number wide" data-sort="low">90 % interval</th>
<th scope="col" class="drawn"><span class="unseen">Drawn</span></th>{together}</tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


class Listed:
    """The interactions of an explanation, in words and pictures."""

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation
        self._found = explanation.interactions
        self._names = names_of(explanation)
        self._effects = story.effects(explanation)
        self._longest = max(map(abs, self._found.values()), default=0.0)

    def section(self) -> str:
        """The section with a table an order."""
        explanation, lists = self._explanation, story.by_order(self._explanation, _ROWS)
        sizes = Counter(map(len, self._found))
        tables = [self._table(heading, each, sizes[len(each[0])]) for heading, each in lists]
        shown = sum(len(each) for _, each in lists)
        nothing = [[0] * explanation.transform.num_features]
        return _SECTION.format(
            index=safe(self._found.index),
            order=self._found.order,
            meaning=safe(explanation.provenance.meaning),
            tables="\n".join(tables),
            count=shown,
            total=len(self._found),
            more="" if shown == len(self._found) else "; all are in explanation.json",
            empty=explanation.predict(nothing)[0],
        )

    def strongest(self, count: int) -> str:
        """The few that move the value most, as a list; none that do next to nothing."""
        strong = [
            support
            for support in self._found.strongest(count)
            if abs(self._found[support]) > _NOTHING * self._longest
        ]
        items = "".join(
            f'<li><span class="what">{safe(self._brief(support))}</span> '
            f'<span class="value {self._sign(support)}">{number(self._found[support], 2)}</span>'
            f"{bar(self._found[support], self._found.intervals.get(support), self._longest)}</li>"
            for support in strong
        )
        return f'<ol class="strongest">{items}</ol>' if items else "<p>Nothing moves it.</p>"

    def _words(self, support: Support) -> str:
        return " + ".join(self._names[feature] for feature in support)

    def _brief(self, support: Support) -> str:
        """So that every part of a set is seen in two lines."""
        length = max(_SHORTEST, _BRIEF // len(support))
        return " + ".join(excerpt(self._names[feature], length) for feature in support)

    def _sign(self, support: Support) -> str:
        return "up" if self._found[support] > 0 else "down"

    def _kind(self, support: Support) -> str:
        kind = interplay(self._found, support, self._effects)
        return "" if kind is None else kind.value

    def _table(self, heading: str, supports: list[Support], total: int) -> str:
        size = len(supports[0])
        return _TABLE.format(
            order=size,
            heading=heading.capitalize(),
            note=f' <span class="note">{total}</span>',
            together='<th scope="col" class="kind" data-sort="kind">Together</th>'
            if size > 1
            else "",
            rows="\n".join(map(self._row, supports)),
        )

    def _row(self, support: Support) -> str:
        value, interval = self._found[support], self._found.intervals.get(support)
        kind = self._kind(support)
        together = f'<td class="kind">{kind}</td>' if kind else ""
        return (
            f'<tr><td class="words">{safe(self._words(support))}</td>'
            f'<td class="number">{number(value)}</td>'
            f'<td class="number wide">{reach(interval)}</td>'
            f'<td class="drawn">{bar(value, interval, self._longest)}</td>{together}</tr>'
        )
