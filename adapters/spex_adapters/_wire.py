"""Who is asked, in words that may be shown: foreign text is flattened, and secrets are taken out.

What this module does not know: connections, statuses, and any vendor's dialect.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pydantic import SecretStr

from spex_api.errors import AuthenticationFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Secrets", "Wire", "conceal", "known_secrets", "one_line", "read_key", "without"]

_SHORTEST: Final = 8
"""Characters of a secret. A server without keys is given "x" or "none", which no text can miss."""
_HIDDEN: Final = "[key]"
_SECRET_NAME = re.compile(r"(^|_)(API_?KEY|ACCESS_KEY|TOKEN|SECRET(_KEY)?)$")
_KEYLIKE = re.compile(
    r"\bBearer\s+[^\s\"',;]+"
    r"|\bsk-[\w*.…-]{6,}"
    r"|(?<=[?&]key=)[^\s&\"']+"
    r"|\b[\w.-]{0,16}\*{3,}[\w*.-]*",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"((?:x-goog-api-key|x-api-key|api[-_ ]?key|authorization|auth[-_ ]token)(?: provided)?[\"']?"
    r"\s*[:=]\s*(?:b?[\"'])?(?:(?:Bearer|Basic|Token)\s+)?+)(?!\[key\])([^\s\"',;}\]]+)",
    re.IGNORECASE,
)
_READ: Final = 4096
"""Characters of a foreign sentence that are looked at; far fewer are shown."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What goes into the headers of a question, and what must be shown nowhere.

    Attributes:
        headers: each header's whole value, by the header's name.
        hidden: the secrets in them.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hidden: tuple[SecretStr, ...] = ()

    @classmethod
    def bearer(cls, key: SecretStr) -> Secrets:
        """One key, in the header that most endpoints look for it in."""
        return cls({"authorization": f"Bearer {key.get_secret_value()}"}, (key,))


@dataclass(frozen=True, slots=True)
class Wire:
    """Who was asked, for the sentences.

    Attributes:
        endpoint: the address.
        model: the model.
        key_variable: the environment variable of the key.
        url_variable: that of the address.
        service: what is asked for there.
        ending: how such an address ends.
        secret: the key itself, to take it out of what is shown; never shown.
        others: further secrets that a question carries.
    """

    endpoint: str
    model: str
    key_variable: str
    url_variable: str
    service: str = "chat completions"
    ending: str = "ends in /v1"
    secret: SecretStr = field(default=SecretStr(""), repr=False)
    others: tuple[SecretStr, ...] = field(default=(), repr=False)

    @property
    def hidden(self) -> tuple[str, ...]:
        """All its secrets."""
        return tuple(each.get_secret_value() for each in (self.secret, *self.others))

    def said(self, text: object, *, longest: int = 240) -> str:
        """Foreign text on one line, without a secret in it."""
        return one_line(conceal(str(text), *self.hidden, *known_secrets()), longest=longest)


def one_line(text: object, *, longest: int = 240) -> str:
    """Foreign text on one line, printable, without its full stop, and cut where it runs on."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split()).rstrip(".")
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def conceal(text: str, *secrets: str) -> str:
    """The beginning of a text without these secrets, and without what looks like one."""
    known = without(text, secrets)[:_READ]
    return _KEYLIKE.sub(_HIDDEN, _NAMED.sub(rf"\1{_HIDDEN}", known))


def without(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, in any of the spellings that JSON and addresses have.

    Nothing else is touched, so that a reply stays what it is.
    """
    for secret in secrets:
        if len(secret) < _SHORTEST:
            continue
        for spelling in _spellings(secret):
            if spelling in text:
                text = text.replace(spelling, _HIDDEN)
    return text


def known_secrets() -> tuple[str, ...]:
    """What the environment holds under the name of a key, the longest first."""
    found = {value.strip() for name, value in os.environ.items() if _SECRET_NAME.search(name)}
    return tuple(sorted(found, key=len, reverse=True))


def read_key(variable: str, *, endpoint: str) -> SecretStr:
    """The key in an environment variable.

    Args:
        variable: its name.
        endpoint: whom the key is for.

    Raises:
        AuthenticationFailed: there is none, or none that a header can carry.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        raise AuthenticationFailed(
            f"{variable} is not set, so {endpoint} cannot be asked.",
            cost="Nothing was sent.",
            advice=f"Set {variable} (to anything, for a server without keys), or use "
            'model = "local", which needs no key.',
            unbilled=True,
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise AuthenticationFailed(
            f"{variable} holds characters that no key has.",
            cost="Nothing was sent.",
            advice="Copy it again, without quotes, spaces or line breaks.",
            unbilled=True,
        )
    return SecretStr(key)


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    if not secret.isalnum():
        quoted = json.dumps(secret)[1:-1]
        yield from dict.fromkeys((quoted, quoted.replace("/", "\\/"), quote(secret, safe="")))
