"""What every adapter must keep, as checks that run on one's own: one line of test a check.

Describe the adapter once, as a `Subject`: how it is built at an address, the bodies that it must
send for `CASES` (a case without a body it must refuse), a reply that was recorded and what it says.
Then, with any test runner::

    from spex_api.testing.adapter_contract import Subject, checks_of

    SUBJECT = Subject(name="house", build=lambda url: HouseAdapter(base_url=url), ...)

    @pytest.mark.parametrize("check", checks_of(SUBJECT), ids=lambda check: check.__name__)
    def test_contract(check):
        check(SUBJECT)

Each check raises an `AssertionError` that says what was expected. A small server on loopback stands
for the endpoint, so that whatever client the adapter uses is seen from outside. What this module
does not know: any adapter, and any test runner.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import traceback
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from spex_api.completions import Capabilities, canonical_json
from spex_api.errors import (
    AdapterError,
    MalformedReply,
    RateLimited,
    Unavailable,
    UsageError,
)
from spex_api.testing.contract_cases import (
    CASES,
    KEY,
    STATUSES,
    Subject,
    as_json,
    promised,
    shown,
)
from spex_api.testing.recording_server import RecordingServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from spex_api.completions import CompletionRequest
    from spex_api.querying.adapter import Adapter

__all__ = ["CASES", "KEY", "STATUSES", "Subject", "checks_of", "promised", "shown"]

_JUNK: Final = ("", "{", "null", "[]", "{}", '"text"', "<html></html>", '{"error": "Gone."}')


def checks_of(subject: Subject) -> tuple[Callable[[Subject], None], ...]:
    """The checks that hold for a subject."""
    silent = (opens_nothing, bodies_are_exact, bodies_are_pure, reads_its_reply, refuses_junk)
    return silent + (_OVER_WIRE if subject.over_wire else ())


def opens_nothing(subject: Subject) -> None:
    """Building, naming and reading need no key and no connection."""
    barred = AssertionError(f"{subject.name} opens a connection before it is asked anything.")
    with (
        _environment(subject, key=False),
        mock.patch.object(socket.socket, "connect", side_effect=barred),
        mock.patch.object(socket, "getaddrinfo", side_effect=barred),
    ):
        adapter = subject.build("http://127.0.0.1:9/v1")
        _demand(isinstance(adapter.capabilities, Capabilities), "capabilities are `Capabilities`")
        _demand(bool(adapter.endpoint and adapter.model), "endpoint and model have names")
        adapter.body(CASES["plain"])
        adapter.read(subject.reply)
        asyncio.run(adapter.aclose())


def bodies_are_exact(subject: Subject) -> None:
    """Each case has the body that was written down, or is refused in a sentence where none was."""
    with _environment(subject):
        adapter = subject.build("http://127.0.0.1:9/v1")
        must = promised(adapter.capabilities)
        for name, asked in CASES.items():
            try:
                body = adapter.body(asked)
            except UsageError as refused:
                lacking = name in must or name in subject.bodies
                _demand(not lacking, f"{name!r} has a body: the capabilities, or you, say so")
                _demand("\n" not in str(refused), f"the sentence about {name!r} is one line")
                continue
            written = json.dumps(body, ensure_ascii=False)
            _demand(name in subject.bodies, f"a body is written down for {name!r}: {written}")
            _demand(body == subject.bodies[name], f"the body for {name!r} is as written: {written}")


def bodies_are_pure(subject: Subject) -> None:
    """The same question has the same JSON, another has another, and no one can spoil it."""
    with _environment(subject):
        adapter = subject.build("http://127.0.0.1:9/v1")
        seen: dict[str, str] = {}
        for name, asked in _sayable(subject).items():
            body = adapter.body(asked)
            text = canonical_json(body)
            _spoil(body)
            _demand(canonical_json(adapter.body(asked)) == text, f"{name!r} twice is one body")
            _demand(KEY not in text, f"no key is in the body for {name!r}")
            other = seen.setdefault(text, name)
            _demand(_may_share(adapter, name, other), f"{name!r} differs from {other!r}")
        again = replace(CASES["plain"], sample_index=7)
        _demand(canonical_json(adapter.body(again)) in seen, "the sample's index is never sent")


def reads_its_reply(subject: Subject) -> None:
    """The recorded reply says what was written down, each time, and is kept as it came."""
    with _environment(subject):
        adapter = subject.build("http://127.0.0.1:9/v1")
        answer = adapter.read(subject.reply)
        _demand(answer.raw == subject.reply, "`raw` is the reply, byte for byte")
        said = json.dumps(shown(answer), ensure_ascii=False)
        _demand(shown(answer) == as_json(subject.says), f"the reply says what was written: {said}")
        _demand(shown(adapter.read(answer.raw)) == shown(answer), "`raw` reads the same again")


def refuses_junk(subject: Subject) -> None:
    """What is no reply ends in `MalformedReply`, on one line."""
    with _environment(subject):
        adapter = subject.build("http://127.0.0.1:9/v1")
        for text in _JUNK:
            try:
                adapter.read(text)
            except MalformedReply as refused:
                _demand("\n" not in str(refused), f"the sentence about {text!r} is one line")
            else:
                _demand(condition=False, expected=f"`read` refuses {text!r}")


def sends_its_body(subject: Subject) -> None:
    """What goes out is exactly `body`, once; what comes back equals what `read` makes of it."""

    async def check(adapter: Adapter, server: RecordingServer) -> None:
        for name in ("plain", "listed", "talk"):
            server.asked.clear()
            answer = await adapter.complete(CASES[name])
            _demand(len(server.asked) == 1, f"{name!r} is asked once")
            _demand(server.asked[0].body == adapter.body(CASES[name]), f"{name!r} goes as `body`")
            _demand(answer.raw == subject.reply, "the reply is kept byte for byte")
            _demand(shown(adapter.read(answer.raw)) == shown(answer), "`read` makes the same of it")

    _asked(subject, check)


def sends_nothing_that_it_refuses(subject: Subject) -> None:
    """A case without a body is refused by `complete` as by `body`, before anything goes out."""

    async def check(adapter: Adapter, server: RecordingServer) -> None:
        for name in CASES.keys() - subject.bodies.keys():
            try:
                await adapter.complete(CASES[name])
            except UsageError:
                continue
            finally:
                _demand(not server.asked, f"nothing goes out of {name!r}")
            _demand(condition=False, expected=f"`complete` refuses {name!r}")

    _asked(subject, check)


def maps_every_status(subject: Subject) -> None:
    """Each status becomes its kind, after one attempt, with the wait that was asked for."""

    async def check(adapter: Adapter, server: RecordingServer) -> None:
        for status, kind in {**STATUSES, **subject.statuses}.items():
            server.asked.clear()
            server.status, server.headers = status, {"retry-after": "7"}
            server.reply = json.dumps({"error": {"message": f"No,\n{KEY}."}})
            refused = await _refusal(adapter)
            _demand(isinstance(refused, kind), f"{status} is {kind.__name__}, not {refused!r}")
            _demand(len(server.asked) == 1, f"{status} is not tried again: that is the policies'")
            _keeps(refused)
            if issubclass(kind, RateLimited):
                _demand(refused.retry_after == 7, f"{status} tells that it asks for 7 seconds")

    _asked(subject, check)


def tells_of_nonsense(subject: Subject) -> None:
    """What is no reply in spite of its status 200 is `MalformedReply`, and may be billed."""

    async def check(adapter: Adapter, server: RecordingServer) -> None:
        server.headers = {"content-type": "text/html"}
        for server.reply in ("<html></html>", "", subject.reply[: len(subject.reply) // 2]):
            refused = await _refusal(adapter)
            _demand(isinstance(refused, MalformedReply), f"it is MalformedReply, not {refused!r}")
            _demand(not refused.unbilled, "what was answered may be billed")
            _is_clean(refused)

    _asked(subject, check)


def tells_of_silence(subject: Subject) -> None:
    """A server that is not there, or that breaks off, is `Unavailable`."""
    with _environment(subject), socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        adapter = subject.build(f"http://127.0.0.1:{closed.getsockname()[1]}/v1")

        async def ask() -> None:
            refused = await _refusal(adapter)
            _demand(isinstance(refused, Unavailable), f"no server is Unavailable, not {refused!r}")
            _demand(refused.unbilled, "what was never sent is `unbilled`")
            _keeps(refused)
            await adapter.aclose()

        asyncio.run(ask())

    async def broken(adapter: Adapter, server: RecordingServer) -> None:
        server.cut = True
        refused = await _refusal(adapter)
        _demand(isinstance(refused, Unavailable), f"a cut reply is Unavailable, not {refused!r}")
        _demand(not refused.unbilled, "what was sent may be billed")
        _keeps(refused)

    _asked(subject, broken)


def closes_and_opens_again(subject: Subject) -> None:
    """`aclose` may come first and twice; a later question is answered."""

    async def check(adapter: Adapter, server: RecordingServer) -> None:
        await adapter.aclose()
        first = await adapter.complete(CASES["plain"])
        await adapter.aclose()
        await adapter.aclose()
        again = await adapter.complete(CASES["plain"])
        _demand(shown(first) == shown(again), "the answer after closing is the same")
        _demand(len(server.asked) == 2, "each question is asked")

    _asked(subject, check)


def lets_cancellation_through(subject: Subject) -> None:
    """A question that is given up ends as cancelled, and the next one is answered."""

    async def check(adapter: Adapter, server: RecordingServer) -> None:
        server.silent = True
        task = asyncio.ensure_future(adapter.complete(CASES["plain"]))
        while not server.asked and not task.done():  # noqa: ASYNC110 - its own end is looked for too
            await asyncio.sleep(0.002)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        else:
            _demand(condition=False, expected="a cancelled question ends as cancelled")
        server.silent = False
        await adapter.complete(CASES["plain"])

    _asked(subject, check)


def shows_no_key(subject: Subject) -> None:
    """Neither reprs nor kept replies hold the key, though it went out in a header."""

    async def check(adapter: Adapter, server: RecordingServer) -> None:
        server.reply = subject.reply.rstrip().removesuffix("}") + f', "echo": "{KEY}"}}'
        answer = await adapter.complete(CASES["plain"])
        sent = " ".join(server.asked[0].headers.values())
        _demand(not subject.variable or KEY in sent, f"the key of {subject.variable} is sent")
        held = [repr(adapter), repr(getattr(adapter, "__dict__", "")), adapter.endpoint]
        for text in (*held, answer.raw, repr(answer)):
            _demand(KEY not in text, f"the key is not shown: {text[:80]}")

    _asked(subject, check)


_OVER_WIRE: Final = (
    sends_its_body,
    sends_nothing_that_it_refuses,
    maps_every_status,
    tells_of_nonsense,
    tells_of_silence,
    closes_and_opens_again,
    lets_cancellation_through,
    shows_no_key,
)


def _asked(subject: Subject, check: Callable[[Adapter, RecordingServer], Awaitable[None]]) -> None:
    """Runs a check on the adapter at a server that gives the recorded reply."""

    async def run() -> None:
        async with RecordingServer(subject.reply) as server:
            adapter = subject.build(server.url)
            try:
                await check(adapter, server)
            finally:
                await adapter.aclose()

    with _environment(subject):
        asyncio.run(run())


async def _refusal(adapter: Adapter) -> AdapterError:
    try:
        await adapter.complete(CASES["plain"])
    except AdapterError as refused:
        return refused
    raise AssertionError("Expected: a failure is one of our errors.")


def _keeps(refused: AdapterError) -> None:
    """An error is one line, without the key, and with nothing of a client's hanging on it."""
    _is_clean(refused)
    hanging = refused.__cause__ or refused.__context__
    _demand(hanging is None, f"no client's error hangs on ours: {hanging!r}")


