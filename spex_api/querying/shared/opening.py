"""The store that a user names, for as long as it is used.

What this module does not know: what is kept in it.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from spex_api.querying.shared.store import PostgresStore

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["shared_store"]


@contextmanager
def shared_store(url: str | None) -> Iterator[PostgresStore | None]:
    """The store at an address; None where none is named: then answers are kept on disk.

    Args:
        url: as `postgresql://USER@HOST:PORT/DATABASE`.

    Raises:
        UsageError: the address is none of PostgreSQL's.
        MissingExtra: psycopg is not installed.
        CacheError: PostgreSQL cannot be reached, or refuses us.
        CacheCorrupt: the tables there are another's, or of another version.
    """
    if url is None:
        yield None
        return
    with closing(PostgresStore(url)) as store:
        yield store
