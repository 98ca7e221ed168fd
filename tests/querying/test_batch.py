"""A plan by batches: nothing is paid twice and nothing is lost, wherever it breaks."""

# The fakes' methods are those of the protocols.
# ruff: noqa: D102, ARG002

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spex_api.completions import Capabilities, CompletionRequest, Fingerprint, Message, Usage
from spex_api.errors import (
    AuthenticationFailed,
    BadRequest,
    BatchError,
    BudgetExhausted,
    MalformedReply,
    QuotaExhausted,
    RateLimited,
    Unavailable,
    UsageError,
)
from spex_api.events import Notice, Progress
from spex_api.querying.batch import fill
from spex_api.querying.batches import journal as journals
from spex_api.querying.batches.costs import BatchCosts
from spex_api.querying.batches.endpoint import (
    BatchLimits,
    BatchState,
    BatchStatus,
    Chunk,
    HasBatches,
)
from spex_api.querying.batches.journal import open_journal
from spex_api.testing import FunctionAdapter

MODEL = FunctionAdapter(lambda messages: {"yes": -0.1}, capabilities=Capabilities())
ANSWER = '{"yes": -0.1}'
FOUR = BatchLimits(requests=4, bytes=10**6)
PASSING = Unavailable("Overloaded.", unbilled=True)


def question(number):
    return CompletionRequest((Message("user", f"Good {number}?"),))


def questions(count):
    return [question(number) for number in range(count)]


def key(number):
    request = question(number)
    return Fingerprint(MODEL.endpoint, MODEL.model, MODEL.body(request)).digest()


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Fuse:
    """Burns down a step at a time, and then the process is gone."""

    left: float = float("inf")
    burnt: int = 0

    def burn(self):
        self.burnt += 1
        self.left -= 1
        if self.left < 0:
            raise Killed


@dataclass
class Time:
    """A clock on which any wait is over at once, counted."""

    at: float = 0.0
    waits: list[float] = field(default_factory=list)

    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


@dataclass
class Memory:
    """Answers in memory, which outlive the process as those on disk do."""

    fuse: Fuse = field(default_factory=Fuse)
    answers: dict[str, str] = field(default_factory=dict)

    def body(self, request):
        return MODEL.body(request)

    def read(self, raw):
        try:
            return MODEL.read(raw)
        except ValueError:
            raise MalformedReply("It is no JSON.") from None

    def fingerprint(self, request):
        return Fingerprint(MODEL.endpoint, MODEL.model, self.body(request), request.sample_index)

    def holds(self, request):
        return self.fingerprint(request).digest() in self.answers

    def keep(self, request, completion):
        self.fuse.burn()
        name = self.fingerprint(request).digest()
        assert name not in self.answers
        self.answers[name] = completion.raw
        self.fuse.burn()


@dataclass
class Batch:
    """A batch as the provider has it."""

    token: str
    lines: dict[str, dict]
    ends: BatchState
    polls: int = 1
    results: list = field(default_factory=list)
    over: bool = False


