"""An in-house endpoint that a file describes: what is filled in, what is read, what is refused."""

from __future__ import annotations

import asyncio
import json
import traceback

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spex_adapters._template import MISSING, at
from spex_adapters.template import ReplyPaths, Template, TemplateAdapter

from spex_api.completions import (
    Ask,
    Capabilities,
    CompletionRequest,
    Image,
    Message,
    Outcome,
    Target,
    TokenLogprob,
    Way,
)
from spex_api.errors import AuthenticationFailed, MalformedReply, RateLimited, SpecError, UsageError
from spex_api.events import ignore

_ASKED = CompletionRequest(
    (Message("system", "Be brief."), Message("user", "Good?")), top_logprobs=9
)
_LISTED = Capabilities(top_logprobs=2)
_FILE = """
url = "https://models.example.org/generate/"
model = "house-7b"
[headers]
X-Team-Token = "Token ${HOUSE_CRED}"
x-second-key = "${HOUSE_OTHER}"
x-origin = "spex"
[body]
input = "{{prompt}}"
turns = "{{messages}}"
stop = ["\\n"]
[body.parameters]
longest = "{{max_tokens}}"
heat = "{{temperature}}"
listed = "{{top_logprobs}}"
[reply]
text = "outputs.0.text"
model = "served"
finish_reason = "outputs.0.why"
input_tokens = "used.read"
output_tokens = "used.written"
tokens = "outputs.0.steps"
token = "piece"
logprob = "lp"
top = "best"
[capabilities]
top_logprobs = 5
concurrency = 3
"""
_REPLY = {
    "served": "house-7b-r3",
    "outputs": [
        {
            "text": "Yes",
            "why": "length",
            "steps": [{"piece": "Yes", "lp": -0.25, "best": {"No": -2.5, "Yes": -0.25}}],
        }
    ],
    "used": {"read": 21, "written": 1},
}


@pytest.fixture
def file(tmp_path):
    """The file, as its author wrote it."""
    path = tmp_path / "house.toml"
    path.write_text(_FILE, encoding="utf-8")
    return path


def _template(**settings) -> Template:
    given = {"url": "https://h/ask", "body": {"input": "{{prompt}}"}, "reply": ReplyPaths("text")}
    return Template(**{**given, **settings})


def test_a_file_becomes_an_adapter(file):
    """Every part of the file arrives; the same in JSON is the same."""
    adapter = TemplateAdapter.from_file(file)
    assert adapter.endpoint == "https://models.example.org/generate"
    assert adapter.model == "house-7b"
    assert adapter.capabilities == Capabilities(top_logprobs=5, concurrency=3)
    assert adapter.body(_ASKED) == {
        "input": "Be brief.\n\nGood?",
        "turns": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Good?"},
        ],
        "stop": ["\n"],
        "parameters": {"longest": 1, "heat": 0.0, "listed": 5},
    }
    told = {
        "url": "https://models.example.org/generate",
        "body": {"input": "{{prompt}}"},
        "reply": {"text": "a"},
    }
    other = file.with_suffix(".json")
    other.write_text(json.dumps(told))
    assert TemplateAdapter.from_file(other).body(_ASKED) == {"input": "Be brief.\n\nGood?"}


def test_a_reply_is_read_by_its_paths(file):
    """Text, log-probs, usage, model and end are found where the file says."""
    raw = json.dumps(_REPLY)
    answer = TemplateAdapter.from_file(file).read(raw)
    assert answer.text == "Yes"
    assert answer.tokens == (TokenLogprob("Yes", -0.25, (("Yes", -0.25), ("No", -2.5))),)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (21, 1)
    assert (answer.model, answer.finish_reason) == ("house-7b-r3", "length")
    assert answer.outcome is Outcome.TRUNCATED
    assert answer.raw == raw


@pytest.mark.parametrize(
    ("why", "outcome"),
    [
        ('"stop"', Outcome.ANSWERED),
        ('"MAX_TOKENS"', Outcome.TRUNCATED),
        ('"content_filter"', Outcome.FILTERED),
        ('"refusal"', Outcome.REFUSED),
        ("null", Outcome.ANSWERED),
    ],
)
def test_the_end_of_an_answer_is_understood(why, outcome):
    """An answer that was cut short or taken away is not counted as one that was given."""
    adapter = TemplateAdapter(_template(reply=ReplyPaths("text", finish_reason="why")))
    assert adapter.read(f'{{"text": "a", "why": {why}}}').outcome is outcome


