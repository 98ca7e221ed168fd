"""One recorded call as one line of JSON: a short head, and the two bodies behind it as they came.

A body that is a JSON object is put in byte for byte and not parsed, which would hold up whoever
calls meanwhile: a hundred kilobytes take half a millisecond of the interpreter. The head tells how
long each body is, so that a list is made of heads alone, and that a server's broken JSON spoils
nothing but itself. Whatever else came, such as a stream's events, is a JSON string.

What this module does not know: files, and what a body says.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from spex_api.errors import CacheCorrupt

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = ["Head", "Line", "read_line", "write_line"]

_VERSION: Final = 1
_SIZES: Final = re.compile(rb'\{"call":\d+,"bytes":\[(\d{1,12}),(\d{1,12})\],')
_REQUEST: Final = b',"request":'
_REPLY: Final = b',"reply":'
_NOTHING: Final = b"null"


class Head(BaseModel):
    """What a line says before the bodies.

    Attributes:
        call: the version of the format.
        id: of the call: it sorts by time.
        parents: what the call belongs to, the outermost first.
        begun: when it was sent.
        seconds: until the reply's last byte.
        url: who was asked: neither credentials nor query.
        dialect: in which words.
        status: of HTTP, or None where no reply came.
        error: what went wrong on the way, or "".
        left: whether the client closed the reply before its last byte, as vendors' clients do
            after a stream's last event.
        streamed: whether the reply is a stream's events.
    """

    model_config = ConfigDict(frozen=True)

    call: Annotated[int, Field(ge=1, le=_VERSION)] = _VERSION
    id: Annotated[str, Field(pattern=r"^c-[0-9a-z-]{1,60}$")]
    parents: tuple[str, ...] = ()
    begun: AwareDatetime
    seconds: Annotated[float, Field(ge=0)]
    url: str
    dialect: str
    status: int | None = None
    error: str = ""
    left: bool = False
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line, taken apart.

    Attributes:
        head: what was recorded of the call.
        request: the body that was sent.
        reply: the body that came, or what came of it; its line breaks may have become spaces.
    """

    head: Head
    request: bytes = field(repr=False)
    reply: bytes = field(repr=False)


def write_line(head: JsonObject, *, request: bytes, reply: bytes | None) -> bytes:
    """A line with its line break.

    Args:
        head: the fields of `Head`, but for the version.
        request: the body that was sent.
        reply: the body that came, whatever it is, or None where none did.
    """
    events = bool(head.get("streamed"))
    asked = _embedded(request)
    told = _NOTHING if reply is None else _as_string(reply) if events else _embedded(reply)
    sizes = {"call": _VERSION, "bytes": [len(asked), len(told)]}
    fields = json.dumps({**sizes, **head}, separators=(",", ":"))
    return b"".join((fields[:-1].encode(), _REQUEST, asked, _REPLY, told, b"}\n"))


def read_line(line: bytes) -> Line:
    """A line, taken apart again; the bodies are not looked at.

    Raises:
        CacheCorrupt: it is no line of ours, or of a later version of this package.
    """
    line = line.strip()
    head, request, reply = _cut(line) or _parsed(line)
    try:
        return Line(Head.model_validate_json(head), _body(request), _body(reply))
    except ValidationError as error:
        flaw = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, flaw["loc"]))
        raise CacheCorrupt(
            f"A recorded call cannot be read: {where or 'the line'}: {flaw['msg']}.",
            advice="If a newer version of this package wrote it, install that one.",
        ) from None


def _embedded(body: bytes) -> bytes:
    """A body as it stands in a line: as it is where it looks like a JSON object."""
    if not (body.startswith(b"{") and body.rstrip().endswith(b"}")):
        return _as_string(body)
    # Between JSON's tokens a line break is a space; inside its strings there is none.
    return body.replace(b"\r", b" ").replace(b"\n", b" ")


def _as_string(body: bytes) -> bytes:
    try:
        return to_json(body)
    except PydanticSerializationError:  # no UTF-8
        return to_json(body.decode(errors="replace"))


def _cut(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Head and bodies by the lengths that the head tells, or None where these do not fit."""
    sizes = _SIZES.match(line)
    if sizes is None:
        return None
    asked, told = map(int, sizes.groups())
    reply = len(line) - 1 - told
    request = reply - len(_REPLY) - asked
    end = request - len(_REQUEST)
    marks = (line[max(end, 0) : request], line[request + asked : reply])
    if end < sizes.end() or marks != (_REQUEST, _REPLY) or not line.endswith(b"}"):
        return None
    return line[:end] + b"}", line[request : request + asked], line[reply:-1]


def _parsed(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Head and bodies of a line that something else has written anew.

    Raises:
        CacheCorrupt: it is no JSON object.
    """
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise CacheCorrupt("A recorded call cannot be read: its line is not whole.")
    bodies = (said.pop("request", None), said.pop("reply", None))
    head, request, reply = (json.dumps(each).encode() for each in (said, *bodies))
    return head, request, reply


def _body(written: bytes) -> bytes:
    """The body that was written as this."""
    if written == _NOTHING:
        return b""
    if written.startswith(b'"'):
        return str(json.loads(written)).encode(errors="replace")
    return written
