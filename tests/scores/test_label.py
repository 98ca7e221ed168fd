"""Label log-odds: exact where labels are listed, a bound where one is not, nothing made up."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.completions import Ask, Capabilities, Completion, Message, TokenLogprob
from spex_api.errors import ScoreError, UsageError
from spex_api.scores import Labelled, LabelLogOdds
from spex_api.scores.score import Opening

SCORE = LabelLogOdds("positive", "negative")
QUESTION = (Message("user", "Is it good?"),)


def answer(listed: dict[str, float], chosen: tuple[str, float] | None = None) -> Completion:
    """An answer whose first token has this list of likeliest tokens."""
    top = tuple(sorted(listed.items(), key=lambda pair: -pair[1]))
    token, logprob = chosen or top[0]
    return Completion(text=token, tokens=(TokenLogprob(token, logprob, top),), model="m")


@given(st.floats(0.01, 0.98))
def test_two_listed_labels_give_their_log_odds(p):
    """The value is log p − log q, whatever else is listed."""
    q = 0.99 - p
    scored = SCORE.value([answer({"positive": math.log(p), "negative": math.log(q)})])
    assert scored.value == pytest.approx(math.log(p / q))
    assert not scored.censored


def test_variants_are_one_label():
    """Case and a leading space, in every vocabulary's spelling, add up."""
    listed = {t: math.log(0.1) for t in ("positive", " Positive", "ĠPOSITIVE", "▁positive")}
    scored = SCORE.value([answer({**listed, " negative": math.log(0.2)})])
    assert scored.value == pytest.approx(math.log(0.4 / 0.2))


def test_a_missing_label_is_at_the_last_listed():
    """Its probability is at most that of the least likely token listed."""
    scored = SCORE.value([answer({"positive": math.log(0.5), "maybe": math.log(0.1)})])
    assert scored.value == pytest.approx(math.log(0.5 / 0.1))
    assert scored.censored


def test_a_missing_label_is_within_what_is_left_over():
    """And at most what the list leaves over, where that is less."""
    scored = SCORE.value([answer({"positive": math.log(0.9), "maybe": math.log(0.08)})])
    assert scored.value == pytest.approx(math.log(0.9 / 0.02))
    assert scored.censored


@given(st.floats(0.001, 0.49), st.floats(0.5, 0.9))
def test_the_bound_is_a_bound(rare, common):
    """Hiding the rarer label from the list never makes the value exceed the true log-odds."""
    rest = 1 - rare - common
    shown = {"positive": math.log(common), "other": math.log(max(rest, rare))}
    full = {**shown, "negative": math.log(rare)}
    if rest >= rare:
        hidden = SCORE.value([answer(shown)])
        assert hidden.censored
        assert hidden.value <= SCORE.value([answer(full)]).value + 1e-9


def test_the_sentinel_is_no_number():
    """A token listed at −9999 is not listed."""
    listed = {"positive": math.log(0.6), "maybe": math.log(0.2), "negative": -9999.0}
    scored = SCORE.value([answer(listed)])
    assert scored.censored
    assert scored.value == pytest.approx(math.log(0.6 / 0.2))


def test_the_chosen_token_counts_though_it_is_not_listed():
    """Some servers leave the chosen token out of its own list."""
    scored = SCORE.value([answer({"positive": -0.5}, chosen=("negative", -1.5))])
    assert scored.value == pytest.approx(1.0)
    assert not scored.censored


@pytest.mark.parametrize(
    "completion", [Completion(text=""), answer({"yes": -0.1, "no": -2.5})], ids=["bare", "other"]
)
def test_no_label_is_no_value(completion):
    """Without log-probs, or with neither label, there is no value: not 0 and not −100."""
    scored = SCORE.value([completion])
    assert not scored.known
    assert math.isnan(scored.value)


def test_more_than_two_labels():
    """The first label is held against the sum of the others."""
    score = LabelLogOdds("A", "B", "C")
    listed = {"A": math.log(0.5), "B": math.log(0.2), "C": math.log(0.3)}
    assert score.value([answer(listed)]).value == pytest.approx(0.0)


def test_it_asks_for_as_long_a_list_as_there_is():
    """One token at temperature 0, and the endpoint's longest list."""
    (request,) = SCORE.requests(QUESTION, Capabilities(top_logprobs=7))
    assert (request.max_tokens, request.temperature, request.top_logprobs) == (1, 0.0, 7)


