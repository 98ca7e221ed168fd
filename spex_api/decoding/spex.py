"""SPEX: coded queries, bins, peeling, and a sparse regression on all samples.

What this module does not know: how masks are coded (`spex_api.sampling.aliased`), how bins are
filled (`bins`) and emptied (`peeling`), and how the dictionary of the regression grows (`growth`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from spex_api.codes.bch import bch_code
from spex_api.decoding.binomial import Binomial
from spex_api.decoding.bins import coded_rows, fill_bins
from spex_api.decoding.decoder import Recovery, Status, concise
from spex_api.decoding.growth import grown_regression
from spex_api.decoding.least_squares import least_squares
from spex_api.decoding.peeling import account, peel
from spex_api.decoding.proposals import proposals
from spex_api.decoding.repeats import without_repeats
from spex_api.decoding.sparse_regression import shuffled_folds
from spex_api.decoding.standardization import standardize
from spex_api.decoding.walsh_hadamard import WalshHadamard
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.sampling.aliased import aliased_plan, num_coded_queries
from spex_api.sampling.uniform import uniform_plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from spex_api.decoding.bins import Bins
    from spex_api.decoding.peeling import Peeling
    from spex_api.decoding.sparse_regression import Folds
    from spex_api.samples import QueryPlan, Samples
    from spex_api.transforms import FourierTransform, Support

__all__ = ["SPEX"]

_SMALLEST_EXPONENT = 3
_LARGEST_EXPONENT = 12
_NUM_FOLDS = 6
_DEFAULT_EXPONENT = 8
_EXACT = 1e-18
"""The residual energy, as a share, up to which a recovery is exact but for rounding."""
_MOSTLY = 0.5
"""The share of the variance from which what was found is the lesser part of the function."""


@dataclass(frozen=True, slots=True, repr=False)
class SPEX:
    """The sparse Fourier transform of Kang et al. (2025): few strong terms among many features.

    Coded masks throw the coefficients into bins, where a BCH code spells out which is which; bins
    of one are read at once, and what they held is subtracted from the others until noise is left.
    Then all samples together decide, in a sparse regression that starts from what was found and may
    add what its residual still shows.

    Attributes:
        sparsity_exponent: b; each of three groups has 2^b bins, and so tells about 2^b coefficients
            apart. None takes the largest that the queries allow, and 8 where they are not limited.
        degree: of the largest supports, from 1 to 6.
        seed: of the regression's folds.
    """

    sparsity_exponent: int | None = None
    degree: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        exponent = self.sparsity_exponent
        if not 1 <= self.degree <= 6 or not (exponent is None or 1 <= exponent <= 16):
            raise UsageError(
                "SPEX takes a sparsity exponent from 1 to 16 and a degree from 1 to 6, not "
                f"{exponent} and {self.degree}."
            )

    __repr__ = concise

    def plan(self, num_features: int, num_queries: int | None = None, seed: int = 0) -> QueryPlan:
        """Coded masks, and uniform ones for the queries that are left.

        Where the queries are too few for any code, or enough for all masks, every mask is uniform.
        None asks for the coded masks and the whole prompt.

        Raises:
            UsageError: there is no code for these numbers.
            BudgetTooSmall: the sparsity exponent that was asked for needs more queries.
        """
        if num_queries is not None and num_queries >= 2 ** min(num_features, 60):
            return uniform_plan(num_features, num_queries, seed=seed)
        exponent = self.sparsity_exponent or self._largest_exponent(num_features, num_queries)
        if exponent is None:
            return uniform_plan(num_features, num_queries or 0, seed=seed)
        return aliased_plan(
            num_features, num_queries, sparsity_exponent=exponent, degree=self.degree, seed=seed
        )

    def _largest_exponent(self, num_features: int, num_queries: int | None) -> int | None:
        if num_queries is None:
            return max(1, min(_DEFAULT_EXPONENT, num_features))
        fitting = [
            exponent
            for exponent in range(_SMALLEST_EXPONENT, min(_LARGEST_EXPONENT, num_features) + 1)
            if num_coded_queries(num_features, sparsity_exponent=exponent, degree=self.degree)
            < num_queries
        ]
        return max(fitting, default=None)

    def decode(self, samples: Samples) -> Recovery:
        """The sparse transform behind coded samples, as `Samples.from_plan` makes them.

        A transform takes no hole: where a coded mask has no value the bins merely suggest, and a
        sparse regression on the values that there are is the result; where the samples are of no
        code it has nothing to start from. The status says so.

        Raises:
            UsageError: there are fewer than two samples.
        """
        if samples.draws is not None:
            return Binomial(self).decode(samples)
        if len(samples) < 2:
            raise BudgetTooSmall(
                f"SPEX fits a function to two samples at least, not {len(samples)}."
            )
        standardized = standardize(samples)
        if standardized.scale == 0:
            return Recovery.constant(standardized.mean, samples.num_features)
        with threadpool_limits(limits=1, user_api="blas"):
            distinct = without_repeats(samples)
            cube = 2 ** min(samples.num_features, 60)
            if len(distinct) == cube:
                return WalshHadamard().decode(distinct)
            folds = shuffled_folds(len(distinct), _NUM_FOLDS, seed=self.seed)
            if samples.aliasing is None:
                status = Status.HOLES if 2 * len(distinct) > cube else Status.UNCODED
                return Recovery(self._regression(distinct, (), folds), status)
            rows = coded_rows(distinct, samples.aliasing)
            folds = _folds_of_groups(rows, folds)
            bins = fill_bins(distinct, samples.aliasing, rows)
            recovery = self._peeled(distinct, bins, samples.aliasing.degree, folds)
            if (rows < 0).any():
                return Recovery(recovery.transform, Status.HOLES)
            return recovery

    def _peeled(self, samples: Samples, bins: Bins, degree: int, folds: Folds) -> Recovery:
        """From what is in the bins to a regression on the samples; exact where that is possible."""
        code = bch_code(samples.num_features, degree)
        residual, rounds = peel(bins, proposals(code), degree=degree)
        supports = [
            tuple(feature for feature in support if feature >= 0)
            for support in residual.supports.tolist()
        ]
        if account(residual, rounds).residual_energy <= _EXACT:
            exact = least_squares(samples, sorted({(), *supports}))
            if exact is not None and _unexplained(samples, exact) <= _EXACT:
                peeling = account(residual.after(exact), rounds)
                return Recovery(exact, Status.RECOVERED, peeling=peeling)
        transform = self._regression(samples, supports, folds)
        peeling = account(residual.after(transform), rounds)
        return Recovery(transform, _trust(samples, transform, peeling), peeling=peeling)

    def _regression(
        self, samples: Samples, start: Iterable[Support], folds: Folds
    ) -> FourierTransform:
        return grown_regression(
            samples, standardize(samples), start, degree=self.degree, folds=folds
        )


def _folds_of_groups(rows: NDArray[np.intp], folds: Folds) -> Folds:
    """A fold for each group of coded masks, the other samples spread among them.

    What a group cannot tell from a wrong support, another group can: so the folds that decide what
    stays are the groups, and not samples that were drawn across them. Where holes leave fewer than
    two groups there is nothing to hold against another, and the folds stay as they are.
    """
    fold_of = np.concatenate([np.full(len(fold), place) for place, fold in enumerate(folds)])
    assigned = np.empty(len(fold_of), dtype=np.intp)
    assigned[np.concatenate(folds)] = fold_of % len(rows)
    for group, members in enumerate(rows):
        assigned[members[members >= 0]] = group
    groups = [np.flatnonzero(assigned == group) for group in range(len(rows))]
    answered = [group for group in groups if len(group) > 1]
    return answered if len(answered) > 1 and sum(map(len, answered)) == len(assigned) else folds


def _trust(samples: Samples, transform: FourierTransform, peeling: Peeling) -> Status:
    """Whether the result can be relied on."""
    if len(transform) <= 1:
        return Status.NOTHING_BUT_NOISE
    if _unexplained(samples, transform) > _MOSTLY:
        return Status.MOSTLY_UNEXPLAINED
    return Status.UNRESOLVED if peeling.unresolved else Status.EXPLAINED


def _unexplained(samples: Samples, transform: FourierTransform) -> float:
    """The share of the samples' variance that the transform leaves."""
    left = samples.values - transform(samples.masks)
    return float(np.mean(left**2) / np.var(samples.values))
