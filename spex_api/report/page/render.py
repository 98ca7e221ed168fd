"""The page put together, and its core for a notebook.

The page asks for nothing: its policy forbids every request, and allows the one style sheet and the
one script by their hashes. What this module does not know: what is told in each section.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from spex_api.report.page import sections
from spex_api.report.page.facts import embedded, facts
from spex_api.report.page.few import Few
from spex_api.report.page.markup import names_of, safe
from spex_api.report.page.prompt import drawn
from spex_api.report.page.resources import digest, resource
from spex_api.report.page.stage import staged
from spex_api.report.page.summary import glance
from spex_api.report.page.tables import Listed

if TYPE_CHECKING:
    from spex_api.explanation import Explanation

__all__ = ["framed", "render"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src {script_hash};
style-src {style_hash}; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What moved the answer of {model}</title>
<style>{style}</style>
</head>
<body{kind}>
<main>
{content}
</main>
<script type="application/json" id="facts">{facts}</script>
<script>{script}</script>
</body>
</html>
"""

_HEAD = """<header><p class="kicker">spex-api explanation</p>
<h1>What moved the answer of <span class="model">{model}</span></h1></header>"""

_FRAME = (
    '<iframe title="What moved the answer" sandbox="allow-scripts" srcdoc="{page}" width="100%" '
    'height="620" style="border: 0; border-radius: 8px"></iframe>'
)


def render(explanation: Explanation) -> str:
    """The page as text."""
    few, listed = Few.of(explanation), Listed(explanation)
    content = [
        _HEAD.format(model=safe(explanation.provenance.model)),
        glance(explanation, listed),
        sections.tested(explanation),
        staged(explanation, few, prompt=drawn(explanation)),
        listed.section(),
        sections.deciding(few, names_of(explanation)),
        sections.sureness(explanation),
        sections.origin(explanation),
    ]
    return _page(explanation, "\n".join(filter(None, content)), few=few)


def framed(explanation: Explanation) -> str:
    """The page's core in a frame of its own, for a notebook: prompt, what-if and interactions."""
    few = Few.of(explanation)
    content = staged(explanation, few, prompt=drawn(explanation)) + Listed(explanation).section()
    page = _page(explanation, content, few=few, kind=' class="framed"')
    return _FRAME.format(page=escape(page))


def _page(explanation: Explanation, content: str, *, few: Few, kind: str = "") -> str:
    style, script = resource("report.css"), resource("report.js")
    return _PAGE.format(
        model=safe(explanation.provenance.model),
        style=style,
        style_hash=digest(style),
        script=script,
        script_hash=digest(script),
        kind=kind,
        content=content,
        facts=embedded(facts(explanation, threshold=few.threshold)),
    )
