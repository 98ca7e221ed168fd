"""Vendor error → ours, by table.

A vendor's exception carries the request, and with it the key: so nothing of it is kept but a
scrubbed sentence. Raise the result outside the `except` block, or Python hangs the vendor's
exception on it as its context.

What this module does not know: any vendor's package. Classes are found by name, so that none is
imported.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    MalformedReply,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)

__all__ = ["OPENAI", "Table", "Wire", "conceal", "kind_of_status", "one_line", "translate"]

Table = Mapping[str, type[AdapterError]]

OPENAI: Final[Table] = MappingProxyType(
    {
        "APIConnectionError": Unavailable,
        "APIError": Unavailable,
        "APIResponseValidationError": MalformedReply,
        "APIStatusError": AdapterError,  # the status decides
        "APITimeoutError": Unavailable,
        "AuthenticationError": AuthenticationFailed,
        "BadRequestError": BadRequest,
        "ConflictError": Unavailable,  # a lock on their side
        "ContentFilterFinishReasonError": MalformedReply,
        "InternalServerError": Unavailable,
        "InvalidWebhookSignatureError": MalformedReply,
        "LengthFinishReasonError": MalformedReply,
        "NotFoundError": BadRequest,
        "OAuthError": AuthenticationFailed,
        "OpenAIError": BadRequest,  # the client refuses its own settings
        "PermissionDeniedError": AuthenticationFailed,
        "RateLimitError": RateLimited,
        "SubjectTokenProviderError": AuthenticationFailed,
        "UnprocessableEntityError": BadRequest,
        "WebSocketConnectionClosedError": Unavailable,
        "WebSocketQueueFullError": Unavailable,
    }
)
"""Every exception class of `openai`, by name."""

_NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_MAY_PASS = frozenset({408, 409, 425})
_KEYLIKE = re.compile(r"\bBearer\s+\S+|\bsk-[\w*-]{6,}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wire:
    """Who was asked, for the sentences.

    Attributes:
        endpoint: the address.
        model: the model.
        key_variable: the environment variable of the key.
        url_variable: that of the address.
        secret: the key itself, to scrub it; never shown.
    """

    endpoint: str
    model: str
    key_variable: str
    url_variable: str
    secret: str = field(default="", repr=False)


def translate(error: Exception, wire: Wire, table: Table) -> AdapterError:
    """Our error for a vendor's, with nothing of the vendor's hanging on it."""
    kind = next(
        (table[c.__name__] for c in type(error).__mro__ if c.__name__ in table), Unavailable
    )
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    if status is None or response is None:
        return _unanswered(error, kind, wire)
    kind = kind_of_status(status) if kind is AdapterError else kind
    detail = getattr(error, "body", None)
    detail = detail if isinstance(detail, dict) else {"message": detail}
    if _NO_CREDIT & {str(detail.get("code")), str(detail.get("type"))}:
        kind = QuotaExhausted
    said = one_line(conceal(str(detail.get("message") or ""), wire.secret))
    cause, advice = _answered(kind, status, said, wire, code=str(detail.get("code")))
    return kind(cause, advice=advice, retry_after=_retry_after(response.headers))


def kind_of_status(status: int) -> type[AdapterError]:
    """What an HTTP status means for whoever might ask again."""
    if status in {401, 403}:
        return AuthenticationFailed
    if status == 402:
        return QuotaExhausted
    if status == 429:
        return RateLimited
    return Unavailable if status >= 500 or status in _MAY_PASS else BadRequest


def one_line(text: object, *, longest: int = 240) -> str:
    """Foreign text on one line, printable, without its full stop, and cut where it runs on."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split()).rstrip(".")
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def conceal(text: str, secret: str) -> str:
    """The text without the key, or what looks like one."""
    return _KEYLIKE.sub("[key]", text.replace(secret, "[key]") if secret else text)


def _answered(
    kind: type[AdapterError], status: int, said: str, wire: Wire, *, code: str
) -> tuple[str, str]:
    """Cause and advice for an answer with an error status."""
    because = f": {said}." if said else "."
    sentence = f"{wire.endpoint} refused the request ({status}){because}"
    advice = ""
    if kind is QuotaExhausted:
        sentence = f"The account of the key in {wire.key_variable} has no credit left ({status})."
        advice = "Waiting does not help; add credit, or use another key."
    elif status == 401:
        # What the server says is left out: it likes to repeat the key, masked in part.
        sentence = f"The endpoint refused the key in {wire.key_variable} (401)."
        advice = f"Check that the key is one of {wire.endpoint}."
    elif kind is AuthenticationFailed:
        sentence = f"The key in {wire.key_variable} may not ask {wire.model!r} ({status}){because}"
        advice = "Choose another model, or have the key's rights widened."
    elif kind is RateLimited:
        sentence = f"{wire.endpoint} asks for fewer requests ({status}){because}"
    elif kind is Unavailable:
        sentence = f"{wire.endpoint} is overloaded or failing ({status}){because}"
    elif status == 404 and (code == "model_not_found" or wire.model in said):
        sentence = f"{wire.endpoint} knows no model {wire.model!r} (404)."
        advice = "Check the model's name, and that the key may use it."
    elif status == 404:
        sentence = f"{wire.endpoint} has no chat completions (404){because}"
        advice = f"Check {wire.url_variable}; such an address mostly ends in /v1."
    elif 300 <= status < 400:
        sentence = (
            f"{wire.endpoint} sends the request elsewhere ({status}), which would hand the prompt "
            "to another server; redirects are not followed."
        )
        advice = f"Set {wire.url_variable} to the final address if you trust it."
    return sentence, advice


def _unanswered(error: Exception, kind: type[AdapterError], wire: Wire) -> AdapterError:
    """For a request that got no answer, or never left."""
    if kind is not Unavailable:
        said = one_line(conceal(str(error), wire.secret))
        return kind(f"The client of {wire.endpoint} refused: {said}.")
    causes = list(_chain(error))
    names = {type(cause).__name__ for cause in causes}
    check = f"Check {wire.url_variable} and that the server runs."
    if names & {"ConnectTimeout", "PoolTimeout"}:
        reason = "no connection in time"
    elif "APITimeoutError" in names:
        return kind(
            f"{wire.endpoint} gave no answer in time.", cost="The request may have been billed."
        )
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        reason = "connection refused"
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        reason = "its name does not resolve"
    elif any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        reason = "its certificate is not trusted"
    elif "ConnectError" in names:
        reason = "no connection"
    else:
        return kind(
            f"{wire.endpoint} broke off the connection.", cost="The request may have been billed."
        )
    return kind(
        f"{wire.endpoint} could not be reached ({reason}).", cost="Nothing was sent.", advice=check
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all that led to it, groups opened."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _chain(member)
        error = error.__cause__ or error.__context__


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as `retry-after-ms` or `retry-after` (seconds or an HTTP date) say."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) / unit
        except ValueError:
            try:
                when = parsedate_to_datetime(text)
            except ValueError:
                continue
            when = when if when.tzinfo else when.replace(tzinfo=UTC)
            seconds = (when - datetime.now(UTC)).total_seconds()
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None
