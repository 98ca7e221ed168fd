"""One connection to PostgreSQL, on a thread of its own, that comes back after an outage.

What is asked while another transaction is under way is gathered: all that is of the same kind goes
into one transaction, which costs what one asking alone would. Work is done again after a lost
connection, whether or not its commit had arrived: so all work must be such that it may be done
twice. Where there is nothing to do the connection is looked after all the same, so that locks that
live as long as it does are back soon after a restart.

What this module does not know: what is asked, and what tables there are.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from spex_api.errors import CacheError, MissingExtra, SpexError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection

    from spex_api.querying.shared.address import Address

__all__ = ["Session", "Work"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_BEAT: Final = 2.0
"""Seconds without work after which the connection is looked after."""
_FIRST_WAIT: Final = 0.05
_LONGEST_WAIT: Final = 1.0
_OPENING: Final = 10.0
"""Seconds for which a server may be gone when it is first sought: the address may be wrong."""
_MOST_AT_ONCE: Final = 500
_CONNECT: Final = 5
_SETTINGS: Final = (
    "SET synchronous_commit = on; SET statement_timeout = '60s'; "
    "SET idle_in_transaction_session_timeout = '20s'; SET tcp_keepalives_idle = 20; "
    "SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4"
)
"""A commit that returns is on disk; and of a machine that is switched off, which says no goodbye,
the server learns within a minute."""


@dataclass(frozen=True, slots=True, eq=False)
class Work(Generic[_Item, _Result]):
    """One kind of transaction.

    Attributes:
        do: from a connection and what is asked, one or many, to as many results; it is called on
            the session's thread, and again where the connection is lost.
        atomic: whether its statements are one transaction.
    """

    do: Callable[[Connection, list[_Item]], Sequence[_Result]]
    atomic: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    work: Work[Any, Any]
    item: object
    future: Future[Any]


class Session:
    """A connection that comes back, and its thread.

    Args:
        address: of the server.
        greet: is called with every new connection, on whichever thread.
        look_after: is called with the connection every few seconds in which nothing is asked.
        patience: seconds for which the server may be gone.

    Raises:
        MissingExtra: psycopg is not installed.
        CacheError: the server cannot be reached, or refuses us.
    """

    def __init__(
        self,
        address: Address,
        *,
        greet: Callable[[Connection], None],
        look_after: Callable[[Connection], None],
        patience: float,
    ) -> None:
        try:
            import psycopg  # noqa: PLC0415 - of an extra
        except ImportError:
            raise MissingExtra(
                "A store in PostgreSQL needs psycopg, which is not installed.",
                cost="Nothing was sent.",
                advice='Install it: pip install "spex-api[postgres]"',
            ) from None
        self._client = psycopg
        self._address = address
        self._greet = greet
        self._look_after = look_after
        self._patience = patience
        self._lost = False
        self._closed = False
        self._last_call = math.inf
        self._asked: deque[_Asked] = deque()
        self._bell = threading.Condition()
        self._connection: Connection | None = self._opened()
        self._thread = threading.Thread(target=self._serve, name="spex-store", daemon=True)
        self._thread.start()

    def ask(self, work: Work[_Item, _Result], item: _Item) -> Future[_Result]:
        """Asks for some work; what it comes to is there once it is committed.

        The future raises a CacheError where the server was gone for longer than our patience.
        """
        future: Future[_Result] = Future()
        with self._bell:
            if self._closed:
                raise CacheError(f"The store {self._address.shown} is closed.")
            self._asked.append(_Asked(work, item, future))
            self._bell.notify()
        return future

    async def asked(
        self,
        work: Work[_Item, _Result],
        item: _Item,
        *,
        undo: Callable[[_Result], object] | None = None,
    ) -> _Result:
        """The same, awaited.

        Args:
            work: the kind.
            item: what is asked.
            undo: is called with the result where nobody waits for it any more.

        Raises:
            CacheError: the server was gone for longer than our patience.
        """
        future = self.ask(work, item)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if undo is not None:
                future.add_done_callback(lambda ended: _undone(ended, undo))
            raise

    def close(self) -> None:
        """Does what is asked still, and closes the connection; its locks end.

        Of a server that is gone, it waits no longer than whoever begins would.
        """
        with self._bell:
            self._closed = True
            self._last_call = time.monotonic() + _OPENING
            self._bell.notify()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            with self._bell:
                if not self._asked and not self._closed:
                    self._bell.wait(_BEAT)
                some = self._gathered()
                over = self._closed and not some
            if some:
                self._answer(some)
            elif over:
                break
            else:
                self._beat()
        self._drop()

    def _gathered(self) -> list[_Asked]:
        """The first that is asked, and all of its kind."""
        if not self._asked:
            return []
        work = self._asked[0].work
        some, others = list[_Asked](), deque[_Asked]()
        for each in self._asked:
            same = each.work is work and len(some) < _MOST_AT_ONCE
            (some if same else others).append(each)
        self._asked = others
        return [each for each in some if each.future.set_running_or_notify_cancel()]

    def _answer(self, some: list[_Asked]) -> None:
        try:
            results = self._done(some[0].work, [each.item for each in some])
        except SpexError as error:
            for each in some:
                each.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - the thread must live; it is raised who waits
            for each in some:
                each.future.set_exception(self._broken(error))
        else:
            for each, result in zip(some, results, strict=True):
                each.future.set_result(result)

    def _done(self, work: Work[Any, Any], items: list[Any]) -> Sequence[Any]:
        """What the work comes to, however often the connection is lost.

        Raises:
            CacheError: it was lost for longer than our patience.
        """
        until = time.monotonic() + (0.0 if self._lost else self._patience)
        wait = _FIRST_WAIT
        while True:
            try:
                connection = self._connected()
                if not work.atomic:
                    results = work.do(connection, items)
                else:
                    with connection.transaction():
                        results = work.do(connection, items)
            except (self._client.OperationalError, self._client.InterfaceError) as error:
                self._drop()
                if time.monotonic() + wait > min(until, self._last_call):
                    self._lost = True
                    raise self._gone(error) from None
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                self._lost = False
                return results

    def _beat(self) -> None:
        try:
            self._look_after(self._connected())
        except Exception:  # noqa: BLE001 - whoever asks next is told
            self._drop()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        connection = self._client.connect(
            self._address.secret,
            autocommit=True,
            connect_timeout=_CONNECT,
            application_name="spex-api",
        )
        try:
            connection.execute(_SETTINGS)
            self._greet(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _opened(self) -> Connection:
        """The first connection.

        Raises:
            CacheError: there is none.
        """
        until = time.monotonic() + min(self._patience, _OPENING)
        while True:
            try:
                return self._connect()
            except self._client.OperationalError as error:
                if _refused(str(error)) or time.monotonic() > until:
                    raise self._gone(error) from None
                time.sleep(_FIRST_WAIT * 4)
            except self._client.Error as error:
                raise self._broken(error) from None

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _gone(self, error: Exception) -> CacheError:
        return CacheError(
            f"The store {self._address.shown} cannot be reached: {self._said(error)}.",
            safe="Every answer that anybody has used is in it, unless its disk is lost.",
            advice="Start PostgreSQL, or mend the address or the password, and run the same again: "
            "it goes on from there. What was under way may be paid twice.",
        )

    def _broken(self, error: Exception) -> CacheError:
        return CacheError(
            f"The store {self._address.shown} refuses what it is asked: {self._said(error)}.",
            safe="Every answer that anybody has used is in it.",
            advice="Check the rights of its user, and the room on its disk.",
        )

    def _said(self, error: Exception) -> str:
        """The client's own words on one line, without what they may repeat of the address."""
        text = " ".join(self._address.scrubbed(str(error)).split())
        shown = "".join(each if each.isprintable() else " " for each in text)
        return shown[:300].rstrip(".") or type(error).__name__


def _undone(ended: Future[_Result], undo: Callable[[_Result], object]) -> None:
    if not ended.cancelled() and ended.exception() is None:
        undo(ended.result())


def _refused(text: str) -> bool:
    """Whether a server was there, and will say the same again: libpq gives no state of this."""
    passing = ("starting up", "shutting down", "recovery", "too many")
    return "FATAL" in text and not any(each in text for each in passing)
