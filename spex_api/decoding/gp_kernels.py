"""Kernels between masks whose spectrum is known: each is a prior on the Fourier coefficients.

A mask is given by its *coordinates*, `z_i = (s_i − μ) / √(1 − μ²)` with `s_i = (−1)^{m_i}` and
`μ = 1 − 2 keep` its mean under masks that keep each feature with probability `keep`: of mean 0 and
variance 1. Then the products `φ_S = Π_{i∈S} z_i` are orthonormal, the p-biased Fourier basis; with
`keep = ½`, `z = s` and `φ_S = χ_S`. A kernel

    k(m, m') = Σ_S κ(S) φ_S(m) φ_S(m') + Σ_d ρ(d) e_d(z) e_d(z')

says that a priori the coefficients are `F[S] = G[S] + M[|S|]` with independent `G[S] ~ N(0, κ(S))`
and, shared by all coefficients of one size, `M[d] ~ N(0, ρ(d))`; `e_d` is the sum of all `φ_S` with
`|S| = d`, an elementary symmetric polynomial.

What this module does not know: values, noise, and how the parameters are found. Kernels that are
explicit feature maps have a module of their own (`gp_features`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bounds = list[tuple[float, float]]

__all__ = ["LOG_VARIANCE_BOUNDS", "Kernel", "ProductKernel", "coordinates"]

_LOGIT_BOUNDS = (-14.0, 8.0)
LOG_VARIANCE_BOUNDS = (-5.0, 8.0)
"""A variance near zero has no gradient, and an early step that lands there would stay."""


_LARGEST_EXPONENT = 80.0
"""A mask without any of many features has a prior variance beyond all bounds where `keep` is near
1: there the kernel is cut off, in single precision's range."""


def coordinates(masks: NDArray[np.uint8], keep: float) -> Floats:
    """`z`, shape (num_masks, num_features): of mean 0 and variance 1 under the masks' measure."""
    odds = np.sqrt(keep / (1.0 - keep))
    points: Floats = np.where(masks == 1, -1.0 / odds, odds)
    return points


class Kernel(Protocol):
    """A prior on the Fourier coefficients; `parameters` has the shape of `start`."""

    @property
    def num_relevances(self) -> int:
        """How many of the parameters, the first ones, are relevances, one a feature; or 0."""
        ...

    @property
    def start(self) -> Floats:
        """Where a search for the parameters begins; the same for every feature."""
        ...

    @property
    def bounds(self) -> Bounds:
        """The box in which the parameters lie: wide, and finite in floating point."""
        ...

    @property
    def rates(self) -> Floats:
        """Of the exponential priors: `λ_k` for a variance `exp θ_k`, or 0; the shape of `start`."""
        ...

    def gram(self, parameters: Floats, left: Floats, right: Floats) -> Floats:
        """`k(m, m')` for masks given by their coordinates, shape (num_left, num_right).

        In the precision of the coordinates, as is the gradient's work.
        """
        ...

    def gradient(self, parameters: Floats, points: Floats, gram: Floats, weights: Floats) -> Floats:
        """The gradient of `Σ_jl A_jl k(m_j, m_l)` in the parameters, for a symmetric A.

        Args:
            parameters: relevances, then logarithms of variances.
            points: coordinates, shape (num_samples, num_features).
            gram: `gram(parameters, points, points)`, which the caller has at hand.
            weights: A, shape (num_samples, num_samples).
        """
        ...

    def prior_variances(self, parameters: Floats, supports: NDArray[np.intp]) -> Floats:
        """`κ(S)` for supports of one size, each row sorted; shape (num_supports,)."""
        ...

    def shared_variance(self, parameters: Floats, size: int) -> float:
        """`ρ(size)`, the variance of what all coefficients of this size have in common."""
        ...


