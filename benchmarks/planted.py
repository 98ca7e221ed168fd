"""Planted sparse functions under coded masks, one a seed.

What this module does not know: how they are decoded.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import peers
from functions import Noisy

from spex_api.decoding import SPEX
from spex_api.samples import Samples
from spex_api.testing import planted_transform

if TYPE_CHECKING:
    from ledger import Ledger

    from spex_api.transforms import FourierTransform

__all__ = ["Planted"]

_DEGREE = 4


@dataclass(frozen=True, slots=True)
class Planted:
    """A planted function and the coded masks that it is asked under.

    Attributes:
        num_features: n.
        exponent: b.
        num_terms: how many coefficients it has, the constant not counted.
        seed: of the function, the masks and the noise.
        noise: its energy, as a share of the function's.
        masks: whose they are, "ours" or the "peer"'s.
    """

    num_features: int
    exponent: int
    num_terms: int
    seed: int
    noise: float
    masks: str

    @property
    def function(self) -> FourierTransform:
        """The clean function."""
        return planted_transform(self.num_features, self.num_terms, degree=_DEGREE, seed=self.seed)

    def noisy(self) -> Noisy:
        """The function with its noise, not asked yet."""
        return Noisy(self.function, noise=self.noise, seed=self.seed)

    def signal(self) -> tuple[Any, Samples]:
        """The peer's signal, and the same as samples."""
        return peers.coded_signal(self.noisy(), exponent=self.exponent, seed=self.seed)

    def samples(self, ledger: Ledger) -> Samples:
        """The samples that every decoder sees."""
        if self.masks == "peer":
            return ledger.samples(asdict(self), lambda: self.signal()[1])
        plan = SPEX(sparsity_exponent=self.exponent).plan(self.num_features, None, seed=self.seed)
        return Samples.from_plan(plan, self.noisy()(plan.masks))
