"""The embedded model's adapter; what needs the real model is marked so."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from itertools import takewhile

import openai
import pytest
from spex_adapters import _engine, local
from spex_adapters.local import LocalAdapter, connect, serve

from spex_api.completions import (
    Ask,
    CompletionRequest,
    Image,
    Message,
    Outcome,
    Target,
    ToolCall,
    Way,
)
from spex_api.errors import BadRequest, MissingExtra, Unavailable, UsageError
from spex_api.events import ignore


def _asked(review: str, **settings) -> CompletionRequest:
    text = "Is this movie review positive or negative? Answer with one word.\nReview: " + review
    return CompletionRequest(messages=(Message("user", text),), top_logprobs=100, **settings)


@pytest.fixture
def engine_version(monkeypatch):
    """The engine's version, whether or not it is installed."""
    monkeypatch.setattr(local, "version", lambda name: "2026.1")


def test_body():
    """The wire body is whole, and its list longer than hosted models give."""
    adapter = connect("", on_event=ignore)
    assert adapter.body(_asked("Fine")) == {
        "model": "SmolLM2-135M-Instruct.Q4_1",
        "messages": [{"role": "user", "content": _asked("Fine").messages[0].content}],
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": True,
        "top_logprobs": 100,
    }
    assert adapter.capabilities.free


def test_body_of_a_target():
    """A target is forced by its tokens' numbers where they are known, by its text where not."""
    adapter = connect("", on_event=ignore)
    for tokens, grammar in (((504, 7), "<[504]> <[7]>"), ((), r'"Go\n"')):
        asked = _asked("Fine", target=Target("Go\n", Way.GRAMMAR, tokens), max_tokens=2)
        assert adapter.body(asked) == {
            **adapter.body(_asked("Fine", max_tokens=2)),
            "grammar": f"root ::= {grammar}",
        }
    bare = CompletionRequest((Message("user", "Hi"),), target=Target("Go", Way.GRAMMAR))
    assert adapter.body(bare)["logprobs"] is True


def test_body_and_reply_of_tokens():
    """A text is cut on request; a token that is part of a character has a mark for a text."""
    adapter = connect("", on_event=ignore)
    asked = CompletionRequest((Message("user", " né"),), ask=Ask.TOKENS)
    assert adapter.body(asked) == {"content": " né", "with_pieces": True, "add_special": False}
    cut = [{"id": 9, "piece": " n"}, {"id": 7, "piece": [195]}, {"id": 8, "piece": [169]}]
    answer = adapter.read(json.dumps({"tokens": cut}))
    assert [(token.token, token.token_id) for token in answer.tokens] == [
        (" n", 9),
        ("\ufffd", 7),
        ("\ufffd", 8),
    ]
    assert all(math.isnan(token.logprob) for token in answer.tokens)


_CALLED = Message("assistant", "", tool_calls=(ToolCall("c", "look"),))


@pytest.mark.parametrize(
    ("turn", "asked", "named"),
    [
        (Message.of_blocks("user", (Image("iVBO"),)), {}, "images"),
        (Message("user", "Hi"), {"tools": ("{}",)}, "tools"),
        (_CALLED, {}, "tools"),
        (Message("tool", "Rain.", answers="c"), {}, "tools"),
        (Message("user", "Hi"), {"num_samples": 2}, "so many answers at once"),
        (Message("user", "Hi"), {"exact_tokens": (7,)}, "tokens by their number"),
        (Message("user", "Hi"), {"target": Target("y", Way.ECHO)}, "by 'echo'"),
        (Message("user", "Hi"), {"ask": Ask.VECTORS}, "embeddings"),
    ],
)
def test_what_the_model_cannot_be_told(turn, asked, named):
    """It is refused by name: the template of the embedded model leaves tools out unseen."""
    with pytest.raises(UsageError, match=f"has no words for .*{named}"):
        connect("", on_event=ignore).body(CompletionRequest((turn,), **asked))


