"""The tables of a shared store: made where there are none, refused where they are another's.

All times are seconds since 1970 by the server's own clock, so that no worker's clock matters. What
this module does not know: who reads and writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spex_api.errors import CacheCorrupt

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["NOW", "check_schema"]

NOW: Final = "extract(epoch FROM clock_timestamp())::float8"

_FORMAT: Final = "spex-api store"
_VERSION: Final = 1
_LOCK: Final = 0x73706578_5F617069
"""Of all who make the tables, one does; the others see them. It spells our name."""
_TABLES: Final = (
    "CREATE SCHEMA spex",
    "CREATE TABLE spex.about (format text NOT NULL, version integer NOT NULL)",
    'CREATE TABLE spex.records (key text COLLATE "C" PRIMARY KEY, record bytea NOT NULL, '
    f"written_at float8 NOT NULL DEFAULT {NOW})",
    "ALTER TABLE spex.records ALTER record SET STORAGE EXTERNAL",  # it is compressed already
    "CREATE TABLE spex.runs (run text PRIMARY KEY, cap_requests numeric NOT NULL, "
    "cap_tokens numeric, cap_trillionths numeric, spent_requests numeric NOT NULL DEFAULT 0, "
    "spent_tokens numeric NOT NULL DEFAULT 0, spent_trillionths numeric NOT NULL DEFAULT 0, "
    f"surprise text NOT NULL DEFAULT '', made_at float8 NOT NULL DEFAULT {NOW})",
    "CREATE TABLE spex.reservations (id uuid PRIMARY KEY, run text NOT NULL REFERENCES spex.runs, "
    "worker bigint NOT NULL, requests numeric NOT NULL, tokens numeric NOT NULL, "
    "trillionths numeric NOT NULL)",
    "CREATE INDEX ON spex.reservations (run)",
    "CREATE TABLE spex.scopes (scope text PRIMARY KEY, "
    "paused_until float8 NOT NULL DEFAULT 0, "
    "paced_until float8[] NOT NULL DEFAULT '{0,0,0,0}', "
    "limits float8[] NOT NULL DEFAULT '{NULL,NULL,NULL,NULL}')",
    "CREATE TABLE spex.slots (id uuid PRIMARY KEY, scope text NOT NULL REFERENCES spex.scopes, "
    "worker bigint NOT NULL, replied_at float8, requests float8 NOT NULL, tokens float8 NOT NULL, "
    "input_tokens float8 NOT NULL, output_tokens float8 NOT NULL)",
    "CREATE INDEX ON spex.slots (scope, replied_at)",
)


def check_schema(connection: Connection, *, shown: str) -> None:
    """Makes the tables, or lets pass those that this version made.

    Args:
        connection: to the database.
        shown: the store's address, for an error's text.

    Raises:
        CacheCorrupt: they are another's, or a newer version's.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if connection.execute("SELECT to_regnamespace('spex')").fetchone() == (None,):
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute("INSERT INTO spex.about VALUES (%s, %s)", (_FORMAT, _VERSION))
            return
        found = None
        if connection.execute("SELECT to_regclass('spex.about')").fetchone() != (None,):
            found = connection.execute("SELECT * FROM spex.about LIMIT 2").fetchall()
    if found == [(_FORMAT, _VERSION)]:
        return
    if found and len(found[0]) == 2 and found[0][0] == _FORMAT:
        raise CacheCorrupt(
            f"The store {shown} was made by another version of spex-api: its tables are of version "
            f"{found[0][1]}, and this one reads {_VERSION}.",
            cost="Nothing was sent.",
            advice="Use the same version of spex-api everywhere, or another database.",
        )
    raise CacheCorrupt(
        f"In the database of {shown} somebody else has a schema called 'spex'.",
        cost="Nothing was sent, and nothing in it was touched.",
        advice="Give the store a database of its own.",
    )
