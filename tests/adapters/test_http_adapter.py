"""Any OpenAI-compatible server, in the dialect of each kind: on replies as they document them."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spex_adapters._pieces import pieces_of
from spex_adapters._servers import SERVERS, place
from spex_adapters.http import HttpAdapter, connect
from spex_adapters.template import TemplateAdapter

import spex_api as spex
from spex_api.completions import (
    Ask,
    CompletionRequest,
    Image,
    Message,
    Target,
    ToolCall,
    Usage,
    Way,
)
from spex_api.errors import AuthenticationFailed, MalformedReply, UsageError
from spex_api.events import ignore

KEY = "sk-test-4f1d0c77be9a4e21"
FIXTURES = Path(__file__).parent / "fixtures" / "http"
_ASKED = (Message("user", "Where?"),)
_IDS = (38634, 314, 2066)


def _target(way: Way, ids: tuple[int, ...] = (), **settings) -> CompletionRequest:
    return CompletionRequest(_ASKED, target=Target("Paris is big", way, ids), **settings)


_TOKENS = CompletionRequest((Message("user", "Paris isé"),), ask=Ask.TOKENS)
_EXACT = CompletionRequest(_ASKED, exact_tokens=(504, 31176))
_REQUESTS = {
    "vllm_target": _target(Way.PROMPT_LOGPROBS, _IDS, top_logprobs=5),
    "vllm_target_ranked": _target(Way.PROMPT_LOGPROBS),
    "vllm_exact": _EXACT,
    "vllm_tokens": _TOKENS,
    "vllm_samples": CompletionRequest(_ASKED, max_tokens=4, temperature=1.0, num_samples=3),
    "sglang_target": _target(Way.PROMPT_LOGPROBS),
    "sglang_target_ids": _target(Way.PROMPT_LOGPROBS, _IDS),
    "sglang_exact": _EXACT,
    "sglang_tokens": _TOKENS,
    "llamacpp_target": _target(Way.GRAMMAR, _IDS, max_tokens=3),
    "llamacpp_tokens": _TOKENS,
    "together_target": _target(Way.ECHO),
    "fireworks_target": _target(Way.ECHO),
    "completions_target": _target(Way.ECHO),
    "openai_vectors": CompletionRequest(
        (Message("user", "good"), Message("user", "bad")), ask=Ask.VECTORS
    ),
}


def _complete(adapter: HttpAdapter, request: CompletionRequest):
    async def ask():
        try:
            return await adapter.complete(request)
        finally:
            await adapter.aclose()

    return asyncio.run(ask())


def _entry(place) -> list:
    return [place.token, None if math.isnan(place.logprob) else place.logprob, place.token_id]


@pytest.mark.parametrize("name", _REQUESTS)
def test_the_wire(name):
    """The exact bodies go out, each on its route, and the exact answer comes in."""
    kept = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    seen = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append([request.url.path, json.loads(request.content)])
        return httpx2.Response(200, json=kept["sent"][len(seen) - 1][2])

    kind = name.split("_")[0]
    adapter = HttpAdapter(f"{kind}+https://h/v1#m", transport=httpx2.MockTransport(handler))
    answer = _complete(adapter, _REQUESTS[name])
    assert seen == [[path, body] for path, body, _ in kept["sent"]]
    says = kept["says"]
    assert answer.text == says["text"]
    assert [_entry(place) for place in answer.prompt_tokens] == says["prompt_tokens"]
    assert [_entry(place) for place in answer.tokens] == says["tokens"]
    exact = [[list(pair) for pair in place.exact] for place in answer.tokens if place.exact]
    assert exact == says.get("exact", [])
    assert [draw.text for draw in answer.others] == says.get("others", [])
    assert [list(vector) for vector in answer.vectors] == says.get("vectors", [])
    again = adapter.read(answer.raw)
    assert repr(again) == repr(answer)
    assert again.raw == answer.raw


def test_every_fixture_says_where_it_comes_from():
    """A reply that nobody documents proves nothing."""
    files = [*FIXTURES.glob("*.json"), *(FIXTURES.parent / "contract").glob("*.json")]
    assert {file.stem for file in FIXTURES.glob("*.json")} == set(_REQUESTS)
    for file in files:
        assert len(json.loads(file.read_text("utf-8"))["_source"]) > 20, file


def test_every_way_is_tried():
    """Each way that a kind is said to have, token steps aside, stands in a fixture of that kind."""
    tried = {
        (name.split("_")[0], asked.target.way) for name, asked in _REQUESTS.items() if asked.target
    }
    said = {(row.kind, way) for row in SERVERS.values() for way in row.ways}
    assert tried == {pair for pair in said if pair[1] is not Way.STEPS}
    assert all(row.documented for row in SERVERS.values())


@pytest.mark.parametrize(
    ("name", "kind", "url", "model"),
    [
        ("https://host/v1#m", "openai", "https://host/v1", "m"),
        ("vllm+http://localhost:8000/v1#org/m:7b", "vllm", "http://localhost:8000/v1", "org/m:7b"),
        ("https://api.together.xyz/v1#m", "together", "https://api.together.xyz/v1", "m"),
        ("https://api.fireworks.ai/inference/v1/#m", "fireworks",
         "https://api.fireworks.ai/inference/v1", "m"),
        ("openai+https://api.fireworks.ai/v1#m", "openai", "https://api.fireworks.ai/v1", "m"),
        ("https://nottogether.xyz/v1#m+n", "openai", "https://nottogether.xyz/v1", "m+n"),
    ],
)  # fmt: skip
def test_names(name, kind, url, model):
    """Address, model and kind are read from the name, and the kind from a host that is known."""
    found = place(name)
    assert (found.server.kind, found.url, found.model) == (kind, url, model)
    again = eval(repr(HttpAdapter(name)))  # noqa: S307 - our own text
    assert (again.endpoint, again.model, again._place) == (url, model, found)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "does not hold an address"),
        ("https://host/v1", "does not hold an address"),
        ("https://host/v1#", "does not hold an address"),
        ("vllm#m", "does not hold an address"),
        ("vlm+https://host/v1#m", "'vlm' is no kind of server"),
        ("http://example.com/v1#m", "unencrypted"),
        ("https://user:secret@host/v1#m", "may be a secret"),
        ("http://169.254.169.254/v1#m", "metadata"),
    ],
)
def test_names_that_are_none(name, said):
    """What cannot be asked is refused in a sentence, without what may be a secret."""
    with pytest.raises(UsageError, match=said) as caught:
        connect(name, on_event=ignore)
    assert "secret@" not in str(caught.value)


_PICTURE = Message.of_blocks("user", ("Where?", Image("iVBORw0KGgo=")))
_TOOL = '{"type":"function","function":{"name":"look"}}'


@pytest.mark.parametrize(
    ("kind", "request_", "what"),
    [
        ("openai", _target(Way.PROMPT_LOGPROBS), "a text by 'prompt_logprobs'"),
        ("openai", CompletionRequest(_ASKED, num_samples=2), "so many answers"),
        ("vllm", _target(Way.GRAMMAR), "a text by 'grammar'"),
        ("vllm", _target(Way.STEPS), "a text by 'steps'"),
        ("vllm", CompletionRequest(_ASKED, num_samples=129), "so many answers"),
        ("vllm", _target(Way.PROMPT_LOGPROBS, exact_tokens=(1,)), "two kinds of question"),
        ("vllm", _target(Way.PROMPT_LOGPROBS, num_samples=2), "two kinds of question"),
        ("vllm", CompletionRequest(_ASKED, ask=Ask.VECTORS, exact_tokens=(1,)), "two kinds"),
        ("vllm", CompletionRequest((_PICTURE,), ask=Ask.TOKENS), "images"),
        ("vllm", CompletionRequest((_PICTURE,), ask=Ask.VECTORS), "images"),
        ("together", _EXACT, "tokens by their number"),
        ("fireworks", _TOKENS, "cuts a text into tokens"),
        ("sglang", replace(_EXACT, messages=(_PICTURE,)), "images"),
        ("sglang", replace(_EXACT, num_samples=2), "several scored answers"),
        ("llamacpp", _target(Way.GRAMMAR, tools=(_TOOL,)), "tools beside a grammar"),
        ("completions", CompletionRequest((_PICTURE,)), "images"),
        ("completions", CompletionRequest(_ASKED, tools=(_TOOL,)), "tools"),
        ("completions", CompletionRequest((*_ASKED, Message("tool", "x", answers="1"))), "tools"),
        (
            "completions",
            CompletionRequest(
                (*_ASKED, Message("assistant", "", tool_calls=(ToolCall("1", "look"),)))
            ),
            "tools",
        ),
    ],
)
def test_what_a_kind_cannot_be_asked(kind, request_, what):
    """A question that a server has no words for is the caller's mistake, and never sent."""
    with pytest.raises(UsageError, match=f"of the kind '{kind}' (has no words for|takes).*{what}"):
        HttpAdapter(f"{kind}+https://h/v1#m").body(request_)


