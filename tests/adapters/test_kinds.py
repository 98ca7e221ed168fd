"""What a refusal means, by table."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

import anthropic
import httpx2
import openai
import pytest
from spex_adapters._kinds import (
    ANTHROPIC,
    HTTPX2,
    OPENAI,
    codes_of,
    kind_of_refusal,
    kind_of_status,
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
    Overloaded,
    QuotaExhausted,
    RampLimited,
    RateLimited,
    Unavailable,
)


def _exceptions(*modules: object) -> dict[str, type[Exception]]:
    return {
        name: found
        for module in modules
        for name, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception)
    }


def _of_openai() -> dict[str, type[Exception]]:
    found = _exceptions(openai, openai._exceptions)
    return {name: c for name, c in found.items() if c.__module__.startswith("openai")}


def _of_anthropic() -> dict[str, type[Exception]]:
    """The public classes, those of `_exceptions`, and those of `types.shared`."""
    shared = [
        import_module(f"anthropic.types.shared.{module.name}")
        for module in pkgutil.iter_modules(import_module("anthropic.types.shared").__path__)
    ]
    found = _exceptions(anthropic, anthropic._exceptions, *shared)
    return {name: c for name, c in found.items() if c.__module__.startswith("anthropic")}


@pytest.mark.parametrize(
    ("found", "table", "fewest"),
    [(_of_openai, OPENAI, 20), (_of_anthropic, ANTHROPIC, 40)],
    ids=["openai", "anthropic"],
)
def test_every_exception_of_a_vendor_is_mapped(found, table, fewest):
    """A new exception class of a vendor's must get a row of its own, or this fails."""
    assert len(found()) >= fewest
    assert set(found()) - set(table) == set()
    assert all(issubclass(kind, AdapterError) for kind in table.values())


@pytest.mark.parametrize(
    ("module", "table"),
    [(openai._exceptions, OPENAI), (anthropic._exceptions, ANTHROPIC)],
    ids=["openai", "anthropic"],
)
def test_a_class_with_a_status_means_what_the_status_does(module, table):
    """Where a vendor's class stands for one status, class and status agree."""
    found = [each for each in vars(module).values() if hasattr(each, "status_code")]
    statuses = {each.__name__: each.status_code for each in found}
    assert len(statuses) >= 7
    for name, status in statuses.items():
        kinds = table[name], kind_of_status(status)
        assert issubclass(*kinds) or issubclass(*reversed(kinds)), name


def test_every_exception_of_the_connection_is_known():
    """A class of the HTTP client's has a row, or is a kind of one that has."""
    found = _exceptions(httpx2)
    assert len(found) > 20
    for name, each in found.items():
        assert {c.__name__ for c in each.__mro__} & set(HTTPX2), name


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (307, BadRequest),
        (400, BadRequest),
        (401, AuthenticationFailed),
        (402, QuotaExhausted),
        (403, AuthenticationFailed),
        (404, BadRequest),
        (408, Unavailable),
        (409, Unavailable),
        (413, ContextTooLong),
        (418, BadRequest),
        (422, BadRequest),
        (425, Unavailable),
        (429, RateLimited),
        (499, Unavailable),
        (500, Unavailable),
        (501, Unavailable),
        (503, Unavailable),
        (529, Overloaded),
    ],
)
def test_status(status, kind):
    """A status alone is read by its number."""
    assert kind_of_status(status) is kind
    assert kind_of_refusal(status, None, retry=None) is kind


def _openai(code: object = None, kind: object = None, message: str = "No.") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _anthropic(kind: str, code: str | None = None, message: str = "No.") -> dict[str, object]:
    details = {"details": {"error_code": code}} if code else {}
    return {"type": "error", "error": {"type": kind, "message": message, **details}}


def _google(*details: dict[str, object]) -> list[object]:
    error = {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}
    return [{"error": {**error, "details": list(details)}}]


_MINUTE = {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]}
_DAY = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}