@dataclass
class Provider:
    """A batch endpoint in memory.

    `ends` says how its batches end, one after the other, and then all well; `half` of a batch that
    expires or is cancelled is answered. `lines` says what comes of a question other than an answer,
    at its first, second, … time. `vague` keeps no metadata, and finds batches by size.
    """

    limits: BatchLimits = FOUR
    keeps: str = "It keeps all for a day."
    fuse: Fuse = field(default_factory=Fuse)
    ends: list = field(default_factory=list)
    lines: dict = field(default_factory=dict)
    polls: int = 1
    vague: bool = False
    batches: dict = field(default_factory=dict)
    paid: Counter = field(default_factory=Counter)
    failure: object = None
    submit_errors: list = field(default_factory=list)
    poll_errors: list = field(default_factory=list)
    fetch_errors: list = field(default_factory=list)
    discard_error: object = None
    discarded: list = field(default_factory=list)
    calls: list = field(default_factory=list)

    @property
    def exact(self):
        return not self.vague

    async def submit(self, chunk, lines):
        self.fuse.burn()
        self.calls.append("submit")
        arrived, error = self.submit_errors.pop(0) if self.submit_errors else (True, None)
        name = f"batch_{len(self.batches) + 1}"
        if arrived:
            end = self.ends.pop(0) if self.ends else BatchState.ENDED
            self.batches[name] = Batch(chunk.token, dict(lines), end, self.polls)
        if error is not None:
            raise error
        self.fuse.burn()
        return name

    async def find(self, chunk, *, known):
        self.fuse.burn()
        self.calls.append("find")
        for name, batch in self.batches.items():
            if name in known:
                continue
            if not self.vague and batch.token == chunk.token:
                return name
            alike = len(batch.lines) == len(chunk.keys)
            if self.vague and alike and (not batch.over or set(batch.lines) & set(chunk.keys)):
                return name
        return None

    async def poll(self, batch):
        self.fuse.burn()
        self.calls.append("poll")
        if self.poll_errors:
            raise self.poll_errors.pop(0)
        if batch not in self.batches:
            raise BadRequest("There is none.", unbilled=True)
        found = self.batches[batch]
        found.polls -= 1
        if found.polls >= 0:
            return BatchStatus(BatchState.RUNNING)
        self.finish(found)
        failed = found.ends is BatchState.FAILED
        return BatchStatus(found.ends, len(found.lines), self.failure if failed else None)

    def finish(self, batch):
        if batch.over:
            return
        batch.over = True
        if batch.ends is BatchState.FAILED:
            return
        short = batch.ends in (BatchState.EXPIRED, BatchState.CANCELLED)
        served = len(batch.lines) // 2 if short else len(batch.lines)
        for name in list(batch.lines)[:served]:
            scripted = self.lines.get(name, [])
            result = scripted.pop(0) if scripted else ANSWER
            if result is not None:
                batch.results.append((name, result))
            self.paid[name] += isinstance(result, str)
        batch.results.reverse()

    async def fetch(self, batch):
        for place, result in enumerate(self.batches[batch].results):
            self.fuse.burn()
            if self.fetch_errors and self.fetch_errors[0][0] == place:
                raise self.fetch_errors.pop(0)[1]
            yield result

    async def cancel(self, batch):
        self.batches[batch].ends = BatchState.CANCELLED

    async def discard(self, batch):
        self.fuse.burn()
        assert self.batches[batch].over
        if self.discard_error is not None:
            raise self.discard_error
        self.discarded.append(batch)


def run(folder, provider, cache, asked, **settings_):
    """One process that fills the cache."""

    async def main():
        with open_journal(folder, "run-1", endpoint="e", model="m") as journal:
            settings_.setdefault("clock", Time())
            return await fill(asked, provider, cache=cache, journal=journal, **settings_)

    return asyncio.run(main())


def open_chunks(folder):
    with open_journal(folder, "run-1", endpoint="e", model="m") as journal:
        return journal.chunks


def test_a_plan_goes_out_in_chunks_and_comes_back_whole(tmp_path):
    """Ten questions, four a batch: three batches, ten answers, nothing left open."""
    provider, cache, told = Provider(), Memory(), []
    filled = run(tmp_path, provider, cache, questions(10), on_event=told.append)
    assert [len(batch.lines) for batch in provider.batches.values()] == [4, 4, 2]
    assert cache.answers == {key(number): ANSWER for number in range(10)}
    assert (filled.asked, filled.kept, filled.left, filled.reasons) == (10, 10, 0, ())
    assert filled.usage == Usage(10, 10, 10)
    assert open_chunks(tmp_path) == ()
    notices = [event.text for event in told if isinstance(event, Notice)]
    assert [provider.keeps in text for text in notices] == [True, False, False]
    assert told[-1] == Progress(done=10, total=10, cached=0, in_flight=0, sent=10)


