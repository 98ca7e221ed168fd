"""Who takes the steps of an audit: this process, or the workers of a scheduler.

What this module does not know: which steps are taken, and when.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from spex_api.audits.here import Here
from spex_api.audits.terrain import open_terrain
from spex_api.errors import MissingExtra, UsageError
from spex_api.querying.cache import Mode, is_offline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from spex_api.audited import Audited
    from spex_api.audits.board import Board
    from spex_api.audits.rounds import Steps
    from spex_api.audits.terrain import Brief
    from spex_api.querying.shared.store import PostgresStore

__all__ = ["open_steps"]


@asynccontextmanager
async def open_steps(
    brief: Brief,
    board: Board,
    *,
    scheduler: str | None = None,
    processes: int = 0,
    recorded: Mapping[str, Audited] | None = None,
) -> AsyncIterator[Steps]:
    """Whoever takes the steps, for as long as the context lasts.

    Args:
        brief: what all prompts are asked under.
        board: where it is told how far they are.
        scheduler: the address of Dask's, or None.
        processes: how many decode here; 0 decodes in threads.
        recorded: of a replay: how each case ended, by its name.

    Raises:
        UsageError: the workers cannot keep to the brief, or there are none.
        MissingExtra: Dask's distributed is not installed.
    """
    if scheduler is None:
        async with open_terrain(
            brief,
            processes=processes,
            recorded=recorded,
            meter=board.meter,
            on_event=board.on_event,
        ) as terrain:
            board.usd_cap = terrain.stack.ledger.budget.usd
            yield Here(terrain, board.listen)
        return
    from spex_api.querying.shared.store import PostgresStore, new_run  # noqa: PLC0415 - rare

    store = _shared(brief, processes)
    board.usd_cap = brief.budget.usd
    run = store.run or new_run()
    try:
        elsewhere = import_module("spex_api.audits.workers.elsewhere")
    except ModuleNotFoundError:
        raise MissingExtra(
            "An audit over workers needs Dask's distributed, which is not installed.",
            cost="Nothing was sent.",
            advice='Install it: pip install "spex-api[distributed]"',
        ) from None
    bare = replace(brief, terms=replace(brief.terms, store=None))
    # Without the password: it would pass through the scheduler, and workers have their own.
    open_store = partial(PostgresStore, store.url, run=run)
    async with elsewhere.open_elsewhere(
        bare, board, scheduler=scheduler, run=run, open_store=open_store
    ) as steps:
        yield steps
        board.meter.sent = max(board.meter.sent, store.spent(run).requests)


def _shared(brief: Brief, processes: int) -> PostgresStore:
    """The store that all workers share.

    Raises:
        UsageError: there is none, or something is asked for that workers cannot do.
    """
    if brief.terms.mode != Mode.LIVE or is_offline():
        raise UsageError(
            "Workers ask what is not in the store yet; what is asked anew, or not at all, is asked "
            "by one process.",
            cost="Nothing was sent.",
            advice="Audit without a scheduler.",
        )
    if processes:
        raise UsageError(
            f"{processes} processes are to decode, and there is a scheduler: its workers decode.",
            cost="Nothing was sent.",
            advice="Leave one of the two out.",
        )
    from spex_api.querying.shared.store import PostgresStore  # noqa: PLC0415 - rare

    store = brief.terms.store
    if not isinstance(store, PostgresStore):
        raise UsageError(
            "Workers need a store that all of them share: it keeps the cap and the limits of all "
            "together, which a folder on disk does not.",
            cost="Nothing was sent.",
            advice="Give one: --store postgresql://USER@HOST/DATABASE.",
        )
    return store