def _is_clean(refused: AdapterError) -> None:
    told = "".join(traceback.format_exception(refused)) + repr(vars(refused))
    _demand(KEY not in told, "no error shows the key")
    _demand("\n" not in str(refused), "an error is one line")


def _sayable(subject: Subject) -> dict[str, CompletionRequest]:
    return {name: asked for name, asked in CASES.items() if name in subject.bodies}


def _may_share(adapter: Adapter, name: str, other: str) -> bool:
    """Whether two cases may have one body: lists may be given unasked, and lengths be fixed."""
    one, two = (replace(CASES[case], max_tokens=1, top_logprobs=0) for case in (name, other))
    cold = not adapter.capabilities.temperature
    return (replace(one, temperature=two.temperature) if cold else one) == two


@contextmanager
def _environment(subject: Subject, *, key: bool = True) -> Iterator[None]:
    with mock.patch.dict(os.environ):
        if subject.variable:
            os.environ.pop(subject.variable, None)
            if key:
                os.environ[subject.variable] = KEY
        yield


def _spoil(body: Any) -> None:  # noqa: ANN401 - any JSON
    """Empties all that a body holds, as a careless caller might."""
    for each in list(body.values() if isinstance(body, dict) else body):
        if isinstance(each, dict | list):
            _spoil(each)
    body.clear()


def _demand(condition: bool, expected: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise AssertionError(f"Expected: {expected}.")
