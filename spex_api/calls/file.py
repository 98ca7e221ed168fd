"""The file of recorded calls, a line each: appended to by several processes, and read as it grows.

A line is written whole, at the end, by one call of the system under a lock; one that could not be
is taken back. Whoever reads takes no lock, and leaves out a last line that is just being written.
What this module does not know: what a call is, and when lines are written.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from spex_api.calls.call import Call
from spex_api.errors import CacheCorrupt, UsageError
from spex_api.querying.answers.store import answers_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["append", "calls_file", "find_call", "read_calls"]

_log = logging.getLogger(__name__)

_FLAGS: Final = (
    os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)
_HEAD: Final = 512
"""Within so many bytes of a line, the call's id is told."""


def calls_file() -> Path:
    """Where calls are recorded unless another place is named, beside the answers."""
    return answers_folder() / "calls" / "calls.jsonl"


def append(path: Path, lines: Iterable[bytes]) -> None:
    """Appends lines, each with its line break. The file is made for its owner alone.

    Raises:
        OSError: a line could not be written whole; of it, nothing stays.
    """
    try:
        handle = os.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, _FLAGS, 0o600)
    try:
        with _locked(handle):
            for line in lines:
                _append(handle, line)
    finally:
        os.close(handle)


def read_calls(path: Path | None = None) -> Iterator[Call]:
    """The calls in a file, in the order in which they ended. What cannot be read is left out.

    Args:
        path: the file; otherwise the one beside the answers.

    Raises:
        UsageError: there is no such file, or it cannot be opened.
    """
    path, unreadable = path or calls_file(), 0
    for line in _lines(path):
        try:
            yield Call.from_line(line)
        except CacheCorrupt:
            unreadable += 1
    if unreadable:
        _log.warning("%s: %d lines are no calls, and were left out.", path, unreadable)


def find_call(call_id: str, *, path: Path | None = None) -> Call:
    """The call of this id, or of the one id that begins like this.

    Raises:
        UsageError: there is no such file, or not exactly one such call in it.
        CacheCorrupt: its line cannot be read.
    """
    path = path or calls_file()
    wanted = call_id if call_id.startswith("c-") else f"c-{call_id}"
    mark = f'"{wanted}'.encode()
    found = {}
    for line in _lines(path):
        if mark in line[:_HEAD]:
            call = Call.from_line(line)
            if call.id == wanted:
                return call
            if call.id.startswith(wanted):
                found[call.id] = call
    if len(found) == 1:
        return next(iter(found.values()))
    count = len(found) or "no"
    raise UsageError(
        f"{path} has {count} call{'' if len(found) == 1 else 's'} {wanted!r}.",
        advice="`spex calls` lists what was recorded.",
    )


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            # A line without its end is being written, or was cut off with its process.
            yield from (line for line in file if line.endswith(b"\n") and line.strip())
    except FileNotFoundError:
        raise UsageError(
            f"No calls are recorded in {path}.",
            advice="Record some: client = spex_adapters.record(client).",
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _append(handle: int, line: bytes) -> None:
    size = os.fstat(handle).st_size
    if size:
        os.lseek(handle, -1, os.SEEK_END)
        if os.read(handle, 1) != b"\n":
            line = b"\n" + line  # another's line was cut off
    written = 0
    try:
        while written < len(line):
            written += os.write(handle, line[written:] if written else line)
    except OSError:
        if written:
            with suppress(OSError):
                os.ftruncate(handle, size)
        raise


@contextmanager
def _locked(handle: int) -> Iterator[None]:
    """Nobody else who appends does so meanwhile; the system gives the lock back in any case."""
    if os.name != "posix":
        yield
        return
    import fcntl  # noqa: PLC0415 - not everywhere

    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
