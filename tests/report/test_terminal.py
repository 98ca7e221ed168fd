"""The story in a terminal: it fits, its bars are to scale, and nothing in it acts."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

import spex_api as spex
from spex_api.indices import Interval
from spex_api.report import story, terminal
from spex_api.report.interplay import Interplay, interplay
from spex_api.report.shortening import shortened
from spex_api.report.terminal_bars import Scale
from tests.report.drawn_explanations import drawn, sentences, words

ESCAPES = re.compile(r"\x1b\[[\d;]*m")
FILM = {(): 0.5, (1,): -2.0, (2,): -1.0, (1, 2): 4.0, (4,): 0.1}


def printed(explanation, width=100, colours=None, encoding="utf-8") -> str:
    """What a console of this width and these colours prints."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(
        file=file, width=width, color_system=colours, force_terminal=colours is not None
    )
    terminal.render(explanation, console)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


@pytest.fixture(scope="module")
def film() -> spex.Explanation:
    """Of a film that never fails: both words hurt, and help together."""
    return drawn(FILM, words("It never fails to impress", system="Be just."))


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("colours", [None, "standard", "256", "truecolor"])
def test_no_line_is_longer_than_the_terminal(width, colours, film):
    """At no width and with no colours does a line run over, and the text is the same in all."""
    shown = printed(film, width, colours)
    assert max(cell_len(ESCAPES.sub("", line)) for line in shown.splitlines()) <= width
    assert ("\x1b" in shown) is (colours is not None)
    for said in ("Be just.", "It never fails to impress", "never + fails", "+4.00"):
        assert said in ESCAPES.sub("", shown)


def test_the_story_has_an_order(film):
    """Whose answer, the prompt by roles, what mattered, how sure, and what it cost."""
    shown = printed(film)
    places = [
        shown.index(said)
        for said in (
            f"What moved the answer of {film.provenance.model}",
            "system\n",
            "Be just.",
            "user\n",
            "It never fails",
            "Strongest interactions",
            "alone ",
            "two together ",
            "How sure",
            story.trust(film)[:40],
            "Cost",
            f"Took {story.cost(film)}",
        )
    ]
    assert places == sorted(places)


def test_columns_stand_below_one_another(film):
    """Values of all orders end in one column, and so do the intervals and their bars."""
    rows = [line for line in printed(film).splitlines() if re.search(r"[+-]\d\.\d\d …", line)]
    assert len(rows) == 4
    for pattern in (r"[+-]\d\.\d\d", r"…", r"[+-]\d\.\d\d(?!.*…)"):
        assert len({re.search(pattern, row).end() for row in rows}) == 1
    axes = {row.index("│") for row in rows if "│" in row}
    assert len(axes) == 1


def test_tints_follow_the_effects(film):
    """A strong word has a ground, a weak one coloured letters, and the rest is left as it is."""
    for colours in ("truecolor", "256", "standard"):
        prompt = printed(film, colours=colours).split("Tint:")[0]
        style = {
            each: re.search(rf"(\x1b\[[\d;]*m)?{each}", prompt).group(1)
            for each in ("It", "never", "fails", "impress")
        }
        ground = "4[36]m" if colours == "standard" else "48;"
        assert re.search(ground, style["fails"])
        assert style["It"] in {None, "\x1b[0m"}
        assert style["impress"]
        assert not re.search(ground, style["impress"])


def test_sides_differ_by_sign_and_not_only_by_colour(film):
    """A bar of a negative value runs to the left of the axis, a positive one to the right."""
    rows = {line.split("  ")[0]: line for line in printed(film).splitlines()}
    axis = rows["never"].index("│")
    assert "━" in rows["never"][:axis]
    assert "━" in rows["never + fails"][axis:]
    assert "━" not in rows["never + fails"][:axis]


def test_a_bar_is_to_scale():
    """From 0 to the sure end of the interval, the ends of the interval, and the value."""
    scale = Scale(-5.0, 5.0, 11)
    assert scale.bar(4.0, Interval(2.0, 5.0), style="").plain == "     │━├─●┤"
    assert scale.bar(-4.0, Interval(-5.0, -2.0), style="").plain == "├●─┤━│"[:1] + "●─┤━│"
    assert scale.bar(1.0, Interval(-1.0, 3.0), style="").plain == "    ├─●─┤"
    assert scale.bar(3.0, None, style="").plain == "     │━━●"
    assert scale.bar(0.0, None, style="").plain == "     ●"
    assert scale.heading(decimals=1).plain == "-5.0 0 +5.0"


def test_an_interval_beyond_the_scale_is_cut():
    """Wide intervals do not make the values invisible, and where they are cut it shows."""
    pairs = [(2.0, Interval(-50.0, 54.0)), (1.0, Interval(0.5, 1.5))]
    scale = Scale.of(pairs, width=13)
    assert (scale.low, scale.high) == (-4.0, 4.0)
    assert scale.bar(*pairs[0], style="").plain == "◂────────●──▸"
    assert "├" in Scale.of(pairs[1:], width=30).bar(*pairs[1], style="").plain


