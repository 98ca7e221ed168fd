"""A question with the documents that were found for it, as one message of the user's.

What this module does not know: who found the documents, and how they are cut finer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.errors import PromptError
from spex_api.prompts.characters import check_whole
from spex_api.prompts.parts import Turn
from spex_api.prompts.segmenters import Segment
from spex_api.prompts.template import parse, split_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["document_turn"]

_TEMPLATE = "{documents}\n\nQuestion: {question}"


def document_turn(
    question: str,
    documents: Sequence[str],
    *,
    template: str | None,
    titles: Sequence[str] | None,
) -> tuple[Turn, tuple[int, ...]]:
    """The message, and the number of the document that each unpinned part belongs to.

    Each document reads "[1] its title", a new line and its text; without titles, "[1] its text".

    Args:
        question: the question.
        documents: their texts.
        template: the message, with `{documents}` and `{question}` in it.
        titles: one a document.

    Raises:
        PromptError: there are no documents, one is empty or no text, the titles do not match, or
            the template lacks a place.
    """
    _check(question, documents, titles)
    template = _TEMPLATE if template is None else template
    texts = {"documents": documents, "question": question}
    split_name(template, texts, "documents")
    segments: list[Segment] = []
    for literal, name in parse(template):
        if literal:
            segments.append(Segment(literal, pinned=True))
        if name == "documents":
            segments.extend(_cited(documents, titles))
        elif name and question:
            segments.append(Segment(question, pinned=True))
    return Turn("user", tuple(segments)), tuple(at for at in range(len(documents)) for _ in "ht")


def _check(question: str, documents: Sequence[str], titles: Sequence[str] | None) -> None:
    """Lets pass texts, a title for each or none.

    Raises:
        PromptError: they are not that.
    """
    if isinstance(documents, str) or not documents:
        raise PromptError(
            "There are no documents, so there is nothing to mask.",
            advice="Give their texts as a list.",
        )
    if titles is not None and len(titles) != len(documents):
        raise PromptError(f"There are {len(titles)} titles for {len(documents)} documents.")
    if isinstance(titles, str):
        raise PromptError("The titles are one text.", advice="Give a list, a title a document.")
    check_whole(question, what="The question")
    for number, title in enumerate(titles or (), start=1):
        check_whole(title, what=f"The title of document {number}")
    for number, text in enumerate(documents, start=1):
        check_whole(text, what=f"Document {number}")
        if not text.strip():
            raise PromptError(f"Document {number} is empty.", advice="Leave it out.")


def _cited(documents: Sequence[str], titles: Sequence[str] | None) -> Iterator[Segment]:
    """Of each document its heading and its text."""
    for at, text in enumerate(documents):
        title = titles[at] if titles is not None else ""
        yield Segment(f"[{at + 1}] {title}".rstrip(), "\n" if title.strip() else " ")
        body = text.rstrip()
        last = at == len(documents) - 1
        yield Segment(body, text[len(body) :] + ("" if last else "\n\n"))
