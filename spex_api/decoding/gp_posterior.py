"""A Gaussian process over masks: its fit by marginal likelihood, and its posterior in closed form.

With kernels `k = Σ_r k_r`, a constant kernel of variance 1 and noise `σ_n² + v_j`, standardised
values y and `K` their covariance, the parameters θ maximise

    −½ yᵀ K⁻¹ y − ½ log det K − Σ_r Σ_i (θ_ri − θ̄_r)² / 2τ − Σ_r λ_r exp θ_r,

the log marginal likelihood (Rasmussen and Williams 2006, eq. 5.8), a normal prior of variance τ on
each kernel's relevances, as logits or logarithms, around their common mean, and exponential priors
on those variances that may well be nothing. The gradient is `½ tr(A ∂K)` with `α = K⁻¹ y` and
`A = ααᵀ − K⁻¹` (eq. 5.9): one Cholesky factor serves every parameter. The noise has a log-normal
prior: few samples do not say that there is none.

Given the parameters, the coefficients' posterior is normal. With `c_S` the prior covariance of the
coefficient of S and the values at the samples,

    c_S = κ(S) φ_S + ρ(|S|) e_|S|,   F̂[S] = c_Sᵀ α,   Cov[F_S, F_T] = Cov₀[F_S, F_T] − c_Sᵀ K⁻¹ c_T.

What this module does not know: the score's unit, and which coefficients are worth keeping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgError, cholesky, get_lapack_funcs, solve_triangular
from scipy.optimize import minimize

from spex_api.decoding.gp_features import symmetric_polynomials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.decoding.gp_kernels import Kernel
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]
    Level = NDArray[np.intp]

__all__ = ["Evidence", "Maximum", "Posterior", "PosteriorMean", "maximize", "products"]

_CONSTANT_VARIANCE = 1.0
_JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
_MOST_NOISE = 10.0
_USUAL_NOISE = 0.4
_NOISE_PRECISION = 4.0
"""Of the normal prior of log σ_n²: what is usual is so within a factor of e, and a hundred samples
know better. With twice as many samples as features and less than this, fits without any noise, or
with nothing else, are common, and an additive ridge is ahead."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Standardised samples, and how likely a Gaussian process makes them.

    Attributes:
        points: shape (num_samples, num_features), the masks' coordinates.
        values: shape (num_samples,), of mean about 0 and variance about 1.
        variances: shape (num_samples,), the known sampling variances.
        kernels: their sum is the prior covariance.
        prior_variance: τ, of a relevance, as its kernel writes it, around the kernel's mean.
    """

    points: Floats
    values: Floats
    variances: Floats
    kernels: tuple[Kernel, ...]
    prior_variance: float

    def take(self, rows: NDArray[np.intp]) -> Evidence:
        """The evidence of these samples alone."""
        return replace(
            self,
            points=self.points[rows],
            values=self.values[rows],
            variances=self.variances[rows],
        )

    def in_single_precision(self) -> Evidence:
        """The same with coordinates of which a Gram matrix takes half the memory and time.

        Safe where the noise is some hundredths of the variance, so that rounding is far below it.
        """
        return replace(self, points=self.points.astype(np.float32))

    def start(self, noise: float) -> Floats:
        """The parameters of each kernel in turn, then log σ_n²."""
        return np.concatenate([*(kernel.start for kernel in self.kernels), [np.log(noise)]])

    def split(self, parameters: Floats) -> Sequence[Floats]:
        """The parameters of each kernel."""
        ends = np.cumsum([len(kernel.start) for kernel in self.kernels], dtype=np.intp)
        return np.split(parameters[:-1], ends)[:-1]

    def loss(self, parameters: Floats) -> tuple[float, Floats]:
        """The negative logarithm of the posterior density of the parameters, and its gradient.

        Up to a constant; shapes () and (num_parameters,).
        """
        grams, factor = self._covariance(parameters)
        alpha = _solve(factor, self.values)
        loss = 0.5 * float(self.values @ alpha) + float(np.log(np.diag(factor)).sum())
        (invert,) = get_lapack_funcs(("potri",), (factor,))
        weights = _symmetric(invert(factor, lower=1, overwrite_c=1)[0])
        np.subtract(np.outer(alpha, alpha), weights, out=weights)
        gradient: list[Floats] = []
        for kernel, part, gram in zip(self.kernels, self.split(parameters), grams, strict=True):
            slope = -0.5 * kernel.gradient(part, self.points, gram, weights)
            relevances = part[: kernel.num_relevances]
            if len(relevances):
                deviations = relevances - relevances.mean()
                loss += 0.5 * float(deviations @ deviations) / self.prior_variance
                slope[: len(relevances)] += deviations / self.prior_variance
            shrunk = kernel.rates * np.exp(part)
            loss += float(shrunk.sum())
            gradient.append(slope + shrunk)
        surplus = parameters[-1:] - np.log(_USUAL_NOISE)
        loss += 0.5 * _NOISE_PRECISION * float(surplus @ surplus)
        trace = float(np.trace(weights))
        gradient.append(_NOISE_PRECISION * surplus - 0.5 * np.exp(parameters[-1:]) * trace)
        return float(loss), np.concatenate(gradient)

    def mean(self, parameters: Floats) -> PosteriorMean:
        """What the samples say of the function under these parameters, but for how sure that is."""
        _, factor = self._covariance(parameters)
        return PosteriorMean(self, parameters, _solve(factor, self.values))

    def posterior(self, parameters: Floats) -> Posterior:
        """What the samples say of the function under these parameters."""
        _, factor = self._covariance(parameters)
        return Posterior(PosteriorMean(self, parameters, _solve(factor, self.values)), factor)

    def _covariance(self, parameters: Floats) -> tuple[list[Floats], Floats]:
        """Each kernel's Gram matrix, and the lower Cholesky factor of the values' covariance."""
        grams = [
            kernel.gram(part, self.points, self.points)
            for kernel, part in zip(self.kernels, self.split(parameters), strict=True)
        ]
        total = np.full_like(self.points, _CONSTANT_VARIANCE, shape=(len(self.values),) * 2)
        for gram in grams:
            total += gram
        noise = np.exp(parameters[-1]) + self.variances
        diagonal = np.diag(total) + noise
        for jitter in _JITTERS:
            np.fill_diagonal(total, diagonal * (1 + jitter))
            try:
                # Of a symmetric matrix the transpose is a view in the order that LAPACK reads.
                return grams, cholesky(total.T, lower=True, check_finite=False)
            except LinAlgError:
                continue
        raise AssertionError("a Gram matrix with a jitter of 1e-4 is positive definite")


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorMean:
    """The mean of a function's Fourier coefficients, and of its values, given samples.

    Attributes:
        evidence: the samples and the prior.
        parameters: of the kernels and the noise.
        alpha: `K⁻¹ y`, shape (num_samples,).
    """

    evidence: Evidence
    parameters: Floats
    alpha: Floats

    @property
    def num_features(self) -> int:
        """How many features a mask has."""
        return int(self.evidence.points.shape[1])

    @property
    def noise(self) -> float:
        """σ_n², as a share of the values' variance."""
        return float(np.exp(self.parameters[-1]))

    def prior_variances(self, supports: Level) -> Floats:
        """`κ(S)` for supports of one size, an array (num_supports, size); shape (num_supports,)."""
        parts = self.evidence.split(self.parameters)
        total = np.zeros(len(supports)) if supports.shape[1] else np.full(1, _CONSTANT_VARIANCE)
        for kernel, part in zip(self.evidence.kernels, parts, strict=True):
            total = total + kernel.prior_variances(part, supports)
        return total

    def shared_variance(self, size: int) -> float:
        """`ρ(size)`."""
        parts = self.evidence.split(self.parameters)
        kernels = zip(self.evidence.kernels, parts, strict=True)
        return sum(kernel.shared_variance(part, size) for kernel, part in kernels)

    def coefficients(self, supports: Level) -> Floats:
        """`F̂[S]` for supports of one size, an array (num_supports, size); shape (num_supports,)."""
        sums = self.alpha @ products(self.evidence.points, supports)
        means: Floats = self.prior_variances(supports) * sums + self._shared(supports.shape[1])
        return means

    def extended(self, parents: Level) -> tuple[Level, Floats]:
        """Each support of one size with each feature that it lacks, once, and their `F̂`.

        Of all singles these are all pairs, in order.

        Returns:
            Shapes (num_supports, size + 1), rows sorted, and (num_supports,).
        """
        points = self.evidence.points
        if parents.shape == (self.num_features, 1):
            sums = points.T @ (self.alpha[:, None] * points)
            level = np.stack(np.triu_indices(self.num_features, k=1), axis=1)
            means = self.prior_variances(level) * sums[level[:, 0], level[:, 1]]
            return level, means + self._shared(2)
        sums = (self.alpha[:, None] * products(points, parents)).T @ points
        parent, feature = np.nonzero(~_held(parents, self.num_features))
        children = np.sort(np.column_stack([parents[parent], feature]), axis=1)
        order = np.lexsort(children.T[::-1])
        repeated = np.all(children[order[1:]] == children[order[:-1]], axis=1)
        first = order[np.concatenate([[True], ~repeated])]
        level = children[first]
        means = self.prior_variances(level) * sums[parent[first], feature[first]]
        return level, means + self._shared(level.shape[1])

    def predict(self, points: Floats) -> Floats:
        """The posterior mean of the function at masks given by their coordinates, (num_masks,)."""
        evidence = self.evidence
        total = np.full(len(points), _CONSTANT_VARIANCE * self.alpha.sum())
        parts = evidence.split(self.parameters)
        for kernel, part in zip(evidence.kernels, parts, strict=True):
            total += kernel.gram(part, points, evidence.points) @ self.alpha
        return total

    def _shared(self, size: int) -> float:
        """The mean of what all coefficients of this size have in common."""
        shared = self.shared_variance(size)
        if not shared:
            return 0.0
        return shared * float(self.alpha @ symmetric_polynomials(self.evidence.points, size)[:, -1])


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """The normal distribution of a function's Fourier coefficients, given samples.

    Attributes:
        mean: its mean.
        factor: the lower Cholesky factor of the values' covariance.
    """

    mean: PosteriorMean
    factor: Floats

    def moments(self, supports: Sequence[Support]) -> tuple[Floats, Floats]:
        """The mean and the covariance of the coefficients of these supports, of any size.

        Returns:
            The means, shape (num_supports,), and the covariance, shape (num_supports,
            num_supports): symmetric, and positive semi-definite to rounding.
        """
        points, count = self.mean.evidence.points, len(supports)
        cross, prior = np.empty((len(points), count)), np.zeros((count, count))
        for size in {len(support) for support in supports}:
            places = np.array([row for row, each in enumerate(supports) if len(each) == size])
            level = np.array([supports[place] for place in places], dtype=np.intp)
            level = level.reshape(len(places), size)
            own, shared = self.mean.prior_variances(level), self.mean.shared_variance(size)
            cross[:, places] = own * products(points, level)
            prior[places, places] = own
            if shared:
                cross[:, places] += shared * symmetric_polynomials(points, size)[:, -1:]
                prior[np.ix_(places, places)] += shared
        whitened = solve_triangular(self.factor, cross, lower=True, check_finite=False)
        return self.mean.alpha @ cross, prior - whitened.T @ whitened


