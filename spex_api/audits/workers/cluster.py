"""A Dask cluster as seen by who sends the errands: reached, looked over, and given work by name.

Whatever goes wrong with it is said in our words. What this module does not know: what an errand is
about.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from concurrent.futures import CancelledError as Broken
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from distributed import Client, KilledWorker
from distributed.comm.core import CommClosedError

from spex_api.audits.workers import serving
from spex_api.errors import SpexError, UsageError, WorkersFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Cluster", "open_cluster"]

_ADDRESS: Final = re.compile(r"(tcp|tls|ws|wss)://[^\s/@]+(:\d+)?/?")
_REACHED: Final = 5.0
"""Seconds for which a scheduler is sought."""
_WORKERS: Final = 10.0
"""Seconds for which a first worker is waited for."""
_ALONE: Final = 60.0
"""Seconds without any worker after which nobody is waited for; a nanny restarts one in a few."""
_LOOKED_AFTER: Final = 5.0
_LOST: Final = 5
"""So many workers that one errand may outlive: then it is the errand that kills them."""
_SAFE: Final = "What was answered is in the store."
_AGAIN: Final = "the same command goes on from there, and pays for nothing twice."


@dataclass(slots=True, eq=False)
class Cluster:
    """The workers, and who has how many errands.

    Attributes:
        address: of the scheduler.
        client: of Dask, whose types say nothing of asynchronous use.
        run: names the run.
        errands: under way, by worker.
        homes: the worker that has opened a prompt, by the prompt's name.
    """

    address: str
    client: Any
    run: str
    errands: Counter[str] = field(default_factory=Counter)
    homes: dict[str, str] = field(default_factory=dict)
    _sent: int = 0

    async def send(self, data: bytes, *, about: str) -> bytes:
        """What comes back of an errand; where its worker dies, another one takes it.

        Args:
            data: the errand, packed.
            about: the prompt: who has it opened takes all of its errands.

        Raises:
            SpexError: what the errand came to, or the cluster is gone.
        """
        for _ in range(_LOST):
            home = await self._home(about)
            self.errands[home] += 1
            try:
                return await self._send_to(home, data)
            except KilledWorker:
                continue
            finally:
                self.errands[home] -= 1
        raise WorkersFailed(
            f"{_LOST} workers died over one prompt ({about}).",
            safe=_SAFE,
            advice="See whether they have memory enough, and run again: " + _AGAIN,
        )

    async def _send_to(self, home: str, data: bytes) -> bytes:
        self._sent += 1
        future = self.client.submit(
            serving.take,
            data,
            key=f"spex-{self.run}-{self._sent}",
            pure=False,
            workers=[home],
            allow_other_workers=True,
        )
        answer = asyncio.ensure_future(future.result())
        try:
            while not (await asyncio.wait({answer}, timeout=_LOOKED_AFTER))[0]:
                await self._workers()
            returned: bytes = answer.result()
        except (SpexError, KilledWorker):
            raise
        except (Broken, CommClosedError, OSError, TimeoutError) as error:
            raise self._gone() from error
        except asyncio.CancelledError:
            # Dask says so too of a future whose scheduler is lost: then nobody cancelled us.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise self._gone() from None
        else:
            return returned
        finally:
            answer.cancel()
            with suppress(Exception):
                future.release()

    async def _home(self, about: str) -> str:
        """The worker that has a prompt opened, or else the one with the fewest errands."""
        workers = await self._workers()
        home = self.homes.get(about)
        if home not in workers:
            opened = Counter(self.homes.values())
            home = min(workers, key=lambda each: (self.errands[each], opened[each], each))
            self.homes[about] = home
        return home

    async def _workers(self) -> list[str]:
        """The addresses of those that live.

        Raises:
            WorkersFailed: there have been none for a while, or the scheduler is gone.
        """
        for _ in range(int(_ALONE)):
            try:
                workers = sorted(await self.client.nthreads())
            except (CommClosedError, OSError, TimeoutError, ValueError) as error:
                raise self._gone() from error
            if workers:
                return workers
            await asyncio.sleep(1.0)
        raise WorkersFailed(
            f"The scheduler at {self.address} has no worker left.",
            safe=_SAFE,
            advice="Start some and run again: " + _AGAIN,
        )

    async def look_over(self, kit: bytes) -> None:
        """Lets pass workers of our own version that see the store.

        Raises:
            UsageError: there are none, or others.
            SpexError: one cannot open the store.
        """
        try:
            await self.client.wait_for_workers(1, timeout=_WORKERS)
        except TimeoutError:
            raise UsageError(
                f"The scheduler at {self.address} has no workers.",
                cost="Nothing was sent.",
                advice=f"Start some: dask worker {self.address}.",
            ) from None
        found: dict[str, Any] = await self.client.run(serving.present, kit, on_error="return")
        ours = version("spex-api")
        for worker, said in sorted(found.items()):
            if isinstance(said, SpexError):
                said.cause = f"The worker {worker} is not ready. {said.cause}"
                raise said
            if said != ours:
                what = (
                    f"spex-api {said}" if isinstance(said, str) else "no spex-api that it can load"
                )
                raise UsageError(
                    f"The worker {worker} has {what}, and this is {ours}.",
                    cost="Nothing was sent.",
                    advice="Install the same version on every worker, with the same extras.",
                )

    async def end(self) -> None:
        """Breaks off what is left, and lets every worker close its part of the run."""
        with suppress(CommClosedError, OSError, TimeoutError, ValueError):
            await self.client.run(serving.end, self.run, on_error="ignore")

    def _gone(self) -> WorkersFailed:
        return WorkersFailed(
            f"The scheduler at {self.address} is gone.",
            cost="What its workers had sent is paid.",
            safe=_SAFE,
            advice="Once it is back, " + _AGAIN,
        )


@asynccontextmanager
async def open_cluster(address: str, *, run: str, kit: bytes) -> AsyncIterator[Cluster]:
    """The workers of a scheduler, for as long as the context lasts.

    Args:
        address: of the scheduler.
        run: names the run.
        kit: what each of them must be able to read, packed.

    Raises:
        UsageError: that is no address, nobody is there, or a worker has another version.
        SpexError: a worker cannot open the store.
    """
    if not _ADDRESS.fullmatch(address):
        raise UsageError(
            "That is no address of a scheduler.",  # and it may hold a password: it is not repeated
            cost="Nothing was sent.",
            advice="Write it as its own log does, as in tcp://HOST:8786.",
        )
    try:
        make: Any = Client
        client = await make(
            address, asynchronous=True, timeout=_REACHED, set_as_default=False, name="spex-audit"
        )
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"There is no scheduler at {address}: {_reason(error)}",
            cost="Nothing was sent.",
            advice="Start one (dask scheduler) and workers (dask worker ADDRESS), or audit without "
            "--scheduler.",
        ) from None
    try:
        cluster = Cluster(address, client, run)
        await cluster.look_over(kit)
        try:
            yield cluster
        finally:
            # A Ctrl-C that comes again must not leave requests under way behind.
            await asyncio.shield(asyncio.ensure_future(cluster.end()))
    finally:
        with suppress(CommClosedError, OSError, TimeoutError):
            await client.close()


def _reason(error: Exception) -> str:
    return f"nobody answered within {_REACHED:g} s." if isinstance(error, OSError) else f"{error}."
