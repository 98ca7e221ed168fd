"""How a conversation reads under a mask, and stays one.

With everything kept it is the original. Otherwise, in this order:

- a call of a tool that is left out takes its result with it, and the last call of a turn takes the
  turn; a style that writes something in place of what is masked keeps the call and its name, not
  the arguments, so that the result has something to answer;
- no block is left empty; a turn that is left empty goes, but for the user's last turn and for a
  tool's result, which then read "…";
- neighbours of one role that had something between them become one turn, a blank line between or,
  where one of them is sent as blocks, block after block;
- where the user began, the user begins: a turn "…" stands for the first one where it is gone;
- the assistant has the last word only where it had it before.

What this module does not know: why something is masked, and what endpoints there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from spex_api.messages import Image, Message, ToolCall
from spex_api.prompts.masking import render_run
from spex_api.prompts.parts import SYSTEM, TOOLS, Call, Picture, Turn
from spex_api.prompts.segmenters import Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from spex_api.prompts.masking import MaskStyle
    from spex_api.prompts.parts import Part

__all__ = ["Kept", "Marked", "marked", "read_tools", "rendered"]

BLANK = "…"
"""What a turn says that has nothing left to say, and cannot go."""


class Marked(NamedTuple):
    """A part with what a mask makes of it: a tuple, since a mask makes one of every word.

    Attributes:
        part: the part.
        feature: the number of its feature; None where it is pinned.
        kept: whether the mask keeps it.
    """

    part: Part
    feature: int | None
    kept: bool


Kept = tuple[tuple[Turn, tuple[Marked, ...]], ...]
"""The turns of a prompt under a mask."""


def marked(turns: Sequence[Turn], numbers: Iterable[int], kept: Sequence[bool]) -> Kept:
    """The turns with each part marked.

    Args:
        turns: the turns.
        numbers: the feature of each part that is not pinned, in their order.
        kept: one entry a feature.
    """
    remaining = iter(numbers)
    return tuple(
        (turn, tuple(_mark(part, remaining, kept) for part in turn.segments)) for turn in turns
    )


def _mark(part: Part, numbers: Iterator[int], kept: Sequence[bool]) -> Marked:
    if part.pinned:
        return Marked(part, None, kept=True)
    feature = next(numbers)
    return Marked(part, feature, kept=kept[feature])


def read_tools(turns: Kept) -> tuple[str, ...]:
    """The definitions of tools that are kept."""
    return tuple(
        each.part.text for turn, parts in turns if turn.role == TOOLS for each in parts if each.kept
    )


def rendered(
    turns: Kept, style: MaskStyle, paint: Callable[[Picture, Sequence[bool]], Image]
) -> tuple[Message, ...]:
    """The conversation under a mask.

    Args:
        turns: the turns, each part marked.
        style: how masked text is written.
        paint: the picture with some of its patches masked.
    """
    asked = [(turn, marked) for turn, marked in turns if turn.role != TOOLS]
    last_user = max((at for at, (turn, _) in enumerate(asked) if turn.role == "user"), default=-1)
    writer = _Writer(style, paint)
    left: list[tuple[int, Message]] = []
    gone: frozenset[str] = frozenset()  # the calls that were left out of the last turn
    for at, (turn, marked) in enumerate(asked):
        if turn.answers in gone:
            continue
        if not turn.answers:
            gone = writer.gone(turn, marked)
        if gone and len(gone) == len(turn.calls):
            continue
        message = writer.message(turn, marked)
        if not all(each.kept for each in marked) and _is_empty(message):
            if at != last_user and turn.role != "tool":
                continue
            message = _saying_nothing(message)
        left.append((at, message))
    if len(left) == len(asked):
        return tuple(message for _, message in left)
    return _mended(left, [turn.role for turn, _ in asked])


@dataclass(frozen=True, slots=True)
class _Writer:
    style: MaskStyle
    paint: Callable[[Picture, Sequence[bool]], Image]

    @property
    def drops(self) -> bool:
        """Whether what is masked is left out, and nothing stands in its place."""
        return self.style == "drop"

    def gone(self, turn: Turn, marked: tuple[Marked, ...]) -> frozenset[str]:
        """The ids of the calls that are left out of the turn."""
        return frozenset(
            each.part.id
            for each in marked[len(marked) - len(turn.calls) :]
            if self.drops and isinstance(each.part, Call) and not each.kept
        )

    def message(self, turn: Turn, marked: tuple[Marked, ...]) -> Message:
        calls = tuple(self._calls(marked[len(marked) - len(turn.calls) :]))
        if not turn.starts:
            texts = marked[: len(marked) - len(turn.calls)]
            return Message(turn.role, self._text(texts), (), calls, turn.answers)
        places = iter(marked)
        blocks: list[str | Image] = []
        for parts in turn.blocks():
            block = [next(places) for _ in parts]
            written = self._block(block)
            # An original block is sent as it is, even an empty one; a masked one must say more.
            if isinstance(written, Image) or written.strip() or all(each.kept for each in block):
                blocks.append(written)
        content = "".join(block for block in blocks if isinstance(block, str))
        return Message(turn.role, content, tuple(blocks), calls, turn.answers)

    def _calls(self, marked: Sequence[Marked]) -> Iterator[ToolCall]:
        for each in marked:
            call = each.part
            if isinstance(call, Call) and (each.kept or not self.drops):
                yield ToolCall(call.id, call.name, call.arguments if each.kept else "{}")

    def _block(self, block: list[Marked]) -> str | Image:
        first = block[0]
        if not isinstance(first.part, Picture):
            return self._text(block)
        if not first.kept:
            standing = Marked(Segment(first.part.text), first.feature, kept=False)
            return self._text([standing])
        patches = [each.kept for each in block[1:]]
        return first.part.image if all(patches) else self.paint(first.part, patches)

    def _text(self, parts: Iterable[Marked]) -> str:
        pieces: list[str] = []
        for pinned, stretch in groupby(parts, key=_is_pinned):
            if pinned:
                pieces.extend(part.original for part, _, _ in stretch)
                continue
            run: list[Segment] = []
            kept: list[bool] = []
            numbers: list[int] = []
            for part, feature, keep in stretch:
                # Neighbouring segments of one feature are written as one.
                if numbers and numbers[-1] == (feature or 0) + 1:
                    run[-1] = Segment(run[-1].original + part.text, part.gap)
                elif isinstance(part, Segment):
                    run.append(part)
                    kept.append(keep)
                    numbers.append((feature or 0) + 1)
            pieces.append(render_run(run, kept, self.style, numbers=numbers))
        return "".join(pieces)


def _is_pinned(each: Marked) -> bool:
    return each.feature is None


def _is_empty(message: Message) -> bool:
    pictures = any(isinstance(block, Image) for block in message.blocks)
    return not (message.content.strip() or pictures or message.tool_calls)


def _saying_nothing(message: Message) -> Message:
    return replace(message, content=BLANK, blocks=(BLANK,) if message.blocks else ())


def _mended(left: list[tuple[int, Message]], roles: list[str]) -> tuple[Message, ...]:
    """A conversation out of the turns that are left, each with its place among the original's."""
    mended: list[Message] = []
    before = -1
    for at, message in left:
        apart = at > before + 1
        if mended and apart and message.role == mended[-1].role != "tool":
            mended[-1] = _joined(mended[-1], message)
        else:
            mended.append(message)
        before = at
    spoken = [role for role in roles if role not in SYSTEM]
    first = next((at for at, each in enumerate(mended) if each.role not in SYSTEM), len(mended))
    if spoken[:1] == ["user"] and (first == len(mended) or mended[first].role != "user"):
        mended.insert(first, Message("user", BLANK))
    while mended and roles[-1] != "assistant" and mended[-1].role == "assistant":
        mended.pop()
    return tuple(mended) or (Message(roles[0], BLANK),)


def _joined(first: Message, second: Message) -> Message:
    """Two turns as one, their texts parted by a blank line."""
    calls, answers = first.tool_calls + second.tool_calls, first.answers
    if not (first.blocks or second.blocks):
        content = "\n\n".join(text for text in (first.content, second.content) if text)
        return Message(first.role, content, (), calls, answers)
    blocks = tuple(
        block
        for message in (first, second)
        for block in message.blocks or (message.content,)
        if not isinstance(block, str) or block
    )
    content = "".join(block for block in blocks if isinstance(block, str))
    return Message(first.role, content, blocks, calls, answers)