def test_an_endpoint_without_logprobs_is_refused_before_asking():
    """Where none are to be had, nothing is sent."""
    with pytest.raises(ScoreError, match="no log-probs"):
        SCORE.requests(QUESTION, Capabilities(top_logprobs=0))


def test_check_names_a_server_without_logprobs():
    """Answers without log-probs end the run after the first few."""
    with pytest.raises(ScoreError, match="m answered without log-probs"):
        SCORE.check([[Completion(text="positive", model="m")]])


def test_check_names_a_label_of_several_tokens():
    """A label whose beginning is listed is several tokens, and that is said."""
    score = LabelLogOdds("extraordinary", "bad")
    answers = [[answer({" extra": -0.2, " bad": -2.0})]] * 3
    with pytest.raises(ScoreError, match="'extraordinary'.*'extra' is, so the label is several"):
        score.check(answers)


def test_check_accepts_a_label_that_is_listed_once():
    """One list that holds it is enough: censoring is counted later."""
    SCORE.check([[answer({"positive": -0.1})], [answer({"negative": -0.1})]])


@pytest.mark.parametrize(
    "labels", [(), ("one",), ("good", ""), ("very good", "bad"), ("Yes", "yes")]
)
def test_labels_are_different_single_words(labels):
    """Misuse is refused when the score is made."""
    with pytest.raises(UsageError):
        LabelLogOdds(*labels)


def test_a_score_is_a_value():
    """It equals its like, hashes alike, prints as Python, and cannot be changed."""
    score = LabelLogOdds("a", "b", max_censored=0.2)
    assert eval(repr(score)) == score  # noqa: S307 - our own repr
    assert hash(LabelLogOdds("a", "b")) == hash(LabelLogOdds("a", "b"))
    with pytest.raises(AttributeError):
        score.labels = ()


def test_the_labels_that_a_list_holds_are_named():
    """Any variant of a label counts, a sentinel does not; without log-probs there is none."""
    both = {" Positive": -0.2, "negative": -2.0}
    assert SCORE.found([answer(both)]) == ("positive", "negative")
    assert SCORE.found([answer({"positive": -0.2, "negative": -9999.0})]) == ("positive",)
    assert SCORE.found([Completion(text="positive")]) == ()
    assert isinstance(SCORE, Labelled)


BY_NUMBER = LabelLogOdds("yes", "no", token_ids={"yes": (1, 2), "no": (3,)})
EXACT = Capabilities(exact_tokens=True, tokenizes=True)


def numbered(*exact: tuple[int, float], top: tuple[tuple[str, float], ...] = ()) -> Completion:
    """An answer with the log-probs that were asked for by number."""
    return Completion("so", (TokenLogprob("so", -0.1, top, token_id=9, exact=exact),), model="m")


def test_by_number_the_value_is_exact():
    """Variants add up however unlikely they are, and what is listed is of no account."""
    listed = (("yes", -0.1), ("no", -2.0))
    scored = BY_NUMBER.value([numbered((1, -20.0), (2, -20.0), (3, -30.0), top=listed)])
    assert scored.value == pytest.approx(10.0 + math.log(2))
    assert (scored.censored, scored.variance) == (False, 0.0)


def test_the_chosen_token_counts_by_its_number():
    """Some servers tell it apart from those that were asked for."""
    token = TokenLogprob("no", -1.0, token_id=3, exact=((1, -4.0), (2, -4.0)))
    scored = BY_NUMBER.value([Completion("no", (token,))])
    assert scored.value == pytest.approx(math.log(2) - 3.0)


def test_numbers_are_sent_where_they_are_taken():
    """Elsewhere the list is asked for, and read."""
    (request,) = BY_NUMBER.requests(QUESTION, EXACT)
    assert request.exact_tokens == (1, 2, 3)
    (request,) = BY_NUMBER.requests(QUESTION, Capabilities())
    assert (request.exact_tokens, request.top_logprobs) == ((), 20)
    assert BY_NUMBER.value([answer({"yes": -0.5, "no": -1.5})]).value == pytest.approx(1.0)
    assert BY_NUMBER.requests(QUESTION, Capabilities(top_logprobs=0, exact_tokens=True))
    with pytest.raises(ScoreError, match="no log-probs"):
        LabelLogOdds("yes", "no").requests(QUESTION, Capabilities(0, exact_tokens=True))


