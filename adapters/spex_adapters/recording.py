"""A user's own client that works as before, while every call lands in a file on this machine.

What is recorded: chat completions, Responses and Messages, whichever method asked, streams and
refusals included; each attempt is a call. What goes over a WebSocket is not, nor anything else that
the client does. In the file stand the bodies as they were sent and as they came, the address and
the times; no header, no key, no query.

What this module does not know: how a call is overheard (`_listening`) and written (`_recorder`).
"""

from __future__ import annotations

import copy
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from spex_adapters._recorder import flush, recorder_of
from spex_api.calls.file import calls_file
from spex_api.calls.parents import calls
from spex_api.errors import UsageError

if TYPE_CHECKING:
    import os

    import httpx2

    from spex_adapters._recorder import Recorder

__all__ = ["calls", "flush", "record"]

_Client = TypeVar("_Client")

_STRICT: Final = "_strict_response_validation"
_CLIENTS: Final = {
    "openai": frozenset({"OpenAI", "AsyncOpenAI"}),
    "anthropic": frozenset({"Anthropic", "AsyncAnthropic"}),
}


def record(client: _Client, *, path: str | os.PathLike[str] | None = None) -> _Client:
    """The client's twin, whose calls are recorded. The client itself is not changed.

    >>> client = record(openai.AsyncOpenAI())
    >>> with calls("ticket 4711"):
    ...     await client.chat.completions.create(...)

    It has the same settings and connections. Closing it closes these, unless the client that it was
    made of is still around; then they are that one's to close. What a recorded client is recorded
    to may be changed by recording it again.

    Args:
        client: an `OpenAI`, `AzureOpenAI` or `Anthropic` of the vendor's package, or one of their
            asynchronous forms.
        path: the file, made for its owner alone where there is none; otherwise the one that
            `spex calls` lists. Several processes may record to it.

    Raises:
        UsageError: it is none of these clients, or stands on another HTTP client than theirs.
    """
    original: Any = client
    vendor = _vendor_of(client)
    http = getattr(original, "_client", None)
    import httpx2  # noqa: PLC0415 - loaded with the client

    if vendor is None or not isinstance(http, httpx2.Client | httpx2.AsyncClient):
        raise UsageError(
            f"A {_named(client)} on a {_named(http)} cannot be recorded."
            if vendor
            else f"A {_named(client)} cannot be recorded.",
            advice="Record an OpenAI, AzureOpenAI or Anthropic client, or an asynchronous one of "
            "them, without an http_client or with one of the package httpx2.",
        )
    file = Path(path or calls_file()).expanduser().absolute()
    if file.is_dir():
        raise UsageError(f"{file} is a folder.", advice="Name a file, such as calls.jsonl in it.")
    twin = _listening_twin(http, vendor, recorder_of(file), lender=weakref.ref(client))
    recorded = original.copy(http_client=twin)
    # The one setting that the vendors' own copies lose.
    strict = getattr(client, _STRICT, False)
    setattr(recorded, _STRICT, strict)
    return cast("_Client", recorded)


def _listening_twin(
    http: httpx2.Client | httpx2.AsyncClient,
    vendor: str,
    recorder: Recorder,
    *,
    lender: weakref.ref[Any],
) -> httpx2.Client | httpx2.AsyncClient:
    """An HTTP client of the same settings, cookies, hooks and connections, which listens.

    Args:
        http: the one that it is made of. Its connections are closed when nobody has it any more,
            so its twin keeps it.
        vendor: whose dialects are heard.
        recorder: writes down what is heard.
        lender: the client that closes the connections as long as it is there.
    """
    from spex_adapters._listening import DIALECTS, Ear, listening  # noqa: PLC0415

    ear = Ear(DIALECTS[vendor], recorder, is_lent=lambda: lender() is not None, made_of=http)
    twin: Any = copy.copy(http)
    # The package has no other way to a client's transports.
    twin._transport = listening(twin._transport, ear)  # noqa: SLF001
    twin._mounts = {route: each and listening(each, ear) for route, each in twin._mounts.items()}  # noqa: SLF001
    return cast("httpx2.Client | httpx2.AsyncClient", twin)


def _vendor_of(client: object) -> str | None:
    """Whose client it is, also where it is of a class that the user made of theirs."""
    for kind in type(client).__mro__:
        vendor = kind.__module__.partition(".")[0]
        if kind.__name__ in _CLIENTS.get(vendor, ()):
            return vendor
    return None


def _named(thing: object) -> str:
    return f"{type(thing).__module__.partition('.')[0]}.{type(thing).__name__}"
