"""A message with names in braces, where texts go.

What this module does not know: where a text is cut, and what a message is for.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from spex_api.errors import PromptError
from spex_api.prompts.characters import check_whole
from spex_api.prompts.parts import Turn
from spex_api.prompts.segmenters import Segment, segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spex_api.prompts.segmenters import Split

__all__ = ["parse", "split_name", "system_turn", "template_turn"]


def template_turn(
    template: str, texts: Mapping[str, str], *, split: Split, of: str | None, language: str
) -> Turn:
    """A message of the user's, one text of which is split.

    Args:
        template: the message, with a name in braces where each text goes.
        texts: one a name.
        split: how; see `spex_api.prompts.segmenters`.
        of: the name of the text that is split; see `split_name`.
        language: of that text, for splitting into sentences.

    Raises:
        PromptError: names and texts do not agree, or the text cannot be split that way.
    """
    target = split_name(template, texts, of)
    for each, text in texts.items():
        check_whole(text, what=f"The text {each!r}")
    segments: list[Segment] = []
    for literal, name in parse(template):
        if literal:
            segments.append(Segment(literal, pinned=True))
        if name == target:
            segments.extend(segment(texts[name], split, language=language))
        elif name and texts[name]:
            segments.append(Segment(texts[name], pinned=True))
    return Turn("user", tuple(segments))


def system_turn(text: str | None) -> tuple[Turn, ...]:
    """The system's message as a pinned turn, where there is one.

    Raises:
        PromptError: it is no text.
    """
    if text is not None:
        check_whole(text, what="The system's message")
    return () if text is None else (Turn("system", (Segment(text, pinned=True),)),)


def parse(template: str) -> Iterator[tuple[str, str | None]]:
    """The template's literal stretches, each with the name that follows it.

    Raises:
        PromptError: it is no text, a brace is alone, or a name is not a plain one.
    """
    check_whole(template, what="The template")
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise PromptError(
            f"The template cannot be read: {error}.", advice="Write {{ for a brace."
        ) from None
    for literal, name, spec, conversion in pieces:
        if name is not None and (not name.isidentifier() or spec or conversion):
            raise PromptError(
                f"{{{name}}} in the template is not a plain name.",
                advice="Write {text} for a text and {{ for a brace.",
            )
        yield literal, name


def split_name(template: str, texts: Mapping[str, object], of: str | None) -> str:
    """The name of the text that is split, once names and texts are seen to agree.

    Raises:
        PromptError: a name lacks its text or a text its place, or it is not clear which is split.
    """
    names = [name for _, name in parse(template) if name]
    if missing := [name for name in names if name not in texts]:
        raise PromptError(
            f"The template names {{{missing[0]}}}, but no text of that name is given."
        )
    if unused := [name for name in texts if name not in names]:
        raise PromptError(
            f"A text {unused[0]!r} is given, but the template has no place {{{unused[0]}}} for it."
        )
    target = of or (names[0] if len(set(names)) == 1 else "text")
    if target not in names:
        raise PromptError(
            f"Which text is to be split? The template names {', '.join(names) or 'none'}.",
            advice="Put {text} into the template, or name the text with `of`.",
        )
    if names.count(target) > 1:
        raise PromptError(f"{{{target}}} stands in the template twice: its parts are ambiguous.")
    return target
