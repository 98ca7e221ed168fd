"""Whether relevances and interactions are worth their many parameters, told by masks unseen.

A marginal likelihood that was maximised over two or three parameters a feature is optimistic: on
additive functions under noise it prefers interactions that are not there. A small gain, which grows
with the number of features, is chance; a large one is right; between them, folds with the fit
repeated decide. Neither test is sure: of noisy additive functions some are still overfitted.

What this module does not know: which two priors are compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.decoding.gp_posterior import Evidence, Maximum

    Search = Callable[[Evidence], Maximum]

__all__ = ["is_overfitted", "out_of_fold_error"]

_NUM_FOLDS = 5


def is_overfitted(
    rich: tuple[Evidence, Search], simple: tuple[Evidence, Search], *, gain: float
) -> bool:
    """Whether the simple prior predicts at least as well, on the same samples.

    Args:
        rich: the evidence under the prior with many parameters, and how they are found.
        simple: the same under the prior with few.
        gain: by how much the rich prior's loss is below the simple one's, in nats.
    """
    num_features = rich[0].signs.shape[1]
    if gain <= 4 + num_features / 8:
        return True
    if gain > 10 + num_features:
        return False
    return out_of_fold_error(*simple) <= out_of_fold_error(*rich)


def out_of_fold_error(evidence: Evidence, search: Search) -> float:
    """The mean squared error on samples that the fit has not seen, each in one fold of five.

    Samples of a known variance v count as `1 / (½ + v)`: ½ stands for what no fit explains.
    """
    count = len(evidence.values)
    errors = np.empty(count)
    for fold in range(min(_NUM_FOLDS, count)):
        held_out = np.arange(count) % _NUM_FOLDS == fold
        training = evidence.take(np.flatnonzero(~held_out))
        posterior = training.posterior(search(training).parameters)
        predicted = posterior.predict(evidence.signs[held_out])
        errors[held_out] = (evidence.values[held_out] - predicted) ** 2
    return float(np.average(errors, weights=1.0 / (0.5 + evidence.variances)))
