"""What written regression tests stand on: recorded answers, and asking again."""

from __future__ import annotations

import asyncio
import json

import pytest

from spex_api.calls.gate import WireReply, WireRequest, current_gate
from spex_api.errors import UsageError
from spex_api.scores import Numeric, Says
from spex_api.testing.listening import Listening
from spex_api.testing.regression import Again, AskedModel, AskedPipeline, Recorded, flipped, load


def is_wrong(answer) -> bool:
    return "25" in str(answer)


@pytest.mark.parametrize(
    ("answers", "mostly"),
    [
        ({"25": 2, "15": 1}, True),
        ({"25": 1, "15": 2}, False),
        ({"25": 1, "15": 1}, None),
        ({}, None),
    ],
)
def test_most_answers_decide(answers, mostly):
    """Each counts as often as it was given; just half decide nothing."""
    assert Recorded("x", holds=None, answers=answers).mostly(is_wrong) is mostly
    values = [float(text) for text, count in answers.items() for _ in range(count)]
    assert Recorded("x", holds=None, values=values).mostly(is_wrong) is mostly
    assert Again.of(values, is_wrong).mostly is mostly


def test_the_unchanged_and_the_flipped_are_asked_again():
    """Neither what holds under a change, nor what is open."""
    cases = [
        Recorded("unchanged", holds=True),
        Recorded("same", holds=True, removed=[1]),
        Recorded("flips", holds=False, removed=[2]),
        Recorded("open", holds=None, removed=[3]),
        Recorded("moved", holds=False, moved=[(1, 0)]),
    ]
    assert list(map(str, flipped(cases))) == ["unchanged", "flips", "moved"]


def test_a_pipeline_is_called_with_what_is_left():
    """Parts left out and moved; a text is cut; the arguments that stay are whole."""
    seen = []

    def answer(question, documents):
        seen.append((question, documents))
        return {"days": 25}

    asked = AskedPipeline(
        answer,
        {"question": "One. Two.", "documents": ["a", "b", "c"]},
        vary={"question": "sentences", "documents": ""},
    )
    again = asked.again(
        Recorded("x", holds=True, removed=[0, 3], moved=[(4, 0)]), is_wrong, times=2
    )
    assert seen == [("Two.", ["c", "a"])] * 2
    assert (again.holding, again.mostly) == (2, True)
    assert "The outcome holds of 2 of 2 answers" in str(again)
    asked.again(Recorded("x", holds=True), is_wrong, times=1)
    assert seen[-1] == ("One. Two.", ["a", "b", "c"])


def test_coroutines_share_one_event_loop():
    """A client that lives as long as a module is bound to its first loop."""
    loops = []

    async def answer(documents):
        loops.append(asyncio.get_running_loop())
        return " ".join(documents)

    asked = AskedPipeline(answer, {"documents": ["25", "x"]})
    for case in (Recorded("a", holds=True), Recorded("b", holds=False, removed=[0])):
        asked.again(case, is_wrong)
    assert len(loops) == 6
    assert len(set(map(id, loops))) == 1


def test_a_score_reads_the_value():
    """Where a value tells, and no text."""
    asked = AskedPipeline(
        lambda documents: f"{len(documents)} days",
        {"documents": [1, 2, 3]},
        score=Numeric(0, 9, samples=1),
    )
    again = asked.again(Recorded("x", holds=True, removed=[1]), lambda value: value < 3)
    assert again == Again((2.0, 2.0, 2.0), 3)


def test_a_matcher_hits_or_misses():
    """It is a score of 1 and 0."""
    asked = AskedPipeline(
        lambda documents: documents[0], {"documents": ["25", "x"]}, score=Says("25")
    )
    assert asked.again(Recorded("x", holds=True), bool).answers == (1.0, 1.0, 1.0)
    assert asked.again(Recorded("x", holds=False, removed=[0]), bool).answers == (0.0, 0.0, 0.0)


CALL = {"id": "1", "function": {"name": "refund", "arguments": '{"amount":20}'}}
BODY = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [CALL]}}]}
REQUEST = WireRequest("POST", "https://host/v1/chat/completions", "openai.chat", b"{}")
EVENT = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **CALL}]}}]}
REPLIES = {
    "whole": WireReply(200, "application/json", (json.dumps(BODY).encode(),)),
    "stream": WireReply(200, "text/event-stream", (f"data: {json.dumps(EVENT)}\n\n".encode(),)),
}


@pytest.mark.parametrize("kind", REPLIES)
def test_tools_that_are_called_on_the_way_are_heard(kind):
    """By plain and by asynchronous clients, once each; where they are not wanted, they are not."""
    reply = REPLIES[kind]

    def plain(documents):
        gate = current_gate()
        assert gate is None or gate.send_plain(REQUEST, lambda: reply) is reply
        return "Done."

    async def later(documents):
        async def forward():
            return reply

        gate = current_gate()
        assert gate is None or await gate.send(REQUEST, forward) is reply
        return "Done."

    case, inputs = Recorded("x", holds=True), {"documents": ["a", "b"]}
    for pipeline in (plain, later):
        heard = AskedPipeline(pipeline, inputs, with_calls=True).again(case, is_wrong, times=1)
        assert heard.answers == ('Done.\n→ refund({"amount":20})',)
        assert AskedPipeline(pipeline, inputs).again(case, is_wrong, times=1).answers == ("Done.",)


@pytest.mark.parametrize(
    "reply",
    [
        WireReply(500, "application/json", (json.dumps(BODY).encode(),)),
        WireReply(200, "application/json", (b"[1]",)),
        WireReply(200, "text/plain", (b"\xff",)),
    ],
)
def test_what_is_no_answer_says_nothing(reply):
    """An error, something else, and what is no text."""
    listening = Listening()
    assert listening.send_plain(REQUEST, lambda: reply) is reply
    assert listening.heard == []


@pytest.mark.parametrize(
    "place", ["nowhere_at_all:f", "spex_api.errors:Nothing", "no.py:f", "f", "spex_api.errors", ":"]
)
def test_what_is_not_there_is_told(tmp_path, place):
    """With the place, and how to write one."""
    with pytest.raises(UsageError, match="There is nothing at") as raised:
        load(place, str(tmp_path / "test_it.py"))
    assert "module:name" in str(raised.value)


def test_places(tmp_path):
    """A name within a module, within a class, and in a file beside the test."""
    assert load("spex_api.errors:UsageError") is UsageError
    assert load("spex_api.testing.regression:Again.of").__func__ is Again.of.__func__
    (tmp_path / "a b.py").write_text("def f():\n    return __name__\n")
    assert load("a b.py:f", str(tmp_path / "test_it.py"))() == "spex_script_a b"


def test_a_prompt_that_is_not_there_is_told(tmp_path):
    """With its path."""
    asked = AskedModel(tmp_path / "test_it.json", "local", Numeric(0, 9))
    with pytest.raises(UsageError, match=r"no prompt in .*test_it\.json"):
        asked.again(Recorded("x", holds=True), is_wrong)
