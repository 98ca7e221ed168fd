"""Every answer is on disk before it is used, and is never asked for again.

The store is diskcache with the parts taken out that can lose an answer or run foreign code: nothing
is ever pickled, nothing is evicted, an answer is one atomic row and no side file, the folder
belongs to its owner alone, and a folder of another format is refused. A record holds the whole
question, the reply's body and when it came; never a header, so never a key. What this module does
not know: what an answer means.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import diskcache
import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from spex_api.completions import Fingerprint, JsonObject, canonical_json
from spex_api.errors import CacheCorrupt, CacheMiss
from spex_api.querying.policy import Meter, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.completions import Completion, CompletionRequest

__all__ = ["AnswerStore", "Cached", "DiskStore", "Offline", "answers_folder", "is_offline"]

_FORMAT = b"spex-api answers 1"
_FORMAT_KEY = "format"
_MAX_RECORD = 64 * 2**20
"""Bytes that a record may unpack to: no reply is that long, so a longer one is a bomb."""
_CHECKSUM = 8


class AnswerStore(Protocol):
    """Where records are kept: bytes by key."""

    def get(self, key: str) -> bytes | None:
        """The record, or None. Raises CacheCorrupt where it is not what was written."""
        ...

    def put(self, key: str, record: bytes) -> None:
        """Keeps the record; it is on disk when this returns."""
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


def is_offline() -> bool:
    """Whether `SPEX_OFFLINE` forbids every connection."""
    return os.environ.get("SPEX_OFFLINE", "") not in ("", "0")


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
        if mode != diskcache.core.MODE_RAW or filename or read or not isinstance(value, bytes):
            raise CacheCorrupt("A record of the cache is not plain bytes: somebody else wrote it.")
        return value

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
        """
        self.folder = folder
        with _owner_only():
            folder.mkdir(parents=True, exist_ok=True)
            _refuse_strangers(folder)
            try:
                self._cache = diskcache.Cache(
                    str(folder),
                    disk=_PlainDisk,
                    eviction_policy="none",
                    size_limit=2**62,
                    cull_limit=0,
                    statistics=0,
                    timeout=60,
                    disk_min_file_size=2**40,
                )
            except sqlite3.DatabaseError as error:
                raise CacheCorrupt(
                    f"{folder} cannot be opened as a folder of answers: {error}.",
                    advice="Set SPEX_CACHE_DIR to another folder.",
                ) from None
            try:
                self._claim()
            except BaseException:
                self._cache.close()
                raise

    def _claim(self) -> None:
        """Marks a new folder with its format, and refuses a folder of another."""
        if self._cache.add(_FORMAT_KEY, _FORMAT):
            if len(self._cache) > 1:
                self._cache.delete(_FORMAT_KEY)
                raise self._foreign()
        elif self._cache.get(_FORMAT_KEY) != _FORMAT:
            raise self._foreign()

    def _foreign(self) -> CacheCorrupt:
        return CacheCorrupt(
            f"{self.folder} holds answers in another format.",
            advice="Set SPEX_CACHE_DIR to a folder of its own.",
        )

    def __len__(self) -> int:
        return len(self._cache) - 1

    def get(self, key: str) -> bytes | None:
        """The record, or None.

        Raises:
            CacheCorrupt: it is not what was written.
        """
        packed = self._cache.get(key)
        return None if packed is None else _unpack(packed, key)

    def put(self, key: str, record: bytes) -> None:
        """Keeps the record in one transaction; a crash of the process does not lose it."""
        self._cache.set(key, hashlib.sha256(record).digest()[:_CHECKSUM] + zlib.compress(record))

    def close(self) -> None:
        """Closes the database."""
        self._cache.close()


@contextmanager
def _owner_only() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _refuse_strangers(folder: Path) -> None:
    mode = folder.stat().st_mode
    if os.name == "posix" and mode & 0o022:
        raise CacheCorrupt(
            f"Others may write to {folder}, so its answers cannot be trusted.",
            advice=f"Take that right away (chmod go-w {folder}) or set SPEX_CACHE_DIR.",
        )


def _unpack(packed: bytes, key: str) -> bytes:
    checksum, squeezed = packed[:_CHECKSUM], packed[_CHECKSUM:]
    try:
        unzip = zlib.decompressobj()
        record = unzip.decompress(squeezed, _MAX_RECORD)
        whole = unzip.eof
    except zlib.error:
        record, whole = b"", False
    if not whole or hashlib.sha256(record).digest()[:_CHECKSUM] != checksum:
        raise CacheCorrupt(f"The record {key[:12]} of the cache is not what was written.")
    return record


class _Record(BaseModel):
    """What stands on disk for one answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprint: JsonObject
    raw: str
    at: str


@dataclass(frozen=True, slots=True)
class Cached(Policy):
    """Answers from disk where it can, and writes what it must ask before anyone uses it."""

    store: AnswerStore
    meter: Meter

    async def complete(self, request: CompletionRequest) -> Completion:
        """The answer on disk, or else the inner adapter's, once it is on disk.

        Raises:
            AdapterError: as the inner adapter does.
            CacheCorrupt: the record on disk is not what was written.
        """
        fingerprint = self.fingerprint(request)
        known = self._lookup(fingerprint)
        if known is not None:
            self.meter.cached += 1
            return known
        completion = await self.inner.complete(request)
        record = {
            "fingerprint": fingerprint.ladder(),
            "raw": completion.raw,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self.store.put(fingerprint.digest(), canonical_json(record).encode())
        return completion

    def _lookup(self, fingerprint: Fingerprint) -> Completion | None:
        """The answer on disk, read again, or None.

        Raises:
            CacheCorrupt: the record is not what was written.
        """
        stored = self.store.get(fingerprint.digest())
        if stored is None:
            return None
        try:
            record = _Record.model_validate_json(stored)
        except ValidationError:
            record = None
        if record is None or canonical_json(record.fingerprint) != fingerprint.canonical():
            raise CacheCorrupt(f"The record {fingerprint.digest()[:12]} answers another question.")
        return self.inner.read(record.raw)

    def fingerprint(self, request: CompletionRequest) -> Fingerprint:
        """What the answer to this request is kept under."""
        return Fingerprint(
            self.inner.endpoint, self.inner.model, self.inner.body(request), request.sample_index
        )


@dataclass(frozen=True, slots=True)
class Offline(Policy):
    """Opens no connection: whatever is asked of it is a miss."""

    async def complete(self, request: CompletionRequest) -> Completion:
        """Names the answer that is not there.

        Raises:
            CacheMiss: always.
        """
        said = request.messages[-1].content
        shown = said if len(said) <= 60 else f"{said[:24]} … {said[-32:]}"
        raise CacheMiss(
            f"No answer of {self.inner.model} to {shown!r} is on disk, and SPEX_OFFLINE "
            "forbids asking.",
            advice="Unset SPEX_OFFLINE to ask for what is missing.",
        )
