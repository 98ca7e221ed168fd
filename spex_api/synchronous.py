"""The one door from plain code into async code, safe where an event loop runs already."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["synchronous"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def synchronous(
    work: Callable[_Parameters, Coroutine[Any, Any, _Result]], *, name: str
) -> Callable[_Parameters, _Result]:
    """The same function for who has no event loop, and for a notebook, which has one.

    Where a loop runs already, the work runs in a thread with a loop of its own. Ctrl-C cancels the
    work either way, and is raised once the work has ended.

    Args:
        work: an async function.
        name: what the new function is called.
    """

    @wraps(work)
    def door(*args: _Parameters.args, **settings: _Parameters.kwargs) -> _Result:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(work(*args, **settings))
        return _in_a_thread(lambda: work(*args, **settings))

    door.__name__ = door.__qualname__ = name
    door.__doc__ = f"`{work.__name__}` without an event loop, or beside one.\n\n{work.__doc__}"
    return door


def _in_a_thread(work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
    results: list[_Result] = []
    errors: list[BaseException] = []
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []
    ended = threading.Event()

    async def main() -> None:
        task = asyncio.current_task()
        if task is not None:
            running.append((asyncio.get_running_loop(), task))
        results.append(await work())

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised again where it was called
            errors.append(error)
        finally:
            ended.set()

    threading.Thread(target=copy_context().run, args=(run,), name="spex").start()
    try:
        ended.wait()  # not Thread.join: interrupted once, that returns before the thread's end
    except KeyboardInterrupt:
        for loop, task in running:
            loop.call_soon_threadsafe(task.cancel)
        ended.wait()
        raise
    if errors:
        raise errors[0]
    return results[0]
