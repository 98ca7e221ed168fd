"""How answers are looked up and kept while others are asked: without holding up the event loop.

A store on disk is quicker than any thread, and is called as it is. One behind a network is awaited.
What this module does not know: what a record holds, and who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from spex_api.querying.answers.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spex_api.querying.answers.store import AnswerStore

__all__ = ["Desk", "NearDesk"]

_PAUSE: Final = 0.05


class Desk(Protocol):
    """An `AnswerStore` for whoever runs in an event loop; every step raises what the store's does.

    Attributes:
        pause: seconds between two looks for the answer that another process is asking for.
    """

    pause: float

    async def get(self, key: str) -> bytes | None:
        """The record, or None."""
        ...

    async def write(self, key: str, record: bytes) -> None:
        """Returns once the record is kept; it is kept even if nobody waits any more."""
        ...

    async def keep(self, records: Mapping[str, bytes], *, over: bool) -> None:
        """Keeps all of these records, over others or only where there are none."""
        ...

    async def claim(self, key: str) -> bool:
        """Says that this process asks; False where another one does."""
        ...

    def release(self, key: str) -> None:
        """Ends the claim, if there is one, now or soon."""
        ...


class NearDesk:
    """A store that answers at once.

    Args:
        store: on disk, or in memory.
    """

    __slots__ = ("_store", "_writer", "pause")

    def __init__(self, store: AnswerStore) -> None:
        self.pause = _PAUSE
        self._store = store
        self._writer = Writer(store)

    async def get(self, key: str) -> bytes | None:
        """The record, or None."""
        return self._store.get(key)

    async def write(self, key: str, record: bytes) -> None:
        """Returns once the record is kept, together with what comes in beside it."""
        await self._writer.write(key, record)

    async def keep(self, records: Mapping[str, bytes], *, over: bool) -> None:
        """Keeps all of these records, over others or only where there are none."""
        with self._store.together():
            for key, record in records.items():
                if over or key not in self._store:
                    self._store.put(key, record)

    async def claim(self, key: str) -> bool:
        """Says that this process asks; False where another one does."""
        return self._store.claim(key)

    def release(self, key: str) -> None:
        """Ends the claim, if there is one."""
        self._store.release(key)
