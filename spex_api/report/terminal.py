"""The story in a terminal: the marked-up prompt, the strongest interactions, and how sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from spex_api.claims import Kind
from spex_api.report import causes, story
from spex_api.report.interplay import Interplay, interplay
from spex_api.report.story import harmless
from spex_api.report.terminal_prompt import print_prompt
from spex_api.report.terminal_table import Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from spex_api.explanation import Explanation
    from spex_api.transforms import Support

__all__ = ["render"]

_ROWS: Final = 8
_ROUNDING: Final = 1e-9
"""A value that is smaller than this share of the largest is none."""
_WIDEST: Final = 120
"""Longer lines are hard to read."""


def render(explanation: Explanation, console: Console) -> None:
    """Prints the story. Colours appear only where the console has them."""
    width = min(console.width, _WIDEST)
    source, effects = explanation.provenance, story.effects(explanation)
    console.print()
    console.print(Text(f"What moved the answer of {harmless(source.model)}", style="bold"))
    if explanation.prompt is not None:
        console.print()
        print_prompt(explanation.prompt, effects, console=console, width=width)
    console.print()
    _print_causes(explanation, console, width=width)
    _print_interactions(explanation, effects, console=console, width=width)
    console.print()
    _print_ending(explanation, console, width=width)


def _print_causes(explanation: Explanation, console: Console, *, width: int) -> None:
    """What was put to the test, the verdict first; the trials where no sentence has them all."""
    tested = explanation.causes
    if tested is None:
        return
    console.print(Text("Causes", style="bold"))
    console.print(Text(harmless(causes.verdict(tested))), width=width)
    for cause in tested.causes:
        told = causes.sentence(explanation, cause)
        style = "" if cause.confirmed else "dim"
        console.print(Text(harmless(f"- {told}"), style=style), width=width)
    if any(cause.kind is Kind.MIXED for cause in tested.causes):
        table = Table(box=None, pad_edge=False)
        table.add_column("trial", overflow="fold")
        table.add_column("flipped", justify="right")
        for row in causes.tried(explanation):
            table.add_row(Text(harmless(row.changed)), f"{row.flipped} of {row.asked}")
        console.print(table, width=width)
    console.print(Text(harmless(causes.method(explanation)), style="dim"), width=width)
    console.print()


def _print_interactions(
    explanation: Explanation, effects: Sequence[float], *, console: Console, width: int
) -> None:
    """The strongest interactions of each order, all on one scale."""
    found = explanation.interactions
    console.print(Text("Strongest interactions", style="bold"))
    told = f"{found.index}, order {found.order}; {explanation.provenance.meaning}"
    if not found.intervals:
        told += "; this decoder cannot tell intervals"
    console.print(Text(harmless(told), style="dim"), width=width)
    lists = _told(explanation)
    shown = [support for _, supports in lists for support in supports]
    if not shown:
        console.print(Text("No part moves the value.", style="dim"))
        return
    sheet = Sheet.of(explanation, effects, shown, console=console, width=width)
    words: set[Interplay] = set()
    for heading, supports in lists:
        console.print()
        console.print(sheet.table(heading, supports))
        of_size = sum(len(support) == len(supports[0]) for support in found)
        weaker = of_size - len(supports) if len(supports) == _ROWS else 0
        if weaker:
            console.print(Text(f"… and {weaker:,} weaker", style="dim"))
        words.update(filter(None, (interplay(found, each, effects) for each in supports)))
    if words:
        said = "; ".join(f"{word}: {word.meaning}" for word in Interplay if word in words)
        console.print()
        console.print(Text(f"{said[0].upper()}{said[1:]}.", style="dim"), width=width)


def _told(explanation: Explanation) -> list[tuple[str, list[Support]]]:
    """The strongest interactions of each order, without those that only rounding has made."""
    found = explanation.interactions
    least = _ROUNDING * max(map(abs, found.values()), default=0.0)
    lists = [
        (heading, [each for each in supports if abs(found[each]) > least])
        for heading, supports in story.by_order(explanation, _ROWS)
    ]
    return [(heading, supports) for heading, supports in lists if supports]


def _print_ending(explanation: Explanation, console: Console, *, width: int) -> None:
    """How far to trust it, and what it took."""
    for heading, said, style in (
        ("How sure", story.trust(explanation), ""),
        ("Cost", f"Took {story.cost(explanation)}.", "dim"),
    ):
        console.print(Text(heading, style="bold"))
        console.print(Padding(Text(harmless(said), style=style), (0, 0, 0, 2)), width=width)
