"""Guesses at the supports in residual bins: by hard decoding, by soft decoding, and by scanning.

Decoding reads a support off one bin, whatever its features; it fails where noise turns too many
parities. Scanning asks all three bins of every small support at once, and so sees less than a bin
can show alone; it knows no code. What this module does not know: which guesses are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from spex_api.codes.chase import chase
from spex_api.decoding.peeling import Guess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.codes.bch import BCH
    from spex_api.decoding.peeling import Proposal, Residual

    Floats = NDArray[np.float64]
    Supports = NDArray[np.intp]

__all__ = ["Decoded", "Scanned", "proposals"]

_SAME = 1e-3
"""A bin whose energy changed by less, relatively, since it was last decoded is left alone."""
_MOST_SCANNED = 600_000
_CHUNK = 2**15
_FALSE_ALARMS = 1.0
"""How many supports of pure noise may pass a scan, on average."""


def proposals(code: BCH) -> tuple[Proposal, ...]:
    """The ways to guess, the cheapest first."""
    return (
        Decoded(code, num_doubtful=0),
        Decoded(code, num_doubtful=3 * code.num_errors + 1),
        Scanned(code.num_features, code.num_errors),
    )


@dataclass(slots=True, eq=False)
class Decoded:
    """Supports read off single bins by the code.

    The sign of a coefficient is not known; so each bin is decoded under both, and no single entry
    decides which.

    Attributes:
        code: the code of the delays.
        num_doubtful: among how many of the least reliable parities some are turned; 0 decodes hard.
    """

    code: BCH
    num_doubtful: int
    _asked: Floats | None = field(default=None, repr=False)

    def __call__(self, residual: Residual) -> Guess:
        """The support of each loud bin that it matches best; bins asked before are left alone."""
        energies = residual.energies
        loud = residual.loud(residual.noise)
        changed = loud.copy()
        if self._asked is not None:
            changed &= ~(np.abs(energies - self._asked) <= _SAME * self._asked)
        self._asked = np.where(loud, energies, np.nan)
        asked = np.flatnonzero(changed)
        received = np.concatenate([residual.values[asked, 1:], -residual.values[asked, 1:]])
        found = chase(self.code, received, num_doubtful=self.num_doubtful)
        places = np.tile(asked, 2)[found.rows]
        inside = (residual.bins.hashes.bins(found.supports) == places[:, None]).any(axis=1)
        supports, places = found.supports[inside], places[inside]
        signs = residual.bins.hashes.signs(supports)
        likelihoods = np.abs(np.einsum("kp,kp->k", signs, residual.values[places]))
        order = np.lexsort((-likelihoods, places))
        _, first = np.unique(places[order], return_index=True)
        return Guess(supports[order[first]], places[order[first]])


@dataclass(frozen=True, slots=True)
class Scanned:
    """Supports that their three bins show together: all small ones, and the known ones' neighbours.

    Attributes:
        num_features: n.
        degree: t, the size of the largest supports.
    """

    num_features: int
    degree: int

    def __call__(self, residual: Residual) -> Guess:
        """Those beyond what the best of as many supports of noise would show."""
        small = _small_supports(self.num_features, self.degree)
        near = self._neighbours(residual.supports)
        total = sum(map(len, small)) + len(near)
        threshold = np.sqrt(2.0 * np.log(max(total, 2) / _FALSE_ALARMS))
        noise = residual.noise
        weights = 1.0 / np.maximum(residual.energies, noise)
        kept = [np.zeros((0, self.degree), dtype=np.intp)]
        for part in (*small, near):
            for start in range(0, len(part), _CHUNK):
                chunk = part[start : start + _CHUNK]
                kept.append(chunk[_evidence(residual, chunk, weights) > threshold])
        return Guess(np.unique(np.concatenate(kept), axis=0), None)

    def _neighbours(self, supports: Supports) -> Supports:
        """Known supports with one feature more, shape (num_neighbours, degree)."""
        room = supports[supports[:, -1] < 0]
        grown = np.repeat(room, self.num_features, axis=0)
        added = np.tile(np.arange(self.num_features), len(room))
        fresh = ~(grown == added[:, None]).any(axis=1)
        grown, added = grown[fresh], added[fresh]
        # The −1 stand last; the new feature takes the last place, and sorting puts all in order.
        grown[:, -1] = added
        ordered = np.sort(np.where(grown < 0, self.num_features, grown), axis=1)
        return np.where(ordered < self.num_features, ordered, -1)


@lru_cache(maxsize=2)
def _small_supports(num_features: int, degree: int) -> tuple[Supports, ...]:
    """All supports of one feature, of two, and so on, as long as they are not too many."""
    found: list[Supports] = []
    chosen = np.zeros((1, 0), dtype=np.intp)
    last = np.full(1, -1)
    for size in range(1, degree + 1):
        if sum(comb(num_features, each) for each in range(1, size + 1)) > _MOST_SCANNED:
            break
        # Each support is followed by every feature behind its last.
        followers = num_features - 1 - last
        rows = np.repeat(np.arange(len(chosen)), followers)
        starts = np.repeat(np.cumsum(followers) - followers, followers)
        last = np.arange(len(rows)) - starts + last[rows] + 1
        chosen = np.column_stack([chosen[rows], last])
        padding = np.full((len(chosen), degree - size), -1)
        found.append(np.concatenate([chosen, padding], axis=1))
    return tuple(found)


def _evidence(residual: Residual, supports: Supports, weights: Floats) -> Floats:
    """Each support's amplitude in its three bins, in standard errors, shape (num_supports,)."""
    hashes = residual.bins.hashes
    bins, signs = hashes.bins(supports), hashes.signs(supports)
    total = np.zeros(len(supports))
    precision = np.zeros(len(supports))
    for places in bins.T:
        total += weights[places] * np.einsum("kp,kp->k", residual.values[places], signs)
        precision += weights[places] * hashes.num_delays
    evidence: Floats = np.abs(total) / np.sqrt(precision)
    return evidence