def test_what_is_on_disk_is_not_asked_and_equal_questions_are_asked_once(tmp_path):
    """Planned minus cached: one of three different questions is there, and one comes twice."""
    provider, cache = Provider(), Memory()
    cache.answers[key(0)] = "{}"
    filled = run(tmp_path, provider, cache, [*questions(3), question(1)])
    (batch,) = provider.batches.values()
    assert set(batch.lines) == {key(1), key(2)}
    assert (filled.asked, filled.held, filled.kept) == (3, 1, 2)
    assert cache.answers[key(0)] == "{}"


def test_an_answer_that_came_from_elsewhere_meanwhile_stays(tmp_path):
    """Another process was faster: what is on disk was perhaps used already."""
    provider, cache = Provider(), Memory()
    finish = provider.finish

    def late(batch):
        finish(batch)
        cache.answers[key(0)] = "{}"

    provider.finish = late
    filled = run(tmp_path, provider, cache, questions(2))
    assert cache.answers == {key(0): "{}", key(1): ANSWER}
    assert (filled.kept, filled.usage) == (2, Usage(2, 2, 2))


def test_all_on_disk_sends_nothing(tmp_path):
    """A second run neither submits nor looks for anything."""
    provider, cache = Provider(), Memory()
    run(tmp_path, provider, cache, questions(3))
    provider.calls.clear()
    assert run(tmp_path, provider, cache, questions(3)).held == 3
    assert provider.calls == []


def test_chunks_are_cut_by_bytes(tmp_path):
    """Lines that would fill more than 95 % of the limit go into the next batch."""
    line = len(json.dumps(MODEL.body(question(0)), separators=(",", ":"))) + 256
    limits = BatchLimits(requests=100, bytes=int(line * 3 / 0.95) + 1)
    provider = Provider(limits=limits)
    run(tmp_path, provider, Memory(), questions(7))
    assert [len(batch.lines) for batch in provider.batches.values()] == [3, 3, 1]
    provider = Provider(limits=BatchLimits(requests=100, bytes=1))
    run(tmp_path / "tiny", provider, Memory(), questions(2))
    assert [len(batch.lines) for batch in provider.batches.values()] == [1, 1]


def test_no_more_tokens_are_under_way_than_there_is_room_for(tmp_path):
    """With room for five questions, no more than five are at the endpoint at once."""
    room = 5 * question(0).input_bound
    provider = Provider(limits=BatchLimits(requests=3, bytes=10**6, tokens=room))
    most, submit = [], provider.submit

    async def watched(chunk, lines):
        name = await submit(chunk, lines)
        most.append(sum(len(each.lines) for each in provider.batches.values() if not each.over))
        return name

    provider.submit = watched
    filled = run(tmp_path, provider, Memory(), questions(9))
    assert filled.left == 0
    assert max(most) == 5


def test_what_is_too_much_at_once_goes_out_in_halves(tmp_path):
    """An endpoint that is full refuses a batch whole, unpaid; then less goes out at once."""
    full = RateLimited("Enqueued token limit reached.", unbilled=True)
    limits = BatchLimits(requests=100, bytes=10**6)
    provider = Provider(limits=limits, ends=[BatchState.FAILED] * 2, failure=full)
    cache = Memory()
    filled = run(tmp_path, provider, cache, questions(8), rounds=1)
    assert [len(batch.lines) for batch in provider.batches.values()] == [8, 4, 2, 2, 2, 2]
    assert (len(cache.answers), filled.left) == (8, 0)
    provider = Provider(ends=[BatchState.FAILED] * 99, failure=full)
    filled = run(tmp_path / "never", provider, Memory(), questions(2))
    assert filled.left == 2
    assert filled.reasons == ("2 questions: Enqueued token limit reached.",)


def test_a_batch_that_is_refused_ends_the_run(tmp_path):
    """What no waiting mends is raised, and the journal does not hold it open."""
    no_model = BadRequest("There is no such model.", unbilled=True)
    provider = Provider(ends=[BatchState.FAILED], failure=no_model)
    with pytest.raises(BadRequest, match="no such model"):
        run(tmp_path, provider, Memory(), questions(2))
    assert open_chunks(tmp_path) == ()
    provider = Provider(ends=[BatchState.FAILED])
    with pytest.raises(BatchError, match="without a reason"):
        run(tmp_path, provider, Memory(), questions(2))


