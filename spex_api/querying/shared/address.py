"""Where a shared store is, said without its password.

What this module does not know: how PostgreSQL is talked to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Address"]

_SCHEMES: Final = ("postgresql", "postgres")
_SECRETS: Final = frozenset({"password", "passfile", "sslpassword", "sslkey"})
_HIDDEN: Final = "…"


@dataclass(frozen=True, slots=True)
class Address:
    """A URL of PostgreSQL, whose secrets stand in no text that is made of it.

    Attributes:
        shown: the URL without its secrets: what may be said, logged and sent to others.
        secret: the URL as it was given, for the client of PostgreSQL alone.

    """

    shown: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Address:
        """The address that a user wrote.

        Raises:
            UsageError: it is none of PostgreSQL's. What was written is not repeated: it may hold a
                password anywhere.
        """
        scheme = url.partition(":")[0]
        if scheme not in _SCHEMES or not url.startswith(f"{scheme}://"):
            raise _refused("It begins otherwise")
        if not url.isprintable() or " " in url:
            raise _refused("It holds characters that no address has")
        try:
            parts = urlsplit(url)
            queries = parse_qsl(parts.query, keep_blank_values=True)
        except ValueError:
            raise _refused("It cannot be read") from None
        if parts.fragment or parts.netloc.count("@") > 1 or "@" in parts.path:
            raise _refused("An @, / or # in a name or a password is written %40, %2F or %23")
        return cls(_shown(parts, queries), url)

    def scrubbed(self, text: str) -> str:
        """The same text without any secret of the address.

        Args:
            text: what another said, as an error of the client.
        """
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text

    def _secrets(self) -> Iterator[str]:
        parts = urlsplit(self.secret)
        user, at, _ = parts.netloc.rpartition("@")
        found = [user.partition(":")[2]] if at else []
        found += [value for key, value in parse_qsl(parts.query) if key in _SECRETS]
        for secret in found:
            yield from {secret, unquote(secret)} - {""}
        yield self.secret


def _shown(parts: SplitResult, queries: list[tuple[str, str]]) -> str:
    user, at, place = parts.netloc.rpartition("@")
    query = urlencode([each for each in queries if each[0] not in _SECRETS])
    name = user.partition(":")[0]
    return parts._replace(netloc=f"{name}{at}{place}", query=query).geturl()


def _refused(why: str) -> UsageError:
    return UsageError(
        f"That is no address of a shared store. {why}.",
        cost="Nothing was sent.",
        advice="Write postgresql://USER@HOST:PORT/DATABASE; its password is best left to "
        "PGPASSWORD or ~/.pgpass.",
    )
