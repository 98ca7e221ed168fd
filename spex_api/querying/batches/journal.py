"""What was put into batches is on disk before it is sent, so that no crash pays for it twice.

One JSON file a run, in a folder beside the answers. It is replaced whole, so there is always one
that can be read; it is on the disk itself before a step is taken that costs money; and it holds
names of questions, never their text. One process at a time follows a run. What this module does not
know: what a batch is to an endpoint, and any answer.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from spex_api.errors import BatchError, UsageError
from spex_api.querying.batches.endpoint import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Journal", "open_journal"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_BYTES = 2**29
"""Larger than the names of some millions of questions; anything beyond is not ours."""

_Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_BatchId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,200}$")]


class _ChunkOnDisk(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    token: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    keys: Annotated[list[_Key], Field(min_length=1)]
    at: AwareDatetime
    round: Annotated[int, Field(ge=1)]
    batch: _BatchId | None = None
    sure: bool = True


class _OnDisk(BaseModel):
    """What stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["spex-api batches 1"] = "spex-api batches 1"
    run: str
    endpoint: str
    model: str
    chunks: list[_ChunkOnDisk] = []
    finished: list[_BatchId] = []
    refused: list[_Key] = []


class Journal:
    """The batches of one run: those that are open, and what is known of the others.

    Open it with `open_journal`. Every change is on disk when its method returns.
    """

    def __init__(self, path: Path, state: _OnDisk) -> None:
        self._path = path
        self._state = state
        self._chunks = {
            entry.token: Chunk(
                state.run,
                entry.token,
                tuple(entry.keys),
                entry.at,
                entry.round,
                entry.batch or "",
                entry.sure,
            )
            for entry in state.chunks
        }
        self._finished = dict.fromkeys(state.finished)
        self._refused = dict.fromkeys(state.refused)

    @property
    def run(self) -> str:
        """The run's name."""
        return self._state.run

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """What is open: intended, or under way, or not read to its end."""
        return tuple(self._chunks.values())

    @property
    def refused(self) -> frozenset[str]:
        """The questions that the endpoint refused for good."""
        return frozenset(self._refused)

    @property
    def known(self) -> frozenset[str]:
        """Every id of a batch that is somebody's: an open chunk's, a finished one's, a stranger's.

        A chunk whose id is lost cannot be any of these.
        """
        return frozenset(self._finished) | {each.batch for each in self._chunks.values()} - {""}

    def intend(self, keys: Iterable[str], *, round_number: int) -> Chunk:
        """Writes down what is to be submitted, before it is.

        Raises:
            BatchError: the file cannot be written.
        """
        now = datetime.now(UTC)
        chunk = Chunk(self.run, secrets.token_hex(16), tuple(keys), now, round_number)
        self._chunks[chunk.token] = chunk
        self._write()
        return chunk

    def submitted(self, chunk: Chunk, batch: str, *, sure: bool = True) -> Chunk:
        """Writes down what the endpoint calls it.

        Raises:
            BatchError: the file cannot be written.
        """
        named = replace(chunk, batch=batch, sure=sure)
        self._chunks[chunk.token] = named
        self._write()
        return named

    def withdraw(self, chunk: Chunk) -> None:
        """Takes out a chunk of which nothing came, or nothing is still to come.

        Raises:
            BatchError: the file cannot be written.
        """
        del self._chunks[chunk.token]
        if chunk.batch:
            self._finished[chunk.batch] = None
        self._write()

    def disown(self, chunk: Chunk) -> Chunk:
        """Writes down that the batch was somebody else's: the chunk is only intended again.

        Raises:
            BatchError: the file cannot be written.
        """
        self._finished[chunk.batch] = None
        return self.submitted(chunk, "")

    def finish(
        self, chunk: Chunk, *, refused: Iterable[str] = (), unread: Iterable[str] = ()
    ) -> None:
        """Writes down that all that came of it is kept elsewhere, but for what is still unread.

        Raises:
            BatchError: the file cannot be written.
        """
        rest = tuple(unread)
        if rest:
            self._chunks[chunk.token] = replace(chunk, keys=rest, sure=True)
        else:
            del self._chunks[chunk.token]
            self._finished[chunk.batch] = None
        self._refused.update(dict.fromkeys(refused))
        self._write()

    def _write(self) -> None:
        """Replaces the file by one that is on the disk already, and sees the new name there too."""
        state = self._state.model_copy(
            update={
                "chunks": [
                    _ChunkOnDisk.model_construct(
                        token=chunk.token,
                        keys=list(chunk.keys),
                        at=chunk.at,
                        round=chunk.round,
                        batch=chunk.batch or None,
                        sure=chunk.sure,
                    )
                    for chunk in self._chunks.values()
                ],
                "finished": list(self._finished),
                "refused": list(self._refused),
            }
        )
        try:
            _replace(self._path, state.model_dump_json().encode())
        except OSError as error:
            raise BatchError(
                f"The journal {self._path} cannot be written: {error.strerror or error}.",
                safe="What was submitted before is in it.",
                advice="Make room or take another cache folder, and run again.",
            ) from None


@contextmanager
def open_journal(folder: Path, run: str, *, endpoint: str, model: str) -> Iterator[Journal]:
    """The journal of a run, for this process alone as long as the context lasts.

    Args:
        folder: where journals are; made for its owner alone.
        run: the run's name; the file is called after it.
        endpoint: who is asked; a journal of another endpoint is refused.
        model: which model; likewise.

    Raises:
        UsageError: the run's name cannot be a file's.
        BatchError: another process follows this run, or the file is not what was written.
    """
    if not _NAME.fullmatch(run):
        raise UsageError(
            f"A run cannot be called {run!r}.",
            advice="Its name has letters, digits, dots, dashes and underlines, 128 at the most.",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from None
    if os.name == "posix" and folder.stat().st_mode & 0o022:
        raise BatchError(
            f"Others may write to {folder}, so its journals cannot be trusted.",
            advice=f"Take that right away: chmod go-w {folder}.",
        )
    path = folder / f"{run}.json"
    with _alone(folder / f"{run}.lock", run):
        fresh = _OnDisk(run=run, endpoint=endpoint, model=model)
        state = _read(path) or fresh
        if (state.run, state.endpoint, state.model) != (run, endpoint, model):
            raise BatchError(
                f"{path} is of the run {state.run!r} of {state.model} at {state.endpoint}, not of "
                f"{run!r} of {model} at {endpoint}.",
                safe="It was not touched.",
                advice="Give this run another name.",
            )
        yield Journal(path, state)


def _read(path: Path) -> _OnDisk | None:
    """What stands in the file, or None where there is no file.

    Raises:
        BatchError: it is not what was written.
    """
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:  # noqa: PTH123
            written = file.read(_MAX_BYTES + 1)
        state = _OnDisk.model_validate_json(written) if len(written) <= _MAX_BYTES else None
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


def _replace(path: Path, content: bytes) -> None:
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
def _alone(path: Path, run: str) -> Iterator[None]:
    """Holds a lock that the system gives back when the process ends, however it ends.

    Raises:
        BatchError: another process holds it, or it cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise _unusable(path.parent, error) from None
    try:
        try:
            _lock(handle)
        except OSError:
            raise BatchError(
                f"Another process follows the batches of the run {run!r}.",
                cost="Nothing was sent.",
                advice="Wait for it, or stop it: the batches go on without it.",
            ) from None
        yield
    finally:
        os.close(handle)


def _unusable(folder: Path, error: OSError) -> BatchError:
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
