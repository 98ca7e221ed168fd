"""What an explained pipeline took, and what else is to be known of its runs.

What this module does not know: what was found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spex_api.provenance import Cost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from spex_api.completions import Usage
    from spex_api.pipelines.adapter import PipelineAdapter
    from spex_api.pipelines.model_calls import ModelCalls
    from spex_api.querying.budget import Budget
    from spex_api.querying.pricing import Price

__all__ = ["cost_of", "warnings_of"]


def cost_of(runs: int, calls: ModelCalls, second: Usage, second_price: Price | None) -> Cost:
    """What the runs took, and the answers of a second model.

    Args:
        runs: how many there were.
        calls: the model calls in them.
        second: what a second model took.
        second_price: what that costs, where it is known.
    """
    total = calls.totals.usage + second
    usd = calls.totals.usd if total.requests else None
    if second.requests:
        usd = None if usd is None or second_price is None else usd + second_price.cost(second)
    return Cost(
        requests=runs,
        input_tokens=total.input_tokens,
        output_tokens=total.output_tokens,
        usd=usd,
        sent=runs,
        cached=calls.meter.cached,
    )


def warnings_of(
    values: NDArray[np.float64], adapter: PipelineAdapter, calls: ModelCalls, budget: Budget
) -> tuple[str, ...]:
    """What else to know of the answers, a sentence each.

    Args:
        values: shape (num_masks,), of the survey.
        adapter: the pipeline.
        calls: the model calls in it.
        budget: the caps.
    """
    return tuple(_warnings(values, adapter, calls, budget))


def _warnings(
    values: NDArray[np.float64], adapter: PipelineAdapter, calls: ModelCalls, budget: Budget
) -> Iterator[str]:
    totals = calls.totals
    known = values[np.isfinite(values)]
    if len(known) > 1 and np.ptp(known) == 0:
        yield (
            f"All {len(known)} answers of the survey have the same value, {known[0]:.3g}: no part "
            "seems to matter to it, if the pipeline looks at what it is given at all."
        )
    if adapter.failed:
        yield (
            f"{adapter.failed} runs ended in an exception and have no value; the first: "
            f"{adapter.first_failure}."
        )
    capped = budget.usd is not None or budget.tokens is not None
    if capped and not totals.seen:
        yield (
            "No call of a model was seen in the pipeline, so its calls were neither kept on disk "
            "nor counted towards the cap on tokens or dollars: use a client of "
            "spex_adapters.record in it."
        )
    if totals.untold:
        yield (
            f"{totals.untold} of {totals.usage.requests} calls of models do not say what they "
            "took, as streams do not unless they are asked to: a cap counts each as the most that "
            "it may take, and the sums count none."
        )
    if totals.passed:
        yield (
            f"{totals.passed} calls of recorded clients asked something else than an answer or an "
            "embedding: they went past the disk and the caps."
        )
