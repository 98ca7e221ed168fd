"""The one object that `--json` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.explanation import Explanation

__all__ = ["render"]


def render(explanation: Explanation) -> str:
    """The explanation as in its file, and what was sent now and what was on disk."""
    stored = json.loads(explanation.to_json())
    stored["usage"]["sent"] = explanation.usage.sent
    stored["usage"]["cached"] = explanation.usage.cached
    return json.dumps(stored, ensure_ascii=False, allow_nan=False) + "\n"
