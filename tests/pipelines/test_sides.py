"""Where the line is drawn between two kinds of answers, and what is said of each."""

from __future__ import annotations

import math

import numpy as np
import pytest

import spex_api as spex
from spex_api.claims import Causes
from spex_api.completions import Capabilities, Completion, Message, Outcome
from spex_api.errors import ScoreError
from spex_api.pipelines.adapter import FAILED
from spex_api.pipelines.score import pipeline_score, said
from spex_api.pipelines.sides import sides_of
from spex_api.scores import Seconded

ASKED = (Message("user", "documents[0]: a"),)
PLAIN = Capabilities(0, temperature=False)
NUMBER = pipeline_score(spex.Function(float, meaning="number of days"))
FAILURE = Completion("KeyError: 3", finish_reason=FAILED)


@pytest.mark.parametrize(
    ("matcher", "yes", "no"),
    [
        (spex.Says("25"), "the answer says '25'", "the answer does not say '25'"),
        (spex.Words("a"), "the answer says 'a'", "the answer does not say 'a'"),
        (spex.Words("a", "b", "c"), "the answer is 'a' rather than 'b' or 'c'",
         "the answer is not 'a'"),
        (spex.Pattern("a+"), "the answer matches /a+/", "the answer does not match /a+/"),
        (spex.JsonField("a", 1), "the answer has a = 1", "the answer does not have a = 1"),
        (spex.ToolCalled("look"), "the answer has a call of look",
         "the answer has no call of look"),
        (spex.Refusal(), "the answer is a refusal", "the answer is no refusal"),
        (spex.Predicate(str.isupper), "the answer is a hit (what str.isupper accepts)",
         "the answer is no hit (what str.isupper accepts)"),
    ],
)  # fmt: skip
def test_a_hit_and_a_miss_are_clauses(matcher, yes, no):
    """Each matcher in its own words."""
    assert said(matcher) == (yes, no)


@pytest.mark.parametrize(("full", "above"), [(1.0, True), (0.0, False)])
def test_a_hit_draws_the_line_itself(full, above):
    """And the unchanged answer says which side is the outcome's."""
    sides = sides_of(pipeline_score("25"), np.array([full, 1.0, 1.0, 0.0]))
    assert (sides.outcome.threshold, sides.outcome.above) == (0.5, above)
    assert {sides.outcome.words, sides.otherwise} == set(said(spex.Says("25")))
    assert sides.outcome.holds(full) is True


def test_other_values_fall_apart_where_they_do():
    """Into the two parts whose means differ most, whatever their sizes; holes draw nothing."""
    values = np.array([9.0, 8.0, math.nan, 8.5, 1.0, 2.0, 9.5, 8.8])
    sides = sides_of(NUMBER, values)
    assert sides.outcome.words == "the number of days is above 5"
    assert sides.otherwise == "the number of days is below 5"
    assert [sides.outcome.holds(value) for value in (8.0, 2.0, math.nan)] == [True, False, None]


def test_where_all_values_are_the_same_there_is_no_line():
    """Nor where there is only one."""
    assert sides_of(NUMBER, np.array([3.0, math.nan, 3.0])) is None
    assert sides_of(NUMBER, np.array([3.0, math.nan])) is None


def test_causes_say_on_which_side_their_outcome_is():
    """Also where most unchanged answers turned out to be on the other one."""
    sides = sides_of(pipeline_score("25"), np.array([1.0, 0.0]))
    for words, above in ((sides.outcome.words, True), (sides.otherwise, False)):
        drawn = sides.drawn(Causes(words, (), (), 0))
        assert (drawn.threshold, drawn.above, drawn.outcome) == (0.5, above, words)


@pytest.mark.parametrize("score", [spex.Says("3"), spex.Function(len), spex.Numeric(0, 9)])
def test_an_exception_has_no_value_even_if_its_text_would(score):
    """A hit in an error's message is none."""
    read = pipeline_score(score)
    assert len(read.requests(ASKED, PLAIN)) == 1
    assert not read.value([FAILURE]).known
    assert read.value([Completion("3")]).known


def test_of_several_runs_those_count_that_answered():
    """The mean of what there is."""
    read = pipeline_score(spex.Function(float, samples=3))
    assert len(read.requests(ASKED, PLAIN)) == 3
    assert read.value([Completion("2"), FAILURE, Completion("4")]).value == 3.0


def test_a_refusal_hits_and_an_exception_is_none():
    """What was withheld has a value only where it is looked for."""
    withheld = Completion("", outcome=Outcome.REFUSED)
    read = pipeline_score(spex.Refusal())
    assert [read.value([each]).value for each in (withheld, Completion("No."))] == [1.0, 0.0]
    assert not read.value([FAILURE]).known
    assert not pipeline_score("No").value([withheld]).known


def test_the_first_runs_are_looked_at_before_the_rest():
    """That none hits is an answer; that most are exceptions, or none holds a number, is not."""
    pipeline_score("25").check([[Completion("15")], [FAILURE]])
    with pytest.raises(ScoreError, match="Of the first 3 masks, 2 let .* KeyError: 3"):
        pipeline_score("25").check([[Completion("15")], [FAILURE], [FAILURE]])
    with pytest.raises(ScoreError, match="no number"):
        pipeline_score(spex.Numeric(0, 9)).check([[Completion("none")]])


def test_a_second_model_is_asked_about_answers_only():
    """Not about exceptions."""
    read = pipeline_score(spex.Judge("openai:x", "Good?"))
    assert isinstance(read, Seconded)
    assert read.second_model == "openai:x"
    assert len(read.second_requests([Completion("a")], PLAIN)) == 1
    assert read.second_requests([FAILURE], PLAIN) == ()
    assert pipeline_score("25").second_requests([Completion("a")], PLAIN) == ()
    assert pipeline_score("25").second_model == ""


def test_a_score_that_needs_to_know_something_first_is_opened():
    """It stays one of runs."""
    read = pipeline_score("auto")
    assert len(read.opening(ASKED, PLAIN)) == 1
    opened = read.opened([Completion("25 days")], PLAIN)
    assert opened.opening(ASKED, PLAIN) == ()
    assert opened.value([Completion("25 days")]).value == 1.0
    assert not opened.value([FAILURE]).known
    assert pipeline_score("25").opened([], PLAIN) == pipeline_score("25")
    assert repr(pipeline_score("25")) == "Says('25')"
