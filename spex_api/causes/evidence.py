"""What answers under masks say of which few features the outcome depends on, and how.

The hypotheses: the outcome is a Boolean function of a set of at most four features, and an answer
tells it wrongly with a probability ε₁ where it should hold, ε₀ where it should not. Every function
counts for the set that it truly depends on: the sum N(S) of the likelihoods of all functions on S
factors over the cells of the truth table, and that of those which depend on exactly S is

    D(S) = N(S) − Σ_{T ⊊ S} D(T).

Three quarters of a size's prior mass lie on the functions in which one cell differs from all
others: parts that need each other, redundant parts and suppressors are of that kind. Sizes have
equal mass, as have the sets of a size, and the pairs of error rates.

What this module does not know: where the answers come from, and whether there is such a function.
What is found here is a suspicion, however strong; `verification` tests it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb, log
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logsumexp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

__all__ = ["LARGEST", "Evidence", "Suspicion", "weigh"]

LARGEST = 4
_FUNCTIONS = (2, 2, 10, 218, 64594)
"""Boolean functions that depend on all of their 0, 1, … 4 variables (OEIS A000371)."""

_ONE_CELL = 0.75

_MOST_SETS = (1, 35_000, 35_000, 35_000, 2_000)
"""By size, so many sets are weighed: all of three among 60 features, all of four among 16. Beyond,
the features that smaller sets speak for are taken."""

_KEPT = 192
"""So many sets are looked at closely; the others are hardly ever worth a thought."""

_ERRORS = np.array(
    [
        (0.01, 0.01),
        (0.05, 0.05),
        (0.12, 0.12),
        (0.25, 0.25),
        (0.01, 0.15),
        (0.15, 0.01),
        (0.05, 0.35),
        (0.35, 0.05),
    ]
)
_ERRORS_OF_EXACT = np.array([(0.002, 0.002), (0.02, 0.02)])
"""(ε₁, ε₀). Answers that repeat exactly may still depart from a rule of few features."""


@dataclass(frozen=True, slots=True, eq=False)
class Suspicion:
    """A set of features, and the truth table that the answers speak for.

    Bit p of a cell's number says that `features[p]` is removed.

    Attributes:
        features: ascending; () where the outcome depends on none.
        weight: the posterior probability of the set, of all sets that were weighed.
        table: shape (2^size,): with what probability the outcome should hold in a cell.
        holds: shape (2^size,): with what probability it does in an answer, errors included.
    """

    features: tuple[int, ...]
    weight: float
    table: Floats
    holds: Floats

    @property
    def chances(self) -> dict[tuple[int, ...], float]:
        """With what probability the outcome should hold, by what of the features is removed."""
        return {
            tuple(each for place, each in enumerate(self.features) if cell >> place & 1): chance
            for cell, chance in enumerate(self.table.tolist())
        }

    @property
    def rule(self) -> dict[tuple[int, ...], bool]:
        """The likelier truth value of each cell."""
        return {removed: chance > 0.5 for removed, chance in self.chances.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The posterior over sets of features.

    Attributes:
        suspicions: the likeliest sets, likeliest first.
        num_features: of how many.
        log_likelihood: of the answers, over all that is weighed.
    """

    suspicions: tuple[Suspicion, ...]
    num_features: int
    log_likelihood: float = 0.0

    @property
    def lead(self) -> Suspicion:
        """The likeliest set."""
        return self.suspicions[0]

    def predict(self, masks: NDArray[np.uint8]) -> Floats:
        """With what probability the outcome holds in an answer, by each of the likeliest sets.

        Args:
            masks: shape (num_masks, num_features), 1 = kept.

        Returns:
            Shape (num_masks, num_suspicions).
        """
        removed = 1 - masks.astype(np.int64)
        found = np.empty((len(masks), len(self.suspicions)))
        for column, each in enumerate(self.suspicions):
            found[:, column] = each.holds[_cells(removed, np.array([each.features], int))[:, 0]]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """The sets of one size, weighed.

    Attributes:
        sets: shape (num_sets, size), rows and columns ascending.
        hits: shape (num_sets, 2^size): answers of which the outcome holds.
        misses: the same, of which it does not.
        all_functions: shape (num_sets, num_errors): log N.
        one_cell: shape (num_sets, num_errors): the log of the sum over the functions of which one
            cell differs.
    """

    sets: Indices
    hits: Floats
    misses: Floats
    all_functions: Floats
    one_cell: Floats


