"""`--store` as a user gives it, on a real PostgreSQL."""

from __future__ import annotations

import json
import sys

import pytest

from spex_api.cli.app import run
from tests.cli.toy_spec import toy_spec
from tests.postgres import PASSWORD

AUDIT = """
model = "openai:toy"
prompts = "cases.jsonl"
[prompt]
template = "Positive or negative? {text}"
[score]
labels = ["positive", "negative"]
[budget]
requests = 100
[decode]
decoder = "lasso"
"""


@pytest.fixture
def folder(work):
    """The folder to work in, with a spec in it."""
    (work / "spec.toml").write_text(toy_spec(60, "lasso"))
    return work


def told(capsys, *command):
    """The exit status, what was printed, and the object where there is one."""
    status = run([*command])
    printed = capsys.readouterr()
    return status, printed.out + printed.err, printed.out


def test_another_machine_pays_for_nothing_that_is_in_the_store(
    folder, chat_server, capsys, store_url, monkeypatch, tmp_path
):
    """The same bytes come out; the password is in no file, and the store is listed without it."""
    explain = ("explain", "spec.toml", "--store", store_url)
    assert told(capsys, *explain)[0] == 0
    sent, first = len(chat_server.bodies), (folder / "explanation.json").read_bytes()
    monkeypatch.setenv("SPEX_CACHE_DIR", str(tmp_path / "another machine"))
    monkeypatch.setenv("SPEX_STORE", store_url)
    assert told(capsys, "explain", "spec.toml")[0] == 0
    assert (folder / "explanation.json").read_bytes() == first
    assert told(capsys, "replay", "explanation.json")[0] == 0
    assert (folder / "explanation.json").read_bytes() == first
    assert len(chat_server.bodies) == sent
    status, everything, out = told(capsys, "cache", "ls", "--json")
    assert (status, json.loads(out)["folder"]) == (0, store_url.replace(f":{PASSWORD}", ""))
    assert sum(each["count"] for each in json.loads(out)["models"]) == sent
    assert told(capsys, "cache", "verify")[0] == 0
    written = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert PASSWORD.encode() not in written
    assert PASSWORD not in everything


@pytest.mark.parametrize("wrong", ["mysql://me:s3cret@host/db", "", "me:s3cret@host/db"])
def test_what_is_no_address_is_refused_in_a_sentence(folder, chat_server, capsys, wrong):
    """Nothing is sent, and what may be a password is not repeated."""
    status, everything, _ = told(capsys, "explain", "spec.toml", "--store", wrong)
    assert (status, "s3cret" in everything, chat_server.bodies) == (2, False, [])
    assert "no address of a shared store" in " ".join(everything.split())


def test_a_database_that_is_not_there_is_told_in_a_sentence(folder, chat_server, capsys, store_url):
    """Nothing is sent, and the password is not repeated."""
    status, everything, _ = told(capsys, "explain", "spec.toml", "--store", f"{store_url}_not")
    assert (status != 0, PASSWORD in everything, chat_server.bodies) == (True, False, [])
    assert "does not exist" in " ".join(everything.split())


def test_a_spec_names_its_store(folder, chat_server, capsys, store_url):
    """In `[cache]`; what is written of the run does not say where answers are."""
    with (folder / "spec.toml").open("a") as spec:
        spec.write(f'[cache]\nstore = "{store_url}"\n')
    assert told(capsys, "explain", "spec.toml")[0] == 0
    assert json.loads((folder / "explanation.json").read_text())["spec"]["cache"] == {
        "store_prompts": True
    }


def test_an_audit_goes_on_from_the_store_on_another_machine(
    folder, chat_server, capsys, store_url, monkeypatch, tmp_path
):
    """The second machine pays for nothing, and writes the same bytes."""
    rows = "".join(f'{{"id": "{n}", "text": "a really good film {n}"}}\n' for n in range(2))
    (folder / "cases.jsonl").write_text(rows)
    (folder / "audit.toml").write_text(AUDIT)
    command = ("audit", "audit.toml", "--processes", "0", "--store", store_url)
    assert told(capsys, *command)[0] == 0
    sent, first = len(chat_server.bodies), (folder / "audit.json").read_bytes()
    monkeypatch.setenv("SPEX_CACHE_DIR", str(tmp_path / "another machine"))
    assert told(capsys, *command)[0] == 0
    assert (len(chat_server.bodies), (folder / "audit.json").read_bytes()) == (sent, first)


def test_without_psycopg_it_is_said_how_to_install_it(folder, chat_server, capsys, monkeypatch):
    """In a sentence, before anything is sent."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    nowhere = "postgresql://me@localhost/answers"
    status, everything, _ = told(capsys, "explain", "spec.toml", "--store", nowhere)
    assert (status, chat_server.bodies) == (2, [])
    assert 'pip install "spex-api[postgres]"' in " ".join(everything.split())
