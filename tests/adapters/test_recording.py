"""A recorded client sends, returns and raises what the client does, and each call is kept."""

from __future__ import annotations

import asyncio
import copy
import gc
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2
import openai
import pytest
import spex_adapters
from pydantic import BaseModel
from spex_adapters.recording import flush, record

from spex_api.calls.file import calls_file, read_calls
from spex_api.errors import UsageError
from tests.adapters.conftest import KEY
from tests.adapters.dialogues import (
    CHAT,
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
from tests.adapters.played import Reply, in_json, playing


def with_and_without(dialect, url, ask, *, kind, **settings):
    """What `ask(client)` comes to for a client, and for its recorded twin."""

    async def both():
        outcomes = []
        for prepare in (lambda client: client, record):
            async with Opened(prepare(client_of(dialect, url, kind=kind, **settings))) as client:
                try:
                    outcomes.append(await ask(client))
                except Exception as error:  # noqa: BLE001 - is compared
                    outcomes.append(error)
        return outcomes

    return asyncio.run(both())


async def closed(client):
    """Closes a client of either kind."""
    await done(client.close())


def recorded():
    """The calls that were recorded."""
    assert flush()
    return list(read_calls()) if calls_file().exists() else []


@each_kind
@each_dialect
def test_an_answer_is_the_same_and_is_kept(dialect, kind):
    """The request is the same to the last byte, and so is the answer; the call is in the file."""

    async def ask(client):
        create, question = door(client, dialect)
        return await done(create.create(**question))

    with playing(WHOLE[dialect]) as server:
        without, with_record = with_and_without(dialect, server.url, ask, kind=kind)
        assert server.requests[0] == server.requests[1]
        (call,) = recorded()
        path = server.requests[0].split(b" ")[1].decode()
        assert call.url == server.url + path
    assert with_record == without
    assert call.sent.encode() == server.requests[0].partition(b"\r\n\r\n")[2]
    assert call.came.encode() == WHOLE[dialect].body
    assert (call.dialect, call.status, call.answer.text, call.whole) == (dialect, 200, "15", True)


@each_kind
@each_dialect
def test_a_stream_is_the_same_piece_by_piece(dialect, kind):
    """The bytes come in the same pieces, and the kept ones are put together to the answer."""

    async def ask(client):
        create, question = door(client, dialect)
        opened = create.with_streaming_response.create(**question, stream=True)
        async with Opened(opened) as response:
            raw = response.http_response
            return await whole_list(raw.aiter_raw() if kind == "async" else raw.iter_raw())

    with playing(STREAMED[dialect]) as server:
        without, with_record = with_and_without(dialect, server.url, ask, kind=kind)
        assert server.requests[0] == server.requests[1]
    (call,) = recorded()
    assert with_record == without == list(STREAMED[dialect].pieces)
    assert call.came.encode() == STREAMED[dialect].body
    assert (call.streamed, call.left, call.whole, call.answer.text) == (True, False, True, "15")
    assert call.reply["choices" if dialect == "openai.chat" else "model"]


@each_kind
@each_dialect
def test_the_vendors_own_ways_to_stream_are_the_same(dialect, kind):
    """`stream=True` and the `.stream()` helper give the same events, of the same types."""

    async def ask(client):
        create, question = door(client, dialect)
        plainly = await whole_list(await done(create.create(**question, stream=True)))
        async with Opened(create.stream(**question)) as helped:
            return plainly, await whole_list(helped)

    with playing(STREAMED[dialect]) as server:
        without, with_record = with_and_without(dialect, server.url, ask, kind=kind)
    assert not isinstance(without, Exception)
    assert with_record == without
    assert [(call.answer.text, call.whole) for call in recorded()] == [("15", True)] * 2


@each_kind
@each_dialect
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_refusal_raises_the_vendors_own_error(dialect, kind, status):
    """Of the same type and words, and what the endpoint said is kept, without the key in it."""

    async def ask(client):
        create, question = door(client, dialect)
        return await done(create.create(**question))

    said = {"type": "error", "error": {"type": "t", "message": f"No, {KEY}."}}
    with playing(in_json(said, status=status)) as server:
        without, with_record = with_and_without(dialect, server.url, ask, kind=kind)
    (call,) = recorded()
    assert type(with_record) is type(without)
    assert (str(with_record), with_record.body) == (str(without), without.body)
    assert KEY in str(with_record)
    assert (call.status, call.answer.error, call.whole) == (status, "No, [key].", True)
    assert KEY.encode() not in calls_file().read_bytes()


@each_kind
@each_dialect
@pytest.mark.parametrize("streams", [False, True])
def test_a_reply_that_breaks_off_is_recorded_as_such(dialect, kind, streams):
    """The same error gets through, and what came is kept."""

    async def ask(client):
        create, question = door(client, dialect)
        if not streams:
            return await done(create.create(**question))
        return await whole_list(await done(create.create(**question, stream=True)))

    reply = STREAMED[dialect] if streams else WHOLE[dialect]
    pieces = reply.pieces[:-2] if streams else (reply.body[:40],)
    with playing(replace(reply, pieces=pieces, broken=True)) as server:
        without, with_record = with_and_without(dialect, server.url, ask, kind=kind)
    (call,) = recorded()
    assert type(with_record) is type(without)
    assert isinstance(without, Exception)
    assert call.error.startswith("RemoteProtocolError: ")
    assert (call.came.encode(), call.whole) == (b"".join(pieces), False)


@each_kind
@each_dialect
def test_a_connection_that_fails_is_recorded(dialect, kind):
    """Nobody listens there: the client's own error, and a call without a reply."""

    async def ask(client):
        create, question = door(client, dialect)
        return await done(create.create(**question))

    with playing(WHOLE[dialect]) as server:
        url = server.url
    without, with_record = with_and_without(dialect, url, ask, kind=kind)
    (call,) = recorded()
    assert type(with_record) is type(without)
    assert (call.status, call.came, call.whole) == (None, "", False)
    assert call.error.startswith("ConnectError: ")


@each_kind
@each_dialect
def test_each_attempt_is_a_call(dialect, kind):
    """The client tries again as often as it would, and each time is recorded."""

    async def ask(client):
        create, question = door(client, dialect)
        return await done(create.create(**question))

    again = in_json({"error": {"message": "Wait."}}, status=429, headers=(("retry-after-ms", "1"),))
    replies = [again, again, WHOLE[dialect]]
    with playing(*replies, *replies) as server:
        without, with_record = with_and_without(dialect, server.url, ask, kind=kind, max_retries=2)
        assert server.requests[:3] == server.requests[3:]
    assert with_record == without
    assert [call.status for call in recorded()] == [429, 429, 200]


@each_kind
@each_dialect
def test_who_stops_reading_a_stream_leaves_it(dialect, kind):
    """The call is kept as far as it came, and is not whole."""

    async def ask(client):
        create, question = door(client, dialect)
        stream = await done(create.create(**question, stream=True))
        if kind == "plain":
            first = next(iter(stream))
        else:
            first = await anext(aiter(stream))
        await done(stream.close())
        return first

    with playing(STREAMED[dialect]) as server:
        without, with_record = with_and_without(dialect, server.url, ask, kind=kind)
    (call,) = recorded()
    assert with_record == without
    assert (call.left, call.whole, call.error) == (True, False, "")
    assert STREAMED[dialect].body.startswith(call.came.encode())


def test_a_stream_that_nobody_reads_is_recorded():
    """It was asked for and is billed, even if it is forgotten."""
    with playing(STREAMED["openai.chat"]) as server:
        client = record(client_of("openai.chat", server.url))
        client.chat.completions.create(model="m", messages=TURNS, stream=True)
        gc.collect()
        (call,) = recorded()
        client.close()
    assert (call.status, call.left, call.whole, call.came) == (200, True, False, "")


def test_a_cancelled_call_is_recorded():
    """Who is tired of waiting is told so by asyncio, and the call says why it has no answer."""

    async def ask(client):
        async with asyncio.timeout(0.05):
            return await client.chat.completions.create(model="m", messages=TURNS)

    stuck = Reply((b"{", b"}"), pause=5.0)
    with playing(stuck) as server:
        _, with_record = with_and_without("openai.chat", server.url, ask, kind="async")
    (call,) = recorded()
    assert isinstance(with_record, TimeoutError)
    assert call.error == "CancelledError"


@each_kind
def test_a_compressed_reply_passes_as_it_is_and_is_kept_readable(kind):
    """The client unpacks it; the record holds what was in it."""

    async def ask(client):
        raw = await done(
            client.chat.completions.with_raw_response.create(model="m", messages=TURNS)
        )
        return await done(raw.parse()), raw.headers["content-encoding"]

    packed = gzip.compress(WHOLE["openai.chat"].body)
    reply = Reply((packed[:50], packed[50:]), headers=(("content-encoding", "gzip"),))
    with playing(reply) as server:
        without, with_record = with_and_without("openai.chat", server.url, ask, kind=kind)
    (call,) = recorded()
    assert with_record == without
    assert call.came.encode() == WHOLE["openai.chat"].body


def test_fifty_at_once_are_each_kept_whole():
    """Each call has its own answer, whatever goes on beside it; their names are told apart."""

    async def fifty(url):
        async with record(client_of("openai.chat", url, kind="async")) as client:

            async def ask(number):
                with spex_adapters.calls(f"ticket {number}"):
                    turns = [{"role": "user", "content": f"{number} " * 500}]
                    stream = await client.chat.completions.create(
                        model="m", messages=turns, stream=True
                    )
                    return "".join([p.choices[0].delta.content async for p in stream])

            return await asyncio.gather(*map(ask, range(50)))

    with playing(STREAMED["openai.chat"]) as server:
        answers = asyncio.run(fifty(server.url))
    calls = recorded()
    assert answers == ["15"] * 50
    assert len({call.id for call in calls}) == 50
    assert {call.parents for call in calls} == {(f"ticket {number}",) for number in range(50)}
    for call in calls:
        number = call.parents[0].removeprefix("ticket ")
        assert call.request["messages"][0]["content"] == f"{number} " * 500
        assert (call.answer.text, call.whole) == ("15", True)


def test_threads_may_share_a_client():
    """A plain client in a pool of threads loses no call."""
    with playing(WHOLE["anthropic.messages"]) as server:
        with record(client_of("anthropic.messages", server.url)) as client:

            def ask(number):
                turns = [{"role": "user", "content": str(number)}]
                return client.messages.create(model="m", max_tokens=9, messages=turns)

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(ask, range(40)))
        calls = recorded()
    asked = sorted(int(call.request["messages"][0]["content"]) for call in calls)
    assert asked == list(range(40))


