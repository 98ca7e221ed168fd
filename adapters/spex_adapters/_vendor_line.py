"""Questions through a vendor's client, where it alone knows how to sign them.

The body goes out as it is, over the connections of a `Line` that holds no key; the client puts its
headers, its query and its path around it. It tries nothing again. What this module does not know:
whose client it is, and any dialect.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from spex_adapters._errors import overdue
from spex_adapters._http import answer_in
from spex_api.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    from pydantic import SecretStr

    from spex_adapters._http import Line
    from spex_adapters._kinds import Table
    from spex_adapters._wire import Wire
    from spex_api.completions import Completion, JsonObject

__all__ = ["VendorClient", "VendorLine"]


class VendorClient(Protocol):
    """What is needed of a vendor's client."""

    async def post(self, path: str, *, cast_to: Any, body: Any) -> Any:  # noqa: ANN401 - theirs
        """The answer to a body, or one of the client's errors."""


class VendorLine:
    """The connections to one endpoint, with a vendor's client on top. Building it opens nothing.

    Args:
        line: the connections; without a key of their own.
        wire: who is asked, for the sentences.
        build: the client over a connection; called once for each event loop.
        table: of the client's errors.
        hidden: the secrets that it goes with now, to take them out of replies.
        timeout: seconds that an attempt may take as a whole.
    """

    def __init__(
        self,
        line: Line,
        wire: Wire,
        *,
        build: Callable[[httpx2.AsyncClient], VendorClient],
        table: Table,
        hidden: Callable[[], tuple[SecretStr, ...]],
        timeout: float,
    ) -> None:
        self._line = line
        self._wire = wire
        self._build = build
        self._table = table
        self._hidden = hidden
        self._timeout = timeout
        self._client: tuple[httpx2.AsyncClient, VendorClient] | None = None

    async def ask(
        self, path: str, body: JsonObject, *, read: Callable[[str], Completion]
    ) -> Completion:
        """The answer to a body, once.

        Args:
            path: where it goes, as the client names it.
            body: what goes out, as it is.
            read: reads the answer's text, or raises `MalformedReply`.

        Raises:
            AdapterError: one of its kinds; the client's own errors never get through.
        """
        client = self._opened()
        import httpx2  # noqa: PLC0415 - loaded with the client, at the first question

        try:
            async with asyncio.timeout(self._timeout):
                response = await client.post(path, cast_to=httpx2.Response, body=body)
        except TimeoutError:
            failure = overdue(self._wire, self._timeout)
        except AdapterError as refused:  # by what gives the client its key
            failure = refused
        except Exception as error:  # noqa: BLE001 - whatever a foreign client raises holds the key
            failure = self._line.explain(error, self._table)
        else:
            return answer_in(response, replace(self._wire, others=self._hidden()), read)
        failure.__context__ = None
        raise failure  # here, where the client's error, which holds the key, is no longer around

    async def aclose(self) -> None:
        """Closes the connections; the next question opens new ones."""
        self._client = None
        await self._line.aclose()

    def _opened(self) -> VendorClient:
        under = self._line.client()
        if self._client is None or self._client[0] is not under:
            self._client = (under, self._build(under))
        return self._client[1]
