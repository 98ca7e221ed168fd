"""`[score]` says which number is read."""

from __future__ import annotations

import pytest

from spex_api.cli.job import job_of
from spex_api.errors import SpecError
from spex_api.scores import LabelFrequency, LabelLogOdds
from spex_api.spec import check_spec


def score_of(**table):
    prompt = {"template": "{text}", "text": "a b"}
    tables = {"prompt": prompt, "score": {"labels": ["yes", "no"], **table}}
    return job_of(check_spec(tables, source="test")).score


def test_log_odds_are_the_default():
    """One answer a mask."""
    assert score_of() == LabelLogOdds("yes", "no")


def test_a_frequency_takes_its_samples():
    """And has ten where none are said."""
    assert score_of(kind="label_frequency", samples=3) == LabelFrequency("yes", "no", samples=3)
    assert score_of(kind="label_frequency") == LabelFrequency("yes", "no")


def test_samples_of_what_is_not_sampled_are_refused():
    """They would be ignored, and somebody counted on them."""
    with pytest.raises(SpecError, match="needs one answer a mask"):
        score_of(samples=3)
