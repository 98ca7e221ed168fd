"""The one object that `spex audit --json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from spex_api.report import machine

if TYPE_CHECKING:
    from spex_api.audited import Audit, Finding
    from spex_api.bundles.replaying import Replayed
    from spex_api.completions import JsonObject

__all__ = ["told", "told_of_replay"]


def told(audit: Audit) -> JsonObject:
    """All findings, explanations and failures, and what was sent now and what was on disk."""
    usage = audit.usage
    return {
        "findings": [_finding(finding) for finding in audit.findings],
        "explanations": [
            {"id": case.case_id, "standing": str(case.standing), **machine.told(case.explanation)}
            for case in audit.cases
            if case.explanation is not None
        ],
        "unexplained": [
            {"id": case.case_id, "standing": str(case.standing), "error": case.error}
            for case in audit.cases
            if case.explanation is None
        ],
        "usage": {
            "requests": usage.requests,
            "sent": usage.sent,
            "cached": usage.cached,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "usd": usage.usd,
        },
        "complete": audit.complete,
        "ending": audit.ending,
        "version": audit.version,
    }


def told_of_replay(replayed: Replayed) -> JsonObject:
    """How like the recorded audit a rebuilt one is."""
    return {
        "same_bytes": replayed.same_bytes,
        "same_pages": replayed.same_pages,
        "answers": replayed.num_answers,
        "furthest": replayed.furthest and asdict(replayed.furthest),
        "made_by": replayed.made_by and replayed.made_by.model_dump(),
        "digest": replayed.digest or None,
    }


def _finding(finding: Finding) -> JsonObject:
    """A finding, with the ends of its interval beside its value as interactions have them."""
    told = asdict(finding)
    told["low"], told["high"] = told.pop("interval") or (None, None)
    if finding.apart is not None:
        told["apart"] = {"low": finding.apart.low, "high": finding.apart.high}
    return told
