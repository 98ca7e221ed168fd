"""ProxySPEX: boosted trees stand in for the model, and their Fourier transform says what to fit.

Trees find interactions because a large coefficient seldom comes without large ones on its subsets
(Butler et al. 2025, "ProxySPEX: Inference-Efficient Interpretability via Sparse Feature
Interactions in LLMs"). Unlike there, a few short boostings are tried instead of sixty-one long
ones; the constant and all singles take part in the refit; a coefficient is shrunk the less, the
larger the trees make it; how many are kept, and whether the refit is, is decided out of fold.

What this module does not know: how trees become coefficients (`tree_fourier`), and how a penalty is
found (`support_ridge`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.decoding.binomial import Binomial
from spex_api.decoding.decoder import Recovery, Status, concise
from spex_api.decoding.standardization import standardize
from spex_api.decoding.support_ridge import ridge
from spex_api.decoding.tree_fourier import read_trees, tree_fourier
from spex_api.errors import BudgetTooSmall, MissingExtra, UsageError
from spex_api.sampling.uniform import uniform_plan
from spex_api.transforms import FourierTransform, characters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from spex_api.samples import QueryPlan, Samples
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]
    Coefficients = Mapping[Support, float]

__all__ = ["ProxySPEX"]

_GROWTHS: tuple[Mapping[str, float], ...] = (
    {"min_data_in_leaf": 20},
    # Half the samples a tree, half the features a split: what greed overlooks is looked at too.
    {
        "min_data_in_leaf": 5,
        "lambda_l2": 5.0,
        "feature_fraction_bynode": 0.5,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
    },
)
_LEARNING_RATE = 0.1
_PATIENCE = 40
"""So many trees that do not help a held-out fold end its boosting."""
_SAMPLES_A_LEAF = 25
"""A leaf asks for at most one in so many of the samples, so that few samples still split."""
_LEAST_GAIN = 1.0
"""So many standard errors must the best candidate gain over an additive fit, and where samples are
few still more, since then one of the candidates is the best by chance."""
_FEWEST_FOR_TREES = 10
"""Of fewer samples folds are too small to tell an interaction from luck: the fit is additive."""
_FEW = 20
"""Of fewer samples than this every tree sees all; and an interaction must gain much."""
_LEAST_GAIN_OVER_MEAN = 2.0
_LEAST_SHARE = 1e-3
"""A coefficient that is smaller than this share of the largest is rounding, or as good as none."""
_SIZES = (0, 25, 50, 100, 200, 400, 800)
"""How many of the trees' coefficients may be kept; 0 is an additive fit."""


