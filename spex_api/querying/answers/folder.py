"""A folder of answers can be changed by its owner alone, and was written by us alone.

A database is looked at before diskcache opens it, and nothing is written to it meanwhile: its
schema, its settings and its mark must be those that we write, since diskcache obeys the settings
that it finds, and SQLite the triggers. What this module does not know: what a record is.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import diskcache

from spex_api.errors import CacheCorrupt, CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = [
    "CLAIMS",
    "DATABASE",
    "FILES",
    "MARK",
    "MARK_KEY",
    "PATIENCE",
    "SETTINGS",
    "check_folder",
    "foreign",
    "in_our_words",
    "owner_only",
    "read_only",
    "warn_of_network",
]

_log = logging.getLogger(__name__)

MARK: Final = b"spex-api answers 1"
"""What stands under `MARK_KEY` in every folder of ours."""
MARK_KEY: Final = "format"
DATABASE: Final = "cache.db"
CLAIMS: Final = "claims"
FILES: Final = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", CLAIMS)
PATIENCE: Final = 60.0
"""Seconds to wait for another process that is writing."""

SETTINGS: Final = {
    "eviction_policy": "none",
    "size_limit": 2**62,
    "cull_limit": 0,
    "statistics": 0,
    "disk_min_file_size": 2**40,
}
_COUNTERS: Final = frozenset({"count", "size", "hits", "misses", "disk_pickle_protocol"})
"""Settings whose value may be any whole number."""

_SCHEMA: Final = {
    "Settings": "CREATE TABLE Settings ( key TEXT NOT NULL UNIQUE, value)",
    "Cache": "CREATE TABLE Cache ( rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, store_time "
    "REAL, expire_time REAL, access_time REAL, access_count INTEGER DEFAULT 0, tag BLOB, size "
    "INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB)",
    "Cache_key_raw": "CREATE UNIQUE INDEX Cache_key_raw ON Cache(key, raw)",
    "Cache_expire_time": "CREATE INDEX Cache_expire_time ON Cache (expire_time)",
    "Settings_count_insert": "CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache FOR EACH "
    'ROW BEGIN UPDATE Settings SET value = value + 1 WHERE key = "count"; END',
    "Settings_count_delete": "CREATE TRIGGER Settings_count_delete AFTER DELETE ON Cache FOR EACH "
    'ROW BEGIN UPDATE Settings SET value = value - 1 WHERE key = "count"; END',
    "Settings_size_insert": "CREATE TRIGGER Settings_size_insert AFTER INSERT ON Cache FOR EACH "
    'ROW BEGIN UPDATE Settings SET value = value + NEW.size WHERE key = "size"; END',
    "Settings_size_update": "CREATE TRIGGER Settings_size_update AFTER UPDATE ON Cache FOR EACH "
    'ROW BEGIN UPDATE Settings SET value = value + NEW.size - OLD.size WHERE key = "size"; END',
    "Settings_size_delete": "CREATE TRIGGER Settings_size_delete AFTER DELETE ON Cache FOR EACH "
    'ROW BEGIN UPDATE Settings SET value = value - OLD.size WHERE key = "size"; END',
}
"""What diskcache makes; a trigger or a view more is somebody's program, and is refused."""

_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs", "9p"})


@contextmanager
def owner_only() -> Iterator[None]:
    """What is made inside is its owner's alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


class in_our_words:  # noqa: N801 - it is used as a function, and is one for every lookup
    """Raises what SQLite and diskcache raise as errors of ours.

    Args:
        folder: of the answers, for the sentence.
    """

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        """Nothing is set up."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and isinstance(error, diskcache.Timeout | sqlite3.DatabaseError):
            raise _in_our_words(self._folder, error) from None


def _in_our_words(folder: Path, error: Exception) -> CacheError:
    flaw: Exception | str = error
    if isinstance(error, diskcache.Timeout):
        flaw = "another process has kept it locked for a minute"
    elif not isinstance(error, sqlite3.OperationalError):
        return CacheCorrupt(
            f"{folder} is no folder of answers that can be read: {error}.",
            advice="Set SPEX_CACHE_DIR to another folder.",
        )
    return CacheError(
        f"The answers in {folder} cannot be reached: {flaw}.",
        advice="Check the room on the disk, the rights on the folder, and who else uses it.",
    )


