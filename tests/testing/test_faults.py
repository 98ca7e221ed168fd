"""Each fault plays what its name says, to a bare client."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx2
import pytest

from spex_api.errors import UsageError
from spex_api.testing import Fault, FaultServer, Script, faults

KEY = "sk-test-5b0e9a7d21c84f36"

ERRORS = [
    (faults.RATE_LIMITED, 429, "requests", "rate_limit_exceeded", "rate_limit_error"),
    (faults.retry_after(2), 429, "requests", "rate_limit_exceeded", "rate_limit_error"),
    (faults.QUOTA_EXHAUSTED, 429, "insufficient_quota", "insufficient_quota", "insufficient_quota"),
    (faults.SCALEWAY_CONCURRENCY, 429, "requests", "rate_limit_exceeded", "rate_limit_error"),
    (faults.ramp_limited(), 429, "requests", "ramp_limit_exceeded", "rate_limit_error"),
    (faults.BILLING_ERROR, 402, "invalid_request_error", None, "billing_error"),
    (
        faults.ENFORCED_SPEND_LIMIT,
        429,
        "requests",
        "enforced_spend_limit_reached",
        "rate_limit_error",
    ),
    (
        faults.CONTRACT_SPEND_LIMIT,
        429,
        "requests",
        "contract_spend_limit_reached",
        "rate_limit_error",
    ),
    (
        faults.LINKED_SPEND_LIMIT,
        429,
        "requests",
        "linked_organization_spend_limit_reached",
        "rate_limit_error",
    ),
    (faults.KEY_REFUSED, 401, "invalid_request_error", "invalid_api_key", "authentication_error"),
    (faults.FORBIDDEN, 403, "invalid_request_error", None, "permission_error"),
    (faults.BAD_REQUEST, 400, "invalid_request_error", None, "invalid_request_error"),
    (
        faults.CONTEXT_TOO_LONG,
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "invalid_request_error",
    ),
    (
        faults.CONTENT_FILTERED,
        400,
        "invalid_request_error",
        "content_filter",
        "invalid_request_error",
    ),
    (faults.MODEL_UNKNOWN, 404, "invalid_request_error", "model_not_found", "not_found_error"),
    (faults.TIMED_OUT, 408, "invalid_request_error", None, "invalid_request_error"),
    (faults.CONFLICT, 409, "invalid_request_error", None, "invalid_request_error"),
    (faults.TOO_LARGE, 413, "invalid_request_error", None, "request_too_large"),
    (faults.SERVER_ERROR, 500, "server_error", None, "api_error"),
    (faults.UNAVAILABLE, 503, "service_unavailable_error", None, "api_error"),
    (faults.OVERLOADED, 529, "overloaded_error", None, "overloaded_error"),
    (faults.ERROR_IN_200, 200, "invalid_request_error", "502", "invalid_request_error"),
    (faults.status(418, code="teapot"), 418, "invalid_request_error", "teapot", None),
]


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code", "anthropic_kind"), ERRORS, ids=lambda value: str(value)[:40]
)
def test_an_error_in_both_dialects(ask, fault, status, kind, code, anthropic_kind):
    """Status, type and code are the vendor's; nothing is paid; the next question is answered."""
    with FaultServer.in_thread(Script.numbered({1: fault, 2: fault})) as server:
        one, other = ask(server), ask(server, anthropic=True)
        fine = ask(server)
    assert (one.status_code, other.status_code, fine.status_code) == (status, status, 200)
    error = one.json()["error"]
    assert (error["type"], error["code"]) == (kind, code)
    said = other.json()
    assert said["type"] == "error"
    assert said["error"]["type"] == (anthropic_kind or "invalid_request_error")
    assert said["error"].get("details") == (code and {"error_code": code})
    assert error["message"]
    assert server.paid.total() == 1


def test_a_refused_key_is_repeated(ask):
    """The worst that a server does with a key: it says it aloud."""
    with FaultServer.in_thread(Script.always(faults.KEY_REFUSED)) as server:
        assert KEY in ask(server).json()["error"]["message"]
        assert server.received[0].secret == KEY


@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        (faults.RATE_LIMITED, {}),
        (faults.retry_after(2), {"retry-after": "2"}),
        (faults.retry_after(0.25), {"retry-after": "0.25"}),
        (faults.RETRY_AFTER_MONTHS, {"retry-after": "10000000"}),
        (faults.retry_after_ms(1500), {"retry-after-ms": "1500"}),
        (
            faults.reset_requests("1m30s"),
            {"x-ratelimit-reset-requests": "1m30s", "x-ratelimit-remaining-requests": "0"},
        ),
        (
            faults.reset_tokens("500ms"),
            {
                "x-ratelimit-reset-tokens": "500ms",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-requests": "10ms",
                "x-ratelimit-remaining-requests": "7",
            },
        ),
        (faults.ramp_limited(3), {"retry-after": "3"}),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_hints_in_headers(ask, fault, headers):
    """Each dialect says how long to wait in its own headers, and in no others."""
    with FaultServer.in_thread(Script.always(fault)) as server:
        reply = ask(server)
    hints = {n: v for n, v in reply.headers.items() if "retry" in n or "ratelimit" in n}
    assert hints == headers


