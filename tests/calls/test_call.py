"""A recorded call, read: its bodies, its answer, and whether it came to an end."""

from __future__ import annotations

import json

import pytest

from spex_api.calls.call import Call
from spex_api.calls.line import write_line
from spex_api.completions import Usage
from spex_api.errors import CacheCorrupt
from spex_api.messages import ToolCall

CHAT = {
    "model": "gpt-4.1-mini-2025-04-14",
    "choices": [
        {
            "message": {
                "content": "15 days",
                "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": '{"x": 1}'}}],
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
RESPONSE = {
    "model": "gpt-4.1-mini-2025-04-14",
    "status": "completed",
    "output": [
        {"type": "reasoning", "content": []},
        {"type": "message", "content": [{"type": "output_text", "text": "15 days"}]},
        {"type": "function_call", "call_id": "t", "name": "f", "arguments": '{"x": 1}'},
    ],
    "usage": {
        "input_tokens": 10,
        "output_tokens": 2,
        "input_tokens_details": {"cached_tokens": 4},
    },
}
MESSAGE = {
    "model": "claude-haiku",
    "content": [
        {"type": "text", "text": "15 days"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 2},
}


def call(reply, *, dialect="openai.chat", request=b'{"model": "m"}', **head):
    """A call as it is read from its line."""
    head = {
        "id": "c-1",
        "begun": "2026-10-04T10:11:12Z",
        "seconds": 1.0,
        "url": "http://127.0.0.1/v1",
        "dialect": dialect,
        "status": 200,
    } | head
    return Call.from_line(write_line(head, request=request, reply=reply))


@pytest.mark.parametrize(
    ("dialect", "body", "reason"),
    [
        ("openai.chat", CHAT, "stop"),
        ("openai.responses", RESPONSE, "completed"),
        ("anthropic.messages", MESSAGE, "tool_use"),
    ],
)
def test_an_answer_is_the_same_in_every_dialect(dialect, body, reason):
    """Text, calls of tools, why it ended, who served it, and what it took."""
    answer = call(json.dumps(body).encode(), dialect=dialect).answer
    assert (answer.text, answer.finish_reason, answer.model) == ("15 days", reason, body["model"])
    assert answer.tool_calls == (ToolCall("t", "f", '{"x": 1}'),)
    assert answer.usage == Usage(1, 10, 2, cache_read_tokens=4)


def test_a_stream_has_the_answer_of_its_events():
    """A call that streamed is read like one that did not."""
    delta = {"choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop"}]}
    events = f"data: {json.dumps(delta)}\n\n".encode()
    streamed = call(events + b"data: [DONE]\n\n", streamed=True, left=True)
    assert (streamed.answer.text, streamed.whole) == ("yes", True)
    assert not call(events[:20], streamed=True).whole


@pytest.mark.parametrize(
    ("reply", "head", "whole"),
    [
        (b'{"error": {"message": "Too fast."}}', {"status": 429}, True),
        (b'{"choi', {"error": "ReadError: broken"}, False),
        (None, {"status": None, "error": "ConnectError: refused"}, False),
        (b'{"choi', {"left": True}, False),
        (b"Bad gateway", {"status": 502}, True),
    ],
)
def test_a_reply_is_whole_or_not(reply, head, whole):
    """An endpoint's refusal is whole; what broke off, or was closed in the middle, is not."""
    assert call(reply, **head).whole is whole


def test_an_endpoints_error_is_told():
    """In place of an answer stands what the endpoint said."""
    refused = call(b'{"error": {"message": "Too fast."}}', status=429)
    assert (refused.answer.error, refused.answer.text) == ("Too fast.", "")
    assert call(b'{"error": {"code": 7}}').answer.error == '{"code": 7}'


def test_foreign_replies_say_nothing():
    """What has other shapes than documented reads as an empty answer, and breaks nothing."""
    strange = {"choices": [{"message": 3}], "usage": [], "content": "x", "output": {"a": 1}}
    for dialect in ("openai.chat", "openai.responses", "anthropic.messages", "another"):
        answer = call(json.dumps(strange).encode(), dialect=dialect).answer
        assert (answer.text, answer.tool_calls, answer.usage.input_tokens) == ("", (), 0)


def test_a_request_that_is_no_object_cannot_be_asked_again():
    """The error names the call."""
    with pytest.raises(CacheCorrupt, match="c-1"):
        call(b"{}", request=b"a=1").request  # noqa: B018