@pytest.mark.parametrize("listed", [True, False])
def test_the_answers_of_an_expired_batch_are_kept_and_the_rest_goes_out_again(tmp_path, listed):
    """Two of four had no time: they alone are asked again, listed in the results or not."""
    provider, cache = Provider(ends=[BatchState.EXPIRED]), Memory()
    if listed:
        finish = provider.finish

        def with_errors(batch):
            was_over = batch.over
            finish(batch)
            if not was_over and batch.ends is BatchState.EXPIRED:
                missing = set(batch.lines) - {name for name, _ in batch.results}
                batch.results += [(name, PASSING) for name in sorted(missing)]

        provider.finish = with_errors
    filled = run(tmp_path, provider, cache, questions(4))
    assert [len(batch.lines) for batch in provider.batches.values()] == [4, 2]
    assert (filled.kept, filled.left) == (4, 0)
    assert filled.usage == Usage(4, 4, 4)
    assert set(provider.paid.values()) == {1}


def test_what_never_has_time_is_left_with_a_sentence(tmp_path):
    """After three rounds the rest is left, and what was answered is kept."""
    provider, cache = Provider(ends=[BatchState.EXPIRED] * 9), Memory()
    filled = run(tmp_path, provider, cache, questions(4), rounds=3)
    assert [len(batch.lines) for batch in provider.batches.values()] == [4, 2, 1]
    assert (filled.kept, filled.left) == (3, 1)
    assert filled.reasons == ("1 question: The batch's time was up before they were answered.",)
    assert run(tmp_path, provider, cache, questions(4)).left == 1


def test_a_cancelled_batch_is_read_and_not_sent_again(tmp_path):
    """Somebody wanted it to stop: its answers are kept, the rest is left."""
    provider, cache = Provider(ends=[BatchState.CANCELLED]), Memory()
    filled = run(tmp_path, provider, cache, questions(4))
    assert len(provider.batches) == 1
    assert (filled.kept, filled.left) == (2, 2)
    assert filled.reasons == ("2 questions: The batch was cancelled before they were answered.",)


def test_each_line_ends_in_its_own_way(tmp_path):
    """Refused for good is a hole, a passing error goes out again, what cannot be read is left."""
    lines = {
        key(0): [BadRequest("Too long.", unbilled=True)],
        key(1): [PASSING],
        key(2): ["no JSON"],
        key(3): [QuotaExhausted("No credit.", unbilled=True)],
    }
    provider, cache = Provider(limits=BatchLimits(9, 10**6), lines=lines), Memory()
    filled = run(tmp_path, provider, cache, questions(6))
    assert [len(batch.lines) for batch in provider.batches.values()] == [6, 1]
    assert set(cache.answers) == {key(1), key(4), key(5)}
    assert (filled.kept, filled.refused, filled.left) == (3, 1, 2)
    assert set(filled.reasons) == {"1 question: It is no JSON.", "1 question: No credit."}
    unreadable = Usage(1, question(2).input_bound, 1)
    assert filled.usage == Usage(3, 3, 3) + unreadable


def test_a_refused_question_is_not_asked_again_in_this_run(tmp_path):
    """The journal remembers holes: the next process submits nothing for them."""
    provider = Provider(lines={key(0): [BadRequest("Too long.", unbilled=True)]})
    cache = Memory()
    run(tmp_path, provider, cache, questions(2))
    filled = run(tmp_path, provider, cache, questions(2))
    assert (filled.held, filled.refused, filled.left) == (1, 1, 0)
    assert len(provider.batches) == 1


def test_results_that_do_not_mention_a_question_are_no_answer_and_stay_charged(tmp_path):
    """It goes out again; what its first time cost is not known, so the most is charged."""
    provider, cache = Provider(lines={key(0): [None]}), Memory()
    filled = run(tmp_path, provider, cache, questions(2))
    assert (filled.kept, filled.left) == (2, 0)
    assert filled.usage == Usage(2, 2, 2) + Usage(1, question(0).input_bound, 1)