def check_folder(folder: Path) -> None:
    """Makes the folder, or lets pass one that is our user's alone and holds nothing but answers.

    Raises:
        CacheCorrupt: others may change it, or the database in it is another's.
        CacheError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_strangers(folder)
        if not any(folder.iterdir()):
            folder.chmod(0o700)
    except OSError as error:
        raise CacheError(
            f"{folder} cannot be used as the folder of answers: {error.strerror}.",
            advice="Set SPEX_CACHE_DIR to a folder of your own.",
        ) from None
    _refuse_foreign(folder)


def _refuse_strangers(folder: Path) -> None:
    """Lets pass a folder that nobody but its owner can change.

    Raises:
        CacheCorrupt: others may write to it, or replace it, or a file in it is a link.
    """
    for name in FILES:
        file = folder / name
        if file.is_symlink() or (file.exists() and not file.is_file()):
            raise CacheCorrupt(
                f"{file} is no plain file, so its answers cannot be trusted.",
                advice="Set SPEX_CACHE_DIR to a folder of its own.",
            )
    if os.name != "posix":
        return
    place = folder.resolve()
    state = place.stat()
    if os.geteuid() not in (0, state.st_uid):
        raise CacheCorrupt(
            f"{place} belongs to somebody else, so its answers cannot be trusted.",
            advice="Set SPEX_CACHE_DIR to a folder of your own.",
        )
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CacheCorrupt(
            f"Others may write to {place}, so its answers cannot be trusted.",
            advice=f"Take that right away (chmod go-w {place}) or set SPEX_CACHE_DIR.",
        )
    for parent in place.parents:
        mode = parent.stat().st_mode
        # With the sticky bit, as on /tmp, nobody can replace what is another's.
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise CacheCorrupt(
                f"Anybody may write to {parent}, and so replace the answers in {place}.",
                advice=f"Take that right away (chmod o-w {parent}) or set SPEX_CACHE_DIR.",
            )
    for name in FILES:
        file = place / name
        if file.is_file() and file.stat().st_mode & 0o077:
            file.chmod(0o600)


def _refuse_foreign(folder: Path) -> None:
    """Lets pass a folder without a database, or with one that this module wrote.

    Nothing is written, and nothing that the database asks for is done. Another process may be just
    making it, so a part of our own schema and settings passes while there is no row.

    Raises:
        CacheCorrupt: it is another's.
    """
    file = folder / DATABASE
    if not file.exists() or not file.stat().st_size:
        return
    with closing(read_only(folder)) as database:
        schema = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL LIMIT 100"
        ).fetchall()
        tables = {name for name, _ in schema}
        ours = all(_SCHEMA.get(name) == " ".join(sql.split()) for name, sql in schema)
        if ours and "Settings" in tables:
            settings = database.execute("SELECT key, value FROM Settings LIMIT 100").fetchall()
            ours = all(map(_set_by_us, *zip(*settings, strict=True))) if settings else True
        if ours and "Cache" in tables:
            row = database.execute(
                "SELECT value FROM Cache WHERE key = ? AND raw = 1 AND mode = ?",
                (MARK_KEY, diskcache.core.MODE_RAW),
            ).fetchone()
            some = database.execute("SELECT 1 FROM Cache LIMIT 1").fetchone()
            ours = row == (MARK,) if some else True
    if not ours:
        raise foreign(folder)


def _set_by_us(key: object, value: object) -> bool:
    if key in _COUNTERS:
        return isinstance(value, int)
    expected = {**diskcache.core.DEFAULT_SETTINGS, **SETTINGS}
    return key in expected and expected[key] == value


def foreign(folder: Path) -> CacheCorrupt:
    """The error of a folder that is not ours."""
    return CacheCorrupt(
        f"{folder} holds answers in another format, or not answers alone.",
        advice="Set SPEX_CACHE_DIR to a folder of its own.",
    )


def read_only(folder: Path) -> sqlite3.Connection:
    """A connection to the folder's database that cannot write to it."""
    address = f"{(folder.absolute() / DATABASE).as_uri()}?mode=ro"
    database = sqlite3.connect(address, uri=True, timeout=PATIENCE)
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def warn_of_network(folder: Path) -> None:
    """Says so where the folder is on another machine: SQLite's locks do not hold there."""
    mounts = Path("/proc/self/mountinfo")
    if not mounts.is_file():
        return
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2:3] == [number] and source.split()[:1] and source.split()[0] in _REMOTE:
            _log.warning(
                "%s is on a network file system (%s): answers may be lost where two machines "
                "write. Set SPEX_CACHE_DIR to a local folder.",
                folder,
                source.split()[0],
            )
            return
