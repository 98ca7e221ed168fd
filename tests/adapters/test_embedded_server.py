"""A real server on loopback, which speaks OpenAI's chat API and Anthropic's Messages: one truth.

Its model is the one of `local`. It draws from the whole vocabulary at temperature 1, as a hosted
model does where nothing else is asked for.
"""

from __future__ import annotations

import asyncio
import importlib.util
from itertools import product

import httpx2
import numpy as np
import pytest
from scipy.stats import chi2

import spex_api as spex
from spex_api.completions import Way
from spex_api.events import ignore
from spex_api.scores import Opening

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
    ),
]

SYSTEM = "Classify each movie review as positive or negative. Answer with one word."
REVIEWS = (
    ("The film is wonderful.", "positive"),
    ("I slept through it.", "negative"),
    ("A joy from start to end.", "positive"),
    ("Dull and far too long.", "negative"),
    ("I loved it.", "positive"),
    ("It is a waste of money.", "negative"),
)
TURNS = [
    {"role": role, "content": text}
    for pair in REVIEWS
    for role, text in zip(("user", "assistant"), pair, strict=True)
]
LAST = {"role": "user", "content": "acting never fails"}
LABELS = ("positive", "negative")


@pytest.fixture(scope="module")
def server():
    """Its address."""
    import xllamacpp  # noqa: PLC0415 - a hundred megabytes that only these tests need
    from spex_adapters._engine import free_cores  # noqa: PLC0415
    from spex_adapters._weights import SMOLLM2, fetch  # noqa: PLC0415

    settings = xllamacpp.CommonParams()
    settings.model.path = str(fetch(SMOLLM2, on_event=ignore))
    settings.model_alias = {"smollm2"}
    settings.hostnames, settings.port = ["127.0.0.1"], 0
    settings.verbosity, settings.ui, settings.warmup = -1, False, False
    settings.n_ctx, settings.n_parallel, settings.cache_ram_mib = 2048, 1, 0
    settings.use_jinja = True
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = free_cores()
    sampling = settings.sampling
    sampling.temp, sampling.top_k, sampling.top_p, sampling.min_p = 1.0, 0, 1.0, 0.0
    running = xllamacpp.Server(settings)
    yield running.listening_address
    del running


@pytest.fixture
def both_at(server, monkeypatch):
    """The two SDKs' variables, pointing at it."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server}/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-none")


def test_log_odds_and_frequencies_agree(both_at):
    """Both adapters explain one prompt; what is sampled lies about the truth as it says it does."""
    by_openai = spex.Prompt.from_openai(
        [{"role": "system", "content": SYSTEM}, *TURNS, LAST], split="words"
    )
    by_anthropic = spex.Prompt.from_anthropic(SYSTEM, [*TURNS, LAST], split="words")
    everything = np.array(list(product((0, 1), repeat=3)))
    truth = spex.measure_sync(
        by_openai, "openai:smollm2", everything, score=spex.LabelLogOdds(*LABELS)
    )
    score = spex.LabelFrequency(*LABELS, samples=20, max_tokens=3)
    sampled = spex.measure_sync(by_anthropic, "anthropic:smollm2", everything, score=score)
    assert sampled.sent == 8 * 20
    distance = ((sampled.values - truth.values) ** 2 / sampled.variances).sum()
    assert distance < chi2.ppf(0.9999, df=8)
    # All answers are on disk by now, but for the few of a probe.
    budget = spex.Budget(200)
    explained = spex.explain_sync(
        by_openai, "openai:smollm2", score=spex.LabelLogOdds(*LABELS), budget=budget
    )
    again = spex.explain_sync(by_anthropic, "anthropic:smollm2", score=score, budget=budget)
    assert explained.interactions.keys() == again.interactions.keys()
    assert again.provenance.full == pytest.approx(sampled.values[-1])
    assert again.provenance.empty == pytest.approx(sampled.values[0])


_TARGETS = (
    "Paris",
    " Paris is big",
    "Parisian",
    "positive",
    "never  fails",
    "New York City.",
    "\n\nParis",  # behind the line break that ends the template: together they would be others
    "1999",
    "don't",
    "Rome, Italy",
)


def test_a_grammar_forces_what_is_read_token_by_token(server):
    """Ten targets, to 1e-3: the score's value, and the log-probs of the tokens one by one."""
    from spex_adapters.http import HttpAdapter  # noqa: PLC0415

    messages = spex.Prompt.from_openai([LAST], split="words").render([1, 1, 1])
    turns = [{"role": turn.role, "content": turn.content} for turn in messages]

    async def truth(client, text):
        """What the server makes of the prompt and the tokens so far, whatever is asked next."""

        async def post(path, **body):
            return (await client.post(path, json=body)).json()

        read = await post("/apply-template", messages=turns)
        special = {"add_special": True, "parse_special": True}
        prompt = (await post("/tokenize", content=read["prompt"], **special))["tokens"]
        ids = (await post("/tokenize", content=text))["tokens"]
        total = 0.0
        for place, number in enumerate(ids):
            told = await post(
                "/v1/completions",
                prompt=[*prompt, *ids[:place]],
                max_tokens=1,
                temperature=0,
                logprobs=1,
                logit_bias=[[number, 1000]],  # it is chosen; what is told of it is the model's own
                cache_prompt=False,
            )
            first = told["choices"][0]["logprobs"]["content"][0]
            assert first["id"] == number
            total += first["logprob"]
        return total

    async def forced(adapter, text):
        score = spex.TargetLogProb(text, way=Way.GRAMMAR)
        while isinstance(score, Opening) and (
            asked := score.opening(messages, adapter.capabilities)
        ):
            answers = [await adapter.complete(each) for each in asked]
            score = score.opened(answers, adapter.capabilities)
        asked = score.requests(messages, adapter.capabilities)
        assert len(asked) == 1
        return score.value([await adapter.complete(asked[0])])

    async def both():
        adapter = HttpAdapter(f"llamacpp+{server}/v1#smollm2")
        try:
            async with httpx2.AsyncClient(base_url=server, timeout=120) as client:
                for text in _TARGETS:
                    yield text, await forced(adapter, text), await truth(client, text)
        finally:
            await adapter.aclose()

    async def compare():
        async for text, scored, true in both():
            assert not scored.censored
            assert scored.value == pytest.approx(true, abs=1e-3), text

    asyncio.run(compare())
