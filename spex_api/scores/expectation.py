"""The mean of the whole numbers that a model would have answered, from the log-probs of its tokens.

This is the score of G-Eval (Liu et al. 2023, arXiv:2303.16634, eq. 1), `Σ p(s) s`, divided by
`Σ p(s)` as far as the numbers are listed. What this module does not know: what the numbers mean.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from spex_api.scores.next_token import listed_in
from spex_api.scores.scale import number_text
from spex_api.scores.score import Scored
from spex_api.scores.token_spelling import joined, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import TokenLogprob
    from spex_api.scores.scale import Scale

__all__ = ["can_be_expected", "expectation", "longest_number"]

_LEAST_MASS: Final = 0.5
"""Where the model is likelier to say something else, its numbers are an afterthought."""

_WIDEST: Final = 0.05
"""A value that may be off by more than this share of the scale is only a bound."""

_NEGLIGIBLE: Final = 1e-6

_DECIMAL: Final = re.compile(r"\d+[.,]\d")
"""Such an answer is no whole number, and its first token is none that could be taken for it."""


def can_be_expected(scale: Scale) -> bool:
    """Whether its numbers are whole and without a sign, as tokens have it."""
    return scale.whole and scale.low >= 0


def longest_number(scale: Scale) -> int:
    """How many tokens are asked for.

    A digit each; one for a space that some models begin with; and two that show whether decimals
    follow, which the expectation cannot read.
    """
    return len(str(scale.high)) + 3


def expectation(tokens: Sequence[TokenLogprob], scale: Scale) -> Scored:
    """`E = Σ s p(s)/Σ p(s)` over the numbers listed; NaN where none is, or of decimals.

    A vocabulary may hold "10" as one token, or spell it "1", "0". Where "1" was chosen, the list at
    the next token tells the two apart; if the answer ended there, it was 1. Of a "1" that was not
    chosen it is not known which number it begins, unless a longer number is listed beside it:
    it counts as the middle of those that it may be.

    The bound: with M the mass of the numbers listed, X the most that unlisted ones can have
    (`min(1 − Σ p, m p_last)` for m of them), and h the half-width of what a beginning p_b may be,

        |E* − E| ≤ X/(M + X) · max(high − E, E − low) + Σ p_b h_b/M.

    Where that is more than a twentieth of the scale, or M is below one half, the value is marked as
    a bound B, with the variance B²/3 of an error that may be anywhere within it.

    Args:
        tokens: of the answer.
        scale: one of whole numbers.
    """
    start = next((at for at, token in enumerate(tokens) if readable(token.token).strip()), None)
    if start is None or _DECIMAL.match(joined(tokens).strip()):
        return Scored(math.nan)
    listed = [(readable(text), math.exp(logprob)) for text, logprob in listed_in(tokens[start])]
    masses = _Masses(scale)
    masses.count(tokens[start:], [(text.strip(), mass) for text, mass in listed])
    total = masses.total
    if total <= 0.0:
        return Scored(math.nan)
    value = masses.sum / total
    left = max(1.0 - math.fsum(mass for _, mass in listed), 0.0)
    unlisted = min(left, masses.num_unlisted * min(mass for _, mass in listed))
    farthest = max(scale.high - value, value - scale.low)
    bound = unlisted / (total + unlisted) * farthest + masses.unknown / total
    if bound <= _WIDEST * scale.width and total >= _LEAST_MASS:
        return Scored(value)
    return Scored(value, variance=bound**2 / 3, censored=True)


@dataclass(slots=True)
class _Masses:
    """The probability of each number, as far as it has been read."""

    scale: Scale
    known: dict[int, float] = field(default_factory=dict)
    beginnings: list[tuple[float, list[int]]] = field(default_factory=list)

    @property
    def total(self) -> float:
        """The mass of all numbers."""
        return math.fsum([*self.known.values(), *(mass for mass, _ in self.beginnings)])

    @property
    def sum(self) -> float:
        """`Σ s p(s)`, a beginning in the middle of what it may be."""
        middles = (mass * (may[0] + may[-1]) / 2 for mass, may in self.beginnings)
        return math.fsum([*(number * mass for number, mass in self.known.items()), *middles])

    @property
    def unknown(self) -> float:
        """`Σ p h`: by how much the sum may be off for what beginnings may be."""
        return math.fsum(mass * (may[-1] - may[0]) / 2 for mass, may in self.beginnings)

    @property
    def num_unlisted(self) -> int:
        """How many numbers have no mass at all."""
        seen = {number for _, may in self.beginnings for number in may} | self.known.keys()
        return int(self.scale.high - self.scale.low) + 1 - len(seen)

    def count(
        self, tokens: Sequence[TokenLogprob], listed: Sequence[tuple[str, float]], before: str = ""
    ) -> None:
        """Adds what is listed in a token's place.

        Args:
            tokens: that place and all after it.
            listed: texts there and their probabilities, those of what stands before taken in.
            before: the digits that stand before.
        """
        digits = [(found, mass) for text, mass in listed if (found := number_text(text))]
        # A vocabulary that has one number of several digits is taken to have them all.
        merges = any(len(found) > 1 and self._may_be(before + found) for found, _ in digits)
        chosen = number_text(readable(tokens[0].token).strip())
        for found, mass in digits:
            number, may = int(before + found), self._may_be(before + found)
            if merges or may == [number]:
                self._add(number, mass)
            elif may and found == chosen:
                self._go_on(tokens[1:], before + found, mass)
            elif may:
                self.beginnings.append((mass, may))

    def _go_on(self, tokens: Sequence[TokenLogprob], before: str, mass: float) -> None:
        """Parts the mass of the digits that were chosen by what may follow them."""
        may = self._may_be(before)
        listed = [(text, math.exp(each)) for text, each in listed_in(tokens[0])] if tokens else []
        if not listed:
            self._add(int(before), mass)
            return
        self.count(tokens, [(readable(text), mass * share) for text, share in listed], before)
        follows = math.fsum(
            share
            for text, share in listed
            if (found := number_text(readable(text))) and self._may_be(before + found)
        )
        told = math.fsum(share for _, share in listed)
        self._add(int(before), mass * max(told - follows, 0.0))
        if 1.0 - told > _NEGLIGIBLE:
            self.beginnings.append((mass * (1.0 - told), may))

    def _add(self, number: int, mass: float) -> None:
        if self.scale.holds(number):
            self.known[number] = self.known.get(number, 0.0) + mass

    def _may_be(self, digits: str) -> list[int]:
        """The numbers on the scale that begin with these digits, in order."""
        if digits != str(int(digits)):
            return []
        low, high = int(self.scale.low), int(self.scale.high)
        found: list[int] = []
        start, width = int(digits), 1
        while start <= high:
            found += range(max(start, low), min(start + width - 1, high) + 1)
            if not int(digits):
                break
            start, width = start * 10, width * 10
        return found
