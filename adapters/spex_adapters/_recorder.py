"""Writes down what was overheard, in a thread of its own, so that nobody who calls waits for it.

The thread does as little as can be: it looks for keys, and hands the bodies on as they came. What
they say is found out by whoever reads them. One that cannot write says so once, and calls go on.
What this module does not know: how a call is overheard.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import secrets
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from spex_adapters._passing import address
from spex_adapters._withholding import keys_in, without_keys, without_secrets
from spex_api.calls.file import append
from spex_api.calls.line import write_line

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

__all__ = ["Overheard", "Recorder", "flush", "recorder_of"]

_log = logging.getLogger(__name__)

_TOGETHER: Final = 64
"""Lines that are written under one lock."""
_REST: Final = 0.02
"""Seconds between a call's end and its being written: whoever called has its answer to read, and to
read and write at once takes both longer. Calls that end meanwhile are written together."""
_MOST_WAITING: Final = 4096
"""Calls that wait to be written; where the disk hangs, further ones are not recorded."""
_AT_EXIT: Final = 5.0
"""Seconds that a process waits for its last calls to be written."""
_LONGEST_ERROR: Final = 500
"""Characters."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_EVENTS: Final = "text/event-stream"


@dataclass(slots=True)
class Overheard:
    """One attempt to ask, as it went by.

    Attributes:
        request: what went out; its headers are looked at for keys, and kept nowhere.
        dialect: of its body.
        parents: what the call belongs to.
        begun: in seconds since 1970.
        seconds: until the reply's last byte.
        status: of HTTP, or None where no reply came.
        headers: of the reply.
        pieces: of the reply's body, as they came.
        error: what went wrong on the way.
        left: whether the client closed the reply before its end.
    """

    request: httpx2.Request
    dialect: str
    parents: tuple[str, ...]
    begun: float
    seconds: float = 0.0
    status: int | None = None
    headers: httpx2.Headers | None = None
    pieces: list[bytes] = field(default_factory=list)
    error: BaseException | None = None
    left: bool = False


class Recorder:
    """Appends calls to one file. Its thread begins with the first call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets what waits: in a process that was split off, it is the other's to write."""
        self._waiting: queue.SimpleQueue[Overheard | threading.Event] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._hurried = threading.Event()
        self._warned = False

    def submit(self, overheard: Overheard) -> None:
        """Takes a call, and returns at once."""
        if self._waiting.qsize() < _MOST_WAITING:
            self._waiting.put(overheard)
            self._start()
        else:
            self._warn(f"more than {_MOST_WAITING} wait for it")

    def flush(self, timeout: float) -> bool:
        """Waits until all that was taken is written, at most so many seconds; whether it is."""
        if self._thread is None:
            return True
        done = threading.Event()
        self._waiting.put(done)
        self._hurried.set()
        return done.wait(timeout)

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="spex-calls", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is about to end, or has threads enough
                    with suppress(queue.Empty):
                        self._write(self._waiting.get_nowait())
                else:
                    self._thread = thread
                    self._wait_at_a_workers_end()

    def _wait_at_a_workers_end(self) -> None:
        """Its processes end without what others do at their end."""
        workers = sys.modules.get("multiprocessing.util")
        if workers is not None:
            workers.Finalize(None, self.flush, args=(_AT_EXIT,), exitpriority=0)

    def _work(self) -> None:
        while True:
            first = self._waiting.get()
            self._hurried.wait(_REST)
            self._hurried.clear()
            self._write(first)

    def _write(self, first: Overheard | threading.Event) -> None:
        """Writes one call, and those that wait behind it."""
        together = [first]
        while len(together) < _TOGETHER:
            try:
                together.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        lines = [self._line(each) for each in together if isinstance(each, Overheard)]
        try:
            append(self.path, filter(None, lines))
        except OSError as error:
            self._warn(error.strerror or error)
        for each in together:
            if isinstance(each, threading.Event):
                each.set()

    def _line(self, overheard: Overheard) -> bytes:
        """The call's line; nothing where there is something in it that we did not think of."""
        try:
            return _line(overheard)
        except Exception as error:  # noqa: BLE001 - whoever calls must not hear of it
            self._warn(repr(error))
            return b""

    def _warn(self, why: object) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "Calls are not recorded in %s: %s. The calls themselves go on.", self.path, why
            )


_RECORDERS: Final[dict[Path, Recorder]] = {}
_REGISTERING: Final = threading.Lock()


def recorder_of(path: Path) -> Recorder:
    """The one recorder of a file in this process."""
    with _REGISTERING:
        return _RECORDERS.setdefault(path, Recorder(path))


def flush(timeout: float = _AT_EXIT) -> bool:
    """Waits until every call that has ended is written; it is so at the process's end, too.

    Args:
        timeout: seconds to wait for each file.

    Returns:
        Whether all are written.
    """
    written = [recorder.flush(timeout) for recorder in list(_RECORDERS.values())]
    return all(written)


def _line(overheard: Overheard) -> bytes:
    """The call's line, without keys."""
    request = overheard.request
    hidden = keys_in(request.headers)
    sent, withheld = without_keys(without_secrets(request.content, hidden))
    hidden += withheld
    came = None if overheard.status is None else without_secrets(_decoded(overheard), hidden)
    error = overheard.error
    said = "" if error is None else f"{type(error).__name__}: {error}".rstrip(": ")[:_LONGEST_ERROR]
    head = {
        "id": _new_id(overheard.begun),
        "parents": overheard.parents,
        "begun": datetime.fromtimestamp(overheard.begun, UTC).isoformat(),
        "seconds": round(overheard.seconds, 6),
        "url": _shown(address(request.url), hidden),
        "dialect": overheard.dialect,
        "status": overheard.status,
        "error": _shown(said, hidden),
        "left": overheard.left,
        "streamed": _is_streamed(overheard),
    }
    return write_line(head, request=sent, reply=came)


def _shown(text: str, hidden: tuple[str, ...]) -> str:
    return without_secrets(text.encode(errors="replace"), hidden).decode()


def _is_streamed(overheard: Overheard) -> bool:
    said = overheard.headers.get("content-type", "") if overheard.headers is not None else ""
    return said.partition(";")[0].strip().lower() == _EVENTS


def _decoded(overheard: Overheard) -> bytes:
    """The reply's body, not compressed; where it broke off, as far as it came."""
    raw = b"".join(overheard.pieces)
    headers = overheard.headers
    encoding = headers.get("content-encoding", "") if headers is not None else ""
    if not raw or not encoding:
        return raw
    import httpx2  # noqa: PLC0415 - who records has loaded it

    told = {"content-encoding": encoding}
    decoded: list[bytes] = []
    with suppress(httpx2.DecodingError):
        decoded.extend(
            httpx2.Response(200, headers=told, stream=httpx2.ByteStream(raw)).iter_bytes()
        )
    return b"".join(decoded)


def _new_id(begun: float) -> str:
    """Sorts by time, to the millisecond; five random digits tell those of one apart."""
    number, digits = int(begun * 1000), ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"c-{digits:0>8}-{''.join(secrets.choice(_DIGITS) for _ in range(5))}"


def _split_off() -> None:
    for recorder in _RECORDERS.values():
        recorder.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_split_off)
atexit.register(flush)
