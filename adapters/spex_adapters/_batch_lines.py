"""The results of a batch, line by line, as they come in: never the whole file in memory.

Lines end where JSON Lines says, at a line feed alone: a text may hold Unicode's other line breaks.
What this module does not know: what stands in a line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from spex_api.errors import MalformedReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from spex_api.completions import JsonObject

__all__ = ["UNREADABLE", "lines_of", "parsed", "raw_body"]

UNREADABLE: Final = ("", MalformedReply("A line of the batch's results cannot be read."))
_LONGEST: Final = 64 * 2**20
"""Bytes: no reply is that long."""


async def lines_of(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The lines of a stream that are not empty.

    Raises:
        MalformedReply: a line does not end.
    """
    parts: list[bytes] = []
    size = 0
    async for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for each in ended:
            line = b"".join([*parts, each])
            parts, size = [], 0
            if line.strip():
                yield line
        parts.append(rest)
        size += len(rest)
        if size > _LONGEST:
            raise MalformedReply("A line of the batch's results does not end.")
    last = b"".join(parts)
    if last.strip():
        yield last


def parsed(line: bytes) -> object:
    """What the line's JSON means; None where it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def raw_body(body: JsonObject) -> str:
    """A reply's body, once more as JSON: the same numbers and texts, in the same order."""
    return json.dumps(body, separators=(",", ":"))
