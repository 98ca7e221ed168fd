"""The peers, each called through its own public door; none of their code is here.

SPEX and ProxySPEX of spectralexplain, ProxySPEX of shapiq, and ridge and LASSO regressions of
scikit-learn, each imported when it is called: without them ours can still be measured.

What this module does not know: our own decoders.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from functions import Noisy
from ledger import Decoded, timed

from spex_api.codes.bch import bch_code
from spex_api.samples import Aliasing, Samples
from spex_api.transforms import (
    FourierTransform,
    MobiusTransform,
    characters,
    mobius_to_fourier,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "coded_signal",
    "largest_code",
    "lasso",
    "proxyspex_published",
    "proxyspex_shapiq",
    "ridge",
    "spex",
    "spex_refitted",
]

_PENALTIES = np.logspace(-2, 6, 25)
_NUM_GROUPS = 3
_NUM_FOLDS = 5
_DEGREE = 5


def coded_signal(
    function: Noisy, *, exponent: int, degree: int = _DEGREE, seed: int = 0
) -> tuple[Any, Samples]:
    """The peer's signal on its own coded masks, and the same masks and values as samples of ours.

    Its features run backwards, so that its parity checks are the rows of ours. It asks some masks
    twice, which get the same value and are one sample.
    """
    recovery = import_module("spectralexplain.support_recovery")
    num_features = function.function.num_features
    np.random.seed(seed)  # noqa: NPY002  # the peer draws from the global generator
    signal, _ = recovery.sampling_strategy(
        lambda masks: function(np.asarray(masks)[:, ::-1]),
        exponent,
        exponent,
        num_features,
        None,
        t=degree,
    )
    matrices = np.array([np.asarray(matrix)[::-1] for matrix in signal.Ms], dtype=np.uint8)
    parities = bch_code(num_features, degree).parity_check
    delays = np.concatenate([np.zeros_like(parities[:1]), parities])
    masks, values = zip(*function.rows.values(), strict=True)
    aliasing = Aliasing(matrices, delays, degree)
    return signal, Samples(
        np.array(masks), np.array(values), None, ordered=False, aliasing=aliasing
    )


def spex(signal: Any, kind: str, *, exponent: int, degree: int = _DEGREE) -> Decoded:  # noqa: ANN401
    """The peer's `soft` or `hard` decoding of its signal, in seconds without any compilation."""
    support_recovery = import_module("spectralexplain.support_recovery").support_recovery
    _compile(signal.n, degree)

    def decode() -> tuple[FourierTransform, str]:
        found = support_recovery(kind, signal, exponent, degree)
        queries = len(signal.all_samples) * len(signal.all_samples[0]) * 2**exponent
        note = f"b={exponent}, t={degree}, {queries:,} queries"
        return _from_bits({key[::-1]: value for key, value in found.items()}, signal.n), note

    return timed(decode)


def spex_refitted(decoded: Decoded, signal: Any, *, exponent: int) -> Decoded:  # noqa: ANN401
    """The peer's LASSO on what it found and all singles, as its paper has it.

    Its released `support_recovery` leaves this step out; `fit_regression` is still there.
    """
    fit_regression = import_module("spectralexplain.utils").fit_regression
    found = [key for key in decoded.transform if key]
    locations = np.zeros((len(found), signal.n), dtype=int)
    for row, support in enumerate(found):
        locations[row, [signal.n - 1 - feature for feature in support]] = 1

    def decode() -> tuple[FourierTransform, str]:
        fitted, _ = fit_regression("lasso", {"locations": locations}, signal, signal.n, exponent)
        return _from_bits({key[::-1]: value for key, value in fitted.items()}, signal.n), ""

    refitted = timed(decode)
    seconds = decoded.seconds + refitted.seconds
    return Decoded(refitted.transform, seconds, f"{decoded.note}, refitted")


