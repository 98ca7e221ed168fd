"""What the script computes with, as JSON that is text to a browser until it is parsed.

What this module does not know: what is drawn.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from spex_api.report import story
from spex_api.report.interplay import interplay
from spex_api.report.page.markup import names_of, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.explanation import Explanation
    from spex_api.fidelity import Faithfulness
    from spex_api.indices import Interactions
    from spex_api.transforms import Support

__all__ = ["embedded", "facts"]


def facts(explanation: Explanation, *, threshold: float | None) -> dict[str, Any]:
    """The surrogate, all interactions, and how sure a prediction is.

    The terms' numbers are written as Python writes them, so that a script reads the same doubles.

    Args:
        explanation: the explanation.
        threshold: the prediction at which the answer turns; None where nothing says so.
    """
    found, transform = explanation.interactions, explanation.transform
    effects = story.effects(explanation)
    return {
        "names": names_of(explanation),
        "effects": effects,
        "sets": list(transform),
        "coefficients": list(transform.values()),
        "index": found.index,
        "interactions": [_row(found, support, effects) for support in found.strongest()],
        "within": _within(explanation.faithfulness),
        "near": None if explanation.near is None else _within(explanation.near),
        "threshold": threshold,
        "full": _said(explanation.provenance.full),
        "exhaustive": explanation.faithfulness.exhaustive,
        "shares": explanation.faithfulness.of_shares,
    }


def embedded(value: object) -> str:
    """JSON that ends no script element and opens none, whatever its texts say."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _row(found: Interactions, support: Support, effects: Sequence[float]) -> list[Any]:
    interval = found.intervals.get(support)
    low, high = (None, None) if interval is None else map(_finite, interval)
    kind = interplay(found, support, effects)
    return [support, found[support], low, high, "" if kind is None else kind.value]


def _within(faith: Faithfulness) -> float | None:
    return None if faith.within is None else _finite(faith.within)


def _said(value: float | None) -> str | None:
    return None if value is None or not math.isfinite(value) else number(value, 2)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
