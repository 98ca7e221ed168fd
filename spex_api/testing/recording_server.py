"""A server on loopback that gives one reply to everything, and keeps what it was asked.

It lives in the event loop that opens it. What this module does not know: any dialect.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Asked", "RecordingServer"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the server was asked.

    Attributes:
        path: from the host on.
        headers: by their names in lower case.
        body: its JSON, parsed.
    """

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class RecordingServer:
    """The server; what it answers may be changed between two questions.

    Attributes:
        reply: the body of every answer.
        status: of every answer.
        headers: of every answer, besides the length.
        cut: whether an answer breaks off in the middle.
        silent: whether there is no answer at all.
        asked: every question, in order.
    """

    reply: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False
    asked: list[Asked] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Its address, with a version at the end as most have."""
        if self._server is None:
            return ""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one question; whether there may be another on this connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        lines = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in lines}
        data = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(head[0].split(" ")[1], headers, json.loads(data or b"null")))
        if self.silent:
            await reader.read(1)  # until the other side gives up
            return False
        body = self.reply.encode()
        told = {"content-type": "application/json", **self.headers, "content-length": len(body)}
        lines_out = [f"HTTP/1.1 {self.status} Told", *(f"{n}: {v}" for n, v in told.items())]
        writer.write("\r\n".join([*lines_out, "", ""]).encode("latin-1"))
        writer.write(body[: len(body) // 2] if self.cut else body)
        await writer.drain()
        return not self.cut
