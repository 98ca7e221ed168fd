"""The published schema of an explanation's file, for who reads it without this package.

What this module does not know: which file is read, and where the schema is published.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from pydantic.json_schema import GenerateJsonSchema

from spex_api.explanation_file import StoredExplanation

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = ["schema", "schema_text"]

_BOUNDLESS: Final = {"enum": ["NaN", "Infinity", "-Infinity"]}
"""JSON has no such numbers, so a file writes them as words."""


def schema() -> JsonObject:
    """JSON Schema, draft 2020-12, of the version that this package writes.

    Every file that it writes is valid, and one of an earlier release with the same `schema_version`
    too. What the numbers mean is told by the documentation of `spex_api.Explanation`.
    """
    told = StoredExplanation.model_json_schema(ref_template="#/$defs/{model}")
    for name, field in (("Claim", "evidence"), ("Trial", "values")):
        number = told["$defs"][name]["properties"][field]
        place = number.get("items", number)
        place["anyOf"] = [{"type": place.pop("type")}, _BOUNDLESS]
    public: JsonObject = json.loads(
        json.dumps(told).replace('"#/$defs/_', '"#/$defs/').replace('"_', '"')
    )
    public["title"] = "Explanation of spex-api"
    return {"$schema": GenerateJsonSchema.schema_dialect, **public}


def schema_text() -> str:
    """The same as the text of a file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
