"""`spex plan` as a user runs it: all numbers, and nothing sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from spex_api.cli.app import run
from spex_api.cli.plan import plan
from tests.cli.toy_spec import TEXT, toy_spec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = toy_spec(120)

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(plan)


@pytest.fixture
def folder(work) -> Path:
    """The folder to work in, with a spec in it."""
    (work / "spec.toml").write_text(SPEC)
    return work


def planned(*arguments: str) -> str:
    """What it prints."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def told(*arguments: str) -> dict:
    """The object of `--json`, which is all that is on stdout."""
    return json.loads(planned(*arguments, "--json"))


def test_it_says_what_the_run_then_sends(folder, chat_server):
    """Before the run all is to be sent, and the server has heard nothing; after it, nothing is."""
    before = told("spec.toml")
    assert chat_server.bodies == []
    assert before["requests"]["on_disk"] == 0
    assert run(["explain", "spec.toml"]) == 0
    assert len(chat_server.bodies) == before["requests"]["to_send"]
    after = told("spec.toml")
    assert after["requests"]["on_disk"] == after["requests"]["distinct"]
    assert after["requests"]["to_send"] == 0
    assert len(chat_server.bodies) == before["requests"]["to_send"]


def test_it_prints_every_number(folder):
    """Masks by kind, requests, tokens, dollars one by one and by batch, time, caps; no key."""
    printed = " ".join(planned("spec.toml", "--model", "openai:gpt-4.1-mini", "--usd", "1").split())
    for said in (
        "gpt-4.1-mini at https://api.openai.com/v1",
        "to fit",
        "held out",
        "near the prompt",
        "1 a mask",
        "0 of them on disk",
        "to send 120",
        "read (four bytes a token), at most",
        "$0.4 a million tokens read, $1.6 written",
        "one by one about $",
        "under way at once, if an answer takes 1 s",
        "120 requests: surely enough",
        "$1.00: surely enough",
        "Nothing was sent.",
    ):
        assert said in printed
    assert "\x1b" not in printed


def test_json_has_the_same_numbers(folder):
    """One object; what is not known is null, and never nothing."""
    known = told("spec.toml", "--model", "openai:gpt-4.1-mini")
    assert 0 < known["usd"]["live"]["expected"] < known["usd"]["live"]["most"]
    assert known["price"]["input"] == 0.4
    masks = known["masks"]
    assert masks["to_fit"] + masks["held_out"] + masks["near"] == masks["total"]
    unknown = told("spec.toml", "--usd", "1")
    assert unknown["usd"] == {"live": None, "batch": None}
    assert unknown["price"] is None
    assert unknown["budget"][-1] == {"of": "usd", "cap": 1.0, "suffices": "unknown"}


def test_a_spec_may_give_prices_and_limits(folder):
    """Dollars a million tokens, and what the endpoint bears in a minute."""
    with (folder / "spec.toml").open("a") as spec:
        spec.write(
            "usd = 0.0001\ntokens = 1000000\n[prices]\ninput = 1\noutput = 2\n"
            "[limits]\nrequests_per_minute = 60\nconcurrency = 8\n"
        )
    found = told("spec.toml")
    assert found["price"]["input"] == 1.0
    sent, seconds = found["requests"]["to_send"], found["seconds"]
    assert (seconds["expected"], seconds["slowest"]) == (sent, "requests_per_minute")
    assert [each["suffices"] for each in found["budget"]] == ["surely", "surely", "no"]
    printed = planned("spec.toml")
    assert "$0.0001: not enough" in printed
    assert "by requests_per_minute" in printed


def test_a_dollar_cap_without_a_price_is_said(folder):
    """In words, with what to do; the plan itself does not fail."""
    printed = " ".join(planned("spec.toml", "--usd", "1").split())
    assert "[prices] input and output" in printed
    assert "the run would not start" in printed


def test_the_flags_are_those_of_explain(folder):
    """Without a file, and with what changes the design."""
    found = told(
        *("--text", TEXT, "--ask", "Good {or} bad?", "--labels", "positive,negative"),
        *("--model", "openai:toy", "--requests", "200", "--decoder", "lasso", "--keep", "0.8"),
        *("--target-faithfulness", "0.9", "--seed", "3", "--index", "SII", "--order", "2"),
    )
    assert found["budget"][0]["cap"] == 200
    assert len(found["masks"]["looks"]) > 1
    assert found["decoder"].startswith("Lasso")


def test_wrong_use_is_an_error(folder):
    """What `explain` would refuse is refused here, in the same words."""
    result = CliRunner().invoke(app, ["spec.toml", "--requests", "9"])
    assert "too small" in str(result.exception)
