"""A worker's side: takes one step of one prompt, and keeps what the next will need.

All runs of a process share one event loop on a thread of its own, so that neither Dask's loop nor a
thread of its pool is ever busy with the asking: a step leaves the pool at once, and the worker
takes as many as it is sent. A run is opened by its first errand and closed by its sender, or when
nobody has sent anything for some minutes: a sender that was killed cannot say goodbye. What this
module does not know: which steps, when, and what other workers do.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from distributed import get_worker, secede

from spex_api.audits.here import Here
from spex_api.audits.terrain import open_terrain
from spex_api.audits.workers.errands import Kit, Returned, packed, unpacked
from spex_api.audits.workers.telling import Telling
from spex_api.errors import SpexError, UsageError, WorkersFailed

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from distributed import Worker

    from spex_api.audits.workers.errands import Errand

__all__ = ["end", "present", "take"]

_PATIENCE: Final = 300.0
"""Seconds without an errand after which a run is closed; a later errand opens it again."""
_LONGEST: Final = 300
"""Characters of what a stranger's error says."""


def take(data: bytes) -> bytes:
    """Takes an errand, on a thread of Dask's pool, which it leaves at once.

    Raises:
        SpexError: any other prompt would meet it too.
    """
    worker = get_worker()
    secede()  # type: ignore[no-untyped-call]  # Dask's
    errand: Errand = unpacked(data)
    if errand.version != version("spex-api"):
        raise UsageError(
            f"A worker has spex-api {version('spex-api')}, and the audit is run by "
            f"{errand.version}.",
            advice="Install one version everywhere: what is on disk is used again.",
        )
    returned = _serving().wait(_serving().step(errand, worker))
    return packed(returned)


async def present(data: bytes) -> str:
    """Opens the store that all share, once, from this worker.

    Args:
        data: the kit, packed.

    Returns:
        The version of spex-api here.

    Raises:
        SpexError: the store cannot be opened, or the kit not be read.
    """
    try:
        store = await asyncio.to_thread(Kit(*unpacked(data)).open_store)
        await asyncio.to_thread(store.close)
    except SpexError:
        raise
    except Exception as error:
        raise _in_our_words(error) from error
    return version("spex-api")


async def end(run: str) -> None:
    """Breaks off what is left of a run, lets what is paid come home, and closes it."""
    await asyncio.wrap_future(_serving().begin(_serving().end(run)))


@dataclass(slots=True, eq=False)
class _Run:
    """One run in this process.

    Attributes:
        name: of the run.
        kit: what it works by, packed.
        telling: what it tells its sender.
        opened: who takes its steps, once the terrain is open.
        over: is set when it is to be closed.
        steps: those under way.
        stirred: whether an errand came since somebody looked.
    """

    name: str
    kit: bytes
    telling: Telling
    opened: asyncio.Future[Here]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    steps: set[asyncio.Task[Returned]] = field(default_factory=set)
    stirred: bool = True
    serving: asyncio.Task[None] | None = None

    @property
    def failed(self) -> bool:
        """Whether its terrain could not be opened, so that the next errand tries again."""
        return self.opened.done() and self.opened.exception() is not None

    async def serve(self) -> None:
        """Holds the terrain open until the run is over, or forgotten."""
        try:
            kit = Kit(*unpacked(self.kit))
            with closing(await asyncio.to_thread(kit.open_store)) as store:
                brief = replace(kit.brief, terms=replace(kit.brief.terms, store=store))
                async with open_terrain(brief, on_event=self.telling.hear) as terrain:
                    self.telling.meter = terrain.stack.adapter.meter
                    self.opened.set_result(Here(terrain, self.telling.listen))
                    async with self.telling.now_and_then():
                        await self._until_over()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the terrain
            if not self.opened.done():
                ours = error if isinstance(error, SpexError) else _in_our_words(error)
                self.opened.set_exception(ours)

    async def _until_over(self) -> None:
        while not self.over.is_set():
            self.stirred = False
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self.over.wait()
            if not self.steps and not self.stirred:
                self.over.set()

    async def step(self, errand: Errand) -> Returned:
        """Takes one step.

        Raises:
            SpexError: any other prompt would meet it too.
        """
        here = await asyncio.shield(self.opened)
        each, audited = errand.each, None
        self.telling.cases[each.case.case_id] = each.meter
        try:
            if errand.step == "audited":
                audited = (await here.audited([each]))[0]
            else:
                await {"open": here.open, "probe": here.probe, "look": here.look}[errand.step](each)
        except SpexError:
            raise
        except Exception as error:
            raise _in_our_words(error) from error
        return Returned(each, self.telling.counts, audited)


class _Serving:
    """The event loop of this process, and its runs."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.runs: dict[str, _Run] = {}
        self.ended: set[str] = set()
        threading.Thread(target=self.loop.run_forever, name="spex-worker", daemon=True).start()

    def begin(self, work: Coroutine[Any, Any, Any]) -> concurrent.futures.Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def wait(self, work: Coroutine[Any, Any, Returned]) -> Returned:
        try:
            returned: Returned = self.begin(work).result()
        except concurrent.futures.CancelledError:
            raise WorkersFailed("The run was ended.") from None
        return returned

    async def step(self, errand: Errand, worker: Worker) -> Returned:
        if errand.run in self.ended:
            raise WorkersFailed("The run was ended.")
        run = self.runs.get(errand.run)
        if run is None or run.over.is_set() or run.failed:
            telling = Telling(worker, errand.run, uuid.uuid4().hex)
            run = _Run(errand.run, errand.kit, telling, self.loop.create_future())
            run.serving = asyncio.create_task(run.serve())
            self.runs[errand.run] = run
        run.stirred = True
        step = asyncio.create_task(run.step(errand))
        run.steps.add(step)
        step.add_done_callback(run.steps.discard)
        return await step

    async def end(self, name: str) -> None:
        self.ended.add(name)
        run = self.runs.pop(name, None)
        if run is None:
            return
        for step in run.steps:
            step.cancel()
        if run.steps:
            await asyncio.wait(tuple(run.steps))
        run.over.set()
        if run.serving is not None:
            await asyncio.wait([run.serving])


_lock = threading.Lock()
_only: list[_Serving] = []


def _serving() -> _Serving:
    """The one of this process; Dask calls functions, so there is no other place to keep it."""
    with _lock:
        if not _only:
            _only.append(_Serving())
        return _only[0]


def _in_our_words(error: Exception) -> WorkersFailed:
    """A stranger's error as a sentence: its class may be known nowhere else."""
    said = "".join(each if each.isprintable() else " " for each in str(error)[:_LONGEST])
    return WorkersFailed(
        f"A worker met an error that is not ours: {type(error).__name__}: {said}",
        safe="What was answered is in the store.",
        advice="See the worker's log; the same command goes on from there.",
    )
