"""Requests and replies of a connection in the words of a gate, and back.

What this module does not know: when a gate is asked, and what it answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2

from spex_api.calls.gate import WireReply, WireRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = [
    "address",
    "asks",
    "body_of",
    "forwarded",
    "forwarded_plainly",
    "question",
    "response_of",
]

_OF_THE_FORM: Final = frozenset(
    {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}
)
"""Headers that say how a body travels; the reply that is made of it travels otherwise."""
_COOKIES: Final = frozenset({"set-cookie", "set-cookie2"})


class _Given(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The pieces of a reply that is there already."""

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def address(url: httpx2.URL) -> str:
    """Scheme, host, port and path: neither credentials nor query."""
    return f"{url.scheme}://{(url.netloc + url.raw_path.partition(b'?')[0]).decode('ascii')}"


def body_of(request: httpx2.Request) -> bytes | None:
    """The request's body; None where it comes piece by piece, so that it can be sent but once."""
    try:
        return request.content
    except httpx2.RequestNotRead:
        return None


def asks(request: httpx2.Request) -> bool:
    """Whether a gate is asked: whether JSON is posted."""
    said = request.headers.get("content-type", "").lower()
    return (
        request.method == "POST"
        and said.startswith("application/json")
        and body_of(request) is not None
    )


def question(request: httpx2.Request, dialect: str) -> WireRequest:
    """The request, as a gate sees it."""
    return WireRequest(request.method, address(request.url), dialect, body_of(request) or b"")


async def forwarded(transport: httpx2.AsyncBaseTransport, request: httpx2.Request) -> WireReply:
    """Sends a request, and reads its reply to the end."""
    response = await transport.handle_async_request(request)
    try:
        pieces = [piece async for piece in response.aiter_bytes()]
    finally:
        await response.aclose()
    return _reply(response, pieces)


def forwarded_plainly(transport: httpx2.BaseTransport, request: httpx2.Request) -> WireReply:
    """The same for a plain client."""
    response = transport.handle_request(request)
    try:
        pieces = list(response.iter_bytes())
    finally:
        response.close()
    return _reply(response, pieces)


def response_of(reply: WireReply) -> httpx2.Response:
    """The reply, as a vendor's client reads it."""
    headers = [("content-type", reply.content_type), *reply.headers]
    return httpx2.Response(reply.status, headers=headers, stream=_Given(reply.chunks))


def _reply(response: httpx2.Response, pieces: list[bytes]) -> WireReply:
    said = [(name.lower(), value) for name, value in response.headers.multi_items()]
    left_out = _OF_THE_FORM | _COOKIES | {"content-type"}
    return WireReply(
        response.status_code,
        response.headers.get("content-type", ""),
        tuple(pieces),
        tuple((name, value) for name, value in said if name not in left_out),
    )
