"""The batches of OpenAI and of Anthropic, against servers in memory and one on loopback."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from spex_adapters import _batch_replies
from spex_adapters.anthropic import AnthropicAdapter
from spex_adapters.openai import OpenAIAdapter

from spex_api.completions import CompletionRequest, Message
from spex_api.errors import (
    AdapterError,
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    MalformedReply,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from spex_api.querying.batch import fill
from spex_api.querying.batches.costs import BatchCosts
from spex_api.querying.batches.endpoint import BatchState, Chunk, HasBatches
from spex_api.querying.batches.journal import open_journal
from spex_api.querying.budget import Budget
from spex_api.querying.cache import Cached, DiskStore
from spex_api.querying.ledger import Amount, Ledger
from spex_api.querying.policy import Meter
from spex_api.querying.pricing import Price
from spex_api.testing.fault_server import FaultServer
from spex_api.testing.script import BatchPlan, Route, Script

KEY = "sk-test-4f1d0c77be9a4e21"
A, B, C = "a" * 64, "b" * 64, "c" * 64
NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
CHUNK = Chunk("run-1", "0" * 32, (A, B), NOW)
REPLY = {
    "choices": [{"message": {"content": "süß\u2028"}, "logprobs": None}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    "x": -0.12345678901234567,
}
MESSAGE = {"type": "message", "content": [{"type": "text", "text": "yes"}], "usage": {}}


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    """A key for each, and no address from outside."""
    for vendor in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{vendor}_API_KEY", KEY)
        monkeypatch.delenv(f"{vendor}_BASE_URL", raising=False)


@dataclass
class Wire:
    """Replies by method and path, and what was asked."""

    replies: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """The next reply of this path; the last one again and again."""
        self.asked.append(request)
        replies = self.replies[f"{request.method} {request.url.path}"]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx2.Response):
            return reply
        return httpx2.Response(200, json=reply)


def endpoint(kind, wire):
    """The batch endpoint of an adapter whose bytes go to this wire."""
    adapter = kind("m", transport=httpx2.MockTransport(wire))
    assert isinstance(adapter, HasBatches)
    return adapter, adapter.batches()


def use(kind, replies, call):
    """What a call of the endpoint gives, and the wire that it went over."""
    wire = Wire({path: [*some] for path, some in replies.items()})

    async def main():
        adapter, batches = endpoint(kind, wire)
        try:
            return await call(batches)
        finally:
            await adapter.aclose()

    return asyncio.run(main()), wire


async def fetched(batches):
    return [result async for result in batches.fetch("batch_1")]


def lines_of(*lines):
    text = "\n".join(
        line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines
    )
    return httpx2.Response(200, content=text.encode())


def openai_batch(status="in_progress", **more):
    return {"id": "batch_1", "status": status, "created_at": NOW.timestamp(), **more}


def anthropic_batch(status="in_progress", *, name="batch_1", at=NOW, count=2, **more):
    counts = {"processing": count} if status == "in_progress" else {"succeeded": count}
    return {
        "id": name,
        "processing_status": status,
        "created_at": at.isoformat(),
        "request_counts": counts,
        **more,
    }


FILES, BATCHES, MESSAGES = "/v1/files", "/v1/batches", "/v1/messages/batches"
LINES = [(A, {"model": "m", "n": 1, "text": "süß\u2028"}), (B, {"model": "m", "n": 2})]


def test_openai_gets_a_file_of_lines_and_a_batch_with_the_chunks_name():
    """Each line has the answer's key and the body as it is; the metadata has run and chunk."""
    replies = {f"POST {FILES}": [{"id": "file_1"}], f"POST {BATCHES}": [openai_batch()]}
    name, wire = use(OpenAIAdapter, replies, lambda batches: batches.submit(CHUNK, iter(LINES)))
    assert name == "batch_1"
    upload, creation = wire.asked
    form = upload.content
    assert b'name="purpose"\r\n\r\nbatch\r\n' in form
    sent = [json.loads(line) for line in form.split(b"\n") if line.startswith(b'{"body"')]
    assert sent == [
        {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body}
        for key, body in LINES
    ]
    assert json.loads(creation.content) == {
        "input_file_id": "file_1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"spex_run": "run-1", "spex_chunk": "0" * 32},
    }


