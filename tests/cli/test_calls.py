"""From a call that was made to its explanation: `spex calls` and `spex explain --call`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import openai
import pytest
from spex_adapters.recording import flush, record

from spex_api.calls.file import append, calls_file
from spex_api.calls.line import write_line
from spex_api.cli.app import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import ChatServer

NOTES = [f"[{n}] Topic {n} is of no matter here." for n in range(1, 9)]
NOTES[2] = "[3] Leave is 25 days for contracts of the new kind."
NOTES[5] = "[6] All contracts are of the new kind."
QUESTION = "Question: how many days of leave do I have?"
ASKED = "\n\n".join([*NOTES, QUESTION])
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED}]
LINE = "Why it says so"
FAST = ("--decoder", "lasso")


def leave_reply(body):
    """A model that says 25 days where both notes are there, else 15."""
    text = json.dumps(body["messages"])
    days = 25 if NOTES[2] in text and NOTES[5] in text else 15
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": f"You have **{days}** days."},
    }
    return {
        "model": "toy-2026",
        "choices": [choice],
        "usage": {"prompt_tokens": 90, "completion_tokens": 6, "total_tokens": 96},
    }


@pytest.fixture
def server(chat_server) -> Iterator[ChatServer]:
    """The chat server with a model that knows the rules of leave."""
    chat_server.reply = leave_reply
    return chat_server


def keep(url="https://api.openai.com/v1", number=1, answer="15 days", path=None, **changed):
    """Puts a call among the recorded ones, and returns its id."""
    body = {"model": "toy", "messages": MESSAGES, **changed.pop("body", {})}
    reply = {
        "model": "toy-2026",
        "choices": [{"message": {"content": answer}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 6},
    }
    head = {
        "id": f"c-{number:04}",
        "begun": f"2026-11-{number:02}T10:00:00Z",
        "seconds": 0.5,
        "url": f"{url}/chat/completions",
        "dialect": "openai.chat",
        "status": 200,
        **changed,
    }
    told = {200: json.dumps(reply).encode(), None: None}.get(head["status"], b'{"error": "No."}')
    line = write_line(head, request=json.dumps(body).encode(), reply=told)
    append(path or calls_file(), [line])
    return head["id"]


def fault(capsys, *arguments) -> tuple[int, str]:
    """The exit status and the one line on stderr of a run that fails."""
    status = run([str(each) for each in arguments])
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("spex: ")]
    assert len(lines) == 1
    return status, lines[0]


def test_from_a_recorded_client_to_an_explanation(work, server, capsys):
    """The engineer's way: record, ask, list, and explain the last call by what it said."""
    with record(openai.OpenAI(max_retries=0)) as client:
        told = client.chat.completions.create(model="toy", messages=MESSAGES, temperature=0.7)
    assert "25" in told.choices[0].message.content
    assert flush()
    assert run(["calls"]) == 0
    assert "You have **25** days." in capsys.readouterr().out
    asked = len(server.bodies)
    arguments = ["explain", "--call", "last", "--why", "25 days", "--requests", "200", "--json"]
    assert run(arguments) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)["interactions"]
    pair = max(found, key=lambda each: abs(each["value"]))
    assert pair["texts"] == [NOTES[2], NOTES[5]]
    assert pair["low"] > 0
    assert "The features are the 8 documents of the user's message" in printed.err
    sent = server.bodies[asked:]
    assert len(sent) <= 200
    whole = [body for body in sent if body["messages"] == MESSAGES]
    assert whole
    assert {body["temperature"] for body in sent} == {0.7}
    assert {body["max_tokens"] for body in sent} == {256}
    assert all(QUESTION in body["messages"][-1]["content"] for body in sent)


