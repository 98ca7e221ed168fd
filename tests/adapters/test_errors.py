"""From a refusal or a client's exception to a sentence of ours, with nothing of the client's."""

from __future__ import annotations

import traceback

import anthropic
import httpx2
import openai
import pytest
from pydantic import SecretStr
from spex_adapters._errors import error_within, overdue, refusal, translate
from spex_adapters._kinds import ANTHROPIC, HTTPX2, OPENAI
from spex_adapters._wire import Wire

from spex_api.completions import Allowance
from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    MalformedReply,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)

KEY = "sk-test-4f1d0c77be9a4e21"
NOW = 1_795_000_000.0
WIRE = Wire("https://h/v1", "gpt-9", "A_KEY", "AN_URL", secret=SecretStr(KEY))


@pytest.mark.parametrize(
    ("status", "unbilled"),
    [
        (307, True),
        (400, True),
        (401, True),
        (402, True),
        (404, True),
        (409, True),
        (413, True),
        (429, True),
        (408, False),
        (499, False),
        (500, False),
        (502, False),
        (529, False),
    ],
)
def test_who_pays(status, unbilled):
    """What was refused is free; what failed at work, or timed out on the way, may not be."""
    refused = refusal(status, {}, "", WIRE, now=NOW)
    assert refused.unbilled is unbilled
    assert ("billed" in refused.cost) is not unbilled


def test_hints_and_allowances_come_along():
    """The wait and what is left reach whoever retries and whoever throttles."""
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m30s",
    }
    refused = refusal(429, headers, '{"error": {"code": "rate_limit_exceeded"}}', WIRE, now=NOW)
    assert type(refused) is RateLimited
    assert refused.retry_after == 90.0
    assert refused.allowances == (Allowance("requests", 60, 0, 90),)
    assert refusal(503, headers, "", WIRE, now=NOW).retry_after is None


def test_the_hint_in_a_body():
    """Google says in the body alone how long to wait."""
    body = '[{"error": {"code": 429, "details": [{"retryDelay": "45.5s"}]}}]'
    assert refusal(429, {}, body, WIRE, now=NOW).retry_after == 45.5


@pytest.mark.parametrize(
    ("status", "headers", "body", "cause", "advice"),
    [
        (413, {}, "", "The prompt is too long for 'gpt-9' (413).", "Shorten"),
        (
            400,
            {},
            '{"error": {"code": "content_filter", "message": "Flagged."}}',
            "https://h/v1 refuses the prompt for what it says (400): Flagged.",
            "",
        ),
        (
            429,
            {},
            '{"error": {"details": {"error_code": "ramp_limit_exceeded"}}}',
            "https://h/v1 asks to go up in requests more slowly (429).",
            "",
        ),
        (
            503,
            {"x-should-retry": "false"},
            '{"error": {"message": "Gone"}}',
            "https://h/v1 refused the request (503): Gone.",
            "The endpoint says that trying again does not help.",
        ),
        (404, {}, '{"detail": "Not Found"}', "https://h/v1 has no chat comp", "Check AN_URL"),
        (404, {}, '{"error": "no gpt-9"}', "https://h/v1 knows no model 'gpt-9' (404).", "Check"),
        (
            500,
            {},
            '{"error": {"code": 500, "message": "got exception: Unexpected empty grammar stack"}}',
            "https://h/v1 cannot be made to write these tokens (500): got exception: Unexp",
            "A token of the text ends within a character",
        ),
        (400, {}, '{"error": {"message": "a\\nb"}}', "https://h/v1 refused the request (400): a b.",
         ""),
    ],
)  # fmt: skip
def test_sentences(status, headers, body, cause, advice):
    """Each kind has a sentence that says what was wrong, and what to do where that helps."""
    refused = refusal(status, headers, body, WIRE, now=NOW)
    assert refused.cause.startswith(cause)
    assert refused.advice.startswith(advice)
    assert bool(refused.advice) is bool(advice)


def test_an_error_in_a_200_may_be_billed():
    """Nobody knows who pays for it, and it waits as it is told."""
    text = '{"error": {"code": 429, "message": "Slow down, ' + KEY + '."}}'
    found = error_within({"retry-after": "3"}, text, WIRE, now=NOW)
    assert type(found) is RateLimited
    assert not found.unbilled
    assert found.retry_after == 3.0
    assert (
        found.cause == "https://h/v1 answered with an error in place of an answer: Slow down, "
        "[key]."
    )
    assert error_within({}, '{"choices": []}', WIRE, now=NOW) is None


def _request() -> httpx2.Request:
    return httpx2.Request("POST", "https://h/v1", headers={"authorization": f"Bearer {KEY}"})


def _response(status: int, body: object) -> httpx2.Response:
    return httpx2.Response(status, json=body, request=_request())


