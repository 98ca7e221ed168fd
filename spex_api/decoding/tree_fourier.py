"""The exact Fourier transform of an ensemble of regression trees over masks.

A leaf whose path holds d distinct features is `v · 2^{−d} · Π_{i∈path} (1 ± χ_i(m))`, with a plus
where a masked feature leads to it; so it adds `± v / 2^d` to each subset of its path, and the
ensemble's transform is the sum over its leaves (Butler et al. 2025, "ProxySPEX", appendix; Gorji et
al. 2025, "SHAP values via sparse Fourier representation"). Leaves on the same features, of whatever
tree, share one table of 2^d cells, which one Walsh–Hadamard transform turns into coefficients.

What this module does not know: how trees are grown, and which coefficients are worth keeping.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spex_api.decoding.walsh_hadamard import fast_walsh_hadamard
from spex_api.errors import UsageError
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.transforms import Support

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

__all__ = ["Terms", "Trees", "read_trees", "tree_fourier"]

_DEEPEST = 16
"""A leaf below this many features has over 65,536 subsets."""
_LARGEST_KEY = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """An ensemble as flat arrays, in the order in which its trees are summed.

    A child c is the split `c` where c ≥ 0, and the leaf `−1 − c` otherwise; both are numbered
    through the whole ensemble.

    Attributes:
        roots: shape (num_trees,), the child from which each tree is entered.
        features: shape (num_splits,), what each split asks.
        children: shape (num_splits, 2), where a masked and where a kept feature leads.
        leaves: shape (num_leaves,), float64.
    """

    roots: Integers
    features: Integers
    children: Integers
    leaves: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Fourier coefficients as arrays, for transforms of many thousand terms.

    Attributes:
        features: shape (num_terms, degree); each row is a support, ascending, padded behind with
            `num_features`. No two rows are the same, and their order is that of the numbers.
        coefficients: shape (num_terms,).
        num_features: how many features a mask has.
    """

    features: Integers
    coefficients: Floats
    num_features: int

    def supports(self, rows: NDArray[np.intp]) -> list[Support]:
        """The supports in these rows."""
        return [
            tuple(feature for feature in row if feature < self.num_features)
            for row in self.features[rows].tolist()
        ]

    def transform(self) -> FourierTransform:
        """All of them, as the transform that can be evaluated."""
        supports = self.supports(np.arange(len(self.coefficients)))
        coefficients = dict(zip(supports, self.coefficients.tolist(), strict=True))
        return FourierTransform(coefficients, self.num_features)


def read_trees(model: str) -> Trees:
    """The trees in LightGBM's text format, of which each split parts masked from kept.

    Args:
        model: what `Booster.model_to_string` returns, of a regression.

    Raises:
        UsageError: a split does not part 0 from 1, or a leaf is not a number but a linear model.
    """
    sizes = _column(model, "num_leaves").astype(np.int64)
    features = _column(model, "split_feature").astype(np.int64)
    thresholds = _column(model, "threshold")
    categorical = _column(model, "decision_type").astype(np.int64) % 2 == 1
    if categorical.any() or ((thresholds < 0) | (thresholds >= 1)).any():
        raise UsageError("A tree over masks splits at a number from 0 to 1, the 1 left out.")
    if _column(model, "is_linear").any():
        raise UsageError("A tree over masks has numbers as leaves, not linear models.")
    splits = np.repeat(np.cumsum(sizes - 1) - (sizes - 1), sizes - 1)
    leaves = np.repeat(np.cumsum(sizes) - sizes, sizes - 1)
    children = np.column_stack(
        [_column(model, "left_child"), _column(model, "right_child")]
    ).astype(np.int64)
    children = np.where(children >= 0, children + splits[:, None], children - leaves[:, None])
    stumps = sizes == 1
    roots = np.where(stumps, -1 - (np.cumsum(sizes) - sizes), np.cumsum(sizes - 1) - (sizes - 1))
    return Trees(roots, features, children, _column(model, "leaf_value"))


def _column(model: str, name: str) -> Floats:
    """The numbers of one field, tree after tree."""
    joined = " ".join(re.findall(rf"^{name}=(.+)$", model, re.MULTILINE))
    return np.fromstring(joined, sep=" ") if joined else np.empty(0)


