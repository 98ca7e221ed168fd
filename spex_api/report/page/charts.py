"""Charts as SVG whose colours the style sheet gives, so that they follow light and dark.

What this module does not know: what the numbers mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.report.page.markup import number, safe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.fidelity import Checkpoint, Faithfulness

__all__ = ["against_queries", "dial", "removal"]

_WIDTH, _HEIGHT = 440, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 16, 40
_TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class _Frame:
    """The plane between two ranges."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, value: float) -> float:
        share = (value - self.x[0]) / ((self.x[1] - self.x[0]) or 1.0)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def up(self, value: float) -> float:
        share = (value - self.y[0]) / ((self.y[1] - self.y[0]) or 1.0)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.across(x):.1f},{self.up(y):.1f}" for x, y in points)

    def level(self, value: float, kind: str, said: str = "") -> str:
        at = self.up(value)
        line = (
            f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
            f'y1="{at:.1f}" y2="{at:.1f}"/>'
        )
        if said:
            line += (
                f'<text class="said" x="{_WIDTH - _RIGHT}" y="{at - 5:.1f}" '
                f'text-anchor="end">{said}</text>'
            )
        return line


def against_queries(curve: Sequence[Checkpoint]) -> str:
    """R² on unseen masks against the number of samples, with its interval; "" below two points."""
    points = [each for each in curve if math.isfinite(each.faithfulness.value)]
    if len(points) < 2:
        return ""
    faiths = [each.faithfulness for each in points]
    lowest = min(0.0, *(each.low for each in faiths))
    frame = _Frame((0.0, float(points[-1].num_samples)), (max(-1.0, lowest), 1.0))
    floor = frame.y[0]
    line = [(float(each.num_samples), each.faithfulness.value) for each in points]
    rim = [(float(each.num_samples), max(floor, each.faithfulness.low)) for each in points]
    rim += [
        (float(each.num_samples), max(floor, each.faithfulness.high)) for each in reversed(points)
    ]
    dots = "".join(
        f'<circle class="dot" cx="{frame.across(x):.1f}" cy="{frame.up(max(floor, y)):.1f}" r="4">'
        f"<title>{x:.0f} samples: R² {y:.2f}</title></circle>"
        for x, y in line
    )
    additive = faiths[-1].additive
    body = (
        f'<polygon class="band" points="{frame.path(rim)}"/>'
        + (
            frame.level(additive, "other", "without interactions")
            if math.isfinite(additive) and additive >= floor
            else ""
        )
        + f'<polyline class="line" points="'
        f'{frame.path([(x, max(floor, y)) for x, y in line])}"/>{dots}'
    )
    said = "; ".join(f"{x:.0f} samples: {y:.2f}" for x, y in line)
    ticks = [(float(each.num_samples), f"{each.num_samples:,}") for each in points]
    return _chart(frame, body, ticks=ticks, label=("samples in the fit", "R²"), said=said)


def removal(values: Sequence[float], threshold: float | None) -> str:
    """The predicted value against how many parts are taken out, the whole prompt first."""
    shown = [*values, *([] if threshold is None else [threshold])]
    margin = 0.08 * ((max(shown) - min(shown)) or 1.0)
    frame = _Frame((0.0, float(len(values) - 1)), (min(shown) - margin, max(shown) + margin))
    line = [(float(count), value) for count, value in enumerate(values)]
    dots = "".join(
        f'<circle class="dot" cx="{frame.across(x):.1f}" cy="{frame.up(y):.1f}" r="4">'
        f"<title>{x:.0f} out: {number(y)}</title></circle>"
        for x, y in line
    )
    body = "" if threshold is None else frame.level(threshold, "other", "the answer turns")
    body += f'<polyline class="line" points="{frame.path(line)}"/>{dots}'
    said = "; ".join(f"{x:.0f} out: {number(y)}" for x, y in line)
    ticks = [(x, f"{x:.0f}") for x, _ in line]
    return _chart(frame, body, ticks=ticks, label=("parts taken out", "predicted"), said=said)


def dial(faith: Faithfulness) -> str:
    """R² on a line from 0 to 1 with its interval, and where a model without interactions stands."""
    low, value, high = (
        100.0 * min(1.0, max(0.0, each)) for each in (faith.low, faith.value, faith.high)
    )
    drawn = (
        f'<rect class="band" x="{low:.1f}%" width="{max(0.8, high - low):.1f}%" y="5" height="10" '
        f'rx="5"/><circle class="dot" cx="{value:.1f}%" cy="10" r="5"/>'
    )
    if math.isfinite(faith.additive):
        at = 100.0 * min(1.0, max(0.0, faith.additive))
        drawn = f'<line class="other" x1="{at:.1f}%" x2="{at:.1f}%" y1="1" y2="19"/>' + drawn
    return (
        f'<svg class="dial" width="100%" height="20" role="img" aria-label="R² {safe(str(faith))} '
        'on a line from 0 to 1"><rect class="track" x="0" width="100%" y="8" height="4" rx="2"/>'
        f"{drawn}</svg>"
    )


def _chart(
    frame: _Frame,
    body: str,
    *,
    ticks: Sequence[tuple[float, str]],
    label: tuple[str, str],
    said: str,
) -> str:
    across = "".join(
        f'<text x="{frame.across(at):.1f}" y="{_HEIGHT - _BOTTOM + 16}" '
        f'text-anchor="middle">{text}</text>'
        for at, text in ticks
    )
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{label[1]} against {label[0]}. {said}">'
        f"{''.join(_levels(frame))}{across}{body}"
        f'<text class="said" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" '
        f'text-anchor="middle">{label[0]}</text>'
        f'<text class="said" x="4" y="{_TOP - 4}">{label[1]}</text></svg>'
    )


def _levels(frame: _Frame) -> Iterator[str]:
    """Lines at round numbers, each with its number."""
    low, high = frame.y
    step = _round((high - low) / _TICKS)
    digits = max(0, -math.floor(math.log10(step)))
    for count in range(math.ceil(low / step), math.floor(high / step) + 1):
        value = count * step
        yield frame.level(value, "grid")
        yield (
            f'<text x="{_LEFT - 8}" y="{frame.up(value) + 4:.1f}" text-anchor="end">'
            f"{value:.{digits}f}</text>".replace(">-", ">−")
        )


def _round(step: float) -> float:
    """The least of 1, 2, 5, 10 times a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= step * (1 - 1e-9))
