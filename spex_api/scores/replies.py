"""One likely answer or several sampled ones, and the mean of the numbers in them.

What this module does not know: what number an answer holds.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from spex_api.completions import CompletionRequest
from spex_api.scores.draws import SAMPLED, sampled
from spex_api.scores.score import Scored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Capabilities, Message

__all__ = ["ask_for_answers", "mean_of"]


def ask_for_answers(
    messages: tuple[Message, ...],
    capabilities: Capabilities,
    *,
    samples: int,
    max_tokens: int,
    apart: bool = False,
) -> tuple[CompletionRequest, ...]:
    """The questions for so many answers: the likeliest one for 1, and samples for more.

    Where an endpoint takes no temperature, a single answer is a sample as well.

    Args:
        messages: the conversation.
        capabilities: of the endpoint.
        samples: how many answers.
        max_tokens: how long each may be.
        apart: whether each is a question of its own, even where one question may draw several.
    """
    if samples == 1:
        temperature = 0.0 if capabilities.temperature else SAMPLED
        return (CompletionRequest(messages, max_tokens, temperature),)
    if apart:
        capabilities = replace(capabilities, samples_at_once=1)
    return sampled(messages, capabilities, samples=samples, max_tokens=max_tokens)


def mean_of(numbers: Sequence[float], *, step: float = 0.0) -> Scored:
    """The mean, with its variance; NaN of nothing.

    The variance is `s²/k`, with k − 1 in the denominator of s². Of numbers that come in steps it is
    `(Σ(x − x̄)² + step²/4)/k²`, since k equal ones do not show that all are: right where the numbers
    fall on either side of a half step, which is where they scatter least. One number alone shows no
    variance, so none is told.

    Args:
        numbers: k of them.
        step: the distance of two neighbouring values that they can have; 0 where they have any.
    """
    count = len(numbers)
    if not count:
        return Scored(math.nan)
    mean = math.fsum(numbers) / count
    if count == 1:
        return Scored(mean)
    squares = math.fsum((number - mean) ** 2 for number in numbers)
    variance = (squares + step**2 / 4) / count if step else squares / (count - 1)
    return Scored(mean, variance / count)
