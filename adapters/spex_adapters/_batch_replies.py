"""What an endpoint says of its batches, and their results line by line, as they come in.

Results are never in memory whole. Lines end where JSON Lines says, at a line feed alone: a text may
hold Unicode's other line breaks. What this module does not know: what stands in a line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel, ValidationError

from spex_api.errors import BadRequest, MalformedReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from spex_api.completions import JsonObject
    from spex_api.errors import AdapterError

__all__ = ["UNREADABLE", "answered", "lines_of", "parsed", "raw_body", "read_as"]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

UNREADABLE: Final = ("", MalformedReply("A line of the batch's results cannot be read."))
_LONGEST: Final = 64 * 2**20
"""Bytes: no reply is that long."""


async def answered(
    call: Awaitable[T],
    *,
    refused: type[Exception],
    explain: Callable[[Exception], AdapterError],
    whose: str,
) -> T:
    """What the vendor's client answers; its error comes out as ours.

    Args:
        call: what is awaited.
        refused: the class of all errors of the client.
        explain: our error for one of them.
        whose: the vendor's name, for the sentence.

    Raises:
        AdapterError: one of its kinds.
    """
    try:
        return await call
    except refused as error:
        status = getattr(error, "status_code", 0)
        failed = explain(error)
    if status == 404:
        failed = BadRequest(
            "The endpoint has no such batch, or has no batches at all (404).",
            advice=f"Check that it offers {whose}'s batches, and whose key is set.",
        )
    failed.unbilled = failed.unbilled or 400 <= status < 500
    raise failed  # here, where the vendor's error is no longer around


def read_as(model: type[M], text: str, *, whose: str) -> M:
    """What the endpoint says of a batch or a file.

    Raises:
        MalformedReply: it is something else.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError:
        pass
    raise MalformedReply(f"What the endpoint says of its batches is not what {whose}'s API says.")


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