def test_anthropic_gets_the_questions_in_one_body():
    """Each has the answer's key and the body as it is."""
    replies = {f"POST {MESSAGES}": [anthropic_batch()]}
    name, wire = use(AnthropicAdapter, replies, lambda batches: batches.submit(CHUNK, iter(LINES)))
    assert name == "batch_1"
    (creation,) = wire.asked
    assert json.loads(creation.content) == {
        "requests": [{"custom_id": key, "params": body} for key, body in LINES]
    }
    assert creation.headers["anthropic-version"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("validating", BatchState.RUNNING),
        ("in_progress", BatchState.RUNNING),
        ("finalizing", BatchState.RUNNING),
        ("cancelling", BatchState.RUNNING),
        ("completed", BatchState.ENDED),
        ("expired", BatchState.EXPIRED),
        ("cancelled", BatchState.CANCELLED),
    ],
)
def test_openai_says_where_a_batch_stands(status, state):
    """Each of its words is one of ours."""
    batch = openai_batch(status, request_counts={"total": 9, "completed": 3, "failed": 1})
    found, _ = use(
        OpenAIAdapter, {f"GET {BATCHES}/batch_1": [batch]}, lambda batches: batches.poll("batch_1")
    )
    assert (found.state, found.done, found.failure) == (state, 4, None)
    assert found.answered == 3


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("token_limit_exceeded", RateLimited),
        ("billing_hard_limit_reached", QuotaExhausted),
        ("model_not_found", BadRequest),
    ],
)
def test_openai_says_why_a_batch_failed(code, kind):
    """Too much at once may pass, no credit and no model do not; nothing of it is billed."""
    flaw = {"code": code, "message": f"So it is with {KEY}."}
    batch = openai_batch("failed", errors={"data": [flaw]})
    found, _ = use(
        OpenAIAdapter, {f"GET {BATCHES}/batch_1": [batch]}, lambda batches: batches.poll("batch_1")
    )
    assert found.state is BatchState.FAILED
    assert type(found.failure) is kind
    assert found.failure.unbilled
    assert "So it is with [key]." in str(found.failure)


@pytest.mark.parametrize(
    ("batch", "state"),
    [
        (anthropic_batch(), BatchState.RUNNING),
        (anthropic_batch("canceling"), BatchState.RUNNING),
        (anthropic_batch("ended"), BatchState.ENDED),
        (
            anthropic_batch("ended", request_counts={"succeeded": 1, "expired": 1}),
            BatchState.EXPIRED,
        ),
        (anthropic_batch("ended", cancel_initiated_at=NOW.isoformat()), BatchState.CANCELLED),
    ],
)
def test_anthropic_says_where_a_batch_stands(batch, state):
    """Whether it expired or was cancelled is read from its counts and moments."""
    found, _ = use(
        AnthropicAdapter,
        {f"GET {MESSAGES}/batch_1": [batch]},
        lambda batches: batches.poll("batch_1"),
    )
    assert found.state is state
    over = state is not BatchState.RUNNING
    assert found.answered == (batch["request_counts"]["succeeded"] if over else None)


def openai_line(key, status=200, body=REPLY, error=None):
    response = None if status is None else {"status_code": status, "body": body}
    return {"custom_id": key, "response": response, "error": error}


def test_openai_gives_the_answers_and_then_the_errors():
    """Also of an expired batch; a reply's numbers and texts are as they came."""
    too_long = {"error": {"code": "context_length_exceeded", "message": "Too long."}}
    replies = {
        f"GET {BATCHES}/batch_1": [
            openai_batch("expired", output_file_id="file_o", error_file_id="file_e")
        ],
        f"GET {FILES}/file_o/content": [lines_of(openai_line(A), "", "{torn")],
        f"GET {FILES}/file_e/content": [
            lines_of(
                openai_line(B, 400, too_long),
                openai_line(C, None, error={"code": "batch_expired", "message": "Too late."}),
                openai_line("d" * 64, 503, {"error": {"message": "Busy."}}),
            )
        ],
    }
    results, _ = use(OpenAIAdapter, replies, fetched)
    assert [key for key, _ in results] == [A, "", B, C, "d" * 64]
    (_, raw), (_, torn), (_, refused), (_, late), (_, busy) = results
    assert json.loads(raw) == REPLY
    assert OpenAIAdapter("m").read(raw).text == "süß\u2028"
    assert type(torn) is MalformedReply
    assert not torn.unbilled
    assert (type(refused), refused.unbilled) == (ContextTooLong, True)
    assert (type(late), late.unbilled) == (Unavailable, True)
    assert isinstance(busy, Unavailable)
    assert busy.unbilled
    assert "Too late" in str(late)


