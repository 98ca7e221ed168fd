"""The story in a terminal: the marked-up prompt, the strongest interactions, and how sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from spex_api.claims import Kind
from spex_api.report import causes, story
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from rich.console import Console

    from spex_api.explanation import Explanation
    from spex_api.transforms import Support

__all__ = ["render"]

_ROWS = 8
_BAR = 10
_UP, _DOWN = (34, 120, 86), (178, 58, 58)


def render(explanation: Explanation, console: Console) -> None:
    """Prints the story. Colours appear only where the console has them."""
    console.print()
    if explanation.prompt is not None:
        console.print(_marked_up(explanation, rich_colours=console.color_system != "standard"))
        console.print(
            "Tint: how far keeping a part moves the value on average; green up, red down.",
            style="dim",
        )
        console.print()
    _print_causes(explanation, console)
    found = explanation.interactions
    title = f"Strongest interactions ({found.index}, order {found.order}; "
    console.print(Text(title + harmless(explanation.provenance.meaning) + ")", style="bold"))
    for heading, supports in story.by_order(explanation, _ROWS):
        console.print(_table(heading, supports, explanation))
    console.print()
    console.print(Text(harmless(story.trust(explanation))))
    console.print(Text(harmless(f"Took {story.cost(explanation)}."), style="dim"))


def _print_causes(explanation: Explanation, console: Console) -> None:
    """What was put to the test, the verdict first; the trials where no sentence has them all."""
    tested = explanation.causes
    if tested is None:
        return
    console.print(Text("Causes", style="bold"))
    console.print(Text(harmless(causes.verdict(tested))))
    for cause in tested.causes:
        told = causes.sentence(explanation, cause)
        console.print(Text(harmless(f"- {told}"), style="" if cause.confirmed else "dim"))
    if any(cause.kind is Kind.MIXED for cause in tested.causes):
        table = Table(box=None, pad_edge=False)
        table.add_column("trial", overflow="fold")
        table.add_column("flipped", justify="right")
        for row in causes.tried(explanation):
            table.add_row(Text(harmless(row.changed)), f"{row.flipped} of {row.asked}")
        console.print(table)
    console.print(Text(harmless(causes.method(explanation)), style="dim"))
    console.print()


def _marked_up(explanation: Explanation, *, rich_colours: bool) -> Text:
    """The prompt as it was sent, each feature tinted by its effect."""
    prompt = explanation.prompt
    text = Text()
    if prompt is None:
        return text
    effects = story.effects(explanation)
    strongest = max(map(abs, effects), default=0.0) or 1.0
    for _, parts in prompt.marked():
        for part, feature in ((each.part, each.feature) for each in parts):
            style = (
                "dim"
                if feature is None
                else _tint(effects[feature] / strongest, rich_colours=rich_colours)
            )
            text.append(harmless(part.text), style=style)
            text.append(harmless(part.gap))
        text.append("\n")
    return text


def _tint(share: float, *, rich_colours: bool) -> str:
    """A background from nothing (0) to full (±1); with eight colours only, the strong third."""
    if not rich_colours:
        return "" if abs(share) < 1 / 3 else "black on green" if share > 0 else "white on red"
    if abs(share) < 0.1:
        return ""
    weight = 0.25 + 0.75 * min(abs(share), 1.0)
    mixed = (round(30 + (part - 30) * weight) for part in (_UP if share > 0 else _DOWN))
    return "bold white on rgb({},{},{})".format(*mixed)


def _table(heading: str, supports: list[Support], explanation: Explanation) -> Table:
    found = explanation.interactions
    longest = max(map(abs, found.values()), default=0.0) or 1.0
    table = Table(box=None, pad_edge=False)
    table.add_column(heading, overflow="fold", min_width=24)
    table.add_column("value", justify="right")
    table.add_column("90 % interval", justify="right", min_width=17)
    table.add_column("")
    for support in supports:
        value, interval = found[support], found.intervals.get(support)
        bar = "█" * round(_BAR * abs(value) / longest) or "▏"
        table.add_row(
            Text(harmless(story.words(explanation, support))),
            f"{value:+.3f}",
            f"{interval.low:+.3f} … {interval.high:+.3f}" if interval else "not known",
            Text(bar, style="green" if value > 0 else "red"),
        )
    return table
