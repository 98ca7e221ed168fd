"""What a call belongs to: the names under which it was made, the outermost first.

A name holds in the context that sets it: in the tasks begun there, and in the threads that are
given a copy of the context (`asyncio.to_thread` gives one, a pool of threads does not). What this
module does not know: calls, and where they are kept.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["calls", "current_parents"]

_PARENTS: ContextVar[tuple[str, ...]] = ContextVar("spex_api_parents", default=())


@contextmanager
def calls(parent: str) -> Iterator[None]:
    """Gives the calls made inside a parent, by which they are found again. Parents may be nested.

    >>> with calls("ticket 4711"):
    ...     reply = client.chat.completions.create(...)

    Args:
        parent: its name.

    Raises:
        UsageError: it has no name.
    """
    if not parent.strip():
        raise UsageError(
            f"The parent of calls is a name, not {parent!r}.",
            advice='Name what they are made for, as in calls("ticket 4711").',
        )
    token = _PARENTS.set((*_PARENTS.get(), parent.strip()))
    try:
        yield
    finally:
        _PARENTS.reset(token)


def current_parents() -> tuple[str, ...]:
    """The parents of a call made here, the outermost first; empty where there is none."""
    return _PARENTS.get()
