"""Counts of sampled answers, decoded by their binomial likelihood with any decoder of values.

A smoothed logit of few draws is a poor value. Of three draws it is pulled towards 0, at p = 0.9 by
0.7 nats in the mean; and its variance is guessed from the very draws that it is to weigh, so that
whatever happened to be unanimous counts for less. The likelihood of the counts has neither fault.
With s hits of k draws at log-odds η it is maximised, penalised in whatever way a decoder shrinks,
by Fisher scoring (Nelder and Wedderburn 1972): decode the working values

    z = η + (s/k − p) / (p (1 − p)),  of variance 1 / (k p (1 − p)),  with p = 1 / (1 + exp(−η)),

take η from the fit, and again. For a Gaussian process that is Laplace's approximation (Rasmussen
and Williams 2006, section 3.4), with the evidence of the working values (Breslow and Clayton 1993).
Near the truth z hardly depends on η, in the mean; so a fit of single features is start enough, and
where the function is nearly that, one decoding does.

What this module does not know: how a decoder fits, and how answers were counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from spex_api.decoding.decoder import Choice, concise
from spex_api.decoding.ridge import additive_ridge
from spex_api.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.decoding.decoder import Decoder, Recovery
    from spex_api.samples import QueryPlan, Samples
    from spex_api.transforms import FourierTransform

    Floats = NDArray[np.float64]

__all__ = ["Binomial", "additive_log_odds", "working_samples"]

_ADDITIVE_ROUNDS = 10
_SETTLED = 1e-3
"""Nats that the additive fit still moves, in the mean, when it is start enough."""
_NEAR = 0.05
"""Squared nats that a fit lies from where its working values were taken: these are then wrong by
some hundredths, for their error is half of this times 1 − 2p."""
_BEYOND = 2.0
"""Nats beyond the largest smoothed logit at which a fit is still taken at its word: further out a
single stray answer would be a working value of hundreds."""


@dataclass(frozen=True, slots=True, repr=False)
class Binomial:
    """Decodes counts by their binomial likelihood, and leaves other samples to its decoder.

    Decoders turn to it by themselves where samples have draws; the result says so.

    Attributes:
        decoder: fits the working values; it plans the masks.
        max_rounds: how often at most.
    """

    decoder: Decoder
    max_rounds: int = 3

    def __post_init__(self) -> None:
        if self.max_rounds < 1:
            raise UsageError(f"A binomial fit takes at least one round, not {self.max_rounds}.")

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """The masks that the decoder wants.

        Raises:
            UsageError: there is no feature, or no query.
        """
        return self.decoder.plan(num_features, num_queries, seed)

    def decode(self, samples: Samples) -> Recovery:
        """The log-odds behind the counts; where a contest chose a decoder, it chose once.

        Raises:
            UsageError: the samples are too few for the decoder.
        """
        if samples.draws is None:
            return self.decoder.decode(samples)
        if len(samples) < 2:
            return self.decoder.decode(replace(samples, draws=None))
        log_odds = additive_log_odds(samples)(samples.masks)
        decoder, told = self.decoder, ""
        for round_ in range(1, self.max_rounds + 1):
            working = working_samples(samples, log_odds)
            recovery = decoder.decode(working)
            if recovery.choice is not None:
                decoder, told = recovery.choice
            found = recovery.transform(samples.masks)
            if round_ == self.max_rounds or np.mean((found - log_odds) ** 2) <= _NEAR:
                break
            log_odds = found
        reason = f"{told} The values are shares of sampled answers, fitted as binomial counts."
        return replace(recovery, choice=Choice(Binomial(decoder, self.max_rounds), reason.strip()))


def working_samples(samples: Samples, log_odds: Floats) -> Samples:
    """The samples with working values at these log-odds, which are as normal values to a decoder.

    Args:
        samples: with draws.
        log_odds: shape (num_samples,), in nats, of a fit that is to be improved.

    Returns:
        The same masks with z and its variances, without draws.

    Raises:
        UsageError: the samples have no draws.
    """
    draws = samples.draws
    if draws is None:
        raise UsageError(
            "Working values are those of counts, and these samples have none.",
            advice="Give draws to Samples.from_arrays, or decode the values as they are.",
        )
    # One limit for all, so that masks that all say the same differ in nothing.
    limit = np.log(2.0 * draws.trials.max(initial=1.0) + 1.0) + _BEYOND
    inside = np.clip(log_odds, -limit, limit)
    p = expit(inside)
    information = p * (1.0 - p)
    values = inside + (draws.hits / draws.trials - p) / information
    return replace(samples, values=values, variances=1.0 / (draws.trials * information), draws=None)


def additive_log_odds(samples: Samples) -> FourierTransform:
    """The log-odds that single features give: an additive ridge, by the likelihood of the counts.

    Args:
        samples: with draws, at least one.

    Returns:
        The constant and every single feature.

    Raises:
        UsageError: there is no sample, or it has no draws.
    """
    start = np.zeros(len(samples))
    if samples.draws is not None and len(samples):
        hits, trials = samples.draws.hits.sum(), samples.draws.trials.sum()
        start[:] = logit((hits + 0.5) / (trials + 1.0))
    found = additive_ridge(working_samples(samples, start))
    for _ in range(_ADDITIVE_ROUNDS):
        log_odds = found(samples.masks)
        found = additive_ridge(working_samples(samples, log_odds))
        if np.mean(np.abs(found(samples.masks) - log_odds)) <= _SETTLED:
            break
    return found
