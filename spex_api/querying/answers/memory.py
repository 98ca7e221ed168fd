"""Records in memory, for answers that no later run may take for its own.

The answers of a user's own function are such: nobody can tell whether it is the same function
tomorrow. What this module does not know: what a record says.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MemoryStore"]


class MemoryStore:
    """Bytes by key, as an `AnswerStore`, for as long as the object lives."""

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def __iter__(self) -> Iterator[str]:
        """The keys of all records, sorted."""
        return iter(sorted(self._records))

    def get(self, key: str) -> bytes | None:
        """The record, or None."""
        return self._records.get(key)

    def put(self, key: str, record: bytes) -> None:
        """Keeps the record."""
        self._records[key] = record

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is put inside is kept or, where something is raised, none of it."""
        before = dict(self._records)
        try:
            yield
        except BaseException:
            self._records = before
            raise

    def claim(self, key: str) -> bool:  # noqa: ARG002 - as an `AnswerStore` does
        """Whether this process may ask: no other one knows of this store."""
        return True

    def release(self, key: str) -> None:
        """Has no claim to end."""

    def close(self) -> None:
        """Has nothing to give back."""
