"""`spex audit` as a user runs it: files, story, JSON, and a run that was killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from spex_api.audit_file import StoredAudit, read_audit
from spex_api.audit_spec import check_audit_spec, read_audit_spec
from spex_api.audited import Standing
from spex_api.audits.job import audit_job_of, audited
from spex_api.cli.app import run
from spex_api.errors import SpecError
from spex_api.events import ignore
from spex_api.querying import retry, throttle
from spex_api.spec import read_spec
from spex_api.testing import FaultServer, Row, Script, faults
from tests.audits.played import rows

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
model = "openai:toy"
prompts = "cases.jsonl"
[prompt]
template = "Positive or negative? {text}"
[score]
labels = ["positive", "negative"]
[budget]
requests = 450
[decode]
decoder = "lasso"
[audit]
groups = ["group"]
"""
HOSTILE = {"id": "<b>\u202e../..\n", "text": "good", "group": "a"}
ROWS = [*rows(4), HOSTILE]


@pytest.fixture
def folder(work) -> Path:
    """The folder to work in, with a spec and its rows in it."""
    write(work)
    return work


def write(folder, spec=SPEC, given=ROWS):
    """The spec and its rows."""
    (folder / "spec.toml").write_text(spec)
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))


def written(folder) -> dict[str, bytes]:
    """Every file below, but what is hidden."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("spec.toml", "cases.jsonl")
    }


@pytest.fixture(scope="module")
def done(shell):
    """An audit in a folder that tests look at, and what it printed."""
    write(shell.folder)
    return shell.run("audit", "spec.toml", "--processes", "0")


def test_it_tells_what_it_came_to(done, shell):
    """The standings, the one that failed, and where the files are; nothing acts on a terminal."""
    status, out, err = done
    assert status == 0
    assert "What moved 5 answers of toy" in out
    assert "one feature" in out
    assert "Wrote index.html and audit.json" in out
    assert "of 5 prompts are asked further" in err
    assert "\u202e" not in out + err
    assert len(shell.server.bodies) <= 450


def test_the_files_are_read_again(done, shell):
    """The same audit, its explanations among it; every link of the index leads somewhere."""
    audit = read_audit(shell.folder)
    assert [case.case_id for case in audit.cases] == [row["id"].strip() for row in ROWS]
    assert [case.standing for case in audit.cases][-1] is Standing.FAILED
    assert StoredAudit.of(audit).text() == (shell.folder / "audit.json").read_text()
    for case in audit.cases[:-1]:
        assert (shell.folder / "cases" / case.folder / "report.html").is_file()
        assert f"cases/{case.folder}/report.html" in (shell.folder / "index.html").read_text()
    assert sorted(path.name for path in (shell.folder / "cases").iterdir()) == sorted(
        case.folder for case in audit.cases[:-1]
    )


def test_json_has_what_the_contract_names_and_the_second_run_sends_nothing(done, shell):
    """Findings, explanations and usage on stdout; all else on stderr; the files are the same."""
    before = written(shell.folder)
    sent = len(shell.server.bodies)
    status, out, _ = shell.run("audit", "spec.toml", "--processes", "0", "--json")
    told = json.loads(out)
    assert status == 0
    assert {"findings", "explanations", "unexplained", "usage"} <= set(told)
    assert len(told["explanations"]) == 4
    assert {"id", "faithfulness", "interactions", "baseline"} <= set(told["explanations"][0])
    assert told["usage"]["sent"] == 0
    assert told["usage"]["cached"] == told["usage"]["requests"] >= sent
    assert told["unexplained"][0]["id"] == HOSTILE["id"].strip()
    assert len(shell.server.bodies) == sent
    assert written(shell.folder) == before


def test_what_it_wrote_is_enough_for_a_replay(done, shell, monkeypatch):
    """`audit.json` carries the spec and the rows, and what failed fails again."""
    monkeypatch.setenv("SPEX_CACHE_DIR", str(shell.folder.with_name("answers")))
    monkeypatch.setenv("OPENAI_BASE_URL", shell.server.url)
    audit = read_audit(shell.folder)
    job = audit_job_of(check_audit_spec(audit.spec, source="audit.json"))
    again = audited(job, mode="replay", recorded=audit, on_event=ignore)
    assert StoredAudit.of(again).text() == StoredAudit.of(audit).text()


def test_an_explanation_that_was_changed_is_found(done, shell, tmp_path):
    """Its digest stands in audit.json."""
    for name, data in written(shell.folder).items():
        path = tmp_path / "copy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    explanation = next((tmp_path / "copy" / "cases").glob("*/explanation.json"))
    explanation.write_text(explanation.read_text().replace("0.", "1.", 1))
    with pytest.raises(SpecError, match="not the explanation that the audit wrote"):
        read_audit(tmp_path / "copy")
    explanation.unlink()
    with pytest.raises(SpecError, match="cannot be read"):
        read_audit(tmp_path / "copy" / "audit.json")


def test_a_budget_that_ends_has_status_three(folder, chat_server, capsys):
    """What came out until then is written."""
    assert run(["audit", "spec.toml", "--requests", "100", "--processes", "0"]) == 3
    assert "the budget ended" in capsys.readouterr().out
    assert any(case.standing is Standing.ENDED for case in read_audit(folder).cases)
    assert len(chat_server.bodies) <= 100


def test_kill_minus_nine_and_again(folder, chat_server, tmp_path, monkeypatch):
    """Killed in the middle, it goes on from what is on disk, and ends as if nothing had been."""
    command = [sys.executable, "-m", "spex_api", "audit", "spec.toml", "--processes", "0"]
    chat_server.delay = 0.02
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(chat_server.bodies) < 150 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.1)
    killed_after = len(chat_server.bodies)
    chat_server.delay = 0.0
    assert run(["audit", "spec.toml", "--processes", "0"]) == 0
    paid, resumed = len(chat_server.bodies), written(folder)
    monkeypatch.setenv("SPEX_CACHE_DIR", str(tmp_path / "from-nothing"))
    assert run(["audit", "spec.toml", "--processes", "0"]) == 0
    assert written(folder) == resumed
    needed = len(chat_server.bodies) - paid
    assert 150 <= killed_after < needed
    assert 0 <= paid - needed <= 16, "nothing is paid twice beyond what was in flight"


def test_ctrl_c_says_how_to_go_on(folder, chat_server):
    """What is under way is waited for; the status is the shell's own."""
    chat_server.slow_after = 150
    # Who runs the tests in the background may ignore interrupts, and a child would too.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{listening}; from spex_api.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "audit", "spec.toml", "--processes", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(chat_server.bodies) < 150 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said


