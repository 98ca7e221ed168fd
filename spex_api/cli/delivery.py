"""What a run leaves behind, and how it ends: two files, the story or one JSON object, a status.

What this module does not know: how the explanation came about.
"""

from __future__ import annotations

import json as json_text
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console

from spex_api.errors import SpecError
from spex_api.report import machine, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from spex_api.completions import JsonObject
    from spex_api.explanation import Explanation

__all__ = ["PARTIAL", "check_folder", "deliver", "interruptible"]

PARTIAL: Final = 3
"""The exit status of a run that its budget ended, with a partial result saved."""
_INTERRUPTED: Final = 130


@contextmanager
def interruptible(*, resumes: bool = False) -> Iterator[None]:
    """Ends the command with the shell's own status where Ctrl-C breaks it off.

    Args:
        resumes: whether it is said that the same command goes on from there.

    Raises:
        Exit: it was broken off.
    """
    try:
        yield
    except KeyboardInterrupt:
        if resumes:
            Console(stderr=True).print(
                "spex: Stopped. Every answer that came is on disk: the same command goes on from "
                "there, and pays for nothing twice."
            )
        raise typer.Exit(_INTERRUPTED) from None


def check_folder(out: Path) -> None:
    """Lets pass a folder that can receive files; where it alone is missing, it is made.

    Raises:
        SpecError: it is no folder, and cannot be one.
    """
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise SpecError(
            f"--out {out} is no folder, and cannot be made: {error.strerror}.",
            cost="Nothing was sent.",
        ) from None


def deliver(
    explanation: Explanation,
    out: Path,
    *,
    json: bool,
    told: Callable[[Explanation], JsonObject] = machine.told,
    run: str = "",
) -> None:
    """Writes both files, and tells the story or the JSON object.

    Args:
        explanation: what came out.
        out: the folder that receives the files.
        json: whether stdout is for a machine.
        told: makes the JSON object.
        run: the run's name, where it has one.

    Raises:
        Exit: the result is partial.
    """
    explanation.to_json(out / "explanation.json")
    explanation.to_html(out / "report.html")
    if json:
        line = json_text.dumps(told(explanation), ensure_ascii=False, allow_nan=False)
        sys.stdout.write(line + "\n")
    else:
        console = Console()
        terminal.render(explanation, console)
        console.print(f"Wrote {out / 'explanation.json'} and {out / 'report.html'}.", style="dim")
        if run:
            said = f"This run is {run}; from disk alone again: spex replay {run}"
            console.print(said, style="dim", highlight=False)
    if not explanation.complete:
        raise typer.Exit(PARTIAL)
