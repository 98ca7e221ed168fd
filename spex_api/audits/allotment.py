"""Where the next queries gain most: which of many prompts go on to their next look.

Every look that is left is worth what faithfulness is to grow by until then, and the queries that
are left go, in whole looks, to where that is most a query: short prompts and quick learners come
first, and who has nothing more to gain gets nothing. Only half of what is left is given away at
once: then everybody is looked at again. That depends on finished looks and planned costs alone,
never on who was faster, so a replay and a run that goes on decide alike.

What this module does not know: prompts, masks and answers, and how faithfulness grows (`learning`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spex_api.audits.learning import Beliefs, Learner, Shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Course", "allot", "is_hopeless", "stops"]

_FIRST: Final = 50
_MASKS_PER_FEATURE: Final = 1.0
_GROWTH: Final = 1.5
_NOTHING: Final = 0.02
"""An R² that nobody sees: who is to gain less by all that it may ask has nothing to gain."""
_AT_ONCE: Final = 0.5
"""The share of what is left that is given away before everybody is looked at again."""


@dataclass(frozen=True, slots=True)
class Course:
    """How far a prompt is.

    Attributes:
        num_features: how many features it has.
        looks: after how many masks it may be looked at, ascending; the last is all that it may ask.
        shown: what the first of these looks showed, in their order.
        cost: how many requests a mask takes.
        closed: whether it goes no further, as one that failed or reached its target.
    """

    num_features: int
    looks: tuple[int, ...]
    shown: tuple[Shown, ...] = ()
    cost: int = 1
    closed: bool = False

    @property
    def open(self) -> bool:
        """Whether there is another look to be taken."""
        return not self.closed and len(self.shown) < len(self.looks)

    @property
    def num_masks(self) -> int:
        """How many masks were asked by the last look."""
        return self.looks[len(self.shown) - 1] if self.shown else 0

    @property
    def next_cost(self) -> int:
        """The requests up to the next look."""
        return self.cost * (self.looks[len(self.shown)] - self.num_masks)


def stops(num_features: int, most: int) -> tuple[int, ...]:
    """After how many masks a prompt is looked at: in equal ratios of about 1.5 up to all of them.

    The first look is at one mask a feature, and at least at 50: fewer show next to nothing, and
    more are lost on a prompt that is hopeless.

    Args:
        num_features: how many features each mask has.
        most: how many masks it may be asked at the most.
    """
    first = max(_FIRST, math.ceil(_MASKS_PER_FEATURE * num_features))
    if most <= first:
        return (most,)
    steps = max(round(math.log(most / first) / math.log(_GROWTH)), 1)
    ratio = most / first
    return (*(round(first * ratio ** (step / steps)) for step in range(steps)), most)


def allot(courses: Sequence[Course], *, left: int) -> tuple[int, ...]:
    """Which prompts go on to their next look, in this round.

    Args:
        courses: one a prompt.
        left: how many requests are left of the budget.

    Returns:
        Their places, ascending. None go on where the budget takes no further look, or nobody has
        anything to gain.
    """
    planned = _planned(courses, _beliefs(courses), left)
    share = _AT_ONCE * sum(step.cost for step in planned)
    going: set[int] = set()
    spent = 0
    for step in planned:
        # The second step of a prompt is paid once the first was looked at.
        if step.at not in going and spent < share:
            going.add(step.at)
            spent += step.cost
    return tuple(sorted(going))


def is_hopeless(course: Course, courses: Sequence[Course]) -> bool:
    """Whether a prompt that may be asked more has nothing to gain by all of it.

    Args:
        course: it.
        courses: all of them, it among them, from which it is known what is usual.
    """
    if not course.shown or len(course.shown) == len(course.looks):
        return False
    return _hope(courses.index(course), course, _beliefs(courses)) < _NOTHING


@dataclass(frozen=True, slots=True)
class _Step:
    """One look more of one prompt, and what it is to gain a request."""

    at: int
    look: int
    cost: int
    rate: float


def _beliefs(courses: Sequence[Course]) -> Beliefs:
    return Beliefs.of([Learner(course.num_features, course.shown) for course in courses])


def _planned(courses: Sequence[Course], beliefs: Beliefs, left: int) -> list[_Step]:
    """What the budget would be given to if all went as expected, the best first."""
    steps = sorted(
        (step for at, course in enumerate(courses) for step in _steps(at, course, beliefs)),
        key=lambda step: (-step.rate, step.at, step.look),
    )
    planned: list[_Step] = []
    full: set[int] = set()
    for step in steps:
        if step.at in full:
            continue
        if step.cost > left:
            full.add(step.at)
            continue
        planned.append(step)
        left -= step.cost
    return planned


def _steps(at: int, course: Course, beliefs: Beliefs) -> Iterator[_Step]:
    """The looks that a prompt has left, each with the rate of the best way on that it belongs to.

    A look that shows little by itself may be the way to one that shows much: what is gained up to a
    later look is shared by all on the way to it, so that rates never rise.
    """
    if not course.open or _hope(at, course, beliefs) < _NOTHING:
        return
    first = len(course.shown)
    counts = course.looks[first:]
    expected = [beliefs.expected(at, count) for count in counts]
    before, known, start = course.num_masks, _known(at, course, beliefs), 0
    while start < len(counts):
        rates = [
            (gained - known) / (course.cost * (count - before))
            for count, gained in zip(counts[start:], expected[start:], strict=True)
        ]
        best = max(range(len(rates)), key=rates.__getitem__)
        for step in range(start, start + best + 1):
            cost = course.cost * (counts[step] - (counts[step - 1] if step else course.num_masks))
            yield _Step(at, first + step, cost, rates[best])
        start += best + 1
        before, known = counts[start - 1], expected[start - 1]


def _hope(at: int, course: Course, beliefs: Beliefs) -> float:
    """What all that a prompt may still ask is to gain."""
    return beliefs.expected(at, course.looks[-1]) - _known(at, course, beliefs)


def _known(at: int, course: Course, beliefs: Beliefs) -> float:
    return beliefs.expected(at, course.num_masks) if course.shown else 0.0
