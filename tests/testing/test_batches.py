"""Batches in both dialects, by the vendors' own clients and by a bare one."""

from __future__ import annotations

import json

import httpx2
import pytest

from spex_api.testing import BatchPlan, FaultServer, Route, Row, Script, faults, holding


def text(word):
    """A conversation of one word."""
    return [{"role": "user", "content": word}]


WORDS = ("good", "bad", "awful", "great")


@pytest.fixture
def jsonl(question):
    """A file of four questions."""
    lines = (
        {
            "custom_id": f"id-{word}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {**question, "messages": text(word)},
        }
        for word in WORDS
    )
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.fixture
def submit(client, jsonl):
    """Uploads the file and submits it; gives the batch."""

    def submitted(server, content=jsonl, **metadata):
        files = {"file": ("questions.jsonl", content), "purpose": (None, "batch")}
        file = client.post(f"{server.openai_url}/files", files=files).json()
        assert file["bytes"] == len(content)
        body = {
            "input_file_id": file["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": metadata,
        }
        return client.post(f"{server.openai_url}/batches", json=body).json()

    return submitted


@pytest.fixture
def poll(client):
    """Asks for a batch."""
    return lambda server, name: client.get(f"{server.openai_url}/batches/{name}").json()


@pytest.fixture
def lines(client):
    """The lines of a file."""

    def read(server, name):
        reply = client.get(f"{server.openai_url}/files/{name}/content")
        return [json.loads(line) for line in reply.text.splitlines()]

    return read


def test_by_openais_own_client(jsonl, ask):
    """Upload, submit, poll, read: its models take every reply, and answers are those of live."""
    openai = pytest.importorskip("openai")
    with (
        FaultServer.in_thread(Script(batch=BatchPlan(polls=1))) as server,
        openai.OpenAI(
            api_key="sk-test",
            base_url=server.openai_url,
            max_retries=0,
            _strict_response_validation=True,
            http_client=httpx2.Client(trust_env=False),
        ) as vendor,
    ):
        file = vendor.files.create(file=("questions.jsonl", jsonl), purpose="batch")
        made = vendor.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"run": "r1"},
        )
        assert (made.status, made.metadata) == ("validating", {"run": "r1"})
        assert server.paid.total() == 0
        assert vendor.batches.retrieve(made.id).status == "in_progress"
        done = vendor.batches.retrieve(made.id)
        assert done.status == "completed"
        assert (done.request_counts.total, done.request_counts.completed) == (4, 4)
        assert done.error_file_id is None
        written = vendor.files.content(done.output_file_id).text.splitlines()
        assert [batch.id for batch in vendor.batches.list()] == [made.id]
        assert vendor.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            vendor.files.content(file.id)
        live = ask(server, messages=text("great")).json()
    by_id = {line["custom_id"]: line for line in map(json.loads, written)}
    assert list(by_id) == [f"id-{word}" for word in reversed(WORDS)]
    assert by_id["id-great"]["response"]["status_code"] == 200
    assert by_id["id-great"]["response"]["body"] == live
    assert server.paid.total() == 5
    assert max(server.paid.values()) == 2


def test_by_anthropics_own_client():
    """Submit, poll, list, read, cancel: its models take every reply."""
    anthropic = pytest.importorskip("anthropic")
    requests = [
        {
            "custom_id": f"id-{word}",
            "params": {"model": "m", "max_tokens": 1, "messages": text(word)},
        }
        for word in WORDS
    ]
    script = Script((Row(faults.BAD_REQUEST, when=holding("awful"), route=Route.LINE),))
    with (
        FaultServer.in_thread(script) as server,
        anthropic.Anthropic(
            api_key="sk-test",
            base_url=server.anthropic_url,
            max_retries=0,
            _strict_response_validation=True,
            http_client=httpx2.Client(trust_env=False),
        ) as vendor,
    ):
        made = vendor.messages.batches.create(requests=requests)
        assert (made.processing_status, made.request_counts.processing) == ("in_progress", 4)
        assert vendor.messages.batches.retrieve(made.id).results_url is None
        done = vendor.messages.batches.retrieve(made.id)
        assert (done.processing_status, done.request_counts.errored) == ("ended", 1)
        results = {line.custom_id: line.result for line in vendor.messages.batches.results(made.id)}
        second = vendor.messages.batches.create(requests=requests[:1])
        assert vendor.messages.batches.cancel(second.id).processing_status == "canceling"
        assert vendor.messages.batches.retrieve(second.id).request_counts.canceled == 1
        (line,) = vendor.messages.batches.results(second.id)
        assert line.result.type == "canceled"
        assert [b.id for b in vendor.messages.batches.list(limit=1)] == [second.id, made.id]
    assert results["id-great"].message.content[0].text == "positive"
    assert results["id-bad"].message.content[0].text == "negative"
    assert results["id-awful"].type == "errored"
    assert results["id-awful"].error.error.type == "invalid_request_error"
    assert server.paid.total() == 3


