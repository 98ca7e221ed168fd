"""`spex report`: an explanation told again, from its file alone.

It asks no model and opens no connection. What this module does not know: how a story, a page or a
table is made.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from spex_api.cli import flags  # noqa: TC001 - typer reads the annotations
from spex_api.cli.delivery import check_folder
from spex_api.cli.lines import write_json
from spex_api.cli.stored import read_explanation
from spex_api.errors import SpecError
from spex_api.explanation_schema import schema_text
from spex_api.report import machine, terminal
from spex_api.report.naming import listed
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.explanation import Explanation

__all__ = ["Format", "report"]


class Format(StrEnum):
    """How it is told; the value is what a user types."""

    TERMINAL = "terminal"
    HTML = "html"
    CSV = "csv"


_FILES: Final = {Format.HTML: "report.html", Format.CSV: "interactions.csv"}


def report(
    explanation: Annotated[
        Path | None, typer.Argument(help="An explanation.json, or the folder with that file.")
    ] = None,
    *,
    out: flags.Out = Path(),
    formats: Annotated[
        list[Format],
        typer.Option("--format", help="What is made of it; may be given again."),
    ] = [Format.TERMINAL, Format.HTML],  # noqa: B006 - typer's, and never changed
    json: flags.Json = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the file, and be done.")
    ] = False,
) -> None:
    """Tells an explanation again: the story here, report.html and interactions.csv in a folder.

    With --json the object of `spex explain` stands on stdout in the story's place. Nothing is asked
    and nothing is paid.
    """
    if schema != (explanation is None):
        raise SpecError(
            "There is nothing to report." if explanation is None else "--schema is of every file.",
            advice="Give an explanation.json, or the folder with it; or --schema alone.",
        )
    if explanation is None:
        sys.stdout.write(schema_text())
        return
    files = [each for each in dict.fromkeys(formats) if each in _FILES]
    if files:
        check_folder(out)
    found = read_explanation(explanation)
    written = [_written(found, each, out / _FILES[each]) for each in files]
    if json:
        write_json(machine.told(found))
    else:
        _tell(found, written, with_story=Format.TERMINAL in formats)


def _written(explanation: Explanation, how: Format, path: Path) -> Path:
    """The file, once it is there.

    Raises:
        SpecError: it cannot be written.
    """
    write = explanation.to_html if how is Format.HTML else explanation.to_csv
    try:
        write(path)
    except OSError as error:
        raise SpecError(
            f"{path} cannot be written: {error.strerror or error}.",
            safe="The explanation's own file is as it was.",
            advice="Name another folder with --out.",
        ) from None
    return path


def _tell(explanation: Explanation, written: Sequence[Path], *, with_story: bool) -> None:
    console = Console()
    if with_story:
        terminal.render(explanation, console)
    if written:
        said = f"Wrote {listed([str(path) for path in written])}."
        console.print(Text(harmless(said), style="dim"))
