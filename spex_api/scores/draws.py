"""Several answers to one question: how they are asked for, and which of them were given.

An answer that was withheld is none of them: it is paid and counted, but holds nothing to be read.
What this module does not know: what is read in an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.completions import WITHHELD, CompletionRequest
from spex_api.errors import ScoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from spex_api.completions import Capabilities, Completion, Draw, Message

__all__ = ["SAMPLED", "draws_of", "given", "sampled"]

SAMPLED = 1.0
"""The temperature at which answers come as often as the model finds them likely."""


def sampled(
    messages: tuple[Message, ...],
    capabilities: Capabilities,
    *,
    samples: int,
    max_tokens: int,
    temperature: float = SAMPLED,
) -> tuple[CompletionRequest, ...]:
    """The questions for so many samples: as few as the endpoint lets them be.

    Each has a `sample_index` of its own, the number of its first sample: no two share an answer.

    Raises:
        ScoreError: another temperature than 1 is wanted of an endpoint that takes none.
    """
    if not capabilities.temperature and temperature != SAMPLED:
        raise ScoreError(
            f"This endpoint takes no temperature, so its answers are samples at 1, not at "
            f"{temperature:g}.",
            advice="Leave the temperature out.",
        )
    at_once = max(capabilities.samples_at_once, 1)
    return tuple(
        CompletionRequest(
            messages,
            max_tokens,
            temperature,
            sample_index=first,
            num_samples=min(at_once, samples - first),
        )
        for first in range(0, samples, at_once)
    )


def draws_of(completions: Iterable[Completion]) -> list[Draw]:
    """All answers, in their order."""
    return [draw for completion in completions for draw in completion.draws]


def given(completions: Iterable[Completion]) -> list[str]:
    """The texts of the answers that were not withheld."""
    return [draw.text for draw in draws_of(completions) if draw.outcome not in WITHHELD]
