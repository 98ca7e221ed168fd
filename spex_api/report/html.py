"""A self-contained page: nothing is loaded from anywhere, and everything foreign is escaped."""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import TYPE_CHECKING

from spex_api.prompts.parts import Picture
from spex_api.report import causes, pictures, story
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.claims import Cause
    from spex_api.explanation import Explanation
    from spex_api.prompts.rendering import Marked
    from spex_api.transforms import Support

__all__ = ["render"]

_ROWS = 25

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2433; --paper: #fdfdfb; --line: #d9dbe1; --dim: #667; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ee; --paper: #15181f; --line: #353b47; --dim: #9aa3b2; }
}
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 56rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
.prompt { white-space: pre-wrap; border: 1px solid var(--line); border-radius: .5rem;
          padding: 1rem; overflow-wrap: anywhere; }
.role, .pinned, .note, dt { color: var(--dim); } .role { font-size: .8rem; }
.feature { border-radius: .2rem; padding: .05rem .1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; white-space: nowrap; }
.words { width: 40%; overflow-wrap: anywhere; } table { margin-bottom: 1.5rem; }
.bar { width: 8.5rem; } .bar span { display: inline-block; height: .7rem; border-radius: .15rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.verdict { font-weight: 600; } .causes { padding-left: 1.2rem; } .causes li { margin: .4rem 0; }
.unconfirmed { color: var(--dim); } caption { text-align: left; color: var(--dim); }
tbody th { font-weight: inherit; overflow-wrap: anywhere; }
"""

_TABLE = """<table>
<thead><tr><th scope="col" class="words">{heading}</th><th scope="col" class="number">Value</th>
<th scope="col" class="number">90 % interval</th><th scope="col"></th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""

_CAUSES = """<section aria-labelledby="causes">
<h2 id="causes">Causes <span class="note">({outcome})</span></h2>
<p class="verdict">{verdict}</p>
{sentences}
<p class="note">{method}</p>
<table>
<caption>What was asked, and of how many answers the outcome does not hold</caption>
<thead><tr><th scope="col">Changed</th><th scope="col" class="number">Flipped</th>
<th scope="col" class="number">Answers</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</section>
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';
img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What moved the answer of {model}</title>
<style>{style}</style>
</head>
<body>
<h1>What moved the answer of {model}</h1>
<p>{trust}</p>
{causes}{prompt}
<h2>Strongest interactions <span class="note">({index}, order {order}; {meaning})</span></h2>
{tables}
<p class="note">{count} of {total} interactions are shown; all are in explanation.json. With
everything masked the surrogate says {empty:+.3f}.</p>
<h2>Where the numbers come from</h2>
<dl>
{provenance}
<dt>Took</dt><dd>{cost}</dd>
</dl>
</body>
</html>
"""


def render(explanation: Explanation) -> str:
    """The page as text."""
    found = explanation.interactions
    lists = story.by_order(explanation, _ROWS)
    return _PAGE.format(
        style=_STYLE + pictures.STYLE,
        model=_safe(explanation.provenance.model),
        trust=_safe(story.trust(explanation)),
        causes=_causes(explanation),
        prompt="".join(_prompt(explanation)),
        index=_safe(found.index),
        order=found.order,
        meaning=_safe(explanation.provenance.meaning),
        tables="\n".join(_table(heading, each, explanation) for heading, each in lists),
        count=sum(len(each) for _, each in lists),
        total=len(found),
        empty=explanation.predict([[0] * explanation.transform.num_features])[0],
        provenance="\n".join(
            f"<dt>{_safe(name)}</dt><dd>{_safe(text)}</dd>"
            for name, text in story.provenance(explanation)
        ),
        cost=_safe(story.cost(explanation)),
    )


def _safe(text: str) -> str:
    return escape(harmless(text))


def _causes(explanation: Explanation) -> str:
    """What was put to the test, with the table of all trials; "" where nothing was."""
    tested = explanation.causes
    if tested is None:
        return ""
    items = "\n".join(
        f"<li class='{_state(cause)}'>{_safe(causes.sentence(explanation, cause))}</li>"
        for cause in tested.causes
    )
    rows = "\n".join(
        f'<tr><th scope="row">{_safe(row.changed)}</th><td class="number">{row.flipped}</td>'
        f'<td class="number">{row.asked}</td></tr>'
        for row in causes.tried(explanation)
    )
    return _CAUSES.format(
        outcome=_safe(tested.outcome),
        verdict=_safe(causes.verdict(tested)),
        sentences=f'<ul class="causes">\n{items}\n</ul>' if items else "",
        method=_safe(causes.method(explanation)),
        rows=rows,
    )


def _state(cause: Cause) -> str:
    return "confirmed" if cause.confirmed else "unconfirmed"


def _prompt(explanation: Explanation) -> Iterator[str]:
    """The prompt as it was sent, each feature tinted by its effect."""
    if explanation.prompt is None:
        return
    effects = story.effects(explanation)
    strongest = max(map(abs, effects), default=0.0) or 1.0
    yield "<h2>The prompt</h2>\n"
    for turn, parts in explanation.prompt.marked():
        yield f'<div class="role">{_safe(turn.role)}</div>\n<div class="prompt">'
        yield from _turn(parts, effects, strongest)
        yield "</div>\n"
    yield (
        '<p class="note">Tint: how far keeping a part moves the value on average over all '
        "contexts (its Banzhaf value); green up, red down.</p>"
    )


def _turn(parts: Sequence[Marked], effects: list[float], strongest: float) -> Iterator[str]:
    rest = iter(parts)
    for part, feature, _ in rest:
        if isinstance(part, Picture):
            if parts[0].part is not part:
                yield "<br>"  # what is said before it ends in no line break of its own
            patches = [(each.part, each.feature) for each in islice(rest, part.num_patches)]
            tints = [
                (f"{patch.text}: {_effect(effects, number)}", _tint(effects, number, strongest))
                for patch, number in patches
            ]
            yield from pictures.drawn(part, tints)
        elif feature is None:
            yield f'<span class="pinned">{_safe(part.original)}</span>'
        else:
            yield (
                f'<span class="feature" title="{_effect(effects, feature)}" '
                f'style="background: {_tint(effects, feature, strongest)}">'
                f"{_safe(part.text)}</span>{_safe(part.gap)}"
            )


def _effect(effects: list[float], feature: int | None) -> str:
    return "pinned" if feature is None else f"{effects[feature]:+.3f}"


def _tint(effects: list[float], feature: int | None, strongest: float) -> str:
    effect = 0.0 if feature is None else effects[feature]
    colour = "46, 160, 110" if effect > 0 else "214, 69, 65"
    return f"rgba({colour}, {0.75 * abs(effect) / strongest:.3f})"


def _table(heading: str, supports: list[Support], explanation: Explanation) -> str:
    rows = "\n".join(_row(support, explanation) for support in supports)
    return _TABLE.format(heading=heading.capitalize(), rows=rows)


def _row(support: Support, explanation: Explanation) -> str:
    found = explanation.interactions
    longest = max(map(abs, found.values()), default=0.0) or 1.0
    value, interval = found[support], found.intervals.get(support)
    colour = "rgb(46, 160, 110)" if value > 0 else "rgb(214, 69, 65)"
    reach = f"{interval.low:+.3f} … {interval.high:+.3f}" if interval else "not known"
    return (
        f'<tr><td class="words">{_safe(story.words(explanation, support))}</td>'
        f'<td class="number">{value:+.3f}</td><td class="number">{reach}</td>'
        f'<td class="bar"><span style="width: {8 * abs(value) / longest:.2f}rem; '
        f'background: {colour}"></span></td></tr>'
    )
