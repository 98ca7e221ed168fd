"""What an explanation claims, tested on the model that it is of."""

from __future__ import annotations

import math
from random import Random

import pytest

import spex_api as spex
from spex_api.causes.confirming import verify_sync
from spex_api.causes.outcome import Outcome
from spex_api.claims import UNCHANGED, Arrangement, Kind
from spex_api.errors import CacheMiss, UsageError
from spex_api.testing import FunctionAdapter

PROMPT = spex.Prompt.from_template("Rate: {text}", text="a b c d e f g h")
LONGER = spex.Prompt.from_template("Rate: {text}", text="a b c d e f g h i j k l")
SCORE = spex.LabelLogOdds("yes", "no")
FAST = {"decoder": "lasso"}
"""Where nothing depends on who decodes."""


def model(rule, *, noise: float = 0.0, seed: int = 0) -> FunctionAdapter:
    """Says yes where the rule holds of the words that are left, but for some noise."""
    random = Random(seed)  # noqa: S311 - noise, not a secret

    def answer(messages) -> dict[str, float]:
        left = set(messages[-1].content.split())
        value = (2.0 if rule(left) else -2.0) + 0.1 * len(left)
        if random.random() < noise:
            value = -value
        return {"yes": -math.log1p(math.exp(-value)), "no": -math.log1p(math.exp(value))}

    return FunctionAdapter(answer)


RULES = [
    (lambda left: "c" in left, Kind.ALONE, (2,)),
    (lambda left: {"b", "e"} <= left, Kind.TOGETHER, (1, 4)),
    (lambda left: "b" in left or "e" in left, Kind.REDUNDANT, (1, 4)),
]


@pytest.mark.parametrize(("rule", "kind", "features"), RULES)
def test_what_is_true_is_confirmed(rule, kind, features):
    """The parts whose removal turns the answer, how they work, and what suffices alone."""
    asked = model(rule)
    explanation = spex.explain_sync(PROMPT, asked, score=SCORE, budget=spex.Budget(200))
    causes = verify_sync(explanation, asked, score=SCORE).causes
    found = {(cause.kind, cause.features) for cause in causes.confirmed}
    assert (kind, features) in found
    assert any(each is Kind.SUFFICIENT for each, _ in found)
    assert causes.outcome == "the answer is 'yes' rather than 'no'"
    assert (causes.threshold, causes.above, causes.advice) == (0.0, True, "")
    assert causes.trials[0].arrangement == UNCHANGED
    assert causes.trials[0].flipped == 0
    assert causes.calls <= 40


def test_what_is_not_true_of_the_model_is_not_confirmed():
    """An explanation of another model claims what this one does not do."""
    wrong = spex.explain_sync(
        PROMPT, model(lambda left: "c" in left), score=SCORE, budget=spex.Budget(200), **FAST
    )
    other = FunctionAdapter(model(lambda left: True).answer, model="other")
    causes = verify_sync(wrong, other, score=SCORE).causes
    assert causes.causes
    assert not causes.confirmed
    assert causes.advice


def test_sampled_answers_are_repeated_until_it_is_sure():
    """Noise of a tenth is seen in the trials, and the cause is confirmed all the same."""
    score = spex.LabelFrequency("yes", "no", samples=1, scale="probability")
    asked = model(lambda left: {"b", "e"} <= left, noise=0.1, seed=3)
    explanation = spex.explain_sync(LONGER, asked, score=score, budget=spex.Budget(300))
    before = len(asked.requests)
    causes = verify_sync(explanation, asked, score=score, budget=spex.Budget(80)).causes
    (cause,) = [each for each in causes.confirmed if each.kind is not Kind.SUFFICIENT]
    assert (cause.kind, cause.features) == (Kind.TOGETHER, (1, 4))
    unchanged, without = causes.trial(UNCHANGED), causes.trial(Arrangement((1,)))
    assert min(unchanged.asked, without.asked) >= 5
    assert without.flipped > without.holds
    assert unchanged.holds > unchanged.flipped
    assert causes.calls == len(asked.requests) - before <= 80  # every answer was a fresh one


def test_a_replay_confirms_the_same(monkeypatch):
    """All answers are on disk by then; with another budget some would be missing."""
    score = spex.LabelFrequency("yes", "no", samples=1, scale="probability")
    asked = model(lambda left: "c" in left, noise=0.1)
    explanation = spex.explain_sync(PROMPT, asked, score=score, budget=spex.Budget(100), **FAST)
    with pytest.raises(CacheMiss):
        verify_sync(explanation, asked, score=score, mode="replay")
    first = verify_sync(explanation, asked, score=score)
    before = len(asked.requests)
    assert verify_sync(explanation, asked, score=score, mode="replay").causes == first.causes
    assert len(asked.requests) == before
    assert spex.Explanation.from_json(first.to_json()).causes == first.causes


def test_where_nothing_is_claimed_it_says_what_to_do():
    """A model that always says the same has no few parts that turn it."""
    asked = model(lambda left: True)
    explanation = spex.explain_sync(PROMPT, asked, score=SCORE, budget=spex.Budget(100), **FAST)
    causes = verify_sync(explanation, asked, score=SCORE, threshold=-5).causes
    assert causes.causes == causes.trials == ()
    assert "nothing to test" in causes.advice


def test_an_explanation_of_a_function_has_no_model_to_ask():
    """It is refused in a sentence."""
    explained = spex.explain_function(
        lambda masks: masks[:, 0] * 1.0, num_features=4, budget=spex.Budget(16)
    )
    with pytest.raises(UsageError, match="no prompt"):
        verify_sync(explained, model(lambda left: True), score=SCORE)


def test_the_outcome_lies_on_the_side_of_the_whole_prompt():
    """0 of a log-odds where it is crossed, half way where it is not, and no answer on the line."""
    crossed = Outcome.of(SCORE, full=-1.0, empty=2.0)
    assert (crossed.threshold, crossed.above) == (0.0, False)
    assert crossed.words == "the answer is 'no' rather than 'yes'"
    assert [crossed.holds(value) for value in (-0.1, 0.0, 0.1, math.nan)] == [
        True,
        None,
        False,
        None,
    ]
    half = Outcome.of(SCORE, full=7.0, empty=3.0)
    assert (half.threshold, half.above) == (5.0, True)
    assert half.words.endswith("is above 5")
    share = spex.LabelFrequency("yes", "no", samples=5, scale="probability")
    assert Outcome.of(share, full=0.8).threshold == 0.5
    with pytest.raises(UsageError, match="no threshold"):
        Outcome.of(spex.TargetLogProb("x"), full=1.0)
    with pytest.raises(UsageError, match="no side"):
        Outcome.beyond(SCORE, 1.0, full=1.0)


def test_of_several_answers_a_mask_the_test_takes_one_at_a_time():
    """Eight answers are eight trials, and count in its cost, whatever the explanation counted."""
    score = spex.LabelFrequency("yes", "no", samples=3)
    asked = model(lambda left: "c" in left, noise=0.1, seed=5)
    explanation = spex.explain_sync(PROMPT, asked, score=score, budget=spex.Budget(300), **FAST)
    before = len(asked.requests)
    verified = verify_sync(explanation, asked, score=score, budget=spex.Budget(60))
    causes = verified.causes
    assert (Kind.ALONE, (2,)) in {(each.kind, each.features) for each in causes.confirmed}
    assert len(asked.requests) - before == causes.calls == sum(t.asked for t in causes.trials)
    assert verified.usage.requests == explanation.usage.requests + causes.calls
    assert {value for trial in causes.trials for value in trial.values} == {0.0, 1.0}