def test_tools_of_another_file(tmp_path):
    """A model of the user's may have a template for tools, but no grammar by text beside them."""
    file = tmp_path / "tiny.gguf"
    file.write_bytes(b"GGUF junk")
    adapter = connect(str(file), on_event=ignore)
    asked = CompletionRequest((_CALLED, Message("tool", "Rain.", answers="c")), tools=("{}",))
    assert adapter.body(asked)["messages"][1]["tool_call_id"] == "c"
    by_number = Target("y", Way.GRAMMAR, (7,))
    forced = CompletionRequest(asked.messages, tools=("{}",), target=by_number)
    assert adapter.body(forced)["tools"] == [{}]
    by_text = CompletionRequest(asked.messages, tools=("{}",), target=Target("y", Way.GRAMMAR))
    with pytest.raises(UsageError, match="tools"):
        adapter.body(by_text)


@pytest.mark.usefixtures("engine_version")
def test_endpoint_needs_no_weights():
    """Weights are named by their checksum, so that a replay does without them."""
    assert connect("", on_event=ignore).endpoint == (
        "local:sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53;"
        "xllamacpp 2026.1;n_ctx=8192,jinja,cpu,no-flash-attention,whole-vocabulary"
    )


@pytest.mark.usefixtures("engine_version")
def test_another_file(tmp_path):
    """A file of the user's own is known by its bytes, never by its path."""
    file = tmp_path / "tiny.gguf"
    file.write_bytes(b"GGUF junk")
    adapter = connect(str(file), on_event=ignore)
    assert adapter.model == "tiny"
    assert f"sha256:{hashlib.sha256(b'GGUF junk').hexdigest()};" in adapter.endpoint
    assert str(tmp_path) not in adapter.endpoint
    assert repr(adapter) == f"LocalAdapter({file!r})"


def test_no_such_file(tmp_path):
    """A missing file, and one that is no GGUF, are refused at once."""
    with pytest.raises(UsageError, match="There is no file"):
        connect(str(tmp_path / "none.gguf"), on_event=ignore)
    other = tmp_path / "notes.txt"
    other.write_text("hello")
    with pytest.raises(UsageError, match="not a GGUF file"):
        connect(str(other), on_event=ignore)


def test_missing_engine(monkeypatch, tmp_path):
    """Without the extra, the identity and the start both say how to install it."""

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(local, "version", absent)
    with pytest.raises(MissingExtra, match=re.escape('python -m pip install "spex-api[local]"')):
        _ = connect("", on_event=ignore).endpoint
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtra, match=re.escape('python -m pip install "spex-api[local]"')):
        _engine.start(tmp_path / "any.gguf", name="any")


@pytest.mark.parametrize(
    ("usable", "load", "free"), [(2, 0.2, 2), (2, 0.9, 1), (2, 7.0, 1), (8, 3.4, 5)]
)
def test_free_cores(monkeypatch, usable, load, free):
    """Threads spin, so cores that others use are left to them, but for one."""
    cores = set(range(usable))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: cores, raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert _engine.free_cores() == free


