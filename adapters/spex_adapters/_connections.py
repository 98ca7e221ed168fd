"""The connections to one server: each carries one question at a time, and rests in between.

What this module does not know: what is asked, and what an answer says. How many questions are under
way is the policies' matter, and so there are as many connections as need be.

Raised is what `httpx2` would raise, which has its errors' names from `httpcore2` under it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpcore2
import httpx2

from spex_adapters._sockets import Sockets

if TYPE_CHECKING:
    import ssl

__all__ = ["Connections", "clients_error"]

_RESTS: Final = 5.0
"""Seconds after which a resting connection is not used again: the server may just be hanging up."""
_FAILURES: Final = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)


class Connections:
    """The connections to where a request like this one goes. Building it opens none.

    Args:
        url: where all requests go.
        trusted: which certificates are trusted.
        connecting: seconds that a connection may take to stand.
    """

    def __init__(self, url: httpx2.URL, *, trusted: ssl.SSLContext, connecting: float) -> None:
        self._url = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        self._trusted = trusted
        self._extensions = {"timeout": {"connect": connecting}}
        self._sockets = Sockets()
        self._resting: list[httpcore2.AsyncHTTPConnection] = []
        self._closed = False

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """The reply, read to its end; who waits no longer has the connection closed.

        Args:
            request: to the address of all; its body is there as a whole.

        Raises:
            TransportError: it got no answer, or never left.
            DecodingError: the reply is not packed as it says.
        """
        asked = httpcore2.Request(
            b"POST",
            self._url,
            headers=request.headers.raw,
            content=request.content,
            extensions=self._extensions,
        )
        try:
            reply, content = await self._exchange(asked)
        except _FAILURES as failure:
            raise clients_error(failure) from failure
        return httpx2.Response(reply.status, headers=reply.headers, content=content)

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
            try:
                return reply, await reply.aread()
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


def clients_error(failure: Exception) -> httpx2.TransportError:
    """The error of `httpx2` that is called as the one of `httpcore2`."""
    found = getattr(httpx2, type(failure).__name__, httpx2.TransportError)
    error: httpx2.TransportError = found(str(failure))
    return error