def test_the_run_has_a_name_and_is_replayed(work, server, capsys, monkeypatch):
    """The call is in the spec, so the record is needed no more; the bytes are the same."""
    name = keep(url=server.url, body={"temperature": 0})
    flags = ["--why", "25 days", "--requests", "60", "--json", *FAST]
    assert run(["explain", "--call", name, *flags]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run"].startswith("call-0001-")
    first = Path("explanation.json").read_bytes()
    calls_file().unlink()
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    Path("again").mkdir()
    assert run(["replay", told["run"], "--out", "again"]) == 0
    assert Path("again/explanation.json").read_bytes() == first


def test_a_call_at_the_temperature_0_is_asked_once_a_mask(work, server, capsys):
    """Its answers do not vary, so each mask has one and the value is 1 or 0."""
    keep(url=server.url, body={"temperature": 0, "max_tokens": 30, "top_p": 0.5, "stream": True})
    assert run(["explain", "--call", "c-0001", "--why", "25 days", "--requests", "100"]) == 0
    printed = capsys.readouterr()
    said = " ".join(printed.err.split())
    assert "the likeliest one under each mask" in said
    assert "The answer of then does not say it." in said
    assert "top_p" in said
    assert "no answer depends on it: stream" in said
    assert {(body["temperature"], body["max_tokens"]) for body in server.bodies} == {(0, 30)}
    assert "1 where the likeliest answer holds '25 days', else 0" in printed.out
    assert f"{NOTES[2]} + {NOTES[5]}"[:30] in " ".join(printed.out.split())


def test_each_way_to_give_a_call_asks_the_same(work, server, capsys):
    """A record, its request saved as JSON, and its span: what the first asked serves the others."""
    keep(url=server.url, body={"max_tokens": 30})
    flags = ["--why", "25 days", "--requests", "60", "--json", *FAST]
    assert run(["explain", "--call", "last", *flags]) == 0
    asked = len(server.bodies)
    capsys.readouterr()
    assert run(["calls", "show", "c-0001", "--request"]) == 0
    Path("saved.json").write_text(capsys.readouterr().out)
    parts = [
        {"role": each["role"], "parts": [{"type": "text", "content": each["content"]}]}
        for each in MESSAGES
    ]
    told = {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "toy",
        "gen_ai.request.max_tokens": 30,
        "gen_ai.input.messages": json.dumps(parts),
    }
    span = {"name": "chat toy", "context": {"span_id": "0xab"}, "attributes": told}
    Path("span.json").write_text(json.dumps(span))
    for flag, file in (("--request", "saved.json"), ("--span", "span.json#ab")):
        assert run(["explain", flag, file, *flags]) == 0
        usage = json.loads(capsys.readouterr().out)["usage"]
        assert (usage["sent"], usage["requests"]) == (0, asked)
    assert len(server.bodies) == asked


def test_labels_or_nothing_let_the_endpoint_decide(work, server, capsys):
    """Without log-probs, labels are counted, and answers are compared to the whole prompt's."""
    keep(url=server.url)
    flags = ["--call", "last", "--json", *FAST]
    assert run(["explain", *flags, "--labels", "25,15", "--requests", "230"]) == 0
    assert "LabelFrequency('25', '15'" in json.loads(capsys.readouterr().out)["provenance"]["score"]
    assert run(["explain", *flags, "--requests", "40"]) == 0
    assert "Similarity" in json.loads(capsys.readouterr().out)["provenance"]["score"]


def test_a_spec_beside_a_call_says_the_rest(work, server, capsys):
    """Its score, its way to split and its budget hold; the call says what is asked of whom."""
    keep(url=server.url)
    Path("rest.toml").write_text(
        '[prompt]\nsplit = "paragraphs"\nof = "user"\n[budget]\nrequests = 60\n'
        '[score]\nkind = "label_frequency"\nsays = "25 days"\nsamples = 1\n'
    )
    assert run(["explain", "rest.toml", "--call", "last", "--json", *FAST]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run"].startswith("rest-")
    assert "samples=1" in told["provenance"]["score"]
    assert told["usage"]["requests"] <= 60
    assert len(server.bodies[-1]["messages"]) == 2


def test_another_split_another_message_another_model(work, server, capsys):
    """Flags go before what suits the call."""
    keep(url="https://elsewhere.example/v1")
    flags = [
        "--call",
        "last",
        "--model",
        "openai:mine",
        "--why",
        "25 days",
        "--requests",
        "40",
        *FAST,
    ]
    assert run(["explain", *flags, "--of", "0", "--mask", "ellipsis"]) == 0
    assert "the words of the system's message" in " ".join(capsys.readouterr().err.split())
    assert {body["model"] for body in server.bodies} == {"mine"}
    assert any(body["messages"][0]["content"] == "… brief." for body in server.bodies)
    run(["explain", *flags, "--split", "sentences"])
    assert all(body["messages"][0]["content"] == "Be brief." for body in server.bodies[-9:])
    run(["explain", *flags, "--split", "documents"])
    assert all(QUESTION in body["messages"][1]["content"] for body in server.bodies[-9:])


def test_a_plan_of_a_call_sends_nothing(work, server, capsys):
    """What the same flags would ask and cost, before it is spent."""
    keep(url=server.url)
    flags = ["--call", "last", "--why", "25 days", "--requests", "100", "--json"]
    assert run(["plan", *flags]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["features"], told["requests"]["per_mask"]) == (8, 2)
    assert server.bodies == []


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--call", "c-9"], 2, "no call"),
        (["--call", "last", "--request", "a.json"], 2, "--call and --request both"),
        (["--call", "last", "--text", "a", "--ask", "b"], 2, "--text and --ask"),
        (["--call", "last", "--why", "a", "--labels", "b,c"], 2, "--why and --labels both"),
        (["--call", "last", "--why", " "], 2, "every answer would hit"),
        (["--call", "last", "--of", "robot"], 2, "the roles system, user"),
        (["--call", "last", "--split", "wrds"], 2, "'wrds'"),
        (["--call", "last", "--calls-file", "none.jsonl"], 2, "none.jsonl"),
        (["--calls-file", "none.jsonl", "--why", "a"], 2, "--calls-file"),
        (["--why", "a"], 2, "none is given"),
        (["--request", "none.json"], 2, "none.json"),
        (["--span", "none.json#1"], 2, "none.json"),
        (["--call", "last", "--why", "99 days", "--requests", "60"], 2, "holds '99 days'"),
        ([], 2, "a call: --call last"),
    ],
)
def test_misuse_is_one_clear_line(work, server, capsys, arguments, status, message):
    """Each mistake is named, and nothing is spent on it beyond the first look."""
    keep(url=server.url)
    found, line = fault(capsys, "explain", *arguments)
    assert found == status
    assert message in line
    assert len(server.bodies) <= 12