def test_what_is_no_question_is_not_recorded():
    """Lists of models, embeddings and counts of tokens pass by."""
    vector = {"object": "embedding", "index": 0, "embedding": [1.0]}
    reply = {"data": [vector], "object": "list", "model": "m", "input_tokens": 3}
    with playing(in_json(reply)) as server:
        with record(client_of("openai.chat", server.url)) as client:
            client.models.list()
            client.embeddings.create(model="m", input="x", encoding_format="float")
        with record(client_of("anthropic.messages", server.url)) as client:
            client.messages.count_tokens(model="m", messages=TURNS)
        assert len(server.requests) == 3
    assert recorded() == []


def test_azures_client_is_recorded():
    """It keeps its deployment's path and its version; the record has no query."""
    with playing(WHOLE["openai.chat"]) as server:

        def azure():
            return openai.AzureOpenAI(
                api_key=KEY, azure_endpoint=server.url, api_version="2024-10-21"
            )

        for client in (azure(), record(azure())):
            with client:
                client.chat.completions.create(model="dep", messages=TURNS)
        assert server.requests[0] == server.requests[1]
        (call,) = recorded()
        assert call.url == f"{server.url}/openai/deployments/dep/chat/completions"
    assert KEY.encode() not in calls_file().read_bytes()


def test_a_twin_has_the_clients_settings():
    """Address, timeouts, retries, headers, hooks and cookies, also by way of `with_options`."""
    heard = []
    hooks = {"request": [lambda request: heard.append(request.url.path)]}
    with playing(WHOLE["openai.chat"]) as server:
        http = httpx2.Client(event_hooks=hooks, cookies={"a": "b"}, timeout=7)
        original = client_of(
            "openai.chat",
            server.url,
            http_client=http,
            max_retries=5,
            default_headers={"x-mine": "1"},
            _strict_response_validation=True,
        )
        client = record(original)
        assert type(client) is openai.OpenAI
        for name in ("base_url", "timeout", "max_retries", "_strict_response_validation"):
            assert getattr(client, name) == getattr(original, name)
        client.with_options(timeout=3, default_headers={"x-more": "2"}).chat.completions.create(
            model="m", messages=TURNS
        )
        assert heard == ["/v1/chat/completions"]
        said = server.requests[0].lower()
        for line in (b"x-mine: 1", b"x-more: 2", b"cookie: a=b", b"x-stainless-read-timeout: 3"):
            assert line in said
        original.close()
    assert len(recorded()) == 1


