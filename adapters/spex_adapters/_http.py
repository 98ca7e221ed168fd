"""One endpoint's connections: a body goes out, the text of an answer comes back, or our error.

Questions go over connections of our own, and go out as `httpx2` sends them, in half the processor
time. Its client is for what is no question, such as files and batches, since the vendors' clients
stand on it; and for everything where a proxy is set, since it knows what goes by which.

An attempt has a deadline as a whole: a server that sends a byte now and then would never meet one
that is a byte's. Nothing is tried again here, and no redirect is followed, which would hand the
prompt to another server. What this module does not know: any dialect.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol
from urllib.request import getproxies

from pydantic import SecretStr

from spex_adapters import _hints
from spex_adapters._addresses import is_loopback
from spex_adapters._errors import BILLED, error_within, overdue, refusal, translate
from spex_adapters._kinds import HTTPX2
from spex_adapters._wire import Secrets, read_key, without
from spex_api.errors import MalformedReply, UsageError
from spex_api.events import EventHandler, Notice, ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

    from spex_adapters._connections import Connections
    from spex_adapters._kinds import Table
    from spex_adapters._wire import Wire
    from spex_api.completions import Completion, JsonObject
    from spex_api.errors import AdapterError

__all__ = ["TIMEOUT", "Answered", "Line", "answer_in"]

TIMEOUT: Final = 300.0
"""Seconds that an attempt may take, from the first byte out to the last byte in."""
_CONNECTING: Final = 60.0
"""A busy event loop is slow to notice that a connection stands."""
_CONNECTIONS: Final = 256  # above any sensible concurrency: the policies limit, not the pool
_encoder: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Answered(Protocol):
    """A reply, read to its end."""

    @property
    def status_code(self) -> int:
        """Its status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, found by their names in lower case."""
        ...

    @property
    def content(self) -> bytes:
        """Its body, unpacked."""
        ...


@dataclass(frozen=True, slots=True)
class _Opened:
    """What one event loop has open: questions go over the connections, or else by the client."""

    loop: asyncio.AbstractEventLoop
    wire: Wire
    secrets: Secrets
    pattern: httpx2.Request = field(repr=False)
    client: httpx2.AsyncClient = field(repr=False)
    connections: Connections | None = field(repr=False)

    async def send(self, body: JsonObject) -> Answered:
        """The reply to a body, read to its end."""
        content = _encoder.encode(body).encode()
        if self.connections is not None:
            return await self.connections.post(content)
        return await self.client.send(_question(self, content))


class Line:
    """The connections to one endpoint, opened at the first question. Building it opens nothing.

    Args:
        wire: who is asked; its secret is not looked at.
        path: where questions go, from the endpoint's address on.
        headers: what else goes with a question, the key aside.
        secrets: reads the secrets, when the line is opened; otherwise the key is read from the
            environment, and is a question's bearer.
        timeout: seconds that an attempt may take as a whole.
        transport: how bytes travel, in place of connections.
        on_event: is told when prompts leave this machine unencrypted.

    Raises:
        UsageError: the timeout is not above 0, or not finite.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        path: str,
        headers: Callable[[], Mapping[str, str]] = dict,
        secrets: Callable[[], Secrets] | None = None,
        timeout: float = TIMEOUT,
        transport: httpx2.AsyncBaseTransport | None = None,
        on_event: EventHandler = ignore,
    ) -> None:
        if not 0 < timeout < math.inf:
            raise UsageError(f"The timeout must be above 0 seconds and finite, not {timeout}.")
        self._wire = wire
        self._path = path
        self._headers = headers
        self._secrets = secrets or self._key
        self._timeout = timeout
        self._transport = transport
        self._on_event = on_event
        self._opened: _Opened | None = None

    async def ask(self, body: JsonObject, *, read: Callable[[str], Completion]) -> Completion:
        """The answer to a body, once.

        Args:
            body: what goes out, as it is.
            read: reads the answer's text, or raises `MalformedReply`.

        Raises:
            AdapterError: one of its kinds; the client's own errors never get through.
        """
        opened = self._open()
        import httpx2  # noqa: PLC0415 - loaded with the client, at the first question

        wire = opened.wire
        try:
            async with asyncio.timeout(self._timeout):
                response = await opened.send(body)
        except TimeoutError:
            failure = overdue(wire, self._timeout)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            failure = translate(error, wire, HTTPX2)
        else:
            if response.status_code < 300:
                return answer_in(response, wire, read)
            # Not `.text`, which takes the server's word for the encoding.
            said = response.content.decode(errors="replace")
            failure = refusal(response.status_code, response.headers, said, wire)
        raise failure  # here, where the client's error, which holds the key, is no longer around

    def client(self) -> httpx2.AsyncClient:
        """A client of the running event loop, opened at need. It does not hold the key.

        Raises:
            AuthenticationFailed: there is no key.
        """
        return self._open().client

    def secret(self) -> str:
        """The key that the running event loop's client goes with; opens it at need.

        Raises:
            AuthenticationFailed: there is no key.
        """
        return self._open().wire.secret.get_secret_value()

    def explain(self, error: BaseException, table: Table) -> AdapterError:
        """Our error for a client's exception; raise it where that is no longer around.

        Args:
            error: the exception.
            table: of the client that raised it.
        """
        return translate(error, self._shown(), table)

    def scrub(self, text: str) -> str:
        """The text without the key, and otherwise as it is."""
        return without(text, self._shown().hidden)

    def _key(self) -> Secrets:
        return Secrets.bearer(read_key(self._wire.key_variable, endpoint=self._wire.endpoint))

    def _shown(self) -> Wire:
        return self._opened.wire if self._opened else self._wire

    async def aclose(self) -> None:
        """Closes the connections; the next question opens new ones."""
        opened, self._opened = self._opened, None
        if opened and opened.loop is asyncio.get_running_loop():
            await opened.client.aclose()
            if opened.connections:
                await opened.connections.aclose()

    def _open(self) -> _Opened:
        """Connections do not outlive the loop of theirs."""
        loop = asyncio.get_running_loop()
        if self._opened and self._opened.loop is loop:
            return self._opened
        secrets = self._secrets()
        import httpx2  # noqa: PLC0415 - a third of a second that a replay does not need

        endpoint = self._wire.endpoint
        if endpoint.startswith("http:") and not is_loopback(endpoint):
            self._on_event(Notice(f"Prompts go to {endpoint} unencrypted."))
        trusted = httpx2.create_ssl_context()
        connecting = min(_CONNECTING, self._timeout)
        client = httpx2.AsyncClient(
            headers={"accept": "application/json", "user-agent": "spex-api", **self._headers()},
            follow_redirects=False,
            timeout=httpx2.Timeout(self._timeout, connect=connecting),
            limits=httpx2.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS
            ),
            transport=self._transport,
            verify=trusted,
        )
        pattern = client.build_request("POST", endpoint + self._path, json={})
        del pattern.headers["content-length"]
        connections = None
        if self._transport is None and not getproxies():
            from spex_adapters._connections import Connections  # noqa: PLC0415 - loads the client

            headers = pattern.headers.copy()
            headers.update(secrets.headers)
            connections = Connections(
                pattern.url, headers.raw, trusted=trusted, connecting=connecting
            )
        key, *others = (*secrets.hidden, SecretStr(""))
        wire = replace(self._wire, secret=key, others=tuple(others))
        self._opened = _Opened(loop, wire, secrets, pattern, client, connections)
        return self._opened


