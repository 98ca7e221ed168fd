"""A user's pipeline, explained: what brings its answer about is found, tested and told."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager

import anthropic
import numpy as np
import openai
import pytest
import spex_adapters

import spex_api as spex
from spex_api.calls.gate import WireReply, WireRequest, current_gate
from spex_api.claims import UNCHANGED, Arrangement, Kind
from spex_api.errors import (
    BudgetTooSmall,
    CacheMiss,
    PipelineFailed,
    ScoreError,
    UsageError,
)
from spex_api.events import Notice, Progress
from spex_api.testing import FaultServer, FunctionAdapter
from spex_api.testing.pipelines import planted_pipeline
from spex_api.testing.recording_server import RecordingServer

DOCUMENTS = [f"Note {number}." for number in range(8)]
DOCUMENTS[2] = "Handbook 2019: 25 days."
DOCUMENTS[5] = "Annex C: valid in Lyon."
INPUTS = {"question": "How many days?", "documents": DOCUMENTS}
PAIR = (2, 5)


def says(documents) -> str:
    """The wrong answer needs two documents."""
    wrong = DOCUMENTS[2] in documents and DOCUMENTS[5] in documents
    return "You have 25 days." if wrong else "You have 15 days."


def answer(question, documents):
    """A plain pipeline."""
    return says(documents)


def explained(function=answer, inputs=None, **settings) -> spex.Explanation:
    defaults = {
        "score": "25 days",
        "vary": "documents",
        "budget": spex.Budget(120),
        "decoder": "lasso",
    }
    return spex.explain_pipeline_sync(function, inputs or INPUTS, **{**defaults, **settings})


def confirmed(explanation) -> list[tuple[Kind, tuple[int, ...]]]:
    return [(cause.kind, cause.features) for cause in explanation.causes.confirmed]


def test_two_documents_that_need_each_other_are_found():
    """With their numbers, in an explanation whose prompt shows the parts."""
    found = explained()
    assert confirmed(found) == [(Kind.TOGETHER, PAIR)]
    causes = found.causes
    assert causes.outcome == "the answer says '25 days'"
    assert (causes.threshold, causes.above) == (0.5, True)
    assert causes.trial(UNCHANGED).flipped == 0
    assert causes.trial(Arrangement((2,))).holds == 0
    assert set(causes.trial(UNCHANGED).answers) == {"You have 25 days."}
    assert found.prompt.features[2] == "documents[2]: Handbook 2019: 25 days."
    assert found.interactions.strongest(1)[0] == PAIR
    told = found.provenance
    assert (told.model, told.endpoint) == (f"{__name__}.answer", "pipeline:")
    assert (told.score, told.full, told.empty) == ("Says('25 days')", 1.0, 0.0)
    assert told.meaning == "1 where the answer says '25 days', else 0"
    assert found.pipeline.function == f"{__name__}:answer"
    assert found.pipeline.inputs == INPUTS
    assert spex.Explanation.from_json(found.to_json()).to_json() == found.to_json()


@pytest.mark.parametrize("kind", [Kind.ALONE, Kind.REDUNDANT, Kind.SUPPRESSOR])
def test_planted_causes_are_found_under_noise(kind):
    """In at most as many runs as the budget has, counted by the pipeline itself."""
    planted = planted_pipeline(kind, num_documents=12, noise=0.05, seed=4)
    found = explained(
        planted.answer, planted.inputs, score=planted.looked_for, budget=spex.Budget(200)
    )
    assert [planted.is_planted(cause) for cause in found.causes.confirmed] == [True]
    assert len(planted.asked) == found.usage.requests == found.usage.sent <= 200


def test_the_right_answer_may_be_what_is_missing():
    """Then the outcome is that the answer does not say it."""
    found = explained(score="15 days")
    assert found.causes.outcome == "the answer does not say '15 days'"
    assert (found.causes.threshold, found.causes.above) == (0.5, False)
    assert confirmed(found) == [(Kind.TOGETHER, PAIR)]


def test_it_may_be_where_a_document_stands():
    """The last one is believed: moved to the front, the same document does no harm."""

    def last_word(question, documents):
        return "You have 25 days." if documents[-1:] == DOCUMENTS[2:3] else "You have 15 days."

    documents = [*DOCUMENTS[3:], *DOCUMENTS[:3]]
    found = explained(last_word, {"question": "?", "documents": documents}, budget=spex.Budget(200))
    assert (Kind.POSITION, (7,)) in confirmed(found)
    moved = found.causes.trial(Arrangement(moved=((7, 0),)))
    assert (moved.holds, set(moved.answers)) == (0, {"You have 15 days."})


def test_where_nothing_matters_nothing_is_found():
    """And it is said, with what to do."""
    found = explained(lambda question, documents: "25 days, always.")
    assert not found.causes.causes
    assert found.causes.advice
    assert "same value" in found.provenance.warnings[0]
    assert not found.interactions.strongest(1)


@pytest.mark.parametrize("requests", [20, 33, 60])
@pytest.mark.parametrize("verify", [True, False])
def test_the_budget_is_kept_to_the_run(requests, verify):
    """Whether or not causes are looked for; without, all of it is the survey."""
    runs = []

    async def counted(question, documents):
        runs.append(documents)
        return says(documents)

    found = explained(counted, budget=spex.Budget(requests), verify=verify)
    assert len(runs) == found.usage.requests <= requests
    if not verify:
        assert found.causes is None
        assert len(runs) == requests


def test_of_a_small_cube_all_is_asked_once():
    """And the rest of the budget tests what was found."""
    found = explained(
        inputs={"question": "?", "documents": DOCUMENTS[2:6:3]}, budget=spex.Budget(80)
    )
    assert found.faithfulness.exhaustive
    assert confirmed(found) == [(Kind.TOGETHER, (0, 1))]


def test_the_same_call_again_gives_the_same_bytes():
    """A seed fixes everything that is drawn, however many run at once."""
    first = explained(concurrency=1).to_json()
    assert explained(concurrency=6).to_json() == first
    assert explained(seed=1).to_json() != first


def refunding(question, documents):
    """Calls a tool, as a vendor's reply does."""
    call = {"type": "tool_use", "id": "1", "name": "send_refund", "input": {"amount": 20}}
    calls = [call] if set(documents) >= PAIR_TEXTS else []
    return {"role": "assistant", "content": [{"type": "text", "text": "Well."}, *calls]}