def test_lines_that_cannot_be_read_may_be_paid_and_are_not_sent_again(tmp_path):
    """A torn line has no name: the questions without a result are left, not paid twice."""
    provider, cache = Provider(lines={key(0): [None]}), Memory()
    finish = provider.finish

    def torn(batch):
        finish(batch)
        batch.results.append(("", MalformedReply("It is torn.")))

    provider.finish = torn
    filled = run(tmp_path, provider, cache, questions(2))
    assert len(provider.batches) == 1
    assert (filled.kept, filled.left) == (1, 1)
    assert "cannot be read" in filled.reasons[0]


@pytest.mark.parametrize("arrived", [True, False])
def test_a_submission_with_an_unknown_outcome_is_looked_for(tmp_path, arrived):
    """A connection that broke off: the batch that is there is taken, else it is sent again."""
    lost = Unavailable("It broke off.")
    provider, time = Provider(submit_errors=[(arrived, lost)]), Time()
    filled = run(tmp_path, provider, Memory(), questions(2), clock=time)
    assert (filled.kept, len(provider.batches)) == (2, 1)
    assert provider.calls.count("submit") == (1 if arrived else 2)
    # Only a second look, after a while, says that there is none.
    assert provider.calls.count("find") == (1 if arrived else 2)
    assert (120.0 in time.waits) is not arrived


def test_a_submission_that_is_surely_refused_leaves_no_trace(tmp_path):
    """Nothing is held open and nothing stays charged; the error gets through."""
    refused = AuthenticationFailed("The key is refused.", unbilled=True)
    provider, purse = Provider(submit_errors=[(False, refused)]), Purse()
    with pytest.raises(AuthenticationFailed):
        run(tmp_path, provider, Memory(), questions(2), costs=BatchCosts(purse))
    assert open_chunks(tmp_path) == ()
    assert purse.spent == purse.reserved == Usage()
    assert "find" not in provider.calls


def test_a_later_refusal_does_not_settle_an_earlier_doubt(tmp_path):
    """The first attempt came through unseen, the second was refused: the intent stays."""
    refused = AuthenticationFailed("The key is refused.", unbilled=True)
    provider, cache = (
        Provider(submit_errors=[(True, Unavailable("Lost.")), (False, refused)]),
        Memory(),
    )
    find, provider.find = provider.find, mock.AsyncMock(return_value=None)
    with pytest.raises(AuthenticationFailed):
        run(tmp_path, provider, cache, questions(2))
    assert len(open_chunks(tmp_path)) == 1
    provider.find = find
    assert run(tmp_path, provider, cache, questions(2)).kept == 2
    assert (len(provider.batches), set(provider.paid.values())) == (1, {1})


def test_what_stays_unknown_is_looked_for_by_the_next_run(tmp_path):
    """The outcome was open and the endpoint then failed for good: the intent stays."""
    provider, cache = Provider(submit_errors=[(True, Unavailable("It broke off."))]), Memory()
    find, provider.find = provider.find, mock.AsyncMock(side_effect=QuotaExhausted("No credit."))
    with pytest.raises(QuotaExhausted):
        run(tmp_path, provider, cache, questions(2))
    provider.find = find
    assert run(tmp_path, provider, cache, questions(2)).kept == 2
    assert (len(provider.batches), set(provider.paid.values())) == (1, {1})


def test_passing_failures_of_polls_and_results_are_sat_out(tmp_path):
    """A poll that fails is made again after the hint; results that break off are read again."""
    provider = Provider(
        poll_errors=[RateLimited("Too fast.", retry_after=7.0), Unavailable("Busy.")],
        fetch_errors=[(1, Unavailable("It broke off.")), (0, Unavailable("Once more."))],
    )
    cache, time = Memory(), Time()
    filled = run(tmp_path, provider, cache, questions(3), clock=time)
    assert (filled.kept, filled.left, filled.usage) == (3, 0, Usage(3, 3, 3))
    assert 7.0 in time.waits


