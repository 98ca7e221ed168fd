"""The fault server as a process of its own: its command line, and how a test starts one.

What this module does not know: what the server does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

from spex_api.errors import UsageError
from spex_api.testing.fault_server import FaultServer
from spex_api.testing.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.completions import JsonObject

__all__ = ["Served", "main", "server_process"]


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs in another process.

    Attributes:
        openai_url: the base address for OpenAI's dialect.
        anthropic_url: that for Anthropic's.
        pid: the process.
    """

    openai_url: str
    anthropic_url: str
    pid: int

    def stats(self, *, bodies: bool = True) -> JsonObject:
        """The server's counts (see `Ledger.stats`).

        Raises:
            OSError: the server is gone.
        """
        connection = HTTPConnection(self.anthropic_url.removeprefix("http://"), timeout=60)
        try:
            connection.request("GET", "/__spex__/stats" if bodies else "/__spex__/totals")
            counts: JsonObject = json.loads(connection.getresponse().read())
            return counts
        finally:
            connection.close()


@contextmanager
def server_process(
    table: JsonObject | None = None, *, latency: float = 0.0, log: Path | None = None
) -> Iterator[Served]:
    """Starts a server in a process of its own, and ends it.

    Args:
        table: the script, as `read_table` takes it.
        latency: seconds that an answer takes.
        log: a file that is told of each answer paid and delivered.

    Raises:
        UsageError: the server did not start.
    """
    command = [sys.executable, "-m", "spex_api.testing.fault_server", "--latency", str(latency)]
    command += ["--table", "-"]
    command += ["--ledger", str(log)] if log else []
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            if process.stdin is None or process.stdout is None:
                raise UsageError("The fault server has no pipes.")
            process.stdin.write(json.dumps(table or {}) + "\n")
            process.stdin.flush()
            said = process.stdout.readline()
            if not said:
                raise UsageError("The fault server did not start; see what it wrote.")
            yield Served(**json.loads(said))
        finally:
            process.terminate()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is terminated; writes one line of JSON with its addresses when it listens.

    Args:
        arguments: of the command line; those of the process by default.

    Raises:
        UsageError: the table cannot be read.
    """
    parser = argparse.ArgumentParser(prog="python -m spex_api.testing.fault_server")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that an answer takes")
    parser.add_argument(
        "--table",
        help="a file of JSON with the faults; -: a line of standard input, with which it ends",
    )
    parser.add_argument("--ledger", help="a file that is told of every answer")
    given = parser.parse_args(arguments)
    text = "{}"
    if given.table:
        text = sys.stdin.readline() if given.table == "-" else Path(given.table).read_text("utf-8")
    script, answer = read_table(text)
    with Path(given.ledger or os.devnull).open("a", encoding="utf-8") as log:
        server = FaultServer(
            script,
            answer=answer,
            latency=given.latency,
            keep=0,
            log=log if given.ledger else None,
            port=given.port,
        )
        asyncio.run(_serve(server, bound=given.table == "-"))


async def _serve(server: FaultServer, *, bound: bool) -> None:
    async with server:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, done.set)
        if bound:  # whoever started it is gone once standard input ends: nobody is left to stop it
            loop.add_reader(sys.stdin.fileno(), done.set)
        served = Served(server.openai_url, server.anthropic_url, os.getpid())
        sys.stdout.write(json.dumps(asdict(served)) + "\n")
        sys.stdout.flush()
        await done.wait()