def test_a_key_is_sent_where_there_is_one(monkeypatch, reply):
    """Without a key no header is sent for it; one that no header can carry is refused."""
    seen = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("authorization"))
        return httpx2.Response(200, text=reply["openai"])

    def ask():
        transport = httpx2.MockTransport(handler)
        return _complete(HttpAdapter("https://h/v1#m", transport=transport), _PLAIN)

    monkeypatch.delenv("SPEX_HTTP_API_KEY", raising=False)
    assert ask().text == "Positive"
    monkeypatch.setenv("SPEX_HTTP_API_KEY", KEY)
    ask()
    assert seen == [None, f"Bearer {KEY}"]
    monkeypatch.setenv("SPEX_HTTP_API_KEY", "sk-a b")
    with pytest.raises(AuthenticationFailed):
        ask()


_PLAIN = CompletionRequest(_ASKED)


def test_a_turn_that_is_begun_is_joined_with_the_target():
    """The target goes on from the assistant's turn, which stays one turn."""
    request = CompletionRequest(
        (*_ASKED, Message("assistant", "In ")), target=Target("Paris", Way.PROMPT_LOGPROBS)
    )
    body = HttpAdapter("vllm+https://h/v1#m").body(request)
    assert [turn["content"] for turn in body["messages"]] == ["Where?", "In Paris"]


