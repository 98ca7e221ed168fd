"""The wait that a server asks for, in every dialect, and what it says is left."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spex_adapters._hints import allowances, retry_after, seconds_until, should_retry

from spex_api.completions import Allowance

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("1e2", 100.0),
        ("-3", 0.0),
        ("10000000", 1e7),
        ("4294967", 4294967.0),
        (f"{NOW + 42:.0f}", 42.0),
        (f"{(NOW + 42) * 1000:.0f}", 42.0),
        (f"{NOW - 42:.0f}", 0.0),
        ("9999999999", 9999999999.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("1d2h", 93600.0),
        ("45.837906927s", 45.837906927),
        ("120µs", 120e-6),
        ("7.66S", 7.66),
        ("2026-11-25T12:01:30Z", 90.0),
        ("2026-11-25T13:01:30+01:00", 90.0),
        ("2026-11-25T12:01:30", 90.0),
        ("2026-11-25T12:00:00.250Z", 0.25),
        ("2026-11-25T11:59:00Z", 0.0),
        ("Wed, 25 Nov 2026 12:01:30 GMT", 90.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("tomorrow", None),
        ("5 apples", None),
        ("1_0", None),
        ("٣", None),
        ("-1m", None),
        ("9" * 65, None),
    ],
)
def test_seconds_until(text, seconds):
    """Seconds, spans, clocks and dates all become seconds from now; nonsense becomes nothing."""
    found = seconds_until(text, now=NOW)
    assert found == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


_NAMES = (
    "retry-after-ms",
    "retry-after",
    "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-limit-tokens",
    "anthropic-ratelimit-tokens-reset",
)


@given(
    st.one_of(
        st.text(max_size=40),
        st.from_regex(r"[0-9a-zµ:., +\-TZe]{0,30}", fullmatch=True),
        st.datetimes().map(lambda when: format_datetime(when.replace(tzinfo=UTC))),
        st.datetimes().map(datetime.isoformat),
    ),
    st.floats(0, 4e9),
)
def test_any_text_is_harmless(text, now):
    """Whatever a header holds, the wait is finite and not negative, or there is none."""
    headers = dict.fromkeys(_NAMES, text)
    body = {"error": {"details": [{"retryDelay": text}]}}
    left = allowances(headers, now=now)
    amounts = [value for a in left for value in (a.limit, a.remaining, a.resets_in)]
    for found in (seconds_until(text, now=now), retry_after(headers, body, now=now), *amounts):
        assert found is None or (math.isfinite(found) and found >= 0)


def _gemini(*details: object) -> list[object]:
    return [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": list(details)}}]


_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "45.8s"}


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, None, None),
        ({"Retry-After": "7"}, None, 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, None, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, None, 1.0),
        ({"retry-after-ms": "-1"}, None, 0.0),
        ({"retry-after": "nan"}, _gemini(_INFO), 45.8),
        ({"retry-after": "10000000"}, None, 1e7),
        ({"retry-after": "Wed, 25 Nov 2026 12:00:09 GMT"}, None, 9.0),
        ({}, _gemini({"@type": "Help"}, _INFO), 45.8),
        ({}, _gemini(_INFO)[0], 45.8),
        ({}, {"error": "text"}, None),
        ({}, [], None),
        ({}, {"error": {"details": {"error_code": "x"}}}, None),
        (
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"},
            None,
            90.0,
        ),
        (
            {
                "x-ratelimit-remaining-requests": "7",
                "x-ratelimit-reset-requests": "10ms",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            None,
            360.0,
        ),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "9s",
            },
            None,
            9.0,
        ),
        (
            {
                "retry-after": "1",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "50s",
            },
            None,
            1.0,
        ),
        (
            {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "50s"},
            None,
            None,
        ),
        ({"x-ratelimit-reset-requests": "2s", "x-ratelimit-reset-tokens": "9s"}, None, 2.0),
        (
            {
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2026-11-25T12:00:30Z",
                "anthropic-ratelimit-requests-remaining": "40",
                "anthropic-ratelimit-requests-reset": "2026-11-25T13:00:00Z",
            },
            None,
            30.0,
        ),
    ],
)
def test_retry_after(headers, body, seconds):
    """The explicit hint comes first, then the body's, then the reset of what is used up."""
    assert retry_after(headers, body, now=NOW) == seconds
    assert retry_after(httpx2.Headers(headers), body, now=NOW) == seconds


def test_resets_are_for_rate_limits():
    """When a limit is back says nothing of a server that is overloaded."""
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "50s"}
    assert retry_after(headers, now=NOW, rate=False) is None
    assert retry_after({**headers, "retry-after": "3"}, now=NOW, rate=False) == 3.0


def test_allowances_of_openai():
    """OpenAI counts requests, and tokens in and out together."""
    headers = {
        "X-RateLimit-Limit-Requests": "10000",
        "X-RateLimit-Remaining-Requests": "9999",
        "X-RateLimit-Reset-Requests": "6ms",
        "X-RateLimit-Limit-Tokens": "200000",
        "X-RateLimit-Remaining-Tokens": "0",
        "X-RateLimit-Reset-Tokens": "1m0s",
    }
    assert allowances(headers, now=NOW) == (
        Allowance("requests", 10000, 9999, 0.006),
        Allowance("tokens", 200000, 0, 60),
    )


def test_allowances_of_anthropic():
    """Anthropic counts requests, input and output, and says when in RFC 3339."""
    headers = {
        f"anthropic-ratelimit-{of}-{part}": value
        for of, limit in (("requests", 50), ("input-tokens", 40000), ("output-tokens", 8000))
        for part, value in (
            ("limit", str(limit)),
            ("remaining", str(limit - 1)),
            ("reset", "2026-11-25T12:00:01Z"),
        )
    }
    assert allowances(headers, now=NOW) == (
        Allowance("requests", 50, 49, 1),
        Allowance("input_tokens", 40000, 39999, 1),
        Allowance("output_tokens", 8000, 7999, 1),
    )


def test_allowances_in_part():
    """What a server leaves out is not made up, and what nobody can read is left out."""
    assert allowances({"content-type": "application/json"}, now=NOW) == ()
    assert allowances({"x-ratelimit-remaining-tokens": "12"}, now=NOW) == (
        Allowance("tokens", remaining=12),
    )
    assert allowances({"x-ratelimit-remaining-tokens": "plenty"}, now=NOW) == ()
    assert allowances({"x-ratelimit-remaining-tokens": "-5"}, now=NOW) == (
        Allowance("tokens", remaining=0),
    )


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, None),
        ({"X-Should-Retry": "true"}, True),
        ({"x-should-retry": " False "}, False),
        ({"x-should-retry": "maybe"}, None),
    ],
)
def test_should_retry(headers, said):
    """The header says yes, no, or nothing."""
    assert should_retry(headers) is said
