"""What all prompts of an audit are asked under.

What this module does not know: any prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AsyncExitStack

    from spex_api.audited import Audited
    from spex_api.audits.beside import Beside
    from spex_api.decoding.decoder import Decoder
    from spex_api.prompts import Prompt
    from spex_api.querying.budget import Budget
    from spex_api.querying.stack import Stack, Terms
    from spex_api.scores import Score

__all__ = ["Terrain"]


@dataclass(frozen=True, slots=True)
class Terrain:
    """What all prompts of an audit are asked under.

    Attributes:
        stack: the model behind its policies: one cap, one limiter, one cache.
        terms: on what terms it is asked.
        budget: the cap of all together.
        score: the number in an answer.
        make: the prompt of a row.
        decoder: as `explain` takes it.
        index: the interaction index.
        order: the size of the largest interactions.
        seed: of everything that is drawn.
        keep: the probability with which masks keep each part.
        most: how many masks a prompt may be asked at the most; None says it by its features.
        target: the R² at which a prompt is asked no more, or None.
        beside: where answers are decoded.
        second: opens a second model by its name.
        opened: closes at the end what prompts open.
        recorded: of a replay: how each case ended, by its name.
    """

    stack: Stack
    terms: Terms
    budget: Budget
    score: Score
    make: Callable[[Mapping[str, str]], Prompt]
    decoder: str | Decoder
    index: str
    order: int
    seed: int
    keep: float
    most: int | None
    target: float | None
    beside: Beside
    second: Callable[[str], Awaitable[Stack]]
    opened: AsyncExitStack
    recorded: Mapping[str, Audited] = field(default_factory=dict)
