"""The prompt in a terminal, by turns, each part tinted by its effect.

The tints are blue and orange, which colour-blind people tell apart, and are read on light and on
dark ground: a weak effect colours the letters, a strong one what is behind them. What this module
does not know: what else a report tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.text import Text

from spex_api.report.shortening import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from spex_api.prompts import Prompt
    from spex_api.report.shortening import Shortened

__all__ = ["print_prompt", "signed"]

_ROOM: Final = 24
"""Lines that a prompt may take before it is cut."""
_WEAK, _STRONG = 0.08, 0.3
"""From these shares of the strongest effect on, letters and the ground behind them are coloured."""

_Colour = tuple[int, int, int]
_LETTERS: Final[tuple[_Colour, _Colour]] = (66, 140, 205), (208, 112, 40)
_MUTED: Final[tuple[_Colour, _Colour]] = (66, 108, 148), (146, 96, 62)
_FULL: Final[tuple[_Colour, _Colour]] = (20, 92, 190), (186, 70, 0)
"""Of the sides up and down. White letters on each ground have a contrast of at least 5 : 1."""
_FEW: Final = "cyan", "yellow"
"""The sides where there are but sixteen colours."""


def print_prompt(prompt: Prompt, effects: Sequence[float], *, console: Console, width: int) -> None:
    """Prints a prompt, and below it what its tints mean and what of it is left out.

    Args:
        prompt: as it was sent.
        effects: shape (num_features,), what keeping each part does.
        console: where to.
        width: of a line.
    """
    shown = shortened(prompt.marked(), effects, room=_ROOM, width=width - 2)
    strongest = max(map(abs, effects), default=0.0) or 1.0
    for number, (role, pieces) in enumerate(shown.turns):
        if number:
            console.print()
        if role:
            console.print(Text(role, style="dim italic"))
        text = Text()
        for piece in pieces:
            if piece.left_out or piece.feature is None:
                style = "dim"
            else:
                style = _tint(effects[piece.feature] / strongest, console.color_system)
            text.append(piece.text, style=style)
            text.append(piece.gap, style="dim" if piece.feature is None else "")
        text.rstrip()
        console.print(Padding(text, (0, 0, 0, 2)), width=width)
    told = [_legend(strongest, console.color_system), _left_out(shown)]
    if any(told):
        console.print()
    for line in filter(None, told):
        console.print(line, width=width)


def signed(value: float, colours: str | None) -> str:
    """The style of a value's side.

    Args:
        value: whose sign counts.
        colours: the console's system of colours; None where it has none.
    """
    side = value <= 0
    return _FEW[side] if colours == "standard" else "rgb({},{},{})".format(*_LETTERS[side])


def _tint(share: float, colours: str | None) -> str:
    """The style of an effect.

    Args:
        share: of the strongest effect, from −1 to 1.
        colours: the console's system of colours.
    """
    side, size = share <= 0, min(abs(share), 1.0)
    if size < _WEAK:
        return ""
    if size < _STRONG:
        return signed(share, colours)
    if colours == "standard":
        return f"black on {_FEW[side]}"
    weight = (size - _STRONG) / (1 - _STRONG)
    ground = (
        round(muted + (full - muted) * weight)
        for muted, full in zip(_MUTED[side], _FULL[side], strict=True)
    )
    return "bold rgb(255,255,255) on rgb({},{},{})".format(*ground)


def _legend(strongest: float, colours: str | None) -> Text | None:
    """What the tints mean, by the tints themselves; nothing where there are none."""
    if colours is None:
        return None
    line = Text("Tint: what keeping a part does on average ", style="dim")
    for share in (-1.0, -0.5, -0.15, 0.15, 0.5, 1.0):
        line.append(f" {share * strongest:+.2g} ", style=f"not dim {_tint(share, colours)}")
    return line


def _left_out(shown: Shortened) -> Text | None:
    if not shown.cut:
        return None
    said = (
        f"Shown are {shown.shown:,} of {shown.features:,} parts: the strongest, with what stands "
        "around them. “…” stands for the rest; report.html has it all."
    )
    return Text(said, style="dim")
