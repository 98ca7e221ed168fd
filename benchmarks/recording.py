"""What recording adds to a call: the same client with and without it, in one run.

    python benchmarks/recording.py [--rounds 40] [--calls 10] [--replies whole events bytes]

A server on loopback, in a process of its own, answers at once: in one piece, or as a stream of
events of about two hundred bytes, which the client reads as events or, with a fraction of the work,
as bytes. The client and its recorded twin take turns, so many calls each, and begin in turn; the
next begins when the first one's calls are on disk, and that wait is counted.

Told are medians over the rounds, and medians of the differences: of the time that a caller waits
for an answer, of the time of a block with its writing, and of the processor's, all threads
together. What else the machine does falls into the clock's times more than into the processor's.

What this script does not know: any hosted endpoint.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import openai
from spex_adapters.recording import flush, record
from tables import markdown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_SIZES = {"2 kB": 2_000, "100 kB": 100_000}
_WORDS = "The employee has fifteen days of leave a year; “more” may be agreed upon.\n"
_REPLIES = ("whole", "events", "bytes")
_EVENT = 200
_SENTENCE = 40

Body = dict[str, Any]
Client = openai.OpenAI | openai.AsyncOpenAI | anthropic.Anthropic | anthropic.AsyncAnthropic
_KINDS: dict[str, type[Client]] = {
    "openai": openai.OpenAI,
    "openai, async": openai.AsyncOpenAI,
    "anthropic": anthropic.Anthropic,
    "anthropic, async": anthropic.AsyncAnthropic,
}


def _text(size: int) -> str:
    return (_WORDS * (size // len(_WORDS) + 1))[:size]


def _chat(size: int) -> tuple[bytes, list[Body]]:
    """A chat completion of about so many bytes, and a stream of as many."""
    chat = {"id": "c", "created": 1, "model": "m"}
    message = {"role": "assistant", "content": _text(size)}
    whole = {
        **chat,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    pieces = [
        {
            **chat,
            "object": "chat.completion.chunk",
            "choices": [
                {"index": 0, "delta": {"content": _text(_SENTENCE)}, "finish_reason": None}
            ],
        }
        for _ in range(max(size // _EVENT, 1))
    ]
    return json.dumps(whole).encode(), pieces


def _message(size: int) -> tuple[bytes, list[Body]]:
    """The same as Anthropic says it."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": None}
    usage = {"input_tokens": 1, "output_tokens": 1}
    text = {"type": "text", "text": ""}
    whole = {**message, "content": [{**text, "text": _text(size)}], "usage": usage}
    delta = {"type": "text_delta", "text": _text(_SENTENCE * 2)}
    pieces = [
        {"type": "message_start", "message": {**message, "content": [], "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": text},
        *[{"type": "content_block_delta", "index": 0, "delta": delta}] * max(size // _EVENT, 1),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    return json.dumps(whole).encode(), pieces


def _serve() -> None:
    """The server: tells its port, and answers until it is stopped."""
    replies: dict[tuple[str, bool, bool], bytes] = {}
    for size, chats in product(_SIZES.values(), (True, False)):
        whole, pieces = _chat(size) if chats else _message(size)
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(whole)}"
        replies[str(size), chats, False] = f"{head}\r\n\r\n".encode() + whole
        stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        stream += b"transfer-encoding: chunked\r\n\r\n"
        events = [
            f"event: {e.get('type', 'x')}\ndata: {json.dumps(e)}\n\n".encode() for e in pieces
        ]
        for event in (*events, *([b"data: [DONE]\n\n"] if chats else [])):
            event = event.removeprefix(b"event: x\n")  # noqa: PLW2901 - OpenAI names none
            stream += b"%x\r\n%b\r\n" % (len(event), event)
        replies[str(size), chats, True] = stream + b"0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length: ")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
                path = head.split(" ")[1]
                key = (path.split("/")[1], "chat" in path, b'"stream":true' in body)
                writer.write(replies[key])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=2**22)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}" if process.stdout else ""
        finally:
            process.terminate()


@dataclass
class Taken:
    """What blocks of calls took, in milliseconds a call; an entry a round."""

    wall: list[float] = field(default_factory=list)
    caller: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


