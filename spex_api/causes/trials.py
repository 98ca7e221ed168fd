"""The answers of a test, by arrangement: kept as they come, paired for the claims, told as trials.

What this module does not know: what is claimed, and when a test ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.claims import UNCHANGED, Arrangement, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spex_api.causes.asking import Answered

__all__ = ["Heard"]


class Heard:
    """Answers to arrangements that are asked in rounds, each arrangement at most once a round.

    Two answers make a pair only where they were asked for in one round: neither was known when it
    was decided to ask for the other.
    """

    def __init__(self) -> None:
        """Begins with no answer."""
        self._rounds: list[dict[Arrangement, Answered]] = []

    def add(self, arrangements: Sequence[Arrangement], answers: Sequence[Answered]) -> None:
        """Takes in a round: answers to the first of the arrangements, where they are fewer."""
        self._rounds.append(dict(zip(arrangements, answers, strict=False)))

    @property
    def rounds(self) -> tuple[dict[Arrangement, Answered], ...]:
        """What was answered, round by round."""
        return tuple(self._rounds)

    @property
    def count(self) -> int:
        """How many answers there are."""
        return sum(map(len, self._rounds))

    def times(self, arrangement: Arrangement) -> int:
        """How often it was answered."""
        return sum(arrangement in each for each in self._rounds)

    def told(self) -> list[tuple[Arrangement, bool]]:
        """Whether the outcome holds, of each answer that can be told."""
        return [
            (arrangement, answer.holds)
            for each in self._rounds
            for arrangement, answer in each.items()
            if answer.holds is not None
        ]

    def pairs(self, more: Arrangement, less: Arrangement) -> tuple[int, int, int]:
        """Wins, losses, and pairs in all: of a pair that differs, whether `more` holds.

        A pair of which either cannot be told is neither won nor lost.
        """
        told = [
            (each[more].holds, each[less].holds)
            for each in self._rounds
            if more in each and less in each
        ]
        return told.count((True, False)), told.count((False, True)), len(told)

    @classmethod
    def joined(cls, several: Iterable[Heard]) -> Heard:
        """All rounds, one after the other."""
        whole = cls()
        whole._rounds = [each for heard in several for each in heard.rounds]
        return whole

    def trials(self, *, opposite: bool = False) -> tuple[Trial, ...]:
        """What came of each arrangement: the unchanged one first, then fewer changes first.

        Args:
            opposite: whether it is counted where the outcome does not hold.
        """
        arrangements = sorted(
            {arrangement for each in self._rounds for arrangement in each},
            key=lambda each: (each != UNCHANGED, each.moved, len(each.removed), each.removed),
        )
        return tuple(self._trial(each, opposite=opposite) for each in arrangements)

    def _trial(self, arrangement: Arrangement, *, opposite: bool) -> Trial:
        answers = [each[arrangement] for each in self._rounds if arrangement in each]
        told = [answer for answer in answers if answer.holds is not None]
        texts = tuple(answer.text for answer in told)
        return Trial(
            arrangement,
            holds=sum(answer.holds is not opposite for answer in told),
            asked=len(told),
            answers=texts if any(texts) else (),
            values=tuple(answer.value for answer in told),
        )
