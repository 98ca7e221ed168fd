"""What is claimed of parts near the full prompt, what was asked to test it, and what came of it.

An *arrangement* is the prompt, or a pipeline's input, with a few parts left out or moved. The
*outcome* is something that can be said of an answer, as "it says 25 days"; it holds of an answer or
does not. A *claim* says that the outcome is likelier under one arrangement than under another; a
*cause* is a set of parts with the claims that make it one. What this module does not know: who is
asked, and how a claim is tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spex_api.errors import UsageError

__all__ = ["UNCHANGED", "Arrangement", "Cause", "Causes", "Claim", "Kind", "Trial"]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What is changed of the whole.

    Attributes:
        removed: the features that are left out, ascending.
        moved: features that stand elsewhere: (feature, place in the list it belongs to), both
            counted from 0.
    """

    removed: tuple[int, ...] = ()
    moved: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if tuple(sorted(set(self.removed))) != self.removed:
            raise UsageError(f"Removed features are told once, ascending, not {self.removed}.")


UNCHANGED = Arrangement()
"""Everything in, where it stands."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One arrangement, asked again and again.

    Attributes:
        arrangement: what was changed.
        holds: of how many answers the outcome holds.
        asked: how many answers can be told.
        answers: what was answered, in the order of asking, for whoever keeps it as a proof; empty
            where answers are no texts.
        values: the value of each answer, in the score's unit and in the same order.
    """

    arrangement: Arrangement
    holds: int
    asked: int
    answers: tuple[str, ...] = ()
    values: tuple[float, ...] = ()

    @property
    def flipped(self) -> int:
        """Of how many answers the outcome does not hold."""
        return self.asked - self.holds


@dataclass(frozen=True, slots=True)
class Claim:
    """That the outcome is likelier under one arrangement than under another.

    Attributes:
        more: where it is likelier.
        less: where it is less likely.
        evidence: the e-value against "it is not": under that hypothesis it reaches 1/α with a
            probability of at most α, whenever one stops (Ville's inequality).
        confirmed: whether it reached the bound that its test was given.
    """

    more: Arrangement
    less: Arrangement
    evidence: float = 1.0
    confirmed: bool = False


class Kind(StrEnum):
    """How the parts of a cause work; the value is what a person reads."""

    ALONE = "one part alone"
    """Removing it flips the answer."""
    TOGETHER = "parts that need each other"
    """Each is needed: removing any of them flips the answer."""
    REDUNDANT = "redundant parts"
    """Either suffices: only removing them all flips the answer."""
    SUPPRESSOR = "a suppressor"
    """One part holds back what another would do: removing it flips the answer, but not where the
    other is removed too."""
    POSITION = "a position"
    """It is where the part stands: moving it flips the answer."""
    SUFFICIENT = "parts that suffice"
    """With these alone, all others left out, the answer stays; with fewer of them it does not."""
    MIXED = "parts that work in a way of their own"
    """None of the above; the trials show which."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Parts that bring the outcome about, as it is claimed, and whether the test confirmed it.

    Attributes:
        kind: how they work.
        features: the parts, ascending; of a suppressor all that take part.
        suppressors: of these, those that hold back the others.
        claims: all that must be true for it; it is confirmed if every one of them is.
    """

    kind: Kind
    features: tuple[int, ...]
    claims: tuple[Claim, ...]
    suppressors: tuple[int, ...] = ()

    @property
    def confirmed(self) -> bool:
        """Whether every claim is confirmed."""
        return bool(self.claims) and all(claim.confirmed for claim in self.claims)


@dataclass(frozen=True, slots=True)
class Causes:
    """What brings an outcome about, put to the test.

    Attributes:
        outcome: what holds of an answer, in words that follow "the answer" or stand alone.
        causes: what was claimed and tested, confirmed ones first.
        trials: all arrangements that were asked in the test, the unchanged one first.
        calls: how many answers the test took.
        alpha: the probability with which any cause at all is confirmed where there is none.
        advice: where nothing is confirmed: what to do; else "".
        threshold: the value that parts the answers of which the outcome holds from the others; None
            where it is not the value that tells.
        above: whether it holds above the threshold, or below it.
    """

    outcome: str
    causes: tuple[Cause, ...]
    trials: tuple[Trial, ...]
    calls: int
    alpha: float = 0.05
    advice: str = ""
    threshold: float | None = None
    above: bool = True

    @property
    def confirmed(self) -> tuple[Cause, ...]:
        """The causes that the test confirmed."""
        return tuple(cause for cause in self.causes if cause.confirmed)

    def trial(self, arrangement: Arrangement) -> Trial | None:
        """What came of an arrangement; None where it was not asked."""
        return next((each for each in self.trials if each.arrangement == arrangement), None)
