"""Definitions of tools, in the dialect of whoever is asked.

A conversation reads the same in either dialect, so a tool of one is said in the other's words; what
these have no word for is told, and never left out. What this module does not know: calls of tools
and their results, which are turns.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spex_api.completions import CompletionRequest, JsonObject

__all__ = ["anthropics_tools", "openais_tools"]

_ANY: Final = {"type": "object", "properties": {}}
"""The arguments of a tool whose definition says nothing of them."""


def openais_tools(request: CompletionRequest) -> list[JsonObject]:
    """The definitions as they go into a chat body.

    Raises:
        UsageError: one is no JSON object, or is Anthropic's and has more than chat has words for.
    """
    tools = list(_objects(request))
    for number, tool in enumerate(tools):
        if "input_schema" not in tool:
            continue
        # Where a prompt is cached changes its price, and no answer.
        rest = {key: value for key, value in tool.items() if key != "cache_control"}
        if rest.get("type") in ("custom", None):
            rest.pop("type", None)
        _nothing_else(rest, {"name", "description", "input_schema"}, number, "OpenAI's")
        function: JsonObject = {key: rest[key] for key in ("name", "description") if key in rest}
        function["parameters"] = rest["input_schema"]
        tools[number] = {"type": "function", "function": function}
    return tools


def anthropics_tools(request: CompletionRequest) -> list[JsonObject]:
    """The definitions as they go into the body of a message.

    Raises:
        UsageError: one is no JSON object, or is OpenAI's and has more than Anthropic has words for.
    """
    tools = list(_objects(request))
    for number, tool in enumerate(tools):
        function = tool.get("function")
        if not isinstance(function, dict):
            continue
        _nothing_else(tool, {"type", "function"}, number, "Anthropic's")
        rest = {key: value for key, value in function.items() if value is not None}
        if rest.get("strict") is False:
            del rest["strict"]
        _nothing_else(rest, {"name", "description", "parameters"}, number, "Anthropic's")
        said = {key: rest[key] for key in ("name", "description") if key in rest}
        tools[number] = {**said, "input_schema": rest.get("parameters", _ANY)}
    return tools


def _nothing_else(tool: JsonObject, known: set[str], number: int, whose: str) -> None:
    if strange := sorted(tool.keys() - known):
        raise UsageError(
            f"The definition of tool {number} cannot be said in {whose} dialect: it has "
            f"{strange[0]!r}.",
            advice="Give each tool as the endpoint takes it.",
        )


def _objects(request: CompletionRequest) -> Iterable[JsonObject]:
    for number, text in enumerate(request.tools):
        try:
            tool = json.loads(text)
        except ValueError:
            tool = None
        if not isinstance(tool, dict):
            raise UsageError(
                f"The definition of tool {number} is no JSON object.",
                advice="Give each tool as the endpoint takes it.",
            )
        yield tool