@dataclass(frozen=True, slots=True, repr=False)
class ProxySPEX:
    """Fits boosted trees, takes the largest coefficients of their exact transform, and refits them.

    The refit is `argmin Σ_j ω_j (y_j − Σ_S F[S] χ_S(m_j))² + λ Σ_S (F[S] / F_trees[S])²` over the
    kept supports and all singles, the constant free, λ by leave-one-out. The weights ω are
    `1 / (½ + v_j)` in units of the values' variance. Needs the extra `proxyspex` (LightGBM).

    Attributes:
        max_depth: of a tree, and so the size of the largest supports.
        max_trees: of one boosting, which mostly ends earlier.
        max_terms: how many coefficients are kept at most, singles not counted.
        num_folds: of the cross-validation; at most one a sample.
        seed: of the shuffle that makes the folds, and of the trees.
    """

    max_depth: int = 5
    max_trees: int = 2000
    max_terms: int = 400
    num_folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.max_depth <= 12:
            raise UsageError(
                f"ProxySPEX grows trees of depth 1 to 12, not {self.max_depth}: a path of so many "
                "features has 2^12 subsets."
            )
        if self.max_trees < 1 or self.max_terms < 1 or self.num_folds < 2:
            raise UsageError(
                "ProxySPEX takes at least one tree, one term and two folds, not "
                f"{self.max_trees}, {self.max_terms} and {self.num_folds}."
            )

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """Uniform masks; where no number is given, `2 n log₂ n`, at least 200.

        Raises:
            UsageError: there is no feature, or no query.
            MissingExtra: LightGBM is not installed; said here, before anything is paid for.
        """
        _lightgbm()
        if num_queries is None:
            num_queries = max(int(2 * num_features * np.log2(max(num_features, 2))), 200)
        return uniform_plan(num_features, num_queries, seed=seed)

    def decode(self, samples: Samples) -> Recovery:
        """The refitted transform of the trees with the least error out of fold.

        Deterministic: one thread, seeded trees. The order of the samples decides nothing.

        Raises:
            UsageError: there are fewer than two samples.
            MissingExtra: LightGBM is not installed.
        """
        if samples.draws is not None:
            return Binomial(self).decode(samples)
        if len(samples) < 2:
            raise BudgetTooSmall(
                f"ProxySPEX fits a function to two samples at least, not {len(samples)}."
            )
        ordered = samples.take(np.lexsort((samples.values, *samples.masks.T)))
        standardized = standardize(ordered)
        if standardized.scale == 0:
            return Recovery.constant(standardized.mean, samples.num_features)
        weights = 1.0 / (0.5 + standardized.variances)
        data = _Data(ordered.masks, standardized.values, weights / weights.mean())
        with threadpool_limits(limits=1, user_api="blas"):
            fitted, status = self._cross_validated(data)
        coefficients = {key: standardized.scale * value for key, value in fitted.items()}
        coefficients[()] = standardized.mean + coefficients.get((), 0.0)
        return Recovery(FourierTransform(coefficients, samples.num_features), status)

    def _cross_validated(self, data: _Data) -> tuple[Coefficients, Status]:
        """The candidate with the least error over the folds, fitted to all samples."""
        shuffled = np.random.default_rng(self.seed).permutation(len(data.values))
        growths = _GROWTHS if len(shuffled) >= _FEWEST_FOR_TREES else ()
        candidates = self._candidates(len(growths) + 1 if growths else 0)
        # Each candidate's squared error at each sample, and behind them those of the mean alone.
        errors = np.empty((len(candidates) + 1, len(shuffled)))
        rounds = np.zeros(len(growths))
        folds = np.array_split(shuffled, min(self.num_folds, len(shuffled)))
        for fold in folds:
            rest = np.setdiff1d(shuffled, fold)
            training, held_out = data.take(rest), data.take(fold)
            grown = [self._grow(training, growth, held_out) for growth in growths]
            rounds += [count for _, count in grown]
            proxies = _with_mean([proxy for proxy, _ in grown])
            for row, candidate in zip(errors, candidates, strict=False):
                row[fold] = held_out.errors(candidate.fit(training, proxies))
            mean = float(np.average(training.values, weights=training.weights))
            errors[-1, fold] = held_out.errors({(): mean})
        place = int(np.argmin(errors[:-1].sum(axis=1)))
        if _gain(errors[0] - errors[place]) < _LEAST_GAIN + _FEW / len(shuffled):
            place = 0
        noise = _gain(errors[-1] - errors[place]) < _LEAST_GAIN_OVER_MEAN
        status = Status.NOTHING_BUT_NOISE if noise else Status.CONVERGED
        best = candidates[place]
        # A fold has seen fewer samples than there are, so a little fewer trees than suit them all.
        counts = np.maximum(rounds / len(folds), 1).astype(int).tolist()
        proxies = _with_mean(
            [
                self._grow(data, growth, count)[0] if best.needs(place) else {}
                for place, (growth, count) in enumerate(zip(growths, counts, strict=True))
            ]
        )
        return best.fit(data, proxies), status

    def _candidates(self, num_proxies: int) -> list[_Candidate]:
        sizes = sorted({min(size, self.max_terms) for size in _SIZES})
        return [_Candidate(0, 0, refitted=True)] + [
            _Candidate(proxy, size, refitted=refitted)
            for size in sizes[1:]
            for proxy in range(num_proxies)
            for refitted in (True, False)
        ]

    def _grow(
        self, data: _Data, growth: Mapping[str, float], until: _Data | int
    ) -> tuple[Coefficients, int]:
        """Boosts until held-out samples gain no more, or for so many trees; their largest terms."""
        lightgbm = _lightgbm()
        smallest_leaf = min(growth["min_data_in_leaf"], max(1, len(data.values) // _SAMPLES_A_LEAF))
        settings = {
            "objective": "regression",
            "learning_rate": _LEARNING_RATE,
            "max_depth": self.max_depth,
            "num_leaves": min(2**self.max_depth, 31) if self.max_depth > 1 else 2,
            "verbose": -1,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": self.seed,
            "min_data_in_bin": 1,
            "feature_pre_filter": False,
            **growth,
            "min_data_in_leaf": int(smallest_leaf),
        }
        if len(data.values) < _FEW:
            settings["bagging_freq"] = 0
        dataset = lightgbm.Dataset(
            data.masks.astype(np.float32), data.values, weight=data.weights, params=settings
        )
        if isinstance(until, int):
            booster, count = lightgbm.train(settings, dataset, num_boost_round=until), until
        else:
            watched = lightgbm.Dataset(
                until.masks.astype(np.float32),
                until.values,
                weight=until.weights,
                reference=dataset,
                params=settings,
            )
            stopping = lightgbm.early_stopping(_PATIENCE, verbose=False)
            booster = lightgbm.train(
                settings,
                dataset,
                num_boost_round=self.max_trees,
                valid_sets=[watched],
                callbacks=[stopping],
            )
            count = max(booster.best_iteration, 1)
        trees = read_trees(booster.model_to_string(num_iteration=count))
        terms = tree_fourier(trees, num_features=data.masks.shape[1])
        rows = np.argsort(-np.abs(terms.coefficients), kind="stable")[: 2 * self.max_terms + 1]
        kept = dict(zip(terms.supports(rows), terms.coefficients[rows].tolist(), strict=True))
        return {(): 0.0, **kept}, count


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Masks, standardised values, and how much each counts, on average 1."""

    masks: NDArray[np.uint8]
    values: Floats
    weights: Floats

    def take(self, rows: NDArray[np.intp]) -> _Data:
        return _Data(self.masks[rows], self.values[rows], self.weights[rows])

    def errors(self, coefficients: Coefficients) -> Floats:
        """The weighted squared residuals, shape (num_samples,)."""
        predicted = characters(self.masks, coefficients) @ np.array(list(coefficients.values()))
        squares: Floats = self.weights * (self.values - predicted) ** 2
        return squares


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Which proxy, how many of its coefficients, and whether they are refitted."""

    proxy: int
    size: int
    refitted: bool

    def needs(self, growth: int) -> bool:
        return self.size > 0 and self.proxy in (growth, len(_GROWTHS))

    def fit(self, data: _Data, proxies: Sequence[Coefficients]) -> Coefficients:
        proxy = proxies[self.proxy]
        ranked = sorted((key for key in proxy if key), key=lambda key: (-abs(proxy[key]), key))
        least = _LEAST_SHARE * max((abs(proxy[key]) for key in ranked[:1]), default=0.0)
        kept = {key: abs(proxy[key]) for key in ranked[: self.size] if abs(proxy[key]) > least}
        if not self.refitted:
            return {key: proxy[key] for key in [(), *kept]}
        # A single that the trees do not ask is expected to be as small as the smallest they keep.
        smallest = min(kept.values(), default=1.0)
        singles = {(feature,): smallest for feature in range(data.masks.shape[1])}
        scales = singles | kept
        constant, slopes = ridge(
            characters(data.masks, scales),
            data.values,
            weights=data.weights,
            scales=np.array(list(scales.values())),
        )
        return {(): constant, **dict(zip(scales, slopes.tolist(), strict=True))}


def _gain(differences: Floats) -> float:
    """How much smaller one of two errors is at the same samples, in its standard errors."""
    total = float(differences.sum())
    spread = float(np.std(differences)) * np.sqrt(len(differences))
    return total / spread if spread > 0 else np.inf * total if total else 0.0


def _with_mean(proxies: list[Coefficients]) -> list[Coefficients]:
    """The proxies, and behind them their mean."""
    mean: dict[Support, float] = {}
    for proxy in proxies:
        for key, value in proxy.items():
            mean[key] = mean.get(key, 0.0) + value / len(proxies)
    return [*proxies, mean]


def _lightgbm() -> Any:  # noqa: ANN401  (LightGBM ships no types)
    try:
        return import_module("lightgbm")
    except ImportError:
        raise MissingExtra(
            "ProxySPEX needs the package lightgbm, which is not installed.",
            advice='Run: python -m pip install "spex-api[proxyspex]"',
        ) from None