PAIR_TEXTS = {DOCUMENTS[place] for place in PAIR}


@pytest.mark.parametrize(
    ("function", "score", "outcome"),
    [
        (answer, spex.Pattern(r"\b25\b"), r"the answer matches /\b25\b/"),
        (answer, ["25", "15"], "the answer is '25' rather than '15'"),
        (answer, spex.LabelFrequency("15", "25"), "the answer is not '15'"),
        (answer, spex.LabelFrequency(match=spex.Says("25")), "the answer says '25'"),
        (answer, spex.Predicate(lambda text: "25" in text), None),
        (lambda question, documents: {"days": says(documents)[9:11]}, spex.JsonField("days", "25"),
         'the answer has days = "25"'),
        (refunding, spex.ToolCalled("send_refund"), "the answer has a call of send_refund"),
        (refunding, spex.ToolCalled("send_refund", amount=21), "the answer has no call of"),
        (answer, spex.Function(lambda text: float(text[9:11]), meaning="number of days"),
         "the number of days is above 20"),
        (answer, spex.Numeric(0, 100), "the number in the answer"),
        (answer, "auto", "the similarity of the answer"),
        (answer, spex.Similarity("You have 15 days."), "the similarity of the answer"),
    ],
)  # fmt: skip
def test_whatever_is_read_in_an_answer_has_its_causes(function, score, outcome):
    """Texts, labels, patterns, fields, tools, numbers, and likeness to a text."""
    found = explained(function, score=score)
    if isinstance(score, spex.ToolCalled) and score.arguments:
        assert not found.causes.causes
    else:
        assert confirmed(found) == [(Kind.TOGETHER, PAIR)]
    if outcome is not None:
        assert found.causes.outcome.startswith(outcome)


