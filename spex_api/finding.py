"""What the answers show at a look, how well, and whether that is enough.

What this module does not know: who answered, and what was paid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spex_api.checkpoints import additive_fit, checkpoints, measured, observed, on_its_scale, said
from spex_api.decoding.auto import takes_uniform_masks
from spex_api.indices import Interactions, interactions
from spex_api.stopping import Spent, ending, looked_at, reached

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spex_api.decoding.decoder import Decoder, Recovery
    from spex_api.design import Design, Look
    from spex_api.fidelity import Checkpoint, Faithfulness
    from spex_api.querying.value_function import Evaluation
    from spex_api.samples import Samples

__all__ = ["Finding", "find"]

_FEWEST_NEAR = 2
"""One value does not vary, so there is nothing to explain in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What the samples show at a look, and how well.

    Attributes:
        look: after how many masks, by which decoder.
        recovery: what the decoder made of the fitted samples.
        faithfulness: on masks that are drawn as the others and that no fit has seen.
        near: on unseen masks near the full prompt, where some were asked.
        num_samples: how many the fit has seen.
        target: the R² that is aimed at, where there is one.
        seen: what the decoder was given.
        unseen: on what the fit is measured.
    """

    look: Look
    recovery: Recovery
    faithfulness: Faithfulness
    near: Faithfulness | None
    num_samples: int
    target: float | None
    seen: Samples = field(repr=False)
    unseen: Samples = field(repr=False)

    @property
    def decoder(self) -> Decoder:
        """Who decoded, once the answers had decided where there was a choice."""
        choice = self.recovery.choice
        return choice.decoder if choice else self.look.decoder

    @property
    def reason(self) -> str:
        """Why this decoder."""
        choice = self.recovery.choice
        return f"{self.look.reason} {choice.reason}".strip() if choice else self.look.reason

    @property
    def enough(self) -> bool:
        """Whether there is a target, and it is reached."""
        return self.target is not None and reached(self.faithfulness, self.target)

    def interactions(self, index: str, order: int, names: tuple[str, ...]) -> Interactions:
        """The transform's interactions, with intervals where the decoder has a covariance."""
        return interactions(
            self.recovery.transform,
            index,
            order,
            covariance=self.recovery.covariance,
            unlisted=self.recovery.unlisted,
            names=names,
        )

    def curve(self, *, seed: int) -> tuple[Checkpoint, ...]:
        """How faithful the same decoder is from fewer of the samples; decodes them again.

        Where no mask was held out, or the masks are a code, which is whole or nothing, there is no
        such curve, and this is empty.
        """
        if self.faithfulness.exhaustive or not takes_uniform_masks(self.decoder):
            return ()
        return checkpoints(self.decoder, self.seen, self.unseen, whole=self.faithfulness, seed=seed)

    def ending(self, design: Design, answers: Evaluation, budget: int) -> str:
        """How the inquiry ended, in a sentence, where it had a target."""
        if self.target is None:
            return ""
        asked = answers.usage.requests + answers.second.requests + answers.refused
        spent = Spent(asked, budget, self.look.num_masks, design.one_look)
        return ending(self.faithfulness, self.target, spent)


def find(design: Design, look: Look, *, answers: Evaluation, ordered: bool) -> Finding:
    """Decodes what may be fitted, and measures it on what may not.

    Args:
        design: what was to be asked.
        look: how much of it was asked, and who decodes it.
        answers: to the masks of this look.
        ordered: whether neighbouring features are neighbours in the text.

    Raises:
        BudgetExhausted: fewer than two answers to fit, or to measure the fit.
        UsageError: the samples are too few for the decoder.
    """
    survey = design.survey.first(look.num_masks)
    seen = answers.samples(survey.plan, survey.fitted, ordered=ordered)
    unseen = seen
    if not survey.exhaustive:
        unseen = answers.samples(survey.plan, survey.held_out, ordered=ordered)
    recovery = look.decoder.decode(seen)
    additive = additive_fit(seen)
    measure = partial(
        measured,
        surrogate=recovery.transform,
        additive=additive,
        seed=design.seed,
        exhaustive=survey.exhaustive,
    )
    several = design.target is not None or len(design.looks) > 1
    if survey.exhaustive or not several:
        faithfulness = measure(unseen)
    else:
        faithfulness = looked_at(
            observed(unseen),
            said(recovery.transform, unseen),
            additive=said(additive, unseen),
            others=_drawn_alike(seen, look),
            num_looks=len(design.looks),
        )
        faithfulness = on_its_scale(faithfulness, unseen)
    near = None
    if (survey.near & np.isfinite(answers.values)).sum() >= _FEWEST_NEAR:
        nearby = answers.samples(survey.plan, survey.near, ordered=ordered)
        near = measure(nearby)
    return Finding(look, recovery, faithfulness, near, len(seen), design.target, seen, unseen)


def _drawn_alike(seen: Samples, look: Look) -> NDArray[np.float64]:
    """The fitted values whose masks were drawn as the held-out ones: no anchor, and no code."""
    if not takes_uniform_masks(look.decoder):
        return np.empty(0)
    kept = seen.masks.sum(axis=1, dtype=np.int64)
    drawn: NDArray[np.float64] = observed(seen)[(kept > 0) & (kept < seen.num_features)]
    return drawn
