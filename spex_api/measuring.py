"""The model's own values under masks of one's choice: what an explanation is checked against.

They are asked for as `explain` asks, so what it has asked is on disk already. What this module does
not know: why these masks, and what their values prove.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spex_api.errors import UsageError
from spex_api.events import EventHandler, ignore
from spex_api.querying.asking import open_function
from spex_api.querying.budget import Budget
from spex_api.querying.pace.limits import Limits
from spex_api.querying.stack import Terms
from spex_api.scores import as_score
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.pricing import Price
    from spex_api.scores import Score

__all__ = ["Measured", "measure", "measure_sync"]

_DEFAULT_BUDGET = Budget()
_NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What the model said under some masks.

    Attributes:
        values: shape (num_masks,), in the score's unit; NaN where there is none.
        variances: shape (num_masks,), of the values by their samples, or of bounds; 0 where a value
            is exact.
        meaning: what a value is, and in which unit.
        sent: how many requests were sent now; the other answers were on disk.
    """

    values: NDArray[np.float64]
    variances: NDArray[np.float64]
    meaning: str
    sent: int


async def measure(
    prompt: Prompt,
    model: str | Adapter,
    masks: ArrayLike,
    *,
    score: Score | str | Sequence[str] = "auto",
    budget: Budget = _DEFAULT_BUDGET,
    limits: Limits = _NO_LIMITS,
    concurrency: int | None = None,
    price: Price | None = None,
    mode: str = "live",
    store_prompts: bool = True,
    on_event: EventHandler = ignore,
) -> Measured:
    """Asks a model under these masks, and no other.

    Args:
        prompt: what is asked, and which parts of it may be masked.
        model: a name, or an adapter.
        masks: shape (num_masks, num_features), of 0 and 1; 1 = kept. Equal ones are asked once.
        score: as in `explain`.
        budget: the cap; where it ends first, the values that are missing are NaN.
        limits: as in `explain`.
        concurrency: as in `explain`.
        price: as in `explain`.
        mode: as in `explain`.
        store_prompts: as in `explain`.
        on_event: is told what happens.

    Raises:
        UsageError: the masks have another shape, or hold something else than 0 and 1.
        ScoreError: the answers do not hold what the score reads.
        CacheMiss: an answer is missing, and no connection may be opened.
        AdapterError: the endpoint failed; what was answered before is on disk.
    """
    asked = np.atleast_2d(np.asarray(masks))
    if asked.ndim != 2 or asked.shape[1] != prompt.num_features or not np.isin(asked, (0, 1)).all():
        raise UsageError(
            f"Masks of shape {np.shape(masks)} were given; a mask has {prompt.num_features} "
            "entries, one a feature, each 0 or 1."
        )
    terms = Terms(limits, concurrency, price, mode, store_prompts=store_prompts)
    async with open_function(
        prompt, model, score=as_score(score), budget=budget, terms=terms, on_event=on_event
    ) as function:
        found = await function.evaluate(asked.astype(np.uint8))
        return Measured(found.values, found.variances, function.score.meaning, function.meter.sent)


measure_sync = synchronous(measure, name="measure_sync")
