"""Every answer is on disk before it is used, and is paid once."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import pytest
from spex_adapters.openai import OpenAIAdapter

from spex_api.completions import Completion, CompletionRequest, Message, Outcome
from spex_api.errors import CacheCorrupt, CacheError, CacheMiss, MalformedReply, Unavailable
from spex_api.querying.answers.store import DiskStore
from spex_api.querying.cache import Cached, Mode
from spex_api.querying.policy import Meter, Policy
from spex_api.testing import FunctionAdapter


def ask(text: str = "Good?", **settings) -> CompletionRequest:
    return CompletionRequest((Message("user", text),), **settings)


@pytest.fixture
def store(answers):
    opened = DiskStore(answers)
    yield opened
    opened.close()


def yes() -> FunctionAdapter:
    return FunctionAdapter(lambda messages: {"yes": -0.1, "no": -2.0})


@dataclass(frozen=True, slots=True)
class Gate(Policy):
    """An endpoint that answers, or fails, once the test lets it."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)
    errors: list[Exception] = field(default_factory=list)
    sent: list[CompletionRequest] = field(default_factory=list)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Counts the request, waits, and answers."""
        self.sent.append(request)
        await self.opened.wait()
        if self.errors:
            raise self.errors.pop()
        return await self.inner.complete(request)


def test_a_second_asking_is_free(store):
    """The model is asked once; the second answer is the first, read again from disk."""
    model, meter = yes(), Meter()
    cached = Cached(model, store, meter)
    first = asyncio.run(cached.complete(ask()))
    assert asyncio.run(cached.complete(ask())) == first
    assert len(model.requests) == 1
    assert meter.cached == 1


def test_an_answer_is_on_disk_before_it_is_used(answers):
    """When `complete` returns, another process already finds the answer."""
    store = DiskStore(answers)
    cached = Cached(yes(), store, Meter())
    asyncio.run(cached.complete(ask()))
    other = DiskStore(answers)
    assert other.get(cached.fingerprint(ask()).digest())
    other.close()
    store.close()


@dataclass(frozen=True, slots=True)
class Watched(Policy):
    """Notes, as each question goes out, how many have gone out and are not kept yet."""

    store: DiskStore
    lost: list[int] = field(default_factory=list)

    async def complete(self, request: CompletionRequest) -> Completion:
        """Answers a little later."""
        self.lost.append(len(self.lost) + 1 - len(list(self.store)))
        await asyncio.sleep(0.001)
        return await self.inner.complete(request)


def test_no_more_is_lost_than_may_be_under_way(store):
    """An answer that is not kept yet counts as under way, so a kill loses that many at most."""
    watched = Watched(yes(), store)
    cached = Cached(watched, store, Meter(), at_once=3)

    async def all_of_them() -> None:
        await asyncio.gather(*(cached.complete(ask(f"Good {at}?")) for at in range(20)))

    asyncio.run(all_of_them())
    assert len(watched.lost) == 20
    assert max(watched.lost) == 3


def test_a_failure_is_not_an_answer(store):
    """Nothing is kept of a request that raised, so it is asked again."""

    def fail(messages):
        raise MalformedReply("An error in a reply of status 200.")

    model = FunctionAdapter(fail)
    cached = Cached(model, store, Meter())
    for _ in range(2):
        with pytest.raises(MalformedReply):
            asyncio.run(cached.complete(ask()))
    assert len(model.requests) == 2
    assert len(store) == 0
    assert not cached._underway.flights


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_outcome_is_an_observation(store, outcome):
    """A refusal, a filter's doing and a cut answer are kept, and come back as what they are."""

    class Model(Policy):
        async def complete(self, request):
            self.inner.requests.append(request)
            return self.read(outcome.value)

        def read(self, raw):
            return Completion("", outcome=Outcome(raw), raw=raw)

    model = yes()
    cached = Cached(Model(model), store, Meter())
    for _ in range(2):
        assert asyncio.run(cached.complete(ask())).outcome is outcome
    assert len(model.requests) == 1


def test_what_cannot_be_kept_is_an_error(store, monkeypatch):
    """A paid answer that is not on disk does not pass for one that is."""

    def full(key, record):
        raise CacheError("The disk is full.")

    monkeypatch.setattr(store, "put", full)
    cached = Cached(yes(), store, Meter())
    with pytest.raises(CacheError, match="full"):
        asyncio.run(cached.complete(ask()))