def test_likeliest_tokens_may_be_entries():
    """A list of entries in the form of the tokens' own is read like a mapping."""
    paths = ReplyPaths("text", tokens="steps", token="t.s", logprob="t.p", top="top")  # noqa: S106
    adapter = TemplateAdapter(_template(reply=paths, capabilities=_LISTED))
    for top in ([{"t": {"s": "b", "p": -2}}, {"t": {"s": "a", "p": -1}}], {"b": -2, "a": -1.0}):
        steps = [{"t": {"s": "a", "p": -1}, "top": top}]
        (token,) = adapter.read(json.dumps({"text": "a", "steps": steps})).tokens
        assert token == TokenLogprob("a", -1.0, (("a", -1.0), ("b", -2.0)))


@given(st.text())
def test_whatever_a_prompt_holds_it_stays_one_string(text):
    """No prompt can reach beyond its gap, be it JSON or a gap itself."""
    template = _template(body={"a": "{{prompt}}", "b": "<{{ prompt }}|{{model}}>", "c": [1, None]})
    body = template.fill(CompletionRequest((Message("user", text),)))
    assert body == {"a": text, "b": f"<{text}|template>", "c": [1, None]}


def test_gaps_in_a_prompt_are_no_gaps():
    """A prompt about templates is sent as it is."""
    asked = CompletionRequest((Message("user", '{{model}} "}, {{prompt}}'),))
    assert _template(body={"a": "say {{prompt}}"}).fill(asked) == {
        "a": 'say {{model}} "}, {{prompt}}'
    }


def _sent(file, monkeypatch, status=200, reply=None):
    """What an adapter with two secrets sends, and what comes of it."""
    monkeypatch.setenv("HOUSE_CRED", "first-secret-${HOUSE_OTHER}")
    monkeypatch.setenv("HOUSE_OTHER", "second-secret-1")
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(status, text=reply or json.dumps(_REPLY))

    template = TemplateAdapter.from_file(file)._template
    adapter = TemplateAdapter(template, transport=httpx2.MockTransport(handler))

    async def ask():
        try:
            return await adapter.complete(_ASKED), repr(vars(adapter._line))
        finally:
            await adapter.aclose()

    return seen, adapter, lambda: asyncio.run(ask())


def test_secrets_go_into_headers_and_nowhere_else(file, monkeypatch):
    """Each header has its variable's value; what comes back is free of all of them."""
    repeated = json.dumps({**_REPLY, "served": "first-secret-${HOUSE_OTHER} second-secret-1"})
    seen, adapter, ask = _sent(file, monkeypatch, reply=repeated)
    answer, held = ask()
    (request,) = seen
    assert str(request.url) == "https://models.example.org/generate"
    assert request.headers["x-team-token"] == "Token first-secret-${HOUSE_OTHER}"
    assert request.headers["x-second-key"] == "second-secret-1"
    assert request.headers["x-origin"] == "spex"
    assert "authorization" not in request.headers
    assert json.loads(request.content) == adapter.body(_ASKED)
    assert answer.model == "[key] [key]"
    for text in (repr(adapter), held, answer.raw, json.dumps(adapter.body(_ASKED))):
        assert "first-secret" not in text
        assert "second-secret" not in text


