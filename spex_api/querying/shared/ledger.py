"""The caps of a run, kept over all who share it: sums in one row, set aside in transactions.

What is set aside has a number of its own, so that a commit of which nobody knows whether it arrived
may be done again; it stays charged until it is known what was spent, and for good where its worker
is dead. What does not fit now waits until others settle: first come first served within a process,
and otherwise as it happens.

What this module does not know: what is asked, and where answers are kept.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import uuid
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError
from spex_api.querying.idle import idle
from spex_api.querying.ledger import Amount, Ledger, Reservation
from spex_api.querying.shared.locks import Deaths
from spex_api.querying.shared.session import Work

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from psycopg import Connection

    from spex_api.completions import CompletionRequest
    from spex_api.querying.budget import Budget
    from spex_api.querying.pricing import Price
    from spex_api.querying.shared.locks import Locks
    from spex_api.querying.shared.session import Session

__all__ = ["SharedLedger", "spent_in"]

_PAUSE: Final = 0.2
"""Seconds between two looks whether there is room."""

_MAKE: Final = (
    "INSERT INTO spex.runs (run, cap_requests, cap_tokens, cap_trillionths) "
    "VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_CAPS: Final = "SELECT cap_requests, cap_tokens, cap_trillionths FROM spex.runs WHERE run = %s"
_SPENT: Final = (
    "SELECT spent_requests, spent_tokens, spent_trillionths, surprise FROM spex.runs WHERE run = %s"
)
_RESERVED: Final = (
    "SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0), coalesce(sum(trillionths), 0) "
    "FROM spex.reservations WHERE run = %s AND id <> ALL(%s)"
)
_SET_ASIDE: Final = (
    "INSERT INTO spex.reservations (id, run, worker, requests, tokens, trillionths) "
    "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
_CHARGE: Final = (
    "UPDATE spex.runs SET spent_requests = spent_requests + %s, spent_tokens = spent_tokens + %s, "
    "spent_trillionths = spent_trillionths + %s, "
    "surprise = CASE WHEN %s <> '' THEN %s ELSE surprise END WHERE run = %s"
)
_WORKERS: Final = "SELECT DISTINCT worker FROM spex.reservations WHERE run = %s"
_BURY: Final = (
    "DELETE FROM spex.reservations WHERE run = %s AND worker = ANY(%s) "
    "RETURNING requests, tokens, trillionths"
)


class _Verdict(Enum):
    GRANTED = "granted"
    WAITS = "waits"
    NEVER = "never"


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """What is to be set aside.

    Attributes:
        number: in the order of the calls in this process.
        name: its own among all.
        amount: how much.
        owed: whether it is set aside whatever the caps are.
    """

    number: int
    name: uuid.UUID
    amount: Amount
    owed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Closed:
    name: uuid.UUID
    charged: Amount


class _SharedReservation(Reservation):
    """What is set aside in the shared ledger."""

    __slots__ = ("_name", "_shared")

    def __init__(self, ledger: SharedLedger, wanted: _Wanted) -> None:
        super().__init__(ledger, wanted.amount)
        self._shared = ledger
        self._name = wanted.name

    def _close(self, charged: Amount) -> None:
        if self._open:
            self._open = False
            self._shared._settle(_Closed(self._name, charged), self.amount)  # noqa: SLF001 - the two are one


class SharedLedger(Ledger):
    """A `Ledger` whose sums are those of all who share a run.

    What it says of them, `spent` and `reserved`, is as it was at its last look.

    Args:
        budget: the caps of all together.
        price: of the model that is asked, or None where it is not known.
        model: the model's name, for an error's text.
        run: the run's name.
        session: to the database.
        locks: of that session: a worker that has lost its own is dead.

    Raises:
        UsageError: there is a cap in dollars and no price, or the run has other caps.
        CacheError: the store is gone.
    """

    __slots__ = (
        "_deaths",
        "_locks",
        "_numbers",
        "_reserving",
        "_run",
        "_session",
        "_settling",
        "_waiting_since",
    )

    def __init__(
        self,
        budget: Budget,
        price: Price | None = None,
        *,
        model: str = "this model",
        run: str,
        session: Session,
        locks: Locks,
    ) -> None:
        super().__init__(budget, price, model=model)
        self._run = run
        self._session = session
        self._locks = locks
        self._numbers = itertools.count()
        self._deaths = Deaths(locks, _WORKERS, run)
        self._reserving: Work[_Wanted, _Verdict] = Work(self._reserve)
        self._settling: Work[_Closed, None] = Work(self._charge)
        self._waiting_since: dict[uuid.UUID, int] = {}
        attaching: Work[None, None] = Work(self._attach)
        session.ask(attaching, None).result()

    @property
    def waiting(self) -> int:
        """How many of this process wait for others to settle."""
        return len(self._waiting_since)

    async def acquire(
        self, request: CompletionRequest, *, price: Price | None = None
    ) -> Reservation:
        """Sets aside the most that one attempt can take, once there is room.

        A call that is cancelled leaves nothing behind.

        Args:
            request: what is to be sent.
            price: of the model that it is sent to, where that is not the ledger's own.

        Raises:
            BudgetExhausted: there will never be room for it.
            CacheError: the store was gone for longer than our patience; nothing is sent.
        """
        wanted = self._wanted(self.bound(request, price=price))
        try:
            while True:
                verdict = await self._session.asked(
                    self._reserving, wanted, undo=lambda verdict: self._undo(wanted, verdict)
                )
                if verdict is _Verdict.GRANTED:
                    return _SharedReservation(self, wanted)
                if verdict is _Verdict.NEVER:
                    self._check(wanted.amount, self.spent)
                self._waiting_since[wanted.name] = wanted.number
                with idle():
                    await asyncio.sleep(_PAUSE)
        finally:
            self._waiting_since.pop(wanted.name, None)

    def reserve(self, requests: int, tokens: int, usd: float | None) -> Reservation:
        """Sets so much aside at once, ahead of nobody who waits here.

        Args:
            requests: how many attempts.
            tokens: how many tokens they take at the most.
            usd: what they cost at the most, in dollars; None where no price is known.

        Raises:
            BudgetExhausted: there is no room for it now; nothing was set aside.
            UsageError: there is a cap in dollars, and nobody says what this costs.
            CacheError: the store was gone for longer than our patience.
        """
        wanted = self._wanted(self._capped(requests, tokens, usd))
        if self._session.ask(self._reserving, wanted).result() is not _Verdict.GRANTED:
            self._check(wanted.amount, self.spent + self.reserved)
            raise self._refusal("Others wait for room in the budget already.")
        return _SharedReservation(self, wanted)

    def owe(self, requests: int, tokens: int, usd: float | None) -> Reservation:
        """Sets so much aside whatever the caps are: it is paid already, or will be.

        Args:
            requests: how many attempts.
            tokens: how many tokens they take at the most.
            usd: what they cost at the most, in dollars; None where no price is known.

        Raises:
            CacheError: the store was gone for longer than our patience.
        """
        wanted = self._wanted(Amount.of(requests, tokens, usd), owed=True)
        self._session.ask(self._reserving, wanted).result()
        return _SharedReservation(self, wanted)

    def _wanted(self, amount: Amount, *, owed: bool = False) -> _Wanted:
        return _Wanted(next(self._numbers), uuid.uuid4(), amount, owed)

    def _undo(self, wanted: _Wanted, verdict: _Verdict) -> None:
        if verdict is _Verdict.GRANTED:
            _SharedReservation(self, wanted).release()

    def _settle(self, closed: _Closed, amount: Amount) -> Future[None]:
        """Charges it soon; where that never arrives, it stays charged at the most."""
        self._look_for_surprise(amount, closed.charged)
        return self._session.ask(self._settling, closed)

    def _attach(self, connection: Connection, items: list[None]) -> list[None]:
        """Makes the run, or joins it.

        Raises:
            UsageError: it has other caps.
        """
        budget = self.budget
        usd = None if budget.usd is None else Amount.of(0, 0, budget.usd).trillionths
        caps = (budget.requests, budget.tokens, usd)
        connection.execute(_MAKE, (self._run, *caps))
        if connection.execute(_CAPS, (self._run,)).fetchone() != caps:
            raise UsageError(
                f"The run {self._run!r} was begun under other caps than {budget}.",
                cost="Nothing was sent.",
                advice="Give all who share a run the same budget, or begin another run.",
            )
        self._look(connection, [])
        return items

    def _look(self, connection: Connection, names: list[uuid.UUID], *, lock: bool = False) -> None:
        """Looks at the sums, without what is set aside under these names."""
        query = f"{_SPENT} FOR UPDATE" if lock else _SPENT
        *spent, surprise = _row(connection.execute(query, (self._run,)).fetchone())
        self.spent = _amount(spent)
        self._surprise = str(surprise) or self._surprise
        held = connection.execute(_RESERVED, (self._run, names)).fetchone()
        self.reserved = _amount(_row(held))

    def _reserve(self, connection: Connection, some: list[_Wanted]) -> list[_Verdict]:
        """Sets aside, in order, what there is room for."""
        self._look(connection, [each.name for each in some], lock=True)
        verdicts: dict[uuid.UUID, _Verdict] = {}
        blocked = min(self._waiting_since.values(), default=math.inf)
        for each in sorted(some, key=lambda each: each.number):
            verdict = self._judged(each, first=each.number <= blocked)
            verdicts[each.name] = verdict
            if verdict is _Verdict.WAITS:
                blocked = min(blocked, each.number)
            elif verdict is _Verdict.GRANTED:
                self.reserved += each.amount
                if each.number == blocked:
                    blocked = math.inf
        granted = [each for each in some if verdicts[each.name] is _Verdict.GRANTED]
        rows = [(each.name, self._run, self._locks.worker, *_told(each.amount)) for each in granted]
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(_SET_ASIDE, rows)
        if len(granted) < len(some):
            self._bury(connection)
        return [verdicts[each.name] for each in some]

    def _judged(self, wanted: _Wanted, *, first: bool) -> _Verdict:
        if wanted.owed:
            return _Verdict.GRANTED
        if self._surprise or not self._fits(wanted.amount, self.spent):
            return _Verdict.NEVER
        if first and self._fits(wanted.amount, self.spent + self.reserved):
            return _Verdict.GRANTED
        return _Verdict.WAITS

    def _bury(self, connection: Connection) -> None:
        """Charges for good what the dead have set aside: nobody else will settle it."""
        dead = self._deaths.found(connection)
        if dead:
            lost = connection.execute(_BURY, (self._run, dead)).fetchall()
            self._add(connection, sum(map(_amount, lost), Amount()))

    def _charge(self, connection: Connection, some: list[_Closed]) -> list[None]:
        """Charges what is known now, once; what was charged for good meanwhile stays so."""
        connection.execute(f"{_SPENT} FOR UPDATE", (self._run,))  # in the same order as all others
        query = "DELETE FROM spex.reservations WHERE id = ANY(%s) RETURNING id"
        names = [each.name for each in some]
        gone = {name for (name,) in connection.execute(query, (names,)).fetchall()}
        self._add(connection, sum((e.charged for e in some if e.name in gone), Amount()))
        self._look(connection, [])
        return [None for _ in some]

    def _add(self, connection: Connection, amount: Amount) -> None:
        surprise = self._surprise.replace("\0", "")
        connection.execute(_CHARGE, (*_told(amount), surprise, surprise, self._run))


def spent_in(connection: Connection, run: str) -> Amount:
    """What a run has taken so far, with what is set aside for what is under way."""
    spent = connection.execute(_SPENT, (run,)).fetchone()
    if spent is None:
        return Amount()
    return _amount(_row(spent)) + _amount(
        _row(connection.execute(_RESERVED, (run, list[uuid.UUID]())).fetchone())
    )


def _row(found: tuple[object, ...] | None) -> tuple[object, ...]:
    """The row of a run, which nobody deletes while it is used.

    Raises:
        UsageError: somebody did.
    """
    if found is None:
        raise UsageError("The run was deleted from the store while it was used.")
    return found


def _amount(sums: Sequence[object]) -> Amount:
    requests, tokens, trillionths = (int(str(each)) for each in sums[:3])
    return Amount(requests, tokens, trillionths)


def _told(amount: Amount) -> tuple[int, int, int]:
    return amount.requests, amount.tokens, amount.trillionths
