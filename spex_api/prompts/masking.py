"""How a run of features reads when some of them are masked.

A run is a stretch of features with nothing pinned between them. With all of them kept, each style
gives the original, character for character. What this module does not know: which features are
masked, and what stands around the run.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING

from spex_api.errors import PromptError
from spex_api.prompts.characters import check_whole
from spex_api.prompts.json_leaves import key_of, replaced, written
from spex_api.prompts.spacing import spaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.prompts.segmenters import Segment

__all__ = ["MaskStyle", "render_run"]

MaskStyle = str | Callable[[str], str]
"""How a masked feature is written: "drop", "ellipsis", "token", "placeholder", a text that stands
for it, or a function from its text to what stands for it."""

ELLIPSIS = "…"
DEFAULT_TOKEN = "[MASK]"  # noqa: S105 - a mask, no password


def render_run(
    run: Sequence[Segment],
    kept: Sequence[bool],
    style: MaskStyle,
    *,
    numbers: Sequence[int] | None = None,
) -> str:
    """The run under a mask.

    Args:
        run: consecutive features.
        kept: one a feature.
        style: "drop" leaves masked features out, with the white space and, in JSON, the comma that
            went with them; "ellipsis" writes each stretch of them as one "…"; "token" writes
            "[MASK]" for each; "placeholder" its number, as "[3]"; any other text stands for each as
            it is, such as "<unk>"; and a function gives what stands for each, from its text; where
            it gives nothing, the feature is left out. In JSON each of these is a string in place of
            the value, which is also what the function is given.
        numbers: the number of each feature, for placeholders; by default from 1.

    Raises:
        PromptError: the style is empty, or the function gives no text, or half a character.
    """
    if not style:
        raise PromptError("The mask is empty text.", advice='Use "drop" to leave masked parts out.')
    counted = range(1, len(run) + 1) if numbers is None else numbers
    marked = list(zip(run, kept, counted, strict=True))
    if all(keep for _, keep, _ in marked):
        return "".join(part.original for part in run)
    pieces: list[str] = []
    for syntax, stretch in groupby(marked, key=lambda each: each[0].syntax):
        join = written if syntax == "json" else spaced
        pieces.append(join(list(_parts(list(stretch), style))))
    return "".join(pieces)


def _parts(
    marked: Sequence[tuple[Segment, bool, int]], style: MaskStyle
) -> Iterator[tuple[str | None, str]]:
    """What is written for each feature, None where nothing is, and its gap."""
    first = True  # whether a masked feature is the first of its stretch
    for part, keep, number in marked:
        if keep:
            yield part.text, part.gap
        elif style == "drop" or (style == "ellipsis" and not first):
            yield None, part.gap
        else:
            yield _stand_in(part, style, number), part.gap
        first = keep


def _stand_in(part: Segment, style: MaskStyle, number: int) -> str | None:
    if part.syntax == "json":
        value = part.text[len(key_of(part.text)) :]
        stands = _stands_for(value, style, number)
        return replaced(part.text, stands) if stands else None
    # What it begins with stays: the indentation of a line of code, the blank of a list's piece.
    bare = part.text.lstrip()
    stands = _stands_for(bare, style, number)
    return part.text[: len(part.text) - len(bare)] + stands if stands else None


def _stands_for(text: str, style: MaskStyle, number: int) -> str:
    if isinstance(style, str):
        named = {"ellipsis": ELLIPSIS, "token": DEFAULT_TOKEN, "placeholder": f"[{number}]"}
        return named.get(style, style)
    stands = style(text)
    if not isinstance(stands, str):
        raise PromptError(
            f"The function that masks gave {stands!r}, which is no text.",
            advice="Let it give what stands for the masked text, or an empty text for nothing.",
        )
    check_whole(stands)
    return stands
