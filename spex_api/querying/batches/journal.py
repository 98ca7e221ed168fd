"""What was put into batches is on disk before it is sent, so that no crash pays for it twice.

One JSON file a run, in a folder beside the answers. It is replaced whole, so there is always one
that can be read; it is on the disk itself before a step is taken that costs money; and it holds
names of questions, never their text. One process at a time follows a run. What this module does not
know: what a batch is to an endpoint, and any answer.
"""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spex_api.errors import BatchError, UsageError
from spex_api.querying.batches.endpoint import Chunk
from spex_api.querying.batches.journal_file import (
    ChunkOnDisk,
    OnDisk,
    alone,
    check_rights,
    read_state,
    replace_whole,
    unusable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Journal", "open_chunks", "open_journal"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Journal:
    """The batches of one run: those that are open, and what is known of the others.

    Open it with `open_journal`. Every change is on disk when its method returns.
    """

    def __init__(self, path: Path, state: OnDisk) -> None:
        self._path = path
        self._state = state
        self._chunks = {chunk.token: chunk for chunk in open_chunks(state)}
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
        state = self._state.model_copy(
            update={
                "chunks": [
                    ChunkOnDisk.model_construct(
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
            replace_whole(self._path, state.model_dump_json().encode())
        except OSError as error:
            raise BatchError(
                f"The journal {self._path} cannot be written: {error.strerror or error}.",
                safe="What was submitted before is in it.",
                advice="Make room or take another cache folder, and run again.",
            ) from None


def open_chunks(state: OnDisk) -> Iterator[Chunk]:
    """What is open by a file: intended, or under way, or not read to its end."""
    for entry in state.chunks:
        yield Chunk(
            state.run,
            entry.token,
            tuple(entry.keys),
            entry.at,
            entry.round,
            entry.batch or "",
            entry.sure,
        )


@contextmanager
def open_journal(
    folder: Path, run: str, *, endpoint: str, model: str, provider: str = ""
) -> Iterator[Journal]:
    """The journal of a run, for this process alone as long as the context lasts.

    Args:
        folder: where journals are; made for its owner alone.
        run: the run's name; the file is called after it.
        endpoint: who is asked; a journal of another endpoint is refused.
        model: which model; likewise.
        provider: the part of the model's name before the colon, by which whoever has the journal
            alone finds the adapter again.

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
        raise unusable(folder, error) from None
    check_rights(folder)
    path = folder / f"{run}.json"
    with alone(folder / f"{run}.lock", run):
        fresh = OnDisk(run=run, endpoint=endpoint, model=model, provider=provider)
        state = read_state(path) or fresh
        if (state.run, state.endpoint, state.model) != (run, endpoint, model):
            raise BatchError(
                f"{path} is of the run {state.run!r} of {state.model} at {state.endpoint}, not of "
                f"{run!r} of {model} at {endpoint}.",
                safe="It was not touched.",
                advice="Give this run another name.",
            )
        yield Journal(path, state)
