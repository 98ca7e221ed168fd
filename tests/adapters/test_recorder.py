"""What writes calls down: nobody waits for it, and no process ends before it."""

from __future__ import annotations

import subprocess
import sys
import threading

import httpx2
import pytest
from spex_adapters import _recorder
from spex_adapters._recorder import Overheard, Recorder

from spex_api.calls.file import read_calls

PROGRAM = """
import multiprocessing, os, sys, time
from pathlib import Path
import httpx2
from spex_adapters._recorder import Overheard, recorder_of

recorder = recorder_of(Path(sys.argv[1]))

def submit(name):
    request = httpx2.Request("POST", "http://h/v1/chat/completions", json={"name": name})
    recorder.submit(Overheard(request, "openai.chat", (name,), time.time()))

"""
ENDINGS = {
    "at once": "submit('parent')",
    "with an error": "submit('parent'); raise SystemExit(0)",
    "split off": """
submit('parent')
if not (child := os.fork()):
    submit('child')
    recorder.flush(5.0)
    os._exit(0)
os.waitpid(child, 0)
""",
    "a worker": """
submit('parent')
worker = multiprocessing.get_context('fork').Process(target=submit, args=('child',))
worker.start()
worker.join()
""",
}


def overheard(name="x", **settings):
    """A call that was overheard."""
    body = {"model": "m", "name": name}
    request = httpx2.Request("POST", "http://h/v1/chat/completions", json=body)
    return Overheard(request, "openai.chat", (), 1_790_000_000.0, **settings)


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_a_process_writes_its_calls_before_it_ends(ending, tmp_path):
    """Whichever way it ends on its own; a child writes its own calls, and not its parent's."""
    path = tmp_path / "calls.jsonl"
    subprocess.run([sys.executable, "-c", PROGRAM + ENDINGS[ending], str(path)], check=True)
    names = ["child", "parent"] if "child" in ENDINGS[ending] else ["parent"]
    assert sorted(call.request["name"] for call in read_calls(path)) == names


def test_nobody_waits_for_the_disk(tmp_path, monkeypatch):
    """Calls are taken while nothing can be written, and are all written afterwards."""
    path, gate = tmp_path / "calls.jsonl", threading.Event()
    append = _recorder.append
    monkeypatch.setattr(_recorder, "append", lambda *args: (gate.wait(), append(*args)))
    recorder = Recorder(path)
    for number in range(200):
        recorder.submit(overheard(number))
    assert not recorder.flush(0.05)
    gate.set()
    assert recorder.flush(10)
    assert [call.request["name"] for call in read_calls(path)] == list(range(200))


def test_what_hangs_too_long_is_let_go(tmp_path, monkeypatch, caplog):
    """A disk that does not answer fills no memory, and one warning says so."""
    gate = threading.Event()
    monkeypatch.setattr(_recorder, "append", lambda *args: gate.wait())
    monkeypatch.setattr(_recorder, "_MOST_WAITING", 3)
    recorder = Recorder(tmp_path / "calls.jsonl")
    for _ in range(300):
        recorder.submit(overheard())
    gate.set()
    assert recorder.flush(10)
    assert [each.levelname for each in caplog.records] == ["WARNING"]


def test_a_call_that_cannot_be_written_hides_no_other(tmp_path, caplog):
    """Whatever is strange about it."""
    recorder = Recorder(tmp_path / "calls.jsonl")
    for each in (overheard(1), overheard(2, headers=3, status=200), overheard(3)):
        recorder.submit(each)
    assert recorder.flush(10)
    calls = list(read_calls(tmp_path / "calls.jsonl"))
    assert [call.request["name"] for call in calls] == [1, 3]
    assert "not recorded" in caplog.text


def test_ids_sort_by_time():
    """Calls of one millisecond are told apart, and a later one sorts behind."""
    ids = [_recorder._new_id(1_790_000_000 + number / 1000) for number in range(200)]
    assert ids == sorted(ids)
    assert len({_recorder._new_id(1_790_000_000.0) for _ in range(50)}) == 50


@pytest.mark.parametrize("encoding", ["gzip", "br, gzip", "unheard-of"])
def test_a_body_that_cannot_be_unpacked_is_no_reason_to_fail(encoding, tmp_path):
    """The call is kept without it."""
    recorder = Recorder(tmp_path / "calls.jsonl")
    headers = httpx2.Headers({"content-encoding": encoding})
    recorder.submit(overheard(status=200, headers=headers, pieces=[b"\x1f\x8bno"]))
    assert recorder.flush(10)
    (call,) = read_calls(tmp_path / "calls.jsonl")
    assert call.status == 200


def test_where_no_thread_can_be_begun_calls_are_written_at_once(tmp_path, monkeypatch):
    """As at the very end of the interpreter: the caller waits, and nothing is lost."""

    class NoThread(threading.Thread):
        def start(self):
            """Fails."""
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading, "Thread", NoThread)
    recorder = Recorder(tmp_path / "calls.jsonl")
    for number in range(3):
        recorder.submit(overheard(number))
    assert [call.request["name"] for call in read_calls(recorder.path)] == [0, 1, 2]
