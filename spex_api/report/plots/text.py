"""The prompt as a heat map: each part on a ground that tells what keeping it does on average."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.text import Annotation

from spex_api.errors import UsageError
from spex_api.report import story
from spex_api.report.plots.canvas import (
    INERT,
    colour,
    diverging,
    drawable,
    ink,
    meaning,
    mixed,
    paper,
    text_width,
    titled,
)
from spex_api.report.shortening import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

    from spex_api.explanation import Explanation
    from spex_api.report.plots.canvas import Tone
    from spex_api.report.shortening import Piece, Shortened

__all__ = ["Passage", "draw", "size"]

_WIDTH: Final = 7.2
"""Of a figure of its own, in inches."""
_FRAME: Final = 1.45
"""Inches above and below the text: title and colours."""
_MARGIN: Final = 0.2
_LINE: Final = 1.62
"""The height of a line in letters."""
_SMALLEST: Final = 4.0
_BETWEEN: Final = 0.5
"""Lines between two turns."""
_BLANK: Final = 1.3
"""A blank is wider by this than the font has it, for the grounds reach beyond their words."""
_TOKENS: Final = re.compile(r"\s+|\S+")


@dataclass(frozen=True, slots=True)
class _Run:
    """Some words of one part that stand in one line.

    Attributes:
        text: the words.
        left: where they begin, in points.
        line: counted from 0; between two turns there is half a line.
        feature: the number of the feature; None where it is pinned.
        role: whether it is the name of a turn's role.
    """

    text: str
    left: float
    line: float
    feature: int | None
    role: bool = False


def draw(explanation: Explanation, ax: Axes, *, lines: int = 40) -> Axes:
    """Draws the prompt by turns; where it is long, the parts that matter.

    Args:
        explanation: what is drawn.
        ax: where; the letters are as large as fits.
        lines: how many lines of the prompt are shown at most, about.

    Raises:
        UsageError: a function was explained, which has no prompt.
    """
    shown, effects = _shown(explanation, lines)
    _draw_scale(explanation, ax, _strongest(effects))
    beneath = "on average over all contexts"
    if shown.cut:
        beneath += f"; shown are {shown.shown:,} of {shown.features:,} parts, the strongest"
    titled(ax, "What each part does", beneath)
    ax.set_axis_off()
    ax.add_artist(Passage(ax, shown, effects))
    return ax


def size(explanation: Explanation, *, lines: int = 40) -> tuple[float, float]:
    """Width and height in inches that fit."""
    shown, _ = _shown(explanation, lines)
    points = float(mpl.rcParams["font.size"])
    runs = _runs(shown, width=72 * (_WIDTH - _MARGIN), points=points)
    return _WIDTH, _FRAME + _height(runs) * _LINE * points / 72


def _shown(explanation: Explanation, lines: int) -> tuple[Shortened, list[float]]:
    if explanation.prompt is None:
        raise UsageError(
            "A function was explained, and it has no text to draw.",
            advice="Take another plot, such as 'interactions'.",
        )
    effects = story.effects(explanation)
    return shortened(explanation.prompt.marked(), effects, room=lines, width=85), effects


def _draw_scale(explanation: Explanation, ax: Axes, strongest: float) -> None:
    colours = ScalarMappable(Normalize(-strongest, strongest), diverging(ax))
    bar = ax.figure.colorbar(
        colours, ax=ax, location="bottom", shrink=0.6, aspect=40, pad=0.03, fraction=0.08
    )
    bar.set_label(meaning(explanation), **INERT)
    bar.outline.set_visible(False)


def _strongest(effects: Sequence[float]) -> float:
    return max(map(abs, effects), default=0.0) or 1.0


class Passage(Artist):
    """The words of a prompt, laid out anew whenever their axes have another size.

    Attributes:
        words: what was drawn last.
    """

    def __init__(self, ax: Axes, shown: Shortened, effects: Sequence[float]) -> None:
        super().__init__()
        self._ax = ax
        self._shown, self._effects = shown, effects
        self._size = 0.0, 0.0
        self.words: list[Annotation] = []
        self.set_in_layout(False)

    def draw(self, renderer: RendererBase) -> None:
        """Draws the words, in the largest letters with which they fit."""
        if not self.get_visible():
            return
        box, scale = self._ax.get_window_extent(), 72 / self._ax.figure.dpi
        size = box.width * scale, box.height * scale
        if size != self._size:
            self._size = size
            points, runs = _fitting(self._shown, width=size[0], height=size[1])
            self.words = [self._set(run, points) for run in runs]
        for word in self.words:
            word.draw(renderer)

    def _set(self, run: _Run, points: float) -> Annotation:
        word = Annotation(
            run.text,
            (0.0, 1.0),
            xycoords="axes fraction",
            xytext=(run.left, -(run.line + 0.8) * _LINE * points),
            textcoords="offset points",
            va="baseline",
            fontsize=points * (0.85 if run.role else 1.0),
            annotation_clip=False,
            **self._look(run),
            **INERT,
        )
        word.set_figure(self._ax.figure)
        word.axes = self._ax
        return word

    def _look(self, run: _Run) -> dict[str, Any]:
        """The colours of some words."""
        if run.feature is None:
            style = "italic" if run.role else "normal"
            return {"color": mixed(self._ax, ink(), 0.55), "style": style}
        effect = self._effects[run.feature]
        ground = mixed(self._ax, colour(effect), abs(effect) / _strongest(self._effects))
        letters = max((ink(), paper(self._ax)), key=lambda each: _contrast(each, ground))
        return {
            "color": letters,
            "bbox": {"boxstyle": "round,pad=0.13", "facecolor": ground, "linewidth": 0},
        }


def _fitting(shown: Shortened, *, width: float, height: float) -> tuple[float, list[_Run]]:
    """The largest letters with which the text fits into so many points, and where words stand."""
    points = float(mpl.rcParams["font.size"])
    while True:
        runs = _runs(shown, width=width, points=points)
        if _height(runs) * _LINE * points <= height or points <= _SMALLEST:
            return points, runs
        points -= 0.5


def _contrast(letters: Tone, ground: Tone) -> float:
    """The contrast of WCAG 2: the ratio of the luminances."""
    light, dark = sorted((_luminance(letters), _luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(tone: Tone) -> float:
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in tone)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _height(runs: Sequence[_Run]) -> float:
    """In lines."""
    return 1 + max((run.line for run in runs), default=0.0)


def _runs(shown: Shortened, *, width: float, points: float) -> list[_Run]:
    """Where the words stand, turn by turn."""
    runs: list[_Run] = []
    for role, pieces in shown.turns:
        first = _height(runs) + _BETWEEN if runs else 0.0
        if role:
            runs.append(_Run(role, 0.0, first, None, role=True))
            first += 1
        flow = _Flow(width, points, line=first)
        for piece in pieces:
            flow.add(piece)
        runs.extend(flow.runs)
    return runs


@dataclass(slots=True)
class _Flow:
    """Words on their way into lines; those of one part that follow one another are one run."""

    width: float
    points: float
    line: float
    runs: list[_Run] = field(default_factory=list)
    at: float = 0.0
    apart: bool = False

    def add(self, piece: Piece) -> None:
        """Sets the words of a part behind those that stand there."""
        fresh = True
        for token in _TOKENS.findall(piece.text + piece.gap):
            if "\n" in token:
                # One empty line is kept, and none before the first word.
                self.line += min(token.count("\n"), 2) if self.runs else 0
                self.at, self.apart, fresh = 0.0, False, True
            elif token.isspace():
                self.apart = True
            else:
                for word in _chunks(drawable(token), width=self.width, points=self.points):
                    fresh = self._set(word, piece.feature, fresh=fresh)

    def _set(self, word: str, feature: int | None, *, fresh: bool) -> bool:
        """Sets a word; false, since what follows need not begin a run."""
        space = _BLANK * text_width(" ", self.points) if self.apart and self.at else 0.0
        needed = text_width(word, self.points)
        if self.at and self.at + space + needed > self.width:
            self.line += 1
            self.at, space, fresh = 0.0, 0.0, True
        if fresh:
            self.runs.append(_Run(word, self.at + space, self.line, feature))
        else:
            last = self.runs[-1]
            self.runs[-1] = replace(last, text=last.text + (" " if space else "") + word)
        self.at += space + needed
        self.apart = False
        return False


def _chunks(word: str, *, width: float, points: float) -> Iterator[str]:
    """A word, cut where it is longer than a line."""
    while word and text_width(word, points) > width:
        fits = max(int(len(word) * width / text_width(word, points) * 0.95), 1)
        yield word[:fits]
        word = word[fits:]
    if word:
        yield word