def weigh(masks: NDArray[np.uint8], holds: NDArray[np.uint8], *, exact: bool = False) -> Evidence:
    """The posterior over the sets of up to four features that the outcome may depend on.

    Args:
        masks: shape (num_answers, num_features), 1 = kept; equal ones may come repeatedly.
        holds: shape (num_answers,), of 0 and 1: whether the outcome holds of the answer.
        exact: whether answers repeat exactly, so that none is wrong.
    """
    num_features = masks.shape[1]
    errors = _ERRORS_OF_EXACT if exact else _ERRORS
    removed = (1 - masks).astype(np.float64)
    features = np.arange(num_features)
    levels: list[_Level] = []
    logs: list[Floats] = []
    log_likelihood = 0.0
    for size in range(min(LARGEST, num_features) + 1):
        features = _worth_pairing(num_features, features, size, levels, logs)
        sets = features[_combinations(len(features), size)]
        levels.append(_level(removed, holds, sets, errors))
        logs, log_likelihood = _log_posteriors(levels, num_features)
    return Evidence(_likeliest(levels, logs, errors), num_features, log_likelihood)


def _worth_pairing(
    num_features: int, features: Indices, size: int, levels: list[_Level], logs: list[Floats]
) -> Indices:
    """The features that smaller sets speak for, as many as sets can be weighed of."""
    most = len(features)
    while most > size and comb(most, size) > _MOST_SETS[size]:
        most -= 1
    if most == len(features):
        return features
    relevance = np.zeros(num_features)
    for level, log_posterior in zip(levels[1:], logs[1:], strict=True):
        np.maximum.at(relevance, level.sets, np.exp(log_posterior)[:, None])
    chosen = features[np.argsort(-relevance[features], kind="stable")[:most]]
    return np.sort(chosen)


@lru_cache(maxsize=8)
def _combinations(num_features: int, size: int) -> Indices:
    found = np.array(list(combinations(range(num_features), size)), dtype=np.int64)
    found = found.reshape(comb(num_features, size), size)
    found.flags.writeable = False
    return found


def _cells(removed: Indices, sets: Indices) -> Indices:
    """Shape (num_masks, num_sets): in which cell of a set's truth table a mask lies."""
    cells = np.zeros((len(removed), len(sets)), dtype=np.int64)
    for place in range(sets.shape[1]):
        cells += removed[:, sets[:, place]] << place
    return cells


def _counts(removed: Floats, sets: Indices) -> Floats:
    """Shape (num_sets, 2^size): how many masks lie in each cell of each set's truth table.

    Of the masks that lack a subset at least, those that lack exactly it are left by differences.
    """
    features = np.unique(sets)
    columns = removed[:, features]
    places = np.searchsorted(features, sets)
    moments = _moments(columns, sets.shape[1])
    counts = np.empty((len(sets), 2 ** sets.shape[1]))
    for cell in range(counts.shape[1]):
        taken = [place for place in range(sets.shape[1]) if cell >> place & 1]
        counts[:, cell] = moments[len(taken)][tuple(places[:, taken].T)]
    for place in range(sets.shape[1]):
        halves = counts.reshape(len(sets), -1, 2, 2**place)
        halves[:, :, 0] -= halves[:, :, 1]
    return counts


def _moments(columns: Floats, highest: int) -> list[Floats]:
    """By order: how many rows have a one in each of so many columns, shape (num_columns, …)."""
    width = columns.shape[1]
    found = [np.asarray(float(len(columns))), columns.sum(axis=0), columns.T @ columns]
    if highest > 2:
        pairs = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), width**2)
        found.append((pairs.T @ columns).reshape((width,) * 3))
        if highest > 3:
            found.append((pairs.T @ pairs).reshape((width,) * 4))
    return found


def _level(removed: Floats, holds: NDArray[np.uint8], sets: Indices, errors: Floats) -> _Level:
    hits, misses = (_counts(removed[holds == each], sets) for each in (1, 0))
    all_functions = np.empty((len(sets), len(errors)))
    one_cell = np.empty_like(all_functions)
    for column, pair in enumerate(errors):
        true, false = _log_likelihoods(hits, misses, pair)
        odds = true - false
        rarer = np.log1p(np.exp(-np.abs(odds)))
        all_functions[:, column] = (np.maximum(true, false) + rarer).sum(axis=1)
        one_cell[:, column] = np.logaddexp(
            true.sum(axis=1) + _log_sum(-odds), false.sum(axis=1) + _log_sum(odds)
        )
    return _Level(sets, hits, misses, all_functions, one_cell)


