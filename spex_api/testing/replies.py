"""What goes out for what came in: answers, refusals, and the business of batches.

What this module does not know: sockets, and how long an answer takes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from spex_api.errors import UsageError
from spex_api.testing.batch_forms import Refused
from spex_api.testing.batches import Batches
from spex_api.testing.dialects import ANTHROPIC, OPENAI, Answer, Dialect, read_messages
from spex_api.testing.script import Fault, Route, Script
from spex_api.testing.wire import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spex_api.completions import JsonObject
    from spex_api.testing.ledger import Ledger, Received

__all__ = ["Replies", "bent", "in_json", "refusal", "routed"]

Headers = tuple[tuple[str, str], ...]

_BATCHES: Final = ("/v1/batches", "/v1/messages/batches")


class Replies:
    """Makes the replies of one server.

    Args:
        script: for drift, batches, and the faults of single lines in a batch.
        answer: from a conversation to the log-probs of first tokens.
        ledger: is told of the lines of batches.
    """

    def __init__(self, script: Script, answer: Answer, ledger: Ledger) -> None:
        self._script = script
        self._answer = answer
        self._ledger = ledger
        self._given = 0
        self._batches = Batches(script.batch, self._solve)

    def answer(
        self, body: JsonObject, dialect: Dialect, *, attempt: int, fault: Fault | None
    ) -> JsonObject:
        """The answer to a question, honest or not.

        Raises:
            UsageError: the body is no question.
        """
        listed = self._answer(read_messages(body))
        ranked = sorted(listed.items(), key=lambda pair: -pair[1])
        model, drift = str(body.get("model", "")), self._script.drift
        drifted = drift if drift is not None and self._given >= drift.after else None
        self._given += 1
        answer = dialect.answer(body, ranked, (drifted and drifted.model) or model)
        if drifted and drifted.fingerprint and "system_fingerprint" in answer:
            answer["system_fingerprint"] = drifted.fingerprint
        return fault.lie(answer, attempt) if fault and fault.lie else answer

    def _solve(self, body: JsonObject, dialect: Dialect) -> tuple[int, JsonObject]:
        """One line of a batch; it is paid when the batch is done."""
        raw = json.dumps(body).encode()
        asked = self._ledger.receive("POST", "", head=b"", raw=raw, route=Route.LINE, body=body)
        fault = self._script.fault(asked)
        if fault and not fault.acts:
            said = fault.message or fault.name
            return fault.status, dialect.error(fault.status, fault.kind, fault.code, said)
        try:
            answer = self.answer(body, dialect, attempt=asked.attempt, fault=fault)
        except UsageError as refused:
            return 400, dialect.error(400, "", "", str(refused))
        self._ledger.pay(asked.key)
        return 200, answer

    def managed(self, asked: Received, name: str, *, origin: str) -> Reply:
        """The reply to a request about files or batches.

        Args:
            asked: the request.
            name: the name in its path.
            origin: scheme, host and port of the server, for the addresses in its replies.
        """
        dialect = ANTHROPIC if asked.path.startswith("/v1/messages") else OPENAI
        try:
            if asked.route is Route.RESULTS:
                anthropic = dialect is ANTHROPIC
                read = self._batches.results if anthropic else self._batches.content
                return Reply(200, read(name), content_type="application/x-jsonl")
            if asked.route in {Route.UPLOAD, Route.FILE, Route.DELETE}:
                return in_json(200, self._file(asked, name))
            return in_json(200, self._batch(asked, name, dialect, origin))
        except Refused as refused:
            status, message = refused.args
            return in_json(status, dialect.error(status, "", "", message))

    def _file(self, asked: Received, name: str) -> JsonObject:
        if asked.route is Route.UPLOAD:
            return self._batches.upload(asked.raw, asked.headers.get("content-type", ""))
        act = self._batches.delete if asked.route is Route.DELETE else self._batches.file
        return act(name)

    def _batch(self, asked: Received, name: str, dialect: Dialect, origin: str) -> JsonObject:
        match asked.route:
            case Route.SUBMIT:
                return self._batches.submit(asked.body, dialect, origin=origin)
            case Route.POLL:
                return self._batches.poll(name, origin=origin)
            case Route.CANCEL:
                return self._batches.cancel(name, origin=origin)
            case Route.LIST:
                query: Mapping[str, str] = dict(parse_qsl(asked.query))
                return self._batches.listed(
                    dialect,
                    origin=origin,
                    limit=int(query.get("limit", "20")),
                    after=query.get("after") or query.get("after_id") or "",
                )
            case _:
                raise Refused(404, f"There is no {asked.method} {asked.path}.")


def refusal(fault: Fault, dialect: Dialect, *, secret: str = "", headers: Headers = ()) -> Reply:
    """A refusal, in the dialect of whoever is asked, or in the fault's own words."""
    now = datetime.now(UTC)
    own = tuple((n, v if isinstance(v, str) else v(now)) for n, v in fault.headers)
    said = fault.body
    if said is None:
        message = fault.message.replace("{key}", secret)
        said = json.dumps(dialect.error(fault.status, fault.kind, fault.code, message))
    return Reply(
        fault.status,
        said.encode(),
        (*headers, *own),
        fault.content_type or "application/json",
        fault.delivery,
        fault.gap,
    )


def in_json(status: int, value: object, headers: Headers = ()) -> Reply:
    """A reply of JSON."""
    return Reply(status, json.dumps(value, separators=(",", ":")).encode(), headers)


def bent(reply: Reply, fault: Fault | None) -> Reply:
    """An honest reply, delivered as the fault has it."""
    if fault is None or reply.status != 200:
        return reply
    return Reply(
        reply.status,
        reply.body[: int(len(reply.body) * fault.keeps)],
        reply.headers,
        fault.content_type or reply.content_type,
        fault.delivery,
        fault.gap,
    )


def routed(method: str, path: str) -> tuple[Route, str]:
    """What a request about files or batches wants, and the name in its path."""
    if path in _BATCHES:
        return {"POST": Route.SUBMIT, "GET": Route.LIST}.get(method, Route.OTHER), ""
    if path == "/v1/files":
        return (Route.UPLOAD if method == "POST" else Route.OTHER), ""
    stem, _, rest = path.removeprefix("/v1/").removeprefix("messages/").partition("/")
    name, _, what = rest.partition("/")
    known = {
        ("GET", "batches", ""): Route.POLL,
        ("POST", "batches", "cancel"): Route.CANCEL,
        ("GET", "batches", "results"): Route.RESULTS,
        ("GET", "files", "content"): Route.RESULTS,
        ("GET", "files", ""): Route.FILE,
        ("DELETE", "files", ""): Route.DELETE,
    }
    return known.get((method, stem, what), Route.OTHER), name
