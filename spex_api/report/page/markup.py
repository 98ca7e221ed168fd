"""What every part of the page writes: text that cannot act, numbers, tints and bars.

What this module does not know: what is being told.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from spex_api.report.naming import excerpt
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from spex_api.explanation import Explanation
    from spex_api.indices import Interval

__all__ = ["LEVELS", "bar", "names_of", "number", "reach", "safe", "tint"]

LEVELS: Final = 8
"""How many shades a sign has in the style sheet."""

_NAME: Final = 64
"""Characters of a part's text by which a list calls it."""


def safe(text: str) -> str:
    """Foreign text that is text and nothing else."""
    return escape(harmless(text))


def number(value: float, digits: int = 3) -> str:
    """A number with its sign, the minus as wide as the plus."""
    said = f"{value:+.{digits}f}"
    return said.replace("-", "−") if float(said) else f"{0:.{digits}f}"


def reach(interval: Interval | None, digits: int = 3) -> str:
    """An interval in words."""
    if interval is None:
        return "not known"
    return f"{number(interval.low, digits)} … {number(interval.high, digits)}"


def tint(effect: float, strongest: float) -> str:
    """The class of a shade: "up" or "down" with its level; "" for next to nothing."""
    level = round(LEVELS * abs(effect) / strongest) if strongest else 0
    return f"{'up' if effect > 0 else 'down'}{level}" if level else ""


def names_of(explanation: Explanation) -> list[str]:
    """What lists call each part: the beginning of its text, and which one where it stands twice."""
    texts = explanation.interactions.names
    if not texts:
        return [f"feature {feature}" for feature in range(explanation.transform.num_features)]
    places: dict[str, list[int]] = {}
    for feature, text in enumerate(texts):
        places.setdefault(text, []).append(feature)
    named = list(texts)
    for text, same in places.items():
        short = excerpt(harmless(text), _NAME) or "␣"
        for place, feature in enumerate(same, 1):
            named[feature] = short if len(same) == 1 else f"{short} ({place} of {len(same)})"
    return named


def bar(value: float, interval: Interval | None, longest: float) -> str:
    """A value as a bar from the middle, its interval as a line across the end.

    Args:
        value: in the score's unit.
        interval: None where there is none to draw.
        longest: the value that fills half of the width.
    """
    scale = 46.0 / longest if longest else 0.0
    ends = sorted((50.0, 50.0 + scale * value))
    drawn = (
        f'<rect class="{"up" if value > 0 else "down"}" x="{ends[0]:.2f}%" y="4" '
        f'width="{ends[1] - ends[0]:.2f}%" height="8" rx="2"/>'
    )
    if interval is not None:
        low, high = (
            min(100.0, max(0.0, 50.0 + scale * end)) for end in (interval.low, interval.high)
        )
        drawn += f'<line class="reach" x1="{low:.2f}%" x2="{high:.2f}%" y1="8" y2="8"/>'
    return (
        '<svg class="bar" aria-hidden="true" width="100%" height="16">'
        f'<line class="zero" x1="50%" x2="50%" y1="0" y2="16"/>{drawn}</svg>'
    )