def test_a_terminal_that_knows_only_ascii_gets_ascii_bars():
    """Nothing fails where the stream cannot write what is drawn."""
    scale = Scale(-5.0, 5.0, 11, ascii_only=True)
    assert scale.bar(4.0, Interval(2.0, 5.0), style="").plain == "     |=[-o]"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({(0,): 1.0, (1,): 1.0, (0, 1): 2.0}, Interplay.SYNERGY),
        ({(0,): -1.0, (1,): -1.0, (0, 1): -2.0}, Interplay.SYNERGY),
        ({(0,): 1.0, (1,): 1.0, (0, 1): -1.0}, Interplay.REDUNDANCY),
        ({(0,): 1.0, (1,): 1.0, (0, 1): -2.0}, Interplay.ONLY_TOGETHER),
        ({(0,): 3.0, (1,): -3.0, (0, 1): 1.0}, Interplay.OPPOSED),
        ({(0,): 1.0, (1,): 1.0, (0, 1): 0.2}, Interplay.UNSURE),
    ],
)
def test_what_parts_do_together_has_a_word(values, said):
    """By whether the interaction goes the way of its parts, which are held by their averages."""
    explanation = drawn(values, num_features=3)
    effects = story.effects(explanation)
    assert interplay(explanation.interactions, (0, 1), effects) is said
    assert interplay(explanation.interactions, (0,), effects) is None
    shown = printed(explanation)
    assert re.search(rf"^0 \+ 1 .*{said}$", shown, re.MULTILINE)
    assert said.meaning in " ".join(shown.split())


def test_without_intervals_there_is_no_column_of_them():
    """Where the decoder cannot tell, that is said once."""
    shown = printed(drawn(FILM, words("It never fails to impress"), reach=None))
    assert "this decoder cannot tell intervals" in shown
    assert "90 % interval" not in shown


def test_long_names_have_a_line_each():
    """A pair of sentences is told in two lines, each cut where it does not fit."""
    first, second = "The first " + "very " * 20 + "end.", "The second " + "long " * 20 + "end."
    shown = printed(drawn({(0, 1): 2.0}, sentences(first, second)), width=80)
    rows = shown.split("two together")[1].splitlines()[1:3]
    assert rows[0].startswith("[1] → The first very very…")
    assert "+2.00" in rows[0]
    assert rows[1].startswith("+ [2] → The second long")


def test_a_long_prompt_is_cut_to_the_parts_that_matter():
    """Of a thousand words the strong ones are shown with their neighbours, and that is said."""
    text = " ".join(f"w{place}" for place in range(1000))
    long = drawn({(3,): 1.0, (500,): 2.0, (998,): -1.0}, words(text))
    shown = printed(long)
    assert "Good or bad?" in shown
    assert "w498 w499 w500 w501 w502 …" in shown
    assert "w3 " in shown
    assert "w250" not in shown
    assert re.search(r"Shown are \d+ of 1,000 parts", shown)
    assert len(shown.splitlines()) < 40
    assert "Shown are" not in printed(drawn(FILM, words("It never fails to impress")))


def test_a_long_part_shows_its_beginning_and_its_end():
    """One document of ten thousand words does not fill the screen."""
    documents = ["begin " + "middle " * 10_000 + "finis", "short"]
    prompt = sentences(*documents)
    effects = [1.0, 0.0]
    shown = shortened(prompt.marked(), effects, room=24, width=80)
    said = "".join(piece.text for _, pieces in shown.turns for piece in pieces)
    assert "begin" in said
    assert "finis" in said
    assert len(said) < 600


def test_of_many_turns_the_silent_ones_are_told_once():
    """A stretch of turns that do nothing is one line."""
    chat = [
        {"role": ("user", "assistant")[place % 2], "content": f"Message {place}. " + "So. " * 40}
        for place in range(101)
    ]
    prompt = spex.Prompt.from_openai(chat, of=range(101))
    shown = printed(drawn({(80,): 1.0}, prompt))
    assert "Message 80." in shown
    assert "Message 70." not in shown
    assert shown.split("Strongest")[0].count("\n  …") <= 3


def test_nothing_foreign_acts_on_a_terminal():
    """Markup, escapes and direction marks in texts, roles and names are shown as what they are."""
    prompt = words("[bold]x[/bold] :smile: \x1b[31mred \u202eolleh")
    hostile = drawn({(0,): 1.0, (2, 3): 1.0}, prompt)
    source = replace(hostile.provenance, model="[red]m\x1b[2J", meaning="\x1b]0;t\x07[i]")
    for colours in (None, "truecolor"):
        shown = ESCAPES.sub("", printed(replace(hostile, provenance=source), colours=colours))
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", shown)
        for said in ("[bold]x[/bold]", ":smile:", "[red]m"):
            assert said in shown


def test_a_function_that_nothing_moves_has_a_story_too():
    """No interaction at all: that is said, and nothing is divided by it."""
    assert "No part moves the value." in printed(drawn({(): 1.0}, num_features=3))
