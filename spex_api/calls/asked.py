"""What a call asked, in words that a spec can hold: so that it can be asked again under masks.

Three dialects are read: OpenAI's chat, its Responses and Anthropic's Messages. A field that no
answer depends on is left out; one that changes the answer and is not sent by us is named, and one
that holds part of what the model reads, out of our reach, is refused. What this module does not
know: where the body was kept, and who is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from spex_api.calls.responses import chat_of
from spex_api.errors import SpecError
from spex_api.foreign_files import DRAWING, PROMPT, UNREAD, is_usual
from spex_api.prompt_table import PromptTable
from spex_api.prompts.tables import dialect_of, prompt_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.calls.answer import Answer
    from spex_api.completions import JsonObject
    from spex_api.prompts import Prompt
    from spex_api.prompts.parts import Turn

__all__ = ["Asked", "Wire", "asked_in", "wire_of"]

Wire = Literal["openai.chat", "openai.responses", "anthropic.messages"]

_PATHS: Final[dict[str, Wire]] = {
    "/chat/completions": "openai.chat",
    "/responses": "openai.responses",
    "/messages": "anthropic.messages",
}
_CARRIED: Final = ("max_completion_tokens", "max_tokens", "temperature")
_OUT_OF_REACH: Final = {
    "conversation": "the messages before it are kept by OpenAI",
    "container": "what the model finds in it is kept by Anthropic",
    "function_call": "it belongs to functions, which were there before tools",
    "functions": "they were there before tools, and are sent by us as tools only",
    "mcp_servers": "what the model reads there is not in the request",
    "modalities": "the answer is not text alone",
    "previous_response_id": "the messages before it are kept by OpenAI",
    "prompt": "the text that it stands for is kept by OpenAI",
    "web_search_options": "what the model finds in the web is not in the request",
}
"""Fields that stand for something the model reads and we cannot, or for what no prompt of ours is,
and why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a model, as somebody's client asked it.

    Attributes:
        wire: the dialect in which it was sent, or is told.
        messages: as it was sent, in the chat dialect of who reads it; of Responses, as a chat says
            them.
        system: the system's message, where it stands beside them.
        tools: the definitions of tools, as they were sent.
        model: who was asked, as the endpoint knows it; "" where that is not told.
        url: where it was sent, without query and credentials; "" where that is not told.
        max_tokens: how long the answer might be; None where nothing was said.
        temperature: at which it was drawn; None where nothing was said.
        answer: what was answered then, where that is known.
        answered: how many tokens that took, where that is known.
        notices: what of it is not asked again, in sentences.
        provider: who answered: "openai", "anthropic", "azure" or another name; "" where the
            dialect says it.
    """

    wire: Wire
    messages: tuple[object, ...] = field(repr=False)
    system: str | tuple[object, ...] | None = field(default=None, repr=False)
    tools: tuple[object, ...] = field(default=(), repr=False)
    model: str = ""
    url: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    answer: str = field(default="", repr=False)
    answered: int | None = None
    notices: tuple[str, ...] = ()
    provider: str = ""

    def with_answer(self, answer: Answer) -> Asked:
        """The same, with what was answered then."""
        tokens = answer.usage.output_tokens or None
        return replace(self, answer=answer.text, answered=tokens)

    @property
    def table(self) -> JsonObject:
        """The keys of a spec's `[prompt]` that hold it, without how it is split."""
        system = list(self.system) if isinstance(self.system, tuple) else self.system
        return {
            "messages": list(self.messages),
            "messages_format": "anthropic" if self.wire == "anthropic.messages" else "openai",
            "system": system,
            "tools": list(self.tools) or None,
        }

    def prompt(
        self,
        *,
        split: str | list[str] = "messages",
        of: str | int | None = None,
        mask: str = "drop",
    ) -> Prompt:
        """The prompt that it is, once it is said what its features are.

        Args:
            split: what they are; see `Prompt.from_openai`.
            of: which messages are split.
            mask: how masked parts are written.

        Raises:
            PromptError: it holds something that cannot be told in our words, or has nothing to
                mask.
            MissingExtra: a picture is cut into patches, and Pillow is not installed.
        """
        said = {**self.table, "split": split, "of": of, "mask": mask}
        return prompt_of(PromptTable.model_validate(said))

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Its turns, none of whose parts is a feature yet; the tools' definitions are no turn here.

        Raises:
            PromptError: it holds something that cannot be told in our words.
        """
        if self.wire == "anthropic.messages":
            from spex_api.prompts.anthropic_turns import anthropic_turns  # noqa: PLC0415 - as here

            return anthropic_turns(self.table["system"], self.messages, ())
        from spex_api.prompts.openai_turns import openai_turns  # noqa: PLC0415 - one dialect a call

        return openai_turns(self.messages, ())


def asked_in(body: object, *, where: str, url: str = "", wire: str = "") -> Asked:
    """What the body of a request asks.

    Args:
        body: its JSON.
        where: it stands, for an error's text.
        url: where it was sent; its path tells the dialect.
        wire: the dialect, where that is known; otherwise it is told by the url or by the shape.

    Raises:
        SpecError: it is no such request, or holds what cannot be asked again.
    """
    if not isinstance(body, dict):
        raise SpecError(f"{where} is no JSON object, and so no request.", advice=_FORMS)
    told = {key: value for key, value in body.items() if value is not None}
    kind = _wire(told, url, wire, where)
    notices: tuple[str, ...] = ()
    if kind == "openai.responses":
        _check_reach(told, where)
        told, notices = chat_of(told, where=where)
    messages, system = told.get("messages"), told.get("system")
    if not isinstance(messages, list) or not messages:
        raise SpecError(f"{where} holds no conversation.", advice=_FORMS)
    if kind != "anthropic.messages" and system is not None:
        raise SpecError(
            f"{where} has 'system' beside its messages, which OpenAI's dialect has not.",
            advice="Put it into the messages, as the first one.",
        )
    _check_reach(told, where)
    return Asked(
        kind,
        tuple(messages),
        system=tuple(system) if isinstance(system, list) else system,
        tools=tuple(told.get("tools") or ()),
        model=_text(told, "model", where),
        url=url,
        max_tokens=_length(told, where),
        temperature=_temperature(told, where),
        notices=(*notices, *_notices(told)),
    )


def wire_of(url: str) -> Wire | None:
    """The dialect that is spoken at an address, by its path; None where it says nothing.

    Raises:
        Nothing.
    """
    path = url.partition("?")[0].rstrip("/")
    return next((kind for end, kind in _PATHS.items() if path.endswith(end)), None)


_FORMS: Final = (
    "Give the JSON body of a request to OpenAI's chat completions or Responses, or to Anthropic's "
    'Messages, alone or as {"url": …, "body": …}.'
)


def _wire(body: JsonObject, url: str, wire: str, where: str) -> Wire:
    """The dialect: as it is said, by the path, or by the shape."""
    known = next((kind for kind in _PATHS.values() if kind == wire), None)
    if wire and known is None:
        raise SpecError(f"{where} is in the dialect {wire!r}, which is none of ours.")
    if (told := known or wire_of(url)) is not None:
        return told
    if "input" in body and "messages" not in body:
        return "openai.responses"
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise SpecError(f"{where} holds no conversation.", advice=_FORMS)
    try:
        dialect = dialect_of(messages, system=body.get("system"), tools=body.get("tools") or ())
    except SpecError as error:
        raise SpecError(
            f"{where}: {error.cause}",
            advice='Give it as {"url": …, "body": …}, where the url says whose dialect it is.',
        ) from None
    claude = str(body.get("model", "")).startswith("claude")
    return "anthropic.messages" if dialect == "anthropic" or claude else "openai.chat"


def _check_reach(body: JsonObject, where: str) -> None:
    """Lets pass a question all of which is in the request.

    Raises:
        SpecError: a field stands for something that is elsewhere.
    """
    for key, why in _OUT_OF_REACH.items():
        said = body.get(key)
        if said in (None, [], ["text"]):
            continue
        raise SpecError(
            f"{where} has {key!r}, which cannot be asked again: {why}.",
            advice="Take it out of the request, saved as JSON and given with --request, if the "
            "answer without it is worth explaining.",
        )


def _notices(body: JsonObject) -> Iterator[str]:
    """What is not asked again, by what that means for the answer."""
    rest = [key for key in body if key not in (*PROMPT, "model", *_CARRIED)]
    rest = [key for key in rest if not is_usual(key, body[key])]
    unread = [key for key in rest if key in UNREAD]
    drawing = [key for key in rest if key in DRAWING]
    other = [key for key in rest if key not in UNREAD and key not in DRAWING]
    if other:
        yield (
            f"Beware: the call has {_list(other)}, which may change the answer and "
            f"{'is' if len(other) == 1 else 'are'} not sent by us: what is explained is the answer "
            "without."
        )
    if drawing:
        yield (
            f"The call has {_list(drawing)}, which {'says' if len(drawing) == 1 else 'say'} how "
            "answers are drawn; ours are drawn without."
        )
    if unread:
        yield f"Left out, since no answer depends on it: {', '.join(sorted(unread))}."


def _list(fields: list[str]) -> str:
    *before, last = sorted(fields)
    return f"{', '.join(before)} and {last}" if before else last


def _length(body: JsonObject, where: str) -> int | None:
    said = body.get("max_completion_tokens", body.get("max_tokens"))
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int) or said < 1:
        raise SpecError(f"{where} lets the answer be {said!r} tokens long, which is no number.")
    return said


def _temperature(body: JsonObject, where: str) -> float | None:
    said = body.get("temperature")
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float) or not said >= 0:
        raise SpecError(f"{where} has the temperature {said!r}, which is none.")
    return float(said)


def _text(body: JsonObject, key: str, where: str) -> str:
    said = body.get(key, "")
    if not isinstance(said, str):
        raise SpecError(f"{key!r} in {where} is no text.")
    return said
