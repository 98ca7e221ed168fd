"""The seam to a hosted model: one method that spends, and pure functions around it.

Adapters register under the entry-point group `spex_api.adapters`: the part of a model's name before
the first colon is the entry's name, and the entry is a function
`connect(model: str, *, on_event: EventHandler, endpoint: str | None = None) -> Adapter`. Where
`endpoint` is given, answers are read that this endpoint gave, perhaps to another machine: the
adapter is to have it, whatever the environment says, and to look at no file. One that takes no
`endpoint` is as the environment says. What this module does not know: any vendor.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol

from spex_api.errors import UsageError
from spex_api.events import ignore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spex_api.completions import Capabilities, Completion, CompletionRequest, JsonObject
    from spex_api.events import EventHandler

__all__ = ["Adapter", "as_recorded", "load_adapter"]

_GROUP: Final = "spex_api.adapters"
_recorded: ContextVar[Mapping[str, str]] = ContextVar("_recorded")


class Adapter(Protocol):
    """A hosted model. Building one opens no connection and needs no key."""

    @property
    def endpoint(self) -> str:
        """Who answers, for the key of an answer: never a secret, never a passing port."""
        ...

    @property
    def model(self) -> str:
        """The model's name, as the endpoint knows it."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the endpoint can do."""
        ...

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request. Pure: the key of the answer is made of it."""
        ...

    async def complete(self, request: CompletionRequest) -> Completion:
        """Asks. The one method that spends.

        Raises:
            AdapterError: one of its kinds; the vendor's own errors never get through.
        """
        ...

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body. Pure, so that an answer can be read again from disk.

        Raises:
            MalformedReply: the body is not what the protocol says.
        """
        ...

    async def aclose(self) -> None:
        """Gives back what `complete` opened."""
        ...


def load_adapter(name: str, *, on_event: EventHandler = ignore) -> Adapter:
    """The adapter of a model's name, such as "local" or "openai:gpt-4.1-mini".

    Raises:
        UsageError: no installed adapter has that name.
    """
    provider, _, model = name.partition(":")
    found = {entry.name: entry for entry in entry_points(group=_GROUP)}
    if provider not in found:
        known = ", ".join(sorted(found)) or "none"
        raise UsageError(
            f"No adapter is called {provider!r} (of the model {name!r}).",
            advice=f"Installed adapters: {known}. A model is named as in openai:gpt-4.1-mini.",
        )
    connect = found[provider].load()
    settings: dict[str, object] = {"on_event": on_event}
    endpoint = _recorded.get({}).get(name)
    if endpoint is not None and "endpoint" in inspect.signature(connect).parameters:
        settings["endpoint"] = endpoint
    adapter: Adapter = connect(model, **settings)
    return adapter


@contextmanager
def as_recorded(endpoints: Mapping[str, str]) -> Iterator[None]:
    """Lets models that are named inside have the endpoints that answered before.

    For what is replayed on a machine whose environment leads elsewhere, or nowhere.

    Args:
        endpoints: as `Adapter.endpoint` has it, by the model's whole name.
    """
    token = _recorded.set(endpoints)
    try:
        yield
    finally:
        _recorded.reset(token)