def test_holds_asks_nobody(store):
    """It says what is on disk, sends nothing and counts nothing."""
    model, meter = yes(), Meter()
    cached = Cached(model, store, meter)
    assert not cached.holds(ask())
    asyncio.run(cached.complete(ask()))
    assert cached.holds(ask())
    assert not cached.holds(ask(sample_index=1))
    assert len(model.requests) == 1
    assert meter.cached == 0


def test_a_replay_asks_nobody(store):
    """A hit answers; a miss names the question and its model; the adapter within is never asked."""
    model = yes()
    asyncio.run(Cached(model, store, Meter()).complete(ask()))
    replay = Cached(model, store, Meter(), mode=Mode.REPLAY)
    assert asyncio.run(replay.complete(ask())).text == "yes"
    with pytest.raises(CacheMiss, match="No answer of function to 'Bad\\?'"):
        asyncio.run(replay.complete(ask("Bad?")))
    assert len(model.requests) == 1


def test_a_refresh_asks_anew_once(store):
    """The old answer is written over, and the new one answers for the rest of the run."""
    old = FunctionAdapter(lambda messages: {"old": -0.1})
    new = FunctionAdapter(lambda messages: {"new": -0.1})
    asyncio.run(Cached(old, store, Meter()).complete(ask()))
    meter = Meter()
    refresh = Cached(new, store, meter, mode=Mode.REFRESH)
    assert asyncio.run(refresh.complete(ask())).text == "new"
    assert asyncio.run(refresh.complete(ask())).text == "new"
    assert len(new.requests) == 1
    assert meter.cached == 1
    assert asyncio.run(Cached(old, store, Meter()).complete(ask())).text == "new"


def test_a_refresh_that_fails_leaves_the_old_answer(store):
    """Nothing is lost by trying."""
    asyncio.run(Cached(yes(), store, Meter()).complete(ask()))

    def fail(messages):
        raise Unavailable("Busy.")

    refresh = Cached(FunctionAdapter(fail), store, Meter(), mode=Mode.REFRESH)
    with pytest.raises(Unavailable):
        asyncio.run(refresh.complete(ask()))
    assert Cached(yes(), store, Meter()).holds(ask())


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.REFRESH])
def test_the_same_question_at_once_is_paid_once(store, mode):
    """Ten ask together: one request goes out, and all have its answer."""

    async def main():
        gate, meter = Gate(yes()), Meter()
        cached = Cached(gate, store, meter, mode=mode)
        tasks = [asyncio.create_task(cached.complete(ask())) for _ in range(10)]
        await asyncio.sleep(0)
        gate.opened.set()
        texts = {completion.text for completion in await asyncio.gather(*tasks)}
        return gate.sent, meter.cached, texts, cached._underway.flights

    sent, from_disk, texts, left = asyncio.run(main())
    assert len(sent) == 1
    assert from_disk == 9
    assert texts == {"yes"}
    assert not left


def test_who_asks_for_all_and_is_cancelled_is_followed(store):
    """The next in line asks; the others still wait, and are answered."""

    async def main():
        gate = Gate(yes())
        cached = Cached(gate, store, Meter())
        first, *others = [asyncio.create_task(cached.complete(ask())) for _ in range(5)]
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.opened.set()
        texts = [completion.text for completion in await asyncio.gather(*others)]
        return len(gate.sent), texts

    # One that was cancelled, under way, and one in its place.
    assert asyncio.run(main()) == (2, ["yes"] * 4)


def test_who_waits_and_is_cancelled_takes_nobody_with_it(store):
    """A follower that goes leaves the one that asks, and the other followers, alone."""

    async def main():
        gate = Gate(yes())
        cached = Cached(gate, store, Meter())
        first, second, third = [asyncio.create_task(cached.complete(ask())) for _ in range(3)]
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.opened.set()
        await asyncio.gather(first, third)
        return len(gate.sent)

    assert asyncio.run(main()) == 1


def test_the_error_of_the_one_is_that_of_all(store):
    """What failed for all is not tried again for each; whoever asks later asks anew."""

    async def main():
        gate = Gate(yes())
        gate.errors.append(Unavailable("Busy."))
        cached = Cached(gate, store, Meter())
        tasks = [asyncio.create_task(cached.complete(ask())) for _ in range(4)]
        await asyncio.sleep(0)
        gate.opened.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        sent = len(gate.sent)
        return sent, errors, (await cached.complete(ask())).text

    sent, errors, later = asyncio.run(main())
    assert sent == 1
    assert [type(error) for error in errors] == [Unavailable] * 4
    assert later == "yes"


