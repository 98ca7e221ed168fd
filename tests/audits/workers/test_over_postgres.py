"""Audits over workers that share PostgreSQL: one cap, and the same bytes whatever is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

import spex_api as spex
from spex_api.audit_file import StoredAudit
from spex_api.audits.auditing import audit_sync
from spex_api.errors import UsageError
from spex_api.events import Progress
from spex_api.querying.shared.store import PostgresStore, new_run
from tests.audits.played import SETTINGS, rows
from tests.audits.workers.local_cluster import KEY

ROWS = rows(4)
BUDGET = spex.Budget(400)


@pytest.fixture
def asked(served, monkeypatch):
    """Audits the rows, as `audit_sync` with these settings."""
    monkeypatch.setenv("OPENAI_BASE_URL", served.openai_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def audited(**settings):
        return audit_sync(ROWS, "openai:toy", **{"budget": BUDGET, **SETTINGS, **settings})

    return audited


SPEC = """
model = "openai:toy"
prompts = "cases.jsonl"
[prompt]
template = "Positive or negative? {text}"
[score]
labels = ["positive", "negative"]
[budget]
requests = 400
"""


def paid(served):
    """For how many answers the server was paid so far."""
    return served.stats(bodies=False)["answers_paid"]


def told(done):
    """All that an audit writes: its file has the digest of each explanation's."""
    return StoredAudit.of(done).text()


def test_a_worker_and_the_store_are_killed(asked, cluster, postgres, served, store_url):
    """With -9, one after the other; the server is paid for what was under way at the most twice.

    The budget has room for that: what a dead worker had under way stays charged.
    """
    room = {"most": 100, "budget": spex.Budget(600)}
    whole = asked(**room)
    before = served.stats(bodies=False)["answers_paid"]
    killed = []

    def kill(event):
        if isinstance(event, Progress) and event.done > 80 and not killed:
            killed.append(cluster.kill_one())
        elif isinstance(event, Progress) and event.done > 160 and len(killed) == 1:
            killed.append(postgres.kill())
            postgres.start()

    with closing(PostgresStore(store_url, run=new_run())) as store:
        done = asked(store=store, scheduler=cluster.address, on_event=kill, **room)
        spent = store.spent(store.run).requests
    assert len(killed) == 2
    assert told(done) == told(whole)
    paid = served.stats(bodies=False)["answers_paid"] - before
    assert paid <= spent <= 600
    assert paid - whole.usage.requests <= 3 * 16


def test_the_cap_of_all_workers_holds_to_the_request(asked, cluster, served, store_url):
    """Here it is what a run has in the ledger that leaves the workers less than they would take."""
    before = served.stats(bodies=False)["received"]
    run = new_run()
    with closing(PostgresStore(store_url, run=run)) as store:
        ledger = store.ledger(BUDGET, None, model="toy")
        ledger.owe(BUDGET.requests - 123, 0, None).keep()
        done = asked(store=store, scheduler=cluster.address)
        assert store.spent(run).requests == BUDGET.requests
    assert served.stats(bodies=False)["received"] - before == 123
    assert not done.complete


def test_ctrl_c_over_workers_says_how_to_go_on(asked, cluster, served, store_url, tmp_path):
    """The workers send no more, and what they were paid for is in the store."""
    (tmp_path / "spec.toml").write_text(SPEC)
    (tmp_path / "cases.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    # Who runs the tests in the background may ignore interrupts, and a child would too.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{listening}; from spex_api.cli import main; main()"
    audit = [sys.executable, "-c", code, "audit", "spec.toml", "--scheduler", cluster.address]
    before = paid(served)
    process = subprocess.Popen(
        [*audit, "--store", store_url], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while paid(served) - before < 30 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (130, False), said
    assert "the same command goes on from there" in " ".join(said.split())
    time.sleep(0.5)
    sent = paid(served) - before
    time.sleep(0.5)
    assert paid(served) - before == sent
    with closing(PostgresStore(store_url)) as store:
        assert len(store) == sent


def test_what_workers_cannot_do_is_refused(asked, store_url):
    """Before anything is reached: no store that all share, anew, or processes beside workers."""
    nowhere = "tcp://127.0.0.1:9"
    with pytest.raises(UsageError, match="Workers need a store that all of them share"):
        asked(scheduler=nowhere)
    with closing(PostgresStore(store_url)) as store:
        with pytest.raises(UsageError, match="is asked by one process"):
            asked(scheduler=nowhere, store=store, mode="refresh")
        with pytest.raises(UsageError, match="its workers decode"):
            asked(scheduler=nowhere, store=store, processes=2)
