"""Connections that carry one question at a time, and the sockets under them."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import ssl
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpcore2
import httpx2
import pytest
from spex_adapters._chat import read_chat
from spex_adapters._connections import Connections, Reply, clients_error
from spex_adapters._errors import translate
from spex_adapters._http import Line
from spex_adapters._kinds import HTTPX2
from spex_adapters._wire import Wire

from spex_api.errors import MalformedReply, Unavailable

LOOPBACK = Path(__file__).parent / "fixtures" / "loopback.pem"
"""A certificate of 127.0.0.1 and localhost that signs itself, and its key."""
WIRE = Wire("https://h/v1", "gpt-9", "A_KEY", "AN_URL")
_HOST = [(b"host", b"h")]
GOOD = '{"choices": [{"message": {"content": "yes"}}]}'


class Server:
    """A server on loopback that counts its connections and answers as it is told."""

    def __init__(self, reply: bytes = b"", *, then: str = "", unasked: bytes = b"") -> None:
        self.reply = reply or _reply(b"{}")
        self.then = then
        self.unasked = unasked
        self.connections = 0
        self.bodies: list[bytes] = []
        self.url = httpx2.URL()
        self.serving: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers on one connection for as long as it stands."""
        self.connections += 1
        self.serving.append(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                (size,) = [
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ]
                self.bodies.append(await reader.readexactly(size))
                writer.write(self.reply)
                await writer.drain()
                if self.unasked:
                    await asyncio.sleep(0.01)  # else it is one piece with the answer
                    writer.write(self.unasked)
                if self.then == "reset":
                    writer.transport.abort()
                    return
                if self.then == "hang up":
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client hung up
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def ended(self) -> None:
        """Waits until nobody is served any more: the loop must not end before."""
        if self.serving:
            _, going_on = await asyncio.wait(self.serving, timeout=5)
            assert not going_on


@asynccontextmanager
async def _served(server: Server, *, certificate: Path | None = None):
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context) as listening:
        port = listening.sockets[0].getsockname()[1]
        scheme = "https" if certificate else "http"
        server.url = httpx2.URL(f"{scheme}://127.0.0.1:{port}/v1/chat")
        trusted = ssl.create_default_context(cafile=LOOPBACK)
        connections = Connections(server.url, _HOST, trusted=trusted, connecting=5.0)
        try:
            yield connections
        finally:
            await connections.aclose()
            await server.ended()


def _reply(body: bytes, *headers: str) -> bytes:
    said = "\r\n".join(["HTTP/1.1 200 OK", f"content-length: {len(body)}", *headers])
    return said.encode() + b"\r\n\r\n" + body


def test_a_connection_is_used_again():
    """Questions after each other share a connection; at once, each has its own."""

    async def run() -> tuple[int, int]:
        server = Server()
        async with _served(server) as connections:
            for _ in range(3):
                await connections.post(b"{}")
            after_each_other = server.connections
            await asyncio.gather(*(connections.post(b"{}") for _ in range(3)))
            return after_each_other, server.connections

    assert asyncio.run(run()) == (1, 3)


@pytest.mark.parametrize("then", ["hang up", "reset"])
def test_a_connection_whose_server_hung_up_is_not_used(then):
    """What no longer stands is replaced, and no question fails by it."""

    async def run() -> int:
        server = Server(then=then)
        async with _served(server) as connections:
            for _ in range(3):
                assert (await connections.post(b"{}")).content == b"{}"
                await asyncio.sleep(0.01)
            return server.connections

    assert asyncio.run(run()) == 3


def test_what_comes_unasked_is_no_answer():
    """Bytes that a server sends while a connection rests are not taken for the next answer."""

    async def run() -> tuple[bytes, int]:
        server = Server(unasked=_reply(b'"forged"'))
        async with _served(server) as connections:
            await connections.post(b"{}")
            await asyncio.sleep(0.05)
            return (await connections.post(b"{}")).content, server.connections

    assert asyncio.run(run()) == (b"{}", 2)


def test_a_flood_while_nobody_reads_is_held_back():
    """A server that goes on and on is read no further than a few parts."""

    async def run() -> int:
        server = Server(unasked=b"x" * 2**24)
        async with _served(server) as connections:
            await connections.post(b"{}")
            await asyncio.sleep(0.2)
            (resting,) = connections._resting
            return sum(map(len, resting._connection._network_stream._came))

    assert 0 < asyncio.run(run()) < 2**21


@pytest.mark.parametrize("size", [0, 10, 2**16, 2**22 + 1])
def test_texts_of_any_length(size):
    """What goes out and what comes back is whole, however many parts it takes."""

    async def run() -> tuple[bytes, list[bytes]]:
        server = Server(_reply(b"y" * size))
        async with _served(server) as connections:
            response = await connections.post(b"x" * size)
            return response.content, server.bodies

    assert asyncio.run(run()) == (b"y" * size, [b"x" * size])


def test_a_packed_reply_is_unpacked():
    """A server may pack what it says, and its headers are found by their names."""

    async def run() -> Reply:
        body = gzip.compress(b"yes" * 1000)
        server = Server(_reply(body, "Content-Encoding: gzip", "X-A: 1", "x-a: 2"))
        async with _served(server) as connections:
            return await connections.post(b"{}")

    reply = asyncio.run(run())
    assert reply.content == b"yes" * 1000
    assert reply.status_code == 200
    assert reply.headers["x-a"] == "1, 2"


