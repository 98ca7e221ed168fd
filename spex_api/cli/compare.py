"""`spex compare`: two explanations of one call, or two audits, before and after a change.

It reads files and opens no connection. What this module does not know: what is compared, and when a
change counts as one.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer
from rich.console import Console

from spex_api.audits.comparing import compare_audits
from spex_api.bundles.recorded import is_audit, read_recorded
from spex_api.cli import audit_comparison, comparison, flags
from spex_api.cli.lines import write_json
from spex_api.cli.stored import read_explanation
from spex_api.comparing import compare as compared
from spex_api.errors import SpecError

__all__ = ["compare"]


def compare(
    before: Annotated[
        Path,
        typer.Argument(
            help="An explanation.json or an audit.json, the folder with that file, or the bundle "
            "of an audit (.zip)."
        ),
    ],
    after: Annotated[Path, typer.Argument(help="Another one of the same call, or of an audit.")],
    *,
    json: flags.Json = False,
) -> None:
    """Compares two explanations of a call, before and after a change of prompt, documents or model.

    Says what the answer is worth, which interactions appeared, vanished or changed beyond their
    intervals, which causes are confirmed before and now, and what else differs. Of two audits, that
    is said of each prompt, with how many changes chance alone would show, and of their findings.
    """
    audits = [is_audit(path) for path in (before, after)]
    if all(audits):
        many = compare_audits(read_recorded(before), read_recorded(after))
        if json:
            write_json(audit_comparison.told(many))
        else:
            audit_comparison.render(many, Console())
        return
    if any(audits):
        raise SpecError(
            f"One of {before} and {after} is an audit, and the other is none.",
            advice="Compare two audits, or two explanations: an audit has one in cases/ID.",
        )
    found = compared(read_explanation(before), read_explanation(after))
    if json:
        write_json(comparison.told(found))
    else:
        comparison.render(found, Console())
