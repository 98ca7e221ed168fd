"""A folder of one's own for each run of the command line, or for the runs that tests share."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from spex_api.cli.app import run
from tests.conftest import ChatServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, on a terminal of a hundred columns."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    return folder


class Printed(NamedTuple):
    """What a run ended with and printed."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder, its answers, and a server, for runs that several tests look at."""

    folder: Path
    server: ChatServer

    def run(self, *arguments: str) -> Printed:
        """One run in the folder; nothing of it is left in the process."""
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            patch.chdir(self.folder)
            patch.setenv("COLUMNS", "100")
            patch.setenv("SPEX_CACHE_DIR", str(self.folder.with_name("answers")))
            patch.setenv("OPENAI_BASE_URL", self.server.url)
            patch.setenv("OPENAI_API_KEY", "sk-secret-of-the-test")
            status = run(list(arguments))
        return Printed(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Iterator[Shell]:
    """The one of a file of tests."""
    folder = tmp_path_factory.mktemp("shell") / "work"
    folder.mkdir()
    with serving() as server:
        yield Shell(folder, server)
