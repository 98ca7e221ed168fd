"""Numbers on a scale: expected from log-probs, read in texts, and bounded where little is known."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api import Budget, Prompt, explain_sync
from spex_api.completions import Capabilities, Completion, Message, Outcome, TokenLogprob
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.expectation import expectation
from spex_api.scores.numeric import Numeric
from spex_api.scores.scale import Scale
from spex_api.testing import FunctionAdapter

MESSAGES = (Message("user", "How good is it, from 1 to 5?"),)
SILENT = Capabilities(top_logprobs=0, temperature=False)


def listed(probabilities: dict[str, float], *, most: int = 20) -> TokenLogprob:
    """A token's list; the likeliest is chosen."""
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    top = tuple((text, math.log(mass)) for text, mass in ranked[:most] if mass > 0)
    return TokenLogprob(*top[0], top)


def answer(*tokens: TokenLogprob, **said) -> Completion:
    return Completion("".join(token.token for token in tokens), tokens, **said)


def texts(*said: str) -> list[Completion]:
    return [Completion(text) for text in said]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        (" 7\n", 7),
        ("7.", 7),
        ("**7**", 7),
        ("7/10", 7),
        ("7 out of 10", 7),
        ("7, since two points are missing", 7),
        ("Grade: 7", 7),
        ("I'd say 7/10.", 7),
        ("I'd say 10/10.", 10),
        ("7.5", 7.5),
        ("7,5", 7.5),
        ("我给7分", 7),
        ("７", 7),
        ("٧", 7),
        ("GPT-4 gets a 7", 7),
        ("7 and again 7", 7),
        ('{"grade": 7}', 7),
        ("11", None),
        ("-3", None),
        ("−3", None),
        ("0.5", None),
        ("between 6 and 8", None),
        ("6-8", None),
        ("6 to 8", None),
        ("1. It is kind. Grade: 8", None),
        ("1,000", None),
        ("7th", None),
        ("seven", None),
        ("", None),
    ],
)
def test_the_number_that_an_answer_gives(text, number):
    """Where it is plain which; else there is none, and it is never moved to the scale's end."""
    assert Scale(1, 10).number_in(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,000", 1000.0), ("1,000.5", 1000.5), ("0,125", 0.125), ("-2.5", -2.5), ("−2", -2.0)],
)
def test_points_commas_and_signs(text, number):
    """A comma parts thousands or is a point; a minus may be a typographer's."""
    assert Scale(-10.0, 2000.0).number_in(text) == number


