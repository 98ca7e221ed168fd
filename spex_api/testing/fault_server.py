"""A real HTTP server on loopback that speaks OpenAI's and Anthropic's dialects, and fails on order.

It has three forms: `async with FaultServer(...)` in this event loop, `FaultServer.in_thread(...)`
for plain tests, and a process of its own (`python -m spex_api.testing.fault_server`, or
`server_process`), which outlives a client that is killed. It listens on 127.0.0.1 and nowhere else,
and never sends anything on. What this module does not know: what a reply says, and who asks.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final, Self

from spex_api.errors import UsageError
from spex_api.testing.dialects import (
    ANTHROPIC,
    OPENAI,
    Answer,
    Dialect,
    known_words,
    token_counts,
)
from spex_api.testing.ledger import Ledger, Received
from spex_api.testing.limits import Enforcer
from spex_api.testing.replies import Replies, bent, in_json, refusal, routed
from spex_api.testing.script import Fault, Route, Script
from spex_api.testing.wire import (
    HEAD_LIMIT,
    Reply,
    Request,
    Stream,
    Unreadable,
    read_request,
    write_reply,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["FaultServer"]

_HOST: Final = "127.0.0.1"
_LINGERING: Final = 2.0
"""Seconds."""
_TOO_FAST: Final = Fault("limit", 429, "Rate limit reached.", code="rate_limit_exceeded")
_NO_QUESTION: Final = Fault("no question", 400, "The body is no question.")
_QUESTIONS: Final = {"/v1/chat/completions": OPENAI, "/v1/messages": ANTHROPIC}


class FaultServer:
    """A server that answers deterministically, and goes wrong where its script says so.

    >>> script = Script.numbered({1: RATE_LIMITED, 2: SERVER_ERROR})
    >>> async with FaultServer(script) as server:
    ...     adapter = OpenAIAdapter("m", base_url=server.openai_url)

    Args:
        script: the table of faults; none by default.
        answer: from a conversation to the log-probs of first tokens; by default known words add up.
            What it raises ends the connection, and is raised again when the server closes.
        latency: seconds that an answer takes; a refusal takes none.
        keep: how many requests to keep in `received`; all of them by default.
        log: a text file that is told of each answer paid and delivered, a JSON line each.
        port: where to listen; 0 takes a free one.

    Raises:
        UsageError: the latency is negative.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        answer: Answer | None = None,
        latency: float = 0.0,
        keep: int | None = None,
        log: IO[str] | None = None,
        port: int = 0,
    ) -> None:
        if not latency >= 0:
            raise UsageError(f"A latency of {latency} seconds cannot be.")
        self.script = script or Script()
        self.ledger = Ledger(keep=keep, log=log)
        self._replies = Replies(self.script, answer or known_words(), self.ledger)
        self._latency = latency
        self._port = port
        self._enforcer = Enforcer(self.script.limits) if self.script.limits else None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._mishaps: list[BaseException] = []

    @property
    def openai_url(self) -> str:
        """The base address for OpenAI's dialect."""
        return f"{self.anthropic_url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The base address for Anthropic's dialect."""
        return f"http://{_HOST}:{self._port}"

    @property
    def received(self) -> list[Received]:
        """Every request, in order."""
        return self.ledger.received

    @property
    def questions(self) -> list[Received]:
        """Of the requests, those that ask a model."""
        return [asked for asked in self.ledger.received if asked.route is Route.QUESTION]

    @property
    def paid(self) -> Counter[str]:
        """How many billed answers were given, by the canonical JSON of the body (see `Ledger`)."""
        return self.ledger.paid

    @property
    def delivered(self) -> Counter[str]:
        """How many of them went out whole."""
        return self.ledger.delivered

    @property
    def peak(self) -> int:
        """The most questions that were under way at once."""
        return self.ledger.peak

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, _HOST, self._port, limit=HEAD_LIMIT, backlog=1024
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await server.wait_closed()
            await asyncio.sleep(0)  # the transports close their sockets one turn later
        if self._mishaps and error is None:
            raise self._mishaps[0]

    @classmethod
    @contextmanager
    def in_thread(
        cls,
        script: Script | None = None,
        *,
        answer: Answer | None = None,
        latency: float = 0.0,
        keep: int | None = None,
    ) -> Iterator[FaultServer]:
        """The same server on an event loop of its own, in a thread, for tests that have none."""
        served = cls(script, answer=answer, latency=latency, keep=keep)
        started = threading.Event()
        stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        failed: list[BaseException] = []

        async def run() -> None:
            async with served:
                done = asyncio.Event()
                stop.append((asyncio.get_running_loop(), done))
                started.set()
                await done.wait()

        def work() -> None:
            try:
                asyncio.run(run())
            except Exception as mishap:  # noqa: BLE001 - raised again below, in the test's thread
                failed.append(mishap)
            finally:
                started.set()

        thread = threading.Thread(target=work, name="fault-server", daemon=True)
        thread.start()
        started.wait()
        try:
            if stop:
                yield served
        finally:
            for loop, done in stop:
                loop.call_soon_threadsafe(done.set)
            thread.join()
        if failed:
            raise failed[0]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(Stream(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        mishap = None if task.cancelled() else task.exception()
        if mishap is not None:
            self._mishaps.append(mishap)

    async def _serve(self, stream: Stream) -> None:
        """One connection, request after request."""
        try:
            while request := await read_request(stream.reader):
                if not await self._exchange(request, stream) or request.closes:
                    break
        except Unreadable as refused:
            unread = Fault("unreadable", refused.args[0], "The request cannot be read.")
            await self._send(refusal(unread, OPENAI), stream, closes=True)
            await _linger(stream.reader)
        except asyncio.CancelledError:
            stream.writer.transport.abort()
            raise
        finally:
            stream.writer.close()

    async def _exchange(self, request: Request, stream: Stream) -> bool:
        """One request and its reply. Returns whether the connection stays."""
        path = request.target.partition("?")[0]
        if path.startswith("/__spex__/"):
            counts = self.ledger.stats(bodies=path == "/__spex__/stats")
            return await self._send(in_json(200, counts), stream, closes=request.closes)
        if request.method == "POST" and path in _QUESTIONS:
            return await self._question(request, stream, _QUESTIONS[path])
        route, name = routed(request.method, path)
        asked = self._receive(request, route)
        fault = self.script.fault(asked)
        if fault and not fault.acts:
            dialect = ANTHROPIC if path.startswith("/v1/messages") else OPENAI
            reply = refusal(fault, dialect, secret=asked.secret)
        else:
            reply = bent(self._replies.managed(asked, name, origin=self.anthropic_url), fault)
        return await self._send(reply, stream, closes=request.closes)

    async def _question(self, request: Request, stream: Stream, dialect: Dialect) -> bool:
        """A question to the model. Returns whether the connection stays."""
        try:
            body = json.loads(request.body)
            tokens = sum(token_counts(body))
        except (ValueError, AttributeError, TypeError, UsageError):
            body, tokens = None, 0
        asked = self._receive(request, Route.QUESTION, body)
        fault = _NO_QUESTION if body is None else self.script.fault(asked)
        headers = (*self.script.headers.items(), ("x-request-id", f"req_{asked.number}"))
        if self._enforcer and body is not None:
            verdict = self._enforcer.judge(tokens, dialect=dialect.name)
            headers = (*headers, *verdict.headers)
            fault = fault if verdict.admitted else _TOO_FAST
        self.ledger.enter()
        try:
            if fault and not fault.acts:
                reply = refusal(fault, dialect, secret=asked.secret, headers=headers)
            else:
                if self._latency:
                    await asyncio.sleep(self._latency)
                answer = self._replies.answer(body, dialect, attempt=asked.attempt, fault=fault)
                reply = bent(in_json(200, answer, headers), fault)
            billed = asked.key if fault is None or fault.answers else ""
            whole = await self._send(reply, stream, closes=request.closes, billed=billed)
            if billed and whole and (fault is None or fault.keeps == 1):
                self.ledger.deliver(billed)
        finally:
            self.ledger.leave()
        return whole

    def _receive(self, request: Request, route: Route, body: object = None) -> Received:
        return self.ledger.receive(
            request.method,
            request.target,
            head=request.head,
            raw=request.body,
            route=route,
            body=body,
        )

    async def _send(
        self, reply: Reply, stream: Stream, *, closes: bool = False, billed: str = ""
    ) -> bool:
        """Sends a reply. Returns whether all of it went out."""

        def begin() -> None:
            self.ledger.statuses[reply.status] += 1
            if billed:
                self.ledger.pay(billed)

        return await write_reply(reply, stream, closes=closes, on_begin=begin)


async def _linger(reader: asyncio.StreamReader) -> None:
    """Takes what is still coming: who closes before that resets the connection, reply and all."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(_LINGERING):
            while await reader.read(2**16):
                pass


if __name__ == "__main__":
    from spex_api.testing.process import main

    main()
