"""Bars of characters that show a value and its interval on one scale.

`│━━━━━━├─●─┤`: from 0, the axis, runs a bar as far as the value goes for sure; the interval has two
ends, and the value is a dot. What this module does not know: whose values they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spex_api.indices import Interval

__all__ = ["Scale"]

_BEYOND: Final = 2.0
"""An interval is drawn as far as this multiple of the largest value; beyond, it is cut."""


class _Glyphs(NamedTuple):
    axis: str
    bar: str
    reach: str
    low: str
    high: str
    cut_low: str
    cut_high: str
    value: str


_DRAWN: Final = _Glyphs("│", "━", "─", "├", "┤", "◂", "▸", "●")
_TYPED: Final = _Glyphs("|", "=", "-", "[", "]", "<", ">", "o")


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values stand on a line of characters.

    Attributes:
        low: the value of the first cell, at most 0.
        high: the value of the last cell, at least 0.
        width: how many cells, at least 2.
        ascii_only: whether only ASCII may be drawn.
    """

    low: float
    high: float
    width: int
    ascii_only: bool = False

    @classmethod
    def of(
        cls,
        values: Iterable[tuple[float, Interval | None]],
        *,
        width: int,
        ascii_only: bool = False,
    ) -> Scale:
        """A scale on which all values can be seen, and their intervals as far as that is sensible.

        Args:
            values: each with its interval, where it has one.
            width: how many cells.
            ascii_only: whether only ASCII may be drawn.
        """
        pairs = list(values)
        most = _BEYOND * max((abs(value) for value, _ in pairs), default=0.0)
        ends = [end for value, interval in pairs for end in (value, *(interval or (value, value)))]
        low = max(min(ends, default=0.0), -most)
        high = min(max(ends, default=0.0), most)
        return cls(min(low, 0.0), max(high, 0.0) or (0.0 if low < 0 else 1.0), width, ascii_only)

    def bar(self, value: float, interval: Interval | None, *, style: str) -> Text:
        """One value and its interval.

        Args:
            value: on the scale.
            interval: None where it is not known.
            style: of all but the axis.
        """
        glyphs = _TYPED if self.ascii_only else _DRAWN
        zero, at = self._cell(0.0), self._cell(value)
        cells = [" "] * self.width
        sure = value if interval is None else _nearest_to_zero(interval)
        near = self._cell(sure)
        for cell in range(min(zero, near), max(zero, near) + 1):
            cells[cell] = glyphs.bar
        cells[zero] = glyphs.axis
        if interval is not None:
            first, last = self._cell(interval.low), self._cell(interval.high)
            for cell in range(first, last + 1):
                cells[cell] = glyphs.reach
            if first < last:
                cells[first] = glyphs.cut_low if interval.low < self.low else glyphs.low
                cells[last] = glyphs.cut_high if interval.high > self.high else glyphs.high
        cells[at] = glyphs.value
        drawn = Text("".join(cells).rstrip(), style=style, no_wrap=True)
        if cells[zero] == glyphs.axis:
            drawn.stylize("default dim", zero, zero + 1)
        return drawn

    def heading(self, *, decimals: int) -> Text:
        """The numbers at both ends, and 0 where there is room.

        Args:
            decimals: how many.
        """
        first = f"{self.low:+.{decimals}f}" if self.low else "0"
        last = f"{self.high:+.{decimals}f}" if self.high else "0"
        if len(first) + len(last) + 1 > self.width:
            return Text("")
        line = list(first.ljust(self.width - len(last)) + last)
        zero = self._cell(0.0)
        around = line[max(zero - 1, 0) : zero + 2]
        if 0 < zero < self.width - 1 and set(around) == {" "}:
            line[zero] = "0"
        return Text("".join(line), no_wrap=True)

    def _cell(self, value: float) -> int:
        share = (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 1.0) * (self.width - 1))


def _nearest_to_zero(interval: Interval) -> float:
    if interval.low <= 0.0 <= interval.high:
        return 0.0
    return min(interval, key=abs)
