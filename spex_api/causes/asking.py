"""How causes ask: arrangements go out, and of each answer comes back whether the outcome holds.

What this module does not know: who answers, and what is made of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.claims import Arrangement

__all__ = ["Answered", "Ask", "Purse"]


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer, read.

    Attributes:
        value: in the score's unit.
        holds: whether the outcome holds of it; None where that cannot be told.
        text: what was answered; "" where answers are no texts.
    """

    value: float
    holds: bool | None
    text: str = ""


class Ask(Protocol):
    """Who is asked: a prompt's model, or a pipeline."""

    async def __call__(self, arrangements: Sequence[Arrangement]) -> list[Answered]:
        """Answers each arrangement afresh, in order, also where two of them are equal.

        It may answer fewer than were asked, the first of them, where a budget ended.
        """
        ...


class Purse:
    """Asks no more often than it may, and counts."""

    def __init__(self, ask: Ask, budget: int) -> None:
        """Takes who is asked, and how many answers may be asked for."""
        self._ask = ask
        self._left = budget
        self.calls = 0
        """How many answers were given."""

    @property
    def left(self) -> int:
        """How many answers may yet be asked for."""
        return self._left

    async def ask(self, arrangements: Sequence[Arrangement]) -> list[Answered]:
        """Answers to the first of the arrangements, to as many as there is left for.

        Raises:
            UsageError: more answers came than were asked for.
        """
        affordable = list(arrangements[: self._left])
        answers = await self._ask(affordable) if affordable else []
        if len(answers) > len(affordable):
            raise UsageError(
                f"{len(affordable)} arrangements were asked, and {len(answers)} answers came.",
                advice="Give one answer an arrangement, in their order.",
            )
        self.calls += len(answers)
        # Whoever answers fewer has no more to give: to ask again would end in the same.
        self._left = self._left - len(answers) if len(answers) == len(affordable) else 0
        return answers
