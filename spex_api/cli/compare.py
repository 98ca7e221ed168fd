"""`spex compare`: two explanations of one call, before and after a change.

It reads files and opens no connection. What this module does not know: what is compared, and when a
change counts as one.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer
from rich.console import Console

from spex_api.cli import comparison, flags
from spex_api.cli.lines import write_json
from spex_api.comparing import compare as compared
from spex_api.errors import SpecError
from spex_api.explanation import Explanation

__all__ = ["compare"]

_LONGEST_FILE = 256 * 2**20
"""Bytes: no explanation is that long."""


def compare(
    before: Annotated[
        Path, typer.Argument(help="An explanation.json, or the folder with that file.")
    ],
    after: Annotated[Path, typer.Argument(help="Another one of the same call.")],
    *,
    json: flags.Json = False,
) -> None:
    """Compares two explanations of a call, before and after a change of prompt, documents or model.

    Says what the answer is worth, which interactions appeared, vanished or changed beyond their
    intervals, which causes are confirmed before and now, and what else differs.
    """
    found = compared(_read(before), _read(after))
    if json:
        write_json(comparison.told(found))
    else:
        comparison.render(found, Console())


def _read(given: Path) -> Explanation:
    """The explanation in a file.

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
