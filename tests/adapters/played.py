"""A server on loopback that plays replies piece by piece, and keeps each request byte for byte.

What this module does not know: what is asked.
"""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Reply:
    """What is played: the pieces of a body, each a chunk of HTTP's."""

    pieces: tuple[bytes, ...]
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    broken: bool = False
    """Whether the connection ends before the body does."""
    pause: float = 0.0
    """Seconds before each piece but the first."""

    @property
    def body(self) -> bytes:
        """All pieces."""
        return b"".join(self.pieces)

    @property
    def head(self) -> bytes:
        """The lines before the body."""
        told = {
            "content-type": self.content_type,
            "transfer-encoding": "chunked",
            **dict(self.headers),
        }
        lines = [f"HTTP/1.1 {self.status} Played", *(f"{n}: {v}" for n, v in told.items())]
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Player:
    """The server's side: what it plays, in turn and the last for ever, and what it was asked."""

    replies: list[Reply]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def turn(self, request: bytes) -> Reply:
        """The reply to a request, which is kept."""
        self.requests.append(request)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def playing(*replies: Reply) -> Iterator[Player]:
    """A server that plays these."""
    player = Player(list(replies))

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            while self.exchange():
                pass

        def exchange(self) -> bool:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return False
                head += line
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            body = self.rfile.read(int(fields.get(b"content-length", b"0")))
            reply = player.turn(head + body)
            try:
                self.wfile.write(reply.head)
                for place, piece in enumerate(reply.pieces):
                    if place and reply.pause and player.over.wait(reply.pause):
                        return False
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                if not reply.broken:
                    self.wfile.write(b"0\r\n\r\n")
            except ConnectionError:
                return False
            return not reply.broken

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        player.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield player
        finally:
            player.over.set()
            server.shutdown()
            thread.join()


def in_json(body: object, **settings: object) -> Reply:
    """A body in one piece."""
    return Reply((json.dumps(body).encode(),), **settings)


def in_events(*said: dict[str, object], done: bool = False, **settings: object) -> Reply:
    """A stream, an event a piece."""
    lines = [f"event: {each['type']}\n" if "type" in each else "" for each in said]
    pieces = [
        f"{line}data: {json.dumps(each)}\n\n".encode()
        for line, each in zip(lines, said, strict=True)
    ]
    ending = [b"data: [DONE]\n\n"] if done else []
    return Reply((*pieces, *ending), content_type="text/event-stream", **settings)
