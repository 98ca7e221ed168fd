"""A PostgreSQL of the tests' own: Debian's, in a temporary folder, on a free port of loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

PASSWORD = "pa55-w0rd-of-the-test"  # noqa: S105 - of a server that lives as long as the tests
_USER = "postgres"


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@dataclass
class PostgresServer:
    """A running server.

    Attributes:
        folder: of its data.
        port: on 127.0.0.1.
    """

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def made(cls, folder: Path) -> PostgresServer:
        """A new one, which runs."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = cls(folder / "data", port)
        password = folder / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, password):
                shutil.chown(path, _USER)
        options = ["--auth=scram-sha-256", "--username=tester", "--no-sync", "--encoding=UTF8"]
        command = server._command("initdb", "-D", str(server.folder), f"--pwfile={password}")
        subprocess.run(
            [*command, *options], check=True, stdout=subprocess.DEVNULL, cwd=folder, timeout=60
        )
        server.start()
        return server

    @property
    def url(self) -> str:
        """Its address, with the password."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://tester:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it, and returns once it answers."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder.parent,
            "fsync": "off",
            "max_connections": 60,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.folder.parent / "log").open("ab") as log:
            command = self._command("postgres", "-D", str(self.folder), *options)
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder.parent, start_new_session=True
            )
        until = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, (self.folder.parent / "log").read_text()
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                assert time.monotonic() < until
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill -9 of the server and all its processes."""
        assert self._process is not None
        number = self._process.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        for process in (number, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)

    def execute(self, statement: str) -> list[tuple]:
        """What a statement comes to, in a session of its own."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def _command(self, name: str, *arguments: str) -> list[str]:
        """A program of PostgreSQL's, which refuses to be run by root."""
        folder = binaries()
        assert folder is not None
        command = [str(folder / name), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--init-groups", *command]
        return command
