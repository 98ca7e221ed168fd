"""The contract's checks find what they are there to find: each adapter here breaks one rule."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from spex_api.completions import Capabilities, Completion, CompletionRequest, Message, Usage, Way
from spex_api.errors import (
    AuthenticationFailed,
    BadRequest,
    ContextTooLong,
    MalformedReply,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    UsageError,
)
from spex_api.testing.adapter_contract import CASES, KEY, Subject, checks_of, promised, shown

_KINDS = {
    401: AuthenticationFailed,
    402: QuotaExhausted,
    403: AuthenticationFailed,
    408: Unavailable,
    409: Unavailable,
    413: ContextTooLong,
    429: RateLimited,
    529: Overloaded,
}


_PLAIN = ("plain", "listed", "longest", "warm", "talk", "begun", "words")


class _Good:
    """An adapter on the standard library alone, which keeps the contract."""

    capabilities = Capabilities(top_logprobs=0)
    model = "good"

    def __init__(self, url: str) -> None:
        self.endpoint = url

    def key(self) -> str:
        return os.environ["GOOD_API_KEY"]

    def body(self, request):
        if request not in [CASES[name] for name in _PLAIN] and not request.sample_index:
            raise UsageError("No words for this.")
        turns = [[turn.role, turn.content] for turn in request.messages]
        return {"turns": turns, "longest": request.max_tokens, "heat": request.temperature}

    def read(self, raw):
        try:
            text = json.loads(raw)["answer"]
        except (ValueError, KeyError, TypeError):
            raise MalformedReply("This is no answer.") from None
        return Completion(text, usage=Usage(1), raw=raw)

    async def complete(self, request):
        raw, failed = await asyncio.to_thread(self.post, self.body(request))
        if failed:
            raise failed
        return self.read(raw.replace(KEY, "[key]"))

    def post(self, body):
        headers = {"authorization": f"Bearer {self.key()}"}
        asked = urllib.request.Request(  # noqa: S310 - loopback
            self.endpoint, json.dumps(body).encode(), headers
        )
        try:
            with urllib.request.urlopen(asked, timeout=5) as response:  # noqa: S310
                return response.read().decode(), None
        except urllib.error.HTTPError as error:
            return "", self.refusal(error)
        except urllib.error.URLError:
            return "", Unavailable("There is no server.", unbilled=True)
        except Exception:  # noqa: BLE001 - a connection that breaks off has many names
            return "", Unavailable("The answer broke off.")

    def refusal(self, error):
        with error:
            kind = _KINDS.get(error.code, Unavailable if error.code >= 500 else BadRequest)
            wait = error.headers.get("retry-after")
            return kind(f"Refused ({error.code}).", retry_after=float(wait) if wait else None)

    async def aclose(self) -> None:
        pass


def _subject(build=_Good) -> Subject:
    good = _Good("here")
    reply = '{"answer": "yes"}'
    return Subject(
        name="good",
        build=build,
        bodies={name: good.body(CASES[name]) for name in _PLAIN},
        reply=reply,
        says=shown(good.read(reply)),
        variable="GOOD_API_KEY",
    )


_CHECKS = {check.__name__: check for check in checks_of(_subject())}


@pytest.mark.parametrize("name", sorted(set(_CHECKS) - {"lets_cancellation_through"}))
def test_an_adapter_on_any_client_can_keep_it(name):
    """The checks see an adapter from outside: a client of the standard library will do."""
    _CHECKS[name](_subject())


class _Opening(_Good):
    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.key()


class _Shortening(_Good):
    def body(self, request):
        return {**super().body(request), "longest": 1}


class _Counting(_Good):
    count = 0

    def body(self, request):
        self.count += 1
        return {**super().body(request), "nonce": self.count}


class _Sharing(_Good):
    ends = ["."]  # noqa: RUF012 - the mistake

    def body(self, request):
        return {**super().body(request), "stop": self.ends}


class _Telling(_Good):
    def body(self, request):
        return {**super().body(request), "key": self.key()}


class _Promising(_Good):
    capabilities = Capabilities(top_logprobs=0, samples_at_once=8)


class _Losing(_Good):
    """Drops the picture, and asks for the words alone."""

    def body(self, request):
        plain = [Message(turn.role, turn.content) for turn in request.messages]
        return super().body(CompletionRequest(tuple(plain), request.max_tokens))


class _Sending(_Good):
    """Refuses a body, and asks all the same."""

    async def complete(self, request):
        raw, failed = await asyncio.to_thread(self.post, {"turns": len(request.messages)})
        if failed:
            raise failed
        return self.read(raw)


class _Doubting(_Good):
    async def complete(self, request):
        try:
            return await super().complete(request)
        except MalformedReply:
            raise Unavailable("No answer.") from None


class _Forgetting(_Good):
    def read(self, raw):
        return Completion(super().read(raw).text, raw="")


class _Trusting(_Good):
    def read(self, raw):
        try:
            return super().read(raw)
        except MalformedReply:
            return Completion("", raw=raw)


class _Embellishing(_Good):
    async def complete(self, request):
        raw, failed = await asyncio.to_thread(self.post, {**self.body(request), "more": 1})
        if failed:
            raise failed
        return self.read(raw)


class _Retrying(_Good):
    def post(self, body):
        raw, failed = super().post(body)
        return super().post(body) if isinstance(failed, RateLimited) else (raw, failed)


class _Merging(_Good):
    def refusal(self, error):
        with error:
            return BadRequest("Refused.")


class _Chaining(_Good):
    async def complete(self, request):
        try:
            return await super().complete(request)
        except RateLimited as refused:
            raise RateLimited("Refused.", retry_after=7.0) from ValueError(str(refused))


class _Repeating(_Good):
    def refusal(self, error):
        kind = super().refusal(error)
        kind.args = (f"Refused with {self.key()}",)
        kind.cause = kind.args[0]
        return kind


class _Charging(_Good):
    def post(self, body):
        raw, failed = super().post(body)
        if failed:
            failed.unbilled = False
        return raw, failed


class _Ending(_Good):
    closed = False

    async def aclose(self) -> None:
        self.closed = True

    async def complete(self, request):
        if self.closed:
            raise RuntimeError("closed")
        return await super().complete(request)


class _Keeping(_Good):
    async def complete(self, request):
        raw, failed = await asyncio.to_thread(self.post, self.body(request))
        if failed:
            raise failed
        return self.read(raw)


class _Patient(_Good):
    """Talks in the loop itself, so that it can be given up."""

    async def complete(self, request):
        host, _, port = self.endpoint.removeprefix("http://").removesuffix("/v1").partition(":")
        data = json.dumps(self.body(request)).encode()
        head = f"POST /v1 HTTP/1.1\r\ncontent-length: {len(data)}\r\n\r\n"
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(head.encode() + data)
            told = await reader.readuntil(b"}")
        finally:
            writer.close()
        return self.read(told.decode().split("\r\n\r\n")[1])


class _Swallowing(_Patient):
    async def complete(self, request):
        try:
            return await super().complete(request)
        except asyncio.CancelledError:
            return self.read('{"answer": "yes"}')


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (_Opening, "opens_nothing"),
        (_Shortening, "bodies_are_exact"),
        (_Counting, "bodies_are_pure"),
        (_Sharing, "bodies_are_pure"),
        (_Telling, "bodies_are_pure"),
        (_Promising, "bodies_are_exact"),
        (_Losing, "bodies_are_exact"),
        (_Sending, "sends_nothing_that_it_refuses"),
        (_Doubting, "tells_of_nonsense"),
        (_Forgetting, "reads_its_reply"),
        (_Trusting, "refuses_junk"),
        (_Embellishing, "sends_its_body"),
        (_Retrying, "maps_every_status"),
        (_Merging, "maps_every_status"),
        (_Chaining, "maps_every_status"),
        (_Repeating, "maps_every_status"),
        (_Charging, "tells_of_silence"),
        (_Ending, "closes_and_opens_again"),
        (_Keeping, "shows_no_key"),
    ],
)
def test_what_breaks_it_is_found(broken, check):
    """An adapter that breaks one rule fails the check of that rule."""
    with pytest.raises((AssertionError, KeyError, RuntimeError)):
        _CHECKS[check](_subject(broken))


def test_cancellation():
    """Who is given up must end as such."""
    check = _CHECKS["lets_cancellation_through"]
    check(_subject(_Patient))
    with pytest.raises(AssertionError, match="ends as cancelled"):
        check(_subject(_Swallowing))


def test_a_body_that_is_not_written_down_is_shown():
    """The first run of a new adapter's checks prints the bodies that its maker looks over."""
    subject = _subject()
    bare = Subject(
        "good", _Good, bodies={}, reply=subject.reply, says=subject.says, variable="GOOD_API_KEY"
    )
    with pytest.raises(AssertionError, match="a body is written down for 'plain': {\"turns\""):
        _CHECKS["bodies_are_exact"](bare)


def test_bodies_that_lose_a_part_are_found_even_if_written_down():
    """Two questions that differ may not have one body, whoever wrote it down."""
    subject = _subject(_Losing)
    losing = _Losing("here")
    bodies = {name: losing.body(CASES[name]) for name in ("words", "image")}
    with pytest.raises(AssertionError, match="'image' differs from 'words'"):
        _CHECKS["bodies_are_pure"](replace(subject, bodies=bodies))


def test_capabilities_are_promises():
    """What an adapter says that it can be asked, it must have a body for."""
    assert promised(Capabilities()) == {"plain"}
    able = Capabilities(
        exact_tokens=True, tokenizes=True, embeds=True, samples_at_once=2, ways=tuple(Way)
    )
    names = ("exact", "tokens", "vectors", "samples")
    targets = {name for name in CASES if name.startswith("target by ")}
    assert promised(able) == {"plain", *names, *targets}
    assert len(targets) == len(Way) - 1
