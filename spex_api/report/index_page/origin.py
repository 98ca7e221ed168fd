"""Where an audit's numbers come from, what it took, and how to have them again.

What this module does not know: where the audit's folder is.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from spex_api.report.index_page.overview import took
from spex_api.report.page.markup import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spex_api.audited import Audit

__all__ = ["origin"]

_MOST: Final = 4

_SECTION: Final = """<section class="origin" aria-labelledby="origin">
<h2 id="origin">Where the numbers come from</h2>
<dl>
{lines}
</dl>
</section>"""


def origin(audit: Audit) -> str:
    """The section."""
    explained = [case.explanation for case in audit.cases if case.explanation is not None]
    sources = [each.provenance for each in explained]
    served: Counter[str] = Counter()
    for source in sources:
        served.update(source.served)
    lines = [
        ("Value", _told(each.meaning for each in sources)),
        (
            "Index",
            _told(f"{x.interactions.index} to order {x.interactions.order}" for x in explained),
        ),
        ("Model", _told(each.model for each in sources)),
        (
            "Served",
            ", ".join(f"{name or '?'} ×{count:,}" for name, count in served.most_common(_MOST)),
        ),
        ("Endpoint", _told(each.endpoint for each in sources)),
        ("Score", _told(each.score for each in sources)),
        ("Decoder", _told(each.decoder for each in explained)),
        ("Seed", "" if audit.spec is None else str(audit.spec.get("seed", 0))),
        ("Took", f"{audit.usage.requests:,} requests, {took(audit)}"),
        ("Ended", audit.ending),
        ("Written by", f"spex-api {audit.version}" if audit.version else ""),
        ("Again", "" if audit.spec is None else "spex replay audit.json"),
    ]
    return _SECTION.format(
        lines="\n".join(f"<dt>{name}</dt><dd>{safe(text)}</dd>" for name, text in lines if text)
    )


def _told(entries: Iterable[str]) -> str:
    """What the cases say: once where they agree, else the most frequent with how often."""
    counts = Counter(entries)
    if len(counts) <= 1:
        return "".join(counts)
    said = ", ".join(f"{entry} (×{count:,})" for entry, count in counts.most_common(_MOST))
    rest = len(counts) - _MOST
    return said if rest <= 0 else f"{said} and {rest:,} others"
