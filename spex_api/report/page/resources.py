"""Style sheets and scripts as they stand beside the code, and by what a policy knows them."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

__all__ = ["digest", "resource"]


@cache
def resource(name: str, package: str = __package__) -> str:
    """The text of a file that is installed with a package; by default the explanation's page."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """By which a policy knows a script or a style sheet (CSP level 2)."""
    digested = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digested).decode()}'"
