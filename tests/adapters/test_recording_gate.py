"""A gate answers for a recorded client: from elsewhere, or by letting its question through."""

from __future__ import annotations

import asyncio

import anthropic
import openai
import pytest
from spex_adapters.recording import flush, record

from spex_api.calls.file import calls_file
from spex_api.calls.gate import WireReply, gated, refusing
from tests.adapters.conftest import KEY
from tests.adapters.dialogues import (
    STREAMED,
    TURNS,
    WHOLE,
    Opened,
    client_of,
    done,
    door,
    each_dialect,
    each_kind,
    whole_list,
)
from tests.adapters.played import in_json, playing


class Watched:
    """A gate that keeps what passes, and answers from it where it can."""

    def __init__(self, *, remembers=False, refuses=False):
        self.asked, self.replies = [], []
        self.remembers, self.refuses = remembers, refuses

    def known(self, request):
        """The reply that is there already."""
        self.asked.append(request)
        if self.refuses:
            return refusing("The budget is used up.")
        return self.replies[-1] if self.remembers and self.replies else None

    async def send(self, request, forward):
        """To an asynchronous client."""
        reply = self.known(request)
        if reply is None:
            reply = await forward()
            self.replies.append(reply)
        return reply

    def send_plain(self, request, forward):
        """To a plain one."""
        reply = self.known(request)
        if reply is None:
            reply = forward()
            self.replies.append(reply)
        return reply


def through(gate, work, dialect, url, *, kind, **settings):
    """What `work(client)` comes to for a recorded client behind a gate."""

    async def run():
        async with Opened(record(client_of(dialect, url, kind=kind, **settings))) as client:
            with gated(gate):
                return await work(client)

    return asyncio.run(run())


@each_kind
@each_dialect
def test_what_a_gate_lets_through_is_the_same(dialect, kind):
    """The same request goes out, the same answer comes, and the gate has seen both."""

    async def ask(client):
        create, question = door(client, dialect)
        return await done(create.create(**question))

    gate = Watched()
    with playing(WHOLE[dialect]) as server:
        answers = [through(each, ask, dialect, server.url, kind=kind) for each in (None, gate)]
        assert server.requests[0] == server.requests[1]
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        (request,) = gate.asked
        assert request.url == server.url + head.split(b" ")[1].decode()
    assert answers[0] == answers[1]
    assert (request.method, request.dialect, request.body) == ("POST", dialect, body)
    assert gate.replies == [WireReply(200, "application/json", WHOLE[dialect].pieces)]


@each_kind
@each_dialect
def test_a_remembered_reply_is_as_good(dialect, kind):
    """A whole reply and a stream are given from memory, the stream in one piece, unasked."""

    async def ask(client):
        create, question = door(client, dialect)
        return [await done(create.create(**question)) for _ in range(2)]

    async def stream(client):
        create, question = door(client, dialect)
        first = await whole_list(await done(create.create(**question, stream=True)))
        (kept,) = gate.replies
        gate.replies[:] = [WireReply(200, kept.content_type, (kept.body,), kept.headers)]
        return first, await whole_list(await done(create.create(**question, stream=True)))

    for reply, work in ((WHOLE[dialect], ask), (STREAMED[dialect], stream)):
        gate = Watched(remembers=True)
        with playing(reply) as server:
            first, second = through(gate, work, dialect, server.url, kind=kind)
            assert len(server.requests) == 1
        assert first == second
        assert len(gate.asked) == 2


@each_kind
@each_dialect
def test_a_refusing_gate_is_asked_once(dialect, kind):
    """The vendor's client raises its error with the gate's sentence, and does not try again."""

    async def ask(client):
        create, question = door(client, dialect)
        await done(create.create(**question))

    gate = Watched(refuses=True)
    error = anthropic.BadRequestError if "anthropic" in dialect else openai.BadRequestError
    with pytest.raises(error, match=r"The budget is used up\."):
        through(gate, ask, dialect, "http://127.0.0.1:9", kind=kind, max_retries=2)
    assert len(gate.asked) == 1


@each_kind
def test_a_refusal_of_the_endpoints_reaches_the_client_with_its_wait(kind):
    """The client's own retry goes on as without a gate, and each attempt asks the gate."""

    async def ask(client):
        create, question = door(client, "openai.chat")
        return await done(create.create(**question))

    wait = in_json(
        {"error": {"message": "Wait."}},
        status=429,
        headers=(("retry-after-ms", "1"), ("set-cookie", "a=b"), ("x-ratelimit-limit", "3")),
    )
    gate = Watched()
    with playing(wait, WHOLE["openai.chat"]) as server:
        through(gate, ask, "openai.chat", server.url, kind=kind, max_retries=1)
    first, second = gate.replies
    assert (first.status, second.status) == (429, 200)
    assert first.headers == (("retry-after-ms", "1"), ("x-ratelimit-limit", "3"))


@each_kind
def test_a_broken_connection_gets_through_a_gate(kind):
    """The client's own error, as without."""

    async def ask(client):
        create, question = door(client, "openai.chat")
        return await done(create.create(**question))

    with pytest.raises(openai.APIConnectionError):
        through(Watched(), ask, "openai.chat", "http://127.0.0.1:9", kind=kind)


@each_kind
def test_what_passes_a_gate_is_not_recorded(kind):
    """The calls of a pipeline under masks would bury those that the user made."""

    async def ask(client):
        create, question = door(client, "openai.chat")
        return await done(create.create(**question))

    with playing(WHOLE["openai.chat"]) as server:
        through(Watched(), ask, "openai.chat", server.url, kind=kind)
    assert flush()
    assert not calls_file().exists()


def test_other_questions_pass_a_gate_without_a_dialect():
    """Embeddings are told apart from what has none to send: a list of models asks no gate."""
    gate = Watched()
    vector = {"object": "embedding", "index": 0, "embedding": [1.0]}
    reply = in_json({"data": [vector], "object": "list", "model": "m"})
    with playing(reply) as server, gated(gate), record(client_of("openai.chat", server.url)) as c:
        c.models.list()
        c.embeddings.create(model="m", input="x", encoding_format="float")
    assert [(each.dialect, each.url.rpartition("/")[2]) for each in gate.asked] == [
        ("", "embeddings")
    ]


def test_a_gate_sees_no_key():
    """Neither in the request nor, unless the endpoint says it, in the reply."""
    gate = Watched()
    query = {"q": "secret"}
    with playing(WHOLE["openai.chat"]) as server, gated(gate):
        client = record(client_of("openai.chat", server.url, default_query=query))
        client.chat.completions.create(model="m", messages=TURNS)
        client.close()
    seen = repr([(each.url, each.body) for each in gate.asked]) + repr(gate.replies)
    assert KEY not in seen
    assert "secret" not in seen
