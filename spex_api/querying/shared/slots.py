"""Who holds what share of a limit, in two tables: a row a scope, and a row a request.

What this module does not know: who waits, and what a request is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spex_api.querying.pace.limits import Cost, Limits, too_large
from spex_api.querying.pace.windows import BURST, MINUTE
from spex_api.querying.shared.locks import Deaths
from spex_api.querying.shared.schema import NOW

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from psycopg import Connection

    from spex_api.querying.shared.locks import Locks

__all__ = ["Asked", "Ended", "Slots"]

_NAMES: Final = ("requests", "tokens", "input_tokens", "output_tokens")
_UNKNOWN: Final = 0.25
"""Seconds until we look again, where nobody knows when a reply will come."""
_SUMS: Final = ", ".join(f"coalesce(sum({name}), 0)" for name in _NAMES)

_SCOPE: Final = (
    f"SELECT {NOW}, paused_until, paced_until, limits FROM spex.scopes "  # noqa: S608 - names of ours
    "WHERE scope = %s FOR UPDATE"
)
_EXPIRE: Final = "DELETE FROM spex.slots WHERE scope = %s AND replied_at <= %s"
_USED: Final = f"SELECT {_SUMS} FROM spex.slots WHERE scope = %s AND id <> ALL(%s)"  # noqa: S608 - names of ours
_NEXT: Final = (
    f"SELECT replied_at, {', '.join(_NAMES)} FROM spex.slots WHERE scope = %s "  # noqa: S608 - likewise
    "AND replied_at IS NOT NULL ORDER BY replied_at LIMIT 200"
)
_GRANT: Final = (
    f"INSERT INTO spex.slots (id, scope, worker, {', '.join(_NAMES)}) "  # noqa: S608 - likewise
    "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_PACE: Final = "UPDATE spex.scopes SET paced_until = %s WHERE scope = %s"
_END: Final = (
    f"UPDATE spex.slots SET replied_at = {NOW} + %s, tokens = coalesce(%s, tokens), "  # noqa: S608 - likewise
    "input_tokens = coalesce(%s, input_tokens), output_tokens = coalesce(%s, output_tokens) "
    "WHERE id = %s"
)
_LEARN: Final = (
    f"UPDATE spex.scopes SET paused_until = greatest(paused_until, {NOW} + %s), "  # noqa: S608 - likewise
    "limits = ARRAY[coalesce(%s, limits[1]), coalesce(%s, limits[2]), coalesce(%s, limits[3]), "
    "coalesce(%s, limits[4])]::float8[] WHERE scope = %s"
)
_WORKERS: Final = "SELECT DISTINCT worker FROM spex.slots WHERE scope = %s AND replied_at IS NULL"
_BURY: Final = (
    f"UPDATE spex.slots SET replied_at = {NOW} + 1 "  # noqa: S608 - likewise
    "WHERE scope = %s AND replied_at IS NULL AND worker = ANY(%s)"
)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A request that wants to be sent.

    Attributes:
        number: in the order of the calls in this process.
        name: its own among all.
        cost: what it is expected to take.
    """

    number: int
    name: uuid.UUID
    cost: Cost


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """What came of a request.

    Attributes:
        name: its own among all.
        tokens: what it took: in all, read and written; None leaves what was expected.
        late: seconds after now in which it may still arrive.
        pause: seconds for which the endpoint wants nothing.
        limits: that the reply named, by what they are of.
        withdrawn: whether it was never sent.
    """

    name: uuid.UUID
    tokens: tuple[int, int, int] | None = None
    late: float = 0.0
    pause: float = 0.0
    limits: Mapping[str, float] = field(default_factory=dict)
    withdrawn: bool = False


@dataclass(slots=True)
class _Standing:
    """How a scope stands within one transaction."""

    now: float
    paused_until: float
    paced_until: list[float]
    limits: tuple[float, ...]
    used: list[float]


