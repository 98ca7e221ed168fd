"""A stream's events put together are the body that would have come without streaming."""

from __future__ import annotations

import json

import pytest

from spex_api.calls.events import assembled


def events(*said, done=False):
    """A stream's text."""
    lines = [f"event: {each.get('type', '')}\ndata: {json.dumps(each)}\n\n" for each in said]
    return "".join(lines) + ("data: [DONE]\n\n" if done else "")


def chat(delta, *, finish_reason=None, index=0, **others):
    """A piece of a chat completion."""
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [choice],
    } | others


def test_a_chat_grows_to_a_message():
    """Texts and a tool's arguments grow, also in several choices; the usage comes last."""
    called = {
        "index": 0,
        "id": "t1",
        "type": "function",
        "function": {"name": "f", "arguments": ""},
    }
    text = events(
        chat({"role": "assistant", "content": ""}),
        chat({"content": "25 "}),
        chat({"content": "Tage"}, index=1),
        chat({"content": "days"}),
        chat({"tool_calls": [called]}),
        chat({"tool_calls": [{"index": 0, "function": {"arguments": '{"x"'}}]}),
        chat({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        chat({}, finish_reason="tool_calls"),
        chat({}, finish_reason="stop", index=1),
        {"id": "1", "model": "m", "choices": [], "usage": {"prompt_tokens": 3}},
        done=True,
    )
    put_together = assembled(text, dialect="openai.chat")
    first, second = put_together.body["choices"]
    assert put_together.whole
    assert first["message"] == {
        "role": "assistant",
        "content": "25 days",
        "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
        ],
    }
    assert (first["finish_reason"], second["message"]["content"]) == ("tool_calls", "Tage")
    assert put_together.body["usage"] == {"prompt_tokens": 3}


def test_the_log_probs_of_a_chat_are_one_list():
    """Each piece brings those of its own tokens."""
    pieces = [chat({"content": token}) for token in "ab"]
    for piece, token in zip(pieces, "ab", strict=True):
        piece["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -1.0}]}
    body = assembled(events(*pieces), dialect="openai.chat").body
    assert [each["token"] for each in body["choices"][0]["logprobs"]["content"]] == ["a", "b"]


def test_a_response_is_its_last_event():
    """Until then it is what came of it: whole items, and of the last one its text so far."""
    item = {"type": "function_call", "call_id": "t1", "name": "f", "arguments": "{}"}
    begun = [
        {"type": "response.created", "response": {"id": "r", "model": "m", "output": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "25 "},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "days"},
    ]
    last = {"type": "response.completed", "response": {"id": "r", "output": [item, "and more"]}}
    whole = assembled(events(*begun, last), dialect="openai.responses")
    broken = assembled(events(*begun), dialect="openai.responses")
    assert (whole.whole, whole.body) == (True, last["response"])
    assert not broken.whole
    assert broken.body["output"][0] == item
    assert broken.body["output"][1]["content"][0]["text"] == "25 days"


def test_a_message_grows_block_by_block():
    """Text, thoughts and a tool's arguments each go their own way; counts come at both ends."""
    text = events(
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 5}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "25 "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "d"}},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
        *(
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "input_json_delta", "partial_json": part},
            }
            for part in ("", '{"x"', ": 1}")
        ),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use"},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
    )
    put_together = assembled(text, dialect="anthropic.messages")
    assert put_together.whole
    assert put_together.body == {
        "model": "m",
        "usage": {"input_tokens": 5, "output_tokens": 7},
        "stop_reason": "tool_use",
        "content": [
            {"type": "text", "text": "25 d"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
        ],
    }


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ("openai.chat", [chat({"content": "25"}), {"error": {"message": "Overloaded"}}]),
        ("openai.responses", [{"type": "error", "message": "Overloaded"}]),
        ("anthropic.messages", [{"type": "error", "error": {"message": "Overloaded"}}]),
    ],
)
def test_an_error_within_a_stream_is_in_the_body(dialect, said):
    """Such a stream is not whole, however it ends."""
    put_together = assembled(events(*said), dialect=dialect)
    assert put_together.body["error"]["message"] == "Overloaded"
    assert not put_together.whole


@pytest.mark.parametrize("dialect", ["openai.chat", "openai.responses", "anthropic.messages"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "data: {\n\n",
        "data: 1\n\ndata: []\n\n: ping\n\n",
        'data: {"choices": 1, "type": "content_block_delta", "delta": 3, "index": "x"}\n\n',
        'data: {"choices": [{"delta": {"tool_calls": [1, {"index": 0}]}}]}\r\n\r\n',
        'data: {"type": "message_start"}\n\ndata: {"type": "response.created", "response": 1}\n\n',
    ],
)
def test_foreign_events_break_nothing(dialect, text):
    """Whatever a stream holds, it is put together as far as that goes, and is not whole."""
    assert not assembled(text, dialect=dialect).whole


def test_any_way_to_break_lines_is_read():
    """The standard has three."""
    text = events(chat({"content": "yes"}, finish_reason="stop"), done=True)
    for mark in ("\r\n", "\r"):
        put_together = assembled(text.replace("\n", mark), dialect="openai.chat")
        assert put_together.body["choices"][0]["message"]["content"] == "yes"
