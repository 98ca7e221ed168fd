"""The connections to one server: each carries one question at a time, and rests in between.

What this module does not know: what is asked, and what an answer says. How many questions are under
way is the policies' matter, and so there are as many connections as need be.

Raised is what `httpx2` would raise, which has its errors' names from `httpcore2` under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import httpcore2
import httpx2

from spex_adapters._sockets import Sockets

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, Iterable, Mapping

__all__ = ["Connections", "Reply", "clients_error"]

_RESTS: Final = 5.0
"""Seconds after which a resting connection is not used again: the server may just be hanging up."""
_FAILURES: Final = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, read to its end.

    Attributes:
        status_code: of the reply.
        headers: of the reply, by their names in lower case.
        content: its body, unpacked.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class Connections:
    """The connections to one address. Building it opens none.

    Args:
        url: where all questions go.
        headers: what goes with each of them, secrets too; never shown.
        trusted: which certificates are trusted.
        connecting: seconds that a connection may take to stand.
    """

    def __init__(
        self,
        url: httpx2.URL,
        headers: Iterable[tuple[bytes, bytes]],
        *,
        trusted: ssl.SSLContext,
        connecting: float,
    ) -> None:
        self._url = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        self._headers = tuple(headers)
        self._trusted = trusted
        self._extensions = {"timeout": {"connect": connecting}}
        self._sockets = Sockets()
        self._resting: list[httpcore2.AsyncHTTPConnection] = []
        self._closed = False

    async def post(self, content: bytes) -> Reply:
        """The reply to a body; who waits no longer has the connection closed.

        Args:
            content: the body.

        Raises:
            TransportError: it got no answer, or never left.
            DecodingError: the reply is not packed as it says.
        """
        asked = httpcore2.Request(
            b"POST",
            self._url,
            headers=(*self._headers, (b"Content-Length", b"%d" % len(content))),
            content=content,
            extensions=self._extensions,
        )
        try:
            reply, packed = await self._exchange(asked)
        except _FAILURES as failure:
            raise clients_error(failure) from failure
        headers = _by_name(reply.headers)
        if "content-encoding" in headers:
            packed = httpx2.Response(reply.status, headers=reply.headers, content=packed).content
        return Reply(reply.status, headers, packed)

    async def aclose(self) -> None:
        """Closes those that rest; those that are at work are closed after it."""
        self._closed = True
        while self._resting:
            await self._resting.pop().aclose()

    async def _exchange(self, asked: httpcore2.Request) -> tuple[httpcore2.Response, bytes]:
        connection = await self._rested() or httpcore2.AsyncHTTPConnection(
            self._url.origin,
            ssl_context=self._trusted,
            keepalive_expiry=_RESTS,
            network_backend=self._sockets,
        )
        try:
            reply = await connection.handle_async_request(asked)
            parts = cast("AsyncIterable[bytes]", reply.stream)
            try:
                return reply, b"".join([part async for part in parts])
            finally:
                await reply.aclose()
        finally:
            if connection.is_available() and not self._closed:
                self._resting.append(connection)
            else:
                await connection.aclose()

    async def _rested(self) -> httpcore2.AsyncHTTPConnection | None:
        """The one that rests the shortest, if the server has not hung up."""
        while self._resting:
            connection = self._resting.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None


def _by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their names; what is said twice is joined, as the standard has it."""
    found: dict[str, str] = {}
    for raw, value in headers:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def clients_error(failure: Exception) -> httpx2.TransportError:
    """The error of `httpx2` that is called as the one of `httpcore2`."""
    found = getattr(httpx2, type(failure).__name__, httpx2.TransportError)
    error: httpx2.TransportError = found(str(failure))
    return error