def test_a_prompt_goes_nowhere_but_where_it_went(work, server, capsys):
    """A call to OpenAI is not asked at another address because a variable says so."""
    keep()
    status, line = fault(capsys, "explain", "--call", "last", "--why", "25 days")
    assert status == 2
    assert "OPENAI_BASE_URL=https://api.openai.com/v1" in line
    assert server.bodies == []


def test_calls_are_listed_newest_last(work, capsys):
    """Id, time, model, what was asked first and answered, and for whom."""
    keep(number=2, answer="15 days", parents=("ticket 4711", "step 2"))
    keep(number=1, answer="25\ndays")
    assert run(["calls"]) == 0
    said = capsys.readouterr().out
    assert "2 calls." in said
    first, second = said.index("c-0001  2026-11-01 10:00:00 UTC  toy\n"), said.index("c-0002")
    assert first < second
    assert "for ticket 4711 › step 2" in said
    assert "[1] Topic 1 is of no matter here. [2] Topic 2" in said
    assert "… → 25 days\n" in said
    assert "spex explain --call c-0002 --why TEXT" in said


def test_filters(work, capsys):
    """By parent, at any depth, by number, and by file; a machine is told the same."""
    for number in range(1, 4):
        keep(number=number, parents=("outer", f"inner {number % 2}"))
    keep(number=9, path=Path("other.jsonl"))

    def ids(*flags):
        assert run(["calls", *flags, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        return told["count"], [each["id"] for each in told["calls"]]

    assert ids() == (3, ["c-0001", "c-0002", "c-0003"])
    assert ids("--parent", "outer", "--last", "2") == (3, ["c-0002", "c-0003"])
    assert ids("--parent", "inner 1") == (2, ["c-0001", "c-0003"])
    assert ids("--parent", "nobody") == (0, [])
    assert ids("--file", "other.jsonl") == (1, ["c-0009"])
    assert run(["calls", "--last", "1"]) == 0
    assert "3 calls, of which the last 1." in capsys.readouterr().out


def test_without_any_call_it_says_what_to_do(work, capsys):
    """No file, no call of that parent, and a file that the user named and is not there."""
    assert run(["calls"]) == 0
    assert "spex_adapters.record(client)" in capsys.readouterr().out
    assert run(["calls", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["calls"] == []
    keep()
    assert run(["calls", "--parent", "nobody"]) == 0
    assert "Without --parent" in capsys.readouterr().out
    assert fault(capsys, "calls", "--file", "none.jsonl")[0] == 2
    assert fault(capsys, "calls", "show", "c-9")[0] == 2


def test_one_call_whole(work, capsys):
    """Every turn, the answer, where it went and what it took; for a machine both bodies."""
    keep(parents=("ticket 4711",))
    assert run(["calls", "show", "c-0001"]) == 0
    said = capsys.readouterr().out
    for part in ("system: Be brief.", ASKED, "answer: 15 days", "ticket 4711", "toy-2026", LINE):
        assert part in said
    assert "90 tokens in, 6 out, ended by stop." in said
    assert run(["calls", "show", "0001", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["request"]["messages"] == MESSAGES
    assert told["reply"]["model"] == "toy-2026"
    assert told["usage"] == {"input_tokens": 90, "output_tokens": 6}


def test_what_came_of_a_call_is_told(work, capsys):
    """A refusal, no reply, and a reply that broke off are no answers."""
    keep(number=1, status=429)
    keep(number=2, status=None, error="ConnectError")
    keep(number=3, error="ReadError", answer="15")
    assert run(["calls"]) == 0
    said = capsys.readouterr().out
    assert "→ no answer: 429 No." in said
    assert "→ no answer: ConnectError" in said
    assert "→ 15 (broken off: ReadError)" in said


def test_nothing_in_a_call_acts_on_the_terminal(work, capsys):
    """Control characters and marks of direction are made inert, in a list and alone."""
    hostile = [{"role": "user", "content": "a\x1b[31m\u202eb\x07"}]
    keep(body={"messages": hostile, "model": "m\x1b[0m"}, answer="\x9b31mno", parents=("\x1b]0;t",))
    for arguments in (["calls"], ["calls", "show", "c-0001"], ["calls", "--json"]):
        assert run(arguments) == 0
        said = capsys.readouterr().out
        assert not {"\x1b", "\u202e", "\x9b", "\x07"} & set(said)