@dataclass(frozen=True, slots=True)
class ProductKernel:
    """An interaction is as likely as the product of its parts: `κ(S) = σ² Π_{i∈S} w_i / Π(1+w_i)`.

    Heredity and decay with order are in this prior. Summed over all 2^n supports,

        k(m, m') = σ² Π_i (1 + w_i z_i z'_i) / (1 + w_i),

    with `keep = ½` the diffusion kernel of the hypercube with a rate for each feature (Kondor and
    Lafferty 2002). The parameters are the logits of the relevances `0 < w_i < 1` and log σ².

    Attributes:
        num_features: how many features a mask has.
        total_relevance: the sum of the relevances at the start.
        keep: the probability with which the masks keep a feature.
    """

    num_features: int
    total_relevance: float = 1.5
    keep: float = 0.5

    @property
    def num_relevances(self) -> int:
        """One a feature."""
        return self.num_features

    @property
    def start(self) -> Floats:
        """Relevances `total_relevance / n`, at most ½, and σ² = ½."""
        relevance = min(self.total_relevance / self.num_features, 0.5)
        return np.append(
            np.full(self.num_features, np.log(relevance / (1 - relevance))), np.log(0.5)
        )

    @property
    def bounds(self) -> Bounds:
        """Of each logit, and of log σ²."""
        return [_LOGIT_BOUNDS] * self.num_features + [LOG_VARIANCE_BOUNDS]

    @property
    def rates(self) -> Floats:
        """None."""
        return np.zeros(self.num_features + 1)

    def gram(self, parameters: Floats, left: Floats, right: Floats) -> Floats:
        """`k(m, m')` in the log domain, where it is one matrix product."""
        relevances = self.relevances(parameters)
        odds = self._odds
        constant, linear, bilinear = self._expand(
            np.log1p(relevances / odds), np.log1p(-relevances), np.log1p(relevances * odds)
        )
        exponent = (left * bilinear.astype(left.dtype)) @ right.T
        exponent += float(parameters[-1] + np.sum(constant - np.log1p(relevances)))
        if self.keep != 0.5:
            exponent += (left @ linear.astype(left.dtype))[:, None]
            exponent += right @ linear.astype(left.dtype)
            np.minimum(exponent, _LARGEST_EXPONENT, out=exponent)
        gram: Floats = np.exp(exponent, out=exponent)
        return gram

    def gradient(self, parameters: Floats, points: Floats, gram: Floats, weights: Floats) -> Floats:
        """Through `z z' / (1 + w z z') − 1 / (1 + w)` for each w, and `Σ A ∘ K` for log σ²."""
        relevances = self.relevances(parameters)
        odds = self._odds
        constant, linear, bilinear = self._expand(
            1.0 / (odds + relevances), -1.0 / (1.0 - relevances), odds / (1.0 + relevances * odds)
        )
        weighted = weights * gram
        total = weighted.sum()
        slopes = bilinear * np.einsum("ji,ji->i", points, weighted @ points)
        slopes += (constant - 1.0 / (1.0 + relevances)) * total
        if self.keep != 0.5:
            slopes += 2.0 * linear * (weighted.sum(axis=1) @ points)
        return np.append(slopes * relevances * (1.0 - relevances), total)

    def relevances(self, parameters: Floats) -> Floats:
        """`w`, shape (num_features,)."""
        relevances: Floats = expit(parameters[:-1])
        return relevances

    def scale(self, parameters: Floats) -> float:
        """`κ(∅) = σ² / Π(1 + w_i)`, so that `κ(S) = κ(∅) Π_{i∈S} w_i`."""
        return float(np.exp(parameters[-1] - np.log1p(self.relevances(parameters)).sum()))

    def prior_variances(self, parameters: Floats, supports: NDArray[np.intp]) -> Floats:
        """`κ(S)`, shape (num_supports,)."""
        # In the log domain: a thousand features leave little of a variance.
        logs = -np.logaddexp(0.0, -parameters[:-1])[supports].sum(axis=1)
        logs += parameters[-1] - np.log1p(self.relevances(parameters)).sum()
        variances: Floats = np.exp(logs)
        return variances

    def shared_variance(self, parameters: Floats, size: int) -> float:
        """Nothing is shared."""
        del parameters, size
        return 0.0

    @property
    def _odds(self) -> float:
        return self.keep / (1.0 - self.keep)

    def _expand(
        self, kept: Floats, mixed: Floats, removed: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """A symmetric function of two masks' coordinates as `a + b (z + z') + c z z'`.

        Each takes two values, so three numbers say all: where both keep the feature
        (`z z' = 1 / odds`), one does (`z z' = −1`), or neither (`z z' = odds`).
        """
        high, low = np.sqrt(self._odds), -1.0 / np.sqrt(self._odds)
        bilinear = (kept + removed - 2.0 * mixed) / (high - low) ** 2
        linear = (removed - kept) / (2.0 * (high - low)) - 0.5 * bilinear * (high + low)
        return mixed + bilinear - linear * (high + low), linear, bilinear
