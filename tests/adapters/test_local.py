"""The embedded model's adapter; what needs the real model is marked so."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest
from spex_adapters import _engine, local
from spex_adapters.local import LocalAdapter, connect

from spex_api.completions import CompletionRequest, Message
from spex_api.errors import MissingExtra, Unavailable, UsageError
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

    async def __call__(self, _client, _body, *, reuse):
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
