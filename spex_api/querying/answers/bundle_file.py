"""The file of a bundle: plain or packed lines, written whole and read within caps.

What this module does not know: what the lines say.
"""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from spex_api.errors import BundleRefused, MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from _typeshed import WriteableBuffer

__all__ = ["Caps", "is_packed", "packing", "refused", "replaced", "unpacking"]

_GRACE: Final = 2**26
"""Bytes that any bundle may unpack to, however small it is."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What a bundle may be at the most; a larger one is refused, not cut.

    Attributes:
        line: bytes of one line.
        packed: bytes of the file.
        unpacked: bytes of all lines.
        ratio: unpacked bytes to a packed one.
    """

    line: int = 2**26
    packed: int = 2**34
    unpacked: int = 2**36
    ratio: int = 4000

    def __post_init__(self) -> None:
        if min(self.line, self.packed, self.unpacked, self.ratio) < 1:
            raise UsageError("Each cap of a bundle is at least one.")


def refused(path: Path, why: str) -> BundleRefused:
    """The error of a bundle that is not what it must be."""
    return BundleRefused(
        f"{path.name} is refused: {why}.", advice="Ask whoever made it for a whole one."
    )


def is_packed(path: Path) -> bool:
    """Whether a path is that of a packed bundle.

    Raises:
        UsageError: it is that of no bundle.
    """
    if path.name.endswith(".jsonl"):
        return False
    if path.name.endswith(".jsonl.zst"):
        return True
    raise UsageError(
        f"{path.name} is no bundle's name.", advice="A bundle ends in .jsonl or .jsonl.zst."
    )


def _zstandard() -> ModuleType:
    try:
        import zstandard  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise MissingExtra(
            "Bundles that end in .zst need the package zstandard, which is not installed.",
            advice='Run: python -m pip install "spex-api[zst]", or use a bundle in .jsonl.',
        ) from None
    return zstandard


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A new file, its owner's alone, that takes the path's place at the end, or else vanishes."""
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=".", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def packing(file: BinaryIO, *, packed: bool) -> Iterator[BinaryIO]:
    """Where the lines of a bundle are written to.

    Raises:
        MissingExtra: they are to be packed, and the package for that is not installed.
    """
    if not packed:
        yield file
        return
    with _zstandard().ZstdCompressor(level=10).stream_writer(file, closefd=False) as out:
        yield out


@contextmanager
def unpacking(file: BinaryIO, path: Path, caps: Caps, *, packed: bool) -> Iterator[BinaryIO]:
    """The lines of a bundle; what is beyond a cap is refused, not held in memory.

    Raises:
        BundleRefused: at the reading: it is beyond a cap, or cannot be unpacked.
        MissingExtra: it is packed, and the package for that is not installed.
    """
    on_disk = _Capped(file, lambda: caps.packed, path)
    if not packed:
        yield io.BufferedReader(on_disk)
        return
    zstandard = _zstandard()
    unzip = zstandard.ZstdDecompressor(max_window_size=2**27)
    lines = unzip.stream_reader(on_disk, read_across_frames=True, closefd=False)

    def room() -> int:
        return min(caps.unpacked, max(_GRACE, caps.ratio * on_disk.passed))

    try:
        yield io.BufferedReader(_Capped(lines, room, path))
    except zstandard.ZstdError:
        raise refused(path, "it cannot be unpacked") from None


class _Capped(io.RawIOBase):
    """A stream that ends in an error where more comes out of it than there is room for."""

    def __init__(self, inner: BinaryIO, room: Callable[[], int], path: Path) -> None:
        self._inner = inner
        self._room = room
        self._path = path
        self.passed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        chunk = self._inner.read(len(view))
        self.passed += len(chunk)
        if self.passed > self._room():
            raise refused(self._path, "it is larger than any bundle may be")
        view[: len(chunk)] = chunk
        return len(chunk)
