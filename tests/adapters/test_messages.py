"""Anthropic's Messages dialect: exact bodies out, exact answers in."""

from __future__ import annotations

import json

import pytest
from spex_adapters._messages import messages_body, read_messages

from spex_api.completions import Completion, CompletionRequest, Message, Outcome, Usage
from spex_api.errors import MalformedReply


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