def test_an_expired_batch_has_what_was_answered(submit, poll, lines):
    """Some are answered and paid; the rest are in the error file, without a response."""
    script = Script(batch=BatchPlan(polls=0, ends="expired", answered=1))
    with FaultServer.in_thread(script) as server:
        done = poll(server, submit(server)["id"])
        assert done["status"] == "expired"
        (answered,) = lines(server, done["output_file_id"])
        left = lines(server, done["error_file_id"])
    assert answered["custom_id"] == "id-good"
    assert {line["error"]["code"] for line in left} == {"batch_expired"}
    assert [line["response"] for line in left] == [None] * 3
    assert server.paid.total() == 1


def test_single_lines_fail(submit, poll, lines):
    """A line's own fault is in the error file, with its status; the others are answered."""
    script = Script((Row(faults.CONTEXT_TOO_LONG, numbers={2}, route=Route.LINE),))
    with FaultServer.in_thread(script) as server:
        name = submit(server)["id"]
        assert poll(server, name)["output_file_id"] is None
        done = poll(server, name)
        (failed,) = lines(server, done["error_file_id"])
        assert len(lines(server, done["output_file_id"])) == 3
    assert failed["custom_id"] == "id-bad"
    assert failed["response"]["status_code"] == 400
    assert failed["response"]["body"]["error"]["code"] == "context_length_exceeded"
    assert done["request_counts"] == {"total": 4, "completed": 3, "failed": 1}


def test_a_batch_can_be_cancelled(submit, poll, client):
    """It is on its way to be cancelled, then it is; a second time is refused."""
    with FaultServer.in_thread(Script(batch=BatchPlan(polls=9))) as server:
        name = submit(server)["id"]
        url = f"{server.openai_url}/batches/{name}/cancel"
        assert client.post(url).json()["status"] == "cancelling"
        assert poll(server, name)["status"] == "cancelled"
        assert client.post(url).status_code == 409
    assert server.paid.total() == 0


def test_a_batch_fails_as_a_whole(submit, poll, jsonl):
    """The queue is full, or a line is broken, or an id comes twice."""
    with FaultServer.in_thread(Script(batch=BatchPlan(ends="failed"))) as server:
        full = poll(server, submit(server)["id"])
    with FaultServer.in_thread() as server:
        broken = poll(server, submit(server, b"{\n" + jsonl)["id"])
        twice = poll(server, submit(server, jsonl + jsonl)["id"])
    assert [full["status"], broken["status"], twice["status"]] == ["failed"] * 3
    codes = [b["errors"]["data"][0]["code"] for b in (full, broken, twice)]
    assert codes == ["token_limit_exceeded", "invalid_json_line", "duplicate_custom_id"]
    assert broken["errors"]["data"][0]["line"] == 1


def test_a_batch_is_taken_in_although_the_reply_is_lost(submit, client):
    """The gap between submitting and knowing it: the list still has it, with its metadata."""
    script = Script((Row(faults.RESET_BEFORE_ANSWER, numbers={1}, route=Route.SUBMIT),))
    with FaultServer.in_thread(script) as server:
        with pytest.raises(httpx2.ReadError):
            submit(server, run="r7")
        assert submit(server, run="r8")["id"] == "batch_000002"
        found = client.get(f"{server.openai_url}/batches?limit=1").json()
        older = client.get(f"{server.openai_url}/batches?after={found['last_id']}").json()
    assert [batch["metadata"] for batch in found["data"]] == [{"run": "r8"}]
    assert found["has_more"]
    assert [batch["metadata"] for batch in older["data"]] == [{"run": "r7"}]
    assert not older["has_more"]


def test_a_refused_submission_is_not_taken_in(submit, client):
    """429 on submitting leaves nothing behind."""
    script = Script((Row(faults.retry_after(1), numbers={1}, route=Route.SUBMIT),))
    with FaultServer.in_thread(script) as server:
        assert submit(server)["error"]["code"] == "rate_limit_exceeded"
        assert client.get(f"{server.openai_url}/batches").json()["data"] == []


def test_what_there_is_not(client):
    """Unknown names are 404; results before the end too; nonsense is 400."""
    question = {"custom_id": "a", "params": {"model": "m", "messages": text("good")}}
    with FaultServer.in_thread() as server:
        for path in ("batches/x", "files/x", "files/x/content", "messages/batches/x"):
            assert client.get(f"{server.openai_url}/{path}").status_code == 404
        url = f"{server.openai_url}/messages/batches"
        made = client.post(url, json={"requests": [question]}).json()
        assert client.get(f"{url}/{made['id']}/results").status_code == 404
        for requests in ([], [question, question], [{**question, "custom_id": "no spaces"}]):
            assert client.post(url, json={"requests": requests}).status_code == 400
        assert client.post(f"{server.openai_url}/files", content=b"?").status_code == 400
        window = client.post(f"{server.openai_url}/batches", json={"completion_window": "1h"})
        assert window.status_code == 400
