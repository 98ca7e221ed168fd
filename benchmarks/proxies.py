"""shapiq's tree proxies on masks that they did not draw.

Its approximators draw their own masks, and `approximate` takes no others: here their sampler is
replaced by one that hands out the masks that there are. All else is theirs: the model, its grid,
the refit and the read-out. What they answer is an index; up to the depth of the trees STII is the
Möbius transform of the surrogate, which so comes out whole.

What this module does not know: how a surrogate is scored.
"""

from __future__ import annotations

import time
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from ledger import Decoded

from spex_api.transforms import FourierTransform, MobiusTransform, mobius_to_fourier

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.samples import Samples
    from spex_api.transforms import Support

__all__ = ["proxyshap", "proxyshap_searched", "proxyspex_given"]

_GRID = {"max_depth": [3, 5], "max_iter": [500, 1000], "learning_rate": [0.01, 0.1]}
"""The default of shapiq, given by hand so that LightGBM prints nothing."""
_GRID_DEPTH = 5
_XGBOOST_DEPTH = 6


class _Given:
    """What shapiq's approximators read of a sampler, of masks that are there already."""

    empty_coalition_index = 0
    """Where the value is that ProxySHAP subtracts, and that `_proxyshap` adds again."""

    def __init__(self, masks: NDArray[np.uint8]) -> None:
        self.coalitions_matrix = masks.astype(bool)
        self.log_sampling_adjustment_weights = np.zeros(len(masks))

    def sample(self, budget: int) -> None:
        """Draws nothing.

        Raises:
            ValueError: another number of masks is asked for.
        """
        if budget != len(self.coalitions_matrix):
            raise ValueError(f"{budget} masks asked for, {len(self.coalitions_matrix)} given")


def proxyspex_given(samples: Samples) -> Decoded:
    """The ProxySPEX of shapiq with its default grid: 41 fits, some 30,000 trees."""
    return _searched(samples)[1]


def proxyshap_searched(samples: Samples) -> Decoded:
    """The ProxySHAP of shapiq on LightGBM with the grid of `hpo=True`, not adjusted.

    The grid is that of ProxySPEX, so it is searched once, and what is best is fitted again here.
    """
    model, searched = _searched(samples)
    own = _proxyshap(samples, model, depth=_GRID_DEPTH)
    return Decoded(own.transform, searched.seconds + own.seconds, own.note)


def proxyshap(samples: Samples) -> Decoded:
    """The ProxySHAP of shapiq as it is by default: one fit of XGBoost, not adjusted."""
    import_module("xgboost")  # without it shapiq takes LightGBM, and says so in a warning
    return _proxyshap(samples, "xgboost", depth=_XGBOOST_DEPTH)


@lru_cache(maxsize=1)
def _searched(samples: Samples) -> tuple[Any, Decoded]:
    """The best of the grid's models, not fitted, and what ProxySPEX makes of it."""
    grid = import_module("sklearn.model_selection").GridSearchCV(
        import_module("lightgbm").LGBMRegressor(random_state=0, n_jobs=1, verbose=-1),
        _GRID,
        scoring="r2",
        cv=5,
    )
    peer = import_module("shapiq").ProxySPEX(
        n=samples.num_features, max_order=_GRID_DEPTH, index="STII", proxy_model=grid
    )

    terms, seconds = _approximate(peer, samples)
    decoded = Decoded(_fourier(terms, samples), seconds, f"{grid.best_params_}")
    return import_module("sklearn.base").clone(grid.best_estimator_), decoded


def _proxyshap(samples: Samples, model: Any, *, depth: int) -> Decoded:  # noqa: ANN401
    """The surrogate of ProxySHAP, whose constant is taken from its model.

    It is fitted to the values less one of them. The index has as its constant the value of the
    empty mask, where the model has its own, which predicts better.
    """
    order = min(depth, samples.num_features)
    peer = import_module("shapiq").ProxySHAP(
        n=samples.num_features, max_order=order, index="STII", proxy_model=model, random_state=0
    )

    terms, seconds = _approximate(peer, samples)
    empty = np.zeros((1, samples.num_features), dtype=bool)
    terms[()] = float(peer.proxy_model.predict(empty)[0]) + float(samples.values[0])
    return Decoded(_fourier(terms, samples), seconds)


def _approximate(
    peer: Any,  # noqa: ANN401
    samples: Samples,
) -> tuple[dict[Support, float], float]:
    """What an approximator answers on these masks, by support, and its seconds of the processor."""
    peer._sampler = _Given(samples.masks)  # noqa: SLF001  # there is no public door for masks
    start = time.process_time()
    found = peer.approximate(len(samples), lambda _: samples.values)
    seconds = time.process_time() - start
    values = found.values  # anew each time it is read
    terms = {
        tuple(sorted(map(int, support))): float(values[place])
        for support, place in found.interaction_lookup.items()
    }
    return terms, seconds


def _fourier(terms: dict[Support, float], samples: Samples) -> FourierTransform:
    return mobius_to_fourier(MobiusTransform(terms, samples.num_features))
