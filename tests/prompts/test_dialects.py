"""A conversation of real shape, under every mask there is, as either endpoint gets it."""

from __future__ import annotations

import json
from itertools import pairwise, product

import pytest
from anthropic.types import MessageParam
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter
from spex_adapters._chat import chat_body
from spex_adapters._messages import messages_body

from spex_api.completions import CompletionRequest
from spex_api.errors import PromptError
from spex_api.prompts import Prompt

OPENAI = TypeAdapter(ChatCompletionMessageParam)
ANTHROPIC = TypeAdapter(MessageParam)
STYLES = ["drop", "token", "ellipsis", "placeholder", "<unk>", str.upper]


def call(name: str, where: str) -> dict:
    arguments = json.dumps({"where": where})
    return {"id": name, "type": "function", "function": {"name": "look", "arguments": arguments}}


CHAT = [
    {"role": "system", "content": "Be brief. Be kind."},
    {"role": "user", "content": "Where is it warmer?"},
    {
        "role": "assistant",
        "content": "Let me look.",
        "tool_calls": [call("c1", "Oslo"), call("c2", "Rome")],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "-3 °C"},
    {"role": "tool", "tool_call_id": "c2", "content": "14 °C"},
    {"role": "assistant", "content": "In Rome."},
    {"role": "user", "content": "By how much? One number."},
]


def openai_body(prompt: Prompt, mask: tuple[int, ...]) -> list[dict]:
    """The messages on OpenAI's wire, once they are seen to be what its API takes."""
    request = CompletionRequest(prompt.render(mask))
    body = chat_body(request, model="m", length_field="max_tokens", longest_list=20)
    sent = json.loads(json.dumps(body))["messages"]
    waiting: list[str] = []
    for message in sent:
        OPENAI.validate_python(message)
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
        else:
            assert waiting == []
            waiting = [each["id"] for each in message.get("tool_calls", ())]
        for each in message.get("tool_calls", ()):
            json.loads(each["function"]["arguments"])
        assert message.get("content") or message.get("tool_calls")
    assert waiting == []
    assert sent[-1]["role"] == "user"
    return sent


def anthropic_body(prompt: Prompt, mask: tuple[int, ...]) -> dict:
    """The body on Anthropic's wire, once it is seen to be what its API takes."""
    body = json.loads(json.dumps(messages_body(CompletionRequest(prompt.render(mask)), model="m")))
    sent = body["messages"]
    assert sent[0]["role"] == sent[-1]["role"] == "user"
    assert all(one["role"] != other["role"] for one, other in pairwise(sent))
    waiting: list[str] = []
    for message in sent:
        ANTHROPIC.validate_python(message)
        blocks = message["content"]
        if isinstance(blocks, str):
            assert blocks.strip()
            blocks = []
        else:
            assert blocks
        results = [each["tool_use_id"] for each in blocks if each["type"] == "tool_result"]
        assert sorted(results) == sorted(waiting)
        kinds = [each["type"] == "tool_result" for each in blocks]
        assert kinds == sorted(kinds, reverse=True)
        waiting = [each["id"] for each in blocks if each["type"] == "tool_use"]
        assert all(each["text"].strip() for each in blocks if each["type"] == "text")
    assert waiting == []
    assert body.get("system", "x")
    return body


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("split", "num_features"), [("messages", 4), ("tool_results", 2), ("instructions", 2)]
)
def test_every_mask_is_valid_in_both_dialects(split, num_features, style):
    """Two parallel calls and their results among them; all kept is what was given."""
    prompt = Prompt.from_openai(CHAT, split=split, mask=style)
    assert prompt.num_features == num_features
    for mask in product((0, 1), repeat=num_features):
        openai_body(prompt, mask)
        anthropic_body(prompt, mask)
    assert openai_body(prompt, (1,) * num_features) == CHAT


@pytest.mark.parametrize("style", STYLES)
def test_every_mask_of_every_text_is_valid_in_both_dialects(style):
    """Each message's words in turn, the results of the tools too."""
    for of in range(len(CHAT)):
        prompt = Prompt.from_openai(CHAT, split="words", of=of, mask=style)
        for mask in product((0, 1), repeat=prompt.num_features):
            openai_body(prompt, mask)
            anthropic_body(prompt, mask)


def test_what_anthropic_was_sent_is_sent_again():
    """A body in Anthropic's dialect, all kept, is the body that was read."""
    results = [
        {"type": "tool_result", "tool_use_id": name, "content": content}
        for name, content in (("t1", "-3 °C"), ("t2", "14 °C"))
    ]
    uses = [
        {"type": "tool_use", "id": name, "name": "look", "input": {"where": where}}
        for name, where in (("t1", "Oslo"), ("t2", "Rome"))
    ]
    messages = [
        {"role": "user", "content": "Where is it warmer?"},
        {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, *uses]},
        {"role": "user", "content": [*results, {"type": "text", "text": "By how much?"}]},
    ]
    prompt = Prompt.from_anthropic("Be brief.", messages, split="tool_results")
    assert prompt.num_features == 2
    for mask in product((0, 1), repeat=2):
        anthropic_body(prompt, mask)
    told = anthropic_body(prompt, (1, 1))
    assert (told["system"], told["messages"]) == ("Be brief.", messages)
    assert anthropic_body(prompt, (0, 0))["messages"][-1]["role"] == "user"


