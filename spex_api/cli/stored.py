"""An explanation from a file that somebody names.

What this module does not know: what is done with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from spex_api.errors import SpecError
from spex_api.explanation import Explanation

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_explanation"]

_LONGEST_FILE: Final = 256 * 2**20
"""Bytes: no explanation is that long."""


def read_explanation(given: Path) -> Explanation:
    """The explanation in a file, or in the folder with it.

    Raises:
        SpecError: the file cannot be read.
        UsageError: it is no explanation of this version.
    """
    path = given / "explanation.json" if given.is_dir() else given
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise SpecError(f"{path} is far longer than any explanation.")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SpecError(
            f"{path} cannot be read: {reason}.",
            advice="Give the explanation.json that spex explain wrote, or the folder with it.",
        ) from None
    if not text.lstrip().startswith("{"):
        raise SpecError(
            f"{path} is no explanation: it holds no JSON object.",
            advice="Give the explanation.json that spex explain wrote, or the folder with it.",
        )
    return Explanation.from_json(text)
