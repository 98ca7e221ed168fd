"""What a refusal means: by the client's class, by its structured code, by its status.

A code or type in the body comes first, then the status, and words hardly ever: Scaleway says
"INSUFFICIENT QUOTA" of too many connections. What this module does not know: any vendor's package
(classes are found by name, so that none is imported), and sentences.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

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

__all__ = [
    "ANTHROPIC",
    "HTTPX2",
    "OPENAI",
    "Table",
    "codes_of",
    "kind_of_refusal",
    "kind_of_status",
    "kind_within",
    "message_of",
    "parsed",
]

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
        "_AmbiguousModuleClientUsageError": BadRequest,
    }
)
"""Every exception class of `openai`, by name."""

ANTHROPIC: Final[Table] = MappingProxyType(
    {
        "APIConnectionError": Unavailable,
        "APIError": Unavailable,
        "APIResponseValidationError": MalformedReply,
        "APIStatusError": AdapterError,  # the status decides
        "APITimeoutError": Unavailable,
        "APIWebhookValidationError": MalformedReply,
        "AnthropicError": BadRequest,  # the client refuses its own settings
        "AuthenticationError": AuthenticationFailed,
        "BadRequestError": BadRequest,
        "CMEKContextUnavailableError": Unavailable,
        "CMEKKeyDisabledError": BadRequest,
        "CMEKKeyNetworkBlockedError": BadRequest,
        "CMEKKeyUnreachableError": Unavailable,
        "ClaudeCodeKeyCreatorNotMemberError": AuthenticationFailed,
        "ClaudeCodeVersionTooOldError": BadRequest,
        "ClientClosedRequestError": Unavailable,
        "ConflictError": Unavailable,
        "ContentTooLargeError": ContextTooLong,
        "ContractSpendLimitReachedError": QuotaExhausted,
        "CredentialsError": AuthenticationFailed,
        "DeadlineExceededError": Unavailable,
        "EnforcedSpendLimitReachedError": QuotaExhausted,
        "GatewayTimeoutError": Unavailable,
        "HTTPNotImplementedError": Unavailable,
        "IdentityTokenFileError": AuthenticationFailed,
        "InternalServerError": Unavailable,
        "LinkedOrganizationBillingUnavailableError": QuotaExhausted,
        "LinkedOrganizationSpendLimitReachedError": QuotaExhausted,
        "NotFoundError": BadRequest,
        "OrganizationOnHoldError": AuthenticationFailed,
        "OrganizationTypeNotSupportedError": AuthenticationFailed,
        "OverloadedError": Overloaded,
        "ParentOrganizationRequiredError": AuthenticationFailed,
        "PaymentRequiredError": QuotaExhausted,
        "PermissionDeniedError": AuthenticationFailed,
        "PreconditionFailedError": BadRequest,
        "RampLimitExceededError": RampLimited,
        "RateLimitError": RateLimited,
        "RequestBodyEncodingInvalidError": BadRequest,
        "RequestBodyEncodingUnsupportedError": BadRequest,
        "RequestBodyTooLargeAfterDecodingError": ContextTooLong,
        "RequestHeaderFieldsTooLargeError": BadRequest,
        "RequestTimeoutError": Unavailable,
        "RequestTooLargeError": ContextTooLong,
        "RetryableError": Unavailable,
        "SandboxEgressRestrictedError": AuthenticationFailed,
        "ServiceUnavailableError": Unavailable,
        "UnprocessableEntityError": BadRequest,
        "WorkloadIdentityError": AuthenticationFailed,
        "WorkspaceHumanReviewDisabledError": BadRequest,
    }
)
"""Every exception class of `anthropic`, by name."""

HTTPX2: Final[Table] = MappingProxyType(
    {
        "CookieConflict": BadRequest,
        "DecodingError": MalformedReply,
        "HTTPError": Unavailable,
        "HTTPStatusError": AdapterError,  # the status decides
        "InvalidURL": BadRequest,
        "LocalProtocolError": BadRequest,
        "RequestError": Unavailable,
        "SSEError": MalformedReply,
        "StreamError": MalformedReply,
        "TooManyRedirects": BadRequest,
        "TransportError": Unavailable,
        "UnsupportedProtocol": BadRequest,
    }
)
"""The exception classes of `httpx2` by name; the others are kinds of `TransportError`."""

_CODES: Final[tuple[tuple[type[AdapterError], frozenset[str]], ...]] = (
    (
        QuotaExhausted,
        frozenset(
            {
                "insufficient_quota",
                "enforced_spend_limit_reached",
                "contract_spend_limit_reached",
                "linked_organization_spend_limit_reached",
                "linked_organization_billing_unavailable",
                "user_profile_not_billable",
                "user_profile_billing_not_authorized",
            }
        ),
    ),
    (RampLimited, frozenset({"ramp_limit_exceeded", "slow_down"})),
    (
        ContextTooLong,
        frozenset(
            {
                "context_length_exceeded",
                "exceed_context_size_error",
                "string_above_max_length",
                "request_too_large",
                "request_body_too_large_after_decoding",
            }
        ),
    ),
    (
        ContentFiltered,
        frozenset(
            {
                "content_filter",
                "content_policy_violation",
                "invalid_prompt",
                "responsibleaipolicyviolation",
            }
        ),
    ),
    (
        AuthenticationFailed,
        frozenset(
            {
                "api_key_invalid",
                "authentication_error",
                "claude_code_key_creator_not_member",
                "invalid_api_key",
                "organization_on_hold",
                "organization_type_not_supported",
                "parent_organization_required",
                "permission_error",
                "sandbox_egress_restricted",
            }
        ),
    ),
    (Overloaded, frozenset({"overloaded_error", "overloaded", "engine_overloaded"})),
    (RateLimited, frozenset({"rate_limit_exceeded", "rate_limit_error", "resource_exhausted"})),
)
"""What a structured code or type says, before the status does; the first row that has it counts."""

_WITHIN_200: Final = frozenset({401, 402, 403, 413, 429, 503, 529})
"""Statuses that gateways put into the body of a 200, and that say what to do."""
_MAY_PASS: Final = frozenset({408, 409, 425, 499})
_TOO_LONG = re.compile(r"prompt is too long: \d+ tokens > \d+ maximum", re.ASCII)
"""A sentence that is read, whole: Anthropic has no code for it, and a status 400."""
_NO_GRAMMAR: Final = "Unexpected empty grammar stack"
"""What another says: llama.cpp's, with a status 500, of a grammar by tokens that it cannot follow,
since one of them ends within a character. It will not follow it the next time either."""


def kind_of_status(status: int) -> type[AdapterError]:
    """What an HTTP status means for whoever might ask again."""
    named = {
        401: AuthenticationFailed,
        402: QuotaExhausted,
        403: AuthenticationFailed,
        413: ContextTooLong,
        429: RateLimited,
        529: Overloaded,
    }
    if status in named:
        return named[status]
    return Unavailable if status >= 500 or status in _MAY_PASS else BadRequest


def kind_of_refusal(status: int, body: object, *, retry: bool | None) -> type[AdapterError]:
    """What an answer with an error status means.

    Args:
        status: of the answer.
        body: its JSON, parsed.
        retry: what its `x-should-retry` says, which ends or begins the attempts where we differ.
    """
    kind = _kind_of_codes(body) or kind_of_status(status)
    if kind is BadRequest and status == 400 and _TOO_LONG.match(message_of(body)):
        kind = ContextTooLong
    if status == 500 and _NO_GRAMMAR in message_of(body):
        kind = BadRequest
    if retry is False and issubclass(kind, (RateLimited, Unavailable)):
        return AdapterError
    return Unavailable if retry and kind is BadRequest else kind


def kind_within(body: object) -> type[AdapterError] | None:
    """What the error in a body of status 200 means; None where there is none, or it has no code."""
    if not _error(body):
        return None
    numbers = [int(code) for code in codes_of(body) if re.fullmatch(r"\d{3}", code, re.ASCII)]
    known = (kind_of_status(number) for number in numbers if number in _WITHIN_200)
    return _kind_of_codes(body) or next(known, None)


def message_of(body: object) -> str:
    """What an error's body says in words, or ""."""
    error = _error(body)
    for place in (error, body):
        if isinstance(place, dict):
            for name in ("message", "detail"):
                if isinstance(place.get(name), str):
                    return str(place[name])
    return error if isinstance(error, str) else ""