def test_a_batch_without_files_has_no_results():
    """One that expired before its first answer."""
    results, _ = use(OpenAIAdapter, {f"GET {BATCHES}/batch_1": [openai_batch("expired")]}, fetched)
    assert results == []


def test_anthropic_gives_each_question_its_result():
    """Succeeded, errored, cancelled, expired; from our own path, whatever address is named."""

    def line(key, kind, **more):
        return {"custom_id": key, "result": {"type": kind, **more}}

    def errored(key, kind):
        said = {"type": kind, "message": f"Because of {KEY}."}
        return line(key, "errored", error={"type": "error", "error": said})

    replies = {
        f"GET {MESSAGES}/batch_1/results": [
            lines_of(
                line(A, "succeeded", message=MESSAGE),
                errored(B, "invalid_request_error"),
                errored(C, "overloaded_error"),
                line("d" * 64, "expired"),
                line("e" * 64, "canceled"),
                line("f" * 64, "unheard_of"),
            )
        ]
    }
    results, _ = use(AnthropicAdapter, replies, fetched)
    kinds = [type(result) for _, result in results]
    assert kinds == [str, BadRequest, Overloaded, Unavailable, Unavailable, MalformedReply]
    assert json.loads(results[0][1]) == MESSAGE
    assert all(result.unbilled for _, result in results[1:5])
    assert KEY not in str(results[1][1])
    assert results[5][0] == ""


def test_a_reply_that_repeats_the_key_is_kept_without_it():
    """The key is in no answer on disk."""
    repeating = {**REPLY, "system_fingerprint": KEY}
    replies = {
        f"GET {BATCHES}/batch_1": [openai_batch("completed", output_file_id="file_o")],
        f"GET {FILES}/file_o/content": [lines_of(openai_line(A, body=repeating))],
    }
    ((_, raw),), _ = use(OpenAIAdapter, replies, fetched)
    assert KEY not in raw


def test_openai_finds_a_batch_by_the_chunks_name():
    """Over several pages, past those of others, and no further back than the intent."""
    other = openai_batch(metadata={"spex_chunk": "1" * 32})
    ours = {**openai_batch(metadata={"spex_chunk": CHUNK.token}), "id": "batch_7"}
    pages = [
        {"data": [openai_batch(), other], "has_more": True},
        {"data": [ours], "has_more": False},
    ]
    name, wire = use(
        OpenAIAdapter,
        {f"GET {BATCHES}": pages},
        lambda batches: batches.find(CHUNK, known=()),
    )
    assert name == "batch_7"
    assert [dict(request.url.params) for request in wire.asked] == [
        {"limit": "100"},
        {"limit": "100", "after": "batch_1"},
    ]
    old = {**openai_batch(), "created_at": NOW.timestamp() - 4000}
    name, wire = use(
        OpenAIAdapter,
        {f"GET {BATCHES}": [{"data": [old], "has_more": True}]},
        lambda batches: batches.find(CHUNK, known=()),
    )
    assert (name, len(wire.asked)) == (None, 1)


def anthropic_find(batches, known=(), **results):
    replies = {f"GET {MESSAGES}": [{"data": batches, "has_more": False}]}
    for name, key in results.items():
        line = {"custom_id": key, "result": {"type": "expired"}}
        replies[f"GET {MESSAGES}/{name}/results"] = [lines_of(line)]
    return use(AnthropicAdapter, replies, lambda each: each.find(CHUNK, known=known))[0]


def test_anthropic_finds_a_batch_by_its_results():
    """Of two that are over and alike, the one with our keys; not the one that may be."""
    batches = [
        anthropic_batch(name="running"),
        anthropic_batch("ended", name="theirs"),
        anthropic_batch("ended", name="ours"),
    ]
    assert anthropic_find(batches, theirs=C, ours=B) == "ours"
    assert anthropic_find(batches[:2], theirs=C) == "running"
    assert anthropic_find(batches[:2], known={"running"}, theirs=C) is None


def test_anthropic_finds_no_batch_of_another_size_or_time():
    """What has other counts, was made before the intent or is gone cannot be ours."""
    batches = [
        anthropic_batch(count=3),
        anthropic_batch(at=NOW - timedelta(hours=1)),
        anthropic_batch(at=NOW + timedelta(hours=6)),
        anthropic_batch(archived_at=NOW.isoformat()),
    ]
    assert anthropic_find(batches) is None
    assert anthropic_find([anthropic_batch(at=NOW + timedelta(minutes=2))]) == "batch_1"


