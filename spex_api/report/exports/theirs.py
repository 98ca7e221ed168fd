"""Other people's packages, loaded only by who asks for them.

What this module does not know: what is made of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from spex_api.errors import MissingExtra

__all__ = ["load"]


def load(package: str, *, asked: str) -> Any:  # noqa: ANN401 - a module of a package without types
    """A package that is no dependency of ours.

    Args:
        package: its name.
        asked: what needs it, as it is written in Python.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module(package)
    except ImportError:
        raise MissingExtra(
            f"{asked} needs the package {package}, which is not installed.",
            advice=f'Run: python -m pip install "spex-api[exports]", or {package} alone.',
        ) from None
