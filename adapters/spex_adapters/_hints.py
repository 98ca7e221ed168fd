"""How long a server asks us to wait, and what it says is left, in every dialect that is spoken.

Servers word a wait as seconds, as milliseconds, as a date, as the moment of a clock in either
standard, as "1m30s", or in the body of the refusal. All of it is read here, into seconds that are
finite and not negative; what cannot be read is as good as not said. Nothing here looks at a clock:
`now` is always given.

What this module does not know: whether a wait is sat out, and who sits it out.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from spex_api.completions import Allowance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["allowances", "retry_after", "seconds_until", "should_retry"]

_LONGEST: Final = 64
"""Characters of a hint; no dialect needs more."""
_YEAR: Final = 366 * 86400.0
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPAN = re.compile(r"((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d))+", re.ASCII | re.IGNORECASE)
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII | re.IGNORECASE)
_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
    "d": 86400.0,
}  # fmt: skip

_ALLOWANCES: Final = (
    ("requests", "anthropic-ratelimit-requests-{}"),
    ("tokens", "anthropic-ratelimit-tokens-{}"),
    ("input_tokens", "anthropic-ratelimit-input-tokens-{}"),
    ("output_tokens", "anthropic-ratelimit-output-tokens-{}"),
    ("requests", "x-ratelimit-{}-requests"),
    ("tokens", "x-ratelimit-{}-tokens"),
)
_NAMES: Final = tuple(
    (of, *(name.format(part) for part in ("limit", "remaining", "reset")))
    for of, name in _ALLOWANCES
)


def seconds_until(text: str, *, now: float) -> float | None:
    """The wait that a header's text names, in seconds; None where it names none.

    A plain number is seconds, but a moment of the Unix clock (in seconds or milliseconds) where
    that moment is within a year of now. "1m30s", RFC 3339 and HTTP dates are read too.

    Args:
        text: the header's value.
        now: the Unix time, in seconds.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        return None
    if _NUMBER.fullmatch(text):
        seconds = _number(float(text), now=now)
    elif _SPAN.fullmatch(text):
        seconds = sum(float(size) * _UNITS[unit.lower()] for size, unit in _PART.findall(text))
    else:
        moment = _moment(text)
        if moment is None:
            return None
        seconds = moment - now
    return max(0.0, seconds) if math.isfinite(seconds) else None


def retry_after(
    headers: Mapping[str, str], body: object = None, *, now: float, rate: bool = True
) -> float | None:
    """The seconds that a refusal asks us to wait; None where it does not.

    `retry-after-ms` and `retry-after` come first, then the body's `RetryInfo`; then, of a refusal
    for going too fast, when the limit is back of which nothing is left.

    Args:
        headers: of the refusal; names in any case.
        body: its JSON, parsed.
        now: the Unix time, in seconds.
        rate: whether it was refused for going too fast.
    """
    said = _lower(headers)
    milliseconds = said.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds) and math.isfinite(wait := float(milliseconds) / 1000.0):
        return max(0.0, wait)
    for text in (said.get("retry-after", ""), *_retry_infos(body)):
        seconds = seconds_until(text, now=now)
        if seconds is not None:
            return seconds
    return _reset(allowances(said, now=now)) if rate else None


def allowances(headers: Mapping[str, str], *, now: float) -> tuple[Allowance, ...]:
    """What a reply's headers say is left, one entry a limit, in OpenAI's and Anthropic's words.

    Args:
        headers: of the reply; names in any case.
        now: the Unix time, in seconds.
    """
    said = {name: text for name, text in _lower(headers).items() if "ratelimit-" in name}
    if not said:
        return ()
    found: dict[str, Allowance] = {}
    for of, *names in _NAMES:
        if of in found or not any(name in said for name in names):
            continue
        limit, remaining, reset = (said.get(name, "") for name in names)
        told = _amount(limit), _amount(remaining), seconds_until(reset, now=now)
        if told != (None, None, None):
            found[of] = Allowance(of, *told)
    return tuple(found.values())


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """What `x-should-retry` says of trying again; None where it says nothing."""
    said = _lower(headers).get("x-should-retry", "").strip().lower()
    return {"true": True, "false": False}.get(said)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _number(value: float, *, now: float) -> float:
    for moment in (value, value / 1000.0):
        if abs(moment - now) <= _YEAR:
            return moment - now
    return value


def _moment(text: str) -> float | None:
    """The Unix time of a date in RFC 3339 or of HTTP; a date without a zone is in UTC."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return when.timestamp()


def _amount(text: str) -> float | None:
    text = text.strip()
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return max(0.0, value) if math.isfinite(value) else None


def _reset(left: tuple[Allowance, ...]) -> float | None:
    """When the longest of the used-up limits is back; if none says what is left, the shortest."""
    used_up = [a.resets_in for a in left if a.resets_in is not None and a.remaining == 0]
    if used_up:
        return max(used_up)
    untold = [a.resets_in for a in left if a.resets_in is not None and a.remaining is None]
    return min(untold) if untold and len(untold) == len(left) else None


def _retry_infos(body: object) -> Iterator[str]:
    """The delays of a Google error's `RetryInfo`, which may come in a list of one."""
    for answer in body if isinstance(body, list) else [body]:
        error = answer.get("error") if isinstance(answer, dict) else None
        details = error.get("details") if isinstance(error, dict) else None
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict) and isinstance(detail.get("retryDelay"), str):
                yield detail["retryDelay"]
