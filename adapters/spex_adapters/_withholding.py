"""What of a call must not be kept: the client's own keys, and others' keys that a body carries.

Bodies carry keys for what the endpoint itself is to call: servers of tools (MCP), an index to
search in. A conversation is kept as it is, and so are tools' schemas: they are what is explained.
What this module does not know: where a call is kept.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from pydantic_core import from_json

from spex_adapters._wire import without

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["keys_in", "without_keys", "without_secrets"]

_HIDDEN: Final = "[key]"
_HEADERS: Final = ("authorization", "x-api-key", "api-key", "proxy-authorization")
_NAME: Final = re.compile(
    r"(.*[-_])?(api_?-?keys?|key|auth(orization)?([-_]token)?|(access|auth|bearer)[-_]?token|token"
    r"|password|passwd|secret|connection[-_]?string|cookie|credentials?)",
    re.IGNORECASE,
)
_PLAIN: Final = re.compile(r"[\w.~-]+", re.ASCII)
"""A secret that has one spelling."""
_ALL_SECRET: Final = frozenset({"headers", "authentication"})
"""Objects in which every text may be a key."""
_KEPT: Final = frozenset({"messages", "input", "system", "instructions", "prompt", "functions"})
_NO_KEY: Final = frozenset({"type"})


def keys_in(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The keys in a request's headers, each without the word that tells its kind."""
    found = {value.rpartition(" ")[2] for value in filter(None, map(headers.get, _HEADERS))}
    return tuple(sorted(found, key=len, reverse=True))


def without_secrets(text: bytes, secrets: Sequence[str]) -> bytes:
    """The text without these secrets, however they are spelt; where it holds none, itself."""
    if all(_PLAIN.fullmatch(each) and each.encode() not in text for each in secrets):
        return text  # most often; to look for other spellings takes several times as long
    plain = text.decode("utf-8", "surrogateescape")
    cleaned = without(plain, secrets)
    return text if cleaned is plain else cleaned.encode("utf-8", "surrogateescape")


def without_keys(body: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A request's body without the values of fields that are named like keys, and these values.

    Where there is none, or where the body is no JSON object, it is returned as it came.
    """
    fields = _parsed(body)
    if not isinstance(fields, dict):
        return body, ()
    found: list[str] = []
    kept = {k: v if k in _KEPT else _hidden(v, k, found) for k, v in fields.items()}
    if not found:
        return body, ()
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="surrogatepass"), tuple(sorted(found, key=len, reverse=True))


def _parsed(body: bytes) -> object:
    try:
        return from_json(body)
    except ValueError:
        pass
    try:
        return json.loads(body)  # takes half of a character's pair, which the other does not
    except ValueError:
        return None


def _hidden(value: object, name: str, found: list[str], *, inside: bool = False) -> object:
    """The value without keys.

    Args:
        value: of a field.
        name: of the field.
        found: takes up the keys.
        inside: whether it stands in an object in which every text may be a key.
    """
    if isinstance(value, str):
        if not value or not (_NAME.fullmatch(name) or (inside and name not in _NO_KEY)):
            return value
        found.append(value)
        return _HIDDEN
    if isinstance(value, list):
        return [_hidden(each, name, found, inside=inside) for each in value]
    if isinstance(value, dict) and value.get("type") != "function" and "input_schema" not in value:
        inside = inside or name in _ALL_SECRET
        return {k: _hidden(v, k, found, inside=inside) for k, v in value.items()}
    return value