@pytest.mark.parametrize(
    "raw",
    [
        '{"meta_info": {"output_token_logprobs": [1]}}',
        '{"tokens": "Paris"}',
        '{"tokens": [1, 2], "pieces": ["Paris"]}',
        '{"tokens": [{"id": 1, "piece": [256]}]}',
        '{"chat": {}, "generate": {"meta_info": {}}}',
        '{"generate": null}',
        '{"choices": [{"text": "x", "logprobs": {"tokens": ["x"], "token_logprobs": [-1, -2]}}]}',
        '{"choices": [{"message": {"content": "x"}, "logprobs": {"content": '
        '[{"token": "token_id:1", "bytes": [-1]}]}}]}',
        '{"choices": ["token_id:1"], "prompt_logprobs": [{}]}',
        '{"data": []}',
        '{"choices": [{"message": {"content": "x"}, "logprobs": {"tokens": 3}}]}',
        '{"choices": [{"message": {"content": "x"}, "finish_reason": "error"}]}',
        '{"error": {"message": "Gone."}, "tokens": []}',
    ],
)
def test_replies_that_are_none(raw):
    """What is shaped like a reply and is none is told as such."""
    with pytest.raises(MalformedReply):
        HttpAdapter("sglang+https://h/v1#m").read(raw)


def test_the_first_step_that_fails_ends_the_question():
    """Where the template's tokens are not told, nothing is asked about them."""
    seen = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.path)
        return httpx2.Response(200, json={"choices": [{"message": {"content": "x"}}]})

    transport = httpx2.MockTransport(handler)
    adapter = HttpAdapter("sglang+https://h/v1#m", transport=transport)
    with pytest.raises(MalformedReply, match="the prompt's tokens"):
        _complete(adapter, _EXACT)
    assert seen == ["/v1/chat/completions"]


def test_both_steps_make_the_answer():
    """Both of SGLang's replies are kept, what they took adds up, and the first names the model."""
    replies = [
        {
            "model": "m-served",
            "usage": {"prompt_tokens": 8, "completion_tokens": 1},
            "choices": [{"message": {"content": "x"}, "prompt_token_ids": [5, 6, 7]}],
        },
        {"text": "Yes", "meta_info": {"prompt_tokens": 3, "completion_tokens": 2}},
    ]
    left = iter(replies)
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=next(left)))
    adapter = HttpAdapter("sglang+https://h/v1#m", transport=transport)
    answer = _complete(adapter, _EXACT)
    assert (answer.text, answer.model) == ("Yes", "m-served")
    assert answer.usage == Usage(requests=1, input_tokens=11, output_tokens=3)
    assert json.loads(answer.raw) == {"chat": replies[0], "generate": replies[1]}


def test_a_second_step_that_fails_is_told():
    """An error of the second step is the question's."""
    replies = iter(
        [{"choices": [{"message": {"content": "x"}}], "prompt_token_ids": [5]}, {"error": "Full."}]
    )
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=next(replies)))
    with pytest.raises(MalformedReply, match="Full"):
        _complete(HttpAdapter("sglang+https://h/v1#m", transport=transport), _EXACT)


@pytest.mark.parametrize(
    ("spelled", "text"),
    [
        (["Paris", "Ġis", "Ċ", "Ã©"], ["Paris", " is", "\n", "é"]),
        (["▁Paris", "▁is", "<0x0A>", "é"], [" Paris", " is", "\n", "é"]),
        (["caf", "é"], ["caf", "é"]),
        (["Paris", " is"], ["Paris", " is"]),
        (["ðŁĺ", "Ģ"], ["\ufffd", "\ufffd"]),
        ([], []),
    ],
)
def test_pieces(spelled, text):
    """A vocabulary's spelling becomes text, whichever way it writes spaces and bytes."""
    assert pieces_of(spelled) == text


_OPENED = ["Where", "<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"]


