"""A transport that lets requests and replies through as they are, and keeps a copy.

It stands where a vendor's client hands bytes over, below retries, timeouts, redirects and
authentication, so that none of these changes, and each attempt is heard. Nothing is parsed here.
Where a gate is set, it is asked in place of the connection (see `spex_api.calls.gate`).

What this module does not know: what is written down, and where.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import httpx2

from spex_adapters._passing import (
    asks,
    body_of,
    forwarded,
    forwarded_plainly,
    question,
    response_of,
)
from spex_adapters._recorder import Overheard
from spex_api.calls.gate import current_gate
from spex_api.calls.parents import current_parents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from types import TracebackType

    from spex_adapters._recorder import Recorder

__all__ = ["DIALECTS", "AsyncListening", "Ear", "Listening", "listening"]

DIALECTS: Final[dict[str, dict[str, str]]] = {
    "openai": {"/chat/completions": "openai.chat", "/responses": "openai.responses"},
    "anthropic": {"/v1/messages": "anthropic.messages"},
}
"""By the vendor: how the paths end that are recorded, and the dialect that is spoken there."""


class _Hearing:
    """One attempt, from the request to the reply's last byte."""

    __slots__ = ("_clock", "_over", "_recorder", "overheard")

    def __init__(self, request: httpx2.Request, dialect: str, recorder: Recorder) -> None:
        self.overheard = Overheard(request, dialect, current_parents(), time.time())
        self._recorder = recorder
        self._clock = time.perf_counter()
        self._over = False

    def answered(self, response: httpx2.Response) -> None:
        """The head of a reply is there."""
        self.overheard.status = response.status_code
        self.overheard.headers = response.headers

    def end(self, error: BaseException | None = None, *, left: bool = False) -> None:
        """There is no more to hear. Only the first time counts."""
        if self._over:
            return
        self._over = True
        overheard = self.overheard
        overheard.seconds = time.perf_counter() - self._clock
        overheard.error, overheard.left = error, left
        self._recorder.submit(overheard)

    def __del__(self) -> None:
        # A reply that nobody read or closed was asked for and paid all the same. At the very end
        # of the interpreter, what is needed for it may be gone.
        with suppress(Exception):
            self.end(left=True)


class _Heard(httpx2.SyncByteStream):
    """A reply's bytes, handed on as they come."""

    def __init__(self, stream: httpx2.SyncByteStream, hearing: _Hearing) -> None:
        self._stream = stream
        self._hearing = hearing

    def __iter__(self) -> Iterator[bytes]:
        keep = self._hearing.overheard.pieces.append
        try:
            for piece in self._stream:
                keep(piece)
                yield piece
        except GeneratorExit:
            raise  # whoever reads it had enough, and closes it
        except BaseException as error:
            self._hearing.end(error)
            raise
        self._hearing.end()

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._hearing.end(left=True)


class _AsyncHeard(httpx2.AsyncByteStream):
    """A reply's bytes, handed on as they come."""

    def __init__(self, stream: httpx2.AsyncByteStream, hearing: _Hearing) -> None:
        self._stream = stream
        self._hearing = hearing

    async def __aiter__(self) -> AsyncIterator[bytes]:
        keep = self._hearing.overheard.pieces.append
        try:
            async for piece in self._stream:
                keep(piece)
                yield piece
        except GeneratorExit:
            raise  # whoever reads it had enough, and closes it
        except BaseException as error:
            self._hearing.end(error)
            raise
        self._hearing.end()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._hearing.end(left=True)


class Ear:
    """What both kinds of transport know.

    Args:
        dialects: how the paths end that are recorded, and what is spoken there.
        recorder: writes down what is heard.
        is_lent: whether the connections are still another client's, which closes them itself.
        made_of: is kept as long as anybody listens.
    """

    __slots__ = ("_dialects", "_made_of", "is_lent", "recorder")

    def __init__(
        self,
        dialects: Mapping[str, str],
        recorder: Recorder,
        *,
        is_lent: Callable[[], bool],
        made_of: object,
    ) -> None:
        self._dialects = dialects
        self._made_of = made_of
        self.recorder = recorder
        self.is_lent = is_lent

    def dialect(self, request: httpx2.Request) -> str:
        """What is spoken in a request that is to be recorded; "" for any other."""
        if request.method != "POST":
            return ""
        path = request.url.path.rstrip("/")
        for ending, dialect in self._dialects.items():
            if path.endswith(ending):
                return dialect if body_of(request) is not None else ""
        return ""


class Listening(httpx2.BaseTransport):
    """A plain client's transport, and what it hears. What it does not have is the inner one's.

    Args:
        inner: the transport that it stands before.
        ear: what is listened to, and who writes it down.
    """

    def __init__(self, inner: httpx2.BaseTransport, ear: Ear) -> None:
        self.inner = inner
        self._ear = ear

    def __getattr__(self, name: str) -> object:
        if name == "inner":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request, or has the gate answer it."""
        dialect = self._ear.dialect(request)
        gate = current_gate()
        if gate is not None and asks(request):
            return response_of(
                gate.send_plain(
                    question(request, dialect), lambda: forwarded_plainly(self.inner, request)
                )
            )
        if not dialect:
            return self.inner.handle_request(request)
        hearing = _Hearing(request, dialect, self._ear.recorder)
        try:
            response = self.inner.handle_request(request)
        except BaseException as error:
            hearing.end(error)
            raise
        hearing.answered(response)
        if isinstance(response.stream, httpx2.SyncByteStream):
            response.stream = _Heard(response.stream, hearing)
        return response

    def __enter__(self) -> Self:
        self.inner.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if not self._ear.is_lent():
            self.inner.__exit__(exc_type, exc_value, traceback)

    def close(self) -> None:
        """Closes the connections, unless they are still another client's."""
        if not self._ear.is_lent():
            self.inner.close()


class AsyncListening(httpx2.AsyncBaseTransport):
    """An asynchronous client's transport, and what it hears.

    Args:
        inner: the transport that it stands before.
        ear: what is listened to, and who writes it down.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, ear: Ear) -> None:
        self.inner = inner
        self._ear = ear

    def __getattr__(self, name: str) -> object:
        if name == "inner":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self.inner, name)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request, or has the gate answer it."""
        dialect = self._ear.dialect(request)
        gate = current_gate()
        if gate is not None and asks(request):
            return response_of(
                await gate.send(question(request, dialect), lambda: forwarded(self.inner, request))
            )
        if not dialect:
            return await self.inner.handle_async_request(request)
        hearing = _Hearing(request, dialect, self._ear.recorder)
        try:
            response = await self.inner.handle_async_request(request)
        except BaseException as error:
            hearing.end(error)
            raise
        hearing.answered(response)
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _AsyncHeard(response.stream, hearing)
        return response

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if not self._ear.is_lent():
            await self.inner.__aexit__(exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        """Closes the connections, unless they are still another client's."""
        if not self._ear.is_lent():
            await self.inner.aclose()


def listening(
    transport: httpx2.BaseTransport | httpx2.AsyncBaseTransport, ear: Ear
) -> Listening | AsyncListening:
    """The transport with a listener before it, in place of one that may be there already."""
    if isinstance(transport, Listening | AsyncListening):
        return listening(transport.inner, ear)
    if isinstance(transport, httpx2.AsyncBaseTransport):
        return AsyncListening(transport, ear)
    return Listening(transport, ear)