class _Scripted:
    """Stands in for the connection: answers in turn, and notes whether reuse was allowed."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.reuse = []

    async def __call__(self, _client, _path, _body, *, reuse):
        self.reuse.append(reuse)
        text, computed, reused = self.replies.pop(0)
        times = {"prompt_n": computed, "cache_n": reused}
        return text, {"choices": [text], "timings": times}


def _asks(monkeypatch, scripted: _Scripted, *bodies, trials: int = 0):
    monkeypatch.setattr(_engine, "_post", scripted)
    engine = _engine.Engine(None, "http://127.0.0.1:9", "password", trials=trials)

    async def ask():
        try:
            return [await engine.ask({"logprobs": True, **body}) for body in bodies]
        finally:
            await engine.aclose()

    return asyncio.run(ask()), engine


_ONE = {"max_tokens": 1}


def test_a_single_row_is_computed_again(monkeypatch):
    """An answer whose batch ended in one row is computed afresh, with reuse or without."""
    scripted = _Scripted(("a", 60, 0), ("b?", 1, 59), ("b", 60, 0), ("c?", 513, 40), ("c", 553, 0))
    assert _asks(monkeypatch, scripted, _ONE, _ONE, _ONE)[0] == ["a", "b", "c"]
    assert scripted.reuse == [False, True, False, True, False]
    scripted = _Scripted(("a", 60, 0), ("b?", 473, 40), ("b", 513, 0))
    assert _asks(monkeypatch, scripted, _ONE, _ONE)[0] == ["a", "b"]


def test_generated_tokens_are_not_reused(monkeypatch):
    """After an answer of several tokens the next question starts afresh."""
    scripted = _Scripted(("a", 60, 0), ("b", 9, 51), ("c", 60, 0), ("d", 9, 51))
    _asks(monkeypatch, scripted, _ONE, {"max_tokens": 5}, _ONE, _ONE)
    assert scripted.reuse == [False, True, False, True]


def test_reuse_is_given_up_where_it_shows(monkeypatch):
    """The first answers are computed both ways; one difference ends reuse, and is not returned."""
    scripted = _Scripted(("a", 60, 0), ("b", 9, 51), ("B", 60, 0), ("c", 60, 0))
    answers, engine = _asks(monkeypatch, scripted, _ONE, _ONE, _ONE, trials=2)
    assert answers == ["a", "B", "c"]
    assert scripted.reuse == [False, True, False, False]
    assert not engine.reuse


def test_trials_end(monkeypatch):
    """Once the trials have agreed, every question is computed once."""
    scripted = _Scripted(("a", 60, 0), ("b", 9, 51), ("b", 60, 0), ("c", 9, 51))
    answers, engine = _asks(monkeypatch, scripted, _ONE, _ONE, _ONE, trials=1)
    assert answers == ["a", "b", "c"]
    assert engine.reuse
    assert "password" not in repr(engine)


def test_samples_prove_nothing(monkeypatch):
    """Two samples differ by chance: they are no trial, and reuse waits for one."""
    warm = {"max_tokens": 1, "temperature": 1.0}
    scripted = _Scripted(("a", 60, 0), ("b", 60, 0), ("c", 9, 51), ("c", 60, 0), ("d", 9, 51))
    _asks(monkeypatch, scripted, _ONE, warm, _ONE, warm, trials=1)
    assert scripted.reuse == [False, False, True, False, True]


class _Llama:
    """Stands in for the server: remembers the last prompt, and tells how many rows are new."""

    def __init__(self, *, partial: tuple[int, ...] = ()):
        self.held: list[int] = []
        self.rows: list[tuple[list[int], int]] = []
        self.partial = partial
        self.templated = None

    async def __call__(self, _client, path, body, *, reuse=False):
        if path == "/apply-template":
            self.templated = body
            return "", {"prompt": "Hi:"}
        if path == "/tokenize":
            assert body == {"content": "Hi:", "add_special": True, "parse_special": True}
            return "", {"tokens": [11, 12, 13]}
        return "", self.answer(body, reuse=reuse)

    def answer(self, body, *, reuse):
        prompt = body["prompt"]
        same = takewhile(lambda pair: pair[0] == pair[1], zip(self.held, prompt, strict=False))
        shared = len(list(same)) if reuse else 0
        kept = min(shared, len(prompt) - 1)
        self.held = prompt
        self.rows.append((prompt, len(prompt) - kept))
        chosen = body.get("logit_bias", [[0, 0]])[0][0]
        listed = [self.entry(each) for each in (40, 41, *self.partial)][: body["logprobs"]]
        content = [{**self.entry(chosen), "top_logprobs": listed}]
        told = None if chosen in self.partial else {"content": content}
        return {
            "id": "x",
            "created": 1,
            "model": "m",
            "system_fingerprint": "b0",
            "choices": [{"text": "?", "logprobs": told}],
            "usage": {"prompt_tokens": len(prompt)},
            "timings": {"prompt_n": len(prompt) - kept, "cache_n": kept},
        }

    @staticmethod
    def entry(number):
        known = {21: b" n", 22: b"\xc3", 23: b"\xa9", 24: b"!", 25: b"?"}.get(number, b"z")
        text = known.decode(errors="replace")
        return {"id": number, "token": text, "bytes": list(known), "logprob": -number / 8}


def _forced(monkeypatch, llama: _Llama, *tokens: int, **settings):
    monkeypatch.setattr(_engine, "_post", llama)
    engine = _engine.Engine(None, "http://127.0.0.1:9", "password", **settings)
    body = {"model": "m", "messages": [], "grammar": "root ::= x", "top_logprobs": 2}

    async def ask():
        try:
            return await engine.force(body, tokens)
        finally:
            await engine.aclose()

    return connect("", on_event=ignore).read(asyncio.run(ask()))


def test_a_forced_text_is_one_answer(monkeypatch):
    """Its tokens are told in their order, whatever order they were asked in."""
    llama = _Llama()
    answer = _forced(monkeypatch, llama, 21, 22, 23, 24, trials=0)
    assert llama.templated == {"model": "m", "messages": [], "top_logprobs": 2}
    assert [token.token_id for token in answer.tokens] == [21, 22, 23, 24]
    assert [token.logprob for token in answer.tokens] == [-21 / 8, -22 / 8, -23 / 8, -24 / 8]
    assert answer.tokens[0].top == (("z", -5.0), ("z", -41 / 8))
    assert answer.text == " né!"
    assert answer.outcome is Outcome.TRUNCATED
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 4)
    assert answer.served == "m b0"


def test_a_forced_text_leaves_no_single_row(monkeypatch):
    """Each prompt is computed in two rows at least, and but the first in no more than two."""
    llama = _Llama()
    _forced(monkeypatch, llama, 21, 22, 23, 24, 25, trials=0)
    prompt = [11, 12, 13]
    assert llama.rows == [
        (prompt, 3),
        ([*prompt, 21, 22], 2),
        ([*prompt, 21, 22, 23, 24], 2),
        ([11, 12, 1, 1], 2),
        ([*prompt, 21], 2),
        ([*prompt, 21, 22, 23], 2),
    ]


def test_a_forced_text_without_reuse(monkeypatch):
    """Where nothing may be reused, every prompt is computed whole, without a detour."""
    llama = _Llama()
    _forced(monkeypatch, llama, 21, 22, reuse=False)
    assert llama.rows == [([11, 12, 13], 3), ([11, 12, 13, 21], 4)]


def test_the_beginning_of_a_character_is_told_all_the_same(monkeypatch):
    """It is read from the whole list, in front of another token."""
    answer = _forced(monkeypatch, _Llama(partial=(22,)), 21, 22, 23, trials=0)
    assert [token.token_id for token in answer.tokens] == [21, 22, 23]
    assert answer.tokens[1].logprob == -22 / 8
    assert answer.tokens[1].top == (("z", -5.0), ("z", -41 / 8))
    assert answer.text == " né"


def test_a_number_that_no_token_has(monkeypatch):
    """A number that the engine passes over is refused, in place of another token's log-prob."""
    llama = _Llama()
    llama.entry = lambda number: _Llama.entry(24 if number == 99 else number)
    with pytest.raises(BadRequest, match="no token 99"):
        _forced(monkeypatch, llama, 21, 99)