_REFUSALS = {
    "quota code": (429, _openai("insufficient_quota"), QuotaExhausted),
    "quota type": (429, _openai(None, "insufficient_quota"), QuotaExhausted),
    "quota in a 403": (403, _openai("insufficient_quota"), QuotaExhausted),
    "billing": (400, _openai("billing_hard_limit_reached"), QuotaExhausted),
    "billing, new": (429, _openai("billing_something_new"), QuotaExhausted),
    "anthropic billing": (402, _anthropic("billing_error"), QuotaExhausted),
    "tier": (429, _anthropic("rate_limit_error", "enforced_spend_limit_reached"), QuotaExhausted),
    "contract": (
        429,
        _anthropic("rate_limit_error", "contract_spend_limit_reached"),
        QuotaExhausted,
    ),
    "linked": (
        402,
        _anthropic("billing_error", "linked_organization_spend_limit_reached"),
        QuotaExhausted,
    ),
    "google, a day": (429, _google(_DAY, {"retryDelay": "12s"}), QuotaExhausted),
    "google, a minute": (429, _google(_MINUTE), RateLimited),
    "scaleway": (
        429,
        _openai("rate_limit_exceeded", message="INSUFFICIENT QUOTA: too many"),
        RateLimited,
    ),
    "words alone": (429, _openai(message="insufficient_quota billing_error"), RateLimited),
    "rate": (429, _anthropic("rate_limit_error"), RateLimited),
    "ramp": (429, _anthropic("rate_limit_error", "ramp_limit_exceeded"), RampLimited),
    "slow down": (503, _openai("slow_down"), RampLimited),
    "overloaded 529": (529, _anthropic("overloaded_error"), Overloaded),
    "overloaded 503": (503, _anthropic("overloaded_error"), Overloaded),
    "server error": (500, _openai(None, "server_error"), Unavailable),
    "context": (400, _openai("context_length_exceeded"), ContextTooLong),
    "context, llama.cpp": (400, _openai(400, "exceed_context_size_error"), ContextTooLong),
    "context, anthropic": (
        400,
        _anthropic(
            "invalid_request_error", message="prompt is too long: 200082 tokens > 200000 maximum"
        ),
        ContextTooLong,
    ),
    "context, only words": (400, _openai(message="The prompt is too long."), BadRequest),
    "too large": (413, _anthropic("request_too_large"), ContextTooLong),
    "filter": (400, _openai("content_filter"), ContentFiltered),
    "filter, azure": (
        400,
        {"error": {"code": "x", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        ContentFiltered,
    ),
    "policy": (400, _openai("content_policy_violation"), ContentFiltered),
    "google key": (400, {"error": {"details": [{"reason": "API_KEY_INVALID"}]}},
                   AuthenticationFailed),
    "on hold": (400, _anthropic("invalid_request_error", "organization_on_hold"),
                AuthenticationFailed),
    "flat": (422, {"object": "error", "message": "No.", "type": "x", "code": None}, BadRequest),
    "flat context": (400, {"object": "error", "code": "context_length_exceeded"}, ContextTooLong),
    "strange": (400, {"error": {"code": {"a": 1}, "details": [None, 3], "type": True}}, BadRequest),
}  # fmt: skip


@pytest.mark.parametrize("name", _REFUSALS)
def test_refusal(name):
    """A structured code goes before the status, and words never count."""
    status, body, kind = _REFUSALS[name]
    assert kind_of_refusal(status, body, retry=None) is kind


@pytest.mark.parametrize(
    ("status", "retry", "kind"),
    [
        (429, False, AdapterError),
        (500, False, AdapterError),
        (400, False, BadRequest),
        (401, True, AuthenticationFailed),
        (400, True, Unavailable),
        (413, True, ContextTooLong),
        (429, True, RateLimited),
    ],
)
def test_what_the_server_says_of_trying_again(status, retry, kind):
    """`x-should-retry` ends the attempts, or begins them where there is no other reason."""
    assert kind_of_refusal(status, None, retry=retry) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"choices": []}, None),
        ({"error": None, "code": "rate_limit_exceeded"}, None),
        (_openai("rate_limit_exceeded"), RateLimited),
        (_openai(429), RateLimited),
        (_openai("529"), Overloaded),
        (_openai(503), Unavailable),
        (_openai(402), QuotaExhausted),
        (_openai("insufficient_quota"), QuotaExhausted),
        (_anthropic("overloaded_error"), Overloaded),
        (_openai(502), None),
        (_openai(400), None),
        (_openai(), None),
        ({"error": "upstream"}, None),
    ],
)
def test_error_in_a_200(body, kind):
    """An error in a 200 is known by a code that says what to do; any other is just no answer."""
    assert kind_within(body) is kind


def test_bodies_are_read_with_care():
    """What is no JSON says nothing, and words are found where servers put them."""
    assert parsed("<html>") is None
    assert parsed("[" * 100_000) is None
    assert message_of({"error": {"message": "a"}}) == "a"
    assert message_of({"error": "b"}) == "b"
    assert message_of({"detail": "c"}) == "c"
    assert message_of({"error": {"message": 4}}) == ""
    assert message_of(None) == ""
    assert codes_of({"error": {"code": "A", "type": None, "details": [{"reason": "B"}]}}) == {
        "a",
        "b",
    }


def test_a_grammar_that_cannot_be_followed_is_no_outage():
    """llama.cpp says so with a status 500: it is refused for good, and not asked again."""
    said = "got exception: Unexpected empty grammar stack after accepting piece: . (30)"
    body = {"error": {"code": 500, "message": said, "type": "server_error"}}
    assert kind_of_refusal(500, body, retry=None) is BadRequest
    assert kind_of_refusal(503, body, retry=None) is Unavailable
    other = {"error": {"code": 500, "message": "Out of memory", "type": "server_error"}}
    assert kind_of_refusal(500, other, retry=None) is Unavailable
