"""What both dialects of conversations share: plain data out of foreign objects, and its flaws told.

What this module does not know: any dialect, and which parts of a conversation are features.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from spex_api.errors import PromptError
from spex_api.prompts.parts import TOOLS, Call, Part, Turn
from spex_api.prompts.segmenters import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

__all__ = ["Strict", "check", "listed", "names_of", "plain", "read", "text_part", "tool_turns"]

T = TypeVar("T")


class Strict(BaseModel):
    """A foreign object of which every field is known: what is not told on would go unseen."""

    model_config = ConfigDict(extra="forbid")


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Plain data: an SDK's own objects as dictionaries, wherever they stand."""
    if isinstance(value, str | bytes):
        return value
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [plain(each) for each in value]
    return value


def read(adapter: TypeAdapter[T], data: object, *, where: str) -> T:
    """Foreign data as ours.

    Args:
        adapter: what it should be.
        data: plain data.
        where: what it is, for the sentence.

    Raises:
        PromptError: it is something else.
    """
    try:
        return adapter.validate_python(data)
    except ValidationError as refused:
        # Of a text or a list, the flaw deep in the list says more than that it is no text.
        flaws = refused.errors(include_url=False, include_input=False)
        first = max(flaws, key=lambda flaw: (len(flaw["loc"]), flaw["type"] != "string_type"))
        raise PromptError(
            f"{where} cannot be told in our words: {_flaw(first, data)}.",
            advice="Leave it out, if the answer without it is worth explaining; texts, pictures, "
            "calls of tools and their results are understood.",
        ) from None


def _flaw(flaw: ErrorDetails, data: object) -> str:
    """What is wrong, with its place in the data."""
    place = ".".join(_steps(flaw["loc"], data))
    at = f"{place}: " if place else ""
    told = flaw.get("ctx", {})
    match flaw["type"]:
        case "extra_forbidden" | "none_required":
            return f"{place} is not sent on by us"
        case "union_tag_invalid":
            return f"{at}{told['discriminator']} is {told['tag']!r}, not {told['expected_tags']}"
        case "union_tag_not_found":
            return f"{at}it has no {told['discriminator']}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{at}it is no JSON object"
    return at + flaw["msg"]


def _steps(places: Sequence[str | int], data: object) -> Iterator[str]:
    """The steps into the data, without pydantic's own: the kind that it took a block for."""
    for at, step in enumerate(places):
        behind = places[at + 1] if at + 1 < len(places) else None
        if isinstance(data, Mapping) and step in data:
            if step == data.get("type") and behind in data:
                continue
            yield str(step)
            data = data[step]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            yield str(step)
            data = data[step]
        elif isinstance(data, Mapping) and behind is None:
            yield str(step)


def listed(data: object, *, what: str) -> list[object]:
    """Foreign objects in a list; none where there is None.

    Args:
        data: any iterable of them.
        what: they are, for the sentence.

    Raises:
        PromptError: it is one object, or nothing that holds several.
    """
    if data is None:
        return []
    if isinstance(data, str | bytes | Mapping) or not isinstance(data, Iterable):
        raise PromptError(
            f"The {what} are given as {type(data).__name__}, not as a list.",
            advice='Give a list, such as [{"role": "user", "content": "…"}] of messages.',
        )
    return list(data)


def text_part(text: str) -> tuple[Part, ...]:
    """A pinned text; nothing where it is empty."""
    return (Segment(text, pinned=True),) if text else ()


def tool_turns(tools: Iterable[object]) -> tuple[Turn, ...]:
    """The tools' definitions as a turn, where there are any.

    Raises:
        PromptError: one is no JSON object, or they are no list.
    """
    texts: list[str] = []
    for number, tool in enumerate(listed(tools, what="tools")):
        try:
            texts.append(
                json.dumps(json.loads(tool), ensure_ascii=False)
                if isinstance(tool, str)
                else json.dumps(_without_nones(tool), ensure_ascii=False)
            )
        except (TypeError, ValueError) as error:
            raise PromptError(f"Tool {number} is no JSON: {error}.") from None
        if not texts[-1].startswith("{"):
            raise PromptError(
                f"Tool {number} is {texts[-1][:40]}, and no definition of a tool.",
                advice="Give each as the endpoint takes it, as a JSON object.",
            )
    if not texts:
        return ()
    return (Turn(TOOLS, tuple(Segment(text, "\n", pinned=True) for text in texts)),)


def names_of(tool: str) -> set[str]:
    """The names that a tool's definition goes by, in whichever dialect it is written.

    Raises:
        Nothing: a definition without a name has none.
    """
    told = json.loads(tool)
    below = told.get("function") if isinstance(told, dict) else None
    return {
        each["name"]
        for each in (told, below)
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    }


def check(turns: Sequence[Turn]) -> None:
    """Looks whether each result follows its call, and each call has its result.

    Raises:
        PromptError: one does not, or there is no message.
    """
    if not turns:
        raise PromptError("The conversation has no messages.")
    waiting: dict[str, Call] = {}
    for at, turn in enumerate(turns):
        if turn.answers:
            if turn.answers not in waiting:
                raise PromptError(
                    f"Message {at} answers the call {turn.answers!r}, which was not made just "
                    "before it."
                )
            del waiting[turn.answers]
            continue
        if waiting:
            break
        waiting = {call.id: call for call in turn.calls}
        if len(waiting) < len(turn.calls):
            raise PromptError(f"Message {at} makes two calls of one id.")
    if waiting:
        call = next(iter(waiting.values()))
        raise PromptError(
            f"The call {call.id!r} of the tool {call.name!r} has no result behind it.",
            advice="Give the conversation up to where the model is to answer.",
        )


def _without_nones(tool: object) -> object:
    """An SDK's object without what it leaves open; a dictionary as it is."""
    dump = getattr(tool, "model_dump", None)
    return dump(mode="json", exclude_none=True) if callable(dump) else plain(tool)