def _question(opened: _Opened, content: bytes) -> httpx2.Request:
    """The request for a body: as the pattern, where address and settings are read already."""
    import httpx2  # noqa: PLC0415 - it is loaded by now

    pattern = opened.pattern
    request = httpx2.Request(
        "POST",
        pattern.url,
        headers=pattern.headers,
        content=content,
        extensions=pattern.extensions,
    )
    for name, value in opened.secrets.headers.items():
        request.headers[name] = value
    return request


def answer_in(response: Answered, wire: Wire, read: Callable[[str], Completion]) -> Completion:
    """The answer in a reply, byte for byte, but for a key that it repeats.

    A reply of another content type that can be read all the same is paid, and so is read.

    Args:
        response: the reply.
        wire: who was asked, and the secrets that went with the question.
        read: reads the answer's text, or raises `MalformedReply`.

    Raises:
        AdapterError: the reply is an error in place of an answer, or none that can be read.
    """
    headers = response.headers
    try:
        text = without(response.content.decode(), wire.hidden)
        answer = read(text)
    except UnicodeDecodeError:
        text, flaw = "", MalformedReply("The reply is no text in UTF-8.", cost=BILLED)
    except MalformedReply as refused:
        flaw = refused
    else:
        left = _hints.allowances(headers, now=time.time())
        return replace(answer, allowances=left) if left else answer
    raise error_within(headers, text, wire) or _told(flaw, headers, wire)


def _told(flaw: MalformedReply, headers: Mapping[str, str], wire: Wire) -> MalformedReply:
    """What is wrong with a reply, without secrets, and with what else its headers say."""
    kind = wire.said(headers.get("content-type", ""), longest=80)
    came = "" if "json" in kind.lower() or not kind else f" It came as {kind}, not as JSON."
    return MalformedReply(
        wire.said(flaw.cause, longest=480) + "." + came,
        cost=flaw.cost,
        advice=flaw.advice,
        allowances=_hints.allowances(headers, now=time.time()),
    )
