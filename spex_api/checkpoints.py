"""How faithful the same decoder would have been from fewer of the answers.

Whether more answers would help is what a curve tells that still rises. What this module does not
know: who answered, and how the answers were looked at while they came.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit

from spex_api.decoding.binomial import additive_log_odds
from spex_api.decoding.ridge import additive_ridge
from spex_api.errors import UsageError
from spex_api.fidelity import Checkpoint, Faithfulness, ceiling_of_shares, held_out_faithfulness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.decoding.decoder import Decoder
    from spex_api.samples import Samples
    from spex_api.transforms import FourierTransform

__all__ = ["additive_fit", "checkpoints", "measured", "observed", "on_its_scale", "said"]

_SHARES: Final = (1 / 4, 1 / 2)
_FEWEST: Final = 12
"""Samples below which a fit tells of nothing but their number."""
_MOST_COUNTS: Final = 400
"""Samples of counts up to which they are decoded again: each decoding of them takes seconds."""


def checkpoints(
    decoder: Decoder, seen: Samples, unseen: Samples, *, whole: Faithfulness, seed: int
) -> tuple[Checkpoint, ...]:
    """The faithfulness of fits to the first quarter and the first half of the samples, and to all.

    Args:
        decoder: which takes any masks that are drawn one by one.
        seen: the samples, in the order in which their masks were drawn.
        unseen: on which each fit is measured.
        whole: what the fit to all of them reaches there.
        seed: of the bootstrap.

    Returns:
        Of so few that the decoder can make nothing of them there is none.

    Raises:
        Nothing: a decoder that refuses a part is left out.
    """
    found: list[Checkpoint] = []
    again = seen.draws is None or len(seen) <= _MOST_COUNTS
    for share in _SHARES if again else ():
        count = int(share * len(seen))
        if count < _FEWEST:
            continue
        part = seen.take(np.arange(count))
        try:
            transform = decoder.decode(part).transform
        except UsageError:
            continue
        found.append(Checkpoint(count, measured(unseen, transform, additive_fit(part), seed=seed)))
    return (*found, Checkpoint(len(seen), whole))


def additive_fit(seen: Samples) -> FourierTransform:
    """What a method that knows no interactions makes of the samples."""
    return additive_ridge(seen) if seen.draws is None else additive_log_odds(seen)


def measured(
    samples: Samples,
    surrogate: FourierTransform,
    additive: FourierTransform,
    *,
    seed: int,
    exhaustive: bool = False,
) -> Faithfulness:
    """How faithful a surrogate is on these samples, beside an additive one.

    Args:
        samples: that no fit has seen.
        surrogate: what is measured.
        additive: what it stands beside.
        seed: of the bootstrap.
        exhaustive: whether these are all samples that there are.

    Raises:
        UsageError: there is nothing to compare.
    """
    found = held_out_faithfulness(
        observed(samples),
        said(surrogate, samples),
        additive=said(additive, samples),
        seed=seed,
        exhaustive=exhaustive,
    )
    return on_its_scale(found, samples)


def on_its_scale(faithfulness: Faithfulness, samples: Samples) -> Faithfulness:
    """The same, with what the samples' scale says of it."""
    draws = samples.draws
    if draws is None:
        return faithfulness
    ceiling = ceiling_of_shares(draws.hits, draws.trials)
    return replace(faithfulness, ceiling=ceiling, of_shares=True)


def observed(samples: Samples) -> NDArray[np.float64]:
    """The values, or the shares of answers that hit: log-odds of few draws are nobody's truth."""
    if samples.draws is None:
        return samples.values
    shares: NDArray[np.float64] = samples.draws.hits / samples.draws.trials
    return shares


def said(surrogate: FourierTransform, samples: Samples) -> NDArray[np.float64]:
    """What a surrogate says of them, on the same scale."""
    told = surrogate(samples.masks)
    return told if samples.draws is None else expit(told)
