"""Kernels between masks whose spectrum is known: each is a prior on the Fourier coefficients.

A kernel `k(m, m') = Σ_S κ(S) χ_S(m) χ_S(m')` says that the coefficients are independent a priori,
`F[S] ~ N(0, κ(S))`. A kernel's parameters are the logits of its *relevances* `0 < w_i < 1`, one a
feature, where it has relevances, and then the logarithm of its variance σ².

What this module does not know: values, noise, and how the parameters are found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["AdditiveKernel", "Kernel", "ProductKernel", "WindowKernel", "parameter_bounds"]

_LOGIT_BOUNDS = (-14.0, 8.0)
_LOG_VARIANCE_BOUNDS = (-5.0, 8.0)
"""A variance near zero has no gradient, and an early step that lands there would stay."""


class Kernel(Protocol):
    """A prior on the Fourier coefficients; `parameters` has the shape of `start`."""

    @property
    def start(self) -> Floats:
        """Where a search for the parameters begins; the same for every feature."""
        ...

    def gram(self, parameters: Floats, left: Floats, right: Floats) -> Floats:
        """`k(m, m')` for masks given as signs `(−1)^m`, shape (num_left, num_right)."""
        ...

    def gradient(self, parameters: Floats, signs: Floats, gram: Floats, weights: Floats) -> Floats:
        """The gradient of `Σ_jl A_jl k(m_j, m_l)` in the parameters, for a symmetric A.

        Args:
            parameters: relevances as logits, then log σ².
            signs: shape (num_samples, num_features).
            gram: `gram(parameters, signs, signs)`, which the caller has at hand.
            weights: A, shape (num_samples, num_samples).
        """
        ...

    def prior_variances(self, parameters: Floats, supports: NDArray[np.intp]) -> Floats:
        """`κ(S)` for supports of one size.

        Args:
            parameters: relevances as logits, then log σ².
            supports: shape (num_supports, size), each row sorted.
        """
        ...


def parameter_bounds(kernel: Kernel) -> list[tuple[float, float]]:
    """The box in which a kernel's parameters lie: wide, and finite in floating point."""
    return [_LOGIT_BOUNDS] * (len(kernel.start) - 1) + [_LOG_VARIANCE_BOUNDS]


@dataclass(frozen=True, slots=True)
class AdditiveKernel:
    """No interactions, and all features alike: `κ({i}) = σ²/n`, so `k(m, m') = σ² sᵀs' / n`.

    Attributes:
        num_features: how many features a mask has.
    """

    num_features: int

    @property
    def start(self) -> Floats:
        """σ² = ½."""
        return np.full(1, np.log(0.5))

    def gram(self, parameters: Floats, left: Floats, right: Floats) -> Floats:
        """`k(m, m')`, shape (num_left, num_right)."""
        gram: Floats = (left @ right.T) * (np.exp(parameters[0]) / self.num_features)
        return gram

    def gradient(self, parameters: Floats, signs: Floats, gram: Floats, weights: Floats) -> Floats:
        """`Σ A ∘ K` for log σ²."""
        del parameters, signs
        return np.full(1, np.vdot(weights, gram))

    def prior_variances(self, parameters: Floats, supports: NDArray[np.intp]) -> Floats:
        """`κ(S)`, shape (num_supports,); zero but for singles."""
        count, size = supports.shape
        return np.full(count, np.exp(parameters[0]) / self.num_features if size == 1 else 0.0)


@dataclass(frozen=True, slots=True)
class ProductKernel:
    """An interaction is as likely as the product of its parts: `κ(S) = σ² Π_{i∈S} w_i / Π(1+w_i)`.

    Heredity and decay with order are in this prior. Summed over all 2^n supports,

        k(m, m') = σ² Π_i (1 + w_i s_i s'_i) / (1 + w_i) = σ² exp(−2 Σ_{i: m_i ≠ m'_i} artanh w_i),

    the diffusion kernel of the hypercube with a rate for each feature (Kondor and Lafferty 2002).

    Attributes:
        num_features: how many features a mask has.
        total_relevance: the sum of the relevances at the start.
    """

    num_features: int
    total_relevance: float = 1.5

    @property
    def start(self) -> Floats:
        """Relevances `total_relevance / n`, at most ½, and σ² = ½."""
        relevance = min(self.total_relevance / self.num_features, 0.5)
        return np.append(
            np.full(self.num_features, np.log(relevance / (1 - relevance))), np.log(0.5)
        )

    def gram(self, parameters: Floats, left: Floats, right: Floats) -> Floats:
        """`k(m, m')`, shape (num_left, num_right)."""
        rates = np.arctanh(expit(parameters[:-1]))
        exponent = (left * rates) @ right.T
        exponent += parameters[-1] - rates.sum()
        gram: Floats = np.exp(exponent, out=exponent)
        return gram

    def gradient(self, parameters: Floats, signs: Floats, gram: Floats, weights: Floats) -> Floats:
        """With `B = A ∘ K`: `(s_iᵀ B s_i − ΣB) w_i / (1 + w_i)` for logit w_i, `ΣB` for log σ²."""
        relevances = expit(parameters[:-1])
        weighted = weights * gram
        total = weighted.sum()
        quadratic = np.einsum("ji,ji->i", signs, weighted @ signs)
        return np.append((quadratic - total) * relevances / (1 + relevances), total)

    def prior_variances(self, parameters: Floats, supports: NDArray[np.intp]) -> Floats:
        """`κ(S)`, shape (num_supports,)."""
        logits = parameters[:-1]
        log_relevances = -np.logaddexp(0.0, -logits)
        constant = parameters[-1] - np.log1p(expit(logits)).sum()
        variances: Floats = np.exp(constant + log_relevances[supports].sum(axis=1))
        return variances


