"""Every lie about log-probs that servers have been seen to tell is told here, and found out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.completions import (
    Completion,
    CompletionRequest,
    Message,
    Outcome,
    Target,
    TokenLogprob,
    Way,
)
from spex_api.querying.probing.sanity import Flaw, echo_flaws, flaws, same_list, stretch

REQUEST = CompletionRequest((Message("user", "Good?"),), top_logprobs=5)
SANE = (("yes", -0.2), ("no", -2.0), ("maybe", -4.0))


def answer(top=SANE, chosen=None, **settings) -> Completion:
    """An answer of one token, which is the first of its list unless another one is chosen."""
    token, logprob = chosen or top[0]
    return Completion(text=token, tokens=(TokenLogprob(token, logprob, tuple(top)),), **settings)


def listed(*logprobs: float) -> tuple[tuple[str, float], ...]:
    """A list of tokens without meaning, with these log-probs."""
    return tuple((f"t{place}", logprob) for place, logprob in enumerate(logprobs))


@given(st.lists(st.floats(-30, 3), min_size=1, max_size=5), st.floats(0.01, 1.0))
def test_what_a_softmax_gives_has_no_flaw(logits, share):
    """Any part of a distribution, likeliest first, with its first token chosen, is sane."""
    total = math.log(math.fsum(map(math.exp, logits)) / share)
    probabilities = sorted((logit - total for logit in logits), reverse=True)
    if len(probabilities) > 1 and not any(probabilities):
        probabilities = [-1e-9 for _ in probabilities]
    assert flaws(answer(listed(*probabilities)), REQUEST) == ()


def test_a_model_that_is_sure_is_no_liar():
    """A chosen token at 0 with real numbers behind it, or alone in its list, is let pass."""
    assert flaws(answer(listed(0.0, -25.3, -27.0)), REQUEST) == ()
    assert flaws(answer(listed(0.0)), REQUEST) == ()


@pytest.mark.parametrize(
    ("raw", "flaw"),
    [
        ('{"choices": [{"message": {"content": "say logprobs"}}]}', Flaw.ABSENT),
        ("not even JSON", Flaw.ABSENT),
        ('{"choices": [{"logprobs": null}]}', Flaw.NULL),
        ('{"choices": [{"logprobs": {"content": []}}]}', Flaw.NULL),
    ],
)
def test_no_logprobs_at_all(raw, flaw):
    """A field that is left out and one that holds nothing are told apart."""
    assert flaws(Completion(text="yes", raw=raw), REQUEST) == (flaw,)


@pytest.mark.parametrize(
    ("top", "chosen", "flaw"),
    [
        ((), ("yes", -0.2), Flaw.LISTLESS),
        (listed(0.0, 0.0, 0.0), None, Flaw.ZEROS),
        (listed(-0.0, 0.0), None, Flaw.ZEROS),
        (listed(0.0, -9999.0, -9999.0), None, Flaw.SENTINELS),
        (listed(-9999.0), None, Flaw.SENTINELS),
        (listed(-0.1, 0.7), None, Flaw.NO_LOGPROB),
        (listed(-0.1, math.nan), None, Flaw.NO_LOGPROB),
        (listed(-0.1, -math.inf), None, Flaw.NO_LOGPROB),
        (listed(900.0, 800.0), None, Flaw.NO_LOGPROB),
        (listed(-0.1, -0.5), None, Flaw.HEAVY),
        (SANE, ("no", -0.2), Flaw.UNEQUAL),
        (SANE, ("elephant", -0.2), Flaw.UNRELATED),
        (listed(-4.0, -0.2), ("t1", -0.2), Flaw.UNSORTED),
        (listed(*[-5.0] * 7), None, Flaw.TOO_LONG),
    ],
)
def test_each_lie_is_found_out(top, chosen, flaw):
    """Each list has one thing wrong with it, and that is said, and nothing else."""
    assert flaws(answer(top, chosen), REQUEST) == (flaw,)


def test_a_chosen_token_that_is_not_told_beside_an_unrelated_list():
    """As a server has answered: the token at −9999, and a list about something else."""
    found = flaws(answer(SANE, ("elephant", -9999.0)), REQUEST)
    assert found == (Flaw.UNTOLD, Flaw.UNRELATED)
    assert all(flaw.is_fatal for flaw in found)


def test_a_sentinel_far_down_the_list_is_no_lie():
    """−9999 behind real numbers is a token that is not told; it adds nothing to the sum."""
    assert flaws(answer(listed(-0.2, -2.0, -9999.0)), REQUEST) == ()


def test_a_drawn_token_may_be_too_unlikely_for_its_list():
    """Above temperature 0 it may stand outside, if the list leaves it the room; at 0 it may not."""
    warm = CompletionRequest(REQUEST.messages, top_logprobs=5, temperature=1.0)
    unlikely, likely = ("elephant", -4.5), ("elephant", -1.0)
    assert flaws(answer(SANE, unlikely), warm) == ()
    assert flaws(answer(SANE, likely), warm) == (Flaw.UNRELATED,)
    assert flaws(answer(SANE, unlikely), REQUEST) == (Flaw.UNRELATED,)


def test_a_token_that_was_forced_may_be_as_unlikely_as_it_is():
    """It need not be in the list of the likeliest, even at 0; what it tells must still be sane."""
    forced = replace(REQUEST, target=Target("elephant", Way.GRAMMAR))
    assert flaws(answer(SANE, ("elephant", -9.0)), forced) == ()
    assert flaws(answer(SANE, ("elephant", 0.7)), forced) == (Flaw.NO_LOGPROB,)
    assert flaws(answer(SANE, ("no", -0.2)), forced) == (Flaw.UNEQUAL,)


def test_tokens_that_were_asked_for_by_number_stand_in_place_of_a_list():
    """A server may list them alone, and the token that was written beside them or not at all."""
    exact = replace(REQUEST, exact_tokens=(7, 9))
    told = TokenLogprob("elephant", -0.2, exact=((7, -3.0), (9, -4.0)))
    assert flaws(Completion(text="elephant", tokens=(told,)), exact) == ()
    bare = replace(told, exact=())
    assert flaws(Completion(text="elephant", tokens=(bare,)), exact) == (Flaw.LISTLESS,)


def test_nothing_is_asked_of_an_answer_that_was_not_to_have_any():
    """Without log-probs in the request, or after a refusal, their lack is no flaw."""
    plain = CompletionRequest(REQUEST.messages)
    assert flaws(Completion(text="yes"), plain) == ()
    for outcome in (Outcome.REFUSED, Outcome.FILTERED):
        assert flaws(Completion(text="", outcome=outcome), REQUEST) == ()


def test_an_answer_that_ends_before_it_begins_is_empty():
    """It is no lie; where a reasoning model was cut off while it thought, log-probs are missing."""
    ended = Completion(text="", finish_reason="stop")
    assert flaws(ended, REQUEST) == (Flaw.EMPTY,)
    assert not Flaw.EMPTY.is_fatal
    assert flaws(Completion(text="", finish_reason="length"), REQUEST) == (Flaw.ABSENT,)


def test_the_same_list_for_every_prompt():
    """Three prompts with one list are suspicious; two, or lists of one token, are not."""
    other = answer((("yes", -0.2), ("no", -2.0), ("maybe", -4.000001)))
    assert same_list([answer()] * 3)
    assert not same_list([answer()] * 2)
    assert not same_list([answer(), answer(), other])
    assert not same_list([answer(listed(0.0))] * 3)
    assert not same_list([Completion(text="")] * 3)


@given(st.floats(0.05, 20))
def test_the_stretch_of_a_temperature_is_its_inverse(temperature):
    """Gaps divided by a temperature have that factor, whatever the sum has become."""
    scaled = tuple((token, logprob / temperature - 0.3) for token, logprob in SANE)
    assert stretch(answer(), answer(scaled)) == pytest.approx(1 / temperature)


def test_the_stretch_of_lists_that_tell_nothing():
    """No shared tokens, no large gap, or no log-probs: nothing can be said."""
    assert stretch(answer(), answer()) == pytest.approx(1.0)
    assert stretch(answer(), answer(listed(-0.2, -2.0))) is None
    assert stretch(answer(listed(-0.6, -0.8)), answer(listed(-0.6, -0.9))) is None
    assert stretch(Completion(text=""), answer()) is None
    assert stretch(answer(listed(-1.0, -1.0)), answer(listed(-0.2, -2.0))) == math.inf


ECHO = (None, -1.0, -2.0, -0.5)


@pytest.mark.parametrize(
    ("logprobs", "found"),
    [
        (ECHO, ()),
        ((*ECHO, -0.1), ()),
        ((-0.1,), (Flaw.ECHO_IGNORED,)),
        ((), (Flaw.ECHO_IGNORED,)),
        ((None, 0.0, 0.0, 0.0), (Flaw.ECHO_ZEROS,)),
        ((0.0, 0.0, 0.0, 0.0), (Flaw.ECHO_ZEROS,)),
        ((-3.0, *ECHO[1:]), (Flaw.ECHO_HEADED,)),
        ((None, None, -2.0, -0.5), (Flaw.ECHO_HOLES,)),
        ((None, -9999.0, -2.0, -0.5), (Flaw.ECHO_HOLES,)),
        ((None, 2.0, -2.0, -0.5), (Flaw.NO_LOGPROB,)),
    ],
)
def test_an_echo_is_that_of_the_prompt(logprobs, found):
    """One log-prob a token, none for the first, not all zero: or a sentence that says which."""
    assert echo_flaws(logprobs, prompt_tokens=4) == found


def test_every_flaw_is_a_sentence_with_a_remedy():
    """Each reads as one, none twice; what is fatal says what to do."""
    for flaw in Flaw:
        assert flaw[0].isupper()
        assert flaw.endswith((".", ")."))
        assert bool(flaw.remedy) == flaw.is_fatal
    assert len(set(Flaw)) == len(Flaw.__members__)
