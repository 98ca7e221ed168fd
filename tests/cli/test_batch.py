"""`spex batch` as a user runs it, against a server on loopback that takes batches."""

from __future__ import annotations

import asyncio
import json

import pytest
from spex_adapters.anthropic import AnthropicAdapter
from spex_adapters.openai import OpenAIAdapter

from spex_api.cli.app import run
from spex_api.completions import CompletionRequest, Fingerprint, Message
from spex_api.errors import BatchError
from spex_api.querying import batch
from spex_api.querying.batches import stopping
from spex_api.querying.batches.journal import open_journal
from spex_api.testing import FaultServer
from spex_api.testing.script import BatchPlan, Route, Script

KEY = "sk-test-77aa03cbe19d4f52"
ADAPTERS = {"openai": OpenAIAdapter, "anthropic": AnthropicAdapter}


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    """Nobody waits for a batch to stop."""
    monkeypatch.setattr(stopping, "_WAITS", (0.0, 0.0))


@pytest.fixture
def server(monkeypatch):
    """Batches that never end by themselves; two questions of each are answered when it stops."""
    script = Script(batch=BatchPlan(polls=10**6, answered=2))
    with FaultServer.in_thread(script) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.anthropic_url)
        for vendor in ADAPTERS:
            monkeypatch.setenv(f"{vendor.upper()}_API_KEY", KEY)
        yield running


def send(answers, provider="openai", *, name="1" * 32, count=5, record="sent"):
    """Sends a batch, as a run does that is then killed; gives its id."""

    async def main():
        adapter = ADAPTERS[provider]("toy")
        lines = {}
        for number in range(count):
            body = adapter.body(CompletionRequest((Message("user", f"{name}: {number}?"),)))
            lines[Fingerprint(adapter.endpoint, "toy", body).digest()] = body
        journal = open_journal(
            answers / "batches", name, endpoint=adapter.endpoint, model="toy", provider=provider
        )
        try:
            with journal as opened:
                chunk = opened.intend(lines, round_number=1)
                if record == "meant":
                    return ""
                batch = await adapter.batches().submit(chunk, lines.items())
                if record == "sent":
                    opened.submitted(chunk, batch)
                return batch
        finally:
            await adapter.aclose()

    return asyncio.run(main())


def routes(server):
    return [each.route for each in server.received]


