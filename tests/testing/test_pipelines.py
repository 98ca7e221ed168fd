"""Planted pipelines answer by their rule and their noise, and know their own cause."""

from __future__ import annotations

import asyncio

import pytest

from spex_api.claims import Cause, Kind
from spex_api.errors import UsageError
from spex_api.testing import planted_pipeline


def outcome(pipeline, *removed):
    """Whether the outcome holds where these documents are left out."""
    documents = [text for place, text in enumerate(pipeline.documents) if place not in removed]
    answer = asyncio.run(pipeline.answer("How many days?", documents))
    return pipeline.holds(answer)


@pytest.mark.parametrize("num_parts", [2, 3])
def test_parts_that_need_each_other(num_parts):
    """Whichever is removed, the answer flips."""
    pipeline = planted_pipeline(Kind.TOGETHER, num_parts=num_parts, seed=1)
    assert len(pipeline.features) == num_parts
    assert outcome(pipeline)
    assert not any(outcome(pipeline, place) for place in pipeline.features)
    assert outcome(pipeline, next(i for i in range(20) if i not in pipeline.features))


@pytest.mark.parametrize("num_parts", [2, 3])
def test_redundant_parts(num_parts):
    """The answer flips where all of them are removed, and not before."""
    pipeline = planted_pipeline(Kind.REDUNDANT, num_parts=num_parts, seed=1)
    assert outcome(pipeline, *pipeline.features[1:])
    assert outcome(pipeline, *pipeline.features[:-1])
    assert not outcome(pipeline, *pipeline.features)


def test_a_suppressor():
    """Removing it brings the right answer, but not where what it holds back is removed too."""
    pipeline = planted_pipeline(Kind.SUPPRESSOR, seed=1)
    [held_back] = set(pipeline.features) - set(pipeline.suppressors)
    assert pipeline.looked_for == "15 days"
    assert outcome(pipeline)
    assert not outcome(pipeline, *pipeline.suppressors)
    assert outcome(pipeline, *pipeline.features)
    assert outcome(pipeline, held_back)


def test_no_cause():
    """The answer is the same with any one document removed, and with all of them."""
    pipeline = planted_pipeline(None, seed=1)
    assert outcome(pipeline, *range(20))
    assert all(outcome(pipeline, place) for place in range(20))


def test_one_part_and_how_it_is_told():
    """The planted cause is known by kind, features and suppressors, whatever is claimed of it."""
    pipeline = planted_pipeline(Kind.ALONE, seed=1)
    assert not outcome(pipeline, *pipeline.features)
    assert "25 days" in pipeline.documents[pipeline.features[0]]
    assert pipeline.is_planted(Cause(Kind.ALONE, pipeline.features, ()))
    assert not pipeline.is_planted(Cause(Kind.MIXED, pipeline.features, ()))
    assert not pipeline.is_planted(Cause(Kind.ALONE, (*pipeline.features, 20), ()))


def test_places_depend_on_the_seed():
    """The documents are different ones, and the cause stands in many places."""
    pipelines = [planted_pipeline(Kind.ALONE, seed=seed) for seed in range(30)]
    assert len({pipeline.features for pipeline in pipelines}) > 10
    assert all(len(set(pipeline.documents)) == 20 for pipeline in pipelines)


def test_noise_flips_a_tenth_of_the_answers_and_follows_no_order():
    """Repeats are fresh; two that ask the same in another order get the same of each."""
    pipeline = planted_pipeline(Kind.ALONE, noise=0.1, seed=1)
    without = [outcome(pipeline, *pipeline.features) for _ in range(300)]
    unchanged = [outcome(pipeline) for _ in range(300)]
    assert 10 < sum(without) < 60
    assert 10 < 300 - sum(unchanged) < 60
    again = planted_pipeline(Kind.ALONE, noise=0.1, seed=1)
    assert [outcome(again) for _ in range(300)] == unchanged
    assert [outcome(again, *again.features) for _ in range(300)] == without
    assert len(again.asked) == 600
    assert again.asked[0] == tuple(range(20))


def test_the_arguments():
    """They are those of the function, with all documents in."""
    pipeline = planted_pipeline(Kind.ALONE, num_documents=5)
    answer = asyncio.run(pipeline.answer(**pipeline.inputs))
    assert answer == "You have 25 days of annual leave."
    assert pipeline.asked == [(0, 1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (Kind.MIXED, {}, "no cause of kind MIXED"),
        (Kind.ALONE, {"num_parts": 2}, "ALONE with 2 parts"),
        (Kind.TOGETHER, {"num_documents": 2}, "3 to 66 documents, not 2"),
        (None, {"num_documents": 65}, "1 to 64 documents, not 65"),
        (None, {"noise": 0.6}, "not 0.6"),
    ],
)
def test_what_cannot_be_planted(kind, settings, said):
    """The error says what there is to plant."""
    with pytest.raises(UsageError, match=said):
        planted_pipeline(kind, **settings)
