"""Decodes beside the asking, so that no request waits for mathematics.

In threads, which share one interpreter, or in processes of their own, which use every core. What
this module does not know: what is decoded.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Beside", "decoding_beside"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
_THREADS = 2
"""One computes while another waits for the interpreter; more would stand in each other's way."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Where work is done while others ask.

    Attributes:
        executor: does it.
    """

    executor: Executor

    async def run(
        self,
        work: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **settings: _Parameters.kwargs,
    ) -> _Result:
        """The result of some work, once it is done."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, partial(work, *args, **settings))


@contextmanager
def decoding_beside(processes: int, *, needs: object = None) -> Iterator[Beside]:
    """Threads or processes, for as long as the context lasts.

    Args:
        processes: how many; 0 takes threads.
        needs: what the work is given. Where it cannot be sent to another process, as a decoder that
            is defined in a notebook, threads are taken.
    """
    # BLAS on several threads sums in another order: a replay is to write the same bytes. Decoders
    # hold it to one, but the first to end would let it go while others still compute.
    with threadpool_limits(limits=1, user_api="blas"):
        executor: Executor
        if processes > 0 and _can_be_sent(needs):
            # Spawned, since a fork of a process with threads may hang.
            executor = ProcessPoolExecutor(
                processes, multiprocessing.get_context("spawn"), initializer=_begin
            )
        else:
            executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="spex-decoding")
        try:
            yield Beside(executor)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """A process of the pool: Ctrl-C is its parent's business, and BLAS has one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(limits=1, user_api="blas")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process once its parent is gone: one that was killed cannot tell its children."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _can_be_sent(needs: object) -> bool:
    try:
        pickle.dumps(needs)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True
