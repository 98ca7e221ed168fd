"""Records stand in a folder that is their owner's alone: bytes by key, and nothing else.

The store is diskcache with the parts taken out that can lose an answer or run foreign code: nothing
is ever pickled, nothing is evicted, an answer is one atomic row and no side file. What this module
does not know: what a record says, and whom the folder belongs to.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import diskcache
import platformdirs

from spex_api.errors import CacheCorrupt
from spex_api.querying.answers.claims import Claims
from spex_api.querying.answers.folder import (
    CLAIMS,
    DATABASE,
    FILES,
    MARK,
    MARK_KEY,
    PATIENCE,
    SETTINGS,
    check_folder,
    foreign,
    in_our_words,
    owner_only,
    read_only,
    warn_of_network,
)
from spex_api.querying.answers.packing import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["AnswerStore", "DiskStore", "answers_folder"]

_AT_ONCE: Final = 1000
_READ: Final = (
    "SELECT mode, filename, value FROM Cache WHERE key = ? AND raw = 1 AND expire_time IS NULL"
)
_WRITE: Final = (
    "INSERT INTO Cache(key, raw, store_time, access_time, mode, value) VALUES (?, 1, ?, ?, ?, ?) "
    "ON CONFLICT(key, raw) DO UPDATE SET store_time = excluded.store_time, expire_time = NULL, "
    "access_time = excluded.access_time, access_count = 0, tag = NULL, size = 0, "
    "mode = excluded.mode, value = excluded.value WHERE Cache.filename IS NULL"
)
"""What diskcache's `get` and `set` come to for a plain row, in one statement each: that takes half
the time. Its triggers count the rows all the same. A row that names a file is left as it is."""


class AnswerStore(Protocol):
    """Where records are kept: bytes by key."""

    def __contains__(self, key: str) -> bool:
        """Whether there is such a record; it is not read."""
        ...

    def __iter__(self) -> Iterator[str]:
        """The keys of all records, sorted."""
        ...

    def get(self, key: str) -> bytes | None:
        """The record, or None. Raises CacheCorrupt where it is not what was written."""
        ...

    def put(self, key: str, record: bytes) -> None:
        """Keeps the record; it is on disk when this returns, or when `together` ends."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """All that is put inside is kept or, where something is raised, none of it."""
        ...

    def claim(self, key: str) -> bool:
        """Says that this process asks; False where another one does."""
        ...

    def release(self, key: str) -> None:
        """Ends the claim, if there is one."""
        ...

    def close(self) -> None:
        """Gives back what was opened."""
        ...


def answers_folder() -> Path:
    """Where answers are kept: `SPEX_CACHE_DIR`, or `answers` in the user's cache folder."""
    configured = os.environ.get("SPEX_CACHE_DIR")
    if configured:
        return Path(configured).expanduser()
    return platformdirs.user_cache_path("spex-api") / "answers"


class _PlainDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache ships no types
    """Rows of raw bytes under text keys: no pickle and no file on any path."""

    # The signatures are diskcache's own.
    # ruff: noqa: ARG002, FBT001

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise CacheCorrupt(f"The cache has text keys only, not {type(key).__name__}.")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not isinstance(key, str) or not raw:
            raise CacheCorrupt("A key of the cache is not plain text: somebody else wrote it.")
        return key

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, None, object]:
        if not isinstance(value, bytes) or read:
            raise CacheCorrupt("The cache keeps bytes only.")
        return 0, diskcache.core.MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> bytes:
        return _plain(mode, filename, value)

    def filename(self, key: object = None, value: object = None) -> tuple[str, str]:
        raise CacheCorrupt("The cache writes no side files.")

    def remove(self, file_path: str) -> None:
        raise CacheCorrupt("The cache removes no files.")


