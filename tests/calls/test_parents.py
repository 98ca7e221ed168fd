"""What a call belongs to."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.calls.parents import calls, current_parents
from spex_api.errors import UsageError


def test_parents_are_nested():
    """The outermost stands first, and none is left behind."""
    with calls("ticket 4711"), calls(" retrieval "):
        assert current_parents() == ("ticket 4711", "retrieval")
    assert current_parents() == ()


def test_a_parent_goes_along_into_tasks_and_their_threads():
    """What is begun inside belongs to it; what runs beside does not."""

    async def belongs(parent):
        with calls(parent):
            return await asyncio.to_thread(current_parents)

    async def beside_each_other():
        return await asyncio.gather(belongs("a"), belongs("b"))

    assert asyncio.run(beside_each_other()) == [("a",), ("b",)]


@pytest.mark.parametrize("name", ["", " \n"])
def test_a_parent_has_a_name(name):
    """Calls under no name could not be found again."""
    with pytest.raises(UsageError, match="is a name"), calls(name):
        pass
