"""The line that shows how a run fares."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from spex_api.cli.progress import ProgressLine
from spex_api.events import Notice, Progress


class Screen:
    """A terminal of 160 columns, or a pipe, and a time that the test sets."""

    def __init__(self, *, terminal: bool = True):
        self.time = 0.0
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, force_terminal=terminal, width=160, color_system=None
        )
        self.line = ProgressLine(self.console, now=lambda: self.time)

    def at(self, time: float, event) -> str:
        """The line after an event at this time."""
        self.time = time
        self.line.draw(event)
        return self.shown()

    def shown(self) -> str:
        """The line as it stands now."""
        with self.console.capture() as capture:
            self.console.print(self.line._bar.get_renderable())
        return capture.get()


def test_it_draws_what_was_done_failed_and_spent():
    """Done of all, on disk, sent, failed, under way, sent again, and dollars of the cap."""
    told = Screen().at(
        0.0,
        Progress(
            done=30,
            total=100,
            cached=10,
            sent=24,
            in_flight=5,
            retries=2,
            failed=3,
            usd=0.0123,
            usd_cap=0.5,
        ),
    )
    assert "30/100" in told
    assert "10 on disk, 24 sent, 3 failed, 5 under way, 2 sent again, $0.012 of $0.50" in told


@pytest.mark.parametrize(
    ("usd", "cap", "told"),
    [(None, None, ""), (0.0, None, ""), (0.25, None, ", $0.25"), (0.0, 1.0, ", $0.00 of $1.00")],
)
def test_dollars_are_told_where_there_are_any(usd, cap, told):
    """No price and no cap: no word of dollars."""
    line = Screen().at(0.0, Progress(done=1, total=2, sent=1, usd=usd, usd_cap=cap))
    assert f"0 on disk, 1 sent{told} " in line


def test_the_pace_and_the_rest_follow_from_what_was_sent():
    """Ten answers in six seconds: a hundred a minute, and ninety answers take fifty-four."""
    screen = Screen()
    screen.at(10.0, Progress(done=100, total=200, cached=100, sent=1))
    told = screen.at(16.0, Progress(done=110, total=200, cached=100, sent=11))
    assert "100 a minute, about 0:54 left" in told


def test_answers_from_disk_give_no_estimate():
    """What came from disk in no time says nothing of the endpoint's pace."""
    screen = Screen()
    screen.at(0.0, Progress(done=1, total=200, cached=1))
    assert "left" not in screen.at(5.0, Progress(done=100, total=200, cached=100))


def test_a_wait_counts_down_and_ends_with_the_next_answer():
    """The line says how long is still to wait, until the time is over or an answer has come."""
    screen = Screen()
    assert "Asking" in screen.at(0.0, Progress(done=1, total=9, sent=1))
    assert "Waiting 30 s" in screen.at(1.0, Notice("Too fast. Trying again in 30 s.", wait=30.0))
    screen.time = 11.0
    assert "Waiting 20 s" in screen.shown()
    assert "Waiting" in screen.at(12.0, Progress(done=1, total=9, sent=2, failed=1))
    assert "Asking" in screen.at(13.0, Progress(done=2, total=9, sent=3))
    screen.at(14.0, Notice("Too fast.", wait=5.0))
    screen.time = 19.5
    assert "Asking" in screen.shown()


def test_notices_are_printed_and_harmless():
    """Each is a line of its own; what would move the cursor is taken out."""
    screen = Screen()
    screen.at(0.0, Notice("The server says \x1b[2Jboo [bold]."))
    assert "boo [bold]." in screen.file.getvalue()
    assert "\x1b[2J" not in screen.file.getvalue()


def test_thousands_of_events_are_few_drawings():
    """Between two drawings a tenth of a second passes; the last event of a round is drawn."""
    screen = Screen()
    assert "1/5000" in screen.at(1.0, Progress(done=1, total=5000, cached=1))
    assert "1/5000" in screen.at(1.05, Progress(done=900, total=5000, cached=900))
    assert "950/5000" in screen.at(1.2, Progress(done=950, total=5000, cached=950))
    assert "5000/5000" in screen.at(1.21, Progress(done=5000, total=5000, cached=5000))


def test_without_a_terminal_one_line_ends_it():
    """In a pipe there is no bar: the notices, and at the end what came of it."""
    screen = Screen(terminal=False)
    with screen.line as line:
        line.draw(Notice("Decoding."))
        line.draw(Progress(done=1, total=3, sent=1))
        line.draw(Progress(done=3, total=3, sent=4, failed=1, retries=1, usd=0.002))
    assert screen.file.getvalue() == (
        "Decoding.\nAnswers: 3 (0 on disk, 4 sent, 1 failed, 1 sent again, $0.002).\n"
    )


def test_a_run_without_an_answer_says_nothing():
    """Where nothing was asked there is nothing to count."""
    screen = Screen(terminal=False)
    with screen.line:
        pass
    assert screen.file.getvalue() == ""