@pytest.mark.parametrize(
    ("machine", "features", "alike"),
    [
        ("x86_64", "CPU : AVX2 = 1 | REPACK = 1 |", True),
        ("AMD64", "CPU : AVX2 = 1 |", True),
        ("arm64", "CPU : NEON = 1 |", False),
        ("x86_64", "CPU : ACCELERATE = 1 |", False),
        ("x86_64", "BLAS = 1 |", False),
    ],
)
def test_reuse_only_where_measured(monkeypatch, machine, features, alike):
    """On processors and libraries that cut a batch otherwise, nothing is ever reused."""
    monkeypatch.setattr(_engine.platform, "machine", lambda: machine)
    assert _engine._rows_stand_alone(features) is alike


def test_an_engine_that_is_gone():
    """A server that does not answer is unavailable, in a line of ours."""
    engine = _engine.Engine(None, "http://127.0.0.1:9", "password")

    async def ask():
        try:
            await engine.ask(_ONE)
        finally:
            await engine.aclose()

    with pytest.raises(Unavailable, match="broke off") as caught:
        asyncio.run(ask())
    assert caught.value.__context__ is None


_real = [
    pytest.mark.model,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
    ),
]
_REVIEWS = ("Her acting never fails to impress", "never fails", "Her acting fails to bore me")


