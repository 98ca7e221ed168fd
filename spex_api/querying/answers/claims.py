"""Of several processes with one folder, one asks a question while the others wait for its answer.

A claim is a lock on one byte of a file, at an offset that the question's key gives; the system
takes it back from a process that ends, however it ends, so none is ever left behind. Where there
are no such locks (Windows, some network file systems) every claim is granted, and what is in flight
in two processes may be paid twice. Within one process claims do not exclude each other. What this
module does not know: what is asked.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if os.name == "posix":
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Claims"]

_DIGITS: Final = 15
"""Of a key: the largest offset that a file can have is just below 16 hexadecimal digits."""


class Claims:
    """Which questions this process is asking, for the others to see."""

    def __init__(self, file: Path) -> None:
        """Opens the file, or makes it; a link in its place is not followed.

        Raises:
            OSError: it cannot be opened.
        """
        self._file: int | None = None
        if os.name == "posix":
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(file, flags, 0o600)

    def take(self, key: str) -> bool:
        """Claims a key; False where another process has it."""
        if self._file is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(key))
        except BlockingIOError:
            return False
        except PermissionError:  # how some systems say the same
            return False
        except OSError:
            return True  # a file system without locks
        return True

    def give_back(self, key: str) -> None:
        """Ends the claim, if there is one."""
        if self._file is None:
            return
        try:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _offset(key))
        except OSError:
            return  # it had no lock

    def close(self) -> None:
        """Ends all claims."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _offset(key: str) -> int:
    return int(key[:_DIGITS], 16)