@cache
def _compile(num_features: int, degree: int) -> None:
    """The peer's field arithmetic is compiled on first use, once for each field."""
    support_recovery = import_module("spectralexplain.support_recovery").support_recovery
    pairs = {(i, i + 1): 1.0 for i in range(0, num_features - 1, 2)}
    function = Noisy(FourierTransform(pairs, num_features), noise=0.3, seed=0)
    signal, _ = coded_signal(function, exponent=3, degree=degree)
    for kind in ("hard", "soft"):
        support_recovery(kind, signal, 3, degree)


def largest_code(num_features: int, num_queries: int) -> tuple[int, int] | None:
    """B and t of the largest coded design of the peer that a budget allows.

    t is 5 where a b of 3 or more fits with it; else it is lowered to 2 at least, as shapiq does.
    """
    for degree in range(_DEGREE, 1, -1):
        num_delays = bch_code(num_features, degree).num_parities + 1
        fitting = [b for b in range(3, 13) if _NUM_GROUPS * 2**b * num_delays <= num_queries]
        if fitting:
            return max(fitting), degree
    return None


def proxyspex_published(samples: Samples) -> Decoded:
    """The ProxySPEX of spectralexplain with its published grid: 61 fits, some 130,000 trees."""
    proxy_spex = import_module("spectralexplain.utils").proxy_spex

    def decode() -> tuple[FourierTransform, str]:
        found = proxy_spex((samples.masks.astype(np.int64), samples.values))
        return _from_bits(found, samples.num_features), "spectralexplain's grid"

    return timed(decode)


def proxyspex_shapiq(function: Noisy, num_queries: int, *, seed: int = 0) -> Decoded:
    """The ProxySPEX of shapiq with its default grid: 41 fits, some 30,000 trees; uniform masks.

    It draws its masks itself. Up to the trees' depth of 5 its STII is the Möbius transform of its
    surrogate, which so comes out whole.
    """
    num_features = function.function.num_features
    # The default's own grid, given by hand so that LightGBM prints nothing.
    grid = import_module("sklearn.model_selection").GridSearchCV(
        import_module("lightgbm").LGBMRegressor(random_state=seed, n_jobs=1, verbose=-1),
        {"max_depth": [3, 5], "n_estimators": [500, 1000], "learning_rate": [0.01, 0.1]},
        scoring="r2",
        cv=5,
    )
    peer = import_module("shapiq").ProxySPEX(
        n=num_features, max_order=5, index="STII", proxy_model=grid, random_state=seed
    )

    def decode() -> tuple[FourierTransform, str]:
        found = peer.approximate(num_queries, function)
        values = found.values  # anew each time it is read
        terms = {
            tuple(sorted(map(int, support))): float(values[place])
            for support, place in found.interaction_lookup.items()
        }
        transform = mobius_to_fourier(MobiusTransform(terms, num_features))
        return transform, f"shapiq's grid, {len(function.rows):,} queries"

    return timed(decode)


def ridge(samples: Samples, *, order: int) -> Decoded:
    """Ridge regression on all supports up to an order, its penalty by leave-one-out."""
    model = import_module("sklearn.linear_model").RidgeCV(alphas=_PENALTIES)
    return _regression(samples, order, model)


def lasso(samples: Samples, *, order: int) -> Decoded:
    """The LASSO on all supports up to an order, its penalty by five folds."""
    return _regression(samples, order, import_module("sklearn.linear_model").LassoCV(cv=_NUM_FOLDS))


def _regression(samples: Samples, order: int, model: Any) -> Decoded:  # noqa: ANN401
    """A linear model of scikit-learn on all supports up to an order."""
    features = range(samples.num_features)
    supports = [key for size in range(1, order + 1) for key in combinations(features, size)]

    def decode() -> tuple[FourierTransform, str]:
        fit = model.fit(characters(samples.masks, supports), samples.values)
        terms = {(): float(fit.intercept_), **dict(zip(supports, fit.coef_.tolist(), strict=True))}
        return FourierTransform(terms, samples.num_features), f"{len(supports):,} columns"

    return timed(decode)


def _from_bits(found: Mapping[Iterable[int], float], num_features: int) -> FourierTransform:
    terms = {
        tuple(i for i, bit in enumerate(bits) if bit): float(np.real(value))
        for bits, value in found.items()
    }
    return FourierTransform(terms, num_features)