def test_waits_between_polls_grow(tmp_path):
    """A batch of hours is not asked for every second."""
    time = Time()
    run(tmp_path, Provider(polls=30), Memory(), questions(1), clock=time)
    assert time.waits[:3] == [5.0, 7.5, 11.25]
    assert time.waits[-1] == 300.0
    assert time.waits == sorted(time.waits)


def test_a_batch_that_the_endpoint_does_not_know_is_not_paid_again_in_silence(tmp_path):
    """Most likely the key is another account's: the run says so, and keeps the journal."""
    provider, cache = Provider(), Memory()
    with pytest.raises(Killed):
        run(tmp_path, replace_fuse(provider, 2), cache, questions(2))
    (chunk,) = open_chunks(tmp_path)
    assert chunk.batch == "batch_1"
    elsewhere = Provider()
    with pytest.raises(BatchError, match=r"batch_1 of this run is not to be found.*account"):
        run(tmp_path, elsewhere, cache, questions(2))
    assert open_chunks(tmp_path) == (chunk,)
    assert elsewhere.batches == {}


def replace_fuse(provider, left):
    provider.fuse = Fuse(left)
    return provider


def test_a_batch_of_other_questions_waits_for_the_call_that_asks_them(tmp_path):
    """A call for some questions reads those alone; the rest of the batch stays to be read."""
    provider, cache = Provider(), Memory()
    with pytest.raises(Killed):
        run(tmp_path, replace_fuse(provider, 2), cache, questions(4))
    provider.fuse = Fuse()
    assert run(tmp_path, provider, cache, questions(6)[4:]).kept == 2
    assert run(tmp_path, provider, cache, questions(1)).kept == 1
    assert len(open_chunks(tmp_path)[0].keys) == 3
    assert run(tmp_path, provider, cache, questions(6)).kept == 3
    assert open_chunks(tmp_path) == ()
    assert set(provider.paid.values()) == {1}


def test_a_batch_whose_answers_are_all_there_is_not_waited_for(tmp_path):
    """The process was killed after the last answer: the next one has nothing to ask of anybody."""
    provider, cache = Provider(), Memory()
    with pytest.raises(Killed):
        run(tmp_path, replace_fuse(provider, 2), cache, questions(2))
    cache.answers.update({key(0): ANSWER, key(1): ANSWER})
    provider.fuse = Fuse(0)
    assert run(tmp_path, provider, cache, questions(2)).held == 2
    assert open_chunks(tmp_path) == ()


def test_cancelling_gets_through_and_the_next_run_reads(tmp_path):
    """Ctrl-C leaves the batches to go on; they are read later and paid once."""
    provider, cache, told = Provider(polls=3), Memory(), []

    async def main():
        with open_journal(tmp_path, "run-1", endpoint="e", model="m") as journal:
            task = asyncio.create_task(
                fill(
                    questions(2),
                    provider,
                    cache=cache,
                    journal=journal,
                    clock=Time(),
                    on_event=told.append,
                )
            )
            while not provider.batches:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert told[-1].text.startswith("Batches go on without us: the same command reads them later.")
    assert run(tmp_path, provider, cache, questions(2)).kept == 2
    assert set(provider.paid.values()) == {1}


@dataclass
class Purse:
    """A budget of requests, tokens and dollars."""

    requests: int = 10**6
    tokens: int = 10**9
    usd: float = 1e9
    spent: Usage = field(default_factory=Usage)
    spent_usd: float = 0.0
    reserved: Usage = field(default_factory=Usage)
    reserved_usd: float = 0.0
    most_usd: float = 0.0

    def reserve(self, requests, tokens, usd):
        usd = usd or 0.0
        if (
            self.spent.requests + self.reserved.requests + requests > self.requests
            or self.spent.input_tokens + self.reserved.input_tokens + tokens > self.tokens
            or self.spent_usd + self.reserved_usd + usd > self.usd + 1e-12
        ):
            raise BudgetExhausted("The budget is used up.")
        return self.owe(requests, tokens, usd)

    def owe(self, requests, tokens, usd):
        usd = usd or 0.0
        self.reserved += Usage(requests, tokens)
        self.reserved_usd += usd
        self.most_usd = max(self.most_usd, self.spent_usd + self.reserved_usd)
        return Reserved(self, requests, tokens, usd)


