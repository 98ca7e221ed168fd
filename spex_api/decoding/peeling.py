"""Peeling: supports out of bins, the clear ones first, until what remains is noise.

A round proposes supports from the residual bins, admits those that the bins confirm, fits all
coefficients so far at once by weighted least squares, and subtracts them; what stood together in a
bin then stands alone. Letters as in `spex_api.sampling.aliased`. What this module does not know:
how a support is guessed (`proposals`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import chi2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.decoding.bins import Bins
    from spex_api.transforms import FourierTransform

    Floats = NDArray[np.float64]
    Supports = NDArray[np.intp]

__all__ = ["Guess", "Peeling", "Proposal", "Residual", "account", "peel"]

_MAX_ROUNDS = 60
_QUIET_SHARE = 0.1
"""The share of bins that is taken to hold noise alone: the noise is estimated from the quietest."""
_LOUD = 4.0
"""Standard deviations over the noise at which a bin is said to hold something."""
_INSIGNIFICANT = 2.5
"""Standard errors below which a coefficient is dropped again."""
_ROUNDING = 1e-20
"""Energies below this share of the first ones are rounding."""
_SOFTENING = 0.05
"""Of the noise, added to what is left in a bin: no bin is without any doubt."""
_CONFIRMATION = 3.0
"""Standard errors by which the other groups must agree with the bin that suggests a support."""
_MOST_ADMISSIONS = 2
"""A support that was dropped may come back once, when there is less in its bins."""
_CONTRAST = 1e-6
"""The least weight of a bin, as a share of the greatest: weights may not spoil the solution."""


@dataclass(frozen=True, slots=True)
class Peeling:
    """How the bins were emptied.

    Attributes:
        zerotons: bins that held nothing but noise at first.
        singletons: bins that held one support.
        multitons: bins that held several.
        unresolved: bins that still hold something at the end, after the regression.
        residual_energy: what is left in all bins then, as a share of what was in them; the
            constant's energy is not counted.
        rounds: how often supports were proposed, fitted and subtracted.
    """

    zerotons: int
    singletons: int
    multitons: int
    unresolved: int
    residual_energy: float
    rounds: int


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """Supports that may be in the bins.

    Attributes:
        supports: shape (num_guesses, size), −1 filling up.
        origins: shape (num_guesses,), the bin that suggested each; None where all its bins
            together did, so that there is none left to confirm it.
    """

    supports: Supports
    origins: NDArray[np.intp] | None


@dataclass(frozen=True, slots=True, eq=False)
class Residual:
    """What is left in the bins after the supports found so far.

    Attributes:
        bins: what was in them.
        values: shape (C · 2^b, P + 1), what is left.
        supports: shape (num_supports, t), those found.
        coefficients: shape (num_supports,).
    """

    bins: Bins
    values: Floats
    supports: Supports
    coefficients: Floats

    @property
    def energies(self) -> Floats:
        """The mean square of each bin's entries, shape (C · 2^b,)."""
        energies: Floats = np.mean(self.values**2, axis=1)
        return energies

    @property
    def noise(self) -> float:
        """The variance of an entry of an empty bin: from the quietest bins, or known to be more.

        A bin of noise has P + 1 normal entries; so the quantile of their mean square tells their
        variance. While no bin is empty, what cannot be told apart counts as noise.
        """
        energies, entries = self.energies, self.values.shape[1]
        quantile = float(np.quantile(energies, _QUIET_SHARE))
        estimate = quantile / (chi2.ppf(_QUIET_SHARE, entries) / entries)
        rounding = _ROUNDING * float(np.mean(self.bins.values**2))
        return float(max(estimate, self.bins.noise, rounding, 1e-10 * float(energies.max())))

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left but rounding."""
        return bool(self.energies.max() <= _ROUNDING * np.mean(self.bins.values**2))

    def loud(self, noise: float) -> NDArray[np.bool_]:
        """Which bins hold more than noise, shape (C · 2^b,)."""
        loud: NDArray[np.bool_] = self.energies > noise * self.excess
        return loud

    @property
    def excess(self) -> float:
        """How many times the noise a bin of noise alone does not exceed."""
        return 1.0 + _LOUD * math.sqrt(2.0 / self.values.shape[1])

    def with_supports(self, fresh: Supports) -> Self:
        """The residual after fresh supports too, every coefficient fitted anew.

        Bins count with the inverse of what was left in them: a bin that still hides something says
        less. What turns out to be insignificant is dropped.
        """
        supports = np.unique(np.concatenate([self.supports, fresh]), axis=0)
        energies, noise = self.energies, self.noise
        for _ in range(3):
            fitted, errors = self._fit(supports, _weights(energies, noise))
            energies = fitted.energies
        significant = np.abs(fitted.coefficients) > _INSIGNIFICANT * errors
        if significant.all():
            return fitted
        return self._fit(supports[significant], _weights(energies, noise))[0]

    def after(self, transform: FourierTransform) -> Self:
        """What is left in the bins after a transform, whatever was found before."""
        supports = np.full((len(transform), max(transform.degree, 1)), -1, dtype=np.intp)
        for row, support in zip(supports, transform, strict=True):
            row[: len(support)] = support
        coefficients = np.fromiter(transform.values(), dtype=np.float64, count=len(transform))
        design = _design(self.bins, supports)
        left = self.bins.values - (design @ coefficients).reshape(self.values.shape)
        return replace(self, values=left, supports=supports, coefficients=coefficients)

    def settled(self) -> Self:
        """The same supports, fitted with equal weights."""
        if not len(self.supports):
            return self
        return self._fit(self.supports, np.ones(len(self.values)))[0]

    def _fit(self, supports: Supports, weights: Floats) -> tuple[Self, Floats]:
        """The residual after these supports, and the standard error of each coefficient."""
        if not len(supports):
            values = self.bins.values
            return replace(self, values=values, supports=supports, coefficients=np.zeros(0)), (
                np.zeros(0)
            )
        design = _design(self.bins, supports)
        entries = np.repeat(weights, self.values.shape[1])
        weighted = sparse.csr_array(design.T).multiply(entries[None, :]).tocsr()
        gram, target = (weighted @ design).toarray(), weighted @ self.bins.values.ravel()
        precisions = np.sqrt(np.diag(gram))
        gram /= np.outer(precisions, precisions)
        gram[np.diag_indices_from(gram)] += 1e-12
        coefficients = cho_solve(cho_factor(gram), target / precisions) / precisions
        left = self.bins.values - (design @ coefficients).reshape(self.values.shape)
        fitted = replace(self, values=left, supports=supports, coefficients=coefficients)
        return fitted, 1.0 / precisions


Proposal = Callable[[Residual], Guess]
"""A way to guess supports from what is left in the bins."""


def peel(bins: Bins, proposals: Sequence[Proposal], *, degree: int) -> tuple[Residual, int]:
    """Empties the bins as far as the proposals get; each is tried when those before it are dry.

    Args:
        bins: what the coded samples say.
        proposals: ways to guess supports, the cheapest first.
        degree: t, of the largest supports.

    Returns:
        What is left, with the supports and their coefficients; and in how many rounds.
    """
    nothing = np.zeros((0, degree), dtype=np.intp)
    residual = Residual(bins, bins.values, nothing, np.zeros(0))
    admissions: Counter[bytes] = Counter()
    rounds = 0
    while rounds < _MAX_ROUNDS and not residual.exhausted:
        for propose in proposals:
            confirmed = _admitted(residual, propose(residual))
            fresh = [s for s in confirmed if admissions[s.tobytes()] < _MOST_ADMISSIONS]
            if fresh:
                break
        else:
            break
        admissions.update(support.tobytes() for support in fresh)
        residual = residual.with_supports(np.array(fresh))
        rounds += 1
    return residual.settled(), rounds


def _admitted(residual: Residual, guess: Guess) -> Supports:
    """The guesses that are new and that the bins confirm."""
    known = {support.tobytes() for support in residual.supports}
    fresh = np.array([support.tobytes() not in known for support in guess.supports], dtype=bool)
    supports: Supports = guess.supports[fresh]
    if guess.origins is None or not fresh.any():
        return supports
    return _confirmed(residual, supports, guess.origins[fresh])


def _confirmed(residual: Residual, guesses: Supports, origins: NDArray[np.intp]) -> Supports:
    """The guesses that their bins confirm, and of those the strongest of each bin.

    A guess is confirmed where its origin holds it and nothing else, where two bins suggest it, or
    where the groups that did not suggest it agree with the sign that its origin gives it.
    """
    hashes, energies, noise = residual.bins.hashes, residual.energies, residual.noise
    supports, inverse = np.unique(guesses, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    bins, signs = hashes.bins(supports), hashes.signs(supports)
    is_origin = np.zeros(bins.shape, dtype=bool)
    np.logical_or.at(is_origin, inverse, bins[inverse] == origins[:, None])
    amplitudes = np.einsum("kcp,kp->kc", residual.values[bins], signs) / hashes.num_delays
    left = np.maximum(energies[bins] - amplitudes**2, 0.0)
    loud = residual.loud(noise)[bins]
    alone = (is_origin & loud & (left <= noise * residual.excess)).any(axis=1)
    weights = hashes.num_delays / (left + _SOFTENING * noise)
    sign = np.sign(np.sum(weights * amplitudes * is_origin, axis=1))
    elsewhere = weights * ~is_origin
    agreement = sign * np.sum(elsewhere * amplitudes, axis=1)
    agreed = agreement >= _CONFIRMATION * np.sqrt(elsewhere.sum(axis=1))
    confirmed = alone | (is_origin.sum(axis=1) > 1) | agreed
    strengths = np.abs(np.sum(weights * amplitudes, axis=1) / weights.sum(axis=1))
    strongest = np.zeros(len(residual.values))
    np.maximum.at(strongest, bins[confirmed], strengths[confirmed, None])
    wins: NDArray[np.bool_] = ((strengths[:, None] >= strongest[bins]) & is_origin).any(axis=1)
    winners: Supports = supports[confirmed & wins]
    return winners


def account(last: Residual, rounds: int) -> Peeling:
    """The bins of the beginning, told apart by what was found in them in the end."""
    hashes, noise = last.bins.hashes, last.noise
    first = replace(last, values=last.bins.values)
    loud_at_first, loud_at_last = first.loud(noise), last.loud(noise)
    held = np.bincount(hashes.bins(last.supports).ravel(), minlength=len(first.values))
    singletons = loud_at_first & (held == 1) & ~loud_at_last
    constant = ~(last.supports >= 0).any(axis=1)
    energies = first.energies
    for bins, coefficient in zip(
        hashes.bins(last.supports[constant]), last.coefficients[constant], strict=True
    ):
        energies[bins] = np.mean((first.values[bins] - coefficient) ** 2, axis=1)
    total = float(energies.sum())
    return Peeling(
        zerotons=int((~loud_at_first).sum()),
        singletons=int(singletons.sum()),
        multitons=int((loud_at_first & ~singletons).sum()),
        unresolved=int(loud_at_last.sum()),
        residual_energy=float(last.energies.sum()) / total if total > 0 else 0.0,
        rounds=rounds,
    )


def _design(bins: Bins, supports: Supports) -> sparse.csc_array:
    """Which entries each support stands in, and with what sign."""
    signs = bins.hashes.signs(supports)
    num_delays = bins.hashes.num_delays
    places = bins.hashes.bins(supports)
    entries = places[:, :, None] * num_delays + np.arange(num_delays)
    repeated = np.broadcast_to(signs[:, None, :], entries.shape)
    starts = np.arange(len(supports) + 1) * places.shape[1] * num_delays
    return sparse.csc_array(
        (repeated.ravel(), entries.ravel(), starts), shape=(bins.values.size, len(supports))
    )


def _weights(energies: Floats, noise: float) -> Floats:
    """The inverse of what is left in each bin, within bounds."""
    weights: Floats = 1.0 / np.maximum(energies, max(noise, _CONTRAST * float(energies.max())))
    return weights
