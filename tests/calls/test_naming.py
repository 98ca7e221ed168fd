"""A call is asked again where it went, or not at all."""

from __future__ import annotations

import pytest

from spex_api.calls.asked import Asked
from spex_api.calls.naming import model_name
from spex_api.errors import SpecError

CHAT, MESSAGES = "openai.chat", "anthropic.messages"
AZURE = "https://me.openai.azure.com"


def asked(wire, url, model="m", provider=""):
    return Asked(
        wire, ({"role": "user", "content": "Hi"},), model=model, url=url, provider=provider
    )


@pytest.mark.parametrize(
    ("wire", "url", "environ", "name"),
    [
        (CHAT, "https://api.openai.com/v1/chat/completions", {}, "openai:m"),
        ("openai.responses", "https://api.openai.com/v1/responses", {}, "openai:m"),
        (MESSAGES, "https://api.anthropic.com/v1/messages", {}, "anthropic:m"),
        (CHAT, "", {}, "openai:m"),
        (MESSAGES, "", {}, "anthropic:m"),
        (CHAT, "http://127.0.0.1:8000/v1/chat/completions", {}, "http:http://127.0.0.1:8000/v1#m"),
        (
            CHAT,
            "http://127.0.0.1:8000/v1/chat/completions",
            {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1/"},
            "openai:m",
        ),
        (
            MESSAGES,
            "https://proxy.example/v1/messages",
            {"ANTHROPIC_BASE_URL": "https://proxy.example"},
            "anthropic:m",
        ),
        (CHAT, f"{AZURE}/openai/deployments/my%20own/chat/completions", {}, "azure:my own"),
        (CHAT, f"{AZURE}/openai/v1/chat/completions", {"AZURE_OPENAI_ENDPOINT": AZURE}, "azure:m"),
    ],
)
def test_who_answered_is_named_as_explain_takes_it(wire, url, environ, name):
    """By the address and by where the adapters ask as things stand."""
    assert model_name(asked(wire, url), environ=environ) == name


@pytest.mark.parametrize(
    ("wire", "url", "environ", "advice"),
    [
        (
            CHAT,
            "https://eu.api.openai.com/v1/chat/completions",
            {},
            "OPENAI_BASE_URL=https://eu.api.openai.com/v1",
        ),
        (
            CHAT,
            "https://api.openai.com/v1/chat/completions",
            {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"},
            "OPENAI_BASE_URL=https://api.openai.com/v1",
        ),
        (
            MESSAGES,
            "https://proxy.example/v1/messages",
            {},
            "ANTHROPIC_BASE_URL=https://proxy.example",
        ),
        (
            CHAT,
            f"{AZURE}/openai/v1/chat/completions",
            {"AZURE_OPENAI_ENDPOINT": "https://other.openai.azure.com"},
            f"AZURE_OPENAI_ENDPOINT={AZURE}",
        ),
        (CHAT, "https://host.example/generate", {}, "--model"),
    ],
)
def test_a_prompt_goes_nowhere_else(wire, url, environ, advice):
    """Where the adapter would ask elsewhere, what to set is said, and nothing is sent."""
    with pytest.raises(SpecError) as caught:
        model_name(asked(wire, url), environ=environ)
    assert advice in caught.value.advice


def test_who_is_not_told_is_asked_for():
    """A call without a model, or of a provider of which no adapter is named."""
    with pytest.raises(SpecError, match="which model"):
        model_name(asked(CHAT, "", model=""), environ={})
    with pytest.raises(SpecError, match=r"'gcp\.gemini'"):
        model_name(asked(CHAT, "", provider="gcp.gemini"), environ={})
    assert model_name(asked(CHAT, "", provider="azure"), environ={}) == "azure:m"