@pytest.mark.parametrize(
    ("target", "closing"),
    [
        (["Paris"], []),
        (["Paris"], ["<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"]),
        (["assistant"], ["<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"]),
        (
            ["Paris"],
            ["<|eot_id|>", "<|start_header_id|>", "assistant", "<|end_header_id|>", "\n\n"],
        ),
        (["model"], ["<end_of_turn>", "\n", "<start_of_turn>", "model", "\n"]),
        (["Paris", "\n"], ["</s>"]),
        (["Paris"], ["<|im_end|>", "\n", "<|im_start|>", "assistant", "\n", "<think>", "\n"]),
        (["<b>"], ["<|end|>", "<|start|>", "assistant"]),
        (["Paris"], ["<｜end▁of▁sentence｜>", "<｜Assistant｜>"]),
    ],
)
def test_what_a_template_puts_behind_the_target_is_left_out(target, closing):
    """The target is the last that is read, and no part of it is taken for the template's."""
    tokens = [*_OPENED, *target, *closing]
    told = {"tokens": tokens, "token_logprobs": [-1.0] * len(tokens)}
    raw = json.dumps({"choices": [{"message": {"content": "x"}}], "prompt": [{"logprobs": told}]})
    read = HttpAdapter("together+https://h/v1#m").read(raw)
    assert [place.token for place in read.prompt_tokens] == [*_OPENED, *target]


def test_a_turn_that_a_server_leaves_open_is_read_to_its_end():
    """Where nothing is put behind the target, a target that looks like it is kept."""
    places = [None, {"7": {"logprob": -0.5, "decoded_token": "<|im_end|>"}}]
    raw = json.dumps({"choices": [{"message": {"content": "x"}}], "prompt_logprobs": places})
    read = HttpAdapter("vllm+https://h/v1#m").read(raw)
    assert [place.token for place in read.prompt_tokens] == ["", "<|im_end|>"]


def test_a_file_is_a_template(tmp_path):
    """A name that is a file's leads to the endpoint that the file describes."""
    file = tmp_path / "house.toml"
    file.write_text(
        'url = "https://h/ask"\n[body]\ninput = "{{prompt}}"\n[reply]\ntext = "answer"\n'
    )
    adapter = connect(str(file), on_event=ignore)
    assert isinstance(adapter, TemplateAdapter)
    assert adapter.endpoint == "https://h/ask"


def test_a_prompt_is_explained_over_it(chat_server):
    """What any server gives suffices for an explanation, and a replay needs no server."""
    prompt = spex.Prompt.from_template(
        "Positive or negative? {text}", text="The plot was bad but never bad again", split="words"
    )

    async def asked(mode):
        adapter = connect(f"{chat_server.url}#toy", on_event=ignore)
        try:
            return await spex.explain(
                prompt,
                adapter,
                score=spex.LabelLogOdds("positive", "negative"),
                budget=spex.Budget(requests=60),
                decoder="lasso",
                mode=mode,
                seed=0,
            )
        finally:
            await adapter.aclose()

    def explain(mode):
        return asyncio.run(asked(mode))

    first = explain("live")
    assert first.interactions.top(1)[0][0] != ()
    assert first.usage.sent == len(chat_server.bodies) > 40
    assert explain("replay").interactions.top(3) == first.interactions.top(3)
    assert len(chat_server.bodies) == first.usage.sent


def test_imports_no_client_until_asked():
    """Building an adapter loads neither a vendor's client nor an HTTP stack."""
    code = (
        "import sys; from spex_adapters.http import connect\n"
        "connect('https://h/v1#m', on_event=print)\n"
        "assert not {'openai', 'httpx2'} & set(sys.modules)"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
_ANYTHING = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(), _SCALARS)


def _spoilt(value, data):
    """A reply with one of its parts, however deep, in the place of which stands anything."""
    if not isinstance(value, dict | list) or not value or data.draw(st.integers(0, 3)) == 0:
        return data.draw(_ANYTHING)
    chosen = data.draw(st.sampled_from([*value] if isinstance(value, dict) else range(len(value))))
    copy = value.copy()
    copy[chosen] = _spoilt(value[chosen], data)
    return copy


@given(st.sampled_from(sorted(_REQUESTS)), st.data())
@settings(max_examples=300, deadline=None)
def test_a_spoilt_reply_is_read_or_told(name, data):
    """Whatever stands in a reply, it is an answer or `MalformedReply`, and nothing else."""
    kept = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    replies = [reply for _, _, reply in kept["sent"]]
    whole = replies[0] if len(replies) == 1 else {"chat": replies[0], "generate": replies[1]}
    raw = json.dumps(_spoilt(whole, data))
    adapter = HttpAdapter(f"{name.split('_')[0]}+https://h/v1#m")
    try:
        answer = adapter.read(raw)
    except MalformedReply:
        return
    assert repr(adapter.read(answer.raw)) == repr(answer)
    assert answer.raw == raw