@dataclass
class Reserved:
    """What is set aside of a purse."""

    purse: Purse
    requests: int
    tokens: int
    usd: float

    def settle(self, usage, usd):
        assert usage.requests <= self.requests
        assert usage.input_tokens + usage.output_tokens <= self.tokens
        self.release()
        self.purse.spent += Usage(usage.requests, usage.input_tokens + usage.output_tokens)
        self.purse.spent_usd += usd or 0.0

    def release(self):
        self.purse.reserved += Usage(-self.requests, -self.tokens)
        self.purse.reserved_usd -= self.usd


class Tariff:
    """Half a dollar a question at the most, and five cents in truth."""

    def bound(self, request):
        return 0.5

    def cost(self, usage):
        return 0.05 * usage.requests


def test_a_batch_is_set_aside_at_the_most_it_costs_and_settled_by_what_it_took(tmp_path):
    """Four questions of half a dollar at most: two dollars are set aside, and 20 cents spent."""
    purse = Purse()
    filled = run(tmp_path, Provider(), Memory(), questions(4), costs=BatchCosts(purse, Tariff()))
    assert purse.most_usd == 2.0
    assert filled.usd == purse.spent_usd == pytest.approx(0.2)
    assert (purse.spent, purse.reserved) == (Usage(4, 8), Usage())


def test_a_cap_is_kept_by_smaller_batches(tmp_path):
    """Where not all fits the cap at the most it can cost, as many go out as do, one by one."""
    purse = Purse(usd=20.0)
    provider = Provider(limits=BatchLimits(1000, 10**6))
    filled = run(tmp_path, provider, Memory(), questions(100), costs=BatchCosts(purse, Tariff()))
    sizes = [len(batch.lines) for batch in provider.batches.values()]
    assert sizes[0] == 25
    assert (filled.kept, sum(sizes)) == (100, 100)
    assert purse.most_usd <= 20.0


def test_what_the_cap_has_no_room_for_is_left(tmp_path):
    """Nothing is submitted beyond the cap; the sentence is the budget's."""
    purse, provider, cache = Purse(requests=40), Provider(limits=BatchLimits(32, 10**6)), Memory()
    filled = run(tmp_path, provider, cache, questions(64), costs=BatchCosts(purse))
    assert (filled.kept, filled.left) == (32, 32)
    assert filled.reasons == ("32 questions: The budget is used up.",)
    assert sum(provider.paid.values()) == 32


def test_what_is_paid_already_is_read_whatever_the_cap(tmp_path):
    """A batch of an earlier run is taken up even where the new budget is too small for it."""
    provider, cache = Provider(), Memory()
    with pytest.raises(Killed):
        run(tmp_path, replace_fuse(provider, 2), cache, questions(4))
    provider.fuse, purse = Fuse(), Purse(requests=1)
    filled = run(tmp_path, provider, cache, questions(6), costs=BatchCosts(purse))
    assert (filled.kept, filled.left) == (4, 2)
    assert (purse.spent, purse.reserved) == (Usage(4, 8), Usage())
    assert len(provider.batches) == 1


def test_the_endpoint_forgets_the_questions_of_a_batch_that_is_over_and_read(tmp_path):
    """Whatever way it ended, once; and not while answers of it are still to be read."""
    ends = [BatchState.ENDED, BatchState.EXPIRED, BatchState.CANCELLED]
    provider, cache = Provider(ends=ends), Memory()
    discard = provider.discard

    async def late(batch):
        answered = {name for name, result in provider.batches[batch].results}
        assert answered <= set(cache.answers)
        await discard(batch)

    provider.discard = late
    run(tmp_path, provider, cache, questions(10))
    assert sorted(provider.discarded) == sorted(provider.batches)
    full = RateLimited("Enqueued token limit reached.", unbilled=True)
    provider = Provider(ends=[BatchState.FAILED], failure=full)
    run(tmp_path / "failed", provider, Memory(), questions(4))
    assert sorted(provider.discarded) == sorted(provider.batches)
    provider, cache = Provider(), Memory()
    with pytest.raises(Killed):
        run(tmp_path / "parts", replace_fuse(provider, 2), cache, questions(4))
    provider.fuse = Fuse()
    run(tmp_path / "parts", provider, cache, questions(1))
    assert provider.discarded == []
    run(tmp_path / "parts", provider, cache, questions(4))
    assert provider.discarded == ["batch_1"]


