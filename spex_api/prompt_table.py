"""`[prompt]` of a spec file: what is asked, and which parts of it are explained.

It is a text in a template, a conversation, documents with a question, or a picture with one. Files
that it names are read into it, so that the table alone is the whole prompt, and an explanation that
carries it can be rebuilt without them. What this module does not know: how any of it becomes a
prompt, which `spex_api.prompts.tables` does.
"""

from __future__ import annotations

import base64
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from spex_api.errors import SpecError
from spex_api.foreign_files import read_conversation, read_documents, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MISFIT", "PromptTable"]

MISFIT: Final = "misfit"
"""The kind of pydantic's error for keys that do not fit together; its message is a sentence."""

Kind = Literal["text", "messages", "documents", "image"]

_KINDS: Final[dict[Kind, tuple[str, ...]]] = {
    "messages": ("messages", "messages_file"),
    "documents": ("documents", "documents_file"),
    "image": ("image", "image_data"),
    "text": ("text", "text_file"),
}
"""By what a prompt is of, the keys of which it has one. `texts` goes with a template as well."""
_ALL: Final = frozenset({"split", "mask"})
_KEYS: Final[dict[Kind, frozenset[str]]] = {
    "text": _ALL | {"template", "texts", "of", "system", "language"},
    "messages": _ALL | {"messages_format", "tools", "system", "of", "language", "grid"},
    "documents": _ALL | {"template", "question", "titles", "system", "language"},
    "image": _ALL | {"question", "grid", "system"},
}
"""What else may be said of each kind."""
_SPLITS: Final[dict[Kind, str]] = {
    "text": "words",
    "messages": "messages",
    "documents": "documents",
    "image": "patches",
}
"""How each kind is split where nothing is said."""


class PromptTable(BaseModel):
    """`[prompt]`: what is asked, and which parts of it are features.

    Attributes:
        template: the message, with names in braces for texts, or for documents and the question.
        text: the text in its place `{text}`.
        text_file: a file with it, from the spec's folder.
        texts: others, one a name of the template.
        of: which text is split; of a conversation, which messages: roles, or places from 0.
        system: the system's message; of a request to Anthropic, its blocks.
        split: how.
        mask: how masked parts are written, or patches painted.
        language: of the text, for splitting into sentences.
        messages: a conversation, as it is sent.
        messages_file: a JSON file with the body of a request, or with its list of messages.
        messages_format: its dialect, where it cannot be told from its shape.
        tools: the definitions of tools, as they are sent.
        documents: what was found for the question.
        documents_file: a file with it: a JSON list, JSONL, or a document a line.
        titles: one a document.
        question: what is asked about documents or a picture.
        image: a file with the picture.
        image_data: its bytes in base64, in place of a file.
        grid: rows and columns into which pictures are cut.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str | None = None
    text: str | None = None
    text_file: str | None = None
    texts: dict[str, str] = Field(default_factory=dict)
    of: str | int | list[str | int] | None = None
    system: str | list[Any] | None = None
    split: str | list[str] = "words"
    mask: str = "drop"
    language: str = "en"
    messages: list[Any] | None = None
    messages_file: str | None = None
    messages_format: Literal["openai", "anthropic"] | None = None
    tools: list[Any] | None = None
    documents: list[str] | None = None
    documents_file: str | None = None
    titles: list[str] | None = None
    question: str | None = None
    image: str | None = None
    image_data: str | None = None
    grid: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_its_kind_is_split(cls, said: object) -> object:
        """The table with the split that is usual for its kind, where it says none."""
        if isinstance(said, dict) and said.get("split") is None:
            return {**said, "split": _SPLITS[_kind(said)]}
        return said

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for flaw in chain(self._strange_keys(), self._strange_values()):
            raise PydanticCustomError(MISFIT, "{flaw}", {"flaw": flaw})
        return self

    def _strange_keys(self) -> Iterator[str]:
        """Which keys do not fit together, or are missing, in sentences."""
        told = self.model_dump(exclude_none=True, exclude_defaults=True)
        kinds = [kind for kind, keys in _KINDS.items() if any(key in told for key in keys)]
        if len(kinds) > 1:
            first, second = (_said(told, kind) for kind in kinds[:2])
            yield f"[prompt] has both {first} and {second}, and is of one of them."
        kind = _kind(told)
        said = _said(told, kind)
        if len(both := [key for key in _KINDS[kind] if key in told]) > 1:
            yield f"[prompt] has both {both[0]} and {both[1]}. Keep one."
        if strange := sorted(set(told) - set(_KINDS[kind]) - _KEYS[kind]):
            yield (
                f"[prompt] has {said}, with which {strange[0]!r} does not go. With it go "
                f"{', '.join(sorted(_KEYS[kind]))}."
            )
        if kind == "text" and self.template is None:
            yield "[prompt] lacks 'template', or 'messages_file', 'documents' or 'image'."
        if kind in ("documents", "image") and self.question is None:
            yield f"[prompt] has {said} and lacks 'question'."

    def _strange_values(self) -> Iterator[str]:
        """Which values do not fit the kind of prompt, in sentences."""
        told = self.model_dump(exclude_none=True, exclude_defaults=True)
        kind = _kind(told)
        said = _said(told, kind)
        if kind == "image" and self.split != "patches":
            yield f'[prompt] has {said}, which is split into "patches" only.'
        if self.mask in ("blur", "grey") and self.split != "patches":
            yield f"[prompt] has mask = {self.mask!r}, and no patches of a picture are masked."
        if kind != "messages":
            if not isinstance(self.of, str | None):
                yield "'of' in [prompt] is the name of a text, unless there are messages."
            if not isinstance(self.system, str | None):
                yield "'system' in [prompt] is text, unless there are messages."

    def with_files_read(self, spec: Path) -> PromptTable:
        """The same prompt, without the files that it names.

        Args:
            spec: the file of the spec, beside which they are.

        Raises:
            SpecError: a file cannot be read, or is not what it should be.
        """
        read: dict[str, Any] = {}
        if self.text_file is not None:
            text = read_text(spec.parent / self.text_file, why=f"text_file of {spec}")
            read = {"text": text, "text_file": None}
        elif self.documents_file is not None:
            path = spec.parent / self.documents_file
            texts, titles = read_documents(path, why=f"documents_file of {spec}")
            if titles and self.titles is not None:
                raise SpecError(f"{path} has titles, and {spec} has others.", advice="Keep one.")
            read = {"documents": texts, "documents_file": None, "titles": titles or self.titles}
        elif self.image is not None:
            path = spec.parent / self.image
            try:
                data = path.read_bytes()
            except OSError as error:
                raise SpecError(
                    f"{path} (image of {spec}) cannot be read: {error.strerror}."
                ) from None
            read = {"image": None, "image_data": base64.b64encode(data).decode()}
        elif self.messages_file is not None:
            path = spec.parent / self.messages_file
            read = read_conversation(path, why=f"messages_file of {spec}")
            for key in read:
                if getattr(self, key) is not None:
                    raise SpecError(f"{path} has {key}, and {spec} has others.", advice="Keep one.")
            read["messages_file"] = None
        return self.model_copy(update=read)


def _kind(said: dict[str, Any]) -> Kind:
    for kind, keys in _KINDS.items():
        if any(said.get(key) is not None for key in keys):
            return kind
    return "text"


def _said(told: dict[str, Any], kind: Kind) -> str:
    return next((key for key in _KINDS[kind] if key in told), "a template")
