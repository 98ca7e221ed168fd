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
from spex_api.cli.stored import read_explanation
from spex_api.comparing import compare as compared

__all__ = ["compare"]


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
    found = compared(read_explanation(before), read_explanation(after))
    if json:
        write_json(comparison.told(found))
    else:
        comparison.render(found, Console())
