"""Waits that may be broken off: those of one run, and none other."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.querying.idle import idle, watch_idle


async def waiting(release: asyncio.Event) -> str:
    """Waits idly, and then does something that is no wait."""
    with idle():
        await release.wait()
    await asyncio.sleep(0)
    return "went on"


def test_only_idle_tasks_of_the_run_are_broken_off():
    """Of three tasks, one waits idly in the run, one does not wait, one belongs to another run."""

    async def main():
        release = asyncio.Event()
        other = asyncio.create_task(waiting(release))
        with watch_idle() as idle_tasks:
            idling = asyncio.create_task(waiting(release))
            busy = asyncio.create_task(release.wait())
        await asyncio.sleep(0)
        idle_tasks.break_off()
        await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(idling, busy, other, return_exceptions=True)

    idling, busy, other = asyncio.run(main())
    assert isinstance(idling, asyncio.CancelledError)
    assert busy is True
    assert other == "went on"


def test_who_no_longer_waits_is_not_broken_off():
    """A wait that is over when the run ends leaves no trace on what follows it."""

    async def main():
        release = asyncio.Event()
        release.set()
        with watch_idle() as idle_tasks:
            task = asyncio.create_task(waiting(release))
        await asyncio.sleep(0)
        idle_tasks.break_off()
        return await task

    assert asyncio.run(main()) == "went on"


def test_who_comes_to_wait_after_the_end_does_not():
    """A wait that begins once the run is over is cancelled at once."""

    async def main():
        with watch_idle() as idle_tasks:
            idle_tasks.break_off()
            with pytest.raises(asyncio.CancelledError):
                await waiting(asyncio.Event())

    asyncio.run(main())


def test_without_a_run_a_wait_is_a_wait():
    """Where nobody watches, nothing is changed; one wait within another is one."""

    async def main():
        release = asyncio.Event()
        release.set()
        with watch_idle(), idle():
            return await waiting(release)

    assert asyncio.run(main()) == "went on"
    assert asyncio.run(waiting(_released())) == "went on"


def _released() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
