"""`spex explain` as a user runs it, against a server on loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from spex_api.cli.app import EXIT_STATUS, run
from spex_api.decoding.auto import _DECODERS
from spex_api.errors import SpexError
from spex_api.index_weights import INDICES
from tests.cli.toy_spec import TEXT, toy_spec

if TYPE_CHECKING:
    from tests.cli.conftest import Printed

SPEC = toy_spec(120)
FAST = ("--decoder", "lasso")
"""Where nothing depends on who decodes."""


@pytest.fixture
def folder(work) -> Path:
    """The folder to work in, with a spec in it."""
    (work / "spec.toml").write_text(toy_spec(120, "lasso"))
    return work


class Twice(NamedTuple):
    """The same command twice, the second time for a machine."""

    first: Printed
    again: Printed
    asked: tuple[int, int]
    files: tuple[dict[str, bytes], dict[str, bytes]]


@pytest.fixture(scope="module")
def twice(shell) -> Twice:
    """`spex explain spec.toml`, by the decoder that suits, and again with `--json`."""
    (shell.folder / "spec.toml").write_text(SPEC)

    def ran(*flags):
        printed = shell.run("explain", "spec.toml", *flags)
        files = {path.name: path.read_bytes() for path in shell.folder.iterdir()}
        return printed, len(shell.server.bodies), files

    printed, asked, files = zip(ran(), ran("--json"), strict=True)
    return Twice(*printed, asked, files)


def test_it_prints_the_story_and_writes_both_files(twice):
    """The prompt, the strongest interactions, how far to trust them, what it took, two files."""
    printed, written = twice.first, twice.files[0]
    assert printed.status == 0
    assert TEXT.split(",", maxsplit=1)[0] in printed.out
    assert "never + bad" in printed.out
    assert "R²" in printed.out
    assert "120 requests" in printed.out
    assert "Answers: 116 (0 on disk, 120 sent)" in printed.err
    assert "\x1b" not in printed.out
    assert json.loads(written["explanation.json"])["faithfulness"]["value"] > 0.8
    assert "never + bad" in written["report.html"].decode()


def test_the_same_command_again_sends_nothing(twice):
    """Zero requests, the same bytes, and `--json` says that all was on disk."""
    assert (twice.first.status, twice.again.status) == (0, 0)
    assert twice.asked == (120, 120)
    assert twice.files[0] == twice.files[1]
    usage = json.loads(twice.again.out)["usage"]
    assert (usage["sent"], usage["cached"]) == (0, 120)


def test_json_has_what_the_contract_names(twice):
    """One object on stdout; everything else went to stderr."""
    told = json.loads(twice.again.out)
    assert {"value", "low", "high"} <= set(told["faithfulness"])
    assert {"features", "texts", "value", "low", "high"} <= set(told["interactions"][0])
    assert {"requests", "sent", "cached", "input_tokens", "output_tokens", "usd"} <= set(
        told["usage"]
    )
    assert {"baseline", "decoder", "reason", "status", "provenance"} <= set(told)
    assert told["provenance"]["served"] == {"toy-2026 fp_toy": 120}


def test_without_a_file(folder, chat_server, capsys):
    """The same by flags; a brace in the question is a brace."""
    arguments = ["explain", "--text", TEXT, "--ask", "Good {or} bad?", "--model", "openai:toy"]
    assert run([*arguments, "--labels", "positive, negative", "--requests", "60", *FAST]) == 0
    assert "Good {or} bad?" in capsys.readouterr().out
    assert chat_server.bodies[0]["messages"][-1]["content"] == f"Good {{or}} bad?\n{TEXT}"
    assert len(chat_server.bodies) == 60


def test_a_target_stops_the_run(folder, chat_server, capsys):
    """`--target-faithfulness` ends it early with status 0; terminal, page and JSON say how."""
    arguments = ["explain", "spec.toml", "--requests", "1000", "--decoder", "lasso"]
    assert run([*arguments, "--target-faithfulness", "0.5"]) == 0
    asked = len(chat_server.bodies)
    assert asked < 1000
    said = f"Stopped after {asked} of 1,000 requests"
    assert said in " ".join(capsys.readouterr().out.split())
    told = json.loads(Path("explanation.json").read_text())
    assert told["ending"].startswith(said)
    assert told["target"] == 0.5 <= told["faithfulness"]["low"]
    assert {"value", "low", "high"} <= set(told["near"])
    assert said in Path("report.html").read_text()


def test_masks_near_the_prompt(folder, chat_server, capsys):
    """`--keep` leaves most of the text in place, and one that is no probability is wrong use."""
    assert run(["explain", "spec.toml", "--keep", "0.95", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["usage"]["sent"], told["usage"]["cached"]) == (120, 0)
    assert told["usage"]["input_tokens"] == 120 * 30
    assert told["provenance"]["keep"] == 0.95
    lengths = [len(body["messages"][-1]["content"].split()) for body in chat_server.bodies]
    assert sorted(lengths)[len(lengths) // 2] >= max(lengths) - 3
    status, line = fault(capsys, "explain", "spec.toml", "--keep", "0.2")
    assert status == 2
    assert "'keep' in [masks]" in line


def test_out_receives_the_files(folder, chat_server):
    """`--out` names the folder; one that cannot be made is said before anything is sent."""
    assert run(["explain", "spec.toml", "--out", "nowhere/below"]) == 2
    assert chat_server.bodies == []
    assert run(["explain", "spec.toml", "--out", "here"]) == 0
    assert sorted(path.name for path in Path("here").iterdir()) == [
        "explanation.json",
        "report.html",
    ]


def test_no_key_travels_into_any_artefact(folder, chat_server, answers, capsys):
    """The key is in no file, no record and no line."""
    run(["explain", "spec.toml"])
    chat_server.status = 401
    run(["explain", "spec.toml", "--seed", "1"])
    printed = capsys.readouterr()
    files = [path for place in (folder, answers) for path in place.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        assert b"sk-secret-of-the-test" not in path.read_bytes()
    assert "sk-secret" not in printed.out + printed.err


def fault(capsys, *arguments: str) -> tuple[int, str]:
    """The exit status and the one line on stderr of a run that fails."""
    status = run(list(arguments))
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("spex: ")]
    assert len(lines) == 1
    assert "Traceback" not in printed.err
    return status, lines[0]


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (("labels", "lables"), 2, "Did you mean 'labels'"),
        ((f'text = "{TEXT}"', 'text = " "'), 2, "empty"),
        (("requests = 120", "requests = 9"), 2, "too small"),
        (("requests = 120", "requests = 120\nusd = 1.0"), 2, "price"),
        (("openai:toy", "opnai:toy"), 2, "'opnai'"),
        (('"positive", "negative"', '"very good", "bad"'), 2, "not one token"),
        (('"positive", "negative"', '"positively", "negative"'), 2, "'positively'.*several tokens"),
        (("Positive or negative? {text}", "Well?"), 2, "no place {text}"),
    ],
)
def test_wrong_input_is_one_clear_line(folder, chat_server, capsys, change, status, message):
    """Each mistake gets one line that names it, and exit status 2."""
    (folder / "spec.toml").write_text(SPEC.replace(*change))
    found, line = fault(capsys, "explain", "spec.toml")
    assert found == status
    assert re.search(message, line)


def test_no_key(folder, chat_server, capsys, monkeypatch):
    """Without a key the line names the variable; status 4."""
    monkeypatch.delenv("OPENAI_API_KEY")
    status, line = fault(capsys, "explain", "spec.toml")
    assert status == 4
    assert "OPENAI_API_KEY" in line
    assert "Nothing was sent" in line
    assert chat_server.bodies == []


def test_a_refused_key(folder, chat_server, capsys):
    """A 401 is asked once and ends with status 4."""
    chat_server.status = 401
    status, line = fault(capsys, "explain", "spec.toml")
    assert status == 4
    assert "1 request was sent" in line
    assert len(chat_server.bodies) == 1


def test_a_refused_first_request(folder, chat_server, capsys):
    """A 400 to the whole prompt, with log-probs or without, ends the run with status 1."""
    chat_server.status = 400
    status, line = fault(capsys, "explain", "spec.toml")
    assert status == 1
    assert "refused the request (400)" in line
    assert "2 requests were sent" in line
    assert len(chat_server.bodies) == 2


def test_an_unreachable_server(folder, capsys, monkeypatch):
    """A port where nobody listens is named, after a few attempts."""
    from spex_api.querying import retry  # noqa: PLC0415 - only here

    monkeypatch.setattr(retry, "_backoff", lambda state: 0.0)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    status, line = fault(capsys, "explain", "spec.toml")
    assert status == 1
    assert "127.0.0.1:9" in line


def test_a_server_without_logprobs(folder, chat_server, capsys):
    """Found out at the first answer, and said in words."""
    chat_server.logprobs = False
    status, line = fault(capsys, "explain", "spec.toml")
    assert status == 2
    assert "a field for the log-probs that holds nothing" in line
    assert len(chat_server.bodies) == 1


def test_offline(folder, chat_server, capsys, monkeypatch):
    """A full cache replays; one missing answer is named, with status 5."""
    run(["explain", "spec.toml"])
    written = Path("explanation.json").read_bytes()
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert run(["explain", "spec.toml"]) == 0
    assert Path("explanation.json").read_bytes() == written
    capsys.readouterr()
    status, line = fault(capsys, "explain", "spec.toml", "--requests", "121")
    assert status == 5
    assert "is on disk" in line
    assert len(chat_server.bodies) == 120


def test_nothing_to_explain(folder, capsys):
    """Neither a file nor flags: the line shows both ways."""
    status, line = fault(capsys, "explain")
    assert status == 2
    assert "--labels" in line


def test_the_help_names_every_index_and_decoder(folder, capsys):
    """What can be asked for is listed, and of the indices nothing else."""
    assert run(["explain", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    decoders = re.search(r"--decoder \S+ (.*?)\.? --index", told)[1]
    assert {"auto", *_DECODERS} <= set(re.split(", | or ", decoders))
    indices = re.search(r"--index \S+ (.*?)\.? --order", told)[1]
    assert set(re.split(", | or ", indices)) == set(INDICES)


def test_an_unknown_flag_is_wrong_use(folder, capsys):
    """The shell's own kind of mistake has the shell's own status."""
    assert run(["explain", "--temprature", "1"]) == 2
    assert "--temprature" in capsys.readouterr().err


def test_kill_minus_nine_and_again(folder, chat_server, answers, tmp_path):
    """A run killed in the middle goes on from what is on disk, and ends as if nothing had been."""
    command = [sys.executable, "-m", "spex_api", "explain", "spec.toml"]
    chat_server.delay = 0.05
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(chat_server.bodies) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.2)
    before = len(chat_server.bodies)
    assert 60 <= before < 120
    chat_server.delay = 0.0
    assert run(["explain", "spec.toml"]) == 0
    in_flight = len(chat_server.bodies) - 120
    assert 0 <= in_flight <= 16
    resumed = Path("explanation.json").read_bytes()
    os.environ["SPEX_CACHE_DIR"] = str(tmp_path / "from-nothing")
    assert run(["explain", "spec.toml"]) == 0
    assert Path("explanation.json").read_bytes() == resumed


def test_ctrl_c_keeps_what_is_paid_and_says_how_to_go_on(folder, chat_server):
    """An interrupt waits for what is under way, prints how to resume, and ends with 130."""
    chat_server.slow_after = 40
    # Who runs the tests in the background may ignore interrupts, and a child would too.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{listening}; from spex_api.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "explain", "spec.toml"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while len(chat_server.bodies) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    paid = len(chat_server.bodies)
    chat_server.slow_after = None
    assert run(["explain", "spec.toml"]) == 0
    assert len(chat_server.bodies) == 120
    assert paid < 120


def test_every_error_has_an_exit_status():
    """Each class of the tree finds its status, and only those that the contract names."""

    def below(kind):
        return [kind, *(sub for child in kind.__subclasses__() for sub in below(child))]

    for kind in below(SpexError):
        assert any(issubclass(kind, known) for known in EXIT_STATUS)
    assert set(EXIT_STATUS.values()) == {1, 2, 3, 4, 5}


def test_a_part_of_the_budget_tests_what_is_claimed(folder, chat_server, capsys):
    """The cap holds, the causes are told with their numbers, and a replay writes the same bytes."""
    assert run(["explain", "spec.toml", "--verify", "30", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(chat_server.bodies) == told["usage"]["requests"] <= 120
    assert told["causes"]["confirmed"]
    assert any("never" in each["texts"] for each in told["causes"]["confirmed"])
    written = Path("explanation.json").read_bytes()
    assert run(["replay", told["run"]]) == 0
    assert Path("explanation.json").read_bytes() == written
    assert "confirmed" in capsys.readouterr().out


def test_a_test_cannot_take_the_whole_budget(folder, chat_server, capsys):
    """Nothing would be left to explain with, so nothing is sent."""
    assert run(["explain", "spec.toml", "--verify", "120"]) == 2
    assert "leaves none to explain with" in capsys.readouterr().err
    assert not chat_server.bodies