def test_a_servers_ids_may_come_again():
    """Some servers number the calls of each turn anew: a masked call takes its own result only."""
    again = [
        *CHAT[1:6],
        {"role": "user", "content": "And in Kyiv?"},
        {"role": "assistant", "content": None, "tool_calls": [call("c1", "Kyiv")]},
        {"role": "tool", "tool_call_id": "c1", "content": "2 °C"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "By how much?"},
    ]
    prompt = Prompt.from_openai(again, split="tool_results")
    assert prompt.features[0].endswith("→ -3 °C")
    assert prompt.features[2].endswith("→ 2 °C")
    for mask in product((0, 1), repeat=3):
        openai_body(prompt, mask)
        anthropic_body(prompt, mask)
    sent = openai_body(prompt, (0, 1, 1))
    assert [each["content"] for each in sent if each["role"] == "tool"] == ["14 °C", "2 °C"]
    messages = Prompt.from_openai(again)
    assert [feature.count("°C") for feature in messages.features] == [0, 2, 0, 0, 1, 0]


def test_a_tool_is_known_by_its_name_alone():
    """One that only mentions a called tool may be masked, in either dialect."""
    mentions = {"type": "object", "properties": {"look": {"enum": ["look"]}}}
    tools = [
        {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}},
        {"type": "function", "function": {"name": "other", "parameters": mentions}},
        {"name": "third", "input_schema": mentions},
        {"name": "look", "input_schema": mentions},
    ]
    prompt = Prompt.from_openai(CHAT, split="tools", tools=tools)
    assert [json.loads(tool) for tool in prompt.tools_under([0, 0])] == [tools[0], tools[3]]


ASKED = {"role": "user", "content": "Why?"}
USED = {"type": "tool_use", "id": "1", "name": "f", "input": {}}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"role": "assistant", "content": "x", "reasoning_content": "r"}, "reasoning_content"),
        ({"role": "user", "content": "x", "name": "Eva"}, "name"),
        ({"role": "assistant", "content": None, "refusal": "No."}, "refusal"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "function_call"),
        ({"role": "assistant", "content": [{"type": "refusal"}]}, "content.0: 'type' is 'refusal'"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "a": 1}}]},
            "content.0.image_url.a",
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "function": {"name": "f"}, "extra_content": {}}],
            },
            "tool_calls.0.extra_content",
        ),
        ({"role": "user", "content": []}, "content: List should have at least 1 item"),
        ({"content": "x"}, "it has no 'role'"),
        ("x", "it is no JSON object"),
    ],
)
def test_what_openai_messages_hold_and_we_do_not_send_is_named(message, told):
    """Nothing that a model may read is dropped: it is refused, by its name and place."""
    with pytest.raises(PromptError) as refused:
        Prompt.from_openai([message, ASKED], split="words")
    assert f"Message 0 cannot be told in our words: {told}" in str(refused.value)


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "thinking", "thinking": "h", "signature": "s"}, "'type' is 'thinking'"),
        ({"type": "document", "source": {}}, "'type' is 'document'"),
        ({"type": "text", "text": "x", "citations": [{}]}, "citations is not sent on"),
        ({**USED, "caller": {"type": "code_execution_20250825"}}, "caller.type"),
        ({"type": "tool_result", "tool_use_id": "1", "is_error": True}, "is_error"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "source: 'type' is 'file'"),
    ],
)
def test_what_anthropics_blocks_hold_and_we_do_not_send_is_named(block, told):
    """Nothing that a model may read is dropped: it is refused, by its name and place."""
    with pytest.raises(PromptError) as refused:
        Prompt.from_anthropic(None, [{"role": "assistant", "content": [block]}, ASKED])
    assert "Message 0 cannot be told in our words: content.0" in str(refused.value)
    assert told in str(refused.value)


def test_a_results_name_is_that_of_its_tool():
    """It says what the call says, and is let pass; another would be lost, and is refused."""
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    result = {"role": "tool", "tool_call_id": "1", "name": "f", "content": "r"}
    chat = [ASKED, {"role": "assistant", "content": None, "tool_calls": calls}, result, ASKED]
    assert Prompt.from_openai(chat, split="words").num_features == 1
    chat[2] = {**result, "name": "g"}
    with pytest.raises(PromptError, match="Message 2 has the name 'g'"):
        Prompt.from_openai(chat, split="words")


@pytest.mark.parametrize("messages", [None, 3, "Why?", b"Why?", ASKED])
def test_messages_are_a_list(messages):
    """One message, or none, is told as such, not taken apart."""
    for make in (Prompt.from_openai, lambda given: Prompt.from_anthropic(None, given)):
        with pytest.raises(PromptError, match="not as a list|has no messages"):
            make(messages)


def test_tools_may_be_none_and_are_objects():
    """A body's missing tools are none; what is no definition is refused."""
    assert Prompt.from_openai([ASKED], split="words", tools=None).tools == ()
    for tools in ([3], ["3"], {"type": "function"}, "{}"):
        with pytest.raises(PromptError, match="no definition of a tool|not as a list"):
            Prompt.from_openai([ASKED], split="words", tools=tools)