def test_answers_that_call_tools_are_kept_with_their_calls():
    """So that whoever keeps them as a proof can judge them again."""
    matcher = spex.ToolCalled("send_refund")
    trial = explained(refunding, score=matcher).causes.trial(UNCHANGED)
    assert trial.answers[0] == 'Well.\n→ send_refund({"amount":20})'
    assert all(map(matcher.matches, trial.answers))


def test_a_judge_grades_the_answers():
    """A second model, which is asked about each answer once, from disk if it is the same."""
    judge = FunctionAdapter(
        lambda messages: {"9" if "25 days" in messages[0].content else "2": 0.0}
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("spex_api.querying.stack.load_adapter", lambda name, **_: judge)
        found = explained(score=spex.Judge("judge:x", "How wrong is it?", low=0, high=9))
    assert confirmed(found) == [(Kind.TOGETHER, PAIR)]
    assert len(judge.requests) == 2
    assert found.usage.requests <= 120
    assert found.usage.input_tokens > found.usage.requests / 2


def test_exceptions_under_masks_are_counted_and_told():
    """They have no value, take no part, and the cause is found all the same."""

    def fragile(question, documents):
        if DOCUMENTS[0] not in documents and DOCUMENTS[1] not in documents:
            raise KeyError(DOCUMENTS[0])
        return says(documents)

    found = explained(fragile, budget=spex.Budget(200))
    assert confirmed(found) == [(Kind.TOGETHER, PAIR)]
    assert 0 < found.provenance.without_value < 32
    assert re.match(
        r"\d+ runs ended in an exception .* KeyError: 'Note 0.'", found.provenance.warnings[0]
    )


def test_where_most_fail_it_is_said_early():
    """After the first few runs, with one of the exceptions."""
    runs = []

    def fragile(question, documents):
        runs.append(documents)
        return documents[7][:4] + says(documents)

    with pytest.raises(ScoreError, match="IndexError"):
        explained(fragile)
    assert len(runs) == 16


def test_a_pipeline_that_always_fails_has_no_answer():
    """The user's exception is the cause of ours, and one run was made."""

    def broken(question, documents):
        raise LookupError("no index")

    with pytest.raises(PipelineFailed, match="LookupError: no index") as told:
        explained(broken)
    assert isinstance(told.value.__cause__, LookupError)


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        ({"score": spex.LabelLogOdds("25", "15")}, UsageError, "reads log-probs"),
        ({"score": spex.TargetLogProb("25")}, UsageError, "reads log-probs"),
        ({"score": spex.Judge("", "Good?")}, UsageError, "asks the model itself"),
        ({"score": spex.Similarity(model="")}, UsageError, "asks the model itself"),
        ({"score": " "}, UsageError, "every answer would hit"),
        ({"score": 25}, UsageError, "25 is no score"),
        ({"budget": 200}, UsageError, "200 is no budget"),
        ({"budget": spex.Budget(10)}, BudgetTooSmall, "at least 20"),
        ({"concurrency": 0}, UsageError, "At least one run"),
        ({"index": "SHAP"}, UsageError, "SHAP"),
        ({"decoder": "magic"}, UsageError, "magic"),
        ({"vary": "papers"}, UsageError, "no argument 'papers'"),
        ({"score": spex.Judge("nobody:x", "Good?")}, UsageError, "nobody"),
    ],
)
def test_misuse_is_told_before_the_pipeline_runs(settings, kind, said):
    """In words, and nothing was asked."""
    runs = []

    def counted(question, documents):
        runs.append(documents)
        return says(documents)

    with pytest.raises(kind, match=said):
        explained(counted, **settings)
    assert not runs


def test_what_happens_is_told():
    """Progress of the survey and of the search, and what is looked for."""
    events = []
    found = explained(on_event=events.append)
    progress = [event for event in events if isinstance(event, Progress)]
    assert max(event.sent for event in progress) == found.usage.requests
    said = [event.text for event in events if isinstance(event, Notice)]
    assert any("the answer says '25 days'" in text for text in said)


