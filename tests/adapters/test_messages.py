"""Anthropic's Messages dialect: exact bodies out, exact answers in."""

from __future__ import annotations

import json

import pytest
from spex_adapters._messages import messages_body, read_messages

from spex_api.completions import (
    Ask,
    Completion,
    CompletionRequest,
    Image,
    Message,
    Outcome,
    Target,
    ToolCall,
    Usage,
    Way,
)
from spex_api.errors import MalformedReply, UsageError


def test_body():
    """The system's turns are lifted, and neither temperature nor log-probs are sent."""
    asked = CompletionRequest(
        messages=(
            Message("system", "Be brief."),
            Message("user", "Hi"),
            Message("assistant", "Hello"),
            Message("developer", "Be kind."),
            Message("user", "Good or bad?"),
        ),
        max_tokens=3,
        temperature=0.5,
        top_logprobs=20,
        sample_index=4,
    )
    assert messages_body(asked, model="m") == {
        "model": "m",
        "max_tokens": 3,
        "system": "Be brief.\n\nBe kind.",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Good or bad?"},
        ],
    }


def test_body_without_system():
    """A conversation without the system's turns has no `system`."""
    asked = CompletionRequest(messages=(Message("user", "Hi"),))
    assert messages_body(asked, model="m") == {
        "model": "m",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "Hi"}],
    }


def _messages(*turns: Message, **asked):
    return messages_body(CompletionRequest(turns, **asked), model="m")["messages"]


_LOOK = ToolCall("c1", "look", '{"at": "é"}')


def test_texts_and_images_are_blocks():
    """A turn of several blocks goes as such; a block of no text, which is refused, says nothing."""
    turn = Message.of_blocks(
        "user", ("", "Look: ", Image("iVBO", "image/webp"), Image(url="https://h/a.png"))
    )
    assert _messages(turn) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look: "},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/webp", "data": "iVBO"},
                },
                {"type": "image", "source": {"type": "url", "url": "https://h/a.png"}},
            ],
        }
    ]
    assert _messages(Message.of_blocks("user", ("",))) == [{"role": "user", "content": ""}]


def test_results_come_first_in_one_turn():
    """Results and what the user says beside them are one turn of the user's, results first."""
    other = ToolCall("c2", "look")
    turns = _messages(
        Message("user", "Weather?"),
        Message("assistant", "I look.", tool_calls=(_LOOK, other)),
        Message("tool", "Rain.", answers="c1"),
        Message("user", "And?"),
        Message.of_blocks("tool", ("Snow.", Image("iVBO")), answers="c2"),
        Message.of_blocks("user", ("Well", "?")),
        Message("assistant", "It"),
    )
    assert turns == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "é"}},
                {"type": "tool_use", "id": "c2", "name": "look", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "Rain."},
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "content": [
                        {"type": "text", "text": "Snow."},
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": "iVBO",
                            },
                        },
                    ],
                },
                {"type": "text", "text": "And?"},
                {"type": "text", "text": "Well"},
                {"type": "text", "text": "?"},
            ],
        },
        {"role": "assistant", "content": "It"},
    ]


def test_a_call_without_a_word():
    """An assistant's turn that is a call alone has no block of text."""
    (turn,) = _messages(Message("assistant", "", tool_calls=(_LOOK,)))
    assert [block["type"] for block in turn["content"]] == ["tool_use"]


def test_turns_of_one_role_stay_apart():
    """Where no tool is among them, turns are sent as ever: their answers are on users' disks."""
    assert _messages(Message("user", "a"), Message("user", "b")) == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


def test_tools_and_a_system_of_blocks():
    """Tools go as they are given, and the system's blocks as blocks."""
    tool = {"name": "look", "input_schema": {"type": "object"}}
    asked = CompletionRequest(
        (
            Message.of_blocks("system", ("Be brief.", "Be kind.")),
            Message("developer", "Be."),
            Message("user", "Hi"),
        ),
        tools=(json.dumps(tool),),
    )
    body = messages_body(asked, model="m")
    assert body["tools"] == [tool]
    assert body["system"] == [
        {"type": "text", "text": "Be brief."},
        {"type": "text", "text": "Be kind."},
        {"type": "text", "text": "Be."},
    ]


