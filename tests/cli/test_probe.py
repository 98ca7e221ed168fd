"""`spex probe` as a user runs it, against a server on loopback."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
import typer

from spex_api.cli import probe as cli
from spex_api.completions import Capabilities
from spex_api.errors import AuthenticationFailed, SpecError
from spex_api.querying.pricing import Price

TEXT = "The plot is bad and slow, yet her acting is never bad and the end is good, so good."
OWN = ["--text", TEXT, "--ask", "Good {or} bad?", "--labels", "positive,negative"]
SPEC = f"""
model = "openai:other"
[prompt]
template = "Positive or negative? {{text}}"
text = "{TEXT}"
[score]
labels = ["positive", "negative"]
"""


def spex_probe(*arguments: str) -> int:
    """The exit status."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(cli.probe)
    with pytest.raises(SystemExit) as end:
        app(args=list(arguments))
    return int(end.value.code or 0)


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Lines that do not break."""
    monkeypatch.setenv("COLUMNS", "200")


def test_it_prints_what_it_found(chat_server, capsys):
    """Capabilities, numbers and every finding with its sentence; no colour where none can be."""
    assert spex_probe("openai:toy", *OWN) == 0
    printed = capsys.readouterr().out
    assert f"toy at {chat_server.url}" in printed
    assert "lists of up to 2 tokens" in printed
    assert "noise floor" in printed
    assert "log-odds of 'positive' over 'negative', in nats" in printed
    assert "ok log-probs Log-probs are there and consistent" in " ".join(printed.split())
    assert "Served by toy-2026, system fp_toy." in printed
    assert "toy can be explained." in printed
    assert "9 sent, 0 on disk" in printed
    assert "\x1b" not in printed
    assert len(chat_server.bodies) == 9
    assert chat_server.bodies[0]["messages"][-1]["content"] == f"Good {{or}} bad?\n{TEXT}"


def test_the_same_command_again_sends_nothing(chat_server, capsys):
    """All is on disk, and says the same; what only a sent answer tells is not known."""
    spex_probe("openai:toy", *OWN, "--json")
    first = json.loads(capsys.readouterr().out)
    assert spex_probe("openai:toy", *OWN, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert len(chat_server.bodies) == 9
    assert (again["sent"], again["cached"]) == (0, 9)
    assert first["latency"]["count"] == 8
    assert again["latency"] is None
    for name in ("noise_floor", "full", "empty", "served", "model", "endpoint", "is_fit"):
        assert first[name] == again[name]


def test_json_is_one_object(chat_server, capsys):
    """Findings with their verdicts, capabilities, noise floor, price where known, requests."""
    spex_probe("openai:toy", *OWN, "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["is_fit"] is True
    assert told["noise_floor"] == 0.0
    found = Capabilities(top_logprobs=2, concurrency=16, embeds=True)
    assert told["capabilities"] == json.loads(json.dumps(dataclasses.asdict(found)))
    assert {"about", "verdict", "sentence", "remedy"} == set(told["findings"][0])
    assert told["served"] == {"toy-2026 fp_toy": 9}
    assert told["usage"]["input_tokens"] == 9 * 30
    assert told["requests"] == 9
    assert told["price"] is None


def test_a_price_that_is_known_is_told(chat_server, capsys, monkeypatch):
    """In dollars a million tokens, as vendors print it."""
    prices = {(chat_server.url, "toy"): Price(0.4, 1.6)}
    monkeypatch.setattr(cli, "price_of", lambda *asked: prices.get(asked))
    spex_probe("openai:toy", *OWN)
    assert "$0.4 a million tokens read, $1.6 written" in capsys.readouterr().out
    spex_probe("openai:toy", *OWN, "--json")
    assert json.loads(capsys.readouterr().out)["price"] == {"input": 0.4, "output": 1.6}


def test_the_key_is_nowhere(chat_server, capsys):
    """Neither output shows it, whatever was found."""
    spex_probe("openai:toy", *OWN)
    spex_probe("openai:toy", *OWN, "--json")
    printed = capsys.readouterr()
    assert "sk-secret" not in printed.out + printed.err


def test_an_unfit_endpoint_has_status_2(chat_server, capsys):
    """A server that does not read the built-in review gives it the same list under every mask."""
    assert spex_probe("openai:toy") == 2
    printed = " ".join(capsys.readouterr().out.split())
    assert "fatal log-probs It gives the same list of log-probs" in printed
    assert "Check that the prompt arrives whole" in printed
    assert "none that can be trusted" in printed
    assert "toy cannot be explained." in printed


def test_null_log_probs_are_said(chat_server, capsys):
    """A server that answers with null is told so, and what to do."""
    chat_server.logprobs = False
    assert spex_probe("openai:toy", *OWN) == 2
    assert "holds nothing (null" in capsys.readouterr().out


def test_a_spec_file(chat_server, tmp_path, capsys):
    """Its prompt and labels are asked, of the model that is named on the command line."""
    path = tmp_path / "spec.toml"
    path.write_text(SPEC)
    assert spex_probe("openai:toy", "--spec", str(path)) == 0
    assert {body["model"] for body in chat_server.bodies} == {"toy"}
    assert chat_server.bodies[0]["messages"][-1]["content"] == f"Positive or negative? {TEXT}"


def test_the_model_of_the_file_is_asked(chat_server, tmp_path, capsys):
    """Without a name on the command line; and without a file there is nobody to ask."""
    path = tmp_path / "spec.toml"
    path.write_text(re.sub("(?m)^model = .*$", 'model = "openai:toy"', SPEC))
    assert spex_probe("--spec", str(path)) == 0
    assert {body["model"] for body in chat_server.bodies} == {"toy"}
    app = typer.Typer()
    app.command()(cli.probe)
    with pytest.raises(SpecError, match="No model is named"):
        app(args=[])


def test_a_prompt_of_ones_own_is_whole():
    """Half a prompt is wrong use, before anything is asked."""
    app = typer.Typer()
    app.command()(cli.probe)
    with pytest.raises(SpecError, match="--labels"):
        app(args=["openai:toy", "--text", TEXT])


@pytest.mark.parametrize(
    "score",
    ['kind = "auto"', 'kind = "label_frequency"\nlabels = ["positive", "negative"]\nsamples = 2'],
)
def test_a_score_that_asks_more_is_probed_too(chat_server, tmp_path, capsys, score):
    """One that must see an answer first, and one that draws several."""
    path = tmp_path / "spec.toml"
    path.write_text(SPEC.replace('labels = ["positive", "negative"]', score))
    assert spex_probe("openai:toy", "--spec", str(path), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["is_fit"]
    assert told["full"] is not None


def test_without_a_key_nothing_is_found():
    """The error of the first question gets through to the shell's line."""
    app = typer.Typer()
    app.command()(cli.probe)
    with pytest.raises(AuthenticationFailed, match="OPENAI_API_KEY"):
        app(args=["openai:toy"])
