"""An explanation as a file: what is stored comes back as it was."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest

import spex_api as spex
from spex_api.claims import UNCHANGED, Arrangement, Cause, Causes, Claim, Kind, Trial
from spex_api.errors import UsageError
from spex_api.explanation import Pipeline


def test_causes_and_the_pipeline_come_back_as_they_were():
    """With boundless evidence and an answer without a value, for which JSON has no words."""
    claim = Claim(UNCHANGED, Arrangement((1,)), math.inf, confirmed=True)
    causes = Causes(
        outcome="the answer says '25 days'",
        causes=(Cause(Kind.ALONE, (1,), (claim,)),),
        trials=(Trial(UNCHANGED, 1, 1, ("25 days", ""), (1.0, math.nan)),),
        calls=2,
        threshold=0.5,
        above=False,
    )
    pipeline = Pipeline("leave:answer", {"documents": ["a", {"text": "b"}]}, {"documents": ""})
    plain = spex.explain_function(lambda masks: masks[:, 0] * 1.0, num_features=3)
    told = replace(plain, causes=causes, pipeline=pipeline).to_json()
    back = spex.Explanation.from_json(told)
    assert back.to_json() == told
    assert back.pipeline == pipeline
    assert back.causes is not None
    assert back.causes.causes == causes.causes
    assert back.causes.threshold == 0.5
    assert math.isnan(back.causes.trials[0].values[1])
    json.loads(told, parse_constant=_refused)


@pytest.mark.parametrize("version", [0, 2, "2\x1b[31m"])
def test_another_version_of_the_schema_says_what_to_do(version):
    """Its number, the one that is read, and where to find who reads it; older and newer alike."""
    plain = spex.explain_function(lambda masks: masks[:, 0] * 1.0, num_features=3)
    stored = json.loads(plain.to_json()) | {"schema_version": version, "invented": 1}
    with pytest.raises(
        UsageError, match=rf"of schema {re.escape(repr(version))}, .* reads schema 1.*--upgrade"
    ):
        spex.Explanation.from_json(json.dumps(stored))


def test_a_key_that_nobody_knows_is_named_harmlessly():
    """So that a foreign file cannot paint a terminal through its own refusal."""
    plain = spex.explain_function(lambda masks: masks[:, 0] * 1.0, num_features=3)
    stored = json.loads(plain.to_json()) | {"inv\x1b[31m": 1}
    with pytest.raises(UsageError, match=r"schema 1: 'inv\\x1b\[31m': Extra inputs"):
        spex.Explanation.from_json(json.dumps(stored))
    with pytest.raises(UsageError, match="schema 1: Invalid JSON"):
        spex.Explanation.from_json("{")


def _refused(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON.")
