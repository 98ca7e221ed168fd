"""Locks that end with the session that holds them, and are taken again once it is back.

PostgreSQL calls them advisory. It takes them back from a process that ends, however it ends; after
a restart of the server nobody has any, until those who live come back, a few seconds later. What
this module does not know: what is locked, and why.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import LiteralString

    from psycopg import Connection

__all__ = ["Deaths", "Locks"]

_GRACE: Final = 15.0
"""Seconds after the server's start in which a worker without its lock is not taken for dead."""
_SECONDS_BETWEEN_LOOKS: Final = 3.0
_IS_UP: Final = (
    "SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 > %s"
)


class Locks:
    """What one session has locked.

    Attributes:
        worker: names the session among all, and is locked as long as its process lives.
    """

    def __init__(self) -> None:
        self.worker = secrets.randbelow(2**63 - 1) + 1
        self._held: Counter[int] = Counter()
        self._missing: set[int] = set()

    def take_again(self, connection: Connection) -> None:
        """On a new connection, whose session has no locks yet: what another has by now, later."""
        self._missing = {self.worker, *self._held}
        self.take_missing(connection)

    def take_missing(self, connection: Connection) -> None:
        """Takes what could not be had again: a session that is lost may hold it for a while."""
        connection.execute("SELECT 1")
        for number in tuple(self._missing):
            for _ in range(self._held.get(number, 1)):
                if not _try(connection, number):
                    break
            else:
                self._missing.discard(number)

    def take(self, connection: Connection, numbers: list[int]) -> list[bool]:
        """Takes each lock that is free; within one session they do not exclude each other."""
        taken = [_try(connection, number) for number in numbers]
        self._held.update(number for number, mine in zip(numbers, taken, strict=True) if mine)
        return taken

    def give_back(self, connection: Connection, numbers: list[int]) -> list[None]:
        """Ends locks that were taken."""
        for number in numbers:
            self._held[number] -= 1
            if self._held[number] <= 0:
                del self._held[number]
                self._missing.discard(number)
            connection.execute("SELECT pg_advisory_unlock(%s)", (number,))
        return [None for _ in numbers]

    def dead(self, connection: Connection, workers: Iterable[int]) -> list[int]:
        """Those of these workers that live no more; nobody is, just after a restart.

        The connection is in a transaction.
        """
        others = sorted(set(workers) - {self.worker})
        if not others or connection.execute(_IS_UP, (_GRACE,)).fetchone() != (True,):
            return []
        free = "SELECT pg_try_advisory_xact_lock(%s)"
        return [each for each in others if connection.execute(free, (each,)).fetchone() == (True,)]


class Deaths:
    """Which of the workers that a table names have died: asked every few seconds at the most.

    Args:
        locks: of the session: a worker that has lost its own is dead.
        workers: the query for those who have something in the table.
        owner: its one argument: whose table it is.
    """

    def __init__(self, locks: Locks, workers: LiteralString, owner: str) -> None:
        self._locks = locks
        self._workers: LiteralString = workers
        self._owner = owner
        self._looked_at = -math.inf

    def found(self, connection: Connection) -> list[int]:
        """The dead; none where somebody looked just now. The connection is in a transaction."""
        now = time.monotonic()
        if now - self._looked_at < _SECONDS_BETWEEN_LOOKS:
            return []
        self._looked_at = now
        named = connection.execute(self._workers, (self._owner,)).fetchall()
        return self._locks.dead(connection, [int(worker) for (worker,) in named])


def _try(connection: Connection, number: int) -> bool:
    return connection.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchone() == (True,)
