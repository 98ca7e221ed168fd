"""How far one prompt of an audit is: all that its next look needs, wherever that is taken.

It holds nothing that belongs to a process, so it may be sent to another one and back. What this
module does not know: how a prompt is asked, and who does it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

from spex_api.audited import Standing
from spex_api.audits.allotment import Course
from spex_api.querying.evaluation import Evaluation
from spex_api.querying.policy import Meter

if TYPE_CHECKING:
    from spex_api.audits.cases import Case
    from spex_api.errors import SpexError
    from spex_api.fidelity import Checkpoint

__all__ = ["Inquired", "total"]

_NOT_OPENED: Final = Course(1, (), closed=True)


@dataclass(slots=True)
class Inquired:
    """How far a prompt is; it changes from look to look.

    Attributes:
        case: its row.
        meter: counts what came from disk for it.
        course: how far it is.
        charged: the requests that it took, or that were set aside for it.
        standing: how it ended; None while it has not.
        error: what went wrong, or None.
        took: requests, tokens and dollars of all its answers; no dollars where no price is known.
        faithfulness: R² at the last look; NaN where there was none.
        noise_floor: how far values differ under one mask, where it was probed.
        answers: to all of its masks so far.
        curve: what each look showed.
    """

    case: Case
    meter: Meter = field(default_factory=Meter)
    course: Course = _NOT_OPENED
    charged: int = 0
    standing: Standing | None = None
    error: SpexError | None = None
    took: tuple[int, int, float] = (0, 0, 0.0)
    faithfulness: float = math.nan
    noise_floor: float | None = None
    answers: Evaluation = field(default_factory=Evaluation.nothing)
    curve: tuple[Checkpoint, ...] = ()

    @property
    def fresh(self) -> bool:
        """Whether it was neither opened yet nor ended."""
        return not self.course.looks and self.standing is None

    @property
    def failed(self) -> bool:
        """Whether something went wrong with it."""
        return self.standing is Standing.FAILED

    def follow(self, other: Inquired) -> None:
        """Takes over how far it was brought elsewhere."""
        for each in fields(self):
            if each.name not in ("case", "meter"):
                setattr(self, each.name, getattr(other, each.name))
        self.meter.cached = other.meter.cached

    def close(self, standing: Standing, error: SpexError | None = None) -> None:
        """Ends it, unless it has ended."""
        if self.standing is None:
            self.standing, self.error = standing, error
            self.course = replace(self.course, closed=True)


def total(answers: Evaluation) -> int:
    """The requests that answers took, refused ones among them."""
    return answers.usage.requests + answers.second.requests + answers.refused