_PATTERNS = np.array([[code >> place & 1 for place in range(3)] for code in range(8)], dtype=float)
"""The eight subsets of a window of three, by code: bit k is the window's k-th feature."""


@dataclass(frozen=True, slots=True)
class WindowKernel:
    """Neighbours interact: the mean of product kernels over all windows of three features.

    With relevances `u_i` of its own and the `n − 2` windows `W`,

        κ(S) = σ²/(n−2) Σ_{W ⊇ S} Π_{i∈S} u_i / Π_{i∈W} (1 + u_i).

    Only the constant, singles, pairs at a distance of 1 or 2 and triples of neighbours lie within a
    window, so the kernel is an explicit feature map, `Φ diag(κ) Φᵀ`, with about 4n columns.

    Attributes:
        num_features: how many features a mask has, at least 3.
    """

    num_features: int
    _columns: NDArray[np.intp] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Column 0 is the constant; pattern p ∈ {1, 3, 5, 7} that starts at feature i (bit 0 set)
        # has the column 1 + 4i + (p − 1)/2. So a window's subset finds its column by its first
        # feature and its shape, whichever window it is seen in.
        first = np.arange(self.num_features - 2)[:, None]
        codes = np.arange(1, 8)
        shift = np.array([0, 1, 0, 2, 0, 1, 0])
        columns = 1 + 4 * (first + shift) + (codes >> shift) // 2
        padded = np.concatenate([np.zeros_like(first), columns], axis=1)
        object.__setattr__(self, "_columns", padded)

    @property
    def start(self) -> Floats:
        """Relevances ½, and σ² = ½."""
        return np.append(np.zeros(self.num_features), np.log(0.5))

    def gram(self, parameters: Floats, left: Floats, right: Floats) -> Floats:
        """`k(m, m')`, shape (num_left, num_right)."""
        variances = self._column_variances(self._window_variances(parameters))
        gram: Floats = (_window_features(left) * variances) @ _window_features(right).T
        return gram

    def gradient(self, parameters: Floats, signs: Floats, gram: Floats, weights: Floats) -> Floats:
        """`∂/∂κ` is `diag(Φᵀ A Φ)`; the chain rule then gathers it window by window."""
        features = _window_features(signs)
        by_column = np.einsum("jc,jc->c", features, weights @ features)
        shares = self._window_variances(parameters) * by_column[self._columns]
        relevances = expit(self._by_window(parameters[:-1]))
        slopes = (shares @ _PATTERNS) * (1 - relevances)
        slopes -= shares.sum(axis=1)[:, None] * relevances * (1 - relevances) / (1 + relevances)
        windows = np.lib.stride_tricks.sliding_window_view(np.arange(self.num_features), 3)
        by_feature = np.bincount(
            windows.ravel(),
            weights=slopes.ravel(),
            minlength=self.num_features,
        )
        return np.append(by_feature, np.vdot(weights, gram))

    def prior_variances(self, parameters: Floats, supports: NDArray[np.intp]) -> Floats:
        """`κ(S)`, shape (num_supports,); zero for a support that no window holds."""
        variances = self._column_variances(self._window_variances(parameters))
        count, size = supports.shape
        if size == 0:
            return np.full(count, variances[0])
        if size > 3:
            return np.zeros(count)
        first = supports[:, 0]
        offsets = np.minimum(supports - first[:, None], 3)
        codes = np.sum(1 << offsets, axis=1)
        found: Floats = np.where(codes < 8, variances[1 + 4 * first + (codes % 8) // 2], 0.0)
        return found

    def _window_variances(self, parameters: Floats) -> Floats:
        """The share of each window in the variance of each of its subsets, (n − 2, 8)."""
        logits = self._by_window(parameters[:-1])
        log_shares = -np.logaddexp(0.0, -logits) @ _PATTERNS.T
        log_shares -= np.log1p(expit(logits)).sum(axis=1)[:, None]
        shares: Floats = np.exp(log_shares + parameters[-1]) / len(logits)
        return shares

    def _column_variances(self, window_variances: Floats) -> Floats:
        # NumPy's stubs know only counts; with weights the sums are floats.
        sums = np.bincount(
            self._columns.ravel(),
            weights=window_variances.ravel(),
            minlength=1 + 4 * self.num_features,
        )
        return sums.astype(np.float64, copy=False)

    def _by_window(self, numbers: Floats) -> Floats:
        windows: Floats = np.lib.stride_tricks.sliding_window_view(numbers, 3)
        return windows


def _window_features(signs: Floats) -> Floats:
    """The characters that windows hold, in the order of the columns; those past the end are 0."""
    padded = np.pad(signs, ((0, 0), (0, 2)))
    here, next_, second = padded[:, :-2], padded[:, 1:-1], padded[:, 2:]
    characters = np.stack([here, here * next_, here * second, here * next_ * second], axis=2)
    return np.concatenate([np.ones((len(signs), 1)), characters.reshape(len(signs), -1)], axis=1)