def tree_fourier(trees: Trees, *, num_features: int) -> Terms:
    """The ensemble's coefficients, `F[S] = Σ_leaves v · 2^{−d} · Π_{i∈S} ±1` over paths ⊇ S.

    Args:
        trees: the ensemble.
        num_features: how many features a mask has.

    Returns:
        The empty set, and each subset of the features of a path, also where its coefficient is 0.

    Raises:
        UsageError: a path asks more than 16 features.
    """
    rows: list[Integers] = []
    values: list[Floats] = []
    width = 0
    for path, kept, leaves in _paths(trees, num_features):
        degree = path.shape[1]
        width = max(width, degree)
        places, first = _grouped(path, num_features)
        # Cell c of a group's table: feature k of the path is kept where bit k of c is set.
        cells = kept @ (1 << np.arange(degree))
        tables = np.zeros((len(first), 1 << degree))
        np.add.at(tables, (places, cells), leaves)
        coefficients = fast_walsh_hadamard(tables) / (1 << degree)
        chosen = (np.arange(1 << degree)[:, None] >> np.arange(degree) & 1).astype(bool)
        sets = np.where(chosen[None], path[first][:, None, :], num_features)
        rows.append(np.sort(sets.reshape(coefficients.size, degree), axis=1))
        values.append(coefficients.ravel())
    padded = [
        np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=num_features)
        for part in rows
    ]
    features = np.concatenate(padded) if padded else np.empty((0, 0), dtype=np.int64)
    places, first = _grouped(features, num_features)
    summed = np.zeros(len(first))
    np.add.at(summed, places, np.concatenate(values))
    return Terms(features[first], summed, num_features)


def _paths(trees: Trees, num_features: int) -> list[tuple[Integers, Integers, Floats]]:
    """The leaves by how many features their paths hold: the features, ascending; kept; values.

    All trees are walked down together, one level a step. A split that asks what an earlier one has
    asked leads one way only, and the leaves behind the other way are empty.
    """
    here = trees.roots
    path = np.empty((len(here), 0), dtype=np.int64)
    kept = np.empty((len(here), 0), dtype=np.int64)
    found: list[tuple[Integers, Integers, Floats]] = []
    while len(here):
        ended = here < 0
        found.append((path[ended], kept[ended], trees.leaves[-1 - here[ended]]))
        here, path, kept = here[~ended], path[~ended], kept[~ended]
        asked = trees.features[here]
        seen = path == asked[:, None]
        ways: list[tuple[Integers, Integers, Integers]] = []
        for answer in (0, 1):
            open_ = ~(seen & (kept == 1 - answer)).any(axis=1)
            # Asked again, a feature adds nothing to the path: its place is padding.
            added = np.where(seen.any(axis=1), num_features, asked)[open_, None]
            answers = np.full_like(added, answer)
            ways.append(
                (
                    trees.children[here[open_], answer],
                    np.column_stack([path[open_], added]),
                    np.column_stack([kept[open_], answers]),
                )
            )
        here, path, kept = (np.concatenate(both) for both in zip(*ways, strict=True))
    return _by_size(found, num_features)


def _by_size(
    found: list[tuple[Integers, Integers, Floats]], num_features: int
) -> list[tuple[Integers, Integers, Floats]]:
    """The same leaves, those of one number of distinct features together, and without padding."""
    groups: dict[int, list[tuple[Integers, Integers, Floats]]] = {}
    for path, kept, leaves in found:
        order = np.argsort(path, axis=1)
        ascending, answers = (np.take_along_axis(each, order, 1) for each in (path, kept))
        sizes = np.sum(path < num_features, axis=1)
        for size in np.unique(sizes).tolist():
            rows = sizes == size
            part = ascending[rows, :size], answers[rows, :size], leaves[rows]
            groups.setdefault(size, []).append(part)
    if max(groups, default=0) > _DEEPEST:
        raise UsageError(
            f"A tree asks {max(groups)} features on one path, which has 2^{max(groups)} subsets. "
            f"The limit is {_DEEPEST}.",
            advice="Grow shallower trees (max_depth).",
        )
    return [
        tuple(np.concatenate(parts) for parts in zip(*group, strict=True))  # type: ignore[misc]
        for _, group in sorted(groups.items())
    ]


def _grouped(rows: Integers, num_features: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each row the number of its group of equal rows, and one row of each group."""
    codes = np.zeros(len(rows), dtype=np.int64)
    span = 1
    for column in range(rows.shape[1]):
        if span * (num_features + 1) > _LARGEST_KEY:
            _, codes = np.unique(codes, return_inverse=True)
            span = len(rows)
        codes = codes * (num_features + 1) + rows[:, column]
        span *= num_features + 1
    _, first, places = np.unique(codes, return_index=True, return_inverse=True)
    return places, first
