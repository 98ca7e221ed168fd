"""All journals of a folder, looked at from outside: which batches are open, and which can go.

They are read without their locks, since a journal is only ever replaced whole; to be thrown away,
one must be nobody's at that moment. What this module does not know: how a journal changes, and any
endpoint.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spex_api.errors import BatchError
from spex_api.querying.answers.store import answers_folder
from spex_api.querying.batches.journal import open_chunks
from spex_api.querying.batches.journal_file import alone, check_rights, read_state, unusable

if TYPE_CHECKING:
    from pathlib import Path

    from spex_api.querying.batches.endpoint import Chunk

__all__ = ["KeptJournal", "batches_folder", "kept_journals", "throw_away"]

_SHORT = 12


def batches_folder() -> Path:
    """Where journals are kept, beside the answers."""
    return answers_folder() / "batches"


@dataclass(frozen=True, slots=True)
class KeptJournal:
    """A journal as it stood when it was looked at.

    Attributes:
        path: the file.
        run: the run's name.
        provider: the part of the model's name before the colon; "" where that is not known.
        endpoint: who was asked.
        model: which model.
        at: when it was last written.
        chunks: what is open.
        known: the ids of all batches that are somebody's.
    """

    path: Path
    run: str
    provider: str
    endpoint: str
    model: str
    at: datetime
    chunks: tuple[Chunk, ...]
    known: frozenset[str]

    @property
    def name(self) -> str:
        """As much of the run's name as tells it from others."""
        return self.run[:_SHORT]


def kept_journals(folder: Path) -> tuple[list[KeptJournal], list[Path]]:
    """The journals of a folder, the oldest first, and the files that are none as they were written.

    Raises:
        BatchError: others may write to the folder, or it cannot be read.
    """
    found: list[KeptJournal] = []
    unreadable: list[Path] = []
    if not folder.exists():
        return found, unreadable
    try:
        paths = sorted(folder.glob("[!.]*.json"))
        check_rights(folder)
    except OSError as error:
        raise unusable(folder, error) from None
    for path in paths:
        try:
            journal = _look_at(path)
        except BatchError:
            unreadable.append(path)
        else:
            if journal is not None:
                found.append(journal)
    return sorted(found, key=lambda each: each.at), unreadable


def throw_away(journal: KeptJournal) -> bool:
    """Deletes a journal that is as it was looked at; tells whether it did.

    Raises:
        BatchError: a process follows its batches, or it cannot be deleted.
    """
    lock = journal.path.with_suffix(".lock")
    with alone(lock, journal.run):
        if _look_at(journal.path) != journal:
            return False
        try:
            journal.path.unlink()
            if os.name == "posix":  # elsewhere nobody can delete what is open
                lock.unlink()
        except OSError as error:
            raise unusable(journal.path.parent, error) from None
    return True


def _look_at(path: Path) -> KeptJournal | None:
    """What stands in a journal; None where it has gone.

    Raises:
        BatchError: it is not what was written.
    """
    state = read_state(path)
    if state is None:
        return None
    try:
        written = path.stat().st_mtime
    except FileNotFoundError:
        return None
    chunks = tuple(open_chunks(state))
    return KeptJournal(
        path=path,
        run=path.stem,
        provider=state.provider,
        endpoint=state.endpoint,
        model=state.model,
        at=datetime.fromtimestamp(written, UTC),
        chunks=chunks,
        known=frozenset(state.finished) | {each.batch for each in chunks} - {""},
    )
