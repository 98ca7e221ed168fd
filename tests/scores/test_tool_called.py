"""Whether a tool was called is told by the endpoint, or by JSON of any vendor's shape."""

from __future__ import annotations

import json

import pytest

from spex_api import LabelFrequency, ToolCalled
from spex_api.completions import Completion, Draw, Outcome, ToolCall
from spex_api.errors import UsageError
from spex_api.scores.matching import Pattern, Refusal, judged
from spex_api.scores.tool_calls import calls_in_text, calls_within, with_calls

REFUND = ToolCall("c1", "send_refund", '{"amount":20,"to":"Ann"}')
ARGUMENTS = {"amount": 20, "to": "Ann"}


@pytest.mark.parametrize(
    "value",
    [
        {
            "choices": [
                {
                    "message": {
                        "content": None,
                        "tool_calls": [
                            {
                                "id": "c1",
                                "type": "function",
                                "function": {
                                    "name": "send_refund",
                                    "arguments": '{"amount":20,"to":"Ann"}',
                                },
                            }
                        ],
                    }
                }
            ]
        },
        {
            "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "Well."}]},
                {
                    "type": "function_call",
                    "id": "fc_1",
                    "call_id": "c1",
                    "name": "send_refund",
                    "arguments": '{"amount":20,"to":"Ann"}',
                },
            ]
        },
        {
            "content": [
                {"type": "text", "text": "Well."},
                {"type": "tool_use", "id": "c1", "name": "send_refund", "input": ARGUMENTS},
            ]
        },
        {"messages": [{"tool_calls": [{"name": "send_refund", "args": ARGUMENTS, "id": "c1"}]}]},
        [{"tool": "send_refund", "arguments": ARGUMENTS, "id": "c1"}],
    ],
    ids=["chat", "responses", "messages", "langchain", "plain"],
)
def test_a_call_is_known_by_its_shape(value):
    """Whoever's reply it is, the call has its name, its arguments and its id."""
    assert calls_within(value) == (REFUND,)


@pytest.mark.parametrize(
    "value",
    [
        {"type": "function", "function": {"name": "send_refund", "description": "Pays."}},
        {
            "type": "function",
            "function": {"name": "send_refund", "parameters": {"properties": {}}},
        },
        {"name": "send_refund", "parameters": {"type": "object", "properties": {}}},
        {"name": "send_refund", "input_schema": {"type": "object"}, "input": {}},
        {"name": "Ann", "age": 20},
        "send_refund",
        {"tool": "send_refund", "arguments": 20},
    ],
)
def test_what_is_no_call_is_none(value):
    """A tool's definition, a person with a name, a text."""
    assert calls_within(value) == ()


def test_what_holds_itself_ends():
    """A value that is its own part is looked through to a depth, and no further."""
    endless: list[object] = [{"tool": "look", "args": {}}]
    endless.append(endless)
    assert ToolCall("", "look", "{}") in calls_within(endless)


def test_calls_written_behind_a_text_are_read_again():
    """One a line, with the arguments; JSON is read as it is, and prose holds none."""
    written = with_calls("Done.", [REFUND, ToolCall("", "look")])
    assert written == 'Done.\n→ send_refund({"amount":20,"to":"Ann"})\n→ look({})'
    assert [call.name for call in calls_in_text(written)] == ["send_refund", "look"]
    assert with_calls("", [ToolCall("", "look")]) == "→ look({})"
    assert with_calls("Done.", []) == "Done."
    assert calls_in_text(json.dumps({"tool": "look", "args": {}})) == (ToolCall("", "look", "{}"),)
    assert calls_in_text("I called send_refund(20)") == ()


@pytest.mark.parametrize(
    ("matcher", "hits"),
    [
        (ToolCalled("send_refund"), True),
        (ToolCalled("send_refund", amount=20.0), True),
        (ToolCalled("send_refund", amount=20, to="ANN"), True),
        (ToolCalled("send_refund", amount=21), False),
        (ToolCalled("send_refund", currency=None), False),
        (ToolCalled("refund"), False),
    ],
)
def test_the_name_and_the_named_arguments_decide(matcher, hits):
    """Whatever else the tool is given."""
    assert judged(matcher, Draw("", tool_calls=(REFUND,))) is hits
    assert matcher.matches(with_calls("", [REFUND])) is hits


def test_a_matcher_is_a_value():
    """It compares, prints as Python, and says in words what hits."""
    matcher = ToolCalled("send_refund", to="Ann", amount=20)
    assert eval(repr(matcher)) == matcher == ToolCalled("send_refund", amount=20, to="Ann")  # noqa: S307
    assert matcher.label == "a call of send_refund with amount=20, to='Ann'"
    assert ToolCalled("look").label == "a call of look"


def test_arguments_that_are_no_json_are_none():
    """A call that was cut off has its name, and nothing to be compared."""
    cut = Draw("", tool_calls=(ToolCall("", "send_refund", '{"amount": 2'),))
    assert judged(ToolCalled("send_refund"), cut) is True
    assert judged(ToolCalled("send_refund", amount=2), cut) is False


def test_a_tool_has_a_name_and_plain_arguments():
    """Anything else is refused at once."""
    with pytest.raises(UsageError, match="no name"):
        ToolCalled(" ")
    with pytest.raises(UsageError, match="amount is compared to text"):
        ToolCalled("send_refund", amount=[20])


def test_a_withheld_answer_is_neither_unless_it_is_looked_for():
    """Only a refusal looks at what was not given."""
    withheld = Draw("", Outcome.REFUSED, (REFUND,))
    assert judged(ToolCalled("send_refund"), withheld) is None
    assert judged(Pattern("."), withheld) is None
    assert judged(Refusal(), withheld) is True
    assert judged(Refusal(), Draw("No.")) is False


def test_shares_of_calls_are_counted_among_all_that_one_question_drew():
    """The other answers of one question call tools too."""
    score = LabelFrequency(match=ToolCalled("send_refund"), samples=3)
    calling = Completion("", tool_calls=(REFUND,), others=(Draw("No."), Draw("", tool_calls=())))
    assert score.counts([calling]) == (1, 3)
    score.check([[calling]])
