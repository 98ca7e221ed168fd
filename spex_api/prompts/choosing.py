"""Which parts of a conversation are features, and which of them are one.

- "messages": each message, an assistant's calls of tools together with their results; the user's
  last turn, and an answer that is begun, are pinned;
- "few_shot": the user's and the assistant's turns of each example together;
- "tool_results": each call of a tool together with its result;
- "instructions": the system message's lines, or its sentences where it is one line;
- "tools": the definitions of the tools that were not called;
- "patches": those of the pictures;
- any other way splits the texts of the messages that are meant.

What this module does not know: how a masked part is written, and how a conversation is mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from spex_api.errors import PromptError
from spex_api.prompts.foreign import names_of
from spex_api.prompts.masking import MaskStyle
from spex_api.prompts.parts import SYSTEM, TOOLS, Turn
from spex_api.prompts.refining import pieces
from spex_api.prompts.segmenters import SPLITS, Segment, Split
from spex_api.prompts.units import UNITS

if TYPE_CHECKING:
    from spex_api.prompts.parts import Part
    from spex_api.prompts.units import Unit

__all__ = ["WHOLES", "Of", "chosen"]

Of = str | int | Sequence[str | int] | None

WHOLES = ("messages", "few_shot", "tool_results", "instructions", "tools", "patches")
"""What a conversation can be split into by name; every other name splits a text."""

Chosen = tuple[tuple[Turn, ...], MaskStyle, bool, tuple[int, ...]]
"""All that a prompt is made of, in its own order."""


def chosen(
    turns: tuple[Turn, ...],
    split: Split,
    *,
    of: Of,
    mask: MaskStyle,
    language: str,
    grid: tuple[int, int],
) -> Chosen:
    """What a prompt of these turns is made of, once its features are unpinned.

    Args:
        turns: all of them pinned.
        split: one of `WHOLES`, or a way to split a text.
        of: which messages; see `Prompt.from_openai`.
        mask: how masked text is written, or for patches how these are painted.
        language: of a text, for splitting into sentences.
        grid: rows and columns, for patches.

    Raises:
        PromptError: nothing is chosen, there is no such message, or a text cannot be split.
    """
    asked = [at for at, turn in enumerate(turns) if turn.role != TOOLS]
    where = _places(turns, asked, of)
    if split == "tools":
        return _with_tools_free(turns), mask, False, ()
    if isinstance(split, str) and split in UNITS:
        units = UNITS[split](turns, asked)
        free = [unit for unit in units if where is None or any(at in where for at, _ in unit)]
        unpinned, numbers = _unpinned(turns, free)
        return unpinned, mask, True, numbers
    if isinstance(split, str) and split.partition(":")[0] not in (*WHOLES, *SPLITS, "json"):
        raise PromptError(
            f"A conversation cannot be split into {split!r}.",
            advice=f"Choose one of {', '.join(WHOLES)}; or for its texts {', '.join(SPLITS)} or "
            "json, or the pieces as a list.",
        )
    if split == "patches":
        paint = "blur" if mask == "drop" else mask
        return _with_patches(turns, where, grid=grid, paint=paint), "drop", True, ()
    if where is None:
        wanted = SYSTEM if split == "instructions" else ("user",)
        those = [at for at in asked if turns[at].role in wanted]
        where = frozenset(those if split == "instructions" else those[-1:])
    cut = tuple(
        _split(turn, split, language) if at in where else turn for at, turn in enumerate(turns)
    )
    return cut, mask, True, ()


def _split(turn: Turn, split: Split, language: str) -> Turn:
    """The turn with each of its texts cut."""
    if split == "instructions":
        lines = [line for part in turn.segments for line in part.text.splitlines() if line.strip()]
        split = "lines" if len(lines) > 1 else "sentences"
    parts: list[Part] = []
    starts: list[int] = []
    for at, part in enumerate(turn.segments):
        if at in turn.starts:
            starts.append(len(parts))
        parts.extend(pieces(part, split, language) if isinstance(part, Segment) else (part,))
    return replace(turn, segments=tuple(parts), starts=tuple(starts))


def _places(turns: tuple[Turn, ...], asked: list[int], of: Of) -> frozenset[int] | None:
    """The places in `turns` that `of` names; None where it names none."""
    if of is None:
        return None
    found: set[int] = set()
    for each in of if isinstance(of, Iterable) and not isinstance(of, str) else [of]:
        if not isinstance(each, str | int):
            raise PromptError(
                f"No message is meant by {each!r}.", advice="Give places, counted from 0, or roles."
            )
        if isinstance(each, str):
            those = [at for at in asked if turns[at].role == each]
        else:
            those = asked[each : each + 1 or None]
        if not those:
            raise PromptError(
                f"No message is meant by {each!r}: the conversation has {len(asked)}, of the roles "
                f"{', '.join(dict.fromkeys(turns[at].role for at in asked))}.",
                advice="Give places, counted from 0, or roles.",
            )
        found.update(those)
    return frozenset(found)


def _unpinned(
    turns: tuple[Turn, ...], units: Iterable[Unit]
) -> tuple[tuple[Turn, ...], tuple[int, ...]]:
    """The turns with these units unpinned, each one feature, unless there is nothing in it."""
    feature: dict[tuple[int, int], int] = {}
    count = 0
    for unit in units:
        those = [
            (at, place)
            for at, call in unit
            for place, part in enumerate(turns[at].segments)
            if (call is None or part is call) and part.text.strip()
        ]
        if those:
            feature.update(dict.fromkeys(those, count))
            count += 1
    free = tuple(
        replace(
            turn,
            segments=tuple(
                replace(part, pinned=(at, place) not in feature)
                for place, part in enumerate(turn.segments)
            ),
        )
        for at, turn in enumerate(turns)
    )
    return free, tuple(number for _, number in sorted(feature.items()))


def _with_tools_free(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The tools' definitions unpinned, but for those that were called: their calls need them."""
    called = {call.name for turn in turns for call in turn.calls}
    return tuple(
        replace(
            turn,
            segments=tuple(
                replace(part, pinned=not called.isdisjoint(names_of(part.text)))
                for part in turn.segments
            ),
        )
        if turn.role == TOOLS
        else turn
        for turn in turns
    )


def _with_patches(
    turns: tuple[Turn, ...],
    where: frozenset[int] | None,
    *,
    grid: tuple[int, int],
    paint: object,
) -> tuple[Turn, ...]:
    from spex_api.prompts.images import with_patches  # noqa: PLC0415 - who has pictures

    return tuple(
        with_patches(turn, grid=grid, paint=paint) if where is None or at in where else turn
        for at, turn in enumerate(turns)
    )
