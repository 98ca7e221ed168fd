"""A store that notes which answers were used: those are what a bundle must hold, and no others.

What this module does not know: what an answer says, and where it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from spex_api.querying.cache import AnswerStore

__all__ = ["Noting"]


@dataclass(frozen=True, slots=True)
class Noting:
    """An `AnswerStore` over another one, which stays open.

    Attributes:
        store: where answers are kept.
        keys: of those that were read or kept.
    """

    store: AnswerStore
    keys: set[str] = field(default_factory=set)

    def __contains__(self, key: str) -> bool:
        return key in self.store

    def __iter__(self) -> Iterator[str]:
        return iter(self.store)

    def get(self, key: str) -> bytes | None:
        """The record, or None."""
        record = self.store.get(key)
        if record is not None:
            self.keys.add(key)
        return record

    def put(self, key: str, record: bytes) -> None:
        """Keeps the record."""
        self.store.put(key, record)
        self.keys.add(key)

    def together(self) -> AbstractContextManager[None]:
        """All that is put inside is kept or, where something is raised, none of it."""
        return self.store.together()

    def claim(self, key: str) -> bool:
        """Says that this process asks; False where another one does."""
        return self.store.claim(key)

    def release(self, key: str) -> None:
        """Ends the claim, if there is one."""
        self.store.release(key)

    def close(self) -> None:
        """Leaves the store open: whoever gave it closes it."""
