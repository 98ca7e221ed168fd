"""What a server was asked and what it gave: the counts that a test compares with the client's.

What this module does not know: sockets, dialects, and what the counts should be.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from spex_api.completions import canonical_json
from spex_api.testing.script import Route

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = ["Ledger", "Received"]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came, kept whole, so that a test can look for secrets and for prompts.

    Attributes:
        method: "POST", "GET" or "DELETE".
        path: without the query.
        query: what stands after the question mark.
        head: the request's line and headers, as they came.
        raw: the body, as it came.
        route: what it is about.
        number: which one of its route it is, from 1.
        key: a question's body in canonical JSON; "" of anything else.
        attempt: how often this body has come, this time included.
    """

    method: str
    path: str
    query: str = ""
    head: bytes = field(default=b"", repr=False)
    raw: bytes = field(default=b"", repr=False)
    route: Route = Route.OTHER
    number: int = 0
    key: str = field(default="", repr=False)
    attempt: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name in lower case; of a name that came twice, the last."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines if line)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}

    @property
    def text(self) -> str:
        """The body as text."""
        return self.raw.decode("utf-8", "replace")

    @property
    def body(self) -> JsonObject:
        """The body as a JSON object; empty where it is none."""
        try:
            value = json.loads(self.raw)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def secret(self) -> str:
        """The key that came with it, or ""."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        return self.headers.get("x-api-key") or self.headers.get("api-key") or bearer


class Ledger:
    """The counts of one server.

    An answer is *paid* from the moment at which its first byte is handed to the socket, whether or
    not anybody is left to read it, and also where it is a lie, or broken off on purpose: that is
    what an endpoint bills. It is *delivered* once its last byte is with the operating system and
    the connection still stood; even then the client may have died before it read it. Refusals, and
    whatever replaces an answer, are not paid.

    Attributes:
        received: every request, in order; only the last `keep` of them, where that is given.
        numbers: how many requests came, by route; batches' lines are counted as LINE.
        statuses: how many replies were begun, by HTTP status.
        paid: how many billed answers were given, by the body's canonical JSON.
        delivered: how many of them went out whole.
        asked: how often each body came.
        open: how many questions are under way.
        peak: the most that were under way at once.
    """

    def __init__(self, *, keep: int | None = None, log: IO[str] | None = None) -> None:
        self.received: list[Received] = []
        self.numbers: Counter[Route] = Counter()
        self.statuses: Counter[int] = Counter()
        self.paid: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.asked: defaultdict[str, int] = defaultdict(int)
        self.open = 0
        self.peak = 0
        self._keep = keep
        self._log = log

    def receive(
        self,
        method: str,
        target: str,
        *,
        head: bytes,
        raw: bytes,
        route: Route,
        body: object = None,
    ) -> Received:
        """Counts a request, and keeps it."""
        path, _, query = target.partition("?")
        self.numbers[route] += 1
        key, attempt = "", 0
        if body is not None:
            key = canonical_json(body)
            self.asked[key] = attempt = self.asked[key] + 1
        asked = Received(method, path, query, head, raw, route, self.numbers[route], key, attempt)
        if self._keep != 0:
            self.received.append(asked)
            if self._keep is not None and len(self.received) > self._keep:
                del self.received[0]
        return asked

    def pay(self, key: str) -> None:
        """An answer is begun."""
        self.paid[key] += 1
        self._write("paid", key)

    def deliver(self, key: str) -> None:
        """An answer has gone out whole."""
        self.delivered[key] += 1
        self._write("delivered", key)

    def enter(self) -> None:
        """A question is under way."""
        self.open += 1
        self.peak = max(self.peak, self.open)

    def leave(self) -> None:
        """A question is no longer under way."""
        self.open -= 1

    def stats(self, *, bodies: bool = True) -> JsonObject:
        """The counts as a JSON object.

        Args:
            bodies: whether to tell `paid`, `delivered` and `asked` body by body.
        """
        counts: JsonObject = {
            "received": sum(self.numbers.values()) - self.numbers[Route.LINE],
            "routes": {str(route): count for route, count in self.numbers.items()},
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "questions": len(self.asked),
            "answers_paid": self.paid.total(),
            "answers_delivered": self.delivered.total(),
            "paid_more_than_once": sum(count > 1 for count in self.paid.values()),
            "open": self.open,
            "peak": self.peak,
        }
        if bodies:
            counts.update(
                paid=dict(self.paid), delivered=dict(self.delivered), asked=dict(self.asked)
            )
        return counts

    def _write(self, event: str, key: str) -> None:
        if self._log is not None:
            self._log.write(json.dumps({"event": event, "body": key}) + "\n")
            self._log.flush()
