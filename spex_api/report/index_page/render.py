"""The index put together: what all cases have in common, then each of them.

It stands beside the folder `cases`, and links to the report of each case there. Like a report it
asks for nothing: its policy forbids every request. What this module does not know: what is told in
each section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spex_api.report.index_page.columns import Columns
from spex_api.report.index_page.doubts import doubts
from spex_api.report.index_page.findings import Told
from spex_api.report.index_page.listing import facts, listing
from spex_api.report.index_page.origin import origin
from spex_api.report.index_page.overview import overview
from spex_api.report.page.facts import embedded
from spex_api.report.page.markup import safe
from spex_api.report.page.resources import digest, resource

if TYPE_CHECKING:
    from spex_api.audited import Audit

__all__ = ["render"]

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src {script_hash};
style-src {style_hash}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What moved the answers of {model}</title>
<style>{style}</style>
</head>
<body class="index">
<main>
<header><p class="kicker">spex-api audit</p>
<h1>What moved the answers of <span class="model">{model}</span></h1>
<p class="lead">{lead}</p></header>
{content}
</main>
<script type="application/json" id="facts">{facts}</script>
<script>{script}</script>
</body>
</html>
"""


def render(audit: Audit) -> str:
    """The page as text."""
    told, columns = Told(audit), Columns.of(audit)
    content = [
        overview(audit, told),
        told.findings(),
        told.slices(),
        doubts(audit),
        listing(audit, columns),
        origin(audit),
    ]
    style = resource("report.css") + resource("index.css", __package__)
    script = resource("index.js", __package__)
    return _PAGE.format(
        model=safe(_model(audit)),
        lead=safe(_lead(audit)),
        style=style,
        style_hash=digest(style),
        script=script,
        script_hash=digest(script),
        content="\n".join(filter(None, content)),
        facts=embedded(facts(audit, columns)),
    )


def _model(audit: Audit) -> str:
    models = {case.explanation.provenance.model for case in audit.cases if case.explanation}
    return models.pop() if len(models) == 1 else "several models" if models else "a model"


def _lead(audit: Audit) -> str:
    """What a value is, and how it ended."""
    meanings = {case.explanation.provenance.meaning for case in audit.cases if case.explanation}
    if len(meanings) > 1:
        said = "Values are what each case's own score gives; their meanings differ."
    else:
        said = f"Values are {meanings.pop()}." if meanings else ""
    return " ".join(filter(None, (said, audit.ending)))
