"""Whole runs through every kind of failure: what comes out, what was paid, and no secret in it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from spex_api.cli.app import run
from spex_api.querying import retry, throttle
from spex_api.testing import FaultServer, Script, faults

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-test-8c1fe02b7d5a4e90b3"
SPEC = """
model = "openai:toy"
[prompt]
template = "Positive or negative? {text}"
text = "a good plot and a bad end, never slow, yet never good, so bad"
[score]
labels = ["positive", "negative"]
[decode]
decoder = "lasso"
[budget]
requests = 60
[limits]
concurrency = 4
"""

PASSING = {
    "429 without a hint": faults.RATE_LIMITED,
    "429 in milliseconds": faults.retry_after_ms(20),
    "429 until a token limit resets": faults.reset_tokens("20ms"),
    "429 in a body": faults.retry_info("0.02s"),
    "ramp": faults.ramp_limited(0.02),
    "overloaded": faults.OVERLOADED,
    "500": faults.SERVER_ERROR,
    "503": faults.UNAVAILABLE,
    "an error in a 200": faults.ERROR_IN_200,
    "an empty body": faults.EMPTY_BODY,
    "a body that is no JSON": faults.NOT_JSON,
    "a truncated body": faults.TRUNCATED_JSON,
    "a reset in the middle": faults.RESET_MID_BODY,
    "a reset before an answer": faults.RESET_BEFORE_ANSWER,
}
REFUSED = {name for name in PASSING if name.startswith("429")} | {"ramp"}
"""Nobody pays for what an endpoint refuses; other attempts stay charged, since nobody knows."""
BILLED = {"a truncated body", "a reset in the middle"}
"""An endpoint that began an answer bills it, though nobody can read it."""

ENDING = {
    "no credit": (faults.QUOTA_EXHAUSTED, 4, "no credit left"),
    "a refused key": (faults.KEY_REFUSED, 4, "refused the key"),
    "a forbidden model": (faults.FORBIDDEN, 4, "may not ask"),
    "a wait of months": (faults.RETRY_AFTER_MONTHS, 3, "days, until"),
    "an unknown model": (faults.MODEL_UNKNOWN, 1, "knows no model"),
    "a redirect": (faults.redirect(), 1, "redirects are not followed"),
    "dropped log-probs": (faults.LOGPROBS_DROPPED, 2, "log-probs"),
    "zeros": (faults.ALL_ZERO, 2, "0"),
    "-9999": (faults.ALL_NINES, 2, "−9999"),
    "masses above 1": (faults.MASS_ABOVE_ONE, 2, "1"),
}
ONE_CALL = {"no credit", "a refused key", "a forbidden model", "a wait of months", "zeros", "-9999"}


@pytest.fixture
def explain(tmp_path, monkeypatch, capsys, caplog, answers):
    """Runs `spex explain` against a server, and looks for the key in all that it leaves behind."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(retry, "_backoff", lambda state: 0.01)
    monkeypatch.setattr(retry, "_doubt", lambda state: 0.0)
    monkeypatch.setattr(throttle, "_FIRST_PAUSE", 0.01)
    caplog.set_level(logging.DEBUG)
    (tmp_path / "spec.toml").write_text(SPEC)
    out = tmp_path / "out"
    out.mkdir()

    def explained(server: FaultServer, *flags: str) -> tuple[int, str]:
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        status = run(["explain", str(tmp_path / "spec.toml"), "--out", str(out), *flags])
        printed = capsys.readouterr()
        files = [path for folder in (out, answers) for path in folder.rglob("*") if path.is_file()]
        left = [path.read_bytes() for path in files]
        left += [(printed.out + printed.err + caplog.text).encode()]
        left += [repr(record.__dict__).encode() for record in caplog.records]
        assert not any(KEY.encode() in each or KEY[8:].encode() in each for each in left)
        return status, " ".join((printed.out + printed.err).split())

    return explained


def told(tmp_path: Path) -> dict:
    """What the run wrote, but for where it was asked."""
    written = json.loads((tmp_path / "out" / "explanation.json").read_text())
    del written["provenance"]["endpoint"]
    return written


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_changes_nothing(explain, tmp_path, answers, monkeypatch, name):
    """A run with a few such failures, resumed where they were charged, ends as one without."""
    with FaultServer.in_thread() as server:
        assert explain(server)[0] == 0
    smooth = told(tmp_path)
    monkeypatch.setenv("SPEX_CACHE_DIR", str(answers.with_name("others")))
    troubled = dict.fromkeys((2, 5, 9, 23), PASSING[name])
    with FaultServer.in_thread(Script.numbered(troubled)) as server:
        status, printed = explain(server)
        assert status == (0 if name in REFUSED else 3), printed
        if status == 3:  # what the failures were charged is missing at the end
            server.script = Script()
            assert explain(server)[0] == 0
        paid_twice = sum(count - 1 for count in server.paid.values())
    assert told(tmp_path) == smooth
    assert paid_twice == (len(troubled) if name in BILLED else 0)


@pytest.mark.parametrize("name", ENDING)
def test_what_does_not_pass_ends_the_run_in_a_sentence(explain, name):
    """With the status that it deserves, and for some after exactly one call."""
    fault, expected, words = ENDING[name]
    with FaultServer.in_thread(Script.always(fault)) as server:
        status, printed = explain(server)
        assert (status, words in printed) == (expected, True), printed
        if name in ONE_CALL:
            assert len(server.questions) == 1
    assert "Traceback" not in printed


def test_a_later_failure_loses_nothing(explain):
    """What was paid before the credit ended is on disk: the next run asks for the rest alone."""
    script = Script.numbered(dict.fromkeys(range(31, 400), faults.QUOTA_EXHAUSTED))
    with FaultServer.in_thread(script) as server:
        status, printed = explain(server)
        assert status == 4
        assert "30 of" in printed
        assert server.paid.total() == 30
        server.script = Script()
        status, printed = explain(server)
        assert status == 0, printed
        assert max(server.paid.values()) == 1
