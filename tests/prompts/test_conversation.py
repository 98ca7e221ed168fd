"""Conversations as they are sent: all kept they are the original, and under any mask they hold."""

from __future__ import annotations

import json

import pytest
from anthropic.types import Message as AnthropicMessage
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage
from pydantic import TypeAdapter

from spex_api.completions import Image, Message, ToolCall
from spex_api.errors import PromptError
from spex_api.prompts import Prompt
from tests.prompts.rules import anthropic_flaws, openai_flaws

STORED = TypeAdapter(Prompt)
STYLES = ["drop", "token", "ellipsis", "placeholder", "<unk>"]
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
TOOLS = [
    {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}},
]


def call(number: int, name: str = "lookup") -> dict:
    arguments = json.dumps({"q": f"größe {number}"}, ensure_ascii=False)
    return {
        "id": f"c{number}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


CHAT = [
    {"role": "system", "content": "Be brief.\nBe kind."},
    {"role": "user", "content": "How tall is she?"},
    {"role": "assistant", "content": "Let me look.", "tool_calls": [call(1), call(2)]},
    {"role": "tool", "tool_call_id": "c1", "content": "She is 1.80 m tall. Or so."},
    {"role": "tool", "tool_call_id": "c2", "content": "5 ft 11"},
    {"role": "assistant", "content": "About 1.80 m."},
    {"role": "user", "content": "And in inches? Be exact."},
]

words = st.text(min_size=1, max_size=12).filter(str.strip)


@st.composite
def chats(draw):
    """Conversations that an endpoint takes: any texts, any number of tools, ends of all kinds."""
    counter = iter(range(1000))

    def turn_with_tools():
        calls = [call(next(counter)) for _ in range(draw(st.integers(1, 3)))]
        said = {"role": "assistant", "content": draw(st.none() | words), "tool_calls": calls}
        results = [
            {"role": "tool", "tool_call_id": each["id"], "content": draw(words)} for each in calls
        ]
        return [said, *results]

    messages = []
    if draw(st.booleans()):
        messages.append(
            {"role": draw(st.sampled_from(["system", "developer"])), "content": draw(words)}
        )
    for _ in range(draw(st.integers(0, 3))):
        messages.append({"role": "user", "content": draw(contents())})
        for _ in range(draw(st.integers(0, 2))):
            messages.extend(turn_with_tools())
        messages.append({"role": "assistant", "content": draw(words)})
    messages.append({"role": "user", "content": draw(contents())})
    for _ in range(draw(st.integers(0, 2))):
        messages.extend(turn_with_tools())
    return messages


@st.composite
def contents(draw):
    """A text, or parts with pictures between them."""
    if draw(st.booleans()):
        return draw(words)
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    part = words.map(lambda text: {"type": "text", "text": text}) | st.just(picture)
    return draw(st.lists(part, min_size=1, max_size=3))


def wire(message: Message) -> dict:
    """A message in OpenAI's dialect, written out here by hand."""
    sent: dict = {"role": message.role}
    if message.answers:
        sent["tool_call_id"] = message.answers
    parts = [
        {"type": "text", "text": block}
        if isinstance(block, str)
        else {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{block.data}"}}
        for block in message.blocks
    ]
    sent["content"] = parts or message.content
    if message.tool_calls:
        sent["content"] = sent["content"] or None
        sent["tool_calls"] = [
            {
                "id": each.id,
                "type": "function",
                "function": {"name": each.name, "arguments": each.arguments},
            }
            for each in message.tool_calls
        ]
    return sent


def whole_call(number: int) -> tuple[ToolCall, ...]:
    function = call(number)["function"]
    return (ToolCall(f"c{number}", function["name"], function["arguments"]),)


def whole(prompt: Prompt) -> tuple[Message, ...]:
    return prompt.render([1] * prompt.num_features)


def masks_of(data, prompt: Prompt) -> list[bool]:
    size = prompt.num_features
    return data.draw(st.lists(st.booleans(), min_size=size, max_size=size))


def built(messages, **settings) -> Prompt | None:
    """The prompt, or None where the conversation has nothing of what is asked for."""
    try:
        return Prompt.from_openai(messages, **settings)
    except PromptError as error:
        assert "nothing to mask" in str(error) or "empty" in str(error)  # noqa: PT017
        return None


@given(
    chats(),
    st.sampled_from(["messages", "few_shot", "tool_results", "instructions", "words", "sentences"]),
    st.sampled_from(STYLES),
    st.data(),
)
def test_any_mask_of_any_conversation_is_a_conversation(messages, split, style, data):
    """Both endpoints take it, all kept is the original, and a file gives the same prompt back."""
    prompt = built(messages, split=split, mask=style)
    if prompt is None:
        return
    assert [wire(message) for message in whole(prompt)] == messages
    mask = masks_of(data, prompt)
    asked = prompt.render(mask)
    assert openai_flaws(asked) == []
    assert anthropic_flaws(asked) == []
    assert STORED.validate_json(STORED.dump_json(prompt)) == prompt
    if prompt.render(mask) != whole(prompt):
        assert prompt.reading(mask) != prompt.reading([1] * prompt.num_features)


@given(chats(), st.sampled_from(STYLES), st.data())
def test_any_refinement_is_a_conversation(messages, style, data):
    """Messages, then the words of some: nothing is lost, and every mask still holds."""
    prompt = built(messages, mask=style)
    if prompt is None:
        return
    cut = data.draw(st.sets(st.sampled_from(range(prompt.num_features)), min_size=1))
    try:
        finer = prompt.refined(cut, split="words")
    except PromptError as error:
        assert "nothing to mask" in str(error)  # noqa: PT017
        return
    assert [wire(message) for message in whole(finer)] == messages
    asked = finer.render(masks_of(data, finer))
    assert anthropic_flaws(asked) == []
    assert STORED.validate_json(STORED.dump_json(finer)) == finer


@given(chats(), st.sampled_from(["user", "assistant", "tool", "system"]), st.data())
def test_any_roles_words_are_features(messages, role, data):
    """`of` a role splits its texts, and what is left of the conversation holds."""
    if role not in {message["role"] for message in messages}:
        return
    prompt = built(messages, split="words", of=role)
    if prompt is not None:
        assert [wire(message) for message in whole(prompt)] == messages
        assert anthropic_flaws(prompt.render(masks_of(data, prompt))) == []


def test_messages_are_features_and_tools_stay_together():
    """A turn that calls tools is one feature with its results; the last question is pinned."""
    prompt = Prompt.from_openai(CHAT)
    assert prompt.num_features == 4
    assert prompt.features[:2] == ("Be brief.\nBe kind.", "How tall is she?")
    assert prompt.features[2].split(" → ") == [
        "Let me look.",
        'lookup({"q": "größe 1"})',
        'lookup({"q": "größe 2"})',
        "She is 1.80 m tall. Or so.",
        "5 ft 11",
    ]
    assert prompt.render([0, 0, 0, 0]) == (Message("user", "And in inches? Be exact."),)
    assert [m.role for m in prompt.render([1, 1, 0, 1])] == ["system", "user", "assistant", "user"]


def test_what_is_dropped_between_two_of_the_user_makes_one_of_them():
    """Neighbours that were none are joined by a blank line; neighbours from the first are not."""
    prompt = Prompt.from_openai(CHAT)
    assert prompt.render([0, 1, 0, 0]) == (
        Message("user", "How tall is she?\n\nAnd in inches? Be exact."),
    )
    twice = [{"role": "system", "content": "s"}, *[{"role": "user", "content": x} for x in "ab"]]
    assert Prompt.from_openai(twice).render([0, 1]) == (Message("user", "a"), Message("user", "b"))


def test_turns_of_blocks_become_one_without_an_empty_block():
    """A turn that only calls a tool adds no text to the turn before it."""
    parts = [{"type": "text", "text": "Hm."}]
    messages = [CHAT[1], {"role": "assistant", "content": parts}, CHAT[1]]
    messages += [{"role": "assistant", "tool_calls": [call(1)]}, CHAT[3], CHAT[6]]
    asked = Prompt.from_openai(messages).render([1, 1, 0, 1])
    assert asked[1] == Message("assistant", "Hm.", ("Hm.",), whole_call(1))
    assert anthropic_flaws(asked) == []


def test_the_user_begins_where_the_user_began():
    """A turn "…" stands for the first question where it is gone, and its answer stays."""
    prompt = Prompt.from_openai(CHAT)
    assert prompt.render([0, 0, 0, 1])[:2] == (
        Message("user", "…"),
        Message("assistant", "About 1.80 m."),
    )


def test_a_call_takes_its_result_with_it():
    """Dropped, both are gone, and the last call takes its turn; a token leaves both standing."""
    prompt = Prompt.from_openai(CHAT, split="tool_results")
    assert prompt.features[1] == 'lookup({"q": "größe 2"}) → 5 ft 11'
    one = prompt.render([1, 0])
    assert one[2].tool_calls == (ToolCall("c1", "lookup", '{"q": "größe 1"}'),)
    assert [message.answers for message in one if message.role == "tool"] == ["c1"]
    assert [message.role for message in prompt.render([0, 0])] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert prompt.render([0, 0])[2].content == "About 1.80 m."
    token = Prompt.from_openai(CHAT, split="tool_results", mask="token").render([1, 0])
    assert token[2].tool_calls[1] == ToolCall("c2", "lookup", "{}")
    assert token[4] == Message("tool", "[MASK]", answers="c2")


def test_masking_begins_no_answer():
    """Where a tool had the last word, what was said before its call is not left dangling."""
    prompt = Prompt.from_openai(CHAT[:5], split="tool_results")
    assert prompt.render([0, 0])[-1] == Message("user", "How tall is she?")


def test_what_was_thought_aloud_is_no_answer_begun():
    """An assistant's turn that was not the last does not become it; one that was, stays."""
    aloud = [CHAT[1], {"role": "assistant", "content": "Hm."}, *CHAT[2:5]]
    assert Prompt.from_openai(aloud, split="tool_results").render([0, 0]) == (
        Message("user", "How tall is she?"),
    )
    begun = [*CHAT, {"role": "assistant", "content": "Inches:"}]
    prompt = Prompt.from_openai(begun)
    assert prompt.num_features == 4
    for mask in ([0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]):
        asked = prompt.render(mask)
        assert asked[-1] == Message("assistant", "Inches:")
        assert anthropic_flaws(asked, begun=True) == []


def test_examples_are_pairs():
    """A question and its answer are one feature; the last question is none."""
    shots = [
        {"role": role, "content": text}
        for text_pair in [("good film", "positive"), ("bad film", "negative")]
        for role, text in zip(("user", "assistant"), text_pair, strict=True)
    ]
    prompt = Prompt.from_openai(
        [*shots, {"role": "user", "content": "fine film"}], split="few_shot"
    )
    assert prompt.features == ("good film → positive", "bad film → negative")
    assert [m.content for m in prompt.render([0, 1])] == ["bad film", "negative", "fine film"]


def test_instructions_are_the_lines_of_the_system():
    """Lines where there are several, sentences where there is one; all gone, the turn goes."""
    assert Prompt.from_openai(CHAT, split="instructions").features == ("Be brief.", "Be kind.")
    one_line = [{"role": "system", "content": "Be brief. Be kind."}, CHAT[1]]
    prompt = Prompt.from_openai(one_line, split="instructions")
    assert prompt.features == ("Be brief.", "Be kind.")
    assert prompt.render([0, 0]) == (Message("user", "How tall is she?"),)


def test_tools_are_features_unless_they_are_called():
    """The definition of a tool that was called is pinned; the others are dropped by the mask."""
    prompt = Prompt.from_openai(CHAT, split="tools", tools=TOOLS)
    assert [json.loads(tool) for tool in prompt.tools] == TOOLS
    assert prompt.num_features == 1
    assert not prompt.ordered
    assert [json.loads(tool) for tool in prompt.tools_under([0])] == TOOLS[:1]
    assert prompt.reading([0]) != prompt.reading([1])
    assert [wire(message) for message in prompt.render([0])] == CHAT


def test_the_last_question_is_split_where_a_text_is_to_be():
    """By default a way to split a text cuts the user's last turn; places count from either end."""
    assert Prompt.from_openai(CHAT, split="sentences").features == ("And in inches?", "Be exact.")
    assert Prompt.from_openai(CHAT, split="words", of=-2).features == ("About", "1.80", "m.")
    assert Prompt.from_openai(CHAT, split="words", of=3).features[-1] == "so."
    emptied = Prompt.from_openai(CHAT, split="sentences").render([0, 0])
    assert emptied[-1] == Message("user", "…")
    emptied = Prompt.from_openai(CHAT, split="sentences", of=3).render([0, 0])
    assert emptied[3] == Message("tool", "…", answers="c1")


def test_anthropics_dialect_is_read():
    """Text, pictures, calls and results in their blocks; a result is a turn of its own."""
    prompt = Prompt.from_anthropic(
        [{"type": "text", "text": "Be brief."}],
        [
            {"role": "user", "content": "How tall?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "t1", "name": "lookup", "input": {"q": "ü"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": [
                            {"type": "text", "text": "1.80"},
                            {
                                "type": "image",
                                "source": {
                                    "type": "base64",
                                    "media_type": "image/png",
                                    "data": PIXEL,
                                },
                            },
                        ],
                    },
                    {"type": "text", "text": "In inches?"},
                ],
            },
        ],
    )
    assert whole(prompt) == (
        Message("system", "Be brief.", ("Be brief.",)),
        Message("user", "How tall?"),
        Message(
            "assistant",
            "Let me look.",
            ("Let me look.",),
            (ToolCall("t1", "lookup", '{"q": "ü"}'),),
        ),
        Message("tool", "1.80", ("1.80", Image(PIXEL)), answers="t1"),
        Message("user", "In inches?", ("In inches?",)),
    )
    assert prompt.render([1, 1, 0]) == (
        Message("system", "Be brief.", ("Be brief.",)),
        Message("user", "How tall?In inches?", ("How tall?", "In inches?")),
    )
    assert STORED.validate_json(STORED.dump_json(prompt)) == prompt


