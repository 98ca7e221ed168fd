"""What of an audit goes into a bundle beside the answers, as files.

What this module does not know: how files are packed, and the pages.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from spex_api.audit_file import StoredAudit
from spex_api.bundles.members import AUDIT, CASES, PLANS, SPEC, explanation_of
from spex_api.querying.adapter import load_adapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from spex_api.audit_spec import AuditSpec
    from spex_api.audited import Audit, Audited
    from spex_api.completions import JsonObject

__all__ = ["endpoints_of", "models_of", "texts", "told_by"]


def texts(audit: Audit) -> Iterator[tuple[str, bytes]]:
    """Everything but answers and pages: names in a bundle, each with its bytes.

    Args:
        audit: with its spec.
    """
    spec = dict(audit.spec or {})
    rows = spec.pop("cases", [])
    yield SPEC, (json.dumps(spec, indent=1, ensure_ascii=False) + "\n").encode()
    yield CASES, _lines(rows)
    yield PLANS, _lines(_plan(case) for case in audit.cases)
    yield AUDIT, StoredAudit.of(audit).text().encode()
    for case in audit.cases:
        if case.explanation is not None:
            yield explanation_of(case.folder), case.explanation.to_json().encode()


def models_of(spec: AuditSpec) -> tuple[str, ...]:
    """The names of all models that a spec names, the one that is explained first."""
    named = (spec.model, spec.score.judge, spec.score.embeddings)
    return tuple(dict.fromkeys(name for name in named if name))


def told_by(audit: Audit, spec: AuditSpec) -> dict[str, str]:
    """Who answered as the explained model, by its name; nothing where nothing was explained."""
    said = {
        case.explanation.provenance.endpoint for case in audit.cases if case.explanation is not None
    }
    return {spec.model: said.pop()} if len(said) == 1 else {}


def endpoints_of(spec: AuditSpec, known: Mapping[str, str]) -> dict[str, str]:
    """Who answered, by the name of each model that the spec names.

    Args:
        spec: the spec.
        known: those that are known; the others are where the environment says.

    Raises:
        UsageError: a model has no adapter here.
    """
    return {name: known.get(name) or load_adapter(name).endpoint for name in models_of(spec)}


def _plan(case: Audited) -> JsonObject:
    """Which masks were asked: the first so many that this seed draws, but for those left out."""
    told: JsonObject = {"id": case.case_id, "features": 0, "masks": 0}
    if case.explanation is None:
        return told
    source = case.explanation.provenance
    return {
        "id": case.case_id,
        "features": case.explanation.transform.num_features,
        "seed": source.seed,
        "keep": source.keep,
        "masks": source.planned,
        "unasked": [list(ends) for ends in source.unasked],
    }


def _lines(rows: Iterable[JsonObject]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
