"""A client that hides nothing, and the question that the tests of the fault server ask."""

from __future__ import annotations

import httpx2
import pytest

KEY = "sk-test-5b0e9a7d21c84f36"


@pytest.fixture
def question():
    """One question in OpenAI's dialect."""
    return {
        "model": "m",
        "messages": [{"role": "user", "content": "Her acting never fails to impress"}],
        "max_tokens": 1,
        "logprobs": True,
        "top_logprobs": 5,
    }


@pytest.fixture
def client():
    """A bare client with a key, and without retries, redirects or proxies."""
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx2.Client(trust_env=False, timeout=10, headers=headers) as opened:
        yield opened


@pytest.fixture
def ask(client, question):
    """Puts the question to a server, in either dialect, and gives the bare response."""

    def asked(server, *, anthropic: bool = False, **changes):
        body = {**question, **changes}
        if anthropic:
            body = {k: v for k, v in body.items() if k in {"model", "messages", "max_tokens"}}
            return client.post(f"{server.anthropic_url}/v1/messages", json=body)
        return client.post(f"{server.openai_url}/chat/completions", json=body)

    return asked