def test_the_sdks_own_objects_are_read():
    """What a client answered can be put into the list as it is."""
    said = ChatCompletionMessage.model_validate(
        {"role": "assistant", "content": None, "tool_calls": [call(1)]}
    )
    prompt = Prompt.from_openai([CHAT[1], said, CHAT[3]], split="tool_results")
    assert whole(prompt)[1].tool_calls == (ToolCall("c1", "lookup", '{"q": "größe 1"}'),)
    reply = AnthropicMessage.model_validate(
        {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [{"type": "tool_use", "id": "c1", "name": "lookup", "input": {"q": None}}],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    )
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1"}]}
    for second in (reply, {"role": "assistant", "content": reply.content}):
        prompt = Prompt.from_anthropic(None, [CHAT[1], second, result])
        assert whole(prompt)[1].tool_calls == (ToolCall("c1", "lookup", '{"q": null}'),)


def test_a_whole_message_can_be_huge():
    """A hundred thousand words in a hundred messages are a hundred features."""
    long = "wörd 😀 " * 1000
    messages = [
        {"role": ("user", "assistant")[at % 2], "content": f"{at} {long}"} for at in range(101)
    ]
    prompt = Prompt.from_openai(messages)
    assert prompt.num_features == 100
    assert anthropic_flaws(prompt.render([at % 3 == 0 for at in range(100)])) == []


def test_a_function_that_masks_is_not_in_a_file():
    """A prompt that is read back says so when it is to be masked, and takes the function again."""
    prompt = Prompt.from_openai(CHAT, mask=str.upper)
    back = STORED.validate_json(STORED.dump_json(prompt))
    with pytest.raises(PromptError, match="upper"):
        back.render([1, 1, 1, 1])


def test_files_of_older_versions_are_read():
    """A prompt as it was stored before conversations had tools, pictures and blocks."""
    old = {
        "turns": [{"role": "user", "segments": [{"text": "a", "gap": " ", "pinned": False}]}],
        "mask": "drop",
        "ordered": True,
    }
    assert STORED.validate_python(old).render([1]) == (Message("user", "a "),)


USER = {"role": "user", "content": "Hi there"}


@pytest.mark.parametrize(
    ("messages", "settings", "said"),
    [
        ([], {}, "no messages"),
        ([USER], {}, "nothing to mask"),
        ([{"role": "king", "content": "Hi"}], {}, "Message 0"),
        ([{"role": "user"}], {}, "content"),
        ([{**USER, "name": "Ann"}], {}, "name"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], {}, "input_audio"),
        ([USER, {"role": "assistant", "tool_calls": [call(1)]}], {}, "has no result"),
        ([USER, {"role": "tool", "tool_call_id": "x", "content": "r"}], {}, "'x'"),
        ([USER, {"role": "assistant", "tool_calls": [call(1), call(1)]}], {}, "one id"),
        ([USER], {"split": "words", "of": 7}, "7"),
        ([USER], {"split": "words", "of": "tool"}, "tool"),
        ([USER], {"split": "syllables"}, "'syllables'.*few_shot.*sentences"),
        ([USER], {"split": "tools", "tools": ["{"]}, "Tool 0"),
        ([USER], {"split": "words", "mask": ""}, "mask"),
    ],
)
def test_misuse_is_named(messages, settings, said):
    """What is no conversation, or cannot be told in our words, is told by its place."""
    with pytest.raises(PromptError, match=said):
        Prompt.from_openai(messages, **settings)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, "thinking"),
        ({"type": "tool_result", "tool_use_id": "x"}, "the assistant's"),
    ],
)
def test_blocks_that_we_have_no_words_for_are_named(block, said):
    """Nothing that a model reads is left out silently."""
    messages = [USER, {"role": "assistant", "content": [block]}, USER]
    with pytest.raises(PromptError, match=said):
        Prompt.from_anthropic(None, messages)


def test_there_is_no_such_feature():
    """A feature to be cut must be there."""
    with pytest.raises(PromptError, match="no feature 9"):
        Prompt.from_openai(CHAT).refined([9])