def test_what_another_process_is_asking_is_waited_for(store, monkeypatch):
    """While another has claimed the question nothing is sent; then its answer is on disk."""
    looks = []

    def claimed(key):
        looks.append(key)
        if len(looks) == 3:
            asyncio.get_running_loop().call_soon(other_answers)
        return False

    def other_answers():
        Cached(yes(), store, Meter()).keep(ask(), yes().read('{"other": -0.1}'))

    monkeypatch.setattr(store, "claim", claimed)
    model, meter = yes(), Meter()
    assert asyncio.run(Cached(model, store, meter).complete(ask())).text == "other"
    assert len(looks) == 3
    assert model.requests == []
    assert meter.cached == 1


def test_what_was_answered_before_the_claim_is_not_sent_for(store, monkeypatch):
    """Another process may have finished between the look and the claim."""

    def claim(key):
        Cached(yes(), store, Meter()).keep(ask(), yes().read('{"other": -0.1}'))
        return True

    monkeypatch.setattr(store, "claim", claim)
    model = yes()
    assert asyncio.run(Cached(model, store, Meter()).complete(ask())).text == "other"
    assert model.requests == []


@pytest.mark.parametrize("error", [None, Unavailable("Busy."), asyncio.CancelledError()], ids=str)
def test_a_claim_ends_with_the_request(store, monkeypatch, error):
    """However it ends."""
    released = []
    monkeypatch.setattr(store, "release", released.append)

    def answer(messages):
        if error:
            raise error
        return {"yes": -0.1}

    cached = Cached(FunctionAdapter(answer), store, Meter())

    async def main():
        with contextlib.suppress(Unavailable, asyncio.CancelledError):
            await cached.complete(ask())

    asyncio.run(main())
    assert released == [cached.fingerprint(ask()).digest()]


def test_without_prompts_it_replays_all_the_same(store):
    """Nothing of the question is on disk, and its answer is found."""
    model = yes()
    secretive = Cached(model, store, Meter(), store_prompts=False)
    asyncio.run(secretive.complete(ask("My diagnosis?")))
    (key,) = list(store)
    assert b"diagnosis" not in store.get(key)
    assert asyncio.run(Cached(model, store, Meter()).complete(ask("My diagnosis?"))).text == "yes"
    assert len(model.requests) == 1


def test_an_answer_from_elsewhere_is_kept_alike(store):
    """What a batch brought answers the same question."""
    model = yes()
    cached = Cached(model, store, Meter())
    cached.keep(ask(), model.read('{"no": -0.5}'))
    assert asyncio.run(cached.complete(ask())).text == "no"
    assert model.requests == []


@pytest.mark.parametrize("with_prompt", [True, False])
def test_a_record_under_the_wrong_key_is_refused(store, with_prompt):
    """A record moved under another question's key does not answer it."""
    cached = Cached(yes(), store, Meter(), store_prompts=with_prompt)
    asyncio.run(cached.complete(ask()))
    moved = store.get(cached.fingerprint(ask()).digest())
    store.put(cached.fingerprint(ask("Bad?")).digest(), moved)
    with pytest.raises(CacheCorrupt, match="another question"):
        asyncio.run(cached.complete(ask("Bad?")))


def test_a_record_without_an_answer_is_told_from_a_bill(store):
    """What cannot be read is the record's fault; nobody is told that it may have been billed."""

    class Strict(Policy):
        def read(self, raw):
            raise MalformedReply(f"{raw!r} is an error.", cost="It may have been billed.")

    model = yes()
    asyncio.run(Cached(model, store, Meter()).complete(ask()))
    with pytest.raises(CacheCorrupt, match="holds no answer.*is an error") as told:
        asyncio.run(Cached(Strict(model), store, Meter()).complete(ask()))
    assert "billed" not in str(told.value)


def test_no_secret_is_in_a_record(store, answers, chat_server):
    """The key that an answer was paid with is in no file of the cache."""

    async def main():
        adapter = OpenAIAdapter("toy")
        await Cached(adapter, store, Meter()).complete(ask("good", top_logprobs=5))
        await adapter.aclose()

    asyncio.run(main())
    (key,) = list(store)
    assert b"toy-2026" in store.get(key)
    assert b"sk-secret" not in store.get(key)
    assert not any(b"sk-secret" in file.read_bytes() for file in answers.iterdir())
