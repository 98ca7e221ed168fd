"""The gate of one run of a pipeline: its model calls go through our answers on disk and our caps.

What a run asks has its place on disk by what is asked and by which run it is: a run that is made
afresh finds no answer of another's, and a replay finds its own. The vendor's client tries again
what fails, as it is used to; each attempt is set aside for before it goes out.

All that runs share belongs to one event loop. A client in another thread, or in another loop, waits
for it; a plain client that holds up the loop itself is answered on the spot. What this module does
not know: what the pipeline does with an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from concurrent.futures import CancelledError as BrokenOff
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spex_api.calls.gate import refusing
from spex_api.errors import AdapterError, RetryLater, SpexError
from spex_api.pipelines.wire import Outgoing, is_question, reply_from_disk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from spex_api.calls.gate import WireReply, WireRequest
    from spex_api.completions import Completion, JsonObject
    from spex_api.pipelines.model_calls import ModelCalls

__all__ = ["RunGate"]


@dataclass(slots=True)
class _Place:
    """Where a call's answer stands on disk, by its sample index, and whether there is one."""

    sample_index: int
    answered: bool = False


@dataclass(slots=True, eq=False)
class RunGate:
    """What one run of the pipeline asks of models.

    Attributes:
        calls: what all runs share.
        run: what no other run is called; "" for those that share their answers.
        seen: the answers that it got, in order.
        stopped: why nothing more is sent for it, where that is so.
    """

    calls: ModelCalls
    run: str = ""
    seen: list[Completion] = field(default_factory=list)
    stopped: SpexError | None = None
    _taken: dict[bytes, set[int]] = field(default_factory=dict)

    async def send(
        self, request: WireRequest, forward: Callable[[], Awaitable[WireReply]]
    ) -> WireReply:
        """The reply to an asynchronous client, in whichever loop it lives."""
        home, here = self.calls.loop, asyncio.get_running_loop()
        if here is home:
            return await self._send(request, forward)

        async def sent() -> WireReply:
            return await forward()

        async def sent_from_here() -> WireReply:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sent(), here))

        answer = asyncio.run_coroutine_threadsafe(self._send(request, sent_from_here), home)
        return await asyncio.wrap_future(answer)

    def send_plain(self, request: WireRequest, forward: Callable[[], WireReply]) -> WireReply:
        """The reply to a plain client."""
        home = self.calls.loop
        if threading.get_ident() == self.calls.thread:
            return self._send_at_once(request, forward)
        context = copy_context()

        async def sent() -> WireReply:
            return await home.run_in_executor(self.calls.pool, context.run, forward)

        answer = asyncio.run_coroutine_threadsafe(self._send(request, sent), home)
        try:
            return answer.result()
        except BrokenOff:
            return refusing("The run was broken off.")

    async def _send(
        self, request: WireRequest, forward: Callable[[], Awaitable[WireReply]]
    ) -> WireReply:
        body = _question(request)
        if body is None:
            self.calls.totals.passed += 1
            return await forward()
        with self._place(request.body) as place:
            call = Outgoing.of(request, body, forward, sample_index=place.sample_index)
            try:
                completion = await self._asked(request, call)
            except SpexError as error:
                return self._refused(call, error)
            place.answered = True
            return self._answered(completion, call)

    async def _asked(self, request: WireRequest, call: Outgoing) -> Completion:
        while True:
            try:
                return await self.calls.ask(request, call)
            except RetryLater:
                raise
            except AdapterError:
                if call.replies:
                    raise
                # Somebody else was asking the same, and failed.

    def _send_at_once(self, request: WireRequest, forward: Callable[[], WireReply]) -> WireReply:
        body = _question(request)
        if body is None:
            self.calls.totals.passed += 1
            return forward()
        with self._place(request.body) as place:
            call = Outgoing.of(request, body, sample_index=place.sample_index)
            try:
                completion = self.calls.ask_at_once(request, call, forward)
            except SpexError as error:
                return self._refused(call, error)
            place.answered = True
            return self._answered(completion, call)

    def _answered(self, completion: Completion, call: Outgoing) -> WireReply:
        self.seen.append(completion)
        return call.replies[-1] if call.replies else reply_from_disk(completion)

    def _refused(self, call: Outgoing, error: SpexError) -> WireReply:
        """The endpoint's own refusal, or ours: with ours the run is over."""
        if call.replies and isinstance(error, AdapterError):
            return call.replies[-1]
        self.stopped = error
        return refusing(str(error))

    @contextmanager
    def _place(self, body: bytes) -> Iterator[_Place]:
        """The place of a call: of equal ones in a run, the first that has no answer yet.

        One that fails gives its place back, so that the client's next attempt has the same.
        """
        taken = self._taken.setdefault(body, set())
        number = next(each for each in range(len(taken) + 1) if each not in taken)
        taken.add(number)
        place = _Place(self._sample_index(number))
        try:
            yield place
        finally:
            if not place.answered:
                taken.discard(number)

    def _sample_index(self, number: int) -> int:
        if not self.run and not number:
            return 0
        digest = hashlib.blake2b(f"{self.run} {number}".encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big")


def _question(request: WireRequest) -> JsonObject | None:
    """The body of a call whose answer may be kept; None of any other."""
    if not is_question(request):
        return None
    try:
        body = json.loads(request.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