def test_errors_are_free_of_all_secrets(file, monkeypatch):
    """A refusal that repeats the second secret is told without it."""
    _, _, ask = _sent(file, monkeypatch, 429, '{"error": {"message": "Slow, second-secret-1"}}')
    with pytest.raises(RateLimited, match=r"Slow, \[key\]") as caught:
        ask()
    assert "second-secret" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_secret_is_named(file, monkeypatch):
    """Without the variable nothing is sent, and the sentence names it."""
    seen, _, ask = _sent(file, monkeypatch)
    monkeypatch.delenv("HOUSE_OTHER")
    with pytest.raises(AuthenticationFailed, match="HOUSE_OTHER is not set"):
        ask()
    assert seen == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"body": {"a": "{{promt}} {{prompt}}"}}, r"gap \{\{promt\}\}, which nothing fills"),
        ({"body": {"a": "fixed"}}, "every question would be the same"),
        ({"url": "http://example.com/x"}, "unencrypted"),
        ({"headers": {"Authorization": "Bearer abc"}}, "holds a secret itself"),
        ({"headers": {"x y": "1"}}, "is no header"),
        ({"headers": {"x-a": "1\r\nx-b: 2"}}, "is no header"),
        ({"headers": {"x-a": "é"}}, "is no header"),
        ({"reply": ReplyPaths("")}, "has no path"),
        ({"capabilities": _LISTED}, "not where its reply tells the tokens"),
    ],
)
def test_templates_that_make_no_sense(settings, said):
    """What could only fail later is refused when it is written down, without showing a secret."""
    with pytest.raises(UsageError, match=said) as caught:
        _template(**settings)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none.toml", None, "cannot be read"),
        ("a.toml", "url = ", "is neither TOML nor JSON"),
        ("a.json", "[1]", "is wrong at 'its top'"),
        ("a.toml", 'url = "https://h/x"\n[reply]\ntext = "a"', "is wrong at 'body'"),
        ("a.toml", _FILE + "speed = 3", "is wrong at 'capabilities.speed'"),
        ("a.toml", _FILE.replace("served", "a").replace("model = \"a\"", "modell = \"a\""),
         "no meaning for 'modell'"),
        ("a.toml", _FILE.replace("text = ", "# text = "), "no path to the reply's text"),
        ("a.toml", _FILE.replace("concurrency = 3", "concurrency = 0"), "at least 1"),
    ],
)  # fmt: skip
def test_files_that_describe_nothing(tmp_path, name, text, said):
    """Each flaw is a sentence that names the file and the place."""
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises((SpecError, UsageError), match=said) as caught:
        TemplateAdapter.from_file(path, on_event=ignore)
    assert name in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        (CompletionRequest(_ASKED.messages, ask=Ask.VECTORS), "embeddings"),
        (CompletionRequest(_ASKED.messages, ask=Ask.TOKENS), "cuts a text"),
        (CompletionRequest(_ASKED.messages, target=Target("x", Way.ECHO)), "a text by 'echo'"),
        (CompletionRequest(_ASKED.messages, num_samples=2), "so many answers"),
        (CompletionRequest(_ASKED.messages, exact_tokens=(1,)), "by their number"),
        (CompletionRequest(_ASKED.messages, tools=("{}",)), "tools"),
        (CompletionRequest((Message("tool", "x", answers="1"),)), "tools"),
        (CompletionRequest((Message.of_blocks("user", ("a", Image("aGk="))),)), "images"),
    ],
)
def test_what_a_template_has_no_words_for(asked, what):
    """A question beyond a plain one is the caller's mistake; no part of it is dropped."""
    with pytest.raises(UsageError, match=f"has no words for.*{what}"):
        _template().fill(asked)


def test_a_temperature_is_taken_where_there_is_a_gap_for_it():
    """Without a gap every answer is a sample at what the endpoint likes, and is said to be."""
    assert not _template().capabilities.temperature
    warm = _template(body={"a": "{{prompt}}", "b": ["{{temperature}}"]})
    assert warm.capabilities.temperature


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ('{"error": {"message": "Gone"}}', "an error in place of a completion: Gone"),
        ('{"text": 3}', "no text at 'text'"),
        ("<html>", "no text at 'text'"),
        ('{"text": "a", "steps": 3}', "no list of tokens at 'steps'"),
        ('{"text": "a", "steps": [{"token": "a"}]}', "no token and log-prob"),
        ('{"text": "a", "steps": [{"token": "a", "logprob": NaN}]}', "no token and log-prob"),
        (f'{{"text": "a", "steps": [{{"token": "a", "logprob": {"9" * 400}}}]}}', "no token and"),
        ('{"text": "a", "steps": [{"token": "a", "logprob": true}]}', "no token and log-prob"),
    ],
)
def test_replies_that_are_none(raw, said):
    """What is not where the paths lead is told with the path."""
    paths = ReplyPaths("text", tokens="steps")
    adapter = TemplateAdapter(_template(reply=paths, capabilities=_LISTED))
    with pytest.raises(MalformedReply, match=said):
        adapter.read(raw)


def test_paths():
    """A path goes through names and places; one that leads nowhere is told from null."""
    body = {"a": [{"b": None}, {"b": 2}], "0": "zero"}
    assert at(body, "a.1.b") == 2
    assert at(body, "a.-1.b") == 2
    assert at(body, "a.0.b") is None
    assert at(body, "0") == "zero"
    for path in ("a.2.b", "a.-3", "b", "a.b", "", "a.1.b.c"):
        assert at(body, path) is MISSING