@each_kind
def test_closing_a_twin_leaves_the_clients_connections(kind):
    """As long as the client is there, they are its own; and both can be closed in any order."""

    async def work(url):
        original = client_of("openai.chat", url, kind=kind)
        async with Opened(record(original)) as twin:
            await done(twin.chat.completions.create(model="m", messages=TURNS))
        assert (twin.is_closed(), original.is_closed()) == (True, False)
        pool = original._client._transport._pool
        assert len(pool.connections) == 1
        await done(original.chat.completions.create(model="m", messages=TURNS))
        assert len(pool.connections) == 1
        await done(original.close())

    with playing(WHOLE["openai.chat"]) as server:
        asyncio.run(work(server.url))


@each_kind
def test_closing_a_twin_closes_what_is_nobody_elses(kind):
    """Of `record(OpenAI())` nothing but the twin is left, so its connections are closed with it."""

    async def work(url):
        twin = record(client_of("openai.chat", url, kind=kind))
        pool = twin._client._transport._pool
        async with Opened(twin):
            await done(twin.chat.completions.create(model="m", messages=TURNS))
            assert len(pool.connections) == 1
        assert pool.connections == []

    with playing(WHOLE["openai.chat"]) as server:
        asyncio.run(work(server.url))


def test_proxies_are_listened_to(tmp_path):
    """A client that goes through a proxy still does."""
    with playing(WHOLE["openai.chat"]) as proxy:
        http = httpx2.Client(mounts={"http://": httpx2.HTTPTransport(proxy=proxy.url)})
        with record(client_of("openai.chat", "http://192.0.2.1", http_client=http)) as client:
            client.chat.completions.create(model="m", messages=TURNS)
        assert proxy.requests[0].startswith(b"POST http://192.0.2.1/v1/chat/completions ")
    assert [call.url for call in recorded()] == ["http://192.0.2.1/v1/chat/completions"]