def _log_likelihoods(hits: Floats, misses: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Of a cell's answers, where the outcome should hold in it, and where it should not."""
    wrong, wrongly = errors
    true = hits * log(1 - wrong) + misses * log(wrong)
    false = hits * log(wrongly) + misses * log(1 - wrongly)
    return true, false


def _log_posteriors(levels: list[_Level], num_features: int) -> tuple[list[Floats], float]:
    """Of each size's sets, normalised over all: shapes (num_sets,); and of the answers, in all."""
    scale = max(float(level.all_functions.max()) for level in levels)
    exactly: list[Floats] = []
    logs: list[Floats] = []
    for size, level in enumerate(levels):
        left = np.exp(level.all_functions - scale)
        for smaller in range(size):
            for places in combinations(range(size), smaller):
                left -= exactly[smaller][_rows(levels[smaller].sets, level.sets[:, places])]
        exactly.append(np.maximum(left, 0))
        one_cell = np.exp(level.one_cell - scale) / (2 * 2**size)
        mass = (1 - _ONE_CELL) * exactly[size] / _FUNCTIONS[size] + _ONE_CELL * one_cell
        with np.errstate(divide="ignore"):
            logs.append(np.log(mass.mean(axis=1)) - log(comb(num_features, size)))
    total = float(logsumexp(np.concatenate(logs)))
    return [each - total for each in logs], total + scale - log(len(levels))


def _rows(sets: Indices, wanted: Indices) -> Indices:
    """Where the wanted sets stand among the sets, which are sorted."""
    if not sets.shape[1]:
        return np.zeros(len(wanted), dtype=np.int64)
    radix = (int(sets.max()) + 1) ** np.arange(sets.shape[1] - 1, -1, -1, dtype=np.int64)
    found: Indices = np.searchsorted(sets @ radix, wanted @ radix)
    return found


def _likeliest(levels: list[_Level], logs: list[Floats], errors: Floats) -> tuple[Suspicion, ...]:
    together = np.concatenate(logs)
    best = np.argsort(-together, kind="stable")[:_KEPT]
    best = best[np.isfinite(together[best])]
    found: dict[int, Suspicion] = {}
    start = 0
    for level in levels:
        end = start + len(level.sets)
        places = best[(best >= start) & (best < end)]
        rows = places - start
        tables, says = _tables(level, rows, errors)
        for place, row, table, share in zip(places, rows, tables, says, strict=True):
            features = tuple(level.sets[row].tolist())
            found[int(place)] = Suspicion(features, float(np.exp(together[place])), table, share)
        start = end
    return tuple(found[int(place)] for place in best)


def _tables(level: _Level, rows: Indices, errors: Floats) -> tuple[Floats, Floats]:
    """Truth tables and what answers say, as means over functions and error rates.

    Functions of fewer features are not taken out here. Where a set has weight they have none; where
    it has little, its table leans to them, and so asks for no more than it should.

    Shapes (num_rows, num_cells).
    """
    hits, misses = level.hits[rows], level.misses[rows]
    size = level.sets.shape[1]
    masses: list[Floats] = []
    parts: list[Floats] = []
    says: list[Floats] = []
    for column, pair in enumerate(errors):
        true, false = _log_likelihoods(hits, misses, pair)
        masses.append(level.all_functions[rows, column] + log((1 - _ONE_CELL) / _FUNCTIONS[size]))
        parts.append(expit(true - false))
        for base, other in ((true, false), (false, true)):
            odds = _log_sum(other - base)
            masses.append(base.sum(axis=1) + odds + log(_ONE_CELL / (2 * 2**size)))
            odd = np.exp(other - base - odds[:, None])
            parts.append(odd if base is false else 1 - odd)
        wrong, wrongly = pair
        says += [part * (1 - wrong) + (1 - part) * wrongly for part in parts[-3:]]
    mass = np.array(masses)
    shares = np.exp(mass - mass.max(axis=0, initial=-np.inf))[:, :, None]
    shares /= shares.sum(axis=0)
    return (shares * np.array(parts)).sum(axis=0), (shares * np.array(says)).sum(axis=0)


def _log_sum(logs: Floats) -> Floats:
    """The log of the sum of exponentials over each row."""
    most = logs.max(axis=1)
    found: Floats = most + np.log(np.exp(logs - most[:, None]).sum(axis=1))
    return found
