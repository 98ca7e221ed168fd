"""Waits that may be broken off, since nothing that is paid is under way in them.

A run that ends lets its requests come home: they are paid. A request that only waits, for its turn
or to be sent again, is not; without this it would be sent after the end, or keep everybody waiting
for minutes. What this module does not know: what is waited for, and why a run ends.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IdleTasks", "idle", "watch_idle"]


class IdleTasks:
    """The tasks of one run that wait with nothing under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._over = False

    def break_off(self) -> None:
        """Cancels those that wait now, and whoever comes to wait later."""
        self._over = True
        for task in tuple(self._tasks):
            task.cancel()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Lists the running task for as long as the context lasts.

        Raises:
            CancelledError: the run is over.
        """
        if self._over:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        if task is None or task in self._tasks:
            yield
            return
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)


_watched: ContextVar[IdleTasks | None] = ContextVar("spex_api_idle_tasks", default=None)


@contextmanager
def watch_idle() -> Iterator[IdleTasks]:
    """Watches the tasks that are started in this context.

    Returns:
        Those of them that are idle, at any time.
    """
    idle_tasks = IdleTasks()
    token = _watched.set(idle_tasks)
    try:
        yield idle_tasks
    finally:
        _watched.reset(token)


@contextmanager
def idle() -> Iterator[None]:
    """Whatever is awaited in this context may be broken off when the run ends.

    Raises:
        CancelledError: the run has ended.
    """
    watched = _watched.get()
    if watched is None:
        yield
        return
    with watched.hold():
        yield
