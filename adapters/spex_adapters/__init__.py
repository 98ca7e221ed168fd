"""Adapters: one file a provider. Nothing here is imported before a model is named.

Beside them, `record` makes a user's own client remember its calls, and `calls` names what these are
made for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spex_adapters.recording import calls, record

__all__ = ["calls", "record"]


def __getattr__(name: str) -> object:
    """Loads a public name from its module, and keeps it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.recording"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__
