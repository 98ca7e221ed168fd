"""Which tools a pipeline's own model calls ask for, while nothing of them is changed or kept.

Calls are heard where a client of `spex_adapters.record` makes them. What this module does not know:
the pipeline, and what its calls are for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spex_api.calls.answer import read_answer
from spex_api.calls.events import assembled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from spex_api.calls.gate import WireReply, WireRequest
    from spex_api.messages import ToolCall

__all__ = ["Listening"]


@dataclass(frozen=True, slots=True)
class Listening:
    """A gate that lets every call through, and keeps the calls of tools in the replies.

    Attributes:
        heard: the calls of tools, in the order of the replies.
    """

    heard: list[ToolCall] = field(default_factory=list)

    async def send(
        self, request: WireRequest, forward: Callable[[], Awaitable[WireReply]]
    ) -> WireReply:
        """The endpoint's own reply."""
        reply = await forward()
        self._listen(request, reply)
        return reply

    def send_plain(self, request: WireRequest, forward: Callable[[], WireReply]) -> WireReply:
        """The endpoint's own reply."""
        reply = forward()
        self._listen(request, reply)
        return reply

    def _listen(self, request: WireRequest, reply: WireReply) -> None:
        text = reply.body.decode("utf-8", "replace")
        if reply.streamed:
            body = assembled(text, dialect=request.dialect).body
        else:
            try:
                body = json.loads(text)
            except ValueError:
                return
        if reply.status < 300 and isinstance(body, dict):
            self.heard.extend(read_answer(body, dialect=request.dialect).tool_calls)
