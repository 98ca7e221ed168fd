"""What a call asked is read in three dialects; what cannot be asked again is told or refused."""

from __future__ import annotations

import pytest

from spex_api.calls.asked import asked_in, wire_of
from spex_api.errors import PromptError, SpecError
from spex_api.prompts import Prompt

USER = {"role": "user", "content": "How many days? It matters."}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CHAT = {
    "model": "gpt-4.1-mini",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "15 days"},
        USER,
    ],
    "tools": [LOOK],
    "max_completion_tokens": 40,
    "temperature": 0.3,
}
RESPONSES = {
    "model": "gpt-4.1-mini",
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Look it up."}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}", "id": "fc"},
        {"type": "function_call_output", "call_id": "c1", "output": "15 days"},
        {"type": "message", **USER},
    ],
    "tools": [{"type": "function", "name": "look", "parameters": {"type": "object"}}],
    "max_output_tokens": 40,
    "temperature": 0.3,
}
MESSAGES = {
    "model": "claude-haiku-5-5",
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": "Look it up."},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "15 days"}],
        },
        USER,
    ],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    "max_tokens": 40,
    "temperature": 0.3,
}


def asked(body, **settings):
    return asked_in(body, where="test", **settings)


@pytest.mark.parametrize(
    ("body", "wire"),
    [(CHAT, "openai.chat"), (RESPONSES, "openai.responses"), (MESSAGES, "anthropic.messages")],
)
def test_each_dialect_is_told_by_its_shape_and_read_whole(body, wire):
    """Messages, tools, model, length and temperature; nothing is left to be told."""
    found = asked(body)
    assert found.wire == wire
    assert (found.model, found.max_tokens, found.temperature) == (body["model"], 40, 0.3)
    assert found.notices == ()
    prompt = found.prompt()
    assert prompt.features == ("Be brief.", "Look it up.", "look({}) → 15 days")
    assert "look" in prompt.tools[0]
    assert prompt.render([1, 1, 1])[-1].content == USER["content"]


def test_a_chat_is_the_prompt_that_python_makes_of_it():
    """The same messages and tools, split the same way."""
    assert asked(CHAT).prompt() == Prompt.from_openai(CHAT["messages"], tools=[LOOK])
    cut = asked(MESSAGES).prompt(split="sentences", of=-1, mask="token")
    expected = Prompt.from_anthropic(
        MESSAGES["system"],
        MESSAGES["messages"],
        tools=MESSAGES["tools"],
        split="sentences",
        of=-1,
        mask="token",
    )
    assert cut == expected


def test_responses_say_what_the_chat_says():
    """The same turns and the same tools, whichever of its APIs OpenAI was asked by."""
    assert asked(RESPONSES).prompt() == asked(CHAT).prompt()


@pytest.mark.parametrize(
    ("url", "wire"),
    [
        ("https://api.openai.com/v1/chat/completions", "openai.chat"),
        ("https://me.openai.azure.com/openai/v1/responses/?api-version=1", "openai.responses"),
        ("https://api.anthropic.com/v1/messages", "anthropic.messages"),
        ("https://api.openai.com/v1/embeddings", None),
        ("", None),
    ],
)
def test_the_path_tells_the_dialect(url, wire):
    """Of whichever host; a path that is not known tells nothing."""
    assert wire_of(url) == wire


def test_the_url_goes_before_the_shape():
    """A body that fits both dialects is of the one whose path it was sent to."""
    plain = {"model": "m", "messages": [USER], "max_tokens": 5}
    assert asked(plain).wire == "openai.chat"
    assert asked({**plain, "model": "claude-haiku-5-5"}).wire == "anthropic.messages"
    assert asked(plain, url="https://host/v1/messages").wire == "anthropic.messages"
    assert asked(plain, wire="anthropic.messages").wire == "anthropic.messages"


