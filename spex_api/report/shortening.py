"""A long prompt cut to the parts that matter.

The strongest parts stay, each with its neighbours, and so does the beginning and the end of every
turn, as far as there is room. What this module does not know: how it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.prompts.rendering import Kept

__all__ = ["Piece", "Shortened", "shortened"]

_NEIGHBOURS: Final = 2
"""So many parts on either side of a strong one are shown."""
_HEAD, _TAIL = 200, 60
"""So many characters of a long part are shown, of its beginning and of its end."""

_OPENING: Final = 2
"""So many lines the role of a turn takes, with the empty one before it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of a prompt, on its way to be drawn; nothing in it can act.

    Attributes:
        text: what it says.
        gap: what parts it from the next one.
        feature: the number of its feature; None where it is pinned, or stands for what is left out.
        left_out: whether it stands for what is left out.
    """

    text: str
    gap: str = ""
    feature: int | None = None
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Shortened:
    """The turns of a prompt, or what is shown of them.

    Attributes:
        turns: the role of each, and its pieces.
        shown: of how many features some text is shown.
        features: how many there are.
        cut: whether anything is left out.
    """

    turns: tuple[tuple[str, tuple[Piece, ...]], ...]
    shown: int
    features: int
    cut: bool = False


_Place = tuple[int, int]
"""The number of a turn, and of a part in it."""


def shortened(kept: Kept, effects: Sequence[float], *, room: int, width: int) -> Shortened:
    """What is shown of a prompt: all of it where there is room, else the parts that matter.

    Args:
        kept: the turns, as `Prompt.marked` gives them.
        effects: shape (num_features,), what each feature does.
        room: in lines.
        width: of a line, in characters.
    """
    pieces = [
        [Piece(harmless(each.part.text), harmless(each.part.gap), each.feature) for each in parts]
        for _, parts in kept
    ]
    roles = [harmless(turn.role) for turn, _ in kept]
    if sum(_cost(piece, width) for turn in pieces for piece in turn) <= room * width:
        turns = tuple((role, tuple(turn)) for role, turn in zip(roles, pieces, strict=True))
        return Shortened(turns, len(effects), len(effects))
    brief = [[_brief(piece) for piece in turn] for turn in pieces]
    chosen = _chosen(brief, effects, room=room * width, width=width)
    joined = [
        (role, tuple(_joined(turn, chosen, number)))
        for number, (role, turn) in enumerate(zip(roles, brief, strict=True))
    ]
    features = {brief[turn][part].feature for turn, part in chosen} - {None}
    return Shortened(tuple(_told_once(joined)), len(features), len(effects), cut=True)


def _cost(piece: Piece, width: int) -> float:
    """The characters that a piece takes up; one that ends a line takes up half of another."""
    said = piece.text + piece.gap
    return len(said) + said.count("\n") * width / 2


def _brief(piece: Piece) -> Piece:
    """The piece with its beginning and its end alone, where it is long."""
    text = piece.text
    if len(text) <= _HEAD + _TAIL + 5:
        return piece
    return Piece(f"{text[:_HEAD].rstrip()} … {text[-_TAIL:].lstrip()}", piece.gap, piece.feature)


def _chosen(
    turns: list[list[Piece]], effects: Sequence[float], *, room: float, width: int
) -> set[_Place]:
    """The places that are shown: first and last parts, then the strongest with their neighbours."""
    places = [(turn, part) for turn, parts in enumerate(turns) for part in range(len(parts))]
    strength = {place: _strength(turns[place[0]][place[1]], effects) for place in places}
    ranked = sorted(places, key=lambda place: -strength[place])
    edges = [place for place in places if place[1] in (0, len(turns[place[0]]) - 1)]
    chosen: set[_Place] = set()
    opened: set[int] = set()
    spent = 0.0
    for number, (turn, part) in enumerate([*edges, *ranked]):
        is_edge = number < len(edges)
        reach = 0 if is_edge else _NEIGHBOURS
        around = range(max(part - reach, 0), min(part + reach + 1, len(turns[turn])))
        if not is_edge and strength[turn, part] <= 0:
            break
        fresh = [(turn, near) for near in around if (turn, near) not in chosen]
        price = sum(_cost(turns[turn][near], width) for _, near in fresh)
        if turn not in opened:
            price += _OPENING * width
        if spent + price > (room / 3 if is_edge else room):
            continue
        chosen.update(fresh)
        opened.add(turn)
        spent += price
    return chosen


def _strength(piece: Piece, effects: Sequence[float]) -> float:
    return -1.0 if piece.feature is None else abs(effects[piece.feature])


def _joined(turn: list[Piece], chosen: set[_Place], number: int) -> Iterator[Piece]:
    """The pieces of a turn that are shown, with one that stands for each stretch left out."""
    waiting = False
    for part, piece in enumerate(turn):
        if (number, part) in chosen:
            if waiting:
                yield Piece("… ", left_out=True)
            waiting = False
            yield piece
        else:
            waiting = True
    if waiting:
        yield Piece("…", left_out=True)


def _told_once(
    turns: list[tuple[str, tuple[Piece, ...]]],
) -> Iterator[tuple[str, tuple[Piece, ...]]]:
    """The turns, with one that has no role for each stretch of turns that are left out whole."""
    waiting = False
    for role, pieces in turns:
        left_out = bool(pieces) and all(piece.left_out for piece in pieces)
        if left_out and not waiting:
            yield "", (Piece("…", left_out=True),)
        elif not left_out:
            yield role, pieces
        waiting = left_out