def codes_of(body: object) -> frozenset[str]:
    """All that an error's body says in a fixed vocabulary, in lower case."""
    return frozenset(code.lower() for code in _codes(body))


def parsed(text: str) -> object:
    """A body's JSON; None where it is none."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found


def _kind_of_codes(body: object) -> type[AdapterError] | None:
    codes = codes_of(body)
    if any(code.startswith("billing_") for code in codes) or _is_of_a_day(body):
        return QuotaExhausted
    return next((kind for kind, known in _CODES if known & codes), None)


def _codes(body: object) -> Iterator[str]:
    """All that an error's body says in a fixed vocabulary."""
    error = _error(body)
    if not isinstance(error, dict):
        return
    places = [error, error.get("innererror"), error.get("details")]
    details = error.get("details")
    places.extend(details if isinstance(details, list) else ())
    for place in places:
        if isinstance(place, dict):
            for name in ("code", "type", "status", "error_code", "reason"):
                value = place.get(name)
                if isinstance(value, str | int) and not isinstance(value, bool):
                    yield str(value)


def _is_of_a_day(body: object) -> bool:
    """Whether one of Google's quotas of a day is used up, by the quota's name."""
    error = _error(body)
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        broken = detail.get("violations") if isinstance(detail, dict) else None
        for quota in broken if isinstance(broken, list) else ():
            if isinstance(quota, dict) and "PerDay" in str(quota.get("quotaId", "")):
                return True
    return False


def _error(body: object) -> object:
    """The error in a body: in a list of one at Google, and the body itself at some others."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return None
    return body.get("error") or (body if body.get("object") == "error" else None)
