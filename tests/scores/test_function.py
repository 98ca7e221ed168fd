"""The user's own number: plain floats, faults that name the answer, and a variance of samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spex_api import Budget, Prompt, explain_sync
from spex_api.completions import Capabilities, Completion, Draw, Message, Outcome, TokenLogprob
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.function import Function
from spex_api.testing import FunctionAdapter

MESSAGES = (Message("user", "Well?"),)


def length(text):
    """How many characters."""
    return float(len(text))


def certainty(completion):
    """The first token's log-prob."""
    return completion.tokens[0].logprob


def numbered(text):
    """The number that an answer is, or none."""
    return float(text) if text.isdecimal() else None


def test_it_is_what_the_function_says():
    """Of the text, and of samples the mean with the variance of the mean."""
    assert Function(length).value([Completion("four")]).value == 4.0
    found = Function(length, samples=3).value(
        [Completion("a"), Completion("ab", others=(Draw("abc"),))]
    )
    assert found.value == pytest.approx(2.0)
    assert found.variance == pytest.approx(1.0 / 3)
    assert Function(len).value([Completion("four")]).value == 4.0
    assert Function(lambda text: np.float64(2)).value([Completion("x")]).value == 2.0


def test_an_answer_without_a_number_is_missing():
    """None and NaN, and what was withheld: never 0."""
    score = Function(numbered, samples=3)
    withheld = Draw("9", Outcome.FILTERED)
    assert score.value([Completion("4", others=(Draw("so"), withheld))]).value == 4.0
    assert math.isnan(score.value([Completion("so")]).value)
    assert math.isnan(Function(lambda text: math.nan).value([Completion("so")]).value)
    assert math.isnan(Function(length).value([Completion("", outcome=Outcome.REFUSED)]).value)


@pytest.mark.parametrize("said", [True, "4", math.inf, [4.0], 1j])
def test_what_is_no_float_is_an_error_that_names_the_answer(said):
    """It is not turned into one."""
    with pytest.raises(ScoreError, match=r"returned .* for the answer 'four', which is no finite"):
        Function(lambda text: said).value([Completion("four")])


def test_a_function_that_fails_names_the_answer():
    """Its own error is behind ours."""
    with pytest.raises(
        ScoreError, match=r"float failed on the answer 'four': ValueError"
    ) as caught:
        Function(float).value([Completion("four")])
    assert isinstance(caught.value.__cause__, ValueError)


def test_one_that_needs_log_probs_is_shown_the_completion():
    """Each sample is a question of its own then, since only the first of several has them."""
    score = Function(certainty, samples=2, needs_logprobs=True)
    asked = score.requests(MESSAGES, Capabilities(samples_at_once=8))
    assert [(each.num_samples, each.sample_index, each.top_logprobs) for each in asked] == [
        (1, 0, 20),
        (1, 1, 20),
    ]
    said = [
        Completion(text, (TokenLogprob(text, value),)) for text, value in (("a", -1.0), ("b", -3.0))
    ]
    withheld = Completion("", outcome=Outcome.REFUSED)
    assert score.value([*said, withheld]).value == pytest.approx(-2.0)
    with pytest.raises(ScoreError, match="needs log-probs"):
        score.requests(MESSAGES, Capabilities(top_logprobs=0))
    drawn = Function(length, samples=9).requests(MESSAGES, Capabilities(samples_at_once=8))
    assert [each.num_samples for each in drawn] == [8, 1]


def test_no_number_at_all_is_told_before_the_rest_is_paid_for():
    """With the first answer."""
    with pytest.raises(ScoreError, match=r"numbered found no number.*'so'"):
        Function(numbered).check([[Completion("so")], [Completion("la")]])
    Function(numbered).check([[Completion("so")], [Completion("4")]])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Function("len"),
        lambda: Function(len, samples=0),
        lambda: Function(len, max_tokens=0),
    ],
)
def test_misuse_is_told_at_once(wrong):
    """Nothing is asked with it."""
    with pytest.raises(UsageError):
        wrong()


def test_it_prints_as_python():
    """Where the function can be imported, the same value comes of its text."""
    for score in (Function(len), Function(len, samples=2, meaning="letters", max_tokens=3)):
        assert eval(repr(score)) == score  # noqa: S307 - our own repr
    assert repr(Function(length)).endswith("test_function.length)")
    assert Function(len, meaning="length, in characters").meaning == "length, in characters"
    assert Function(len, samples=2).meaning == "len of 2 sampled answers"


def test_a_function_of_the_answer_is_explained():
    """The length of an answer that names what it read, word by word."""
    prompt = Prompt.from_template("{text}", text="a bb ccc dddd")

    def say(messages):
        return {messages[-1].content.replace(" ", ""): -0.1}

    explanation = explain_sync(
        prompt, FunctionAdapter(say), score=Function(length), budget=Budget(requests=24)
    )
    assert explanation.provenance.full == 10.0
    masks = np.eye(4)
    np.testing.assert_allclose(explanation.predict(masks), [1, 2, 3, 4], atol=0.1)


def test_a_fault_of_the_function_ends_the_run_with_its_answer():
    """In the midst of a run too."""
    prompt = Prompt.from_template("{text}", text="a bb ccc dddd")

    def fragile(text):
        return 1.0 / text.count("a")

    model = FunctionAdapter(lambda messages: {messages[-1].content or "-": -0.1})
    with pytest.raises(ScoreError, match="fragile failed on the answer .*ZeroDivisionError"):
        explain_sync(prompt, model, score=Function(fragile), budget=Budget(requests=24))
