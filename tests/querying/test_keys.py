"""The keys that answers are kept under: they must not change, and nothing may be left out."""

from __future__ import annotations

import dataclasses
from importlib.util import find_spec

import pytest
from spex_adapters.openai import OpenAIAdapter

from spex_api.completions import Ask, CompletionRequest, Fingerprint, Message, Target, Way
from spex_api.errors import UsageError
from spex_api.querying.answers.record import Keyed
from spex_api.testing import FunctionAdapter

REQUEST = CompletionRequest(
    (Message("system", "Be brief."), Message("user", "Good? é")), top_logprobs=5
)

IN_THE_KEY = {
    "messages": (Message("user", "Bad?"),),
    "max_tokens": 2,
    "temperature": 0.5,
    "top_logprobs": 3,
    "sample_index": 1,
    "ask": Ask.TOKENS,
    "num_samples": 2,
    "target": Target("yes", Way.GRAMMAR),
    "exact_tokens": (1, 2),
    "tools": ('{"name":"look_up"}',),
}
"""The fields of a request whose change asks another question, each with another value."""

OUT_OF_THE_KEY: dict[str, object] = {}
"""Those whose change does not; none so far."""


def function_model() -> FunctionAdapter:
    return FunctionAdapter(lambda messages: {"yes": -0.1})


def openai_model(url: str = "https://api.openai.com/v1") -> OpenAIAdapter:
    return OpenAIAdapter("gpt-4.1-mini", base_url=url)


BUILDERS = {
    "function": function_model,
    "openai": openai_model,
    "compatible": lambda: openai_model("http://localhost:8000/v1"),
}
UNCLAIMED = {"ask", "target", "exact_tokens"}
"""What plain chat has no words for, so that no score asks for it where it is not claimed."""
UNSAID: dict[str, set[str]] = {"function": UNCLAIMED | {"num_samples", "tools"}}
"""The fields that a dialect has no word for, so that they reach neither wire nor key."""
REFUSED: dict[str, set[str]] = {"openai": UNCLAIMED, "compatible": UNCLAIMED | {"num_samples"}}
"""The fields that cannot be said, and whose loss would be missed: there is no such body."""

if find_spec("spex_adapters.anthropic") is not None:
    from spex_adapters.anthropic import AnthropicAdapter

    BUILDERS["anthropic"] = lambda: AnthropicAdapter(
        "claude-sonnet-5-5", base_url="https://api.anthropic.com"
    )
    UNSAID["anthropic"] = {"temperature", "top_logprobs"}
    REFUSED["anthropic"] = UNCLAIMED | {"num_samples"}

if find_spec("spex_adapters.local") is not None and find_spec("xllamacpp") is not None:
    from spex_adapters.local import LocalAdapter

    BUILDERS["local"] = LocalAdapter
    REFUSED["local"] = {"exact_tokens", "num_samples", "tools"}


def key_of(adapter, request: CompletionRequest) -> str:
    body = adapter.body(request)
    return Keyed.of(Fingerprint(adapter.endpoint, adapter.model, body, request.sample_index)).key


def test_every_field_of_a_request_is_classified():
    """Whoever adds a field must say here whether it is in the key."""
    fields = {field.name for field in dataclasses.fields(CompletionRequest)}
    assert fields == set(IN_THE_KEY) | set(OUT_OF_THE_KEY)
    assert not set(IN_THE_KEY) & set(OUT_OF_THE_KEY)


@pytest.mark.parametrize("name", IN_THE_KEY)
@pytest.mark.parametrize("builder", BUILDERS)
def test_a_change_of_a_field_changes_the_key(builder, name):
    """In every dialect that has a word for it; where there is none, it is refused, or not sent."""
    adapter = BUILDERS[builder]()
    other = dataclasses.replace(REQUEST, **{name: IN_THE_KEY[name]})
    if name in REFUSED.get(builder, ()):
        with pytest.raises(UsageError, match="has no words for"):
            adapter.body(other)
        return
    same_key = key_of(adapter, other) == key_of(adapter, REQUEST)
    same_wire = adapter.body(other) == adapter.body(REQUEST)
    if name in UNSAID.get(builder, ()):
        assert same_key == same_wire
    else:
        assert not same_key


def test_who_is_asked_is_in_the_key():
    """Another model or another address is another question."""
    keys = {
        key_of(adapter, REQUEST)
        for adapter in (
            openai_model(),
            openai_model("http://localhost:8000/v1"),
            openai_model("http://localhost:8001/v1"),
            OpenAIAdapter("gpt-4.1", base_url="https://api.openai.com/v1"),
            function_model(),
        )
    }
    assert len(keys) == 5


def test_the_ladder():
    """Each rung follows from the one above; this key is on users' disks and must not change."""
    fingerprint = Fingerprint("http://host/v1", "m", {"b": [1, "é"], "a": 0.5}, 2)
    assert fingerprint.canonical() == (
        '{"body":{"a":0.5,"b":[1,"é"]},"endpoint":"http://host/v1","key_schema":1,"model":"m",'
        '"sample_index":2}'
    )
    assert fingerprint.digest() == (
        "47ae01073cab2275cf3e391487cb6a580cf56109006520b0697bbf24648bedd8"
    )


@pytest.mark.parametrize(
    "other",
    [
        Fingerprint("http://host/v2", "m", {"a": 1}),
        Fingerprint("http://host/v1", "n", {"a": 1}),
        Fingerprint("http://host/v1", "m", {"a": 2}),
        Fingerprint("http://host/v1", "m", {"a": 1}, 1),
    ],
)
def test_every_rung_counts(other):
    """Another endpoint, model, body or sample is another question."""
    assert Fingerprint("http://host/v1", "m", {"a": 1}).digest() != other.digest()


CLAUDE = Fingerprint(
    "https://api.anthropic.com",
    "claude-sonnet-5-5",
    {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Good? é"}],
    },
    3,
)


@pytest.mark.parametrize(
    ("made", "golden"),
    [
        (
            lambda: key_of(function_model(), REQUEST),
            "978e7d2eacaa24573ae486b1dcc8286f6746ccb8b931850ccf886de9711e8b14",
        ),
        (
            lambda: key_of(openai_model(), REQUEST),
            "99b5f61bc2c18115136493e9a43fc1a70fa55de9f97ddb5156085539a321425e",
        ),
        (
            lambda: key_of(openai_model("http://localhost:8000/v1"), REQUEST),
            "c43f7450f73c3a77321e6de893894fa3d58d6a6aa56196015b1ed1e3f05e2100",
        ),
        (CLAUDE.digest, "4ffe193b6a1a02fb9820222204a09cd7c8c3546d0558dced7d9abbf55457327c"),
    ],
    ids=["function", "openai", "compatible", "anthropic's body"],
)
def test_golden_keys(made, golden):
    """These are on users' disks: where one changes, everything is paid again."""
    assert made() == golden
