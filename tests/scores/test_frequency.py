"""Shares of sampled answers: counted, smoothed, with a variance that is right, and explained."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api import Budget, Explanation, LabelFrequency, Prompt, explain_sync
from spex_api.completions import Capabilities, Completion, Draw, Message, Outcome, Usage
from spex_api.errors import ScoreError, UsageError
from spex_api.scores import Pattern, Refusal, Scored

MESSAGES = (Message("user", "Well?"),)
SILENT = Capabilities(top_logprobs=0, concurrency=4, free=True, temperature=False)


def answers(*texts, outcome=Outcome.ANSWERED):
    return [Completion(text, outcome=outcome) for text in texts]


class Coin:
    """A model that says yes with a probability that hangs on two words together."""

    endpoint, model, capabilities = "coin:", "coin", SILENT

    def __init__(self) -> None:
        self.asked = 0

    def body(self, request):
        """As the protocol says."""
        return {"text": request.messages[-1].content, "length": request.max_tokens}

    async def complete(self, request):
        """As the protocol says."""
        self.asked += 1
        words = request.messages[-1].content.split()
        odds = 2.5 if {"never", "fails"} <= set(words) else -1.5
        seed = [*map(ord, request.messages[-1].content), request.sample_index]
        hit = np.random.default_rng(seed).random() < 1 / (1 + math.exp(-odds))
        return self.read(json.dumps("yes" if hit else "no"))

    def read(self, raw):
        """As the protocol says."""
        usage = Usage(requests=1, input_tokens=1, output_tokens=1)
        return Completion(json.loads(raw), model="coin", usage=usage, raw=raw)

    async def aclose(self):
        """Has nothing to give back."""


@given(st.integers(1, 40).flatmap(lambda k: st.tuples(st.integers(0, k), st.just(k))))
def test_log_odds_are_smoothed_and_counts_go_with_them(counts):
    """`log((s + ½)/(k − s + ½))`, finite for all hits and for none, and odd in hits and misses."""
    hits, trials = counts
    score = LabelFrequency("yes", "no", samples=trials)
    found = score.value(answers(*["yes"] * hits, *["no"] * (trials - hits)))
    assert found.value == pytest.approx(math.log((hits + 0.5) / (trials - hits + 0.5)))
    assert found.draws == (hits, trials)
    mirrored = score.value(answers(*["no"] * hits, *["yes"] * (trials - hits)))
    assert mirrored.value == pytest.approx(-found.value)
    assert mirrored.variance == pytest.approx(found.variance)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.8])
def test_the_variance_is_that_of_the_smoothed_log_odds(p):
    """Its mean over draws of 20 is the variance that these have, within a tenth."""
    rng = np.random.default_rng(0)
    score = LabelFrequency("yes", "no", samples=20)
    found = [
        score.value(answers(*["yes"] * hits, *["no"] * (20 - hits)))
        for hits in rng.binomial(20, p, size=4000)
    ]
    values = np.array([each.value for each in found])
    assert np.mean([each.variance for each in found]) == pytest.approx(values.var(), rel=0.1)


def test_the_probability_is_the_share_itself():
    """Free of bias; five equal answers still have a variance, and no counts go out."""
    score = LabelFrequency("yes", "no", samples=5, scale="probability")
    found = score.value(answers(*["yes"] * 5))
    assert found.value == 1.0
    assert found.variance > 0
    assert found.draws is None


def test_at_the_temperature_0_there_is_one_answer_and_no_noise():
    """The value says whether it hits; the question is asked as the likeliest answer's is."""
    score = LabelFrequency("yes", samples=1, scale="probability", temperature=0)
    assert [score.value(answers(text)) for text in ("Yes.", "No.")] == [Scored(1.0), Scored(0.0)]
    (asked,) = score.requests(MESSAGES, Capabilities())
    assert (asked.temperature, asked.num_samples) == (0, 1)
    assert score.meaning == "1 where the likeliest answer holds 'yes', else 0"
    assert eval(repr(score)) == score  # noqa: S307 - our own repr


def test_each_sample_is_a_question_of_its_own():
    """Their indices differ, so none is another's answer; several are drawn at once where it can."""
    score = LabelFrequency("yes", "no", samples=7)
    alone = score.requests(MESSAGES, SILENT)
    assert [each.sample_index for each in alone] == list(range(7))
    assert {each.temperature for each in alone} == {1.0}
    together = score.requests(MESSAGES, Capabilities(samples_at_once=3))
    assert [(each.sample_index, each.num_samples) for each in together] == [(0, 3), (3, 3), (6, 1)]


