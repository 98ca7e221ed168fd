"""The file of calls: whole lines from several processes, and reading while it grows."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from spex_api.calls.file import append, calls_file, find_call, read_calls
from spex_api.calls.line import write_line
from spex_api.errors import UsageError


def line(number, *, text="x", call_id=None):
    """A call's line."""
    head = {
        "id": call_id or f"c-{number:04d}",
        "begun": "2026-10-04T10:11:12Z",
        "seconds": 0.0,
        "url": "http://127.0.0.1/v1/chat/completions",
        "dialect": "openai.chat",
        "status": 200,
    }
    return write_line(head, request=b'{"text":"' + text.encode() + b'"}', reply=b"{}")


def test_the_file_is_beside_the_answers_and_its_owners_alone(answers):
    """Nobody else may read what was asked, nor look into the folder that is made for it."""
    append(calls_file(), [line(1)])
    assert calls_file().is_relative_to(answers)
    assert calls_file().stat().st_mode & 0o777 == 0o600
    assert calls_file().parent.stat().st_mode & 0o777 == 0o700


def test_lines_of_several_processes_and_threads_stay_whole(tmp_path):
    """Long lines at once from four processes of two threads each: all are there, none is mixed."""
    path = tmp_path / "calls.jsonl"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from test_file import fill\nfill(Path(sys.argv[2]), int(sys.argv[3]))"
    )
    here = os.path.dirname(__file__)  # noqa: PTH120
    running = [
        subprocess.Popen([sys.executable, "-c", program, here, str(path), str(place)])
        for place in range(4)
    ]
    assert [process.wait() for process in running] == [0] * 4
    calls = list(read_calls(path))
    assert sorted(call.id for call in calls) == sorted(f"c-{n:04d}" for n in range(80))
    assert all(set(call.request["text"]) == {call.id[-1]} for call in calls)


def fill(path, place):
    """Appends twenty lines of a hundred kilobytes from two threads."""
    numbers = range(place * 20, place * 20 + 20)
    with ThreadPoolExecutor(2) as pool:
        for each in [
            pool.submit(append, path, [line(n, text=str(n % 10) * 100_000)]) for n in numbers
        ]:
            each.result()


def test_a_last_line_that_is_cut_off_is_left_out(tmp_path):
    """Reading does without it, and the next line begins on a line of its own."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(line(1) + line(2)[:40])
    assert [call.id for call in read_calls(path)] == ["c-0001"]
    append(path, [line(3)])
    assert [call.id for call in read_calls(path)] == ["c-0001", "c-0003"]


def test_what_is_no_call_is_left_out_and_said(caplog):
    """One strange line does not hide the others."""
    append(calls_file(), [line(1), b"{}\n", b"\n", line(2)])
    assert [call.id for call in read_calls()] == ["c-0001", "c-0002"]
    assert f"{calls_file()}: 1 lines are no calls" in caplog.text


def test_half_a_line_is_taken_back(tmp_path, monkeypatch):
    """Where the disk is full in the middle of a line, the file is as it was before."""
    path = tmp_path / "calls.jsonl"
    append(path, [line(1)])
    before, write = path.read_bytes(), os.write
    room = [30, None]

    def write_some(handle, data):
        left = room.pop(0)
        if left is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data[:left])

    monkeypatch.setattr(os, "write", write_some)
    with pytest.raises(OSError, match="No space"):
        append(path, [line(2)])
    assert path.read_bytes() == before


def test_a_call_is_found_by_the_beginning_of_its_id(tmp_path):
    """With or without its prefix, as long as only one begins like this; a whole id wins."""
    path = tmp_path / "calls.jsonl"
    append(path, [line(0, call_id=name) for name in ("c-ab1", "c-ab12", "c-cd")])
    assert find_call("c", path=path).id == "c-cd"
    assert find_call("c-ab1", path=path).id == "c-ab1"
    with pytest.raises(UsageError, match="2 calls"):
        find_call("c-ab", path=path)
    with pytest.raises(UsageError, match="no calls 'c-x'"):
        find_call("x", path=path)


def test_no_file_is_no_call(tmp_path):
    """Who records nothing is told how to."""
    with pytest.raises(UsageError, match="record"):
        list(read_calls(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_calls(tmp_path))
