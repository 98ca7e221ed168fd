"""The published schema says what a file holds, no more and no less."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import spex_api as spex
from spex_api.claims import UNCHANGED, Arrangement, Cause, Causes, Claim, Kind, Trial
from spex_api.explanation_schema import schema, schema_text
from spex_api.provenance import Pipeline
from tests.report.exported import hostile

PUBLISHED = Path(__file__).parents[1] / "docs" / "explanation.schema.json"


def valid(text: str) -> None:
    """Fails where a file is not what the schema says."""
    stored = json.loads(text, parse_constant=pytest.fail)
    jsonschema.Draft202012Validator(schema()).validate(stored)


def test_the_published_file_is_what_the_code_says():
    """If not: `spex report --schema > docs/explanation.schema.json`, and look at what changed."""
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text()


def test_it_is_a_schema_of_this_version_and_names_no_address():
    """Of draft 2020-12, with a title; what it refers to is in it."""
    told = schema()
    jsonschema.Draft202012Validator.check_schema(told)
    assert told["title"] == "Explanation of spex-api"
    assert told["properties"]["schema_version"]["const"] == 1
    assert "$id" not in told
    assert not any(name.startswith("_") for name in told["$defs"])
    assert '"_' not in schema_text()


def test_files_are_valid():
    """Of a function without texts, and of texts that attack who shows them."""
    valid(hostile().to_json())
    plain = spex.explain_function(lambda masks: masks[:, 0] * 1.0, num_features=3)
    valid(plain.to_json())


def test_a_file_of_a_prompt_is_valid():
    """Of a conversation with a tool, a call of it and a picture, masked by a function."""
    prompt = spex.Prompt.from_openai(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is in the picture, and the weather in Ulm?"},
        ],
        split="words",
        tools=[{"type": "function", "function": {"name": "weather", "parameters": {}}}],
    )
    valid(replace(hostile(), prompt=prompt).to_json())
    valid(replace(hostile(), prompt=replace(prompt, mask=str.upper)).to_json())


def test_boundless_evidence_and_answers_without_value_are_words():
    """JSON has no infinity: what is written in its place is in the schema."""
    claim = Claim(UNCHANGED, Arrangement((1,), ((2, 0),)), math.inf, confirmed=True)
    trial = Trial(UNCHANGED, 1, 1, ("25 days", ""), (1.0, math.nan))
    causes = Causes("it is so", (Cause(Kind.ALONE, (1,), (claim,)),), (trial,), calls=2)
    pipeline = Pipeline("leave:answer", {"documents": ["a", {"text": "b"}]}, {"documents": ""})
    told = replace(hostile(), causes=causes, pipeline=pipeline).to_json()
    assert '"Infinity"' in told
    valid(told)


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"index": None},
        {"invented": 1},
        {"interactions": [{"features": [0], "texts": ["a"], "value": "=1+1"}]},
        {"faithfulness": {"value": "NaN"}},
    ],
)
def test_what_is_no_explanation_is_not_valid(change):
    """Another version, a kind that is wrong, a name that nobody knows."""
    stored = json.loads(hostile().to_json()) | change
    with pytest.raises(jsonschema.ValidationError):
        valid(json.dumps(stored))
