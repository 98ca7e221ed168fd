"""The one object that `--json` prints."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from spex_api.report import causes
from spex_api.report.naming import Names

if TYPE_CHECKING:
    from spex_api.claims import Cause
    from spex_api.completions import JsonObject
    from spex_api.explanation import Explanation

__all__ = ["told"]


def told(explanation: Explanation) -> JsonObject:
    """The explanation as in its file, what was sent now and what was on disk.

    Of causes it has the sentences, and of their trials the counts: the answers are in the file.
    """
    stored: JsonObject = json.loads(explanation.to_json())
    stored["usage"]["sent"] = explanation.usage.sent
    stored["usage"]["cached"] = explanation.usage.cached
    stored["causes"] = _causes(explanation)
    return stored


def _causes(explanation: Explanation) -> JsonObject | None:
    tested = explanation.causes
    if tested is None:
        return None
    return {
        "outcome": tested.outcome,
        "verdict": causes.verdict(tested),
        "confirmed": [_cause(explanation, each) for each in tested.confirmed],
        "not_confirmed": [
            _cause(explanation, each) for each in tested.causes if not each.confirmed
        ],
        "trials": [
            {
                "removed": list(trial.arrangement.removed),
                "moved": [list(each) for each in trial.arrangement.moved],
                **asdict(row),
            }
            for trial, row in zip(tested.trials, causes.tried(explanation), strict=True)
        ],
        "calls": tested.calls,
        "alpha": tested.alpha,
        "advice": tested.advice,
    }


def _cause(explanation: Explanation, cause: Cause) -> JsonObject:
    texts = Names.of(explanation).texts
    return {
        "kind": str(cause.kind),
        "features": list(cause.features),
        "texts": [texts[feature] for feature in cause.features],
        "sentence": causes.sentence(explanation, cause),
        "suppressors": list(cause.suppressors),
    }