def test_what_is_not_asked_again_is_told_by_what_it_means():
    """What may change the answer, what says how it is drawn, and what nothing depends on."""
    told = asked(
        {
            **CHAT,
            "stream": True,
            "store": False,
            "user": "u",
            "top_p": 0.9,
            "seed": 3,
            "response_format": {"type": "json_object"},
            "frobnicate": 1,
        }
    ).notices
    assert told == (
        "Beware: the call has frobnicate and response_format, which may change the answer and are "
        "not sent by us: what is explained is the answer without.",
        "The call has seed and top_p, which say how answers are drawn; ours are drawn without.",
        "Left out, since no answer depends on it: store, stream, user.",
    )


def test_what_is_so_anyway_is_not_told():
    """Values that say what holds without them are no news."""
    usual = {"tool_choice": "auto", "top_p": 1, "stream": False, "n": 1, "presence_penalty": 0.0}
    usual |= {"response_format": {"type": "text"}, "stop": None, "parallel_tool_calls": True}
    assert asked({**CHAT, **usual}).notices == ()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([USER], "no JSON object"),
        ({"prompt": "Hi"}, "holds no conversation"),
        ({"messages": []}, "holds no conversation"),
        ({**RESPONSES, "previous_response_id": "r"}, "'previous_response_id'.*kept by OpenAI"),
        ({"model": "m", "prompt": {"id": "p"}, "input": "x"}, "'prompt'.*kept by OpenAI"),
        ({**CHAT, "functions": [{}]}, "'functions'"),
        ({**CHAT, "modalities": ["text", "audio"]}, "'modalities'"),
        ({**CHAT, "system": "x", "model": "m"}, "marks of two dialects"),
        ({**CHAT, "max_completion_tokens": 0}, "0 tokens long"),
        ({**CHAT, "temperature": "hot"}, "temperature 'hot'"),
        ({**CHAT, "model": 3}, "'model'"),
        ({**RESPONSES, "input": []}, "no 'input'"),
        ({**RESPONSES, "tools": [{"type": "web_search"}]}, "Tool 0.*'web_search'"),
        ({**RESPONSES, "input": [{"type": "item_reference", "id": "i"}]}, "'item_reference'"),
        (
            {
                **RESPONSES,
                "input": [
                    {"role": "user", "content": [{"type": "input_file", "file_id": "f"}]},
                ],
            },
            "Item 0.*'input_file'",
        ),
        (
            {
                **RESPONSES,
                "input": [
                    {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
                ],
            },
            "'file_id'",
        ),
    ],
)
def test_what_cannot_be_asked_again_is_refused_by_name(body, message):
    """A sentence names the field, and says what is missing or what to do."""
    with pytest.raises(SpecError, match=message):
        asked(body)


def test_system_beside_a_chats_messages_is_refused():
    """That dialect has none there, whatever the path was."""
    with pytest.raises(SpecError, match="'system' beside"):
        asked({**CHAT, "system": "x"}, wire="openai.chat")


def test_what_no_prompt_can_say_is_the_prompts_own_error():
    """The message and the field in it are named."""
    odd = {"role": "user", "content": "Hi", "name": "Ann"}
    with pytest.raises(PromptError, match=r"Message 0 .* name"):
        asked({**CHAT, "messages": [odd]}).prompt()


def test_texts_pictures_and_calls_of_responses():
    """Blocks become a chat's, calls join the turn before them, and thoughts are told."""
    body = {
        "model": "m",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is it?"},
                    {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
                ],
            },
            {"type": "reasoning", "id": "r", "summary": []},
            {
                "type": "message",
                "role": "assistant",
                "id": "m",
                "status": "completed",
                "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
            },
            {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
            {"type": "function_call", "call_id": "b", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "one"},
            {
                "type": "function_call_output",
                "call_id": "b",
                "output": [{"type": "input_text", "text": "two"}],
            },
        ],
    }
    found = asked(body)
    turns = found.turns
    assert [turn.role for turn in turns] == ["user", "assistant", "tool", "tool"]
    assert [call.id for call in turns[1].calls] == ["a", "b"]
    assert "reasoning" in found.notices[0]
    assert asked({"model": "m", "input": "Hi"}).messages == ({"role": "user", "content": "Hi"},)