def products(points: Floats, supports: Level) -> Floats:
    """`φ_S` of each mask for supports of one size, shape (num_masks, num_supports)."""
    found = np.ones((len(points), len(supports)))
    for place in supports.T:
        found *= points[:, place]
    return found


def _held(supports: Level, num_features: int) -> NDArray[np.bool_]:
    """Whether each support holds each feature, shape (num_supports, num_features)."""
    held = np.zeros((len(supports), num_features), dtype=bool)
    np.put_along_axis(held, supports, values=True, axis=1)
    return held


def _symmetric(lower: Floats) -> Floats:
    """The symmetric matrix of a lower triangle."""
    below = np.tril(lower)
    whole: Floats = below + below.T
    np.fill_diagonal(whole, np.diag(lower))
    return whole


@dataclass(frozen=True, slots=True)
class Maximum:
    """The most probable parameters.

    Attributes:
        parameters: of each kernel in turn, then log σ_n².
        loss: the negative log density there, up to a constant that all fits to the samples share.
        converged: whether the search ended of itself.
    """

    parameters: Floats
    loss: float
    converged: bool


def maximize(
    evidence: Evidence,
    *,
    least_noise: float,
    max_steps: int,
    fixed_noise: bool = False,
    start: Floats | None = None,
) -> Maximum:
    """The most probable parameters by L-BFGS.

    Args:
        evidence: the samples and the prior.
        least_noise: the floor of σ_n².
        max_steps: how many steps at most.
        fixed_noise: whether σ_n² stays at its floor.
        start: where the search begins; by default where all features are alike.
    """
    noise_bounds = (np.log(least_noise), np.log(least_noise if fixed_noise else _MOST_NOISE))
    boxes = [bound for kernel in evidence.kernels for bound in kernel.bounds]
    if start is None:
        start = evidence.start(least_noise if fixed_noise else max(0.3, least_noise))
    found = minimize(
        evidence.loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[*boxes, noise_bounds],
        options={"maxiter": max_steps, "ftol": 3e-4, "gtol": 1e-3, "maxcor": 20},
    )
    return Maximum(np.asarray(found.x, dtype=np.float64), float(found.fun), found.status != 1)


def _solve(factor: Floats, values: Floats) -> Floats:
    """`K⁻¹ y` from the lower Cholesky factor of K."""
    (solve,) = get_lapack_funcs(("potrs",), (factor,))
    solution: Floats = solve(factor, values.astype(factor.dtype), lower=1)[0]
    return solution
