"""Both adapters against the fault server: each fault ends in its kind, sent once, without a key."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from spex_adapters.anthropic import AnthropicAdapter
from spex_adapters.openai import OpenAIAdapter

from spex_api.completions import CompletionRequest, Message, Outcome
from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    MalformedReply,
    Overloaded,
    QuotaExhausted,
    RampLimited,
    RateLimited,
    Unavailable,
)
from spex_api.testing import faults
from spex_api.testing.fault_server import FaultServer
from spex_api.testing.script import Script

KEY = "sk-test-4f1d0c77be9a4e21"
_ASKED = CompletionRequest(messages=(Message("user", "never fails"),), top_logprobs=5)

_REFUSED = {
    "without a hint": (faults.RATE_LIMITED, RateLimited, None),
    "seconds": (faults.retry_after(7), RateLimited, 7.0),
    "months": (faults.RETRY_AFTER_MONTHS, RateLimited, 1e7),
    "milliseconds": (faults.retry_after_ms(250), RateLimited, 0.25),
    "date": (faults.retry_after_date(90), RateLimited, 90.0),
    "requests": (faults.reset_requests("1m30s"), RateLimited, 90.0),
    "tokens": (faults.reset_tokens("500ms"), RateLimited, 0.5),
    "rfc 3339": (faults.anthropic_reset(40, of="output-tokens"), RateLimited, 40.0),
    "body": (faults.retry_info("45.5s"), RateLimited, 45.5),
    "scaleway": (faults.SCALEWAY_CONCURRENCY, RateLimited, None),
    "ramp": (faults.ramp_limited(3), RampLimited, 3.0),
    "quota": (faults.QUOTA_EXHAUSTED, QuotaExhausted, None),
    "a day": (faults.DAILY_QUOTA, QuotaExhausted, 12.0),
    "billing": (faults.BILLING_ERROR, QuotaExhausted, None),
    "tier": (faults.ENFORCED_SPEND_LIMIT, QuotaExhausted, None),
    "contract": (faults.CONTRACT_SPEND_LIMIT, QuotaExhausted, None),
    "linked": (faults.LINKED_SPEND_LIMIT, QuotaExhausted, None),
    "key": (faults.KEY_REFUSED, AuthenticationFailed, None),
    "forbidden": (faults.FORBIDDEN, AuthenticationFailed, None),
    "bad": (faults.BAD_REQUEST, BadRequest, None),
    "context": (faults.CONTEXT_TOO_LONG, ContextTooLong, None),
    "large": (faults.TOO_LARGE, ContextTooLong, None),
    "filter": (faults.CONTENT_FILTERED, ContentFiltered, None),
    "model": (faults.MODEL_UNKNOWN, BadRequest, None),
    "conflict": (faults.CONFLICT, Unavailable, None),
    "redirect": (faults.redirect(), BadRequest, None),
}
_FAILED = {
    "timed out": (faults.TIMED_OUT, Unavailable),
    "server error": (faults.SERVER_ERROR, Unavailable),
    "unavailable": (faults.UNAVAILABLE, Unavailable),
    "overloaded": (faults.OVERLOADED, Overloaded),
    "bad gateway": (faults.BAD_GATEWAY, Unavailable),
    "error in a 200": (faults.ERROR_IN_200, MalformedReply),
    "not JSON": (faults.NOT_JSON, MalformedReply),
    "empty": (faults.EMPTY_BODY, MalformedReply),
    "truncated": (faults.TRUNCATED_JSON, MalformedReply),
    "closed": (faults.CLOSED_MID_BODY, Unavailable),
    "reset": (faults.RESET_MID_BODY, Unavailable),
    "unanswered": (faults.RESET_BEFORE_ANSWER, Unavailable),
    "stall": (faults.STALL, Unavailable),
    "silence": (faults.SILENCE, Unavailable),
    "trickle": (faults.trickle(0.05), Unavailable),
}
_WHOLE_SECONDS = {"date", "rfc 3339"}
_HUNG = {"stall", "silence", "trickle"}


@pytest.fixture(params=["openai", "anthropic"])
def ask(request, monkeypatch):
    """Asks a fault server once, in one of the dialects; what came of it, and what was paid."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)

    async def run(fault, seconds):
        async with FaultServer(Script.always(fault)) as server:
            adapter = (
                OpenAIAdapter("m", base_url=server.openai_url, timeout=seconds)
                if request.param == "openai"
                else AnthropicAdapter("m", base_url=server.anthropic_url, timeout=seconds)
            )
            try:
                found = await adapter.complete(_ASKED)
            except AdapterError as error:
                found = error
            finally:
                await adapter.aclose()
            assert len(server.received) == 1
            return found

    return lambda fault, seconds=20.0: asyncio.run(run(fault, seconds))


@pytest.mark.parametrize("name", _REFUSED)
def test_refused(ask, name):
    """A refusal is free, and tells how long to wait where the server did."""
    fault, kind, wait = _REFUSED[name]
    found = ask(fault)
    assert type(found) is kind
    assert found.unbilled
    rounded = 2.5 if name in _WHOLE_SECONDS else 1e-9
    assert found.retry_after == (None if wait is None else pytest.approx(wait, abs=rounded))
    _assert_secretless(found)


@pytest.mark.parametrize("name", _FAILED)
def test_failed(ask, name):
    """What failed at work may have been billed."""
    fault, kind = _FAILED[name]
    found = ask(fault, 0.3) if name in _HUNG else ask(fault)
    assert type(found) is kind
    assert not found.unbilled
    assert "billed" in found.cost
    _assert_secretless(found)


def test_a_paid_answer_of_the_wrong_type_is_kept(ask):
    """What can be read is an answer, whatever its header calls it."""
    assert ask(faults.WRONG_CONTENT_TYPE).text == "positive"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (faults.TRUNCATED_ANSWER, Outcome.TRUNCATED),
        (faults.REFUSED_ANSWER, Outcome.REFUSED),
    ],
)
def test_outcomes(ask, fault, outcome):
    """A refusal by the model, and an answer that was cut, are answers."""
    assert ask(fault).outcome is outcome


def _assert_secretless(found: AdapterError) -> None:
    assert found.__cause__ is None
    assert found.__context__ is None
    shown = "".join(traceback.format_exception(found)) + repr(found) + str(vars(found))
    assert KEY not in shown
    assert "\n" not in str(found)
