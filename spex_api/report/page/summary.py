"""At one glance: the answer, what mattered, how sure that is, and what it took.

What this module does not know: the details, which stand in sections of their own below.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from spex_api.report import story
from spex_api.report.page import charts
from spex_api.report.page.markup import number, safe

if TYPE_CHECKING:
    from spex_api.explanation import Explanation
    from spex_api.fidelity import Faithfulness
    from spex_api.report.page.tables import Listed

__all__ = ["glance"]

_STRONGEST = 3

_GLANCE = """<section class="glance" aria-label="At a glance">
<div class="card answer"><h2>The answer</h2>{answer}</div>
<div class="card mattered"><h2>What mattered most</h2>{mattered}</div>
<div class="card sure"><h2>How sure</h2>{sure}</div>
<div class="card cost"><h2>What it took</h2>{cost}</div>
</section>"""


def glance(explanation: Explanation, listed: Listed) -> str:
    """Four cards."""
    return _GLANCE.format(
        answer=_answer(explanation),
        mattered=listed.strongest(_STRONGEST),
        sure=_sure(explanation),
        cost=_cost(explanation),
    )


def _answer(explanation: Explanation) -> str:
    """The value of the whole prompt, as measured or else as predicted, and of nothing."""
    source, transform = explanation.provenance, explanation.transform
    full, empty = explanation.predict(
        [[1] * transform.num_features, [0] * transform.num_features]
    ).tolist()
    whole, nothing = _level(full, source.full), _level(empty, source.empty)
    odds = f" ({_odds(whole[0])})" if source.meaning.startswith("log-odds") else ""
    return (
        f'<p class="big">{number(whole[0], 2)}</p><p>{safe(source.meaning)}{odds}: the whole, as '
        f"{whole[1]}.</p><p>With everything masked <strong>{number(nothing[0], 2)}</strong>, as "
        f"{nothing[1]}.</p>"
    )


def _level(predicted: float, measured: float | None) -> tuple[float, str]:
    """A value, and how it is known."""
    if measured is not None and math.isfinite(measured):
        return measured, "measured"
    return predicted, "predicted"


def _odds(log_odds: float) -> str:
    """A log-odds as people bet."""
    ratio = math.exp(min(abs(log_odds), 20.0))
    said = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"
    return f"{said} to 1 {'for' if log_odds >= 0 else 'against'}"


def _sure(explanation: Explanation) -> str:
    faith = explanation.faithfulness
    if not math.isfinite(faith.value):
        return '<p class="big">—</p><p>It was not measured, or cannot be.</p>'
    additive = (
        f'<p><span class="mark other"></span>{faith.additive:.2f} without interactions</p>'
        if math.isfinite(faith.additive)
        else ""
    )
    where = "on masks it has seen" if faith.exhaustive else f"on {faith.num_masks} unseen masks"
    return (
        f'<p class="big">{faith.value:.2f} <span class="unit">R²</span></p>{charts.dial(faith)}'
        f'<p class="standing {story.grade(faith)}">{_STANDING[story.grade(faith)]}</p>'
        f"<p>90 % interval {faith.low:.2f} to {faith.high:.2f}, {where}.</p>{additive}"
        f"{_near(explanation.near)}"
    )


def _near(near: Faithfulness | None) -> str:
    """How far it holds for small edits, with a mark where it does not; "" where nobody looked."""
    if near is None or not math.isfinite(near.value):
        return ""
    if story.grade(near) == "good":
        return f"<p>{near.value:.2f} near the whole prompt</p>"
    how = "Less so" if near.value > 0 else "Not so"
    said = f"{near.value:.2f}".replace("-", "−")
    return f'<p class="standing {story.grade(near)}">{how} near the whole prompt: {said}</p>'


_STANDING = {
    "good": "It speaks for the model.",
    "fair": "Trust its strongest parts, not its details.",
    "poor": "Do not lean on it.",
}


def _cost(explanation: Explanation) -> str:
    usage = explanation.usage
    partial = "" if explanation.complete else '<p class="standing poor">The budget ended first.</p>'
    return (
        f'<p class="big">{usage.requests:,} <span class="unit">requests</span></p>'
        f"<p>{safe(_rest(story.cost(explanation)))}.</p>{partial}"
    )


def _rest(said: str) -> str:
    """The cost without the requests, which stand above it."""
    return said.partition(", ")[2]
