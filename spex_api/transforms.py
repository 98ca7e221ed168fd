"""Sparse transforms of a set function, and the maps between them.

The sign convention, stated once for the whole package. With `m_i = 1` for a kept feature,

    f(m) = Σ_S F[S] · χ_S(m),   χ_S(m) = Π_{i∈S} (−1)^{m_i}       (Fourier, or Walsh–Hadamard)
    f(m) = Σ_T μ[T] · Π_{i∈T} m_i                                 (Möbius, or Harsanyi)

Since `(−1)^{m} = 1 − 2m`, each character is `χ_S(m) = Σ_{T⊆S} (−2)^{|T|} Π_{i∈T} m_i`, hence
`μ[T] = (−2)^{|T|} Σ_{S⊇T} F[S]`; inverting it, `F[S] = (−1)^{|S|} Σ_{T⊇S} 2^{−|T|} μ[T]`.
Both maps touch only subsets of the sets that are given, so sparse stays sparse at a low degree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from spex_api.errors import UsageError
from spex_api.samples import as_masks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FourierTransform",
    "MobiusTransform",
    "Support",
    "characters",
    "fourier_to_mobius",
    "mobius_to_fourier",
    "subsets",
]

Support = tuple[int, ...]
"""The features of one term: sorted, without repetition; `()` is the constant."""

_MAX_DEGREE = 20
_CHUNK = 4096


def subsets(support: Support, *, max_size: int | None = None) -> Iterator[Support]:
    """Every subset of a support, smallest first, up to a size where one is given."""
    top = len(support) if max_size is None else min(max_size, len(support))
    return chain.from_iterable(combinations(support, size) for size in range(top + 1))


def characters(masks: NDArray[np.uint8], supports: Iterable[Support]) -> NDArray[np.float64]:
    """`χ_S(m)` for every mask and support, shape (num_masks, num_supports), of −1 and 1.

    Args:
        masks: shape (num_masks, num_features), of 0 and 1.
        supports: the sets S.
    """
    rows = list(supports)
    # A column of zeros behind the features is what fills up a smaller support.
    columns = np.zeros((masks.shape[1] + 1, len(masks)), dtype=np.uint8)
    columns[:-1] = masks.T
    size = max(map(len, rows), default=0)
    padded = np.full((len(rows), size), masks.shape[1], dtype=np.intp)
    for row, support in enumerate(rows):
        padded[row, : len(support)] = support
    parities = np.zeros((len(rows), len(masks)), dtype=np.uint8)
    for place in padded.T:
        parities ^= columns[place]
    return 1.0 - 2.0 * parities.T.astype(np.float64)


def _kept(masks: NDArray[np.uint8], supports: Iterable[Support]) -> NDArray[np.float32]:
    """How many features of each support each mask keeps (float32: exact below 2^24, and BLAS)."""
    return masks.astype(np.float32) @ _incidence(supports, masks.shape[1]).T


def _incidence(supports: Iterable[Support], num_features: int) -> NDArray[np.float32]:
    rows = list(supports)
    incidence = np.zeros((len(rows), num_features), dtype=np.float32)
    for row, support in enumerate(rows):
        incidence[row, list(support)] = 1.0
    return incidence


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class _SparseTransform(Mapping[Support, float]):
    """A mapping from supports to coefficients that can be evaluated at masks."""

    num_features: int
    _terms: dict[Support, float]

    def __init__(self, coefficients: Mapping[Support, float], num_features: int) -> None:
        """Keeps the coefficients in one order: by size of the support, then by its features.

        Raises:
            UsageError: a key is not a sorted tuple of features, or a coefficient is not finite.
        """
        for support, coefficient in coefficients.items():
            _check_term(support, coefficient, num_features)
        ordered = sorted(coefficients, key=lambda support: (len(support), support))
        object.__setattr__(self, "num_features", num_features)
        object.__setattr__(self, "_terms", {key: float(coefficients[key]) for key in ordered})

    def __getitem__(self, support: Support) -> float:
        return self._terms[support]

    def __iter__(self) -> Iterator[Support]:
        return iter(self._terms)

    def __len__(self) -> int:
        return len(self._terms)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self.num_features == other.num_features and self._terms == other._terms

    def __hash__(self) -> int:
        return hash((self.num_features, tuple(self._terms.items())))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._terms!r}, {self.num_features})"

    def __call__(self, masks: ArrayLike) -> NDArray[np.float64]:
        """The function's value at each mask.

        Args:
            masks: shape (num_masks, num_features), of 0 and 1; 1 = kept.

        Returns:
            Shape (num_masks,), float64.

        Raises:
            UsageError: the masks have another shape, or hold something else than 0 and 1.
        """
        checked = as_masks(masks, num_features=self.num_features)
        coefficients = np.fromiter(self._terms.values(), dtype=np.float64, count=len(self))
        values = np.empty(len(checked))
        for start in range(0, len(checked), _CHUNK):
            rows = slice(start, start + _CHUNK)
            values[rows] = self._basis(checked[rows], tuple(self._terms)) @ coefficients
        return values

    @staticmethod
    def _basis(masks: NDArray[np.uint8], supports: tuple[Support, ...]) -> NDArray[np.float64]:
        raise NotImplementedError

    @property
    def degree(self) -> int:
        """The size of the largest support."""
        return max(map(len, self._terms), default=0)

    @property
    def energy(self) -> float:
        """The sum of the squared coefficients, the constant's left out."""
        return sum(value**2 for support, value in self._terms.items() if support)

    def strongest(self, count: int) -> Self:
        """The transform of the `count` largest coefficients by magnitude, and the constant."""
        ranked = sorted((s for s in self._terms if s), key=lambda s: (-abs(self._terms[s]), s))
        kept = {support: self._terms[support] for support in ranked[:count]}
        if () in self._terms:
            kept[()] = self._terms[()]
        return type(self)(kept, self.num_features)


