"""What the answers so far add up to, in a few numbers a mask however long the prompt is.

What this module does not know: how answers are asked for, and what to say when a run ends.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spex_api.completions import WITHHELD, Usage
from spex_api.querying.evaluation import NO_DRAWS, Evaluation
from spex_api.querying.unasked import Unasked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.errors import BadRequest, CacheMiss
    from spex_api.querying.seconding import MaskAnswers
    from spex_api.scores import Scored

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """What the answers so far add up to; the one thing in an evaluation that changes.

    Attributes:
        sources: shape (num_masks,): for each mask the first that reads the same, itself mostly.
        before: what came of the masks that were asked earlier, which are the first ones.
        bearable: more refusals than this share of all questions void the result, whatever else
            comes.
        asked: the masks that are asked now: each that reads as none before it.
        total: how many different questions there are, earlier ones among them.
        num_known: how many of them were asked earlier.
        open: those of `asked` that are neither answered nor refused yet.
    """

    sources: NDArray[np.intp]
    before: Evaluation
    bearable: float
    values: NDArray[np.float64] = field(init=False)
    variances: NDArray[np.float64] = field(init=False)
    draws: NDArray[np.float64] = field(init=False)
    asked: NDArray[np.intp] = field(init=False)
    total: int = field(init=False)
    num_known: int = field(init=False)
    open: set[int] = field(init=False)
    num_answered: int = 0
    censored: int = 0
    without_value: int = 0
    usage: Usage = field(default_factory=Usage)
    second: Usage = field(default_factory=Usage)
    models: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    refusal: BadRequest | None = None
    missing: int = 0
    looked_up: int = 0
    missing_cost: float | None = 0.0
    first_missing: tuple[int, CacheMiss] | None = None
    failure: Exception | None = None
    halted: bool = False

    def __post_init__(self) -> None:
        earlier = len(self.before.values)
        self.values = np.full(len(self.sources), np.nan)
        self.variances = np.zeros(len(self.sources))
        self.draws = np.tile(NO_DRAWS, (len(self.sources), 1))
        self.values[:earlier] = self.before.values
        self.variances[:earlier] = self.before.variances
        self.draws[:earlier] = self.before.draws
        different = np.flatnonzero(self.sources == np.arange(len(self.sources)))
        self.asked = different[different >= earlier]
        self.open = set(self.asked.tolist())
        self.total = len(different)
        self.num_known = self.total - len(self.asked)

    @property
    def stopped(self) -> bool:
        """Whether nothing new is to be sent."""
        too_many = self.before.refused + self.refused > self.bearable * self.total
        return self.halted or self.failure is not None or too_many

    @property
    def answered(self) -> int:
        """How many questions have an answer, earlier ones among them."""
        return self.num_known - self.before.refused + self.num_answered

    def fail(self, error: Exception) -> None:
        """Keeps the first error; the others came of it."""
        if self.failure is None:
            self.failure = error

    def refuse(self, row: int, error: BadRequest) -> None:
        """Counts a refusal under one mask, and keeps the first."""
        self.refused += 1
        self.open.discard(row)
        if self.refusal is None:
            self.refusal = error

    def miss(self, row: int, error: CacheMiss, cost: float | None) -> None:
        """Counts an answer that is not on disk, and keeps the first in the plan's order.

        Args:
            row: the mask that lacks it.
            error: names the answer.
            cost: what asking for it would cost at most, in dollars, where that is known.
        """
        self.missing += 1
        if cost is None or self.missing_cost is None:
            self.missing_cost = None
        else:
            self.missing_cost += cost
        if self.first_missing is None or row < self.first_missing[0]:
            self.first_missing = (row, error)

    def count(self, row: int, answers: MaskAnswers, scored: Scored) -> None:
        """Counts the answers under one mask, and keeps the number in them."""
        self.num_answered += 1
        self.open.discard(row)
        self.values[row], self.variances[row] = scored.value, scored.variance
        self.draws[row] = scored.draws or NO_DRAWS
        self.without_value += not scored.known
        self.censored += scored.known and scored.censored
        for completion in answers.first:
            self.usage += completion.usage
            self.models[completion.served] += 1
            self.outcomes[completion.outcome.value] += 1
        for completion in answers.second:
            self.second += completion.usage

    @property
    def withheld(self) -> int:
        """How many answers of now were declined or taken away."""
        return sum(self.outcomes[outcome.value] for outcome in WITHHELD)

    def evaluation(self) -> Evaluation:
        """What came of the masks that were asked now."""
        later = self.sources[len(self.before.values) :]
        return Evaluation(
            values=self.values[later],
            variances=self.variances[later],
            draws=self.draws[later],
            censored=self.censored,
            without_value=self.without_value,
            refused=self.refused,
            usage=self.usage,
            second=self.second,
            models=dict(sorted(self.models.items())),
            outcomes=dict(sorted(self.outcomes.items())),
            unasked=Unasked.of(self.open),
        )