def test_it_works_beside_a_running_loop():
    """In a notebook, and awaited."""

    async def main():
        inside = explained(budget=spex.Budget(40))
        awaited = await spex.explain_pipeline(
            answer, INPUTS, score="25 days", budget=spex.Budget(40), decoder="lasso"
        )
        return inside.to_json() == awaited.to_json()

    assert asyncio.run(main())


def reading(messages) -> dict[str, float]:
    """A model that reads what it is sent."""
    return {says(messages[-1].content).split()[2]: -0.1}


@pytest.fixture
def server():
    with FaultServer.in_thread(answer=reading) as running:
        yield running


def question_of(documents) -> dict[str, object]:
    messages = [{"role": "user", "content": "\n".join([*documents, "How many days?"])}]
    return {"model": "toy", "max_tokens": 4, "messages": messages}


@asynccontextmanager
async def openai_async(server, folder):
    client = openai.AsyncOpenAI(base_url=server.openai_url, api_key="k", max_retries=0)
    recorded = spex_adapters.record(client, path=folder / "calls.jsonl")

    async def asking(question, documents):
        reply = await recorded.chat.completions.create(**question_of(documents))
        return reply.choices[0].message.content

    async with client:
        yield asking


@asynccontextmanager
async def anthropic_async(server, folder):
    client = anthropic.AsyncAnthropic(base_url=server.anthropic_url, api_key="k", max_retries=0)
    recorded = spex_adapters.record(client, path=folder / "calls.jsonl")

    async def asking(question, documents):
        return await recorded.messages.create(**question_of(documents))

    async with client:
        yield asking


@asynccontextmanager
async def openai_plain(server, folder):
    client = openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0)
    recorded = spex_adapters.record(client, path=folder / "calls.jsonl")
    with client:
        yield lambda question, documents: recorded.chat.completions.create(**question_of(documents))


@asynccontextmanager
async def openai_blocking(server, folder):
    """A plain client in an asynchronous pipeline, which holds up the loop."""
    async with openai_plain(server, folder) as plain:

        async def asking(question, documents):
            return plain(question, documents)

        yield asking


def explained_with(pipeline, server, folder, **settings) -> spex.Explanation:
    """A pipeline with a recorded client, in one event loop from beginning to end."""

    async def main():
        async with pipeline(server, folder) as asking:
            defaults = {"score": "25", "budget": spex.Budget(120), "decoder": "lasso"}
            return await spex.explain_pipeline(asking, INPUTS, **{**defaults, **settings})

    return asyncio.run(main())


@pytest.mark.parametrize("pipeline", [openai_async, openai_plain, openai_blocking, anthropic_async])
def test_recorded_calls_come_from_disk_the_second_time(pipeline, server, tmp_path, monkeypatch):
    """Nothing is sent again, not even where no connection may be opened; the bytes are the same."""
    price = spex.Price(1.0, 1.0)
    first = explained_with(pipeline, server, tmp_path, price=price)
    sent = len(server.questions)
    assert confirmed(first) == [(Kind.TOGETHER, PAIR)]
    assert sent == first.usage.requests
    assert first.usage.input_tokens > 0
    assert first.usage.usd > 0
    assert not first.provenance.warnings
    assert not (tmp_path / "calls.jsonl").exists()
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    again = explained_with(pipeline, server, tmp_path, price=price)
    assert again.to_json() == first.to_json()
    assert len(server.questions) == sent
    assert again.usage.cached == sent


EVENTS = "".join(
    f"data: {json.dumps(event)}\n\n"
    for event in (
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "25 "}}]},
        {"choices": [{"index": 0, "delta": {"content": "days"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}},
    )
)


