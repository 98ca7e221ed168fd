"""What every decoder is, and what every decoder returns.

A decoder is a frozen value: its settings. `plan` says which masks it wants, `decode` is a pure
function of the samples. What this module does not know: any algorithm.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    import numpy as np
    from _typeshed import DataclassInstance
    from numpy.typing import NDArray

    from spex_api.decoding.gp_process import Process
    from spex_api.decoding.peeling import Peeling
    from spex_api.indices import Unlisted
    from spex_api.samples import QueryPlan, Samples

__all__ = ["Choice", "Decoder", "Recovery", "Status", "concise"]


class Status(StrEnum):
    """How a decoding went; each member is the sentence that a person reads."""

    CONVERGED = "The fit converged."
    CONSTANT = "Every mask got the same value: nothing that was masked moves the answer."
    STEPS_RAN_OUT = (
        "The fit was still improving when its steps ran out; the result is usable, and a little "
        "less sharp than it could be."
    )
    NOTHING_BUT_NOISE = (
        "No part of the prompt explains the values better than their mean does: more queries, "
        "other features or another score may."
    )
    EXACT = "Every mask has a value: this is the exact transform, and nothing is estimated."
    RECOVERED = (
        "Nothing is left in any bin: the transform is recovered exactly, and can be trusted."
    )
    EXPLAINED = (
        "What is left in the bins looks like noise: the strong interactions are found and can be "
        "trusted; some that are weaker than the noise may be missing."
    )
    UNRESOLVED = (
        "Some bins hold more interactions than they can tell apart: what is reported stands on all "
        "samples, and some is missing; a larger sparsity exponent, which asks more, tells more."
    )
    MOSTLY_UNEXPLAINED = (
        "Less than half of what moves the answer was found: do not rely on single interactions; "
        "ask more queries, or take larger features."
    )
    HOLES = (
        "Some masks have no answer, and a Walsh–Hadamard transform takes no hole: this is a sparse "
        "regression on the answers that there are."
    )
    UNCODED = (
        "The samples are of no code (`Samples.from_plan` keeps a plan's): this is a sparse "
        "regression in place of the coded transform."
    )


class Choice(NamedTuple):
    """Which decoder was chosen after all answers were in, and what speaks for it."""

    decoder: Decoder
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Recovery:
    """What a decoder made of the samples.

    Attributes:
        transform: the recovered sparse Fourier transform.
        status: how it went, as a sentence.
        covariance: shape (num_terms, num_terms), of the coefficients in the transform's order, or
            None where the decoder has none.
        peeling: how coded bins were emptied, where there were any.
        unlisted: what the coefficients that are not in the transform add to an index's variance,
            where the decoder can tell.
        process: the whole posterior mean, where the decoder has one: values and indices without
            truncation.
        choice: which of several decoders it was, where there was a choice.
    """

    transform: FourierTransform
    status: Status = Status.CONVERGED
    covariance: NDArray[np.float64] | None = None
    peeling: Peeling | None = None
    unlisted: Unlisted | None = None
    process: Process | None = None
    choice: Choice | None = None

    @classmethod
    def constant(cls, value: float, num_features: int) -> Self:
        """What every decoder makes of values that do not vary."""
        return cls(FourierTransform({(): value}, num_features), Status.CONSTANT)

    def __post_init__(self) -> None:
        if self.covariance is not None:
            size = len(self.transform)
            if self.covariance.shape != (size, size):
                raise ValueError(f"covariance {self.covariance.shape} for {size} coefficients")
            self.covariance.flags.writeable = False


def concise(settings: DataclassInstance) -> str:
    """Settings as they would be written in Python: only what differs from the default."""
    changed = []
    for each in fields(settings):
        if each.init:
            value = getattr(settings, each.name)
            made = each.default if each.default_factory is MISSING else each.default_factory()
            if value != made:
                changed.append(f"{each.name}={value!r}")
    return f"{type(settings).__name__}({', '.join(changed)})"


class Decoder(Protocol):
    """Which masks to ask, and what their values mean."""

    def plan(self, num_features: int, num_queries: int | None, seed: int) -> QueryPlan:
        """The masks that this decoder wants, drawn under the seed.

        Args:
            num_features: how many features each mask has.
            num_queries: how many masks; None leaves it to the decoder.
            seed: the same seed gives the same plan.

        Raises:
            UsageError: there is no feature, or no query.
        """
        ...

    def decode(self, samples: Samples) -> Recovery:
        """The sparse Fourier transform behind the samples.

        Raises:
            UsageError: the samples are too few to fit anything.
        """
        ...
