"""A journal's file: what may stand in it, how it is replaced whole, and whose turn it is.

Whatever we would not write is refused and not touched. What this module does not know: what a batch
is, and when a journal changes.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from spex_api.errors import BatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ChunkOnDisk",
    "OnDisk",
    "alone",
    "check_rights",
    "read_state",
    "replace_whole",
    "unusable",
]

_MAX_BYTES: Final = 2**29
"""Larger than the names of some millions of questions; anything beyond is not ours."""

_Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_BatchId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,200}$")]


class ChunkOnDisk(BaseModel):
    """One open chunk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    keys: Annotated[list[_Key], Field(min_length=1)]
    at: AwareDatetime
    round: Annotated[int, Field(ge=1)]
    batch: _BatchId | None = None
    sure: bool = True


class OnDisk(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["spex-api batches 1"] = "spex-api batches 1"
    run: str
    endpoint: str
    model: str
    provider: str = ""
    chunks: list[ChunkOnDisk] = []
    finished: list[_BatchId] = []
    refused: list[_Key] = []


def read_state(path: Path) -> OnDisk | None:
    """What stands in the file, or None where there is no file.

    Raises:
        BatchError: it is not what was written.
    """
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:  # noqa: PTH123
            written = file.read(_MAX_BYTES + 1)
        state = OnDisk.model_validate_json(written) if len(written) <= _MAX_BYTES else None
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        state = None
    if state is None:
        raise BatchError(
            f"{path} is not a journal as it was written.",
            safe="It was not touched. The answers that were read from its batches are on disk.",
            advice="If you move it away, batches of it that are still under way are paid again.",
        )
    return state


def replace_whole(path: Path, content: bytes) -> None:
    """Replaces the file by one that is on the disk already, and sees the new name there too.

    Raises:
        OSError: it cannot be written; what was there stays, and no scrap is left.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@contextmanager
def alone(path: Path, run: str) -> Iterator[None]:
    """Holds a lock that the system gives back when the process ends, however it ends.

    Raises:
        BatchError: another process holds it, or it cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise unusable(path.parent, error) from None
    try:
        try:
            _lock(handle)
            # Whoever threw the journal away took the lock's file with it: ours would bar nobody.
            held = os.path.samestat(os.fstat(handle), path.lstat())
        except OSError:
            held = False
        if not held:
            raise BatchError(
                f"Another process follows the batches of the run {run!r}.",
                cost="Nothing was sent.",
                advice="Wait for it, or stop it: the batches go on without it.",
            )
        yield
    finally:
        os.close(handle)


def check_rights(folder: Path) -> None:
    """Lets pass a folder that others may not write to.

    Raises:
        BatchError: they may.
    """
    if os.name == "posix" and folder.stat().st_mode & 0o022:
        raise BatchError(
            f"Others may write to {folder}, so its journals cannot be trusted.",
            advice=f"Take that right away: chmod go-w {folder}.",
        )


def unusable(folder: Path, error: OSError) -> BatchError:
    """What to say of a folder that journals cannot stand in."""
    return BatchError(
        f"{folder} cannot be used as the folder of journals: {error.strerror or error}.",
        cost="Nothing was sent.",
        advice="Set SPEX_CACHE_DIR to a folder of your own.",
    )


def _lock(handle: int) -> None:
    if os.name == "posix":
        import fcntl  # noqa: PLC0415 - not everywhere

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt  # noqa: PLC0415

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
