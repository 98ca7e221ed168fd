"""What must go together in a conversation is one unit: a message, an example, a call's result.

A unit is places of turns, each taken whole or but one of its calls. What this module does not know:
which units become features, and how they are masked.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from spex_api.prompts.parts import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spex_api.prompts.parts import Call, Turn

__all__ = ["UNITS", "Unit", "last_user"]

Unit = list["tuple[int, Call | None]"]
"""What is one feature: places of turns, each whole or but one of its calls."""


def last_user(turns: tuple[Turn, ...], asked: list[int]) -> int:
    """The place of the user's last turn; -1 where there is none.

    Args:
        turns: the turns.
        asked: the places of those that are messages.

    Raises:
        Nothing.
    """
    return max((at for at in asked if turns[at].role == "user"), default=-1)


def _messages(turns: tuple[Turn, ...], asked: list[int]) -> Iterator[Unit]:
    """Each message, but for the user's last and for an answer that is begun."""
    pinned = {last_user(turns, asked)}
    if turns[asked[-1]].role == "assistant":
        pinned.add(asked[-1])
    for at in asked:
        if at not in pinned and not turns[at].answers:
            yield [(at, None), *((to, None) for to in _answering(turns, at))]


def _examples(turns: tuple[Turn, ...], asked: list[int]) -> Iterator[Unit]:
    """The user's and the assistant's turns of each exchange before the user's last turn."""
    last = last_user(turns, asked)
    unit: Unit = []
    answered = False
    for at in asked:
        role = turns[at].role
        if at >= last:
            break
        if role in SYSTEM:
            continue
        if role == "user" and answered:
            yield unit
            unit, answered = [], False
        unit.append((at, None))
        answered = answered or role == "assistant"
    # A question before the last one that nobody answered is no example.
    if unit and answered:
        yield unit


def _results(turns: tuple[Turn, ...], asked: list[int]) -> Iterator[Unit]:
    """Each call of a tool with its result."""
    for at in asked:
        for call in turns[at].calls:
            results = [to for to in _answering(turns, at) if turns[to].answers == call.id]
            if results:
                yield [(at, call), *((to, None) for to in results)]


def _answering(turns: tuple[Turn, ...], at: int) -> range:
    """The places of the results behind a turn; some servers use a call's id again later on."""
    behind = takewhile(lambda to: turns[to].answers, range(at + 1, len(turns)))
    return range(at + 1, at + 1 + sum(1 for _ in behind))


UNITS: dict[str, Callable[[tuple[Turn, ...], list[int]], Iterator[Unit]]] = {
    "messages": _messages,
    "few_shot": _examples,
    "tool_results": _results,
}
"""By the name of the split, what its units are: of the turns, and the places of the messages."""
