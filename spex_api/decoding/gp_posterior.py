"""A Gaussian process over masks: its fit by marginal likelihood, and its posterior in closed form.

With kernels `k = Σ_r k_r`, a constant kernel of variance 1 and noise `σ_n² + v_j`, standardised
values z and `K` their covariance, the parameters θ maximise

    −½ zᵀ K⁻¹ z − ½ log det K − Σ_r Σ_i (θ_ri − θ̄_r)² / 2τ,

the log marginal likelihood (Rasmussen and Williams 2006, eq. 5.8) and a normal prior of variance τ
on each kernel's logit relevances around their common mean. The gradient is `½ tr(A ∂K)` with
`α = K⁻¹ z` and `A = ααᵀ − K⁻¹` (eq. 5.9): one Cholesky factor serves every parameter.

Given the parameters, the coefficients' posterior is normal. With `χ_S` the samples' characters,

    F̂[S] = κ(S) χ_Sᵀ α,     Cov[F_S, F_T] = δ_ST κ(S) − κ(S) κ(T) χ_Sᵀ K⁻¹ χ_T.

What this module does not know: the score's unit, and which coefficients are worth keeping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgError, cholesky, lapack, solve_triangular
from scipy.optimize import minimize

from spex_api.decoding.gp_kernels import parameter_bounds
from spex_api.transforms import characters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spex_api.decoding.gp_kernels import Kernel
    from spex_api.transforms import Support

    Floats = NDArray[np.float64]

__all__ = ["Evidence", "Maximum", "Posterior", "maximize"]

_CONSTANT_VARIANCE = 1.0
_JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
_MOST_NOISE = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Standardised samples, and how likely a Gaussian process makes them.

    Attributes:
        signs: shape (num_samples, num_features), `(−1)^m`.
        values: shape (num_samples,), of mean about 0 and variance about 1.
        variances: shape (num_samples,), the known sampling variances.
        kernels: their sum is the prior covariance.
        prior_variance: τ, of a logit relevance around its kernel's mean.
    """

    signs: Floats
    values: Floats
    variances: Floats
    kernels: tuple[Kernel, ...]
    prior_variance: float

    def take(self, rows: NDArray[np.intp]) -> Evidence:
        """The evidence of these samples alone."""
        return replace(
            self,
            signs=self.signs[rows],
            values=self.values[rows],
            variances=self.variances[rows],
        )

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
        inverse, _ = lapack.dpotri(factor, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        weights = np.outer(alpha, alpha) - inverse
        loss = 0.5 * self.values @ alpha + np.log(np.diag(factor)).sum()
        gradient: list[Floats] = []
        for kernel, part, gram in zip(self.kernels, self.split(parameters), grams, strict=True):
            slope = -0.5 * kernel.gradient(part, self.signs, gram, weights)
            deviations = part[:-1] - np.sum(part[:-1]) / max(len(part) - 1, 1)
            loss += 0.5 * deviations @ deviations / self.prior_variance
            slope[:-1] += deviations / self.prior_variance
            gradient.append(slope)
        gradient.append(-0.5 * np.exp(parameters[-1:]) * np.trace(weights))
        return float(loss), np.concatenate(gradient)

    def posterior(self, parameters: Floats) -> Posterior:
        """What the samples say of the function under these parameters."""
        _, factor = self._covariance(parameters)
        return Posterior(self, parameters, factor, _solve(factor, self.values))

    def _covariance(self, parameters: Floats) -> tuple[list[Floats], Floats]:
        """Each kernel's Gram matrix, and the lower Cholesky factor of the values' covariance."""
        grams = [
            kernel.gram(part, self.signs, self.signs)
            for kernel, part in zip(self.kernels, self.split(parameters), strict=True)
        ]
        total = np.full((len(self.values), len(self.values)), _CONSTANT_VARIANCE)
        for gram in grams:
            total += gram
        noise = np.exp(parameters[-1]) + self.variances
        diagonal = np.diag(total) + noise
        for jitter in _JITTERS:
            np.fill_diagonal(total, diagonal * (1 + jitter))
            try:
                return grams, cholesky(total, lower=True, check_finite=False)
            except LinAlgError:
                continue
        raise AssertionError("a Gram matrix with a jitter of 1e-4 is positive definite")


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """The normal distribution of a function's Fourier coefficients, given samples.

    Attributes:
        evidence: the samples and the prior.
        parameters: of the kernels and the noise.
        factor: the lower Cholesky factor of the values' covariance.
        alpha: `K⁻¹ z`, shape (num_samples,).
    """

    evidence: Evidence
    parameters: Floats
    factor: Floats
    alpha: Floats

    @property
    def num_features(self) -> int:
        """How many features a mask has."""
        return int(self.evidence.signs.shape[1])

    @property
    def noise(self) -> float:
        """σ_n², as a share of the values' variance."""
        return float(np.exp(self.parameters[-1]))

    def prior_variances(self, supports: NDArray[np.intp]) -> Floats:
        """`κ(S)` for supports of one size, an array (num_supports, size); shape (num_supports,)."""
        parts = self.evidence.split(self.parameters)
        total = np.zeros(len(supports)) if supports.shape[1] else np.full(1, _CONSTANT_VARIANCE)
        for kernel, part in zip(self.evidence.kernels, parts, strict=True):
            total = total + kernel.prior_variances(part, supports)
        return total

    def coefficients(self, supports: NDArray[np.intp]) -> Floats:
        """`F̂[S]` for supports of one size, an array (num_supports, size); shape (num_supports,)."""
        characters = self.evidence.signs[:, supports].prod(axis=2)
        means: Floats = self.prior_variances(supports) * (self.alpha @ characters)
        return means

    def moments(self, supports: Sequence[Support]) -> tuple[Floats, Floats]:
        """The mean and the covariance of the coefficients of these supports, of any size.

        Returns:
            The means, shape (num_supports,), and the covariance, shape (num_supports,
            num_supports): symmetric, and positive semi-definite to rounding.
        """
        prior = np.empty(len(supports))
        for size in {len(support) for support in supports}:
            places = [place for place, support in enumerate(supports) if len(support) == size]
            rows = np.array([supports[place] for place in places], dtype=np.intp)
            prior[places] = self.prior_variances(rows.reshape(len(places), size))
        at_samples = characters((self.evidence.signs < 0).astype(np.uint8), supports)
        whitened = solve_triangular(self.factor, at_samples, lower=True, check_finite=False)
        whitened *= prior
        return prior * (self.alpha @ at_samples), np.diag(prior) - whitened.T @ whitened

    def predict(self, signs: Floats) -> Floats:
        """The posterior mean of the function at masks given as signs, shape (num_masks,)."""
        evidence = self.evidence
        total = np.full(len(signs), _CONSTANT_VARIANCE * self.alpha.sum())
        parts = evidence.split(self.parameters)
        for kernel, part in zip(evidence.kernels, parts, strict=True):
            total += kernel.gram(part, signs, evidence.signs) @ self.alpha
        return total


@dataclass(frozen=True, slots=True, eq=False)
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
    boxes = [bound for kernel in evidence.kernels for bound in parameter_bounds(kernel)]
    if start is None:
        start = evidence.start(least_noise if fixed_noise else max(0.3, least_noise))
    found = minimize(
        evidence.loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[*boxes, noise_bounds],
        options={"maxiter": max_steps, "ftol": 1e-5, "gtol": 1e-4, "maxcor": 20},
    )
    return Maximum(np.asarray(found.x, dtype=np.float64), float(found.fun), found.status != 1)


def _solve(factor: Floats, values: Floats) -> Floats:
    """`K⁻¹ z` from the lower Cholesky factor of K."""
    solution, _ = lapack.dpotrs(factor, values, lower=1)
    return np.asarray(solution, dtype=np.float64)
