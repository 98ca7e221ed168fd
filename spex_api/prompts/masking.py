"""How a run of features reads when some of them are masked.

A run is a stretch of features with nothing pinned between them. With all of them kept, each style
gives the original, character for character.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from spex_api.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.prompts.segmenters import Segment

__all__ = ["render_run"]

ELLIPSIS = "…"
DEFAULT_TOKEN = "[MASK]"  # noqa: S105 - a mask, no password


def render_run(run: Sequence[Segment], kept: Sequence[bool], style: str) -> str:
    """The run under a mask.

    Args:
        run: consecutive features.
        kept: one a feature.
        style: "drop" leaves masked features out, with the white space that followed them;
            "ellipsis" writes each stretch of them as one "…"; "token" writes "[MASK]" for each;
            and any other text stands for each as it is, such as "<unk>".

    Raises:
        PromptError: the style is empty.
    """
    if not style:
        raise PromptError("The mask is empty text.", advice='Use "drop" to leave masked parts out.')
    if style == "drop":
        return _joined([part for part, keep in zip(run, kept, strict=True) if keep], run)
    if style == "ellipsis":
        return _with_ellipses(run, kept)
    token = DEFAULT_TOKEN if style == "token" else style
    return "".join(
        (part.text if keep else token) + part.gap for part, keep in zip(run, kept, strict=True)
    )


def _joined(parts: Sequence[Segment], run: Sequence[Segment]) -> str:
    """The parts with their gaps, but closing on the run's own gap: no blank is left at the end."""
    if not parts:
        return ""
    return "".join(part.original for part in parts[:-1]) + parts[-1].text + run[-1].gap


def _with_ellipses(run: Sequence[Segment], kept: Sequence[bool]) -> str:
    pieces: list[str] = []
    for keep, stretch in groupby(zip(run, kept, strict=True), key=lambda pair: bool(pair[1])):
        parts = [part for part, _ in stretch]
        pieces.append(
            "".join(part.original for part in parts) if keep else ELLIPSIS + parts[-1].gap
        )
    return "".join(pieces)