@pytest.fixture(scope="module")
def real_answers():
    """Ten questions to the real model in one run, by name."""

    async def ask():
        adapter = LocalAdapter()
        first, other, third = (_asked(review) for review in _REVIEWS)
        try:
            fresh = await adapter.complete(first)
            again = await adapter.complete(first)
            between = await adapter.complete(other)
            # The engine compares the first answers with and without reuse; the last are reused.
            await asyncio.gather(*[adapter.complete(asked) for asked in (third, first, other)])
            story = await adapter.complete(_asked(_REVIEWS[0], max_tokens=4))
            last = await asyncio.gather(adapter.complete(first), adapter.complete(other))
            reuse = adapter._engine.reuse
            await adapter.aclose()
            restarted = await adapter.complete(other)
        finally:
            await adapter.aclose()
        return {
            "fresh": fresh,
            "again": again,
            "between": between,
            "story": story,
            "last": last,
            "restarted": restarted,
            "reuse": reuse,
        }

    return asyncio.run(ask())


class TestRealModel:
    """Ten requests to the real model, in one run."""

    pytestmark = _real

    def test_repeatable(self, real_answers):
        """The same question has the same answer, bit for bit, whatever was asked before."""
        assert (
            real_answers["fresh"].tokens
            == real_answers["again"].tokens
            == real_answers["last"][0].tokens
        )
        assert (
            real_answers["between"].tokens
            == real_answers["last"][1].tokens
            == real_answers["restarted"].tokens
            != real_answers["fresh"].tokens
        )

    def test_round_trip(self, real_answers):
        """An answer read again from its raw text is the same answer."""
        fresh = real_answers["fresh"]
        assert connect("", on_event=ignore).read(fresh.raw) == fresh
        assert fresh.model == "SmolLM2-135M-Instruct.Q4_1"
        assert fresh.usage.input_tokens > 40
        assert fresh.usage.output_tokens == 1

    def test_lists_both_labels(self, real_answers):
        """A hundred likeliest tokens hold both labels of a question of sentiment."""
        for answer in (real_answers["fresh"], real_answers["between"]):
            listed = {token.strip().lower() for token, _ in answer.tokens[0].top}
            assert {"positive", "negative"} <= listed
            assert len(answer.tokens[0].top) == 100
            assert len(answer.raw) < 10_000

    def test_longer_answers(self, real_answers):
        """Every token of a longer answer has its log-prob."""
        assert len(real_answers["story"].tokens) == 4
        assert real_answers["story"].tokens[0] == real_answers["fresh"].tokens[0]


_TARGETS = (
    "Oslo",
    " Oslo",
    "\nOslo",
    "\n\nOslo",
    "She was there.",
    "unbelievably",
    "123",
    "Oslo  , No ",
    "naïve 🎬",
    "漢字",
)
"""Among them such as merge with what stands before them, and parts of characters."""


