"""What OpenAI's own models must be told, by their names."""

from __future__ import annotations

import pytest
from spex_adapters._gpt import embeds, gives_logprobs, samples_at_once, settings
from spex_adapters.openai import OpenAIAdapter

from spex_api.completions import CompletionRequest, Message

_QUIET = {"reasoning_effort": "none"}
_UNCACHED = {"prompt_cache_options": {"mode": "explicit"}}


@pytest.mark.parametrize(
    ("model", "logprobs", "told"),
    [
        ("gpt-4.1-mini", True, {}),
        ("gpt-4o-2024-08-06", True, {}),
        ("gpt-3.5-turbo", True, {}),
        ("ft:gpt-4o-mini-2024-07-18:org::id", True, {}),
        ("o3", False, {}),
        ("o4-mini-2025-04-16", False, {}),
        ("gpt-5", False, {}),
        ("gpt-5-mini-2025-08-07", False, {}),
        ("gpt-5.1", True, {}),
        ("gpt-5.1-chat-latest", False, {}),
        ("gpt-5.4", True, {}),
        ("gpt-5.4-pro", False, {}),
        ("gpt-5.5", True, _QUIET),
        ("gpt-5.6-mini", True, {**_QUIET, **_UNCACHED}),
        ("gpt-6-sol", True, {**_QUIET, **_UNCACHED}),
        ("gpt-6-luna", True, {**_QUIET, **_UNCACHED}),
        ("gpt-6.1-terra", True, {**_QUIET, **_UNCACHED}),
        ("gpt-6-astra", False, _UNCACHED),
        ("gpt-6.1-sol", False, _UNCACHED),
        ("gpt-oss-120b", True, {}),
        ("olmo-2", True, {}),
        ("my-deployment", True, {}),
    ],
)
def test_by_name(model, logprobs, told):
    """Each family is told what it needs for log-probs, and what keeps it from a surcharge."""
    assert gives_logprobs(model) is logprobs
    assert settings(model) == told


def test_only_openai_is_told(monkeypatch):
    """A server of another's knows nothing of these settings, whatever its model is called."""
    asked = CompletionRequest(messages=(Message("user", "Hi"),))
    ours = OpenAIAdapter("gpt-5.6", base_url="https://localhost/v1")
    assert not set(ours.body(asked)) & {"reasoning_effort", "prompt_cache_options"}
    assert ours.capabilities.top_logprobs == 20
    azure = OpenAIAdapter("gpt-5.6", base_url="https://me.openai.azure.com/openai/v1")
    assert "prompt_cache_options" not in azure.body(asked)
    theirs = OpenAIAdapter("gpt-5.6", base_url="https://api.openai.com/v1")
    assert theirs.body(asked)["reasoning_effort"] == "none"
    assert theirs.body(asked)["prompt_cache_options"] == {"mode": "explicit"}
    assert OpenAIAdapter("o3", base_url="https://api.openai.com/v1").capabilities.top_logprobs == 0
    assert OpenAIAdapter("o3", base_url="https://localhost/v1").capabilities.top_logprobs == 20


@pytest.mark.parametrize(
    ("host", "most"),
    [
        (".api.openai.com", 128),
        (".me.openai.azure.com", 128),
        (".api.mistral.ai", 8),
        (".notopenai.com", 1),
        (".localhost", 1),
    ],
)
def test_samples_at_once(host, most):
    """Several answers are asked for where the host is known to draw them."""
    assert samples_at_once(host) == most


def test_embeds():
    """A model of OpenAI's that gives embeddings is called so."""
    assert embeds("text-embedding-3-small")
    assert not embeds("gpt-4.1-mini")
