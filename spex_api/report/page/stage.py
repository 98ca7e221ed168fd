"""The prompt with what the script does to it: partners, and what would be without some parts.

What this module does not know: how the prompt is drawn, and how a prediction is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spex_api.report.page.few import SHARE
from spex_api.report.page.markup import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.explanation import Explanation
    from spex_api.report.page.few import Few

__all__ = ["staged"]

_SHORT: Final = 6000
"""Characters of markup: some eighty words, or a dozen lines."""

_LINE: Final = 150
"""Characters for which a line break stands."""

_STAGE = """<section class="stage {shape}" aria-labelledby="prompt">
<div class="board">
<div class="bar-top"><h2 id="prompt">{heading}</h2>
<div class="modes script" role="group" aria-label="What a click does" hidden>
<button type="button" data-mode="look" aria-pressed="true">Look</button>
<button type="button" data-mode="out" aria-pressed="false">Take out</button></div></div>
<p class="note script" id="keys" hidden>Point at a part to see its partners, click to hold it.
Arrows move, Enter holds, Space takes out, Escape lets go.</p>
<div class="ground"><div class="scroll"><div class="turns" role="group" aria-label="{heading}">
{prompt}
<svg class="arcs" aria-hidden="true"></svg></div></div>
<svg class="map" aria-hidden="true"></svg></div>
<p class="legend"><span class="up6">moves the value up</span> <span class="down6">moves it
down</span> <span class="note">Tint: how far keeping a part moves the value on average over all
contexts (its Banzhaf value).</span></p>
</div>
<div class="panel script" hidden>
<section class="card whatif" aria-labelledby="whatif"><h3 id="whatif">What if</h3>
<p class="now"><output id="now" class="big"></output> <span id="give"></span></p>
<svg id="scale" width="100%" height="46" aria-hidden="true"></svg>
<p id="told"></p><p class="unseen" id="live" role="status"></p>
<div class="moves"><button type="button" data-keep="all">Put all back</button>
<button type="button" data-keep="none">Take all out</button>{moves}</div></section>
<section class="card inspect" aria-labelledby="inspected"><h3 id="inspected">One part</h3>
<div id="inspect"><p class="note">Point at a part.</p></div></section>
</div>
</section>"""


def staged(explanation: Explanation, few: Few, *, prompt: str) -> str:
    """The prompt beside the panels.

    Args:
        explanation: whose prompt it is.
        few: the sets for which there are buttons.
        prompt: as it is drawn.
    """
    heading = "The parts" if explanation.prompt is None else "The prompt, as it was sent"
    # Beneath a short prompt there is room for the panels; beside a long one they stay in sight.
    room = len(prompt) + _LINE * prompt.count("\n")
    shape = "short" if room < _SHORT else "long"
    return _STAGE.format(shape=shape, heading=heading, prompt=prompt, moves="".join(_moves(few)))


def _moves(few: Few) -> list[str]:
    moves = []
    if few.flip is not None and few.flip.features:
        moves.append(_button("out", few.flip.features, "Take out the flip set"))
    if few.sufficient.features:
        what = "sufficient set" if few.threshold is not None else f"set that keeps {SHARE:.0%}"
        moves.append(_button("only", few.sufficient.features, f"Keep only the {what}"))
    if few.removals:
        features = few.removals[-1][0]
        said = "Take out the strongest" + (f" {len(features)}" if len(features) > 1 else "")
        moves.append(_button("out", features, said))
    return moves


def _button(kind: str, features: Sequence[int], said: str) -> str:
    listed = " ".join(map(str, features))
    return f'<button type="button" data-{kind}="{listed}">{safe(said)}</button>'