def test_answers_drawn_at_once_all_count():
    """The first and the others."""
    drawn = Completion("yes", others=(Draw("no"), Draw("yes"), Draw("", Outcome.FILTERED)))
    assert LabelFrequency("yes", "no").counts([drawn]) == (2, 3)


def test_what_was_withheld_is_no_trial_unless_it_is_looked_for():
    """A refusal is neither a hit nor a miss of a label; of `Refusal` it is the hit."""
    declined = answers("I cannot.", outcome=Outcome.REFUSED)
    given_too = answers("yes")
    assert LabelFrequency("yes", "no").counts([*declined, *given_too]) == (1, 1)
    assert math.isnan(LabelFrequency("yes", "no").value(declined).value)
    assert LabelFrequency(match=Refusal()).counts([*declined, *given_too]) == (1, 2)


def test_another_temperature_is_refused_where_none_is_taken():
    """Samples at 1 are not samples at a half."""
    with pytest.raises(ScoreError, match="takes no temperature"):
        LabelFrequency("yes", "no", temperature=0.5).requests(MESSAGES, SILENT)


def test_answers_without_labels_are_told_before_the_rest_is_paid_for():
    """With an excerpt, and what to do."""
    with pytest.raises(ScoreError, match=r"hold none of the labels 'yes', 'no'.*'perhaps'"):
        LabelFrequency("yes", "no").check([answers("perhaps", "maybe")])
    with pytest.raises(ScoreError, match="no share to explain"):
        LabelFrequency(match=Pattern("x")).check([answers("y")])
    LabelFrequency("yes", "no").check([answers("yes", "no")])


@pytest.mark.parametrize(
    "wrong",
    [
        LabelFrequency,
        lambda: LabelFrequency("yes", match=Pattern("x")),
        lambda: LabelFrequency("yes", samples=0),
        lambda: LabelFrequency("yes", scale="odds"),
        lambda: LabelFrequency("yes", temperature=0),
        lambda: LabelFrequency("yes", temperature=0, samples=1),
        lambda: LabelFrequency("yes", temperature=-1),
        lambda: LabelFrequency(match="yes"),
    ],
)
def test_misuse_is_told_at_once(wrong):
    """Nothing is asked with it."""
    with pytest.raises(UsageError):
        wrong()


def test_it_prints_as_python():
    """The same value comes of its text."""
    for score in (
        LabelFrequency("yes", "no"),
        LabelFrequency("yes", samples=3, scale="probability", max_censored=0.1),
        LabelFrequency(match=Pattern("a")),
    ):
        assert eval(repr(score)) == score  # noqa: S307 - our own repr


def test_a_model_without_log_probs_and_temperature_is_explained():
    """Two words that matter together are found from yes and no alone, and a replay agrees."""
    prompt = Prompt.from_template("{text}", text="it never ever fails us here")
    arguments = {
        "score": LabelFrequency("yes", "no", samples=8),
        "budget": Budget(requests=64 * 8),
        "index": "FBII",
    }
    coin = Coin()
    explanation = explain_sync(prompt, coin, **arguments)
    pairs = [s for s in explanation.interactions.strongest() if len(s) == 2]
    assert pairs[0] == (1, 3)
    assert coin.asked == explanation.usage.sent <= 64 * 8
    replayed = explain_sync(prompt, coin, mode="replay", **arguments)
    assert replayed.to_json() == explanation.to_json()


def test_faithfulness_is_that_of_the_shares_and_says_what_was_possible():
    """Log-odds of four draws are nobody's truth: R² is of their shares, beside its ceiling."""
    prompt = Prompt.from_template("{text}", text="it never ever fails us here and now again we say")
    score = LabelFrequency("yes", "no", samples=4)
    explanation = explain_sync(prompt, Coin(), score=score, budget=Budget(requests=150 * 4))
    faith = explanation.faithfulness
    assert 0 < faith.ceiling < 1
    assert faith.value < faith.ceiling + 0.2
    assert "binomial counts" in explanation.reason
    assert f"of about {faith.ceiling:.2f} that draws so few allow" in explanation.to_html()
    again = Explanation.from_json(explanation.to_json())
    assert again.faithfulness == faith
