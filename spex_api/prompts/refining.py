"""Some features of a prompt, cut into finer ones; the others stay what they are.

What stands before a text in the same feature, as a document's number, is then pinned, and so are
calls of tools and pictures. What this module does not know: which features are worth it, and where
words and sentences end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spex_api.errors import PromptError
from spex_api.prompts.parts import Picture
from spex_api.prompts.segmenters import Segment, Split, segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.prompts.parts import Part, Turn
    from spex_api.prompts.rendering import Kept, Marked

__all__ = ["cut_finer", "pieces"]


def cut_finer(
    turns: Kept,
    features: Iterable[int],
    *,
    num_features: int,
    split: Split,
    language: str,
) -> tuple[tuple[Turn, ...], tuple[int, ...]]:
    """The turns with some features' texts cut, and the number of each unpinned part's feature.

    Args:
        turns: the turns, each part marked.
        features: the numbers of those to cut, counted from 0.
        num_features: how many there are.
        split: a way to split a text.
        language: of the texts.

    Raises:
        PromptError: there is no such feature, or a text cannot be split that way.
    """
    if not isinstance(features, Iterable):
        raise PromptError(f"{features!r} is no list of features.", advice="For instance [0, 2].")
    cut = frozenset(features)
    for each in cut:
        if each not in range(num_features):
            raise PromptError(
                f"There is no feature {each!r}; the prompt has {num_features}, from 0 on."
            )
    numbers = _Numbers()
    finer: list[Turn] = []
    for turn, marked in turns:
        places = iter(marked)
        parts: list[Part] = []
        starts: list[int] = []
        for block in turn.blocks():
            starts.append(len(parts))
            these = [next(places) for _ in block]
            parts.extend(_finer(these, cut, split, language, numbers))
        parts.extend(_finer(list(places), cut, split, language, numbers))
        finer.append(
            replace(turn, segments=tuple(parts), starts=tuple(starts if turn.starts else ()))
        )
    return tuple(finer), tuple(numbers.given)


def pieces(part: Segment, split: Split, language: str) -> tuple[Segment, ...]:
    """A segment cut into features; its own gap stays behind it, and a blank one is pinned.

    Raises:
        PromptError: its text cannot be split that way.
    """
    if not part.text.strip():
        return (replace(part, pinned=True),)
    *before, last = segment(part.text, split, language=language)
    return (*before, replace(last, gap=last.gap + part.gap))


@dataclass(slots=True)
class _Numbers:
    """Numbers for features in the order in which they are met."""

    given: list[int] = field(default_factory=list)
    known: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def old(self, feature: int) -> None:
        """One more part of a feature that stays."""
        if feature not in self.known:
            self.known[feature] = self.count
            self.count += 1
        self.given.append(self.known[feature])

    def new(self) -> None:
        """A feature of its own."""
        self.given.append(self.count)
        self.count += 1


def _finer(
    block: Sequence[Marked],
    cut: frozenset[int],
    split: Split,
    language: str,
    numbers: _Numbers,
) -> Iterator[Part]:
    for at, each in enumerate(block):
        part = each.part
        if each.feature is None:
            yield part
        elif each.feature not in cut or _is_patch(block) or _is_value(part):
            numbers.old(each.feature)
            yield part
        elif not isinstance(part, Segment) or each.feature in [
            later.feature for later in block[at + 1 : at + 2]
        ]:
            yield replace(part, pinned=True)
        else:
            for piece in pieces(part, split, language):
                if not piece.pinned:
                    numbers.new()
                yield piece


def _is_patch(block: Sequence[Marked]) -> bool:
    first = block[0].part
    return isinstance(first, Picture) and first.num_patches > 0


def _is_value(part: Part) -> bool:
    """Whether it is a value in a JSON text, which is not JSON once it is cut."""
    return isinstance(part, Segment) and part.syntax == "json"
