"""How people look for the document to blame today, in the strongest form that the calls allow.

Leave-one-out; the LASSO on random masks, as in ContextCite (Cohen-Wang et al. 2024); Shapley values
by the KernelSHAP of shapiq. The first two are short implementations of ours on NumPy and
scikit-learn: none of these methods ends in a set of documents, so how it ends is ours for all.
Weights are read in two ways from the same calls, the last of which go into unchanged repeats and
into removing the heaviest one, two and three documents:

- `that flips`: the smallest of these sets whose removal flips the answer;
- `by the gap`: the set after which the weights fall most, where its removal flips the answer, and
  else the next larger that does.

What this module does not know: which documents are to blame.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike, NDArray

    from spex_api.testing import PlantedPipeline

    Floats = NDArray[np.float64]
    Named = dict[str, frozenset[int]]

__all__ = ["PEERS", "READINGS", "Masked"]

_REPEATS = 7
"""Of each arrangement at the end: odd, and three flips of seven at 10 % noise are no majority."""
_MOST_PARTS = 3
_NUM_FOLDS = 5
_ROUNDING = 1e-9
"""A weight below it is none: a regression solved in floating point leaves as much."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A pipeline as peers see it: which documents are kept → whether the outcome holds.

    Attributes:
        pipeline: what is called, once a mask, and counts its calls.
        runner: of its coroutines.
    """

    pipeline: PlantedPipeline
    runner: asyncio.Runner

    @property
    def num_documents(self) -> int:
        """How many documents there are."""
        return len(self.pipeline.documents)

    def __call__(self, masks: ArrayLike) -> Floats:
        """Fresh answers to masks of shape (num_masks, num_documents), 1 where the outcome holds."""
        return np.array([float(self._holds(mask)) for mask in np.atleast_2d(masks)])

    def flips(self, removed: Iterable[int], *, repeats: int) -> bool:
        """Whether the outcome holds of less than half of the answers with these left out."""
        mask = np.ones(self.num_documents)
        mask[list(removed)] = 0
        return bool(self(np.tile(mask, (repeats, 1))).mean() < 0.5)

    def _holds(self, mask: Floats) -> bool:
        arguments = self.pipeline.inputs
        documents = [text for text, kept in zip(self.pipeline.documents, mask, strict=True) if kept]
        answer = self.runner.run(self.pipeline.answer(**{**arguments, "documents": documents}))
        return self.pipeline.holds(answer)


def _leave_one_out(masked: Masked, budget: int, seed: int) -> Named:
    """Every document whose removal flips most answers; all arrangements are asked equally often."""
    del seed
    repeats = budget // (masked.num_documents + 1)
    if masked.flips((), repeats=repeats):
        return {"leave-one-out": frozenset()}
    found = {
        place for place in range(masked.num_documents) if masked.flips([place], repeats=repeats)
    }
    return {"leave-one-out": frozenset(found)}


def _lasso(masked: Masked, budget: int, seed: int) -> Named:
    """Masks that keep each document with probability 1/2; the penalty by five folds."""
    budget -= _REPEATS * (_MOST_PARTS + 1)
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, size=(budget, masked.num_documents)).astype(np.float64)
    holds = masked(masks)
    weights = np.zeros(masked.num_documents)
    if np.ptp(holds):
        model = import_module("sklearn.linear_model").LassoCV(cv=_NUM_FOLDS)
        weights = model.fit(masks, holds).coef_
    return _named("LASSO", masked, weights)


def _shapley(masked: Masked, budget: int, seed: int) -> Named:
    """With masks in pairs of complements, the best of shapiq's samplers in these pipelines."""
    budget -= _REPEATS * (_MOST_PARTS + 1)
    peer = import_module("shapiq").KernelSHAP(
        n=masked.num_documents, pairing_trick=True, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = peer.approximate(budget, masked)
    weights = np.array([found[(place,)] for place in range(masked.num_documents)])
    return _named("Shapley", masked, weights)


def _named(method: str, masked: Masked, weights: Floats) -> Named:
    """The two readings of the weights, of which one above zero speaks for the outcome."""
    order: list[int] = np.argsort(-weights, kind="stable").tolist()
    falling = np.maximum(weights[order[: _MOST_PARTS + 1]], 0.0)
    steady = not masked.flips((), repeats=_REPEATS)
    flipping = [
        size
        for size in range(1, _MOST_PARTS + 1)
        if falling[size - 1] > _ROUNDING and masked.flips(order[:size], repeats=_REPEATS) and steady
    ]
    gap = 1 + int(np.argmax(falling[:-1] - falling[1:]))
    sizes = {
        "that flips": min(flipping, default=0),
        "by the gap": min((size for size in flipping if size >= gap), default=0),
    }
    return {f"{method}, {how}": frozenset(order[:size]) for how, size in sizes.items()}


PEERS: dict[str, Callable[[Masked, int, int], Named]] = {
    "leave-one-out": _leave_one_out,
    "LASSO": _lasso,
    "Shapley": _shapley,
}
"""Each takes a pipeline, a number of calls and a seed, and names documents by reading."""

READINGS = (
    "leave-one-out",
    "LASSO, that flips",
    "LASSO, by the gap",
    "Shapley, that flips",
    "Shapley, by the gap",
)
"""What is named by the peers, in the order in which it is shown."""