def test_cancelling_asks_the_endpoint_to_stop():
    """One call each."""
    for kind, path in ((OpenAIAdapter, BATCHES), (AnthropicAdapter, MESSAGES)):
        reply = openai_batch("cancelling")
        _, wire = use(
            kind,
            {f"POST {path}/batch_1/cancel": [reply]},
            lambda batches: batches.cancel("batch_1"),
        )
        assert len(wire.asked) == 1


def said(status, message):
    return httpx2.Response(status, json={"error": {"type": "x", "message": message}})


FAILURES = [
    (said(401, f"Wrong key {KEY}."), AuthenticationFailed, True),
    (said(400, "No."), BadRequest, True),
    (said(404, "Nothing here."), BadRequest, True),
    (said(429, "Too fast."), RateLimited, True),
    (said(500, "Oh."), Unavailable, False),
    (httpx2.ReadError("broken"), Unavailable, False),
    (httpx2.Response(200, text="<html>"), MalformedReply, False),
]


@pytest.mark.parametrize(("reply", "kind", "unbilled"), FAILURES)
@pytest.mark.parametrize("vendor", [OpenAIAdapter, AnthropicAdapter])
def test_no_vendors_error_and_no_key_gets_through(vendor, reply, kind, unbilled):
    """Ours alone, with nothing hanging on it; whether there may be a batch is said."""
    path = BATCHES if vendor is OpenAIAdapter else MESSAGES
    replies = {f"POST {FILES}": [{"id": "file_1"}], f"POST {path}": [reply]}
    replies[f"DELETE {FILES}/file_1"] = [said(500, f"Busy, {KEY}.")]
    with pytest.raises(AdapterError) as caught:
        use(vendor, replies, lambda batches: batches.submit(CHUNK, iter(LINES)))
    assert isinstance(caught.value, kind)
    assert caught.value.unbilled is unbilled
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("reply", "kind", "unbilled"), FAILURES)
def test_a_file_alone_is_no_batch(reply, kind, unbilled):
    """Whatever happens to the upload, nothing is billed."""
    with pytest.raises(AdapterError) as caught:
        use(
            OpenAIAdapter,
            {f"POST {FILES}": [reply]},
            lambda batches: batches.submit(CHUNK, iter(LINES)),
        )
    assert isinstance(caught.value, kind)
    assert caught.value.unbilled


def asked_of(wire):
    return [f"{request.method} {request.url.path}" for request in wire.asked]


def discard(vendor, replies):
    return asked_of(use(vendor, replies, lambda batches: batches.discard("batch_1"))[1])


def test_openai_deletes_the_questions_of_a_batch_and_not_its_answers():
    """The file that was uploaded; one that is gone already, or never was, is no failure."""
    batch = openai_batch("completed", input_file_id="file_i", output_file_id="file_o")
    get, delete = f"GET {BATCHES}/batch_1", f"DELETE {FILES}/file_i"
    for reply in ({"id": "file_i", "deleted": True}, said(404, "No such file.")):
        assert discard(OpenAIAdapter, {get: [batch], delete: [reply]}) == [get, delete]
    assert discard(OpenAIAdapter, {get: [openai_batch("completed")]}) == [get]
    assert discard(AnthropicAdapter, {}) == []
    with pytest.raises(Unavailable) as caught:
        discard(OpenAIAdapter, {get: [batch], delete: [said(500, f"Busy, {KEY}.")]})
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("status", "deleted"), [(400, True), (500, False)])
def test_a_file_that_surely_became_no_batch_is_deleted(status, deleted):
    """Where the batch may be there, its questions must stay."""
    wire = Wire(
        {
            f"POST {FILES}": [{"id": "file_1"}],
            f"POST {BATCHES}": [said(status, "No.")],
            f"DELETE {FILES}/file_1": [{"id": "file_1", "deleted": True}],
        }
    )

    async def main():
        adapter, batches = endpoint(OpenAIAdapter, wire)
        try:
            with pytest.raises(AdapterError):
                await batches.submit(CHUNK, iter(LINES))
        finally:
            await adapter.aclose()

    asyncio.run(main())
    assert (f"DELETE {FILES}/file_1" in asked_of(wire)) is deleted


