"""Each lie about log-probs is the lie that it is named for, and the honest answer is honest."""

from __future__ import annotations

import json
import math

import pytest

from spex_api.testing import FaultServer, Script, faults


def entries(reply):
    """The entries of the first choice's log-probs."""
    return reply.json()["choices"][0]["logprobs"]["content"]


def listed(reply):
    """The last token of an answer: it, its log-prob, and the list by token."""
    last = entries(reply)[-1]
    return last["token"], last["logprob"], {e["token"]: e["logprob"] for e in last["top_logprobs"]}


@pytest.fixture
def told(ask):
    """The reply under one fault."""

    def reply(fault, **changes):
        with FaultServer.in_thread(Script.always(fault)) as server:
            return ask(server, **changes)

    return reply


def test_the_honest_answer(ask):
    """Sorted, its masses below one, the chosen token first; known words move it."""
    with FaultServer.in_thread() as server:
        reply, full = ask(server), ask(server, top_logprobs=20)
        other = ask(server, messages=[{"role": "user", "content": "boring"}])
        plain = ask(server, logprobs=False)
    token, logprob, top = listed(reply)
    assert (token, len(top)) == ("positive", 5)
    assert top[token] == logprob
    assert list(top.values()) == sorted(top.values(), reverse=True)
    assert sum(map(math.exp, listed(full)[2].values())) == pytest.approx(1, abs=1e-3)
    assert sum(map(math.exp, listed(full)[2].values())) <= 1
    odds = top["positive"] - top["negative"]
    assert odds == pytest.approx(0.25 - 0.9 - 1.0 + 3.1 + 1.1)
    assert listed(other)[0] == "negative"
    assert plain.json()["choices"][0]["logprobs"] is None
    assert reply.json()["choices"][0]["finish_reason"] == "length"


def test_log_probs_that_are_not_there(told):
    """Dropped, null, empty, and without a list."""
    assert "logprobs" not in told(faults.LOGPROBS_DROPPED).json()["choices"][0]
    assert told(faults.LOGPROBS_NULL).json()["choices"][0]["logprobs"] is None
    assert entries(told(faults.LOGPROBS_EMPTY)) == []
    token, logprob, top = listed(told(faults.LOGPROBS_UNLISTED))
    assert (token, top) == ("positive", {})
    assert logprob < 0


def test_log_probs_that_are_sentinels(told):
    """All zero, all −9999, the chosen one alone, and NaN."""
    for fault, value in ((faults.ALL_ZERO, 0.0), (faults.ALL_NINES, -9999.0)):
        _, logprob, top = listed(told(fault))
        assert {logprob, *top.values()} == {value}
        assert len(top) == 5
    token, logprob, top = listed(told(faults.CHOSEN_NINES))
    assert (token, logprob) == ("positive", -9999.0)
    assert token not in top
    assert min(top.values()) > -100
    reply = told(faults.NAN_LOGPROBS)
    assert "NaN" in reply.text
    assert math.isnan(json.loads(reply.text)["choices"][0]["logprobs"]["content"][0]["logprob"])


def test_lists_that_are_of_something_else(told):
    """The chosen token is missing from its list, or nothing in it belongs to the question."""
    token, _, top = listed(told(faults.CHOSEN_NOT_LISTED))
    assert token not in top
    assert "negative" in top
    token, logprob, top = listed(told(faults.UNRELATED_LIST))
    assert logprob < 0
    assert not {"positive", "negative"} & set(top)


def test_masses_above_one(told):
    """The list claims more probability than there is."""
    _, _, top = listed(told(faults.MASS_ABOVE_ONE))
    assert sum(map(math.exp, top.values())) > 2


def test_the_same_whatever_is_asked(told):
    """Another question gets the same log-probs."""
    one = told(faults.SAME_ANSWER)
    other = told(faults.SAME_ANSWER, messages=[{"role": "user", "content": "awful"}])
    assert entries(one) == entries(other)


def test_scaled_by_temperature(told, ask):
    """Log-odds shrink by the temperature, and the list's masses add up to one."""
    with FaultServer.in_thread() as server:
        _, _, honest = listed(ask(server))
    _, logprob, top = listed(told(faults.temperature_scaled(2.0)))
    assert top["positive"] == logprob
    gap = (honest["positive"] - honest["negative"]) / 2
    assert top["positive"] - top["negative"] == pytest.approx(gap)
    assert sum(map(math.exp, top.values())) == pytest.approx(1)


def test_noise(ask):
    """Asked again, it answers otherwise; a new server repeats the same sequence."""
    runs = []
    for _ in range(2):
        with FaultServer.in_thread(Script.always(faults.noisy(0.1))) as server:
            runs.append([listed(ask(server))[2]["positive"] for _ in range(4)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 4
    assert max(runs[0]) - min(runs[0]) <= 0.2


def test_echo(told, ask):
    """The prompt's tokens come first, the first without a log-prob; ignored, they do not come."""
    with FaultServer.in_thread() as server:
        honest = entries(ask(server, echo=True))
    assert [e["token"] for e in honest] == [
        *["Her", "acting", "never", "fails", "to", "impress"],
        "positive",
    ]
    assert [e["logprob"] is None for e in honest] == [True] + [False] * 6
    assert [e["token"] for e in entries(told(faults.ECHO_IGNORED, echo=True))] == ["positive"]


def test_without_usage(told):
    """Nothing is said of tokens."""
    assert "usage" not in told(faults.WITHOUT_USAGE).json()


@pytest.mark.parametrize(
    ("fault", "reason", "stop"),
    [
        (faults.TRUNCATED_ANSWER, "length", "max_tokens"),
        (faults.FILTERED_ANSWER, "content_filter", "refusal"),
        (faults.REFUSED_ANSWER, "stop", "refusal"),
    ],
)
def test_answers_that_ended_otherwise(told, fault, reason, stop):
    """They are answers, of status 200, with the vendor's word for how they ended."""
    one = told(fault, max_tokens=9).json()["choices"][0]
    other = told(fault, max_tokens=9, anthropic=True).json()
    assert (one["finish_reason"], other["stop_reason"]) == (reason, stop)
    whole = fault is faults.TRUNCATED_ANSWER
    assert bool(one["message"]["content"]) is whole
    assert bool(other["content"]) is whole
    assert bool(one["message"]["refusal"]) is (fault is faults.REFUSED_ANSWER)


def test_lies_about_log_probs_leave_anthropic_alone(told, ask):
    """Where there are no log-probs there is nothing to lie about."""
    with FaultServer.in_thread() as server:
        honest = ask(server, anthropic=True).content
    for fault in (faults.ALL_ZERO, faults.LOGPROBS_DROPPED, faults.noisy(0.5)):
        assert told(fault, anthropic=True).content == honest
