"""The one object that `--json` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.completions import JsonObject
    from spex_api.explanation import Explanation

__all__ = ["told"]


def told(explanation: Explanation) -> JsonObject:
    """The explanation as in its file, and what was sent now and what was on disk."""
    stored: JsonObject = json.loads(explanation.to_json())
    stored["usage"]["sent"] = explanation.usage.sent
    stored["usage"]["cached"] = explanation.usage.cached
    return stored