class Torn(httpx2.AsyncByteStream):
    """A body that breaks off after its first line."""

    def __init__(self, line):
        self.line = line

    async def __aiter__(self):
        """One line, and the beginning of another."""
        yield json.dumps(self.line).encode() + b'\n{"custom'
        raise httpx2.ReadError("broken")


@pytest.mark.parametrize("vendor", [OpenAIAdapter, AnthropicAdapter])
def test_results_that_break_off_are_told_and_what_came_was_given(vendor):
    """The lines before the break come through; the break is one that may pass."""
    if vendor is OpenAIAdapter:
        line = openai_line(A)
        batch = openai_batch("completed", output_file_id="file_o")
        replies = {f"GET {BATCHES}/batch_1": [batch]}
        path = f"GET {FILES}/file_o/content"
    else:
        line = {"custom_id": A, "result": {"type": "succeeded", "message": MESSAGE}}
        replies, path = {}, f"GET {MESSAGES}/batch_1/results"
    replies[path] = [httpx2.Response(200, stream=Torn(line))]
    came = []

    async def read(batches):
        async for key, _ in batches.fetch("batch_1"):
            came.append(key)

    with pytest.raises(Unavailable) as caught:
        use(vendor, replies, read)
    assert came == [A]
    assert caught.value.__cause__ is caught.value.__context__ is None


async def pieces(*some):
    for piece in some:
        yield piece


def test_lines_end_at_line_feeds_alone(monkeypatch):
    """However the bytes are cut; and a line without an end is not kept without an end."""

    async def read(*some):
        return [line async for line in _batch_replies.lines_of(pieces(*some))]

    text = 'a\u2028b\u0085c\r\n\n"d"'.encode()
    expected = ["a\u2028b\u0085c\r".encode(), b'"d"']
    assert asyncio.run(read(text)) == expected
    assert asyncio.run(read(*(text[at : at + 1] for at in range(len(text))))) == expected
    monkeypatch.setattr(_batch_replies, "_LONGEST", 10)
    with pytest.raises(MalformedReply, match="does not end"):
        asyncio.run(read(b"x" * 6, b"x" * 6))


class Time:
    """A clock on which any wait is over at once."""

    def now(self):
        """Always the same."""
        return 0.0

    async def sleep(self, seconds):  # noqa: ARG002
        """Is over at once."""
        await asyncio.sleep(0)


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
@pytest.mark.parametrize("ends", ["completed", "expired"])
def test_a_plan_goes_by_batch_into_the_cache_and_is_paid_once(tmp_path, vendor, ends):
    """Over real sockets: the single path then finds every answer on disk."""
    asked = [CompletionRequest((Message("user", f"Good {n}?"),)) for n in range(6)]
    script = Script(batch=BatchPlan(ends=ends, answered=4))

    ledger = Ledger(Budget(requests=6, usd=1.0), Price(1.0, 1.0))

    async def main():
        async with FaultServer(script) as server:
            if vendor == "openai":
                adapter = OpenAIAdapter("m", base_url=server.openai_url)
            else:
                adapter = AnthropicAdapter("m", base_url=server.anthropic_url)
            store = DiskStore(tmp_path / "answers")
            cached = Cached(adapter, store, Meter())
            journal = open_journal(
                tmp_path / "batches", "run-1", endpoint=adapter.endpoint, model="m"
            )
            try:
                with journal as opened:
                    filled = await fill(
                        asked,
                        adapter.batches(),
                        cache=cached,
                        journal=opened,
                        costs=BatchCosts(ledger, Price(0.5, 0.5)),
                        clock=Time(),
                    )
                paid = Counter(server.paid)
                answers = [await cached.complete(request) for request in asked]
                routes = Counter(each.route for each in server.received)
                assert routes[Route.DELETE] == routes[Route.UPLOAD]
                assert (routes[Route.UPLOAD] > 0) is (vendor == "openai")
                return filled, paid, answers, server.paid
            finally:
                store.close()
                await adapter.aclose()

    filled, paid, answers, paid_later = asyncio.run(main())
    assert (filled.kept, filled.left) == (6, 0)
    assert (ledger.spent.requests, ledger.reserved) == (6, Amount())
    assert ledger.spent.usd == pytest.approx(filled.usd)
    assert set(paid.values()) == {1}
    assert len(paid) == len(answers) == 6
    assert paid_later == paid
