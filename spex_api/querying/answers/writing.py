"""What comes in during one turn of the event loop is written in one transaction.

A transaction costs several times what a record does; with a hundred answers under way, most turns
bring more than one. Nobody has an answer before it is on disk all the same.

What this module does not know: what a record holds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_api.querying.answers.store import AnswerStore

__all__ = ["Writer"]

_Entry = tuple[str, bytes, "asyncio.Future[None]"]


class Writer:
    """Writes records to a store, together where they come together."""

    __slots__ = ("_store", "_waiting")

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._waiting: list[_Entry] = []

    async def write(self, key: str, record: bytes) -> None:
        """Returns once the record is on disk; it is written even if nobody waits any more.

        Raises:
            CacheError: it could not be kept.
        """
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        self._waiting.append((key, record, written))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)
        await written

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if len(waiting) > 1:
            try:
                with self._store.together():
                    for key, record, _ in waiting:
                        self._store.put(key, record)
            except Exception:  # noqa: BLE001 - each is tried alone, and tells what was wrong with it
                self._write_each(waiting)
            else:
                for *_, written in waiting:
                    _answer(written)
        else:
            self._write_each(waiting)

    def _write_each(self, waiting: list[_Entry]) -> None:
        for key, record, written in waiting:
            try:
                self._store.put(key, record)
            except Exception as error:  # noqa: BLE001 - raised where the record is waited for
                _answer(written, error)
            else:
                _answer(written)


def _answer(written: asyncio.Future[None], error: Exception | None = None) -> None:
    """Tells whoever waits, if anybody does."""
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
