"""The colours of how a case ended, and of how far it is known.

What this module does not know: which colours these are; the style sheet gives them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from spex_api.audited import Audited, Standing

__all__ = ["gauge", "grade", "kind_of", "place_of"]

_GOOD, _FAIR = 0.8, 0.5
_KINDS: Final = {
    "REACHED": "good",
    "ENOUGH": "calm",
    "ENDED": "fair",
    "WHOLE": "good whole",
    "HOPELESS": "poor",
    "FAILED": "failed",
}


def kind_of(standing: Standing) -> str:
    """The classes of a standing."""
    return _KINDS[standing.name]


def place_of(standing: Standing) -> int:
    """Where it is listed among the others: the best first."""
    return list(_KINDS).index(standing.name)


def grade(known: float) -> str:
    """How far what is so far known is to be trusted: "good", "fair" or "poor"."""
    return "good" if known >= _GOOD else "fair" if known >= _FAIR else "poor"


def gauge(case: Audited) -> str:
    """R² of a case as a number and a bar from 0 to 1, with its interval as a line."""
    if case.explanation is None:
        return '<span class="none">none</span>'
    faith = case.explanation.faithfulness
    if not math.isfinite(faith.value):
        return '<span class="none">not measurable</span>'
    low, value, high = (100 * min(1.0, max(0.0, at)) for at in (faith.low, faith.value, faith.high))
    return (
        f'<span class="figure">{f"{faith.value:.2f}".replace("-", "−")}</span>'
        f'<svg class="gauge" aria-hidden="true" width="100%" height="12">'
        '<rect class="track" width="100%" y="4" height="4" rx="2"/>'
        f'<rect class="{grade(case.known)}" width="{value:.1f}%" y="3" height="6" rx="2"/>'
        f'<line class="reach" x1="{low:.1f}%" x2="{high:.1f}%" y1="6" y2="6"/></svg>'
    )
