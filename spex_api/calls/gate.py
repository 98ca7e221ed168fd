"""The gate that a recorded client's questions pass, where one is set: whoever sets it may answer.

While a pipeline is asked under masks, its calls go through our cache, limits and budget, and no
line of the pipeline changes. A gate belongs to the context in which it is set: to the tasks begun
there, and to the threads that are given a copy of the context; so two pipelines beside each other
have a gate each. What this module does not know: how a question travels, and any vendor.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["Gate", "WireReply", "WireRequest", "current_gate", "gated", "refusing"]

_EVENTS: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One attempt of a vendor's client to ask, as it is about to go out.

    Attributes:
        method: POST.
        url: scheme, host, port and path: neither credentials nor query.
        dialect: "openai.chat", "openai.responses" or "anthropic.messages"; "" for whatever else is
            posted as JSON, such as embeddings.
        body: the JSON, byte for byte as it would be sent.
    """

    method: str
    url: str
    dialect: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WireReply:
    """One whole reply. Equal replies are the same to the vendor's client.

    Attributes:
        status: of HTTP.
        content_type: of the body.
        chunks: the body, not compressed, in the pieces in which it came; a stream's events may be
            given in one piece.
        headers: what else the server said, by names in lower case: what is left of its limits, how
            long to wait, whether to try again. No cookie, and nothing about the body's form.
    """

    status: int
    content_type: str
    chunks: tuple[bytes, ...] = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def body(self) -> bytes:
        """The body in one piece."""
        return b"".join(self.chunks)

    @property
    def streamed(self) -> bool:
        """Whether the body is a stream's events."""
        return self.content_type.partition(";")[0].strip().lower() == _EVENTS


class Gate(Protocol):
    """Decides what becomes of each question.

    What `forward` raises is the connection's error; let it through, since the vendor's client knows
    it and tries again. Whatever else is raised, the client takes for a broken connection too, and
    asks again after a while: to stop it for good, return `refusing`.
    """

    async def send(
        self, request: WireRequest, forward: Callable[[], Awaitable[WireReply]]
    ) -> WireReply:
        """The reply to an asynchronous client.

        Args:
            request: what is asked.
            forward: sends it, as often as it is called, and reads the reply to its end; headers
                and key are the client's own. An endpoint's refusal is a reply like any other.
        """
        ...

    def send_plain(self, request: WireRequest, forward: Callable[[], WireReply]) -> WireReply:
        """The reply to a plain client, whose thread waits for it."""
        ...


_GATE: ContextVar[Gate | None] = ContextVar("spex_api_gate", default=None)


def current_gate() -> Gate | None:
    """The gate that is set here, or None: a call then goes its own way, and is recorded."""
    return _GATE.get()


@contextmanager
def gated(gate: Gate | None) -> Iterator[None]:
    """Sets a gate for the calls made inside; what passes a gate is not recorded. None opens it."""
    token = _GATE.set(gate)
    try:
        yield
    finally:
        _GATE.reset(token)


def refusing(sentence: str) -> WireReply:
    """A reply with which a vendor's client gives up at once: it raises its error for status 400.

    Args:
        sentence: why; it stands in the text of that error.
    """
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": sentence}}
    return WireReply(
        400,
        "application/json",
        (json.dumps(said).encode(),),
        (("x-should-retry", "false"),),
    )
