"""What may go wrong, by name: refusals, broken replies, and lies.

A constant is a fault; a small function builds one that has a number in it. A fault speaks the
dialect of whoever is asked, unless it is one vendor's own. What this module does not know: when a
fault is played (`Script`), and how bytes get onto a socket.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

from spex_api.testing import lies
from spex_api.testing.script import Delivery, Fault, Header

__all__ = [
    "ALL_NINES",
    "ALL_ZERO",
    "BAD_GATEWAY",
    "BAD_REQUEST",
    "BILLING_ERROR",
    "CHOSEN_NINES",
    "CHOSEN_NOT_LISTED",
    "CLOSED_MID_BODY",
    "CONFLICT",
    "CONTENT_FILTERED",
    "CONTEXT_TOO_LONG",
    "CONTRACT_SPEND_LIMIT",
    "DAILY_QUOTA",
    "ECHO_IGNORED",
    "EMPTY_BODY",
    "ENFORCED_SPEND_LIMIT",
    "ERROR_IN_200",
    "FILTERED_ANSWER",
    "FORBIDDEN",
    "KEY_REFUSED",
    "LINKED_SPEND_LIMIT",
    "LOGPROBS_DROPPED",
    "LOGPROBS_EMPTY",
    "LOGPROBS_NULL",
    "LOGPROBS_UNLISTED",
    "MASS_ABOVE_ONE",
    "MODEL_UNKNOWN",
    "NAN_LOGPROBS",
    "NOT_JSON",
    "OVERLOADED",
    "QUOTA_EXHAUSTED",
    "RATE_LIMITED",
    "REFUSED_ANSWER",
    "RESET_BEFORE_ANSWER",
    "RESET_MID_BODY",
    "RETRY_AFTER_MONTHS",
    "SAME_ANSWER",
    "SCALEWAY_CONCURRENCY",
    "SERVER_ERROR",
    "SILENCE",
    "STALL",
    "TIMED_OUT",
    "TOO_LARGE",
    "TRUNCATED_ANSWER",
    "TRUNCATED_JSON",
    "UNAVAILABLE",
    "UNRELATED_LIST",
    "WITHOUT_USAGE",
    "WRONG_CONTENT_TYPE",
    "anthropic_reset",
    "noisy",
    "ramp_limited",
    "redirect",
    "reset_requests",
    "reset_tokens",
    "retry_after",
    "retry_after_date",
    "retry_after_ms",
    "retry_info",
    "status",
    "temperature_scaled",
    "trickle",
]


def _error(name: str, status: int, message: str, *, kind: str = "", code: str = "") -> Fault:
    return Fault(name, status, message, kind, code)


def _lie(name: str, lie: lies.Lie) -> Fault:
    return Fault(name, lie=lie)


def _too_fast(name: str, *headers: tuple[str, Header]) -> Fault:
    return Fault(name, 429, "Rate limit reached.", code="rate_limit_exceeded", headers=headers)


RATE_LIMITED: Final = _too_fast("rate limited, without a hint")


def retry_after(seconds: float) -> Fault:
    """429 with seconds in `retry-after`."""
    return _too_fast(f"retry-after {seconds:g}", ("retry-after", f"{seconds:.15g}"))


def retry_after_ms(milliseconds: float) -> Fault:
    """429 with `retry-after-ms`."""
    return _too_fast(f"retry-after-ms {milliseconds:g}", ("retry-after-ms", f"{milliseconds:g}"))


def retry_after_date(seconds: float) -> Fault:
    """429 with an HTTP date in `retry-after`, so many seconds from the reply, rounded up."""

    def when(now: datetime) -> str:
        return format_datetime(_whole(now + timedelta(seconds=seconds)), usegmt=True)

    return _too_fast(f"retry-after in a date {seconds:g} s ahead", ("retry-after", when))


def reset_requests(duration: str) -> Fault:
    """429 with `x-ratelimit-reset-requests`, as in "1m30s" or "500ms", and no request left."""
    return _too_fast(
        f"requests reset in {duration}",
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", duration),
    )


def reset_tokens(duration: str) -> Fault:
    """429 with `x-ratelimit-reset-tokens`, and no token left, but requests."""
    return _too_fast(
        f"tokens reset in {duration}",
        ("x-ratelimit-remaining-requests", "7"),
        ("x-ratelimit-reset-requests", "10ms"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", duration),
    )


def anthropic_reset(seconds: float, *, of: str = "requests") -> Fault:
    """429 with an RFC 3339 time in `anthropic-ratelimit-…-reset`, and nothing left.

    Args:
        seconds: from the reply to the reset, which is rounded up to a whole second.
        of: "requests", "tokens", "input-tokens" or "output-tokens".
    """

    def when(now: datetime) -> str:
        return _whole(now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    return _too_fast(
        f"anthropic {of} reset {seconds:g} s ahead",
        (f"anthropic-ratelimit-{of}-remaining", "0"),
        (f"anthropic-ratelimit-{of}-reset", when),
    )


def retry_info(delay: str = "45.837906927s") -> Fault:
    """429 as Gemini words it: the wait is in the body alone."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return Fault(f"retry info {delay}", 429, body=_gemini(info))


