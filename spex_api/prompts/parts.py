"""The nouns of a prompt: turns, made of texts, calls of tools and pictures.

Every part has a `text`, a `gap`, its `original` and whether it is `pinned`, so that who draws a
prompt need not tell the kinds apart. What this module does not know: which parts are masked as one,
and how a turn reads under a mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Annotated

from pydantic import PlainSerializer

from spex_api.errors import PromptError
from spex_api.messages import Image  # noqa: TC001 - pydantic reads it
from spex_api.prompts.masking import MaskStyle
from spex_api.prompts.segmenters import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PICTURE_MASKS",
    "SYSTEM",
    "TOOLS",
    "Call",
    "Part",
    "Picture",
    "StoredStyle",
    "Turn",
    "is_lost",
]

TOOLS = "tools"
"""The role of the turn that holds the tools' definitions; it is no message."""

SYSTEM = ("system", "developer")
"""The roles that instruct, and are nobody's turn."""

_FUNCTION = "a function of yours: "


def is_lost(style: MaskStyle) -> bool:
    """Whether it is only the name of a function, out of a file."""
    return isinstance(style, str) and style.startswith(_FUNCTION)


def _named(style: MaskStyle) -> str:
    if isinstance(style, str):
        return style
    return _FUNCTION + getattr(style, "__qualname__", type(style).__qualname__)


StoredStyle = Annotated[MaskStyle, PlainSerializer(_named, return_type=str)]
"""How masked features are written; of a function a file holds the name."""

PICTURE_MASKS = ("blur", "grey")
"""How a masked patch of a picture is painted."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool in a turn of the assistant.

    Attributes:
        id: by which its result is known.
        name: of the tool.
        arguments: JSON text.
        pinned: whether it is kept under every mask.
    """

    id: str
    name: str
    arguments: str = "{}"
    pinned: bool = True

    @property
    def text(self) -> str:
        """The call as people read it."""
        return f"{self.name}({self.arguments})"

    @property
    def gap(self) -> str:
        """What parts it from the next one, for who draws it; none of it is sent."""
        return "\n"

    @property
    def original(self) -> str:
        """The call and its gap."""
        return self.text + self.gap


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: one part, or the ground of a grid of patches that are masked one by one.

    The segments that follow a picture with a grid stand for its patches, row by row.

    Attributes:
        image: the picture as it is sent where all of it is kept.
        rows: of the grid; 0 where it is not cut.
        columns: of the grid.
        paint: how a masked patch is painted: "blur" or "grey".
        pinned: whether it is kept under every mask; its patches are not.
    """

    image: Image
    rows: int = 0
    columns: int = 0
    paint: str = "blur"
    pinned: bool = True

    def __post_init__(self) -> None:
        if self.paint not in PICTURE_MASKS:
            raise PromptError(
                f"A patch of a picture cannot be masked by {self.paint!r}.",
                advice=f"Choose one of {', '.join(PICTURE_MASKS)}.",
            )
        if min(self.rows, self.columns) < 0 or (self.rows == 0) != (self.columns == 0):
            raise PromptError(
                f"A grid of {self.rows} × {self.columns} has no patches.",
                advice="Give rows and columns, each at least 1, such as grid=(4, 4).",
            )
        if self.num_patches and not self.pinned:
            raise PromptError("A picture is masked as a whole or by its patches, not both.")
        if self.num_patches and not self.image.data:
            raise PromptError(
                "The picture stands at an address, so its patches cannot be masked.",
                advice="Give its bytes or its file.",
            )

    @property
    def num_patches(self) -> int:
        """How many segments after it are its patches."""
        return self.rows * self.columns

    def patches(self) -> tuple[Segment, ...]:
        """The segments that stand for its patches, row by row."""
        return tuple(
            Segment(f"patch {row},{column}", "\n" if column == self.columns else " ")
            for row in range(1, self.rows + 1)
            for column in range(1, self.columns + 1)
        )

    @property
    def text(self) -> str:
        """The picture as a report names it."""
        return f"[picture {self.image.url}]" if self.image.url else "[picture]"

    @property
    def gap(self) -> str:
        """What parts it from what follows, for who draws it; none of it is sent."""
        return "\n"

    @property
    def original(self) -> str:
        """Its name and its gap."""
        return self.text + self.gap


Part = Segment | Call | Picture
"""Anything that a turn is made of."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, cut into parts.

    Attributes:
        role: "system", "developer", "user", "assistant" or "tool"; "tools" for the tools' own
            definitions, one a segment.
        segments: its parts in order. Calls stand behind all else.
        starts: where it is sent as blocks, the places in `segments` at which a block begins; empty
            where it is plain text.
        answers: the call that a tool's turn answers, by its id.
    """

    role: str
    segments: tuple[Part, ...]
    starts: tuple[int, ...] = ()
    answers: str = ""

    def __post_init__(self) -> None:
        kinds = [isinstance(part, Call) for part in self.segments]
        if kinds != sorted(kinds):
            raise PromptError("In a turn that calls tools, the calls come last.")
        if any(start >= stop for start, stop in pairwise((*self.starts, kinds.count(False)))):
            raise PromptError("The blocks of a turn do not follow one another.")
        if any(isinstance(part, Picture) for part in self.segments) and not self.starts:
            raise PromptError("A picture is a block; its turn says nowhere that it has any.")
        for block in self.blocks():
            first = block[0]
            if isinstance(first, Picture):
                rest = block[1:]
                if len(rest) != first.num_patches or any(part.pinned for part in rest):
                    raise PromptError("A picture's block holds the picture and its patches alone.")
            elif any(isinstance(part, Picture) for part in block):
                raise PromptError("A picture's block holds the picture and its patches alone.")

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of tools in it."""
        # They come last, so that a text of a thousand words is not looked through for them.
        behind = takewhile(lambda part: isinstance(part, Call), reversed(self.segments))
        return tuple(part for part in behind if isinstance(part, Call))[::-1]

    def blocks(self) -> Iterator[tuple[Part, ...]]:
        """The parts of each block; of plain text, all but the calls are one block."""
        length = len(self.segments) - len(self.calls)
        if not length:
            return
        for start, stop in pairwise((*(self.starts or (0,)), length)):
            yield self.segments[start:stop]
