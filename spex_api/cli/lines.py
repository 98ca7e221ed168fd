"""Lines and objects on stdout, of which nothing acts on a terminal.

What this module does not know: what is said.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from spex_api.report.story import harmless

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = ["counted", "say", "write_json"]


def say(line: str) -> None:
    """One line for a person."""
    sys.stdout.write(harmless(line) + "\n")


def write_json(told: JsonObject) -> None:
    """One object for a machine, in ASCII."""
    sys.stdout.write(json.dumps(told) + "\n")


def counted(count: int, one: str, many: str = "") -> str:
    """So many of them, with their noun; without a plural of its own it ends in s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