def _gemini(*details: object) -> str:
    said = "You exceeded your current quota, please check your plan and billing details."
    error = {"code": 429, "message": said, "status": "RESOURCE_EXHAUSTED", "details": details}
    return json.dumps([{"error": error}])


def _whole(when: datetime) -> datetime:
    return datetime.fromtimestamp(math.ceil(when.timestamp()), UTC)


def ramp_limited(seconds: float = 1.0) -> Fault:
    """429 of Anthropic's: usage grew too fast; `retry-after` says how long to wait."""
    return Fault(
        "ramp limited",
        429,
        "This request would exceed your organization's acceleration limit.",
        code="ramp_limit_exceeded",
        headers=(("retry-after", f"{seconds:.15g}"),),
    )


def redirect(location: str = "/elsewhere", *, status: int = 307) -> Fault:
    """Sends the request, and the prompt in it, elsewhere."""
    return Fault(f"redirect to {location}", status, body="", headers=(("location", location),))


def status(number: int, message: str = "Something is wrong.", *, code: str = "") -> Fault:
    """An error with any status.

    Raises:
        UsageError: no reply can have that status.
    """
    return Fault(f"status {number}", number, message, code=code)


def trickle(gap: float = 0.05) -> Fault:
    """An honest answer, byte by byte, with a pause of `gap` seconds between two.

    Raises:
        UsageError: the gap is negative.
    """
    return Fault("trickle", delivery=Delivery.TRICKLE, gap=gap)


def temperature_scaled(temperature: float) -> Fault:
    """Log-probs after the temperature.

    Raises:
        UsageError: the temperature is not above 0.
    """
    return _lie(f"scaled by temperature {temperature:g}", lies.scaled(temperature))


def noisy(sigma: float = 0.1) -> Fault:
    """Log-probs that differ each time by about sigma nats.

    Raises:
        UsageError: sigma is negative.
    """
    return _lie(f"noise of {sigma:g} nats", lies.noisy(sigma))


