"""What came of a plan that was sent by batches, in numbers and sentences.

What this module does not know: how it came about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.completions import Usage

__all__ = ["Filled"]


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of it.

    Attributes:
        asked: how many different questions there are.
        held: how many had their answers on disk before.
        kept: how many answers came by batch now.
        refused: how many questions the endpoint refused for good, now or in this run before.
        usage: what the answers took, and at the most may have taken where that is not known.
        usd: what that costs, in dollars, or None where the price is not known.
        reasons: why the others are without an answer: sentences.
    """

    asked: int
    held: int
    kept: int
    refused: int
    usage: Usage
    usd: float | None
    reasons: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """How many questions are without an answer, and not refused."""
        return self.asked - self.held - self.kept - self.refused
