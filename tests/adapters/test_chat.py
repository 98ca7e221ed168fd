"""The OpenAI chat dialect: exact bodies out, exact answers in."""

from __future__ import annotations

import json

import pytest
from spex_adapters._chat import chat_body, read_chat

from spex_api.completions import (
    Completion,
    CompletionRequest,
    Message,
    Outcome,
    TokenLogprob,
    Usage,
)
from spex_api.errors import MalformedReply

_ASKED = CompletionRequest(
    messages=(Message("system", "Be brief."), Message("user", "Good or bad?")),
    max_tokens=3,
    temperature=0.5,
    top_logprobs=50,
    sample_index=7,
)


def test_body_is_whole_and_capped():
    """Everything asked is in the body, the list is capped, and the sample's number is not sent."""
    body = chat_body(_ASKED, model="m", length_field="max_tokens", longest_list=20)
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Good or bad?"},
        ],
        "max_tokens": 3,
        "temperature": 0.5,
        "logprobs": True,
        "top_logprobs": 20,
    }


def test_body_without_logprobs():
    """Who needs no log-probs does not ask for them, since some models refuse the question."""
    asked = CompletionRequest(messages=(Message("user", "Hi"),))
    body = chat_body(asked, model="m", length_field="max_completion_tokens", longest_list=20)
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_completion_tokens": 1,
        "temperature": 0.0,
    }


def test_openai_reply(reply):
    """A reply of OpenAI's becomes one answer, byte for byte in `raw`."""
    raw = reply["openai"]
    assert read_chat(raw) == Completion(
        text="Positive",
        tokens=(
            TokenLogprob(
                "Positive",
                -0.0025,
                (("Positive", -0.0025), ("Negative", -6.1275), (" Positive", -8.3775)),
            ),
        ),
        finish_reason="length",
        outcome=Outcome.TRUNCATED,
        model="gpt-4.1-mini-2025-04-14",
        fingerprint="fp_6f2eabb9a5",
        usage=Usage(requests=1, input_tokens=26, output_tokens=1),
        raw=raw,
    )


def test_llama_cpp_reply(reply):
    """A reply of llama.cpp's, with its additions, becomes one answer too."""
    raw = reply["llama_cpp"]
    assert read_chat(raw) == Completion(
        text="The",
        tokens=(
            TokenLogprob(
                "The",
                -1.5575064420700073,
                (
                    ("The", -1.5575064420700073),
                    ("This", -1.5674628019332886),
                    ("Positive", -2.13641357421875),
                ),
            ),
        ),
        finish_reason="length",
        outcome=Outcome.TRUNCATED,
        model="SmolLM2-135M-Instruct.Q4_1",
        fingerprint="b0-unknown",
        usage=Usage(requests=1, input_tokens=52, output_tokens=1),
        raw=raw,
    )


@pytest.mark.parametrize(
    "logprobs", [None, {}, {"content": None}, {"content": []}], ids=["null", "empty", "none", "[]"]
)
def test_absent_logprobs(logprobs):
    """A server that drops the log-probs gives an answer without tokens, not an invented number."""
    raw = json.dumps({"choices": [{"message": {"content": "yes"}, "logprobs": logprobs}]})
    assert read_chat(raw) == Completion(text="yes", raw=raw)


def test_refusal_is_text():
    """A refusal is an answer, and its sentence is the text."""
    raw = json.dumps({"choices": [{"message": {"content": None, "refusal": "I cannot."}}]})
    assert read_chat(raw).text == "I cannot."
    assert read_chat(raw).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("reason", "refusal", "outcome"),
    [
        (None, None, Outcome.ANSWERED),
        ("stop", None, Outcome.ANSWERED),
        ("stop", "", Outcome.ANSWERED),
        ("tool_calls", None, Outcome.ANSWERED),
        ("length", None, Outcome.TRUNCATED),
        ("max_tokens", None, Outcome.TRUNCATED),
        ("MAX_TOKENS", None, Outcome.TRUNCATED),
        ("content_filter", None, Outcome.FILTERED),
        ("content_filter", "No.", Outcome.FILTERED),
        ("SAFETY", None, Outcome.FILTERED),
        ("stop", "I cannot.", Outcome.REFUSED),
        ("length", "I can", Outcome.REFUSED),
    ],
)
def test_outcome(reason, refusal, outcome):
    """How an answer ended is told in our words, and kept in the server's."""
    choice = {"message": {"content": "x", "refusal": refusal}, "finish_reason": reason}
    answer = read_chat(json.dumps({"choices": [choice]}))
    assert answer.outcome is outcome
    assert answer.finish_reason == (reason or "")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage(1)),
        ({"prompt_tokens": 9, "completion_tokens": 2}, Usage(1, 9, 2)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(1, 9, 0, cache_read_tokens=4),
        ),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cache_write_tokens": 5}},
            Usage(1, 9, 0, cache_write_tokens=5),
        ),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 3}, Usage(1, 9, 0, cache_read_tokens=3)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 99}},
            Usage(1, 9, 0, cache_read_tokens=9),
        ),
        (
            {"prompt_tokens": -9, "completion_tokens": "many", "prompt_tokens_details": None},
            Usage(1),
        ),
    ],
    ids=["none", "plain", "read", "written", "deepseek", "too many", "nonsense"],
)
def test_usage(usage, expected):
    """What was read from the endpoint's cache is part of the input; nonsense costs no answer."""
    raw = json.dumps({"choices": [{"message": {"content": "x"}}], "usage": usage})
    assert read_chat(raw).usage == expected


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ('{"error": {"message": "upstream is gone", "code": 502}}', "upstream is gone"),
        ('{"error": "no", "choices": [{"message": {"content": "x"}}]}', "completion: no."),
        ('{"choices": [{"message": {"content": "x"}, "error": {"message": "gone"}}]}', ": gone."),
        ('{"choices": [{"message": {"content": "x"}, "finish_reason": "error"}]}', "broke off"),
        ("<html>\x1b[31mGateway\n</html>", "'<html> [31mGateway </html>'"),
        ("{}", "choices: Field required"),
        ('{"choices": []}', "choices"),
        ('{"choices": [{"message": {"content": "x"}', "body: Invalid JSON"),
        ('[{"choices": 1}]', "body"),
        (
            '{"choices": [{"message": {"content": "x"}, '
            '"logprobs": {"content": [{"token": "x", "logprob": NaN}]}}]}',
            "logprob",
        ),
    ],
    ids=["error", "both", "choice", "ended so", "html", "empty", "no choice", "cut", "list", "nan"],
)
def test_malformed(raw, said):
    """What is no chat completion is refused in one printable line that says why."""
    with pytest.raises(MalformedReply) as caught:
        read_chat(raw)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert "billed" in caught.value.cost