RETRY_AFTER_MONTHS: Final = retry_after(10**7)
DAILY_QUOTA: Final = Fault(
    "a day's quota is used up",
    429,
    body=_gemini(
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"},
    ),
)
QUOTA_EXHAUSTED: Final = _error(
    "quota exhausted",
    429,
    "You exceeded your current quota, please check your plan and billing details.",
    kind="insufficient_quota",
    code="insufficient_quota",
)
SCALEWAY_CONCURRENCY: Final = _error(
    "too many at once, in the words of an empty account",
    429,
    "INSUFFICIENT QUOTA: too many concurrent requests.",
    code="rate_limit_exceeded",
)
BILLING_ERROR: Final = _error("billing error", 402, "Your credit balance is too low.")
ENFORCED_SPEND_LIMIT, CONTRACT_SPEND_LIMIT, LINKED_SPEND_LIMIT = (
    _error(f"{whose} spend limit", 429, "The spend limit is reached.", code=code)
    for whose, code in (
        ("tier's", "enforced_spend_limit_reached"),
        ("contract's", "contract_spend_limit_reached"),
        ("linked organization's", "linked_organization_spend_limit_reached"),
    )
)
KEY_REFUSED: Final = _error(
    "key refused, and repeated", 401, "Incorrect API key provided: {key}.", code="invalid_api_key"
)
FORBIDDEN: Final = _error("forbidden", 403, "Your key {key} may not use this model.")
BAD_REQUEST: Final = _error("bad request", 400, "Unsupported value: 'temperature'.")
CONTEXT_TOO_LONG: Final = _error(
    "context too long",
    400,
    "prompt is too long: this model's maximum context length is 8192 tokens.",
    code="context_length_exceeded",
)
CONTENT_FILTERED: Final = _error(
    "content filter",
    400,
    "The response was filtered due to the prompt triggering the content management policy.",
    code="content_filter",
)
MODEL_UNKNOWN: Final = _error(
    "no such model", 404, "The model does not exist.", code="model_not_found"
)
TIMED_OUT: Final = _error("request timed out", 408, "The request took too long.")
CONFLICT: Final = _error("conflict", 409, "Another request holds the lock.")
TOO_LARGE: Final = _error("too large", 413, "Request exceeds the maximum size.")
SERVER_ERROR: Final = _error("server error", 500, "The server had an error.")
UNAVAILABLE: Final = _error("unavailable", 503, "The service is not available.")
OVERLOADED: Final = _error("overloaded", 529, "Overloaded", kind="overloaded_error")
BAD_GATEWAY: Final = Fault(
    "bad gateway", 502, body="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html"
)

ERROR_IN_200: Final = _error("an error with status 200", 200, "Upstream failed.", code="502")
NOT_JSON: Final = Fault("not JSON", body="Please log in to this network.")
EMPTY_BODY: Final = Fault("empty body", body="")
TRUNCATED_JSON: Final = Fault("truncated JSON", keeps=0.5)
WRONG_CONTENT_TYPE: Final = Fault("wrong content type", content_type="text/html")

CLOSED_MID_BODY: Final = Fault("closed mid-body", delivery=Delivery.CLOSED)
RESET_MID_BODY: Final = Fault("reset mid-body", delivery=Delivery.RESET)
RESET_BEFORE_ANSWER: Final = Fault("reset before an answer", delivery=Delivery.UNANSWERED)
STALL: Final = Fault("stall mid-body", delivery=Delivery.STALL)
SILENCE: Final = Fault("silence", delivery=Delivery.SILENCE)

LOGPROBS_DROPPED: Final = _lie("log-probs dropped", lies.dropped)
LOGPROBS_NULL: Final = _lie("log-probs null", lies.null)
LOGPROBS_EMPTY: Final = _lie("log-probs empty", lies.emptied)
LOGPROBS_UNLISTED: Final = _lie("no list of likeliest tokens", lies.unlisted)
ALL_ZERO: Final = _lie("all log-probs 0", lies.all_zero)
ALL_NINES: Final = _lie("all log-probs -9999", lies.all_nines)
NAN_LOGPROBS: Final = _lie("log-probs NaN", lies.not_numbers)
CHOSEN_NINES: Final = _lie("chosen token -9999, list unrelated", lies.chosen_nines)
CHOSEN_NOT_LISTED: Final = _lie("chosen token not in its list", lies.chosen_not_listed)
MASS_ABOVE_ONE: Final = _lie("masses above 1", lies.mass_above_one)
UNRELATED_LIST: Final = _lie("list unrelated", lies.unrelated)
SAME_ANSWER: Final = _lie("the same whatever is asked", lies.same_always)
ECHO_IGNORED: Final = _lie("echo ignored", lies.echo_ignored)
WITHOUT_USAGE: Final = _lie("without usage", lies.without_usage)

TRUNCATED_ANSWER: Final = _lie("answer cut at its greatest length", lies.length)
FILTERED_ANSWER: Final = _lie("answer filtered", lies.filtered)
REFUSED_ANSWER: Final = _lie("answer refused", lies.refused)
