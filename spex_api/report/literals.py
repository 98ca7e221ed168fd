"""Data as Python code that a person can read, and that gives the data back.

What this module does not know: what the data are.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["literal", "quoted"]

_WIDTH: Final = 72
"""Of a line with several entries, so that a name fits before them."""
_STEP: Final = "    "


def literal(value: Any, indent: str = "") -> str:  # noqa: ANN401 - it is any JSON
    """The value as code, on one line where it fits, else an entry a line.

    Args:
        value: texts, numbers, True, False, None, and lists, tuples and dictionaries of them.
        indent: what stands before the lines that follow the first.
    """
    if isinstance(value, str):
        return quoted(value)
    if not isinstance(value, list | tuple | dict):
        return repr(value)
    opening, closing = (
        "()" if isinstance(value, tuple) else "{}" if isinstance(value, dict) else "[]"
    )
    inner = indent + _STEP
    entries = (
        [f"{literal(key, inner)}: {literal(each, inner)}" for key, each in value.items()]
        if isinstance(value, dict)
        else [literal(each, inner) for each in value]
    )
    lone = "," if isinstance(value, tuple) and len(entries) == 1 else ""
    line = f"{opening}{', '.join(entries)}{lone}{closing}"
    if "\n" not in line and len(indent) + len(line) <= _WIDTH:
        return line
    return "\n".join([opening, *(f"{inner}{entry}," for entry in entries), f"{indent}{closing}"])


def quoted(text: str) -> str:
    """The text between the quotes that a formatter chooses; nothing in it acts on who reads it."""
    single = repr(text)
    if single.startswith('"') or text.count('"') > text.count("'"):
        return single
    body = single[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{body}"'