def told(capsys, *arguments):
    """The object that a command prints, once it has succeeded."""
    assert run(["batch", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_open_batches_are_listed_and_nobody_is_asked(server, answers, capsys):
    """Id, size, model, endpoint and run; without a key and without a connection."""
    assert run(["batch", "ls"]) == 0
    assert "0 open batches." in capsys.readouterr().out
    sent = send(answers)
    asked = len(server.received)
    assert run(["batch", "ls"]) == 0
    printed = capsys.readouterr().out
    assert f"{sent}  5 questions  " in printed
    assert f"toy  ({server.openai_url})  run {'1' * 12}" in printed
    (one,) = told(capsys, "ls")["batches"]
    assert (one["batch"], one["run"], one["questions"]) == (sent, "1" * 32, 5)
    assert len(server.received) == asked


@pytest.mark.parametrize("provider", ADAPTERS)
def test_a_batch_is_stopped_and_what_is_billed_is_said(server, answers, capsys, provider):
    """Two of five were answered; the journal stays, so that the run reads them."""
    sent = send(answers, provider)
    assert run(["batch", "cancel", sent]) == 0
    printed = capsys.readouterr().out
    assert f"The batch {sent} has stopped. Billed: 2 answers, " in printed
    assert " tokens read and " in printed
    assert [each["batch"] for each in told(capsys, "ls")["batches"]] == [sent]
    (again,) = told(capsys, "cancel", sent)["batches"]
    assert (again["state"], again["by_us"], again["answered"]) == ("cancelled", False, 2)
    assert routes(server).count(Route.CANCEL) == 1


def test_all_batches_of_a_run_are_stopped_by_its_name(server, answers, capsys):
    """By the beginning of the name; other runs go on."""
    batches = [send(answers) for _ in range(2)]
    other = send(answers, name="12" * 16)
    assert run(["batch", "cancel", "1"]) == 2
    assert "2 runs with open batches begin with 1" in capsys.readouterr().err
    stopped = told(capsys, "cancel", "111")["batches"]
    assert sorted(each["batch"] for each in stopped) == sorted(batches)
    assert other not in {each["batch"] for each in stopped}
    assert routes(server).count(Route.CANCEL) == 2


def test_a_batch_whose_id_was_lost_is_found_where_that_is_sure(server, answers, capsys):
    """OpenAI keeps the chunk's name; of Anthropic's batches none is stopped on a guess."""
    sent = send(answers, record="lost")
    assert [each["batch"] for each in told(capsys, "ls")["batches"]] == [None]
    (one,) = told(capsys, "cancel", "111")["batches"]
    assert one["batch"] == sent
    send(answers, "anthropic", name="2" * 32, record="lost")
    found = told(capsys, "cancel", "222")
    assert found["batches"] == []
    assert "not sure" in found["left"][0]["why"]
    send(answers, name="3" * 32, record="meant")
    assert run(["batch", "cancel", "333"]) == 0
    assert "the endpoint has none such" in capsys.readouterr().out
    assert routes(server).count(Route.CANCEL) == 1


@pytest.mark.parametrize("name", ["batch_000009", "", "../x"])
def test_what_is_not_there_is_wrong_use(server, answers, capsys, name):
    """Status 2, and nothing is asked."""
    send(answers)
    asked = len(server.received)
    assert run(["batch", "cancel", name]) == 2
    assert "Nothing was stopped." in capsys.readouterr().err
    assert len(server.received) == asked


def test_a_batch_is_not_looked_for_elsewhere(server, answers, capsys, monkeypatch):
    """At another address, by an unknown adapter, or offline: no connection is opened."""
    sent = send(answers)
    asked = len(server.received)
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    assert run(["batch", "cancel", sent]) == 2
    assert "SPEX_OFFLINE" in capsys.readouterr().err
    monkeypatch.delenv("SPEX_OFFLINE")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert run(["batch", "cancel", sent]) == 2
    assert "openai:toy leads to http://127.0.0.1:9/v1 now" in capsys.readouterr().err
    path = answers / "batches" / f"{'1' * 32}.json"
    path.write_text(path.read_text().replace('"provider":"openai"', '"provider":"custom"'))
    assert run(["batch", "cancel", sent]) == 2
    assert "Stop them at the endpoint itself." in capsys.readouterr().err
    assert len(server.received) == asked


def test_no_key_is_shown_when_the_endpoint_fails(server, answers, capsys, monkeypatch):
    """A refused key is status 4, in our words alone."""
    sent = send(answers)
    monkeypatch.delenv("OPENAI_API_KEY")
    assert run(["batch", "cancel", sent]) == 4
    assert KEY not in "".join(capsys.readouterr())


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
"""


class Impatient:
    """A clock on which any wait is over at once, and after some of which the run breaks off."""

    left = 10**9

    def now(self):
        """Always the same."""
        return 0.0

    async def sleep(self, seconds):  # noqa: ARG002
        """Is over at once."""
        await asyncio.sleep(0)
        type(self).left -= 1
        if self.left < 0:
            raise BatchError("Enough.")


def test_a_run_by_batch_is_left_stopped_read_and_paid_once(
    server, answers, capsys, monkeypatch, tmp_path
):
    """From the first command to the result: found, stopped, read, the rest asked, all deleted."""
    monkeypatch.setattr(batch, "RealClock", Impatient)
    monkeypatch.setattr(Impatient, "left", 2)
    (tmp_path / "film.toml").write_text(SPEC)
    command = ["explain", str(tmp_path / "film.toml"), "--batch", "--out", str(tmp_path)]
    assert run(command) == 1
    assert "Enough." in capsys.readouterr().err
    (one,) = told(capsys, "ls")["batches"]
    assert one["provider"] == "openai"
    (stopped,) = told(capsys, "cancel", one["run"][:6])["batches"]
    assert (stopped["batch"], stopped["answered"]) == (one["batch"], 2)
    assert routes(server).count(Route.DELETE) == 0
    monkeypatch.setattr(Impatient, "left", 10**9)
    assert run(command) == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "is taken up again" in printed
    assert "The batch was cancelled before they were answered." in printed
    assert server.paid.total() == 60
    assert set(server.paid.values()) == {1}
    assert routes(server).count(Route.UPLOAD) == routes(server).count(Route.DELETE) == 1
    assert told(capsys, "ls")["batches"] == []
    told_of = json.loads((tmp_path / "explanation.json").read_text())
    assert told_of["usage"]["requests"] == 60
