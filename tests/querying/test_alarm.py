"""The one moment at which the limiter looks again."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.querying.pace.alarm import Alarm
from tests.querying.virtual_clock import VirtualClock


@pytest.mark.parametrize(
    ("moments", "rung"), [((5.0,), 5.0), ((5.0, 3.0), 3.0), ((3.0, 5.0), 3.0), ((-1.0,), 0.01)]
)
def test_it_rings_once_at_the_earliest_moment(moments, rung):
    """Set to a later moment too, it is left as it is; a moment of the past is rung at once."""
    clock, rings = VirtualClock(), []

    async def main():
        alarm = Alarm(clock, lambda: rings.append(clock.now()))
        for moment in moments:
            alarm.set(moment)
        await clock.advance(10.0)

    asyncio.run(main())
    assert rings == [rung]


def test_it_may_be_set_again_while_it_rings():
    """One task serves any number of moments, one after another, and then ends."""
    clock, rings = VirtualClock(), []

    async def main():
        def ring():
            rings.append(clock.now())
            if len(rings) < 3:
                alarm.set(clock.now() + 2.0)

        alarm = Alarm(clock, ring)
        alarm.set(1.0)
        tasks = asyncio.all_tasks()
        await clock.advance(3.0)
        assert asyncio.all_tasks() == tasks
        await clock.advance(10.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert rings == [1.0, 3.0, 5.0]


def test_dropped_it_does_not_ring_until_it_is_set_again():
    """In the same loop or in the next, and though the first was never left to end."""
    clock, rings = VirtualClock(), []
    alarm = Alarm(clock, lambda: rings.append(clock.now()))

    async def dropped():
        alarm.set(1.0)
        alarm.drop()
        await clock.advance(5.0)

    async def left_behind():
        alarm.set(6.0)

    async def rung():
        alarm.set(8.0)
        await clock.advance(5.0)
        alarm.drop()

    for main in (dropped, left_behind, rung):
        asyncio.run(main())
    assert rings == [8.0]
