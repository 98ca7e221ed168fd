"""Adapters of answers that another machine was given: the endpoint is that of then."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.completions import CompletionRequest, Message
from spex_api.errors import UsageError
from spex_api.querying import adapter as loading
from spex_api.querying.adapter import as_recorded, load_adapter
from spex_api.synchronous import synchronous

QUESTION = CompletionRequest((Message("user", "Good or bad?"),), max_tokens=1)
RECORDED = {
    "openai:toy": "http://192.168.0.7:8000/v1",
    "anthropic:claude-toy": "https://proxy.example.org",
    "azure:toy": "https://me.openai.azure.com/openai/deployments/toy?api-version=2030-01-01",
    "http:https://host.example.org/v1#toy": "https://host.example.org/v1",
    "local": "local:sha256:abc;xllamacpp 1;cpu",
    "local:/nowhere/toy.gguf": "local:sha256:def;xllamacpp 1;cpu",
}


@pytest.mark.parametrize("name", RECORDED)
def test_it_has_the_endpoint_of_then(name, monkeypatch):
    """Neither the environment, nor weights, nor an engine say who answered; a body is made."""
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example.org/v1")
    with as_recorded(RECORDED):
        adapter = load_adapter(name)
    assert adapter.endpoint == RECORDED[name]
    assert "Good or bad?" in str(adapter.body(QUESTION))


def test_beside_it_all_is_as_ever(monkeypatch):
    """A model that is not named, and one that is loaded afterwards."""
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example.org/v1")
    with as_recorded(RECORDED):
        assert load_adapter("openai:other").endpoint == "https://elsewhere.example.org/v1"
    assert load_adapter("openai:toy").endpoint == "https://elsewhere.example.org/v1"


def test_an_endpoint_in_a_file_is_not_looked_for():
    """What the file said then, nobody can tell here."""
    with as_recorded({"http:desk.toml": "https://desk"}), pytest.raises(UsageError, match="a file"):
        load_adapter("http:desk.toml")


def test_an_address_that_no_prompt_should_go_to_is_refused():
    """Whoever wrote it down."""
    metadata = {"openai:toy": "http://169.254.169.254/v1"}
    with as_recorded(metadata), pytest.raises(UsageError, match="metadata"):
        load_adapter("openai:toy")


def test_an_adapter_that_knows_no_endpoint_is_as_the_environment_says(monkeypatch):
    """As others may have written it."""

    class Entry:
        name = "desk"

        @staticmethod
        def load():
            return lambda model, *, on_event: f"the desk's {model}"

    monkeypatch.setattr(loading, "entry_points", lambda *, group: [Entry])
    with as_recorded({"desk:one": "somewhere"}):
        assert load_adapter("desk:one") == "the desk's one"


def test_beside_a_running_loop_it_is_the_same():
    """Work that goes into a thread of its own takes it along."""

    async def endpoint():
        return load_adapter("openai:toy").endpoint

    async def notebook():
        with as_recorded(RECORDED):
            return synchronous(endpoint, name="endpoint_sync")()

    assert asyncio.run(notebook()) == RECORDED["openai:toy"]
