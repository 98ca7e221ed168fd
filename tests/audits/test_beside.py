"""What decodes beside the asking: the same work in threads and in processes, which end with us."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from spex_api.audits.beside import decoding_beside

CHILD = """
import asyncio, os, time
from spex_api.audits.beside import decoding_beside
if __name__ == "__main__":
    with decoding_beside(1) as beside:
        print(asyncio.run(beside.run(os.getpid)), flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("processes", [0, 1])
def test_the_result_comes_back_and_so_does_an_error(processes):
    """From elsewhere: a thread of this process, or a process of its own."""

    async def both():
        with decoding_beside(processes) as beside:
            with pytest.raises(ValueError, match="invalid literal"):
                await beside.run(int, "x")
            return await beside.run(os.getpid), await beside.run(int, "21", base=3)

    where, number = asyncio.run(both())
    assert (where == os.getpid()) == (processes == 0)
    assert number == 7


def test_what_cannot_be_sent_is_done_here():
    """A decoder from a notebook's cell is in no module that another process could import."""

    async def where():
        with decoding_beside(1, needs=lambda: None) as beside:
            return await beside.run(os.getpid)

    assert asyncio.run(where()) == os.getpid()


def test_a_process_ends_with_its_parent(tmp_path):
    """Also with one that was killed, which cannot tell it."""
    script = tmp_path / "work.py"
    script.write_text(CHILD)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    pytest.fail("The process outlived its parent.")
