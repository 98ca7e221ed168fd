"""A refusal or a failure → our error, a sentence without secrets.

A client's exception carries the request, and with it the key: so nothing of it is kept but a
scrubbed sentence. Raise the result outside the `except` block, or Python hangs the client's
exception on it as its context.

What this module does not know: which code or class means what.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final

from spex_adapters import _hints
from spex_adapters._kinds import (
    HTTPX2,
    codes_of,
    kind_of_refusal,
    kind_within,
    message_of,
    parsed,
)
from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    MalformedReply,
    QuotaExhausted,
    RampLimited,
    RateLimited,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spex_adapters._kinds import Table
    from spex_adapters._wire import Wire

__all__ = ["BILLED", "UNSENT", "error_within", "overdue", "refusal", "translate"]

BILLED: Final = "The request may have been billed."
UNSENT: Final = "Nothing was sent."
_SHORTEN: Final = "Shorten the text, or name a model that reads more."
_STEPS: Final = (
    "A token of the text ends within a character, which no grammar takes: leave out the way, or "
    'ask for it token by token, way="steps".'
)
_IN_VAIN: Final = "The endpoint says that trying again does not help."
_MAY_HAVE_RUN: Final = frozenset({408, 499})
_UNREACHED: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})


def refusal(
    status: int, headers: Mapping[str, str], text: str, wire: Wire, *, now: float | None = None
) -> AdapterError:
    """Our error for an answer with an error status.

    Args:
        status: of the answer.
        headers: of the answer.
        text: its body.
        wire: who was asked.
        now: the Unix time, for the hints; otherwise the clock's.
    """
    now = time.time() if now is None else now
    body = parsed(text)
    kind = kind_of_refusal(status, body, retry=_hints.should_retry(headers))
    said = wire.said(message_of(body))
    cause, advice = _answered(kind, status, said, wire, codes=codes_of(body))
    # A status 408 or 499 may come from a gateway that gave up on a model at work.
    unbilled = 300 <= status < 500 and status not in _MAY_HAVE_RUN
    rate = issubclass(kind, RateLimited)
    return kind(
        cause,
        advice=advice,
        cost="" if unbilled else BILLED,
        unbilled=unbilled,
        retry_after=_hints.retry_after(headers, body, now=now, rate=rate),
        allowances=_hints.allowances(headers, now=now),
    )


def error_within(
    headers: Mapping[str, str], text: str, wire: Wire, *, now: float | None = None
) -> AdapterError | None:
    """Our error for a body that holds one in spite of its status 200; None where it has no code.

    Whether such an answer is billed is not known.
    """
    body = parsed(text)
    kind = kind_within(body)
    if kind is None:
        return None
    now = time.time() if now is None else now
    said = wire.said(message_of(body))
    because = f": {said}." if said else "."
    return kind(
        f"{wire.endpoint} answered with an error in place of an answer{because}",
        cost=BILLED,
        retry_after=_hints.retry_after(headers, body, now=now, rate=issubclass(kind, RateLimited)),
        allowances=_hints.allowances(headers, now=now),
    )


def translate(error: BaseException, wire: Wire, table: Table) -> AdapterError:
    """Our error for a client's exception, with nothing of the client's hanging on it.

    Args:
        error: the exception, the client's own or one of the connection under it.
        wire: who was asked.
        table: of the client: `OPENAI` or `ANTHROPIC`; `HTTPX2` is looked up besides.
    """
    tables = (table, HTTPX2)
    rows = (t[c.__name__] for t in tables for c in type(error).__mro__ if c.__name__ in t)
    kind = next(rows, Unavailable)
    response = getattr(error, "response", None)
    if response is not None and response.status_code >= 300:
        return refusal(response.status_code, response.headers, _body(error), wire)
    return _unanswered(error, kind, wire)


def _body(error: BaseException) -> str:
    """The body of the answer in a client's exception; OpenAI's client keeps what is in it."""
    try:
        text: str = error.response.text  # type: ignore[attr-defined]
    except RuntimeError:  # a stream that nobody has read
        text = ""
    body = getattr(error, "body", None)
    if text or not body:
        return text
    whole = body if isinstance(body, dict) and "error" in body else {"error": body}
    return json.dumps(whole, default=str)


def _answered(
    kind: type[AdapterError], status: int, said: str, wire: Wire, *, codes: frozenset[str]
) -> tuple[str, str]:
    """Cause and advice for an answer with an error status."""
    because = f": {said}." if said else "."
    if kind in {QuotaExhausted, AuthenticationFailed}:
        return _of_the_account(kind, status, because, wire)
    if status == 404:
        return _not_found(said, because, wire, codes=codes)
    if 300 <= status < 400:
        return (
            f"{wire.endpoint} sends the request elsewhere ({status}), which would hand the prompt "
            "to another server; redirects are not followed.",
            f"Set {wire.url_variable} to the final address if you trust it.",
        )
    if status >= 500 and issubclass(kind, BadRequest):
        return f"{wire.endpoint} cannot be made to write these tokens ({status}){because}", _STEPS
    for row, what, advice in (
        (ContextTooLong, f"The prompt is too long for {wire.model!r}", _SHORTEN),
        (ContentFiltered, f"{wire.endpoint} refuses the prompt for what it says", ""),
        (RampLimited, f"{wire.endpoint} asks to go up in requests more slowly", ""),
        (RateLimited, f"{wire.endpoint} asks for fewer requests", ""),
        (Unavailable, f"{wire.endpoint} is overloaded or failing", ""),
        (BadRequest, f"{wire.endpoint} refused the request", ""),
    ):
        if issubclass(kind, row):
            return f"{what} ({status}){because}", advice
    return f"{wire.endpoint} refused the request ({status}){because}", _IN_VAIN


def _of_the_account(
    kind: type[AdapterError], status: int, because: str, wire: Wire
) -> tuple[str, str]:
    if kind is QuotaExhausted:
        return (
            f"The account of the key in {wire.key_variable} has no credit left ({status}).",
            "Waiting does not help; add credit, or use another key.",
        )
    if status == 401:
        # What the server says is left out: it likes to repeat the key, masked in part.
        return (
            f"The endpoint refused the key in {wire.key_variable} (401).",
            f"Check that the key is one of {wire.endpoint}.",
        )
    return (
        f"The key in {wire.key_variable} may not ask {wire.model!r} ({status}){because}",
        "Choose another model, or have the key's rights widened.",
    )


def _not_found(said: str, because: str, wire: Wire, *, codes: frozenset[str]) -> tuple[str, str]:
    if "model_not_found" in codes or wire.model in said:
        return (
            f"{wire.endpoint} knows no model {wire.model!r} (404).",
            "Check the model's name, and that the key may use it.",
        )
    return (
        f"{wire.endpoint} has no {wire.service} (404){because}",
        f"Check {wire.url_variable}; such an address mostly {wire.ending}.",
    )


def overdue(wire: Wire, seconds: float) -> AdapterError:
    """Our error for an answer that was not there in time."""
    return Unavailable(f"{wire.endpoint} gave no whole answer in {seconds:g} s.", cost=BILLED)


def _unanswered(error: BaseException, kind: type[AdapterError], wire: Wire) -> AdapterError:
    """For a request that got no answer, or never left."""
    names = _transport(error)
    if kind is MalformedReply:
        return kind(
            f"The reply of {wire.endpoint} cannot be read: {wire.said(error)}.", cost=BILLED
        )
    if not issubclass(kind, Unavailable):
        return kind(
            f"The client of {wire.endpoint} refused: {wire.said(error)}.",
            cost=UNSENT,
            unbilled=True,
        )
    if names & _UNREACHED:
        return kind(
            f"{wire.endpoint} could not be reached ({_reason(error, names)}).",
            cost=UNSENT,
            advice=f"Check {wire.url_variable} and that the server runs.",
            unbilled=True,
        )
    if "TimeoutException" in names or type(error).__name__ == "APITimeoutError":
        return kind(f"{wire.endpoint} gave no answer in time.", cost=BILLED)
    return kind(f"{wire.endpoint} broke off the connection.", cost=BILLED)


def _transport(error: BaseException | None) -> frozenset[str]:
    """The classes of the `httpx2` error that was raised, or that was wrapped on purpose."""
    while error is not None and not type(error).__module__.startswith("httpx2"):
        error = error.__cause__
    return frozenset(c.__name__ for c in type(error).__mro__)


def _reason(error: BaseException, names: frozenset[str]) -> str:
    """Why there was no connection."""
    causes = list(_chain(error))
    if "TimeoutException" in names:
        return "no connection in time"
    if "ProxyError" in names:
        return "the proxy refused"
    for cause, reason in (
        (ConnectionRefusedError, "connection refused"),
        (socket.gaierror, "its name does not resolve"),
        (ssl.SSLCertVerificationError, "its certificate is not trusted"),
    ):
        if any(isinstance(each, cause) for each in causes):
            return reason
    return "no connection"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all that led to it, groups opened."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _chain(member)
        error = error.__cause__ or error.__context__
