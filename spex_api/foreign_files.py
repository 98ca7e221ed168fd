"""Files that a spec names: a text, documents, and the body of a request as it was sent.

What this module does not know: what a spec is, and what a conversation means; that is read where a
prompt is made of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from spex_api.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "DRAWING",
    "PROMPT",
    "UNREAD",
    "is_usual",
    "read_conversation",
    "read_documents",
    "read_json",
    "read_text",
]

PROMPT: Final = ("messages", "system", "tools")
"""What a model reads of a request's body."""
DRAWING: Final = frozenset(
    {
        "frequency_penalty",
        "max_completion_tokens",
        "max_tokens",
        "presence_penalty",
        "seed",
        "stop",
        "stop_sequences",
        "temperature",
        "top_k",
        "top_p",
    }
)
"""What says how the answer is drawn, and not what it answers: the score and the spec say that."""
UNREAD: Final = frozenset(
    {
        "background",
        "cache_control",
        "diagnostics",
        "include",
        "inference_geo",
        "logprobs",
        "metadata",
        "model",
        "n",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "speed",
        "store",
        "stream",
        "stream_options",
        "top_logprobs",
        "user",
    }
)
"""What no answer depends on: who asks, how it is sent, billed and kept."""
_USUAL: Final = {
    "frequency_penalty": (0,),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "stream": (False,),
    "text": ({"format": {"type": "text"}},),
    "thinking": ({"type": "disabled"},),
    "tool_choice": ("auto", {"type": "auto"}),
    "top_p": (1,),
    "truncation": ("disabled",),
}
"""Values that say what is so without them."""
_TEXTS: Final = ("text", "content", "page_content")


def read_text(path: Path, *, why: str) -> str:
    """The text of a file.

    Args:
        path: the file.
        why: what it is for, for an error's text.

    Raises:
        SpecError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SpecError(f"{path} ({why}) cannot be read: {reason}.") from None


def read_documents(path: Path, *, why: str) -> tuple[list[str], list[str] | None]:
    """The texts in a file, and their titles where it has any.

    A `.json` file holds a list of them, a `.jsonl` file one a line; each is a text, or an object
    with `text` (or `content`, or `page_content`) and perhaps `title`. Any other file holds a text a
    line.

    Args:
        path: the file.
        why: what it is for, for an error's text.

    Raises:
        SpecError: it cannot be read, or holds something else.
    """
    text = read_text(path, why=why)
    kind = path.suffix.lower()
    lines = [line for line in text.splitlines() if line.strip()]
    if kind not in (".json", ".jsonl", ".ndjson"):
        return lines, None
    if kind == ".json":
        found = read_json(text, where=f"{path} ({why})")
        if not isinstance(found, list):
            raise SpecError(f"{path} ({why}) holds no list of documents.")
    else:
        lines = [line for line in text.split("\n") if line.strip()]
        found = [read_json(line, where=f"Line {at} of {path}") for at, line in enumerate(lines, 1)]
    documents = [_document(each, f"Document {at} of {path}") for at, each in enumerate(found, 1)]
    titles = [title for _, title in documents]
    return [text for text, _ in documents], titles if any(titles) else None


def read_conversation(path: Path, *, why: str) -> dict[str, Any]:
    """The `messages` of a request's body, its `system` and `tools` where it has these.

    Args:
        path: a JSON file with the body, or with the list of messages alone.
        why: what it is for, for an error's text.

    Raises:
        SpecError: it cannot be read, has no messages, or has something in it that changes the
            answer and is not sent on.
    """
    where = f"{path} ({why})"
    body = read_json(read_text(path, why=why), where=where)
    if isinstance(body, list):
        body = {"messages": body}
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(messages, list) or not messages:
        raise SpecError(
            f"{where} holds no conversation.",
            advice='Give the JSON body of a request, with its "messages", or the list of these.',
        )
    said = {key: value for key, value in body.items() if value is not None}
    for key, value in said.items():
        if key not in {*PROMPT, *DRAWING, *UNREAD} and not is_usual(key, value):
            raise SpecError(
                f"{where} has {key!r}, which changes the answer and is not sent by us.",
                advice="Take it out of the file, if the answer without it is worth explaining.",
            )
    return {key: said[key] for key in PROMPT if said.get(key)}


def is_usual(field: str, value: object) -> bool:
    """Whether a field of a request's body says what is so without it.

    Raises:
        Nothing: of a field that is not known, no value is usual.
    """
    return value is None or value in _USUAL.get(field, ())


def read_json(text: str, *, where: str) -> Any:  # noqa: ANN401 - JSON
    """The value of a JSON text.

    Args:
        text: the text.
        where: it stands, for an error's text.

    Raises:
        SpecError: it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SpecError(f"{where} is no JSON.") from None


def _document(found: object, where: str) -> tuple[str, str]:
    if isinstance(found, str):
        return found, ""
    if isinstance(found, dict):
        text = next((found[key] for key in _TEXTS if key in found), None)
        title = found.get("title") or ""
        if isinstance(text, str) and isinstance(title, str):
            return text, title
    raise SpecError(f"{where} is no text, and no object with 'text' and perhaps 'title'.")
