"""How an element of a list reads: one line for a person, whatever the element is.

What this module does not know: where it stands, and what becomes of it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["as_json", "jsonable", "shown"]

_TEXTS: Final = ("text", "page_content", "content")
"""Where the libraries for retrieval and for chats keep an object's text."""


def shown(element: object) -> str:
    """The element as one line: a text as it is, an object by its text, or else as JSON.

    Half a character, which no file holds, becomes "?".
    """
    return " ".join(_text(element).encode("utf-8", "replace").decode().split())


def jsonable(value: object) -> Any:  # noqa: ANN401 - it is any JSON
    """An object of pydantic's, or a dataclass, as dictionaries and lists; anything else as it is.

    Args:
        value: what a function gave or is given.
    """
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        try:
            return dump(mode="json", warnings=False)
        except TypeError:  # another library's method of that name
            return dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    return value


def as_json(value: object) -> str:
    """The value as JSON text; what JSON has no word for as its `str`."""
    return json.dumps(jsonable(value), ensure_ascii=False, default=str)


def _text(element: object) -> str:
    if isinstance(element, str):
        return element
    if isinstance(element, Mapping | list | tuple):
        return as_json(element)
    texts = (getattr(element, name, None) for name in _TEXTS)
    found = next((text for text in texts if isinstance(text, str)), None)
    if found is not None:
        return found
    plain = jsonable(element)
    return repr(element) if plain is element else as_json(plain)