def test_questions_that_cannot_be_deleted_are_told_and_no_failure(tmp_path):
    """All answers are there; a sentence says what stays at the endpoint."""
    provider, told = Provider(discard_error=Unavailable("Busy.")), []
    filled = run(tmp_path, provider, Memory(), questions(2), on_event=told.append)
    assert (filled.kept, filled.left) == (2, 0)
    (notice,) = [each.text for each in told if "deleted" in getattr(each, "text", "")]
    assert "The questions of the batch batch_1 could not be deleted" in notice
    assert notice.endswith("Busy.")
    assert open_chunks(tmp_path) == ()


def test_there_is_at_least_one_round(tmp_path):
    """No round is wrong use, and sends nothing."""
    provider = Provider()
    with pytest.raises(UsageError, match="not 0"):
        run(tmp_path, provider, Memory(), questions(1), rounds=0)
    assert provider.calls == []


def test_words_are_checked():
    """A chunk without questions or a limit below one is wrong use; an adapter may lack batches."""
    with pytest.raises(UsageError):
        BatchLimits(0, 1)
    with pytest.raises(UsageError):
        Chunk("run", "token", (), mock.Mock(tzinfo=None))
    assert not isinstance(MODEL, HasBatches)


ENDS = st.lists(st.sampled_from([BatchState.ENDED, BatchState.EXPIRED]), max_size=3)


@example(count=2, longest=1, ends=[], passing=set(), kills=[3, 4], vague=True, strangers=1)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    count=st.integers(1, 9),
    longest=st.integers(1, 5),
    ends=ENDS,
    passing=st.sets(st.integers(0, 8), max_size=3),
    kills=st.lists(st.integers(0, 45), min_size=1, max_size=4),
    vague=st.booleans(),
    strangers=st.integers(0, 2),
)
def test_killed_anywhere_the_next_run_ends_with_every_answer_paid_once(
    tmp_path_factory, count, longest, ends, passing, kills, vague, strangers
):
    """Between any two steps: submission, its record, polls, every line, every write."""
    folder = tmp_path_factory.mktemp("run")
    provider = Provider(
        limits=BatchLimits(longest, 10**6),
        ends=list(ends),
        lines={key(number): [PASSING] for number in passing},
        vague=vague,
    )
    for number in range(strangers):
        foreign = {f"{number}{place}" * 32: {} for place in range(min(longest, count))}
        provider.batches[f"other_{number}"] = Batch("", foreign, BatchState.ENDED)
    cache = Memory()
    write = journals.replace_whole

    def burning(path, content):
        provider.fuse.burn()
        write(path, content)
        provider.fuse.burn()

    # A process that is killed needs no fsync, and a hundred runs with it take half a minute.
    with (
        mock.patch.object(journals, "replace_whole", burning),
        mock.patch.object(os, "fsync", return_value=None),
    ):
        for steps in kills:
            provider.fuse = cache.fuse = Fuse(steps)
            try:
                run(folder, provider, cache, questions(count), rounds=9)
            except Killed:
                continue
        provider.fuse = cache.fuse = Fuse()
        filled = run(folder, provider, cache, questions(count), rounds=9)
    assert filled.left == 0
    assert cache.answers == {key(number): ANSWER for number in range(count)}
    for batch in provider.batches.values():  # one that nobody follows is paid all the same
        provider.finish(batch)
    ours = {name: paid for name, paid in provider.paid.items() if name in cache.answers}
    assert ours == {key(number): 1 for number in range(count)}
    assert open_chunks(folder) == ()
