"""Foreign JSON, taken for what it should be: where it is something else, for nothing.

What is only shown must not be lost for one field that is not as documented. What this module does
not know: any dialect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = ["as_count", "as_object", "as_objects", "as_text"]


def as_text(value: object) -> str:
    """The text, or ""."""
    return value if isinstance(value, str) else ""


def as_count(value: object) -> int:
    """The count, or 0."""
    return value if isinstance(value, int) and value > 0 else 0


def as_object(value: object) -> JsonObject:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> list[JsonObject]:
    """The objects in a list; whatever else is in it is left out."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