def test_hints_in_dates(ask):
    """An HTTP date and an RFC 3339 time lie as far ahead as they should, rounded up."""
    script = Script.numbered({1: faults.retry_after_date(90), 2: faults.anthropic_reset(90)})
    before = datetime.now(UTC)
    with FaultServer.in_thread(script) as server:
        dated, reset = ask(server), ask(server, anthropic=True)
    after = datetime.now(UTC) + timedelta(seconds=1)
    ahead = timedelta(seconds=90)
    assert before + ahead <= parsedate_to_datetime(dated.headers["retry-after"]) <= after + ahead
    moment = datetime.fromisoformat(reset.headers["anthropic-ratelimit-requests-reset"])
    assert before + ahead <= moment <= after + ahead
    assert reset.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert "retry-after" not in reset.headers


def test_hints_in_bodies(ask):
    """Gemini's wait is in the body alone, and a day's quota looks nearly the same."""
    script = Script.numbered({1: faults.retry_info("1.5s"), 2: faults.DAILY_QUOTA})
    with FaultServer.in_thread(script) as server:
        brief, day = ask(server), ask(server)
    (said,) = brief.json()
    assert said["error"]["details"][0]["retryDelay"] == "1.5s"
    assert "retry-after" not in brief.headers
    assert "PerDay" in day.json()[0]["error"]["details"][0]["violations"][0]["quotaId"]
    assert day.status_code == 429


def test_bodies_that_are_no_answers(ask):
    """Half of the JSON, no JSON, the wrong type, nothing, and a gateway's page."""
    table = {
        1: faults.TRUNCATED_JSON,
        2: faults.NOT_JSON,
        3: faults.WRONG_CONTENT_TYPE,
        4: faults.EMPTY_BODY,
        5: faults.BAD_GATEWAY,
    }
    with FaultServer.in_thread(Script.numbered(table)) as server:
        half, text, typed, empty, page, whole = (ask(server) for _ in range(6))
    assert whole.text.startswith(half.text)
    assert len(half.content) == len(whole.content) // 2
    with pytest.raises(json.JSONDecodeError):
        text.json()
    assert typed.headers["content-type"] == "text/html"
    assert typed.content == whole.content
    assert (empty.status_code, empty.content) == (200, b"")
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html")
    assert server.paid.total() == 3  # half an answer, a mislabelled one, and the last
    assert server.delivered.total() == 2


@pytest.mark.parametrize(
    ("fault", "error", "paid"),
    [
        (faults.CLOSED_MID_BODY, httpx2.RemoteProtocolError, 1),
        (faults.RESET_MID_BODY, httpx2.ReadError, 1),
        (faults.RESET_BEFORE_ANSWER, httpx2.ReadError, 0),
        (faults.STALL, httpx2.ReadTimeout, 1),
        (faults.SILENCE, httpx2.ReadTimeout, 0),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_connections_that_fail(client, ask, fault, error, paid):
    """Each breaks in its own way, is billed once begun, is not delivered, and is over after it."""
    assert fault.answers is bool(paid)
    client.timeout = httpx2.Timeout(10, read=0.3)
    with FaultServer.in_thread(Script.numbered({1: fault})) as server:
        with pytest.raises(error):
            ask(server)
        assert server.paid.total() == paid
        assert server.delivered.total() == 0
        assert ask(server).status_code == 200
    assert server.ledger.open == 0


def test_half_of_the_answer_comes_before_the_break(client, question):
    """A reset mid-body is in the middle of the body: the status and a part of it have come."""
    with FaultServer.in_thread(Script.always(faults.RESET_MID_BODY)) as server:
        url = f"{server.openai_url}/chat/completions"
        with client.stream("POST", url, json=question) as reply:
            assert reply.status_code == 200
            parts = reply.iter_raw()
            assert next(parts).startswith(b'{"id":"chatcmpl-')
            with pytest.raises(httpx2.ReadError):
                list(parts)


def test_a_trickle_comes_in_many_pieces(client, question):
    """Slow, byte by byte, and whole in the end."""
    with FaultServer.in_thread(Script.numbered({1: faults.trickle(0.0005)})) as server:
        url = f"{server.openai_url}/chat/completions"
        with client.stream("POST", url, json=question) as reply:
            pieces = list(reply.iter_raw())
        whole = client.post(url, json=question)
    assert len(pieces) > 10
    assert b"".join(pieces) == whole.content
    assert server.delivered.total() == 2


def test_a_redirect_would_carry_the_prompt_off(ask, client):
    """It names another path, which counts whoever goes there."""
    with FaultServer.in_thread(Script.always(faults.redirect())) as server:
        reply = ask(server)
        assert (reply.status_code, reply.headers["location"]) == (307, "/elsewhere")
        assert len(server.received) == 1
        client.follow_redirects = True
        assert ask(server).status_code == 404
        assert server.received[-1].path == "/elsewhere"


def test_faults_that_cannot_be():
    """A fault is checked when it is written down, not when it is played."""
    for build in (
        lambda: faults.status(42),
        lambda: faults.trickle(-1),
        lambda: faults.temperature_scaled(0),
        lambda: faults.noisy(-0.1),
        lambda: Fault("half again", keeps=1.5),
    ):
        with pytest.raises(UsageError):
            build()


def test_the_catalogue_is_whole():
    """Every public name of the catalogue is a fault or makes one."""
    made = {
        "anthropic_reset": (1,),
        "reset_requests": ("1s",),
        "reset_tokens": ("1s",),
        "retry_after": (1,),
        "retry_after_date": (1,),
        "retry_after_ms": (1,),
        "status": (500,),
        "temperature_scaled": (2,),
    }
    for name in faults.__all__:
        value = getattr(faults, name)
        fault = value if name.isupper() else value(*made.get(name, ()))
        assert isinstance(fault, Fault), name
        assert fault.name
        assert math.isfinite(fault.gap)
