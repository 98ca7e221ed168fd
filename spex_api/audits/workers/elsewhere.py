"""All steps of an audit sent to workers: who asks is elsewhere, who decides is here.

What a worker brings back depends on the prompt and the answers alone, so the audit is the same to
the byte with any number of workers, and whichever of them died. What this module does not know:
which steps are taken, and when.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from spex_api.audits.rounds import AT_ONCE
from spex_api.audits.workers.cluster import open_cluster
from spex_api.audits.workers.errands import Errand, Kit, packed, packed_kit, unpacked
from spex_api.audits.workers.telling import Hearing, topic_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from spex_api.audited import Audited
    from spex_api.audits.board import Board
    from spex_api.audits.inquired import Inquired
    from spex_api.audits.terrain import Brief
    from spex_api.audits.workers.cluster import Cluster
    from spex_api.audits.workers.errands import Returned
    from spex_api.querying.cache import AnswerStore

__all__ = ["Elsewhere", "open_elsewhere"]

_A_WORKER: Final = 4
"""Prompts that are asked side by side, for each worker: so it decodes some while it asks others."""


@dataclass(frozen=True, slots=True, eq=False)
class Elsewhere:
    """Has the steps of any prompt taken by a worker.

    Attributes:
        cluster: the workers.
        kit: what they need, packed.
        hearing: hears what they tell.
        at_once: how many prompts may be asked side by side.
    """

    cluster: Cluster
    kit: bytes
    hearing: Hearing
    at_once: int

    async def open(self, each: Inquired) -> None:
        """Makes the prompt, and asks what its score must know first.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        await self._step("open", each)

    async def probe(self, each: Inquired) -> None:
        """Finds out by this prompt what the endpoint gives.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        await self._step("probe", each)

    async def look(self, each: Inquired) -> None:
        """Asks up to the next look, and decodes.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        await self._step("look", each)

    async def audited(self, every: Sequence[Inquired]) -> list[Audited]:
        """What came of them, in their order."""
        queue = iter(range(len(every)))
        done: dict[int, Audited] = {}

        async def work() -> None:
            for at in queue:
                returned = await self._step("audited", every[at])
                if returned.audited is not None:
                    done[at] = returned.audited

        await asyncio.gather(*(work() for _ in every[: self.at_once]))
        return [done[at] for at in range(len(every))]

    async def _step(self, step: str, each: Inquired) -> Returned:
        errand = Errand(self.cluster.run, version("spex-api"), self.kit, step, each)
        data = await self.cluster.send(packed(errand), about=each.case.case_id)
        returned: Returned = unpacked(data)
        self.hearing.count(returned.counts)
        each.follow(returned.each)
        return returned


@asynccontextmanager
async def open_elsewhere(
    brief: Brief, board: Board, *, scheduler: str, run: str, open_store: Callable[[], AnswerStore]
) -> AsyncIterator[Elsewhere]:
    """Workers that know the brief, for as long as the context lasts.

    Args:
        brief: what all prompts are asked under; its terms name no store.
        board: where it is told how far the prompts are.
        scheduler: its address.
        run: names the run, whose caps all share.
        open_store: opens the answers that all share; it must be fit to be sent.

    Raises:
        UsageError: the brief cannot be sent, nobody is at that address, or a worker is not fit.
    """
    kit = packed_kit(Kit(brief, open_store))
    hearing = Hearing(board)
    async with open_cluster(scheduler, run=run, kit=kit) as cluster:
        workers = len(await cluster.client.nthreads())
        cluster.client.subscribe_topic(topic_of(run), hearing.hear)
        yield Elsewhere(cluster, kit, hearing, max(AT_ONCE, _A_WORKER * workers))