class DiskStore:
    """Records in a folder, by diskcache, compressed and under a checksum."""

    def __init__(self, folder: Path) -> None:
        """Opens the folder, or makes it, for its owner alone.

        Raises:
            CacheCorrupt: the folder holds another format, or others may write to it.
            CacheError: it cannot be made, or another process keeps it locked.
        """
        self.folder = folder
        with owner_only(), in_our_words(folder):
            check_folder(folder)
            self._cache = diskcache.Cache(
                str(folder), disk=_PlainDisk, timeout=PATIENCE, **SETTINGS
            )
            try:
                self._mark()
                self._claims = Claims(folder / CLAIMS)
            except BaseException:
                self._cache.close()
                raise
        warn_of_network(folder)

    def _mark(self) -> None:
        """Marks a new folder as ours; of several processes one does, and the others see it."""
        if not self._cache.add(MARK_KEY, MARK) and self._cache.get(MARK_KEY) != MARK:
            raise foreign(self.folder)

    def __len__(self) -> int:
        with in_our_words(self.folder):
            return len(self._cache) - 1

    def __contains__(self, key: str) -> bool:
        with in_our_words(self.folder):
            return self._row(key) is not None

    @property
    def size(self) -> int:
        """Bytes of the files on disk."""
        files = (self.folder / name for name in FILES)
        return sum(file.stat().st_size for file in files if file.is_file())

    def get(self, key: str) -> bytes | None:
        """The record, or None.

        Raises:
            CacheCorrupt: it is not what was written.
        """
        with in_our_words(self.folder):
            row = self._row(key)
        if row is None:
            return None
        return unpack(_plain(*row), key)

    def _row(self, key: str) -> tuple[object, object, object] | None:
        found: tuple[object, object, object] | None
        found = self._cache._sql(_READ, (key,)).fetchone()  # noqa: SLF001 - see _READ
        return found

    def put(self, key: str, record: bytes) -> None:
        """Keeps the record in one transaction; a crash of the process does not lose it.

        Raises:
            CacheError: the disk is full, or another process keeps the folder locked.
        """
        now = time.time()
        row = (key, now, now, diskcache.core.MODE_RAW, pack(record))
        with self.together():  # inside another one it is that one
            if self._cache._sql(_WRITE, row).rowcount != 1:  # noqa: SLF001 - see _WRITE
                raise _not_ours()

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is put inside is kept or, where something is raised, none of it.

        Raises:
            CacheError: as `put` does.
        """
        with in_our_words(self.folder), self._cache.transact():
            yield

    def __iter__(self) -> Iterator[str]:
        """The keys of all records, sorted; rows that are not plain are left out."""
        last = ""
        while True:
            with in_our_words(self.folder), closing(read_only(self.folder)) as database:
                found = database.execute(
                    "SELECT key FROM Cache WHERE raw = 1 AND typeof(key) = 'text' AND key > ? "
                    "AND key <> ? ORDER BY key LIMIT ?",
                    (last, MARK_KEY, _AT_ONCE),
                ).fetchall()
            if not found:
                return
            yield from (key for (key,) in found)
            last = found[-1][0]

    def strange_rows(self) -> list[str]:
        """The keys of rows that no record of ours has, as SQL writes them where they are no text.

        None of these rows is ever read.
        """
        with in_our_words(self.folder), closing(read_only(self.folder)) as database:
            found = database.execute(
                "SELECT iif(typeof(key) = 'text', key, substr(quote(key), 1, 80)) FROM Cache "
                "WHERE raw IS NOT 1 OR mode IS NOT ? OR filename IS NOT NULL OR expire_time IS NOT "
                "NULL OR typeof(key) <> 'text' OR typeof(value) <> 'blob' ORDER BY rowid LIMIT ?",
                (diskcache.core.MODE_RAW, _AT_ONCE),
            )
            return [key for (key,) in found]

    def remove(self, keys: Iterable[str]) -> int:
        """Deletes these records, all or none, and wipes the room that they took.

        A file that a strange row may name is not touched.

        Returns:
            How many there were.

        Raises:
            CacheError: another process keeps the folder locked.
        """
        with (
            in_our_words(self.folder),
            closing(sqlite3.connect(self.folder / DATABASE, timeout=PATIENCE)) as database,
        ):
            database.execute("PRAGMA secure_delete = ON")
            with database:
                removed = database.executemany(
                    "DELETE FROM Cache WHERE raw = 1 AND key = ? AND key <> ?",
                    ((key, MARK_KEY) for key in keys),
                ).rowcount
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return max(removed, 0)  # −1 where there was no key at all

    def claim(self, key: str) -> bool:
        """Says that this process asks; False where another one does. Ends with the process."""
        return self._claims.take(key)

    def release(self, key: str) -> None:
        """Ends the claim, if there is one."""
        self._claims.give_back(key)

    def close(self) -> None:
        """Closes the database, and ends all claims."""
        self._cache.close()
        self._claims.close()


def _plain(mode: object, filename: object, value: object) -> bytes:
    """The value of a row, where that is all there is to the row."""
    if mode != diskcache.core.MODE_RAW or filename or not isinstance(value, bytes):
        raise _not_ours()
    return value


def _not_ours() -> CacheCorrupt:
    return CacheCorrupt("A record of the cache is not plain bytes: somebody else wrote it.")