def test_a_reply_that_is_not_packed_as_it_says():
    """It cannot be read, and may have been billed."""

    async def run() -> Exception:
        server = Server(_reply(b"no gzip", "content-encoding: gzip"))
        async with _served(server) as connections:
            with pytest.raises(httpx2.DecodingError) as caught:
                await connections.post(b"{}")
            return translate(caught.value, WIRE, HTTPX2)

    assert type(asyncio.run(run())) is MalformedReply


def test_an_encrypted_connection():
    """A server whose certificate is trusted is asked, and the connection is used again."""

    async def run() -> tuple[bytes, int]:
        server = Server(_reply(b"y" * 2**20))
        async with _served(server, certificate=LOOPBACK) as connections:
            await connections.post(b"x" * 2**20)
            return (await connections.post(b"{}")).content, server.connections

    assert asyncio.run(run()) == (b"y" * 2**20, 1)


def test_a_certificate_that_nobody_trusts():
    """The prompt does not go out, and the sentence says why."""

    async def run() -> tuple[str, list[bytes]]:
        server = Server()
        async with _served(server, certificate=LOOPBACK) as trusting:
            await trusting.aclose()
            strict = Connections(
                server.url, _HOST, trusted=ssl.create_default_context(), connecting=5.0
            )
            with pytest.raises(httpx2.ConnectError) as caught:
                await strict.post(b"{}")
            return translate(caught.value, WIRE, HTTPX2).cause, server.bodies

    cause, bodies = asyncio.run(run())
    assert "its certificate is not trusted" in cause
    assert bodies == []


def test_nobody_listens():
    """A port on which nobody listens is a connection refused, and nobody pays."""

    async def run() -> str:
        server = Server()
        async with _served(server):
            url = server.url
        connections = Connections(url, _HOST, trusted=ssl.create_default_context(), connecting=5.0)
        with pytest.raises(httpx2.ConnectError) as caught:
            await connections.post(b"{}")
        refused = translate(caught.value, WIRE, HTTPX2)
        assert refused.unbilled
        return refused.cause

    assert "connection refused" in asyncio.run(run())


def test_a_connection_that_never_stands():
    """A server that says nothing to a handshake is given up after the time for connecting."""

    async def run() -> type[Exception]:
        ended = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            await writer.wait_closed()
            ended.set()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            url = httpx2.URL(f"https://127.0.0.1:{port}/")
            connections = Connections(
                url, _HOST, trusted=ssl.create_default_context(), connecting=0.05
            )
            with pytest.raises(httpx2.ConnectTimeout) as caught:
                await connections.post(b"{}")
            await asyncio.wait_for(ended.wait(), 5)
            return type(caught.value)

    assert asyncio.run(run()) is httpx2.ConnectTimeout


def test_a_cancelled_question_leaves_no_connection():
    """Its answer may still come, and must not be taken for the next one's."""

    async def run() -> tuple[int, int]:
        server = Server(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        async with _served(server) as connections:
            task = asyncio.create_task(connections.post(b"{}"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            resting = len(connections._resting)
            server.reply = _reply(b"{}")
            await connections.post(b"{}")
            return resting, server.connections

    assert asyncio.run(run()) == (0, 2)


def test_an_answer_that_breaks_off():
    """Half an answer is none, and the attempt may pass when it is made again."""

    async def run() -> Exception:
        half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
        server = Server(half, then="hang up")
        async with _served(server) as connections:
            with pytest.raises(httpx2.TransportError) as caught:
                await connections.post(b"{}")
            return translate(caught.value, WIRE, HTTPX2)

    assert type(asyncio.run(run())) is Unavailable


def test_closing_ends_what_is_at_work_after_it():
    """A question that is under way is answered, and its connection closed then."""

    async def run() -> tuple[bytes, int]:
        server = Server()
        async with _served(server) as connections:
            task = asyncio.create_task(connections.post(b"{}"))
            await asyncio.sleep(0)
            await connections.aclose()
            return (await task).content, len(connections._resting)

    assert asyncio.run(run()) == (b"{}", 0)


def test_each_error_has_its_clients_name():
    """Every error class under the client is raised as the client's own of that name."""
    found = [
        each
        for _, each in inspect.getmembers(httpcore2, inspect.isclass)
        if issubclass(each, Exception) and each is not httpcore2.ConnectionNotAvailable
    ]
    assert len(found) > 10
    for each in found:
        error = clients_error(each("gone"))
        assert type(error) is getattr(httpx2, each.__name__)
        assert str(error) == "gone"


def test_behind_a_proxy(monkeypatch):
    """Where a proxy is set, it is asked, and nothing else is connected to."""
    monkeypatch.setenv("A_KEY", "sk-test-4f1d0c77be9a4e21")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async def run() -> tuple[str, int]:
        proxy = Server(_reply(GOOD.encode()))
        async with _served(proxy):
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.url.port}")
            line = Line(Wire("http://localhost:9/v1", "m", "A_KEY", "AN_URL"), path="/chat")
            try:
                answer = await line.ask({"a": 1}, read=read_chat)
            finally:
                await line.aclose()
            return answer.text, len(proxy.bodies)

    assert asyncio.run(run()) == ("yes", 1)
