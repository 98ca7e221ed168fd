"""Bytes to a server and back, over the event loop's own transports: what the HTTP client stands on.

The client's own way there sets a timer and gives up its turn around every read and write, and asks
the system twice what a connection is called: that takes as much processor time as all that we do
with an answer. Here a question's head and its body go out together, and nobody is asked anything.

What this module does not know: HTTP, and how long a read or a write may take; who asks keeps a
deadline of the whole. Its signatures are those of `httpcore2`.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore2

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterable

__all__ = ["Sockets"]

_HEAD_START: Final = 0.25
"""Seconds that one address of a name has before the next is tried beside it (RFC 8305)."""
_UNREAD: Final = 4
"""Parts, of up to 256 KB each, that may come in while nobody reads."""
_ALL: Final[dict[str, Any]] = {"all_errors": True} if sys.version_info >= (3, 12) else {}
_NAMES: Final = {"client_addr": "sockname", "server_addr": "peername"}


class Sockets(httpcore2.AsyncNetworkBackend):
    """Opens connections over TCP."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the client's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection, not yet encrypted.

        Raises:
            ConnectTimeout: it did not stand within so many seconds.
            ConnectError: it cannot be made.
        """
        async with _connecting(timeout):
            _, opened = await asyncio.get_running_loop().create_connection(
                _Socket,
                host,
                port,
                local_addr=None if local_address is None else (local_address, 0),
                happy_eyeballs_delay=_HEAD_START,
                **_ALL,
            )
        for option in socket_options or ():
            opened.transport.get_extra_info("socket").setsockopt(*option)
        return opened


class _Socket(httpcore2.AsyncNetworkStream, asyncio.Protocol):
    """One connection: it is read by one task at a time."""

    def __init__(self) -> None:
        self.transport = asyncio.Transport()  # until there is one
        self._unsent: list[bytes] = []
        self._came: deque[bytes] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._paused = False
        self._ended = False
        self._failure: Exception | None = None
        self._poll: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        self._came.append(data)
        if self._waiting is None and len(self._came) >= _UNREAD and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, failure: Exception | None) -> None:
        self._ended = True
        self._failure = failure
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109, ARG002
        """Takes the bytes; they go out, all together, once an answer is waited for."""
        if buffer:
            self._unsent.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109, ARG002
        """What came next, or nothing where the server has hung up.

        Raises:
            ReadError: the connection broke.
        """
        if self._unsent:
            unsent, self._unsent = self._unsent, []
            self.transport.write(b"".join(unsent))
        if not self._came and not self._ended:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        if not self._came:
            if self._failure is not None:
                raise httpcore2.ReadError(str(self._failure)) from self._failure
            return b""
        part = self._came.popleft()
        if len(part) > max_bytes:
            self._came.appendleft(part[max_bytes:])
            part = part[:max_bytes]
        if self._paused and not self._came:
            self._paused = False
            self.transport.resume_reading()
        return part

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the client's own signature
    ) -> httpcore2.AsyncNetworkStream:
        """The same connection, encrypted.

        Raises:
            ConnectTimeout: it was not within so many seconds.
            ConnectError: the other side is not trusted, or does not know how.
        """
        try:
            async with _connecting(timeout):
                encrypted = await asyncio.get_running_loop().start_tls(
                    self.transport, self, ssl_context, server_hostname=server_hostname
                )
        except BaseException:
            self.transport.abort()
            raise
        if encrypted is not None:  # else the server has hung up, as the first read will find
            self.transport = encrypted
        return self

    async def aclose(self) -> None:
        """Hangs up; what was not sent is not sent."""
        self.transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket at its next turn

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the client's own signature
        """What is known of the connection, by the client's names."""
        if info == "is_readable":
            return bool(self._came) or self._ended or self._may_be_read()
        return self.transport.get_extra_info(_NAMES.get(info, info))

    def _may_be_read(self) -> bool:
        """Whether the server has hung up, say, and the loop has not looked since."""
        if self.transport.is_closing():
            return True
        if self._poll is not None:
            return bool(self._poll.poll(0))
        ready, _, _ = select.select([self.transport.get_extra_info("socket")], [], [], 0)
        return bool(ready)


@asynccontextmanager
async def _connecting(seconds: float | None) -> AsyncIterator[None]:
    """What fails inside fails as the client's own errors.

    Raises:
        ConnectTimeout: it takes longer than that.
        ConnectError: it failed.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as late:
        raise httpcore2.ConnectTimeout(str(late)) from late
    except (OSError, ExceptionGroup) as failed:
        raise httpcore2.ConnectError(str(failed)) from failed