def test_a_number_that_is_not_told_bounds_nothing():
    """A list that was asked for by number is not one of the likeliest: no bound is made of it."""
    lacking = numbered((1, -1.0), (2, -9999.0), (3, -2.0))
    assert not BY_NUMBER.value([lacking]).known
    assert BY_NUMBER.found([lacking]) == ("no",)
    with pytest.raises(ScoreError, match=r"tokens \[1, 2\] of the label 'yes'"):
        BY_NUMBER.check([[lacking]])


def pieces(*tokens: tuple[str, int]) -> Completion:
    """How an endpoint cuts a text."""
    return Completion("", tuple(TokenLogprob(text, math.nan, token_id=n) for text, n in tokens))


def test_the_numbers_are_found_before_the_first_mask():
    """Every spelling that is one token is a variant; numbers that are known are not asked for."""
    score = LabelLogOdds("yes", "no")
    asked = score.opening(QUESTION, EXACT)
    assert {each.ask for each in asked} == {Ask.TOKENS}
    texts = [each.messages[0].content for each in asked]
    assert texts == [
        *("yes", " yes", "Yes", " Yes", "YES", " YES"),
        *("no", " no", "No", " No", "NO", " NO"),
    ]
    vocabulary = {"yes": 1, " yes": 2, "Yes": 3, "no": 4, "No": 4}
    cuts = [
        pieces((text, vocabulary[text])) if text in vocabulary else pieces(("x", 7), ("y", 8))
        for text in texts
    ]
    found = score.opened([*cuts[:-1], None], EXACT)
    assert found.token_ids == {"yes": (1, 2, 3), "no": (4,)}
    assert isinstance(score, Opening)
    assert found.opening(QUESTION, EXACT) == ()
    assert score.opening(QUESTION, Capabilities(exact_tokens=True)) == ()
    assert score.opening(QUESTION, Capabilities(tokenizes=True)) == ()


def test_cuts_without_pieces_or_without_an_answer():
    """A number alone is taken; where every question was refused, the list is read."""
    score = LabelLogOdds("a", "b")
    size = len(score.opening(QUESTION, EXACT))
    alone = [pieces(("", place // (size // 2))) for place in range(size)]
    assert score.opened(alone, EXACT).token_ids == {"a": (0,), "b": (1,)}
    refused = score.opened([None] * size, EXACT)
    assert refused.token_ids == {"a": (), "b": ()}
    assert refused.opening(QUESTION, EXACT) == ()
    assert refused.requests(QUESTION, EXACT)[0].exact_tokens == ()


def test_a_label_of_several_tokens_is_named_before_anything_is_paid():
    """No spelling of it is one token."""
    score = LabelLogOdds("extraordinary", "bad")
    cuts = [pieces(("extra", 1), ("ordinary", 2))] * len(score.opening(QUESTION, EXACT))
    with pytest.raises(ScoreError, match="cut into 'extra', 'ordinary'"):
        score.opened(cuts, EXACT)


def test_a_bound_says_how_little_is_known():
    """Two square nats for the first label; for another by its share; none where it is exact."""
    score = LabelLogOdds("a", "b", "c")
    assert SCORE.value([answer({"positive": -0.1, "negative": -3.0})]).variance == 0.0
    assert SCORE.value([answer({"positive": -0.1, "other": -3.0})]).variance == pytest.approx(2.0)
    shown = {"a": math.log(0.5), "b": math.log(0.3), "x": math.log(0.1)}
    assert score.value([answer(shown)]).variance == pytest.approx(2.0 / 16)


@pytest.mark.parametrize(
    "token_ids", [{"maybe": (1,)}, {"yes": (1,), "no": (1,)}, {"yes": (1, 1)}, {"yes": (-1,)}]
)
def test_numbers_are_of_one_label_each(token_ids):
    """Misuse is refused when the score is made."""
    with pytest.raises(UsageError):
        LabelLogOdds("yes", "no", token_ids=token_ids)


def test_a_score_with_numbers_is_a_value():
    """It prints as Python, is sent to another process, and equals its like."""
    assert eval(repr(BY_NUMBER)) == BY_NUMBER  # noqa: S307 - our own repr
    assert pickle.loads(pickle.dumps(BY_NUMBER)) == BY_NUMBER  # noqa: S301 - our own bytes
    assert hash(LabelLogOdds("yes", "no", token_ids=BY_NUMBER.token_ids)) == hash(BY_NUMBER)
    assert LabelLogOdds("yes", "no") != BY_NUMBER
