"""Asking within a budget."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.causes.asking import Answered, Purse
from spex_api.claims import UNCHANGED
from spex_api.errors import UsageError


def purse(budget, *, gives):
    async def ask(arrangements):
        return [Answered(1.0, holds=True)] * gives(len(arrangements))

    return Purse(ask, budget)


def ask(asker, count):
    return asyncio.run(asker.ask([UNCHANGED] * count))


def test_no_more_is_asked_than_there_is_left_for():
    """The first are answered, and then none."""
    asker = purse(5, gives=lambda count: count)
    assert [len(ask(asker, 3)) for _ in range(3)] == [3, 2, 0]
    assert (asker.calls, asker.left) == (5, 0)


def test_who_answers_fewer_is_not_asked_again():
    """A budget ended elsewhere: what is left here is worth nothing."""
    asker = purse(20, gives=lambda count: min(count, 2))
    assert len(ask(asker, 3)) == 2
    assert (asker.calls, asker.left) == (2, 0)


def test_more_answers_than_questions_are_refused():
    """It cannot be told which belongs to which."""
    with pytest.raises(UsageError, match="3 arrangements were asked, and 4 answers came"):
        ask(purse(20, gives=lambda count: count + 1), 3)
