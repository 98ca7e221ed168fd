"""Interactions in a terminal: values, intervals and bars in columns that all tables share.

What this module does not know: which interactions are shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from spex_api.report import story
from spex_api.report.interplay import interplay, is_sure
from spex_api.report.story import harmless
from spex_api.report.terminal_bars import Scale
from spex_api.report.terminal_prompt import signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from spex_api.explanation import Explanation
    from spex_api.indices import Interactions
    from spex_api.transforms import Support

__all__ = ["Sheet"]

_NAMES: Final = 0.34
"""The share of a line that the names of the parts take, and at least so many characters."""
_SHORTEST: Final = 18
_BAR: Final = 9, 44
"""The least and the most characters of a bar; with less room than that there is none."""
_GAP: Final = 2
_INTERVAL: Final = "90 % interval"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the tables of all orders have in common, so that their columns stand in one line.

    Attributes:
        explanation: whose interactions they are.
        effects: shape (num_features,), what each part does on average.
        colours: the console's system of colours; None where it has none.
        decimals: of every number.
        names: characters of the column of names.
        values: of the column of values.
        ends: characters of the lower and of the upper end of an interval; 0 where none is known.
        words: characters of the last column; 0 where there is none.
        scale: of the bars; None where there is no room for any.
    """

    explanation: Explanation
    effects: Sequence[float]
    colours: str | None
    decimals: int
    names: int
    values: int
    ends: tuple[int, int]
    words: int
    scale: Scale | None

    @classmethod
    def of(
        cls,
        explanation: Explanation,
        effects: Sequence[float],
        shown: Sequence[Support],
        *,
        console: Console,
        width: int,
    ) -> Sheet:
        """The columns into which these interactions fit.

        Args:
            explanation: whose interactions they are.
            effects: shape (num_features,), as `story.effects` has it.
            shown: all that will be in a table, at least one.
            console: where they will be printed.
            width: of a line.
        """
        found = explanation.interactions
        decimals = _decimals(found, shown)
        values = [found[each] for each in shown]
        intervals = [found.intervals[each] for each in shown if each in found.intervals]
        names = max(_SHORTEST, round(width * _NAMES))
        columns = [
            names,
            max(len("value"), _widest(values, decimals)),
            _widest([interval.low for interval in intervals], decimals),
            _widest([interval.high for interval in intervals], decimals),
            max(len(interplay(found, each, effects) or "") for each in shown),
        ]
        interval_column = _interval_column((columns[2], columns[3]))
        taken = sum(
            column + _GAP for column in (*columns[:2], interval_column, columns[4]) if column
        )
        scale = None
        if width - taken >= _BAR[0]:
            scale = Scale.of(
                ((found[each], found.intervals.get(each)) for each in shown),
                width=min(width - taken, _BAR[1]),
                ascii_only=console.options.ascii_only,
            )
        return cls(
            explanation,
            effects,
            console.color_system,
            decimals,
            names=names,
            values=columns[1],
            ends=(columns[2], columns[3]),
            words=columns[4],
            scale=scale,
        )

    def table(self, heading: str, supports: Sequence[Support]) -> Table:
        """Some interactions, a row each.

        Args:
            heading: above their names.
            supports: which.
        """
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        table.add_column(heading, width=self.names, header_style="bold not dim")
        table.add_column("value", justify="right", width=self.values)
        if any(self.ends):
            table.add_column(_INTERVAL, justify="right", width=_interval_column(self.ends))
        if self.scale is not None:
            ends = self.scale.heading(decimals=self.decimals)
            table.add_column(ends, width=self.scale.width, no_wrap=True)
        if self.words:
            table.add_column("", width=self.words, no_wrap=True)
        for support in supports:
            sure = is_sure(self.explanation.interactions, support)
            table.add_row(*self._row(support, sure=sure), style="" if sure else "dim")
        return table

    def _row(self, support: Support, *, sure: bool) -> list[Text]:
        found = self.explanation.interactions
        value, interval = found[support], found.intervals.get(support)
        cells = [
            Text(_named(self.explanation, support, width=self.names)),
            Text(_number(value, self.decimals), style="bold" if sure else ""),
        ]
        if any(self.ends):
            low, high = (_number(end, self.decimals) for end in interval or (0.0, 0.0))
            ends = f"{low:>{self.ends[0]}} … {high:>{self.ends[1]}}"
            cells.append(Text(ends if interval else "not known"))
        if self.scale is not None:
            cells.append(self.scale.bar(value, interval, style=signed(value, self.colours)))
        if self.words:
            cells.append(Text(interplay(found, support, self.effects) or "", style="dim"))
        return cells


def _interval_column(ends: tuple[int, int]) -> int:
    return max(sum(ends) + len(" … "), len(_INTERVAL)) if any(ends) else 0


def _decimals(found: Interactions, shown: Sequence[Support]) -> int:
    """So many that the largest value has three digits that count."""
    largest = max(abs(found[support]) for support in shown)
    return min(max(2 - math.floor(math.log10(largest)), 0), 9) if largest else 2


def _widest(values: Sequence[float], decimals: int) -> int:
    return max((len(_number(value, decimals)) for value in values), default=0)


def _number(value: float, decimals: int) -> str:
    return f"{value:+.{decimals}f}"


def _named(explanation: Explanation, support: Support, *, width: int) -> str:
    """The parts of an interaction: in one line where they fit, else a line for each."""
    names = [
        " ".join(harmless(story.words(explanation, (feature,))).split()) for feature in support
    ]
    line = " + ".join(names)
    if cell_len(line) <= width:
        return line
    return "\n".join(
        _cut(f"+ {name}" if place else name, width) for place, name in enumerate(names)
    )


def _cut(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"
