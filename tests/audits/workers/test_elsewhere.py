"""Steps taken by workers: the same to the byte, whoever takes them and whoever dies over it."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from dataclasses import replace
from functools import partial

import pytest

import spex_api as spex
from spex_api.audits.auditing import audit_sync
from spex_api.audits.board import Board
from spex_api.audits.cases import cases_of
from spex_api.audits.inquired import Inquired
from spex_api.audits.rounds import Rounds
from spex_api.audits.terrain import Brief
from spex_api.audits.workers.elsewhere import open_elsewhere
from spex_api.audits.workers.errands import Kit, packed_kit, unpacked
from spex_api.decoding import Lasso
from spex_api.errors import ContentFiltered, UsageError, WorkersFailed
from spex_api.events import Notice, Progress
from spex_api.prompts import Prompt
from spex_api.querying.answers.store import DiskStore
from spex_api.querying.policy import Meter
from spex_api.querying.stack import Terms
from spex_api.scores import as_score
from tests.audits.played import TEMPLATE, rows
from tests.audits.workers.local_cluster import KEY

ROWS = rows(4)
BUDGET = spex.Budget(450)


def prompt_of(columns):
    """The prompt of a row."""
    if "fails" in columns["text"]:
        raise ValueError("a bug of the user's")
    return Prompt.from_template(TEMPLATE, split="words", text=columns["text"])


BRIEF = Brief(
    model="openai:toy",
    budget=BUDGET,
    terms=Terms(),
    score=as_score(["positive", "negative"]),
    make=prompt_of,
    decoder=Lasso(num_folds=2),
    index="FBII",
    order=2,
    seed=0,
    keep=0.5,
    most=None,
    target=None,
)


@pytest.fixture(scope="module")
def here(served, tmp_path_factory):
    """What one process comes to, as text, one a prompt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEX_CACHE_DIR", str(tmp_path_factory.mktemp("here") / "answers"))
        patch.setenv("OPENAI_BASE_URL", served.openai_url)
        patch.setenv("OPENAI_API_KEY", KEY)
        settings = {"score": BRIEF.score, "decoder": BRIEF.decoder, "budget": BUDGET}
        done = audit_sync(ROWS, "openai:toy", template=prompt_of, **settings)
    return told(done.cases), done.usage.requests


def told(cases):
    """What came of each, as text."""
    return [
        (case.case_id, case.standing, case.error, case.explanation and case.explanation.to_json())
        for case in cases
    ]


async def audited(address, folder, on_event=lambda event: None, *, given=ROWS, run="a run"):
    """What workers come to over a folder that all see; the cap is not theirs to keep there."""
    board = Board(Meter(), on_event)
    store = partial(DiskStore, folder)
    async with open_elsewhere(BRIEF, board, scheduler=address, run=run, open_store=store) as steps:
        every = [Inquired(case, board.meter_of(case.case_id)) for case in cases_of(given)]
        await Rounds(every, steps, board, BUDGET).run()
        return await steps.audited(every), board


def test_three_workers_come_to_the_same_bytes(cluster, here, tmp_path):
    """And tell how far they are; again from what is in the store, they send nothing."""
    events = []
    done, board = asyncio.run(audited(cluster.address, tmp_path / "a", events.append))
    assert told(done) == here[0]
    assert 0 < board.meter.sent <= here[1]
    assert any(isinstance(event, Progress) and event.done for event in events)
    assert any(isinstance(event, Notice) for event in events)
    again, board = asyncio.run(audited(cluster.address, tmp_path / "a", run="another run"))
    assert told(again) == here[0]
    assert board.meter.sent == 0


def test_a_run_that_is_broken_off_ends_on_the_workers_too(cluster, here, served, tmp_path):
    """What was under way is in the store; the same run again pays only for the rest."""
    before = served.stats(bodies=False)["answers_paid"]

    async def broken_off():
        running = asyncio.current_task()

        def stop(event):
            if isinstance(event, Progress) and event.done > 120 and not running.cancelling():
                running.cancel()

        await audited(cluster.address, tmp_path / "a", stop, run="broken off")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(broken_off())
    paid = served.stats(bodies=False)["answers_paid"] - before
    asyncio.run(asyncio.sleep(0.3))
    assert served.stats(bodies=False)["answers_paid"] - before == paid < here[1]
    done, board = asyncio.run(audited(cluster.address, tmp_path / "a", run="going on"))
    assert told(done) == here[0]
    assert served.stats(bodies=False)["answers_paid"] - before <= here[1]
    assert board.meter.sent <= here[1] - paid


def test_a_strangers_error_on_a_worker_is_a_sentence(cluster, tmp_path):
    """With the type and the text of what was raised there."""
    given = [{"text": "it fails here"}]
    with pytest.raises(WorkersFailed, match=r"not ours: ValueError: a bug of the user's"):
        asyncio.run(audited(cluster.address, tmp_path / "a", given=given, run="strange"))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("localhost", "no address of a scheduler"),
        ("tcp://user:secret@host:1", "no address of a scheduler"),
        ("tcp://127.0.0.1:9", "There is no scheduler at"),
    ],
)
def test_where_no_scheduler_is(address, said, tmp_path):
    """It is said within a few seconds."""
    with pytest.raises(UsageError, match=said):
        asyncio.run(asyncio.wait_for(audited(address, tmp_path / "a"), 15))


def test_workers_that_cannot_be_used_are_named(cluster, tmp_path):
    """Here they cannot open the store: a file is in its place."""
    (tmp_path / "a").write_text("no folder")
    with pytest.raises(spex.SpexError, match=r"The worker tcp://\S+ is not ready\. \S+"):
        asyncio.run(audited(cluster.address, tmp_path / "a", run="no store"))


def test_workers_of_another_version_are_refused(cluster, monkeypatch, tmp_path):
    """Before anything is sent: what they come to may differ."""
    monkeypatch.setattr("spex_api.audits.workers.cluster.version", lambda name: "99.0")
    with pytest.raises(
        UsageError, match=r"The worker tcp://\S+ has spex-api \S+, and this is 99.0"
    ):
        asyncio.run(audited(cluster.address, tmp_path / "a", run="other"))


def test_no_key_is_sent(monkeypatch):
    """Neither in what is sent of a named model, nor in an object that holds one."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    kit = Kit(BRIEF, partial(DiskStore, None))
    assert KEY.encode() not in packed_kit(kit)

    def holding(columns, key=os.environ["OPENAI_API_KEY"]):
        return prompt_of({**columns, "key": key})

    with pytest.raises(UsageError, match="the value of OPENAI_API_KEY") as raised:
        packed_kit(Kit(replace(BRIEF, make=holding), partial(DiskStore, None)))
    assert KEY not in str(raised.value)
    with pytest.raises(UsageError, match="The model of this audit cannot be sent"):
        packed_kit(Kit(replace(BRIEF, model=threading.Lock()), partial(DiskStore, None)))


def test_our_errors_survive_the_way():
    """With all four parts, and what an endpoint said."""
    error = ContentFiltered("No.", cost="Nothing.", safe="All.", advice="Ask.", unbilled=True)
    again = unpacked(pickle.dumps(error))
    assert (str(again), again.unbilled) == (str(error), True)
