"""HTTP/1.1 on a stream, as much of it as a test's server needs: one request in, one reply out.

Connections are kept alive. What this module does not know: what is asked, and what a reply says.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from spex_api.testing.script import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HEAD_LIMIT", "Reply", "Request", "Stream", "Unreadable", "read_request", "write_reply"]

HEAD_LIMIT: Final = 2**20
"""The longest head in bytes that is read."""

_BODY_LIMIT: Final = 2**29
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}
_ABORT: Final = struct.pack("ii", 1, 0)  # linger for no time: closing sends a reset


class Unreadable(Exception):
    """What came is no request that this server reads; the reply's status is its argument."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it came.

    Attributes:
        method: its verb.
        target: path and query.
        head: its line and headers.
        body: what followed.
        closes: whether the client wants no further request on this connection.
    """

    method: str
    target: str
    head: bytes
    body: bytes
    closes: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, as it goes out.

    Attributes:
        status: the HTTP status.
        body: what follows the head.
        headers: further headers.
        content_type: of the body.
        delivery: how it goes over the wire.
        gap: seconds between two bytes of a trickle.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delivery: Delivery = Delivery.WHOLE
    gap: float = 0.0

    def head(self, *, closes: bool) -> bytes:
        """The reply's line and headers."""
        lines = [
            f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, 'Unknown')}",
            f"content-type: {self.content_type}",
            f"content-length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        if closes:
            lines.append("connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True, slots=True)
class Stream:
    """Both ends of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def gone(self) -> bool:
        """Whether the client has left, as far as the operating system knows by now."""
        return self.writer.transport.is_closing() or self.reader.at_eof()


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, or None where the client is gone.

    Raises:
        Unreadable: what came is no such request.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError:
        raise Unreadable(431) from None
    small = head.lower()
    try:
        method, target, version = head[: head.index(b"\r\n")].decode("latin-1").split(" ")
        length = int(_value(small, b"content-length") or 0)
    except ValueError:
        raise Unreadable(400) from None
    if b"\r\ntransfer-encoding:" in small:
        raise Unreadable(411)
    if not 0 <= length <= _BODY_LIMIT:
        raise Unreadable(413)
    closes = _value(small, b"connection") == b"close" or version != "HTTP/1.1"
    try:
        body = await reader.readexactly(length) if length else b""
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Request(method, target, head, body, closes)


def _value(head: bytes, name: bytes) -> bytes:
    """A header's value in a head of lower case, or nothing."""
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()


async def write_reply(
    reply: Reply,
    stream: Stream,
    *,
    closes: bool,
    on_begin: Callable[[], None],
) -> bool:
    """Sends a reply the way it is to be delivered.

    Args:
        reply: what goes out.
        stream: where to.
        closes: whether the connection ends with it.
        on_begin: is called right before the first byte is handed over.

    Returns:
        Whether all of it went out, and the connection still stands.
    """
    writer = stream.writer
    if reply.delivery is Delivery.UNANSWERED:
        _reset(writer)
        return False
    if reply.delivery is Delivery.SILENCE:
        await _until_gone(stream)
        return False
    on_begin()
    head = reply.head(closes=closes)
    try:
        if reply.delivery is Delivery.WHOLE:
            writer.write(head + reply.body)
            await writer.drain()
        elif reply.delivery is Delivery.TRICKLE:
            writer.write(head)
            await _trickle(reply, stream)
        else:
            writer.write(head + reply.body[: len(reply.body) // 2])
            await writer.drain()
            await _break_off(reply, stream)
            return False
    except ConnectionError:
        return False
    return not stream.gone


async def _trickle(reply: Reply, stream: Stream) -> None:
    for place in range(len(reply.body)):
        await asyncio.sleep(reply.gap)
        if stream.gone:
            return
        stream.writer.write(reply.body[place : place + 1])
        await stream.writer.drain()


async def _break_off(reply: Reply, stream: Stream) -> None:
    if reply.delivery is Delivery.RESET:
        await asyncio.sleep(0.01)  # so that the client sees the half before the reset
        _reset(stream.writer)
    elif reply.delivery is Delivery.STALL:
        await _until_gone(stream)


def _reset(writer: asyncio.StreamWriter) -> None:
    endpoint = writer.get_extra_info("socket")
    if endpoint is not None:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()


async def _until_gone(stream: Stream) -> None:
    with suppress(ConnectionError):
        await stream.reader.read()