def test_a_stream_comes_from_disk_as_a_stream(tmp_path, monkeypatch):
    """The vendor's client reads the recorded events as it read the endpoint's."""

    async def main(url):
        client = openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
        recorded = spex_adapters.record(client, path=tmp_path / "calls.jsonl")

        async def asking(question, documents):
            told = await recorded.chat.completions.create(**question_of(documents), stream=True)
            pieces = [chunk.choices[0].delta.content async for chunk in told if chunk.choices]
            return "".join(pieces)

        async with client:
            budget = spex.Budget(20)
            return await spex.explain_pipeline(
                asking, INPUTS, score="25 days", verify=False, budget=budget, decoder="lasso"
            )

    async def served():
        headers = {"content-type": "text/event-stream"}
        async with RecordingServer(EVENTS + "data: [DONE]\n\n", headers=headers) as running:
            return await main(running.url), running.url, len(running.asked)

    first, url, sent = asyncio.run(served())
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    assert asyncio.run(main(url)).to_json() == first.to_json()
    assert (sent, first.provenance.full, first.usage.input_tokens) == (20, 1.0, 180)


def test_offline_a_call_that_is_missing_is_named(server, tmp_path, monkeypatch):
    """An error, and no answer of the pipeline's own making."""
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    with pytest.raises(CacheMiss, match="answers were missing|is on disk|are not on disk"):
        explained_with(openai_async, server, tmp_path)
    assert not server.questions


def test_a_cap_in_dollars_holds_for_what_the_pipeline_calls(server, tmp_path):
    """What is there by then is explained, and no cent more is spent."""
    price = spex.Price(1000.0, 1000.0)
    events = []
    found = explained_with(
        openai_async,
        server,
        tmp_path,
        price=price,
        budget=spex.Budget(120, usd=1.0),
        on_event=events.append,
    )
    assert 20 < found.usage.requests < 120
    assert 0.5 < found.usage.usd <= 1.0
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert last.usd_cap == 1.0
    assert last.usd <= 1.0


def test_a_cap_without_a_price_is_refused_at_the_first_call(server, tmp_path):
    """The pipeline's client raised, and it is our sentence that is told."""
    with pytest.raises(UsageError, match="price of toy is not known"):
        explained_with(openai_async, server, tmp_path, budget=spex.Budget(120, usd=1.0))
    assert not server.questions


def test_calls_that_nobody_saw_are_told_where_a_cap_was_to_hold():
    """A cap on dollars holds only for clients that are recorded."""
    assert (
        "spex_adapters.record" in explained(budget=spex.Budget(40, usd=1.0)).provenance.warnings[0]
    )
    assert not explained(budget=spex.Budget(40)).provenance.warnings


def test_a_tool_that_the_model_called_inside_counts_as_called():
    """Though the pipeline's own answer does not say so."""

    def reply(documents) -> WireReply:
        calls = [{"id": "1", "function": {"name": "escalate", "arguments": "{}"}}]
        message = {"content": "", "tool_calls": calls if set(documents) >= PAIR_TEXTS else []}
        body = {"choices": [{"message": message}], "usage": {"prompt_tokens": 1}}
        return WireReply(200, "application/json", (json.dumps(body).encode(),))

    async def asking(question, documents):
        async def forward():
            return reply(documents)

        body = json.dumps({"model": "toy", "messages": documents}).encode()
        request = WireRequest("POST", "http://h/v1/chat/completions", "openai.chat", body)
        await current_gate().send(request, forward)
        return "Thank you for your message."

    found = explained(asking, score=spex.ToolCalled("escalate"))
    assert confirmed(found) == [(Kind.TOGETHER, PAIR)]


def test_sentences_of_a_text_may_be_the_parts():
    """Beside the elements of a list."""

    def asking(question, documents):
        return "25" if "Lyon" in question and DOCUMENTS[2] in documents else "15"

    question = "I am new. I live in Lyon. How many days do I have? Be brief."
    inputs = {"question": question, "documents": DOCUMENTS}
    found = explained(asking, inputs, score="25", vary={"question": "sentences", "documents": None})
    assert confirmed(found) == [(Kind.TOGETHER, (1, 6))]
    assert found.pipeline.vary == {"question": "sentences", "documents": ""}


def test_the_surrogate_predicts_what_the_pipeline_says():
    """On masks of one's choice, as of any explanation."""
    found = explained(verify=False, decoder="spectral_gp")
    masks = np.ones((3, 8), dtype=np.uint8)
    masks[1, 2] = masks[2, 0] = 0
    np.testing.assert_allclose(found.predict(masks), [1.0, 0.0, 1.0], atol=0.2)
