"""A tool's definition, said in the dialect of whoever is asked."""

from __future__ import annotations

import json

import pytest
from anthropic.types import ToolParam
from openai.types.chat import ChatCompletionToolParam
from pydantic import TypeAdapter
from spex_adapters._tools import anthropics_tools, openais_tools

from spex_api.completions import CompletionRequest, Message
from spex_api.errors import UsageError

SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
OPENAIS = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA},
}
ANTHROPICS = {"name": "look", "description": "Looks.", "input_schema": SCHEMA}


def asked(*tools: object) -> CompletionRequest:
    return CompletionRequest((Message("user", "Hi"),), tools=tuple(map(json.dumps, tools)))


def test_each_dialect_gets_its_own():
    """One tool is the same tool in both, and is written as each API takes it."""
    assert openais_tools(asked(OPENAIS, ANTHROPICS)) == [OPENAIS, OPENAIS]
    assert anthropics_tools(asked(OPENAIS, ANTHROPICS)) == [ANTHROPICS, ANTHROPICS]
    TypeAdapter(ToolParam).validate_python(ANTHROPICS)
    TypeAdapter(ChatCompletionToolParam).validate_python(OPENAIS)


def test_what_says_nothing_is_no_hindrance():
    """What is so without it, and what changes the price alone, may be left out."""
    plain = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
    loose = {"name": "look", "strict": False, "description": None}
    assert anthropics_tools(asked({"type": "function", "function": loose})) == [plain]
    cached = {**ANTHROPICS, "type": "custom", "cache_control": {"type": "ephemeral"}}
    assert openais_tools(asked(cached)) == [OPENAIS]


def test_what_is_an_endpoints_own_goes_as_it_is():
    """A tool that the endpoint runs itself has no definition that could be said otherwise."""
    search = {"type": "web_search_20250305", "name": "web_search"}
    assert anthropics_tools(asked(search)) == [search]
    custom = {"type": "custom", "custom": {"name": "look"}}
    assert openais_tools(asked(custom)) == [custom]


@pytest.mark.parametrize(
    ("say", "tool", "named"),
    [
        (anthropics_tools, {**OPENAIS, "function": {"name": "f", "strict": True}}, "'strict'"),
        (anthropics_tools, {**OPENAIS, "extra": 1}, "'extra'"),
        (openais_tools, {**ANTHROPICS, "type": "computer_20250124"}, "'type'"),
        (openais_tools, {**ANTHROPICS, "defer_loading": True}, "'defer_loading'"),
    ],
)
def test_what_has_no_word_is_named(say, tool, named):
    """It is refused before anything is sent, rather than left out."""
    with pytest.raises(UsageError, match=f"cannot be said in .*{named}"):
        say(asked(tool))
