"""Whether a tool was called, and with which arguments.

What this module does not know: how often an answer hits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.completions import WITHHELD
from spex_api.errors import UsageError
from spex_api.scores.matching import same
from spex_api.scores.settings import check_texts
from spex_api.scores.tool_calls import calls_in_text

if TYPE_CHECKING:
    from spex_api.completions import Draw
    from spex_api.messages import ToolCall

__all__ = ["ToolCalled"]

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True, init=False, repr=False)
class ToolCalled:
    """Answers that call this tool, where any are named with these arguments among others.

    `ToolCalled("send_refund", amount=20)` hits a call of `send_refund` whose amount is 20, whatever
    else it is given. Text is compared without regard to case, and numbers as numbers, as by
    `JsonField`.

    Attributes:
        tool: its name.
        arguments: names and values, sorted by name.
    """

    tool: str
    arguments: tuple[tuple[str, Value], ...]

    def __init__(self, tool: str, /, **arguments: Value) -> None:
        """Names the tool, and what it must have been given.

        Raises:
            UsageError: the name is empty, or an argument is compared to something else than text, a
                number, true, false or null.
        """
        check_texts(tool=tool)
        if not tool.strip():
            raise UsageError("The tool that is looked for has no name.")
        for name, value in arguments.items():
            if not isinstance(value, str | int | float | None):
                raise UsageError(
                    f"The argument {name} is compared to text, a number, True, False or None, not "
                    f"to {value!r}."
                )
        object.__setattr__(self, "tool", tool)
        object.__setattr__(self, "arguments", tuple(sorted(arguments.items())))

    def __repr__(self) -> str:
        told = [f"{name}={value!r}" for name, value in self.arguments]
        return f"ToolCalled({', '.join([repr(self.tool), *told])})"

    @property
    def label(self) -> str:
        """The call in words."""
        told = ", ".join(f"{name}={value!r}" for name, value in self.arguments)
        return f"a call of {self.tool}" + (f" with {told}" if told else "")

    def matches(self, text: str) -> bool:
        """Whether the text is JSON with such a call, or has one written behind it."""
        return any(map(self._is_meant, calls_in_text(text)))

    def judges(self, answer: Draw) -> bool | None:
        """Whether the answer calls it, as the endpoint tells or in its text."""
        if answer.outcome in WITHHELD:
            return None
        return any(map(self._is_meant, answer.tool_calls)) or self.matches(answer.text)

    def _is_meant(self, call: ToolCall) -> bool:
        if call.name != self.tool:
            return False
        if not self.arguments:
            return True
        try:
            given = json.loads(call.arguments)
        except ValueError:
            return False
        return isinstance(given, dict) and all(
            name in given and same(given[name], value) for name, value in self.arguments
        )