def test_a_client_recorded_again_is_recorded_once(tmp_path):
    """In the file that was named last."""
    path = tmp_path / "a" / "calls.jsonl"
    with playing(WHOLE["openai.chat"]) as server:
        client = record(record(client_of("openai.chat", server.url)), path=path)
        with client:
            client.chat.completions.create(model="m", messages=TURNS)
    assert recorded() == []
    assert len(list(read_calls(path))) == 1


def test_a_file_that_cannot_be_written_breaks_no_call(tmp_path, caplog):
    """One warning says so, and says it once."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    with playing(WHOLE["openai.chat"]) as server:
        client = record(client_of("openai.chat", server.url), path=blocked / "calls.jsonl")
        with client:
            for _ in range(3):
                answer = client.chat.completions.create(model="m", messages=TURNS)
                assert answer.choices[0].message.content == "15"
                assert flush()
    (warning,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert "not recorded" in warning


def test_credentials_in_an_address_are_not_recorded():
    """Neither the user's name nor the password, nor a query."""
    with playing(WHOLE["openai.chat"]) as server:
        url = server.url.replace("http://", "http://user:passw0rd@")
        with record(client_of("openai.chat", url, default_query={"key": "q-secret"})) as client:
            client.chat.completions.create(model="m", messages=TURNS)
        (call,) = recorded()
        assert call.url == f"{server.url}/v1/chat/completions"
    written = calls_file().read_text()
    assert "passw0rd" not in written
    assert "q-secret" not in written


def test_the_vendors_other_ways_are_recorded():
    """`parse` with a model of the answer, and raw responses."""
    answer = {**CHAT["choices"][0], "message": {"role": "assistant", "content": '{"days": 15}'}}
    body = json.dumps(CHAT | {"choices": [answer]}).encode()

    class Leave(BaseModel):
        days: int

    with playing(Reply((body,))) as server:
        client = record(client_of("openai.chat", server.url))
        with client:
            parsed = client.chat.completions.parse(model="m", messages=TURNS, response_format=Leave)
            raw = client.chat.completions.with_raw_response.create(model="m", messages=TURNS)
    assert parsed.choices[0].message.parsed == Leave(days=15)
    assert raw.content == body
    first, second = recorded()
    assert first.request["response_format"]["json_schema"]["name"] == "Leave"
    assert first.came == second.came == body.decode()


@each_kind
def test_a_twins_transport_is_the_clients_but_for_listening(kind):
    """Whoever looks into it finds the same pool, also in a copy of it."""
    client = client_of("openai.chat", "http://127.0.0.1:9", kind=kind)
    transport = record(client)._client._transport
    assert copy.copy(transport)._pool is transport._pool is client._client._transport._pool
    assert not hasattr(transport, "nothing")
    asyncio.run(closed(client))


@pytest.mark.parametrize("thing", [None, object(), httpx2.Client, "client"])
def test_what_is_no_client_is_refused(thing):
    """The error says what can be recorded."""
    with pytest.raises(UsageError, match="AzureOpenAI or Anthropic"):
        record(thing)


def test_a_folder_is_no_file(tmp_path):
    """Nothing is recorded to a folder, and that is said at once."""
    client = client_of("openai.chat", "http://127.0.0.1:9")
    with client, pytest.raises(UsageError, match="is a folder"):
        record(client, path=tmp_path)
