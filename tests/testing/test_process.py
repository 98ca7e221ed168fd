"""The server as a process of its own, and its table in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from spex_api.completions import Message, canonical_json
from spex_api.errors import UsageError
from spex_api.testing import Route, faults, server_process
from spex_api.testing.ledger import Received
from spex_api.testing.tables import read_table


def test_a_process_of_its_own(ask, question, tmp_path):
    """It plays its table, tells its counts, writes its ledger, and ends with the test."""
    log = tmp_path / "ledger.jsonl"
    table = {"rows": [{"fault": "RATE_LIMITED", "numbers": [1]}], "words": {"acting": -5.0}}
    with server_process(table, log=log) as served:
        statuses = [ask(served).status_code for _ in range(3)]
        text = ask(served, anthropic=True).json()["content"][0]["text"]
        stats, totals = served.stats(), served.stats(bodies=False)
    assert statuses == [429, 200, 200]
    assert text == "negative"
    key = canonical_json(question)
    assert stats["paid"][key] == 2
    assert stats["delivered"][key] == 2
    assert stats["asked"][key] == 3
    assert (stats["received"], stats["paid_more_than_once"]) == (4, 1)
    assert totals["answers_paid"] == 3
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["event"] for e in events] == ["paid", "delivered"] * 3
    assert events[0]["body"] == key
    with pytest.raises(ProcessLookupError):
        os.kill(served.pid, 0)


def test_it_outlives_a_client_that_is_killed(ask):
    """A client that is killed while it waits is paid for once, and nothing is delivered to it."""
    code = (
        "import sys, httpx2; httpx2.post(sys.argv[1] + '/chat/completions', trust_env=False,"
        " json={'model': 'm', 'messages': [{'role': 'user', 'content': 'x'}]}, timeout=60)"
    )
    with server_process(latency=2.0) as served:
        with subprocess.Popen([sys.executable, "-c", code, served.openai_url]) as client:
            while not served.stats(bodies=False)["open"]:
                assert client.poll() is None
            client.kill()
        while (totals := served.stats(bodies=False))["open"]:
            time.sleep(0.02)
        assert (totals["answers_paid"], totals["answers_delivered"]) == (1, 0)
        assert ask(served).status_code == 200


def test_it_ends_with_whoever_started_it():
    """Where its starter is killed, nobody stops it, so it stops when standard input ends."""
    command = [sys.executable, "-m", "spex_api.testing.fault_server", "--table", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as served:
        served.stdin.write("{}\n")
        served.stdin.flush()
        assert json.loads(served.stdout.readline())["pid"] == served.pid
        assert served.poll() is None
        served.stdin.close()
        assert served.wait(30) == 0


def test_the_table_in_the_command_line(tmp_path):
    """A table that cannot be read ends the program with a sentence."""
    path = tmp_path / "table.json"
    path.write_text('{"rows": [{"fault": "NO_SUCH"}]}')
    command = [sys.executable, "-m", "spex_api.testing.fault_server", "--table", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "There is no fault 'NO_SUCH'" in result.stderr
    assert result.stdout == ""


def test_a_whole_table():
    """Every part of a script can be written in JSON."""
    script, answer = read_table(
        json.dumps(
            {
                "rows": [
                    {"fault": "retry_after", "with": [0.5], "attempts": [1, 2]},
                    {"fault": "SERVER_ERROR", "every": 7},
                    {"fault": "CONTENT_FILTERED", "holding": "bomb", "route": "line"},
                ],
                "limits": {"requests": 600, "window": 6.0},
                "drift": {"after": 20, "model": "m2"},
                "batch": {"polls": 3, "ends": "expired", "answered": 2},
                "headers": {"x-ratelimit-limit-requests": "600"},
                "words": {"good": 2.0},
            }
        )
    )
    assert script.rows[0].fault == faults.retry_after(0.5)
    assert script.limits.requests == 600
    assert script.drift.model == "m2"
    assert script.batch.answered == 2
    assert script.headers == {"x-ratelimit-limit-requests": "600"}

    def asked(number, **more):
        return Received("POST", "/", number=number, attempt=3, **more)

    played = [script.fault(asked(n, route=Route.QUESTION)) for n in (6, 7, 8, 14)]
    assert played == [None, faults.SERVER_ERROR, None, faults.SERVER_ERROR]
    assert script.fault(asked(7, route=Route.LINE, raw=b"a bomb")) is faults.CONTENT_FILTERED
    said = answer((Message("user", "Good, good."),))
    assert said["positive"] - said["negative"] == pytest.approx(2.25)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "cannot be read"),
        ('{"row": []}', "row: Extra"),
        ('{"rows": [{"fault": "Fault"}]}', "no fault 'Fault'"),
        ('{"rows": [{"fault": "retry_after"}]}', "not made of that"),
        ('{"rows": [{"fault": "RATE_LIMITED", "with": [1]}]}', "with 1 arguments"),
        ('{"rows": [{"fault": "RATE_LIMITED", "every": 0}]}', "every"),
        ('{"batch": {"ends": "well"}}', "cannot end as"),
    ],
)
def test_tables_that_cannot_be_read(text, said):
    """Each is refused with a sentence that names the place."""
    with pytest.raises(UsageError, match=said):
        read_table(text)