@given(st.text(st.sampled_from("0123456789.,-+/ aAé分\n½７٧`*"), max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_text_has_a_number_on_the_scale_or_none(text):
    """Nothing is raised, and nothing off the scale comes out."""
    number = Scale(0, 10).number_in(text)
    assert number is None or 0 <= number <= 10


def test_the_expectation_is_that_of_g_eval():
    """`Σ s p(s)/Σ p(s)`, variants of a number added up, other words left out."""
    token = listed({"4": 0.5, " 4": 0.1, "５": 0.2, "3": 0.1, "Good": 0.1})
    found = Numeric(1, 5).value([answer(token)])
    assert found.value == pytest.approx((4 * 0.6 + 5 * 0.2 + 3 * 0.1) / 0.9)
    assert found.variance == 0.0
    assert not found.censored


def test_a_space_before_the_number_is_passed_over():
    """Some vocabularies begin every answer with one."""
    found = Numeric(1, 5).value([answer(listed({"▁": 1.0}), listed({"2": 0.5, "4": 0.5}))])
    assert found.value == pytest.approx(3.0)


def test_a_number_spelt_in_digits_is_told_by_the_next_token():
    """Of p("1"), what goes on with "0" is 10, and the rest is 1."""
    first = listed({"1": 0.8, "9": 0.2})
    second = listed({"0": 0.75, "<|end|>": 0.25})
    found = Numeric(1, 10).value([answer(first, second)])
    assert found.value == pytest.approx(10 * 0.6 + 1 * 0.2 + 9 * 0.2)
    assert not found.censored


def test_where_the_answer_ended_at_the_digit_it_is_the_number():
    """No list is told for what comes after the last token."""
    assert Numeric(1, 10).value([answer(listed({"1": 0.9, "2": 0.1}))]).value == pytest.approx(1.1)


def test_a_beginning_that_was_not_chosen_is_a_bound():
    """An "1" that may be 1 or 10 counts as 5.5, give or take 4.5 of its share."""
    found = Numeric(1, 10).value([answer(listed({"5": 0.6, "1": 0.4}))])
    assert found.value == pytest.approx(0.6 * 5 + 0.4 * 5.5)
    assert found.censored
    assert math.sqrt(3 * found.variance) == pytest.approx(0.4 * 4.5)
    # Where the vocabulary has 10 itself, 1 is 1.
    whole = Numeric(1, 10).value([answer(listed({"5": 0.6, "1": 0.3, "10": 0.1}))])
    assert whole.value == pytest.approx(0.6 * 5 + 0.3 + 1.0)
    assert not whole.censored


def test_a_small_mass_is_marked_and_none_is_missing():
    """Where the model would rather say something else, the number is an afterthought."""
    found = Numeric(1, 5).value([answer(listed({"The": 0.8, "3": 0.1, "4": 0.1}))])
    assert found.value == pytest.approx(3.5)
    assert found.censored
    assert math.isnan(Numeric(1, 5).value([answer(listed({"The": 1.0}))]).value)
    assert math.isnan(Numeric(1, 5).value([Completion("3")]).value)


def test_decimals_and_what_was_withheld_have_no_expectation():
    """The first token of 0.83 is no 0."""
    decimal = answer(listed({"0": 1.0}), listed({".": 1.0}), listed({"83": 1.0}))
    assert math.isnan(Numeric(0, 1).value([decimal]).value)
    refused = answer(listed({"3": 1.0}), outcome=Outcome.REFUSED)
    assert math.isnan(Numeric(1, 5).value([refused]).value)


def _split(distribution, *, digits: bool):
    """The tokens of the likeliest answer on a vocabulary with numbers whole, or digit by digit."""
    if not digits:
        return [{str(number): mass for number, mass in distribution.items()}]
    first: dict[str, float] = {}
    for number, mass in distribution.items():
        first[str(number)[0]] = first.get(str(number)[0], 0.0) + mass
    chosen = max(first, key=first.get)
    begun = {n: m / first[chosen] for n, m in distribution.items() if str(n)[0] == chosen}
    second = {str(number)[1:] or "<|end|>": mass for number, mass in begun.items()}
    return [first, second]


@given(
    st.lists(st.floats(1e-4, 1.0), min_size=11, max_size=11),
    st.integers(1, 12),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_the_bound_holds(weights, most, digits):
    """The expectation over all numbers is within the bound of that over those listed."""
    masses = [weight / math.fsum(weights) for weight in weights]
    distribution = dict(zip(range(1, 11), masses, strict=False))
    places = _split(distribution, digits=digits)
    places[0]["word"] = masses[10]
    tokens = [listed(place, most=most) for place in places]
    if not tokens[0].token.isdecimal():
        tokens = tokens[:1]
    found = expectation(tokens, Scale(1, 10))
    if not found.known:
        return
    numbers = math.fsum(distribution.values())
    truth = math.fsum(n * mass for n, mass in distribution.items()) / numbers
    allowed = math.sqrt(3 * found.variance) if found.censored else 0.05 * 9
    assert abs(found.value - truth) <= allowed + 1e-9


def test_numbers_in_texts_are_averaged_with_their_variance():
    """Answers without a number count for nothing, and a mask without any has no value."""
    score = Numeric(1, 10, samples=4)
    found = score.value(texts("6", "8", "none", "7"))
    assert found.value == pytest.approx(7.0)
    assert found.variance == pytest.approx((2 + 0.25) / 9)
    assert math.isnan(score.value(texts("none", "", "12")).value)


def test_equal_whole_numbers_still_have_a_variance():
    """Three equal ones do not show that all are."""
    assert Numeric(1, 10, samples=3).value(texts("7", "7", "7")).variance > 0
    assert Numeric(1, 10, samples=1).value(texts("7")).variance == 0


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_the_variance_is_that_of_the_mean(share):
    """Over draws of 10 between two neighbouring numbers, within a fifth."""
    rng = np.random.default_rng(0)
    score = Numeric(1, 10, samples=10)
    found = [
        score.value(texts(*(str(6 + int(hit)) for hit in rng.random(10) < share)))
        for _ in range(600)
    ]
    spread = np.var([each.value for each in found])
    told = np.mean([each.variance for each in found])
    # At one half it is right; elsewhere a little is added for what equal numbers hide.
    assert spread * 0.8 < told < spread * 1.25


def test_what_is_asked_follows_the_endpoint():
    """One short answer with log-probs; ten samples without; the likeliest for one."""
    (request,) = Numeric(1, 5).requests(MESSAGES, Capabilities(top_logprobs=20))
    assert (request.max_tokens, request.top_logprobs, request.temperature) == (4, 20, 0.0)
    sampled = Numeric(1, 5).requests(MESSAGES, SILENT)
    assert [each.sample_index for each in sampled] == list(range(10))
    assert {each.top_logprobs for each in sampled} == {0}
    drawn = Numeric(0.0, 1.0).requests(MESSAGES, Capabilities(samples_at_once=8))
    assert [each.num_samples for each in drawn] == [8, 2]
    (one,) = Numeric(1, 5, samples=1).requests(MESSAGES, Capabilities())
    assert (one.temperature, one.top_logprobs) == (0.0, 0)


def test_what_is_missing_is_told_before_the_rest_is_paid_for():
    """No log-probs, or no numbers: with an answer, and what to do."""
    with pytest.raises(ScoreError, match=r"without log-probs.*samples=10"):
        Numeric(1, 5).check([texts("3"), texts("4")])
    words = answer(listed({"Good": 1.0}))
    with pytest.raises(ScoreError, match=r"2 have no number from 1 to 5.*'Good'"):
        Numeric(1, 5).check([[words], [words]])
    Numeric(1, 5).check([[words], [answer(listed({"3": 1.0}))]])
    with pytest.raises(ScoreError, match="no number from 1 to 5"):
        Numeric(1, 5, samples=2).check([texts("so", "so")])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Numeric(5, 1),
        lambda: Numeric(1, 1),
        lambda: Numeric(0, math.inf),
        lambda: Numeric("1", 5),
        lambda: Numeric(1, 5, samples=0),
        lambda: Numeric(1, 5, max_tokens=0),
    ],
)
def test_misuse_is_told_at_once(wrong):
    """Nothing is asked with it."""
    with pytest.raises(UsageError):
        wrong()


def test_it_prints_as_python():
    """The same value comes of its text, and 0 to 1 is not 0.0 to 1.0."""
    for score in (Numeric(1, 5), Numeric(0.0, 1.0, samples=3, max_tokens=8, max_censored=0.1)):
        assert eval(repr(score)) == score  # noqa: S307 - our own repr
    assert Numeric(0, 1) != Numeric(0.0, 1.0)


def test_an_expected_number_is_explained():
    """Two words that matter together are found in the expectation, and a replay agrees."""

    def grade(messages):
        words = set(messages[-1].content.split())
        rise = 0.1 + 0.5 * ({"never", "fails"} <= words) + 0.1 * ("us" in words)
        return {"4": math.log(rise), "2": math.log(1 - rise)}

    prompt = Prompt.from_template("{text}", text="it never ever fails us here")
    arguments = {"score": Numeric(1, 5), "budget": Budget(requests=64), "index": "FBII"}
    explanation = explain_sync(prompt, FunctionAdapter(grade), **arguments)
    pairs = [s for s in explanation.interactions.strongest() if len(s) == 2]
    assert pairs[0] == (1, 3)
    for mask in product((0, 1), repeat=6):
        kept = [word for word, keep in zip(prompt.features, mask, strict=True) if keep]
        rise = 0.1 + 0.5 * ({"never", "fails"} <= set(kept)) + 0.1 * ("us" in kept)
        assert explanation.predict(np.array([mask]))[0] == pytest.approx(2 + 2 * rise, abs=0.05)
    replayed = explain_sync(prompt, FunctionAdapter(grade), mode="replay", **arguments)
    assert replayed.to_json() == explanation.to_json()
    assert json.loads(explanation.to_json())["provenance"]["meaning"].startswith("expected number")
