"""A store of answers that several machines share: PostgreSQL, from 12 on.

Records are the same bytes as on disk, compressed and under a checksum, and nothing is ever
unpickled. An answer is committed before anybody uses it. Who asks a question holds a lock that ends
with its session; after a restart of the server what is under way may be asked twice. With the store
come the caps of a run and the limits of endpoints, kept over all who share it.

What this module does not know: what a record says.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError
from spex_api.querying.answers.packing import unpack
from spex_api.querying.ledger import Ledger
from spex_api.querying.pace.limits import Limits
from spex_api.querying.shared.address import Address
from spex_api.querying.shared.ledger import SharedLedger, spent_in
from spex_api.querying.shared.limiter import SharedLimiter
from spex_api.querying.shared.locks import Locks
from spex_api.querying.shared.records import Records, SharedDesk
from spex_api.querying.shared.schema import check_schema
from spex_api.querying.shared.session import Session, Work
from spex_api.querying.throttle import Limiter, Throttled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psycopg import Connection

    from spex_api.querying.adapter import Adapter
    from spex_api.querying.budget import Budget
    from spex_api.querying.ledger import Amount
    from spex_api.querying.policy import Policy
    from spex_api.querying.pricing import Price

__all__ = ["PostgresStore", "new_run"]

_AT_ONCE: Final = 1000

_Query = tuple[str, tuple[object, ...]]


def new_run() -> str:
    """A name for a run that no other one has."""
    return secrets.token_hex(16)


class PostgresStore:
    """An `AnswerStore` in PostgreSQL, which also keeps caps and limits over all who share it.

    One a process: it belongs to no event loop, and may serve one after another. It cannot be
    pickled; another process opens its own by `url`.

    Args:
        url: `postgresql://USER@HOST:PORT/DATABASE`. What it leaves out, a password too, is taken
            from libpq's variables (`PGPASSWORD`, …) and files.
        run: the run whose caps are shared by all who open the store with the same name; without
            one, this process keeps its own caps. See `new_run`.
        patience: seconds for which PostgreSQL may be gone.
        minute: seconds for which a limit of a minute holds; another number is for tests.

    Raises:
        UsageError: the address is none of PostgreSQL's.
        MissingExtra: psycopg is not installed.
        CacheError: PostgreSQL cannot be reached, or refuses us.
        CacheCorrupt: the tables there are another's, or of another version.
    """

    def __init__(
        self,
        url: str,
        *,
        run: str | None = None,
        patience: float = 120.0,
        minute: float = 60.0,
    ) -> None:
        address = Address.of(url)
        self.url = address.shown
        self.run = run
        self._minute = minute
        self._locks = Locks()
        self._held: dict[str, bytes] | None = None
        self._reading: Work[_Query, list[tuple[object, ...]]] = Work(_read, atomic=False)
        self._session = Session(
            address,
            greet=self._greet,
            look_after=self._locks.take_missing,
            patience=patience,
        )
        self._records = Records(self._session, self._locks)

    def __repr__(self) -> str:
        return f"PostgresStore({self.url!r})"

    def __reduce__(self) -> str:
        raise UsageError(
            f"{self!r} cannot be sent to another process.",
            advice="Open one there, by its url.",
        )

    def __len__(self) -> int:
        return int(self._count("SELECT count(*) FROM spex.records"))

    @property
    def size(self) -> int:
        """Bytes that the records take in the database."""
        return int(self._count("SELECT pg_total_relation_size('spex.records')"))

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        """The keys of all records, sorted."""
        last = ""
        query = "SELECT key FROM spex.records WHERE key > %s ORDER BY key LIMIT %s"
        while found := self._session.ask(self._reading, (query, (last, _AT_ONCE))).result():
            yield from (str(key) for (key,) in found)
            last = str(found[-1][0])

    def strange_rows(self) -> list[str]:
        """None: the tables take no row that no record of ours has."""
        return []

    def get(self, key: str) -> bytes | None:
        """The record, or None.

        Raises:
            CacheCorrupt: it is not what was written.
            CacheError: PostgreSQL was gone for longer than our patience.
        """
        if self._held is not None and key in self._held:
            return self._held[key]
        stored = self._records.get(key).result()
        return None if stored is None else unpack(stored, key)

    def put(self, key: str, record: bytes) -> None:
        """Keeps the record, over another one; it is committed when this returns.

        Raises:
            CacheError: PostgreSQL was gone for longer than our patience, or refuses it.
        """
        if self._held is not None:
            self._held[key] = record
            return
        self._records.put({key: record}).result()

    @contextmanager
    def together(self) -> Iterator[None]:
        """All that is put inside is kept at the end or, where something is raised, none of it.

        Raises:
            CacheError: as `put` does.
        """
        if self._held is not None:  # inside another one it is that one
            yield
            return
        self._held = {}
        try:
            yield
            held = self._held
        finally:
            self._held = None
        if held:
            self._records.put(held).result()

    def remove(self, keys: Iterable[str]) -> int:
        """Deletes these records, all or none.

        Returns:
            How many there were.

        Raises:
            CacheError: as `put` does.
        """
        return self._session.ask(_REMOVING, list(keys)).result()

    def claim(self, key: str) -> bool:
        """Says that this process asks; False where another one does. Ends with the process.

        Raises:
            CacheError: as `get` does.
        """
        return self._records.claim(key).result()

    def release(self, key: str) -> None:
        """Ends the claim, if there is one, soon."""
        self._records.release(key)

    def close(self) -> None:
        """Closes the connection once all is done that was asked, and ends all claims."""
        self._session.close()

    @property
    def desk(self) -> SharedDesk:
        """Its answers, for an event loop."""
        return SharedDesk(self._records)

    def ledger(self, budget: Budget, price: Price | None, *, model: str) -> Ledger:
        """The caps of the run over all who share it, or else of this process.

        Raises:
            UsageError: there is a cap in dollars and no price, or the run has other caps.
            CacheError: as `get` does.
        """
        if self.run is None:
            return Ledger(budget, price, model=model)
        return SharedLedger(
            budget, price, model=model, run=self.run, session=self._session, locks=self._locks
        )

    def throttled(self, adapter: Adapter, limits: Limits, *, concurrency: int) -> Policy:
        """The adapter, which sends each request when all who share the endpoint have room for it.

        The limits are kept over all of them; how much this process bears at once, and what an
        endpoint says is left, is its own business.
        """
        shared = SharedLimiter(
            limits,
            scope=f"{adapter.endpoint} {adapter.model}",
            session=self._session,
            locks=self._locks,
            minute=self._minute,
        )
        own = Limiter(Limits(), concurrency=concurrency)
        return Throttled(Throttled(adapter, shared), own)

    def spent(self, run: str) -> Amount:
        """What a run has taken so far, with what is set aside for what is under way.

        Raises:
            CacheError: as `get` does.
        """
        return self._session.ask(_SPENT, run).result()

    def _greet(self, connection: Connection) -> None:
        check_schema(connection, shown=self.url)
        self._locks.take_again(connection)

    def _count(self, query: str) -> int:
        (found,) = self._session.ask(self._reading, (query, ())).result()
        return int(str(found[0]))


def _read(connection: Connection, queries: list[_Query]) -> list[list[tuple[object, ...]]]:
    return [connection.execute(query, values).fetchall() for query, values in queries]


def _removed(connection: Connection, some: list[list[str]]) -> list[int]:
    query = "DELETE FROM spex.records WHERE key = ANY(%s)"
    return [connection.execute(query, (keys,)).rowcount for keys in some]


def _spent(connection: Connection, runs: list[str]) -> list[Amount]:
    return [spent_in(connection, run) for run in runs]


_REMOVING: Final = Work(_removed)
_SPENT: Final = Work(_spent)