_Transform = TypeVar("_Transform", bound=_SparseTransform)


class FourierTransform(_SparseTransform):
    """`f(m) = Σ_S F[S] Π_{i∈S} (−1)^{m_i}`; the key `()` is the mean over uniform masks.

    >>> f = FourierTransform({(): 1.0, (0,): -0.5}, num_features=2)
    >>> f([[1, 0], [0, 0]])
    array([1.5, 0.5])
    """

    __slots__ = ()

    @staticmethod
    def _basis(masks: NDArray[np.uint8], supports: tuple[Support, ...]) -> NDArray[np.float64]:
        return characters(masks, supports)


class MobiusTransform(_SparseTransform):
    """`f(m) = Σ_T μ[T] Π_{i∈T} m_i`; the key `()` is the value with every feature masked.

    >>> f = MobiusTransform({(): 1.0, (0, 1): 2.0}, num_features=2)
    >>> f([[1, 0], [1, 1]])
    array([1., 3.])
    """

    __slots__ = ()

    @staticmethod
    def _basis(masks: NDArray[np.uint8], supports: tuple[Support, ...]) -> NDArray[np.float64]:
        sizes = np.array([len(support) for support in supports], dtype=np.float32)
        complete: NDArray[np.float64] = (_kept(masks, supports) == sizes).astype(np.float64)
        return complete


def fourier_to_mobius(transform: FourierTransform) -> MobiusTransform:
    """`μ[T] = (−2)^{|T|} Σ_{S⊇T} F[S]`.

    Raises:
        UsageError: a support is larger than 20 features, and so has over a million subsets.
    """
    mobius: dict[Support, float] = defaultdict(float)
    for support, coefficient in _affordable(transform).items():
        for subset in subsets(support):
            mobius[subset] += (-2.0) ** len(subset) * coefficient
    return MobiusTransform(mobius, transform.num_features)


def mobius_to_fourier(transform: MobiusTransform) -> FourierTransform:
    """`F[S] = (−1)^{|S|} Σ_{T⊇S} 2^{−|T|} μ[T]`.

    Raises:
        UsageError: a support is larger than 20 features, and so has over a million subsets.
    """
    fourier: dict[Support, float] = defaultdict(float)
    for support, coefficient in _affordable(transform).items():
        for subset in subsets(support):
            fourier[subset] += (-1.0) ** len(subset) * 0.5 ** len(support) * coefficient
    return FourierTransform(fourier, transform.num_features)


def _affordable(transform: _Transform) -> _Transform:
    if transform.degree > _MAX_DEGREE:
        raise UsageError(
            f"A term of degree {transform.degree} has 2^{transform.degree} subsets: too many to "
            f"list. The limit is degree {_MAX_DEGREE}.",
            advice="Drop the terms of high degree first.",
        )
    return transform


def _check_term(support: Support, coefficient: float, num_features: int) -> None:
    if list(support) != sorted(set(support)):
        raise UsageError(f"A support is a sorted tuple without repetition, not {support!r}.")
    if support and not (support[0] >= 0 and support[-1] < num_features):
        raise UsageError(f"The support {support} goes beyond the {num_features} features.")
    if not np.isfinite(coefficient):
        raise UsageError(f"The coefficient of {support} is {coefficient}, not a finite number.")
