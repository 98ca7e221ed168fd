"""What all prompts of an audit are asked under: a brief for any process, and its terrain in one.

What this module does not know: any prompt, and which process it is.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spex_api.audits.beside import decoding_beside
from spex_api.events import EventHandler, ignore
from spex_api.querying.policy import Meter
from spex_api.querying.stack import Stack, Terms, open_stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from spex_api.audited import Audited
    from spex_api.audits.beside import Beside
    from spex_api.decoding.decoder import Decoder
    from spex_api.prompts import Prompt
    from spex_api.querying.adapter import Adapter
    from spex_api.querying.budget import Budget
    from spex_api.scores import Score

__all__ = ["Brief", "Terrain", "open_terrain"]


@dataclass(frozen=True, slots=True)
class Brief:
    """What all prompts of an audit are asked under, in words; nothing is open yet.

    Attributes:
        model: who is asked.
        budget: the cap of all together.
        terms: on what terms.
        score: the number in an answer.
        make: the prompt of a row.
        decoder: as `explain` takes it.
        index: the interaction index.
        order: the size of the largest interactions.
        seed: of everything that is drawn.
        keep: the probability with which masks keep each part.
        most: how many masks a prompt may be asked at the most; None says it by its features.
        target: the R² at which a prompt is asked no more, or None.
    """

    model: str | Adapter
    budget: Budget
    terms: Terms
    score: Score
    make: Callable[[Mapping[str, str]], Prompt]
    decoder: str | Decoder
    index: str
    order: int
    seed: int
    keep: float
    most: int | None
    target: float | None


@dataclass(frozen=True, slots=True)
class Terrain:
    """The same in one process, where it can be walked.

    Attributes:
        brief: what is asked, and how.
        stack: the model behind its policies: one cap, one limiter, one cache.
        beside: where answers are decoded.
        second: opens a second model by its name.
        opened: closes at the end what prompts open.
        recorded: of a replay: how each case ended, by its name.
    """

    brief: Brief
    stack: Stack
    beside: Beside
    second: Callable[[str], Awaitable[Stack]]
    opened: AsyncExitStack
    recorded: Mapping[str, Audited] = field(default_factory=dict)


@asynccontextmanager
async def open_terrain(
    brief: Brief,
    *,
    processes: int = 0,
    recorded: Mapping[str, Audited] | None = None,
    meter: Meter | None = None,
    on_event: EventHandler = ignore,
) -> AsyncIterator[Terrain]:
    """The terrain in this process, for as long as the context lasts.

    Args:
        brief: what is asked, and how.
        processes: how many decode; 0 decodes in threads.
        recorded: of a replay: how each case ended, by its name.
        meter: counts what is sent.
        on_event: is told of waits and downloads.

    Raises:
        UsageError: no adapter has that name, or a cap in dollars meets a model of unknown price.
        CacheCorrupt: the folder of answers is not ours.
    """
    async with AsyncExitStack() as opened:
        beside = opened.enter_context(decoding_beside(processes, needs=brief.decoder))
        stack = await opened.enter_async_context(
            open_stack(
                brief.model,
                budget=brief.budget,
                meter=meter or Meter(),
                terms=brief.terms,
                on_event=on_event,
            )
        )
        seconds = _Seconds(stack, opened, on_event)
        yield Terrain(brief, stack, beside, seconds.open, opened, recorded or {})


@dataclass(slots=True)
class _Seconds:
    """Second models, each opened once for all prompts."""

    stack: Stack
    opened: AsyncExitStack
    on_event: EventHandler
    stacks: dict[str, asyncio.Task[Stack]] = field(default_factory=dict)

    async def open(self, name: str) -> Stack:
        """The model of this name."""
        if name not in self.stacks:
            beside = self.stack.beside(name, on_event=self.on_event)
            entering = self.opened.enter_async_context(beside)
            self.stacks[name] = asyncio.ensure_future(entering)
        return await asyncio.shield(self.stacks[name])