@pytest.mark.parametrize(
    ("turn", "asked", "named"),
    [
        (Message("user", "Hi"), {"ask": Ask.TOKENS}, "how it cuts a text into tokens"),
        (Message("user", "Hi"), {"ask": Ask.VECTORS}, "embeddings"),
        (Message("user", "Hi"), {"exact_tokens": (7,)}, "tokens by their number"),
        (Message("user", "Hi"), {"target": Target("y", Way.ECHO)}, "log-prob of a text by 'echo'"),
        (Message("user", "Hi"), {"num_samples": 2}, "so many answers at once"),
        (Message.of_blocks("system", (Image("iVBO"),)), {}, "images in the system's turn"),
        (Message("assistant", "", tool_calls=(ToolCall("c", "f", "{"),)), {}, "as a JSON object"),
        (Message("assistant", "", tool_calls=(ToolCall("c", "f", "[]"),)), {}, "as a JSON object"),
        (Message("user", "Hi"), {"tools": ("[]",)}, "tool 0 is no JSON object"),
    ],
)
def test_what_the_dialect_cannot_say(turn, asked, named):
    """It is refused in a sentence that names it, rather than left out."""
    with pytest.raises(UsageError, match=named):
        _messages(turn, **asked)


def test_calls_of_tools_are_read():
    """What tools the model asks for is part of its answer."""
    blocks = [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "é"}},
        {"type": "tool_use", "id": "c2", "name": "look"},
    ]
    answer = read_messages(json.dumps({"content": blocks}))
    assert answer.text == "I look."
    assert answer.tool_calls == (_LOOK, ToolCall("c2", "look", "{}"))


def test_reply(reply):
    """A message becomes one answer; cached tokens are part of the input; `raw` is kept."""
    raw = reply["anthropic"]
    assert read_messages(raw) == Completion(
        text="Positive",
        finish_reason="max_tokens",
        outcome=Outcome.TRUNCATED,
        model="claude-haiku-5-5-20260901",
        usage=Usage(
            requests=1,
            input_tokens=2079,
            output_tokens=1,
            cache_read_tokens=2048,
            cache_write_tokens=5,
        ),
        raw=raw,
    )


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (None, Outcome.ANSWERED),
        ("end_turn", Outcome.ANSWERED),
        ("stop_sequence", Outcome.ANSWERED),
        ("tool_use", Outcome.ANSWERED),
        ("max_tokens", Outcome.TRUNCATED),
        ("model_context_window_exceeded", Outcome.TRUNCATED),
        ("refusal", Outcome.REFUSED),
    ],
)
def test_outcome(reason, outcome):
    """How a message ended is told in our words; a refusal may have no text at all."""
    answer = read_messages(json.dumps({"type": "message", "content": [], "stop_reason": reason}))
    assert answer.outcome is outcome
    assert answer.finish_reason == (reason or "")
    assert answer.text == ""


def test_only_text_is_text():
    """Thoughts and tools are not what the model said."""
    blocks = [
        {"type": "thinking", "thinking": "hmm", "text": "not said"},
        {"type": "text", "text": "Pos"},
        {"type": "text", "text": "itive"},
        {"type": "tool_use", "name": "x", "input": {}},
    ]
    assert read_messages(json.dumps({"content": blocks})).text == "Positive"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ('{"type": "error", "error": {"type": "api_error", "message": "Gone."}}', ": Gone."),
        ('{"type": "error", "content": []}', "type"),
        ('{"error": "no", "content": []}', "completion: no."),
        ('{"choices": []}', "content: Field required"),
        ('{"type": "message", "content": [', "Invalid JSON"),
        ("<html>", "'<html>'"),
        ("", "Invalid JSON"),
    ],
    ids=["error", "type", "both", "openai", "cut", "html", "empty"],
)
def test_malformed(raw, said):
    """What is no message is refused in one printable line that says why."""
    with pytest.raises(MalformedReply) as caught:
        read_messages(raw)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert "billed" in caught.value.cost
    assert caught.value.__context__ is None
