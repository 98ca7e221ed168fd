"""Explanations of known functions, for tests of what terminals and plots draw of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import spex_api as spex
from spex_api.indices import Interval
from spex_api.transforms import FourierTransform, MobiusTransform, mobius_to_fourier

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["drawn", "sentences", "words"]


@cache
def _plain() -> spex.Explanation:
    return spex.explain_function(
        lambda masks: masks[:, 0] * 1.0, num_features=3, budget=spex.Budget(40), decoder="lasso"
    )


def drawn(
    values: Mapping[tuple[int, ...], float],
    prompt: spex.Prompt | None = None,
    *,
    num_features: int = 0,
    index: str = "FBII",
    order: int = 2,
    reach: float | None = 0.25,
) -> spex.Explanation:
    """An explanation whose surrogate is a polynomial in the kept features.

    Args:
        values: its Möbius coefficients.
        prompt: what is explained; without it a function of `num_features` features.
        num_features: where there is no prompt.
        index: of the interactions.
        order: of the largest.
        reach: half the width of every interval; None for no intervals.
    """
    count = prompt.num_features if prompt else num_features
    transform: FourierTransform = mobius_to_fourier(MobiusTransform(values, count))
    found = spex.interactions(transform, index, order, names=prompt.features if prompt else ())
    if reach is not None:
        intervals = {each: Interval(value - reach, value + reach) for each, value in found.items()}
        found = replace(found, intervals=intervals)
    return replace(_plain(), prompt=prompt, transform=transform, interactions=found)


def words(text: str, **texts: str) -> spex.Prompt:
    """A prompt that asks about the words of a text."""
    return spex.Prompt.from_template("Good or bad? {text}", text=text, **texts)


def sentences(*texts: str) -> spex.Prompt:
    """A prompt of documents."""
    return spex.Prompt.from_rag("What is said?", texts)
