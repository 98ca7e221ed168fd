"""Whatever a pipeline gives becomes a text and calls of tools."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from spex_api.completions import ToolCall
from spex_api.errors import UsageError
from spex_api.pipelines.given import Given, read_given

LOOK = ToolCall("c1", "look", '{"at":"Lyon"}')


@dataclass
class Verdict:
    """A pipeline's own type."""

    label: str
    scores: tuple[float, ...]


class Reply(BaseModel):
    """Pydantic's, as the vendors' replies are."""

    model_config = {"extra": "allow"}


@pytest.mark.parametrize(
    ("value", "given"),
    [
        ("15 days", Given("15 days")),
        (b"15 days", Given("15 days")),
        (None, Given("")),
        (15, Given("15")),
        ({"label": "ü"}, Given('{"label": "ü"}')),
        (["a", ("b",)], Given('["a", ["b"]]')),
        (Verdict("no", (0.5, 1.0)), Given('{"label": "no", "scores": [0.5, 1.0]}')),
        (Reply(label="no"), Given('{"label": "no"}')),
        ({"at": {1}}, Given('{"at": "{1}"}')),
        ('{"tool": "look", "args": {"at": "Lyon"}}', "call"),
        ("{ no JSON", Given("{ no JSON")),
    ],
)
def test_anything_becomes_text(value, given):
    """A text is itself; anything else is JSON, as far as JSON has words for it."""
    read = read_given(value)
    if given == "call":
        assert read == Given(value, (ToolCall("", "look", '{"at":"Lyon"}'),))
    else:
        assert read == given


CHAT = {
    "object": "chat.completion",
    "choices": [
        {
            "message": {
                "role": "assistant",
                "content": "I look.",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "look", "arguments": '{"at":"Lyon"}'},
                    }
                ],
            }
        }
    ],
}
RESPONSE = {
    "object": "response",
    "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "I look."}]},
        {
            "type": "function_call",
            "call_id": "c1",
            "name": "look",
            "arguments": '{"at":"Lyon"}',
        },
    ],
}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "Lyon"}},
    ],
}
LANGCHAIN = {
    "type": "ai",
    "content": "I look.",
    "tool_calls": [{"name": "look", "args": {"at": "Lyon"}, "id": "c1", "type": "tool_call"}],
}


@pytest.mark.parametrize("reply", [CHAT, RESPONSE, MESSAGE, LANGCHAIN])
def test_replies_are_told_by_their_shape(reply):
    """As dictionaries, and as objects of pydantic's, whoever made them."""
    assert read_given(reply) == Given("I look.", (LOOK,))
    assert read_given(Reply(**reply)) == Given("I look.", (LOOK,))


def test_a_vendors_own_objects_are_read():
    """OpenAI's and Anthropic's clients give such."""
    chat = ChatCompletion.construct(id="1", created=0, model="m", **CHAT)
    message = Message.construct(id="1", model="m", **MESSAGE)
    assert read_given(chat) == read_given(message) == Given("I look.", (LOOK,))


def test_a_reply_that_only_calls_has_no_text():
    """And one that is no assistant's is JSON."""
    silent = {"choices": [{"message": {**CHAT["choices"][0]["message"], "content": None}}]}
    assert read_given(silent) == Given("", (LOOK,))
    assert read_given({"role": "user", "content": "Hi"}).text == '{"role": "user", "content": "Hi"}'


def test_an_object_of_another_library_is_asked_for_its_own_words():
    """A method of pydantic's name that takes no settings."""
    thing = SimpleNamespace(model_dump=lambda: {"label": "no"})
    assert read_given(thing).text == '{"label": "no"}'


async def _pieces():
    yield "a"


@pytest.mark.parametrize("pieces", [(each for each in "ab"), _pieces()])
def test_pieces_are_no_answer(pieces):
    """Nobody but the user can tell how they are joined."""
    with pytest.raises(UsageError, match="piece by piece"):
        read_given(pieces)