class Slots:
    """The slots of one scope: what is done in a transaction.

    Args:
        limits: what the user says that the endpoint bears in a minute.
        scope: its name.
        locks: of the session: a worker that has lost its own is dead.
        minute: seconds for which a limit of a minute holds.
    """

    def __init__(self, limits: Limits, *, scope: str, locks: Locks, minute: float) -> None:
        given = (
            limits.requests_per_minute,
            limits.tokens_per_minute,
            limits.input_tokens_per_minute,
            limits.output_tokens_per_minute,
        )
        self._limits = given
        self._scope = scope
        self._locks = locks
        self._minute = minute
        self._burst = BURST * minute / MINUTE
        self._deaths = Deaths(locks, _WORKERS, scope)

    def grant(self, connection: Connection, some: list[Asked]) -> list[float]:
        """Grants, in order, what there is room for.

        Returns:
            For each 0, or the seconds after which there may be room for the first that waits.

        Raises:
            UsageError: the first is larger than a limit.
        """
        standing = self._standing(connection, some)
        waits: dict[uuid.UUID, float] = {}
        wait = 0.0
        granted = []
        for each in sorted(some, key=lambda each: each.number):
            wait = wait or self._wait(connection, standing, each.cost)
            waits[each.name] = wait
            if not wait:
                self._take(standing, each.cost)
                granted.append((each.name, self._scope, self._locks.worker, *each.cost))
        if granted:
            with connection.cursor() as cursor:
                cursor.executemany(_GRANT, granted)
            connection.execute(_PACE, (standing.paced_until, self._scope))
        if wait:
            self._bury(connection)
        return [waits[each.name] for each in some]

    def end(self, connection: Connection, some: list[Ended]) -> list[None]:
        """Notes what came of requests; what each holds is free a minute after now."""
        pause = max(each.pause for each in some)
        named = {name: limit for each in some for name, limit in each.limits.items()}
        if pause or named:
            learned = [named.get(name) for name in _NAMES]
            connection.execute(_LEARN, (pause, *learned, self._scope))
        rows = [(e.late, *(e.tokens or (None,) * 3), e.name) for e in some if not e.withdrawn]
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(_END, rows)
        gone = [each.name for each in some if each.withdrawn]
        if gone:
            connection.execute("DELETE FROM spex.slots WHERE id = ANY(%s)", (gone,))
        return [None for _ in some]

    def _standing(self, connection: Connection, some: list[Asked]) -> _Standing:
        found = connection.execute(_SCOPE, (self._scope,)).fetchone()
        if found is None:
            connection.execute(
                "INSERT INTO spex.scopes (scope) VALUES (%s) ON CONFLICT DO NOTHING", (self._scope,)
            )
            found = connection.execute(_SCOPE, (self._scope,)).fetchone()
        now, paused_until, paced_until, learned = found or (0.0, 0.0, [0.0] * 4, [None] * 4)
        connection.execute(_EXPIRE, (self._scope, now - self._minute))
        names = [each.name for each in some]
        used = connection.execute(_USED, (self._scope, names)).fetchone() or (0.0,) * 4
        pairs = zip(self._limits, learned, strict=True)
        limits = tuple(
            math.inf if known is None else known
            for known in (theirs if ours is None else ours for ours, theirs in pairs)
        )
        return _Standing(now, paused_until, list(paced_until), limits, list(used))

    def _wait(self, connection: Connection, standing: _Standing, cost: Cost) -> float:
        """Seconds until it may fit; 0 where it does.

        Raises:
            UsageError: it never will.
        """
        limits = standing.limits
        if any(amount > limit for amount, limit in zip(cost, limits, strict=True)):
            raise too_large(cost, limits)
        now = standing.now
        bounded = [
            paced
            for paced, limit in zip(standing.paced_until, limits, strict=True)
            if limit < math.inf
        ]
        due = max(standing.paused_until, *(paced - self._burst for paced in bounded), 0.0)
        lacks = [
            used + amount - limit
            for used, amount, limit in zip(standing.used, cost, limits, strict=True)
        ]
        if max(lacks) > 0:
            due = max(due, self._freed(connection, standing, lacks))
        return max(due - now, 0.0)

    def _freed(self, connection: Connection, standing: _Standing, lacks: list[float]) -> float:
        """The moment at which so much will be free again."""
        for replied_at, *amounts in connection.execute(_NEXT, (self._scope,)).fetchall():
            lacks = [lack - amount for lack, amount in zip(lacks, amounts, strict=True)]
            if max(lacks) <= 0:
                return max(float(replied_at) + self._minute, standing.now + 1e-3)
        return standing.now + _UNKNOWN

    def _take(self, standing: _Standing, cost: Cost) -> None:
        for index, amount in enumerate(cost):
            standing.used[index] += amount
            limit = standing.limits[index]
            if limit < math.inf:
                start = max(standing.now, standing.paced_until[index])
                standing.paced_until[index] = start + amount * self._minute / limit

    def _bury(self, connection: Connection) -> None:
        """What the dead had under way was sent before now; nobody else will say so."""
        dead = self._deaths.found(connection)
        if dead:
            connection.execute(_BURY, (self._scope, dead))
