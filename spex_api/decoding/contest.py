"""Several decoders of the same masks: the one that predicts best what it has not seen decodes.

A Gaussian process explains most where interactions have parts that matter alone, and finds little
where they have not; a sparse regression is the reverse. Which of them a prompt is like is seen from
its answers: each decoder is given four fifths of the samples and predicts the rest. The first has
the benefit of the doubt: another one must be better by more than chance gives.

What this module does not know: what a decoder does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spex_api.decoding.binomial import Binomial
from spex_api.decoding.decoder import Choice, Recovery, concise
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.decoding.decoder import Decoder
    from spex_api.samples import QueryPlan, Samples

__all__ = ["Contest"]

_EVERY = 5
"""Every fifth sample is predicted."""
_FEWEST = 50
"""Fewer samples tell no decoder from another."""
_SURE = 2.0
"""So many standard errors must another decoder be ahead of the first."""
_WORTH = 0.02
"""And by so much of the variance: the first gives intervals, which others do not."""


@dataclass(frozen=True, slots=True, repr=False)
class Contest:
    """Decodes with the first decoder, or with another that clearly predicts better.

    Attributes:
        decoders: the first one plans the masks, which all of them must take.
    """

    decoders: tuple[Decoder, ...]

    def __post_init__(self) -> None:
        if not self.decoders:
            raise UsageError("A contest has at least one decoder.")

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """The masks that the first decoder wants.

        Raises:
            UsageError: there is no feature, or no query.
        """
        return self.decoders[0].plan(num_features, num_queries, seed)

    def decode(self, samples: Samples) -> Recovery:
        """What the chosen decoder makes of all samples; `Recovery.choice` says which, and why.

        Raises:
            UsageError: the samples are too few for a decoder.
        """
        if samples.draws is not None:
            return Binomial(self).decode(samples)
        if len(samples) < _FEWEST or len(self.decoders) == 1:
            chosen, reason = self.decoders[0], ""
        else:
            chosen, reason = self._best(samples)
        return replace(chosen.decode(samples), choice=Choice(chosen, reason))

    def _best(self, samples: Samples) -> tuple[Decoder, str]:
        hidden = np.arange(len(samples)) % _EVERY == _EVERY - 1
        shown, unseen = samples.take(~hidden), samples.take(hidden)
        errors = [
            (unseen.values - decoder.decode(shown).transform(unseen.masks)) ** 2
            for decoder in self.decoders
        ]
        variance = float(np.mean((unseen.values - shown.values.mean()) ** 2))
        if variance == 0.0:
            return self.decoders[0], ""
        leads = [_lead(errors[0], error) for error in errors]
        place = int(np.argmax(leads))
        gain = float(np.mean(errors[0] - errors[place])) / variance
        if leads[place] <= _SURE or gain <= _WORTH:
            place = 0
        scores = ", ".join(
            f"{type(decoder).__name__} {1 - float(error.mean()) / variance:.2f}"
            for decoder, error in zip(self.decoders, errors, strict=True)
        )
        return self.decoders[place], (
            f"Of {int(hidden.sum())} answers hidden from them, they explained: {scores}."
        )


def _lead(first: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """By how many standard errors the other's squared errors are smaller than the first's."""
    gains = first - other
    spread = float(gains.std(ddof=1))
    return float(gains.mean()) / (spread / len(gains) ** 0.5) if spread else 0.0
