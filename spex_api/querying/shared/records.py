"""The records of a shared store: what is read, written and claimed of them, gathered.

What this module does not know: what a record says, and who waits for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.querying.answers.packing import pack, unpack
from spex_api.querying.shared.session import Work

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from psycopg import Connection

    from spex_api.querying.shared.locks import Locks
    from spex_api.querying.shared.session import Session

__all__ = ["Records", "SharedDesk"]

_PAUSE: Final = 0.25
_DIGITS: Final = 15
"""Of a key, whose lock is the number that they make: 16 may be beyond the largest."""
_PUT: Final = (
    "INSERT INTO spex.records (key, record) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE "
    "SET record = excluded.record, written_at = excluded.written_at"
)
_ADD: Final = "INSERT INTO spex.records (key, record) VALUES (%s, %s) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class _Some:
    """Records that are kept all or none.

    Attributes:
        rows: keys, and records as they are stored.
        over: whether other records under these keys are replaced.
    """

    rows: tuple[tuple[str, bytes], ...]
    over: bool = True

    @classmethod
    def of(cls, records: Mapping[str, bytes], *, over: bool = True) -> _Some:
        return cls(tuple((key, pack(record)) for key, record in records.items()), over)


class Records:
    """What may be asked of the records; each asks at once, and is done soon.

    Args:
        session: to the database.
        locks: of that session.
    """

    def __init__(self, session: Session, locks: Locks) -> None:
        self.session = session
        self._getting: Work[str, bytes | None] = Work(_got, atomic=False)
        self._putting: Work[_Some, None] = Work(_put)
        self._claiming: Work[int, bool] = Work(locks.take, atomic=False)
        self._releasing: Work[int, None] = Work(locks.give_back, atomic=False)

    def get(self, key: str) -> Future[bytes | None]:
        """The record as it is stored."""
        return self.session.ask(self._getting, key)

    def put(self, records: Mapping[str, bytes], *, over: bool = True) -> Future[None]:
        """Keeps all or none of these records."""
        return self.session.ask(self._putting, _Some.of(records, over=over))

    def claim(self, key: str) -> Future[bool]:
        """Locks the question, where nobody else has."""
        return self.session.ask(self._claiming, _number(key))

    def release(self, key: str) -> Future[None]:
        """Ends the lock."""
        return self.session.ask(self._releasing, _number(key))


class SharedDesk:
    """The same for an event loop; see `Desk`.

    Args:
        records: of the store.
    """

    __slots__ = ("_records", "pause")

    def __init__(self, records: Records) -> None:
        self.pause = _PAUSE
        self._records = records

    async def get(self, key: str) -> bytes | None:
        """The record, or None.

        Raises:
            CacheCorrupt: it is not what was written.
            CacheError: the store was gone for longer than our patience.
        """
        stored = await asyncio.wrap_future(self._records.get(key))
        return None if stored is None else unpack(stored, key)

    async def write(self, key: str, record: bytes) -> None:
        """Returns once the record is committed; it is kept even if nobody waits any more.

        Raises:
            CacheError: it could not be kept.
        """
        await self.keep({key: record}, over=True)

    async def keep(self, records: Mapping[str, bytes], *, over: bool) -> None:
        """Keeps all of these records, over others or only where there are none.

        Raises:
            CacheError: they could not be kept.
        """
        await asyncio.shield(asyncio.wrap_future(self._records.put(records, over=over)))

    async def claim(self, key: str) -> bool:
        """Says that this process asks; False where another one does.

        Raises:
            CacheError: the store was gone for longer than our patience.
        """
        claiming = self._records.claim(key)
        try:
            return await asyncio.wrap_future(claiming)
        except asyncio.CancelledError:
            claiming.add_done_callback(lambda done: self._let_be(done, key))
            raise

    def release(self, key: str) -> None:
        """Ends the claim, if there is one, soon."""
        self._records.release(key)

    def _let_be(self, claimed: Future[bool], key: str) -> None:
        """Ends a claim that nobody waited for."""
        if not claimed.cancelled() and not claimed.exception() and claimed.result():
            self._records.release(key)


def _got(connection: Connection, keys: list[str]) -> list[bytes | None]:
    query = "SELECT key, record FROM spex.records WHERE key = ANY(%s)"
    found: dict[str, bytes] = dict(connection.execute(query, (keys,), binary=True).fetchall())
    return [found.get(key) for key in keys]


def _put(connection: Connection, some: list[_Some]) -> list[None]:
    with connection.cursor() as cursor:
        for statement, over in ((_PUT, True), (_ADD, False)):
            # In the keys' order, so that two who write the same do not wait for each other.
            rows = sorted(dict(r for each in some if each.over is over for r in each.rows).items())
            if rows:
                cursor.executemany(statement, rows)
    return [None for _ in some]


def _number(key: str) -> int:
    return int(key[:_DIGITS], 16)