async def _block(ask: Callable[[], Awaitable[object] | None], calls: int, taken: Taken) -> None:
    """So many calls, one after the other, until they are on disk."""
    alone = []
    start, spent = time.perf_counter(), time.process_time()
    for _ in range(calls):
        begun = time.perf_counter()
        waiting = ask()
        if waiting is not None:
            await waiting
        alone.append(time.perf_counter() - begun)
    flush()
    taken.wall.append((time.perf_counter() - start) / calls * 1000)
    taken.processor.append((time.process_time() - spent) / calls * 1000)
    taken.caller.append(statistics.median(alone) * 1000)


async def _asked(door: Any, question: Body, reply: str) -> None:  # noqa: ANN401 - either vendor's
    """One call of an asynchronous client, its answer read to the end."""
    if reply == "bytes":
        async with door.with_streaming_response.create(**question) as told:
            async for _ in told.iter_bytes():
                pass
        return
    told = await door.create(**question)
    if reply == "events":
        async for _ in told:
            pass


def _asked_plainly(door: Any, question: Body, reply: str) -> None:  # noqa: ANN401
    """The same of a plain one."""
    if reply == "bytes":
        with door.with_streaming_response.create(**question) as told:
            for _ in told.iter_bytes():
                pass
        return
    told = door.create(**question)
    if reply == "events":
        for _ in told:
            pass


def _asking(client: Client, size: int, *, reply: str) -> Callable[[], Awaitable[object] | None]:
    """How a client is asked once."""
    chats = isinstance(client, openai.OpenAI | openai.AsyncOpenAI)
    turns = [{"role": "user", "content": _text(size)}]
    question: Body = {"model": "m", "messages": turns, "max_tokens": 9}
    if reply != "whole":
        question["stream"] = True
    waits = isinstance(client, openai.AsyncOpenAI | anthropic.AsyncAnthropic)
    door = client.chat.completions if chats else client.messages
    return partial(_asked if waits else _asked_plainly, door, question, reply)


@dataclass(frozen=True)
class Row:
    """What one line of the table is about."""

    name: str
    reply: str
    label: str
    rounds: int
    calls: int

    @property
    def said(self) -> list[object]:
        """Its first columns."""
        return [self.name, self.reply, self.label]

    def client(self, url: str) -> Client:
        """The client, whose address tells the server how long its replies are to be."""
        base = f"{url}/{_SIZES[self.label]}" + ("/v1" if "openai" in self.name else "")
        return _KINDS[self.name](api_key="sk-none-at-all", base_url=base, max_retries=0)


async def _figures(row: Row, url: str, file: Path) -> list[object]:
    """Without, and what is added, by each measure."""
    client, calls = row.client(url), max(row.calls // 5, 1) if row.reply == "events" else row.calls
    askers = [
        _asking(each, _SIZES[row.label], reply=row.reply)
        for each in (client, record(client, path=file))
    ]
    taken = [Taken(), Taken()]
    for ask in askers:
        await _block(ask, calls, Taken())  # connections, code and caches
    for number in range(row.rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            await _block(askers[which], calls, taken[which])
    closed = client.close()
    if closed is not None:
        await closed
    return _compared(*taken)


def _compared(without: Taken, with_it: Taken) -> list[object]:
    figures: list[object] = []
    for name in ("caller", "wall", "processor"):
        before, after = getattr(without, name), getattr(with_it, name)
        added = statistics.median(b - a for a, b in zip(before, after, strict=True))
        figures += [f"{statistics.median(before):.2f}", f"{added:+.2f}"]
    return figures


def main() -> None:
    """Runs all rows and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument(
        "--calls", type=int, default=10, help="a block; a fifth where events are read"
    )
    parser.add_argument("--replies", nargs="+", choices=_REPLIES, default=_REPLIES)
    parser.add_argument("--bodies", nargs="+", choices=_SIZES, default=tuple(_SIZES))
    parser.add_argument("--serve", action="store_true", help="be the server")
    options = parser.parse_args()
    if options.serve:
        _serve()
        return
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder, _server() as url:
        file = Path(folder) / "calls.jsonl"
        for name, reply, label in product(_KINDS, options.replies, options.bodies):
            row = Row(name, reply, label, options.rounds, options.calls)
            rows.append([*row.said, *asyncio.run(_figures(row, url, file))])
            file.unlink(missing_ok=True)
            print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    columns = ["caller", "added", "block", "added", "processor", "added"]
    print(markdown(["client", "reply", "bodies", *columns], rows))
    print(
        f"\nMilliseconds a call; {options.rounds} rounds; Python {sys.version.split()[0]}, openai "
        f"{openai.__version__}, anthropic {anthropic.__version__}; {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f} at the end."
    )


if __name__ == "__main__":
    main()