def is_one_of_five(asked) -> bool:
    """Whether a question is among a fifth of them, by what it says alone."""
    return crc32(asked.text.encode()) % 5 == 0


def test_the_cap_holds_to_the_request_whatever_fails(folder, monkeypatch, capsys):
    """Attempts that failed count as well; resumed, the audit is as one without failures."""
    monkeypatch.setattr(retry, "_backoff", lambda state: 0.01)
    monkeypatch.setattr(retry, "_doubt", lambda state: 0.0)
    monkeypatch.setattr(throttle, "_FIRST_PAUSE", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-test")
    # Each question fails once at most: which ones are asked again hangs on no thread's turn.
    failing = Row(faults.SERVER_ERROR, attempts={1}, when=is_one_of_five)
    hurried = Row(faults.RATE_LIMITED, numbers={7}, attempts={1})
    command = ["audit", "spec.toml", "--processes", "0"]
    with FaultServer.in_thread(Script((hurried, failing))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        assert run(command) == 3
        assert len(server.questions) - 1 <= 450  # nobody is charged for the one that was too fast
        assert len(server.questions) - server.paid.total() > 50, "so many failed"
        server.script = Script()
        assert run(command) == 0
        paid = server.paid.copy()
        resumed = written(folder)
        monkeypatch.setenv("SPEX_CACHE_DIR", str(folder / "elsewhere"))
        out = folder / "smooth"
        out.mkdir()
        assert run([*command, "--out", str(out)]) == 0
        smooth = written(out)
        assert server.paid - paid == paid, "what was paid is what a smooth run pays"
        assert paid.total() <= 450
    assert {name: smooth[name] for name in smooth} == {name: resumed[name] for name in smooth}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("prompts =", "prompt_file ="), "unknown key 'prompt_file'"),
        (('prompts = "cases.jsonl"', ""), "names no prompts"),
        (("cases.jsonl", "absent.jsonl"), "absent.jsonl.*cannot be read"),
        (("{text}", "{review}"), "Row 1.*no 'review'"),
        (('["group"]', '["sex"]'), "Row 1.*no 'sex'"),
        (("groups", "group"), "Did you mean 'groups'"),
        (("[decode]", "[verify]\nrequests = 3\n[decode]"), "unknown key 'verify'"),
        (("[prompt]", '[prompt]\nprompts = "cases.jsonl"'), "names prompts twice"),
        (("[prompt]", '[prompt]\nsplit = "wrods"'), "wrods"),
    ],
)
def test_a_spec_that_cannot_be_read_is_told(folder, chat_server, capsys, change, words):
    """Wrong use, in one line, and nothing is sent."""
    write(folder, SPEC.replace(*change))
    assert run(["audit", "spec.toml", "--processes", "0"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(words, said), said
    assert chat_server.bodies == []


def test_each_command_knows_the_other_ones_spec(folder):
    """Of many prompts and of one."""
    with pytest.raises(SpecError, match="spex audit"):
        read_spec(folder / "spec.toml")
    inside = SPEC.replace('prompts = "cases.jsonl"', "").replace(
        "[prompt]", '[prompt]\nprompts = "cases.jsonl"'
    )
    write(folder, inside)
    assert read_audit_spec(folder / "spec.toml").prompts == str(folder / "cases.jsonl")
    with pytest.raises(SpecError, match="spex audit"):
        read_spec(folder / "spec.toml")


def test_rows_may_hold_conversations_and_documents():
    """Where there is no template, columns say what `[prompt]` of one explanation says."""
    messages = json.dumps([{"role": "user", "content": "Is it good?"}])
    spec = check_audit_spec({"prompt": {"mask": "ellipsis"}}, source="the test")
    told = spec.table_of({"messages": messages, "group": "a"})
    assert (told.messages[0]["role"], told.split, told.mask) == ("user", "messages", "ellipsis")
    told = spec.table_of({"documents": '["a", "b"]', "question": "Which?"})
    assert (told.documents, told.question) == (["a", "b"], "Which?")
    with pytest.raises(SpecError, match="neither 'messages' nor 'documents'"):
        spec.table_of({"text": "a"})
    with pytest.raises(SpecError, match="no JSON list"):
        spec.table_of({"messages": "hello"})


def test_a_bundle_is_replayed_where_nothing_else_is(done, shell, tmp_path, monkeypatch, capsys):
    """The same files and digest, by whoever has neither key, answers nor connection."""
    status, out, _ = shell.run("audit", "spec.toml", "--processes", "0", "--bundle", "run.spex.zip")
    assert status == 0
    assert "For whoever checks it: spex replay run.spex.zip" in out
    digest = re.search("Its digest: ([0-9a-f]{64})", out).group(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    before = {name: data for name, data in written(shell.folder).items() if name[-4:] != ".zip"}
    bundle = str(shell.folder / "run.spex.zip")
    (tmp_path / "again").mkdir()
    assert run(["replay", bundle, "--out", "again", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert written(tmp_path / "again") == before
    assert told["replay"]["digest"] == digest
    assert (told["replay"]["same_bytes"], told["replay"]["same_pages"]) == (True, True)
    assert told["usage"]["sent"] == 0
    assert run(["compare", bundle, "again", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["only_before"] == []
    assert run(["compare", bundle, "again/audit.json"]) == 0
    assert "Of 0 findings" in capsys.readouterr().out
    assert run(["compare", bundle, str(next((tmp_path / "again").rglob("explanation.json")))]) == 2
    assert "is an audit, and the other is none" in capsys.readouterr().err
    assert run(["replay", bundle, "--answers", "other.jsonl"]) == 2
    assert "has its own answers" in capsys.readouterr().err


def test_the_folder_of_an_audit_is_replayed(done, shell):
    """As the index page and the terminal say: from the answers on this disk."""
    out = shell.folder.parent / "again"
    out.mkdir()
    for given in (".", "audit.json"):
        status, said, _ = shell.run("replay", given, "--out", str(out))
        assert status == 0
        assert "identical to the byte" in said
    assert (out / "audit.json").read_bytes() == (shell.folder / "audit.json").read_bytes()


def test_a_bundle_that_was_tampered_with_is_refused(done, shell, tmp_path, capsys):
    """In one line that names the file; nothing is written."""
    bundle = tmp_path / "run.zip"
    shell.run("audit", "spec.toml", "--processes", "0", "--bundle", str(bundle), "--no-pages")
    data = bytearray(bundle.read_bytes())
    data[100] ^= 1
    bundle.write_bytes(data)
    (tmp_path / "out").mkdir()
    assert run(["replay", str(bundle), "--out", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "run.zip is refused: 'answers.jsonl' in it" in line
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_bundled_is_told_before_anything_is_sent(folder, chat_server, capsys):
    """A file of another name, or a spec that wants no prompts stored."""
    assert run(["audit", "spec.toml", "--bundle", "run.tar"]) == 2
    assert "ends in .zip" in capsys.readouterr().err
    write(folder, SPEC + "[cache]\nstore_prompts = false\n")
    assert run(["audit", "spec.toml", "--bundle", "run.zip"]) == 2
    assert "wants no prompts stored" in capsys.readouterr().err
    assert chat_server.bodies == []
