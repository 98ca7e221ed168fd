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

__all__ = ["read_conversation", "read_documents", "read_text"]

_PROMPT: Final = ("messages", "system", "tools")
"""What a model reads of a request's body."""
_NO_PROMPT: Final = frozenset(
    {
        "frequency_penalty",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "model",
        "n",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "stop_sequences",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "top_k",
        "top_logprobs",
        "top_p",
        "user",
    }
)
"""What says how the answer is drawn, and not what it answers: the score and the spec say that."""
_USUAL: Final = {
    "tool_choice": ("auto", {"type": "auto"}),
    "parallel_tool_calls": (True,),
    "response_format": ({"type": "text"},),
    "thinking": ({"type": "disabled"},),
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
        found = _json(text, where=f"{path} ({why})")
        if not isinstance(found, list):
            raise SpecError(f"{path} ({why}) holds no list of documents.")
    else:
        lines = [line for line in text.split("\n") if line.strip()]
        found = [_json(line, where=f"Line {at} of {path}") for at, line in enumerate(lines, 1)]
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
    body = _json(read_text(path, why=why), where=where)
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
        usual = key in _NO_PROMPT or value in _USUAL.get(key, ())
        if key not in _PROMPT and not usual:
            raise SpecError(
                f"{where} has {key!r}, which changes the answer and is not sent by us.",
                advice="Take it out of the file, if the answer without it is worth explaining.",
            )
    return {key: said[key] for key in _PROMPT if said.get(key)}


def _document(found: object, where: str) -> tuple[str, str]:
    if isinstance(found, str):
        return found, ""
    if isinstance(found, dict):
        text = next((found[key] for key in _TEXTS if key in found), None)
        title = found.get("title") or ""
        if isinstance(text, str) and isinstance(title, str):
            return text, title
    raise SpecError(f"{where} is no text, and no object with 'text' and perhaps 'title'.")


def _json(text: str, *, where: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SpecError(f"{where} is no JSON.") from None
