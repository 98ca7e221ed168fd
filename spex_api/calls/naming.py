"""The name by which we ask whoever answered a call, such as "openai:gpt-4.1-mini".

A prompt is never sent to another place than the call was: where the adapter of its dialect would
ask elsewhere, as its environment stands, that is refused with what to set. What this module does
not know: any adapter, and whether a key is there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from spex_api.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spex_api.calls.asked import Asked

__all__ = ["model_name"]

_PATHS: Final = ("/chat/completions", "/responses", "/v1/messages", "/messages")
_HOMES: Final = {
    "openai": ("OPENAI_BASE_URL", "https://api.openai.com/v1", ".openai.com"),
    "anthropic": ("ANTHROPIC_BASE_URL", "https://api.anthropic.com", ".anthropic.com"),
}
"""By adapter: the variable that says where it asks, where it asks without, and its own hosts."""
_AZURE_HOSTS: Final = (".openai.azure.com", ".cognitiveservices.azure.com", ".ai.azure.com")
_AZURE_URL: Final = "AZURE_OPENAI_ENDPOINT"
_DEPLOYMENTS: Final = "/openai/deployments/"
_OR: Final = "Or name another whom to ask, as in --model openai:gpt-4.1-mini."
_NAME_IT: Final = "Say who is to be asked, as in --model openai:gpt-4.1-mini."


def model_name(asked: Asked, *, environ: Mapping[str, str] = os.environ) -> str:
    """The model's name as `explain` takes it.

    Args:
        asked: the call.
        environ: what says where the adapters ask.

    Raises:
        SpecError: the call does not say which model it asked, or no adapter of ours would ask
            where it went.
    """
    if not asked.model:
        raise SpecError("The call does not say which model it asked.", advice=_NAME_IT)
    adapter = asked.provider or ("anthropic" if asked.wire == "anthropic.messages" else "openai")
    if not asked.url and adapter in (*_HOMES, "azure"):
        return f"{adapter}:{asked.model}"
    if not asked.url or adapter not in (*_HOMES, "azure"):
        raise SpecError(
            f"The call was answered by {adapter!r}, which no adapter of ours is named after.",
            advice=_NAME_IT,
        )
    parts = urlsplit(asked.url)
    host = "." + (parts.hostname or "")
    if adapter == "azure" or (adapter == "openai" and host.endswith(_AZURE_HOSTS)):
        return _at_azure(asked, f"{parts.scheme}://{parts.netloc}", parts.path, environ)
    place = _place(asked.url)
    variable, usual, own = _HOMES[adapter]
    if _same(place, environ.get(variable) or usual):
        return f"{adapter}:{asked.model}"
    if adapter == "openai" and not host.endswith(own):
        return f"http:{place}#{asked.model}"
    raise SpecError(
        f"The call went to {place}, and {adapter}:{asked.model} would be asked at "
        f"{environ.get(variable) or usual}.",
        advice=f"Set {variable}={place} to ask where it went. {_OR}",
    )


def _at_azure(asked: Asked, resource: str, path: str, environ: Mapping[str, str]) -> str:
    """The deployment, which stands in the path, or in a newer path as the model."""
    _, _, behind = path.partition(_DEPLOYMENTS)
    deployment = unquote(behind.partition("/")[0]) or asked.model
    where = environ.get(_AZURE_URL, "").strip()
    if where and not _same(resource, where.rstrip("/").removesuffix("/openai")):
        raise SpecError(
            f"The call went to {resource}, and azure:{deployment} would be asked at {where}.",
            advice=f"Set {_AZURE_URL}={resource} to ask where it went. {_OR}",
        )
    return f"azure:{deployment}"


def _place(url: str) -> str:
    """The address that an adapter takes: what stands before the path of its dialect."""
    whole = url.rstrip("/")
    for path in _PATHS:
        if whole.endswith(path):
            return whole.removesuffix(path)
    raise SpecError(
        f"The call went to {url}, which ends in no path that is known.", advice=_NAME_IT
    )


def _same(one: str, other: str) -> bool:
    """Whether two addresses are one; Anthropic's may end in /v1 or not."""
    return _normal(one) == _normal(other)


def _normal(url: str) -> str:
    parts = urlsplit(url.strip())
    standing = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if parts.port in (None, standing) else f":{parts.port}"
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{(parts.hostname or '').lower()}{port}{path}"
