"""A prompt whose parts may be masked.

What this module does not know: which masks are asked, and what a model makes of them.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from spex_api.completions import Message
from spex_api.errors import PromptError
from spex_api.prompts.masking import render_run
from spex_api.prompts.segmenters import Segment, segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Prompt", "Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, cut into segments."""

    role: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation, some of whose segments are features and the rest pinned.

    Attributes:
        turns: the messages.
        mask: how a masked feature is written; see `spex_api.prompts.masking`.
        ordered: whether neighbouring features are neighbours in the text.
        tools: the tools that the model may call: JSON texts in the endpoint's own dialect.
    """

    turns: tuple[Turn, ...]
    mask: str = "drop"
    ordered: bool = True
    tools: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not any(self._features()):
            raise PromptError("No part of the prompt is a feature, so there is nothing to mask.")
        self.render([False] * self.num_features)

    @classmethod
    def from_template(
        cls,
        template: str,
        *,
        split: str | Sequence[str] = "words",
        mask: str = "drop",
        of: str | None = None,
        system: str | None = None,
        **texts: str,
    ) -> Prompt:
        """One user message in which one named text is split into features.

        Args:
            template: the message, with a name in braces where each text goes; `{{` is a brace.
            split: "words", "sentences", "lines", "paragraphs", or the pieces as a list.
            mask: "drop", "ellipsis", "token", or the text that stands for a masked feature.
            of: the name of the text that is split; by default the only one, or the one that is
                called `text`.
            system: a pinned system message that goes before.
            texts: one a name in the template.

        Raises:
            PromptError: a name lacks its text or a text its place, the text is empty, or it cannot
                be split that way.
        """
        target = _target(template, texts, of)
        segments: list[Segment] = []
        for literal, name in _parse(template):
            if literal:
                segments.append(Segment(literal, pinned=True))
            if name == target:
                segments.extend(segment(texts[name], split))
            elif name and texts[name]:
                segments.append(Segment(texts[name], pinned=True))
        turns = [Turn("user", tuple(segments))]
        if system is not None:
            turns.insert(0, Turn("system", (Segment(system, pinned=True),)))
        return cls(tuple(turns), mask)

    def _features(self) -> Iterator[Segment]:
        return (part for turn in self.turns for part in turn.segments if not part.pinned)

    @property
    def num_features(self) -> int:
        """How many parts may be masked."""
        return sum(1 for _ in self._features())

    @property
    def features(self) -> tuple[str, ...]:
        """The text of each feature, in the order of a mask's entries."""
        return tuple(part.text for part in self._features())

    def render(self, mask: Sequence[bool] | Sequence[int]) -> tuple[Message, ...]:
        """The conversation under a mask; with all kept, the original, character for character.

        Args:
            mask: one entry a feature, true = kept.

        Raises:
            PromptError: the mask has another length.
        """
        if len(mask) != self.num_features:
            raise PromptError(
                f"The mask has {len(mask)} entries; the prompt has {self.num_features} features."
            )
        entries = iter(mask)
        return tuple(Message(turn.role, self._text(turn, entries)) for turn in self.turns)

    def _text(self, turn: Turn, entries: Iterator[bool] | Iterator[int]) -> str:
        pieces: list[str] = []
        for pinned, stretch in groupby(turn.segments, key=lambda part: part.pinned):
            run = list(stretch)
            if pinned:
                pieces.extend(part.original for part in run)
            else:
                kept = [bool(next(entries)) for _ in run]
                pieces.append(render_run(run, kept, self.mask))
        return "".join(pieces)


def _parse(template: str) -> Iterator[tuple[str, str | None]]:
    """The template's literal stretches, each with the name that follows it."""
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


def _target(template: str, texts: Mapping[str, str], of: str | None) -> str:
    """The name of the text that is split, once names and texts are seen to agree."""
    names = [name for _, name in _parse(template) if name]
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
