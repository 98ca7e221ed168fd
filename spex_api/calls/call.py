"""A recorded call: what a user's own client asked, and what it was answered.

What this module does not know: how it was overheard, and where it is kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from spex_api.calls.answer import Answer, read_answer
from spex_api.calls.events import Assembled, assembled
from spex_api.calls.line import read_line
from spex_api.errors import CacheCorrupt

if TYPE_CHECKING:
    from datetime import datetime

    from spex_api.completions import JsonObject

__all__ = ["Call"]


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt to ask: a call that the client tried again is as many of them.

    The bodies are parsed where they are asked for, and each time, so keep what you read.

    Attributes:
        id: sorts by time.
        begun: when it was sent, in UTC.
        seconds: until the reply's last byte.
        url: who was asked: scheme, host, port and path.
        dialect: "openai.chat", "openai.responses" or "anthropic.messages".
        sent: the request's body, as it went out but for secrets.
        status: of HTTP, or None where no reply came.
        came: the reply's body as it came, not compressed: JSON, or a stream's events.
        streamed: whether it is a stream's events.
        error: what went wrong on the way, or "".
        left: whether the client closed the reply before its last byte.
        parents: what it belongs to, the outermost first.
    """

    id: str
    begun: datetime
    seconds: float
    url: str
    dialect: str
    sent: str = field(repr=False)
    status: int | None
    came: str = field(repr=False)
    streamed: bool = False
    error: str = ""
    left: bool = False
    parents: tuple[str, ...] = ()

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """The call in a line of the file.

        Raises:
            CacheCorrupt: it is no line of ours, or of a later version of this package.
        """
        read = read_line(line)
        head = read.head
        return cls(
            head.id,
            head.begun,
            head.seconds,
            head.url,
            head.dialect,
            read.request.decode(errors="replace"),
            head.status,
            read.reply.decode(errors="replace"),
            head.streamed,
            head.error,
            head.left,
            head.parents,
        )

    @property
    def request(self) -> JsonObject:
        """The request's body.

        Raises:
            CacheCorrupt: it is no JSON object, so that nothing can be asked again.
        """
        body = _object(self.sent)
        if body is None:
            raise CacheCorrupt(f"The request of the call {self.id} is no JSON object.")
        return body

    @property
    def reply(self) -> JsonObject | None:
        """The reply's body, a stream's put together; None where there is no JSON object in it."""
        return self._assembled().body or None if self.streamed else _object(self.came)

    @property
    def answer(self) -> Answer:
        """What the model answered; empty where nothing came that can be read."""
        return read_answer(self.reply or {}, dialect=self.dialect)

    @property
    def whole(self) -> bool:
        """Whether the reply came to its end; a refusal of the endpoint's does, too."""
        if self.status is None or self.error:
            return False
        if self.streamed:
            return self._assembled().whole
        return not self.left or _object(self.came) is not None

    def _assembled(self) -> Assembled:
        return assembled(self.came, dialect=self.dialect)


def _object(text: str) -> JsonObject | None:
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
