"""The OpenAI chat dialect: exact bodies out, exact answers in."""

from __future__ import annotations

import json

import pytest
from spex_adapters._chat import chat_body, grammar_of, read_chat

from spex_api.completions import (
    Ask,
    Completion,
    CompletionRequest,
    Draw,
    Image,
    Message,
    Outcome,
    Target,
    TokenLogprob,
    ToolCall,
    Usage,
    Way,
)
from spex_api.errors import MalformedReply, UsageError

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


def _body(*messages: Message, **asked):
    request = CompletionRequest(messages, **asked)
    return chat_body(request, model="m", length_field="max_tokens", longest_list=20)


def test_texts_and_images_are_blocks():
    """A turn of several blocks goes as such, its pictures as data or by their address."""
    turn = Message.of_blocks(
        "user", ("Look: ", Image("iVBO", "image/webp"), Image(url="https://h/a.png"), "")
    )
    assert _body(turn)["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look: "},
                {"type": "image_url", "image_url": {"url": "data:image/webp;base64,iVBO"}},
                {"type": "image_url", "image_url": {"url": "https://h/a.png"}},
                {"type": "text", "text": ""},
            ],
        }
    ]


def test_calls_and_their_results():
    """Calls of tools stand in the assistant's turn, and each result names its call."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    body = _body(
        Message("user", "Weather?"),
        Message("assistant", "", tool_calls=(ToolCall("c1", "look", '{"at": "é"}'),)),
        Message("tool", "Rain.", answers="c1"),
        Message("assistant", "I see:", tool_calls=(ToolCall("c2", "look"),)),
        Message.of_blocks("tool", ("Snow.",), answers="c2"),
        Message("assistant", "It"),
        tools=(json.dumps(tool),),
    )
    called = {"id": "c1", "type": "function"}
    assert body["messages"] == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{**called, "function": {"name": "look", "arguments": '{"at": "é"}'}}],
        },
        {"role": "tool", "content": "Rain.", "tool_call_id": "c1"},
        {
            "role": "assistant",
            "content": "I see:",
            "tool_calls": [
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "content": [{"type": "text", "text": "Snow."}], "tool_call_id": "c2"},
        {"role": "assistant", "content": "It"},
    ]
    assert body["tools"] == [tool]


def test_several_answers_at_once():
    """How many are drawn is said only where it is more than one."""
    hi = Message("user", "Hi")
    assert _body(hi, num_samples=5)["n"] == 5
    assert "n" not in _body(hi, num_samples=1)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"ask": Ask.TOKENS}, "how it cuts a text into tokens"),
        ({"ask": Ask.VECTORS}, "embeddings"),
        ({"exact_tokens": (7,)}, "tokens by their number"),
        ({"target": Target("yes", Way.GRAMMAR)}, "the log-prob of a text by 'grammar'"),
        ({"target": Target("yes", Way.ECHO)}, "the log-prob of a text by 'echo'"),
    ],
)
def test_what_the_dialect_cannot_say(asked, named):
    """It is refused in a sentence that names it, rather than left out."""
    with pytest.raises(UsageError, match=named):
        _body(Message("user", "Hi"), **asked)


@pytest.mark.parametrize("tool", ["{", "[]", '"look"'])
def test_a_tool_that_is_none(tool):
    """What is no JSON object is refused before it is sent."""
    with pytest.raises(UsageError, match="tool 1 is no JSON object"):
        _body(Message("user", "Hi"), tools=("{}", tool))


@pytest.mark.parametrize(
    ("target", "grammar"),
    [
        (Target("Paris is big", Way.GRAMMAR, (38634, 314, 2066)), "<[38634]> <[314]> <[2066]>"),
        (Target("Paris is", Way.GRAMMAR), '"Paris is"'),
        (Target('a "b" \\ [c]', Way.GRAMMAR), r'"a \"b\" \\ [c]"'),
        (Target("\n\r\t\x07\b\u200d", Way.GRAMMAR), r'"\n\r\t\U00000007\U00000008\U0000200D"'),
        (Target("é 漢 🎬", Way.GRAMMAR), '"é 漢 🎬"'),
    ],
    ids=["by number", "by text", "quotes", "controls", "beyond ascii"],
)
def test_grammar(target, grammar):
    """A target is forced by its tokens' numbers, or by its text in the grammar's own escapes."""
    assert grammar_of(target) == "root ::= " + grammar


def test_calls_of_tools_are_read():
    """What tools the model asks for is part of its answer, whatever form the arguments have."""
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}},
        {"function": {"name": "look", "arguments": {"a": "é"}}},
        {"id": "c3", "type": "custom", "custom": {"name": "other", "input": "x"}},
    ]
    message = {"content": None, "tool_calls": calls}
    answer = read_chat(json.dumps({"choices": [{"message": message}]}))
    assert answer.tool_calls == (
        ToolCall("c1", "look", '{"a": 1}'),
        ToolCall("", "look", '{"a": "é"}'),
    )
    assert answer.text == ""


def test_all_draws_are_read():
    """Each of several answers is read, and how it ended."""
    choices = [
        {"message": {"content": "yes"}, "finish_reason": "stop"},
        {"message": {"content": "n"}, "finish_reason": "length"},
        {"message": {"content": None}, "finish_reason": "content_filter"},
    ]
    assert read_chat(json.dumps({"choices": choices})).draws == (
        Draw("yes"),
        Draw("n", Outcome.TRUNCATED),
        Draw("", Outcome.FILTERED),
    )


def test_a_token_without_a_number():
    """An id that is no number is none, and costs no answer."""
    content = [
        {"token": "a", "logprob": -1.0, "id": "tok-1"},
        {"token": "b", "logprob": -2, "id": 5},
    ]
    choice = {"message": {"content": "ab"}, "logprobs": {"content": content}}
    tokens = read_chat(json.dumps({"choices": [choice]})).tokens
    assert [token.token_id for token in tokens] == [None, 5]


@pytest.mark.parametrize(("written", "told"), [(4, ["a", " ", "🎬", "!"]), (6, ["a", " "])])
def test_tokens_that_llama_cpp_passes_over(written, told):
    """Where fewer are told than were written, a character's last token stands for several."""
    pieces = [(81, "a"), (216, " "), (122, "🎬"), (17, "!")]
    content = [{"token": piece, "logprob": -1.0, "id": number} for number, piece in pieces]
    choice = {"message": {"content": "a 🎬!"}, "logprobs": {"content": content}}
    usage = {"completion_tokens": written}
    answer = read_chat(json.dumps({"choices": [choice], "usage": usage}))
    assert [token.token for token in answer.tokens] == told
    assert answer.text == "a 🎬!"


def test_thoughts_are_not_passed_over(reply):
    """Where tokens have no numbers, more may be written than told: a model may have reasoned."""
    body = json.loads(reply["openai"])
    body["usage"]["completion_tokens"] = 99
    body["choices"][0]["logprobs"]["content"][0] |= {"token": "é"}
    assert len(read_chat(json.dumps(body)).tokens) == 1


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
                504,
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