_FAILURES = {
    "read timeout": (httpx2.ReadTimeout("x"), Unavailable, False, "gave no answer in time"),
    "write timeout": (httpx2.WriteTimeout("x"), Unavailable, False, "gave no answer in time"),
    "connect timeout": (httpx2.ConnectTimeout("x"), Unavailable, True, "no connection in time"),
    "pool timeout": (httpx2.PoolTimeout("x"), Unavailable, True, "no connection in time"),
    "connect": (httpx2.ConnectError("x"), Unavailable, True, "(no connection)"),
    "proxy": (httpx2.ProxyError("x"), Unavailable, True, "the proxy refused"),
    "reset": (httpx2.ReadError("x"), Unavailable, False, "broke off the connection"),
    "write": (httpx2.WriteError("x"), Unavailable, False, "broke off the connection"),
    "protocol": (httpx2.RemoteProtocolError("x"), Unavailable, False, "broke off"),
    "system": (OSError("x"), Unavailable, False, "broke off"),
    "decoding": (httpx2.DecodingError("bad gzip"), MalformedReply, False, "cannot be read: bad g"),
    "address": (httpx2.InvalidURL(f"x-api-key: {KEY}"), BadRequest, True, "x-api-key: [key]."),
    "local": (httpx2.LocalProtocolError("x"), BadRequest, True, "refused: x."),
}


@pytest.mark.parametrize("name", _FAILURES)
def test_failures_of_the_connection(name):
    """What surely never left is free, and what may have been read is not."""
    error, kind, unbilled, said = _FAILURES[name]
    ours = translate(error, WIRE, HTTPX2)
    assert type(ours) is kind
    assert ours.unbilled is unbilled
    assert said in ours.cause
    assert ours.cost == ("Nothing was sent." if unbilled else "The request may have been billed.")
    _assert_secretless(ours)


_OF_VENDORS = {
    "openai quota": (
        openai.RateLimitError(
            KEY, response=_response(429, {"error": {"code": "insufficient_quota"}}), body=None
        ),
        OPENAI, QuotaExhausted, True,
    ),
    "openai, a body alone": (
        openai.APIStatusError(
            "", response=httpx2.Response(400, request=_request()),
            body={"code": "context_length_exceeded", "message": KEY},
        ),
        OPENAI, ContextTooLong, True,
    ),
    "openai timeout": (openai.APITimeoutError(_request()), OPENAI, Unavailable, False),
    "openai settings": (openai.OpenAIError(f"no {KEY}"), OPENAI, BadRequest, True),
    "under openai": (httpx2.ReadError("x"), OPENAI, Unavailable, False),
    "anthropic overloaded": (
        anthropic.InternalServerError(
            KEY, body=None,
            response=_response(529, {"type": "error", "error": {"type": "overloaded_error"}}),
        ),
        ANTHROPIC, Overloaded, False,
    ),
    "anthropic, a body alone": (
        anthropic.APIStatusError(
            "", response=httpx2.Response(402, request=_request()),
            body={"type": "error", "error": {"type": "billing_error", "message": KEY}},
        ),
        ANTHROPIC, QuotaExhausted, True,
    ),
    "anthropic credentials": (
        anthropic.CredentialsError(KEY), ANTHROPIC, AuthenticationFailed, True
    ),
    "anthropic connection": (
        anthropic.APIConnectionError(request=_request()), ANTHROPIC, Unavailable, False
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _OF_VENDORS)
def test_exceptions_of_a_vendor(name):
    """A vendor's exception, which carries the key, leaves nothing of itself in ours."""
    error, table, kind, unbilled = _OF_VENDORS[name]
    ours = translate(error, WIRE, table)
    assert type(ours) is kind
    assert ours.unbilled is unbilled
    _assert_secretless(ours)


def test_a_wrapped_failure_is_known_by_its_cause():
    """A vendor's client says only that there was no connection; what it wraps says why."""
    wrapped = openai.APIConnectionError(request=_request())
    wrapped.__cause__ = httpx2.ConnectError("x")
    wrapped.__cause__.__cause__ = ConnectionRefusedError()
    ours = translate(wrapped, WIRE, OPENAI)
    assert ours.unbilled
    assert ours.cause == "https://h/v1 could not be reached (connection refused)."


def test_what_was_in_hand_before_decides_nothing():
    """A failure that happens while another is handled is not taken for it."""
    error = httpx2.ReadError("x")
    error.__context__ = httpx2.ConnectError("earlier")
    assert not translate(error, WIRE, HTTPX2).unbilled


def test_a_stream_that_nobody_read():
    """A refusal whose body was never read is known by its status."""
    response = httpx2.Response(429, content=(part for part in [b"x"]), request=_request())
    error = httpx2.HTTPStatusError("x", request=_request(), response=response)
    assert type(translate(error, WIRE, HTTPX2)) is RateLimited


def test_overdue():
    """An answer that takes too long may be billed, and may come the next time."""
    late = overdue(WIRE, 300.0)
    assert type(late) is Unavailable
    assert not late.unbilled
    assert late.cause == "https://h/v1 gave no whole answer in 300 s."


def _assert_secretless(ours: AdapterError) -> None:
    assert ours.__cause__ is None
    assert ours.__context__ is None
    shown = "".join(traceback.format_exception(ours)) + repr(ours) + str(vars(ours))
    assert KEY not in shown
    assert "\n" not in str(ours)
