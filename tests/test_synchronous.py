"""Async work from plain code, with a loop running and without, and with Ctrl-C."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys

import pytest

from spex_api.synchronous import synchronous


async def doubled(number: int, *, plus: int = 0) -> int:
    """Twice the number."""
    await asyncio.sleep(0)
    if number < 0:
        raise ValueError("negative")
    return 2 * number + plus


door = synchronous(doubled, name="door")


def test_it_is_the_same_function():
    """Arguments, result, errors and signature are those of the async function."""
    assert door(3, plus=1) == 7
    with pytest.raises(ValueError, match="negative"):
        door(-1)
    assert door.__name__ == "door"
    assert inspect.signature(door) == inspect.signature(doubled)
    assert "Twice the number." in (door.__doc__ or "")


def test_beside_a_running_loop():
    """In a notebook the result and the errors come through just so."""

    async def notebook():
        with pytest.raises(ValueError, match="negative"):
            door(-1)
        return door(3)

    assert asyncio.run(notebook()) == 6


def test_ctrl_c_beside_a_running_loop_ends_the_work():
    """The work is cancelled, may tidy up, and is over when the interrupt is raised."""
    script = """
import asyncio, os, signal, threading
from spex_api.synchronous import synchronous

async def work():
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.sleep(30)
    finally:
        print("tidied", flush=True)

async def notebook():
    asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        synchronous(work, name="door")()
    except KeyboardInterrupt:
        print("interrupted", flush=True)

asyncio.run(notebook())
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True
    )
    assert result.stdout.split() == ["tidied", "interrupted"]