@pytest.mark.model
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
)
def test_forced_log_probs_are_the_token_by_token_truth():
    """To 1e-3: each token's, as it has it behind those before it, the whole computed at once."""
    # Short, for each token of the truth reads all of it anew.
    question = (Message("system", "Brief."), Message("user", "Ann was born in Oslo. Where?"))

    async def truth(engine, ids):
        """Straight from the server, with nothing reused, one token a question."""

        async def post(path, body):
            return (await _engine._post(engine._line.client, path, body, reuse=False))[1]

        turns = [{"role": turn.role, "content": turn.content} for turn in question]
        prompt = (await post("/apply-template", {"messages": turns}))["prompt"]
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        read = (await post("/tokenize", asked))["tokens"]
        for place, number in enumerate(ids):
            body = {"prompt": [*read, *ids[:place]], "max_tokens": 1, "temperature": 0}
            plain = {"logprobs": 1, "logit_bias": [[number, 1000]]}
            told = (await post("/v1/completions", {**body, **plain}))["choices"][0]["logprobs"]
            if told:
                yield told["content"][0]["logprob"]
                continue
            # Of the beginning of a character nothing is told but in the list of another token.
            listed = {"logprobs": 60_000, "logit_bias": [[read[-1], 1000]]}
            told = (await post("/v1/completions", {**body, **listed}))["choices"][0]["logprobs"]
            yield {e["id"]: e["logprob"] for e in told["content"][0]["top_logprobs"]}[number]

    async def both():
        adapter = LocalAdapter()
        plain = CompletionRequest(question, top_logprobs=9)
        try:
            before = await adapter.complete(plain)
            for text in _TARGETS:
                asked = CompletionRequest((Message("user", text),), ask=Ask.TOKENS)
                ids = tuple(token.token_id for token in (await adapter.complete(asked)).tokens)
                target = Target(text, Way.GRAMMAR, ids)
                forced = CompletionRequest(question, len(ids), top_logprobs=2, target=target)
                answer = await adapter.complete(forced)
                # A forced text leaves no trace in what is asked next.
                assert (await adapter.complete(plain)).tokens == before.tokens
                yield text, answer, ids, [each async for each in truth(adapter._engine, ids)]
                # What the server computed behind the engine's back may not be built upon.
                adapter._engine.fresh = False
        finally:
            await adapter.aclose()

    async def compare():
        seen = 0
        async for text, answer, ids, true in both():
            assert answer.text == text
            assert tuple(token.token_id for token in answer.tokens) == ids
            told = [token.logprob for token in answer.tokens]
            assert told == pytest.approx(true, abs=1e-3), text
            seen += 1
        return seen

    assert asyncio.run(compare()) == 10


@pytest.mark.model
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
)
def test_too_long_and_quiet():
    """A prompt beyond the context is refused in one line; the engine writes nothing by itself."""
    code = """if True:
        import asyncio
        from spex_adapters.local import LocalAdapter
        from spex_api.completions import CompletionRequest, Message
        from spex_api.errors import ContextTooLong
        async def ask():
            adapter = LocalAdapter()
            try:
                await adapter.complete(CompletionRequest((Message("user", "word " * 9000),)))
            except ContextTooLong as refused:
                print(refused)
        asyncio.run(ask())
    """
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert re.fullmatch(
        r"The prompt has 90\d\d tokens, and the embedded model reads 8192 at most\. .*\n",
        done.stdout,
    )


@pytest.mark.model
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
)
def test_file_that_cannot_be_loaded(tmp_path):
    """A file that only begins like weights is refused when the engine starts."""
    file = tmp_path / "cut.gguf"
    file.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(UsageError, match="cannot load"):
        _engine.start(file, name="cut")


@pytest.mark.model
@pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
)
def test_a_client_of_openai_asks_the_embedded_model():
    """While it is served it answers, with its own key alone; afterwards nobody is there."""
    with serve() as served:
        settings = {"base_url": served.base_url, "max_retries": 0}
        with openai.OpenAI(api_key=served.api_key, **settings) as client:
            reply = client.chat.completions.create(
                model=served.model,
                messages=[{"role": "user", "content": "Say hello."}],
                max_tokens=4,
                temperature=0,
            )
        assert reply.choices[0].message.content.startswith("Hello")
        assert served.api_key not in repr(served)
        with (
            openai.OpenAI(api_key="none", **settings) as stranger,
            pytest.raises(openai.AuthenticationError),
        ):
            stranger.models.list()
    with (
        openai.OpenAI(api_key=served.api_key, **settings) as late,
        pytest.raises(openai.APIConnectionError),
    ):
        late.models.list()


def test_what_is_no_model_is_not_served(tmp_path):
    """It is refused before anything is loaded."""
    file = tmp_path / "notes.txt"
    file.write_text("no weights")
    with pytest.raises(UsageError, match="not a GGUF file"), serve(file):
        pass
