"""The log-prob of a target: the same number by every way, or a plain word of what it is instead."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api.completions import Ask, Capabilities, Completion, Message, Outcome, TokenLogprob, Way
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.forced_target import ForcedTarget
from spex_api.scores.score import Opening
from spex_api.scores.target import TargetLogProb
from spex_api.scores.token_spelling import SpeltText, TokenSpelling
from tests.scores.toy_server import END, ToyServer, ask, cut, logprobs, piece, truth

WHOLE = ask("Where is the tower?")
MASKED = ask("Where is the?")
PARIS = SpeltText("Paris is", TokenSpelling(("Paris", " is")))


def can(*ways, **others):
    """An endpoint with these ways."""
    return Capabilities(ways=ways, **others)


def opened(score, server, capabilities, messages=WHOLE):
    """The score once it has asked all that it must, and how many rounds that took."""
    rounds = 0
    while isinstance(score, Opening) and (asked := score.opening(messages, capabilities)):
        score = score.opened([server.answer(each) for each in asked], capabilities)
        rounds += 1
    return score, rounds


def measured(score, server, capabilities, messages=MASKED):
    """The value under a mask."""
    return score.value([server.answer(each) for each in score.requests(messages, capabilities)])


@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("tells_ids", [True, False])
@pytest.mark.parametrize("tokenizes", [True, False])
def test_every_way_tells_the_truth(way, tells_ids, tokenizes):
    """The answer to the whole prompt has one log-prob under a mask, however it is asked for."""
    server, capabilities = ToyServer(tells_ids=tells_ids), can(way, tokenizes=tokenizes)
    score, _ = opened(TargetLogProb(), server, capabilities)
    scored = measured(score, server, capabilities)
    assert scored.value == pytest.approx(truth("Where is the?", cut("Paris is big")))
    assert not scored.censored
    assert score.meaning == "log-prob of 'Paris is big', in nats"


@given(
    st.lists(st.sampled_from(["P", "ari", "Paris", " ", "is", " big", "\n", "é"]), min_size=1),
    st.booleans(),
)
@settings(max_examples=60)
def test_any_text_has_the_same_logprob_by_every_way(parts, per_token):
    """Whatever the text, spelt in the model's own tokens, ways agree to the last digits."""
    text, server = "".join(parts), ToyServer()
    ids = cut(text)
    expected = truth("Where is the?", ids) / (len(ids) if per_token else 1)
    for way in (Way.PROMPT_LOGPROBS, Way.ECHO, Way.GRAMMAR, Way.STEPS):
        if way is Way.STEPS and "é" in text:
            continue
        capabilities = can(way, tokenizes=True)
        score, _ = opened(TargetLogProb(text, per_token=per_token), server, capabilities)
        assert measured(score, server, capabilities).value == pytest.approx(expected)


def test_the_mean_a_token_is_said_to_be_one():
    """The sum by the number of tokens."""
    server, capabilities = ToyServer(), can(Way.GRAMMAR)
    score, _ = opened(TargetLogProb(per_token=True), server, capabilities)
    assert score.meaning == "mean log-prob a token of 'Paris is big', in nats"
    expected = truth("Where is the?", cut("Paris is big")) / 3
    assert measured(score, server, capabilities).value == pytest.approx(expected)


def test_the_best_way_is_taken_unless_another_is_wanted():
    """The endpoint names its ways from the best on."""
    server, capabilities = ToyServer(), can(Way.ECHO, Way.STEPS)
    assert opened(TargetLogProb(), server, capabilities)[0].way is Way.ECHO
    assert opened(TargetLogProb(way="steps"), server, capabilities)[0].way is Way.STEPS


def test_numbers_that_are_told_need_no_further_question():
    """The answer comes with them, so a grammar is made of them at once."""
    server, capabilities = ToyServer(), can(Way.GRAMMAR, tokenizes=True)
    score, rounds = opened(TargetLogProb(), server, capabilities)
    assert rounds == 1
    (request,) = score.requests(MASKED, capabilities)
    assert request.target.tokens == cut("Paris is big")
    assert request.max_tokens == 3


def test_numbers_that_are_not_told_are_asked_for():
    """A given text, and an answer without numbers, are cut by the endpoint."""
    capabilities = can(Way.GRAMMAR, tokenizes=True)
    given_text, _ = opened(TargetLogProb("Paris"), ToyServer(), capabilities)
    written, rounds = opened(TargetLogProb(), ToyServer(tells_ids=False), capabilities)
    assert given_text.target.spelling.ids == cut("Paris")
    assert written.target.spelling.ids == cut("Paris is big")
    assert rounds == 2


def test_an_odd_spelling_sends_it_step_by_step():
    """A grammar that is a text was spelt in characters, so its log-prob would be another one."""
    server = ToyServer(tells_ids=False, respells=True)
    capabilities = can(Way.GRAMMAR, Way.STEPS)
    score, rounds = opened(TargetLogProb(), server, capabilities)
    assert (score.way, rounds) == (Way.STEPS, 2)
    scored = measured(score, server, capabilities)
    assert scored.value == pytest.approx(truth("Where is the?", cut("Paris is big")))


def test_an_odd_spelling_is_said_where_there_is_no_other_way():
    """It is still one spelling's log-prob, the same one under every mask."""
    server = ToyServer(tells_ids=False, respells=True)
    score, _ = opened(TargetLogProb(), server, can(Way.GRAMMAR))
    assert "spelt 'P' + 'ari' + 's' + ' ' + 'is'" in score.meaning
    expected = truth("Where is the?", cut("Paris is big", oddly=True))
    assert measured(score, server, can(Way.GRAMMAR)).value == pytest.approx(expected)


def test_a_spelling_that_nobody_can_compare_is_said():
    """A given text, no numbers, and no word on how the endpoint cuts it."""
    server = ToyServer(tells_ids=False)
    score, rounds = opened(TargetLogProb("Paris"), server, can(Way.GRAMMAR))
    assert rounds == 1
    assert "whether they are the model's own is not known" in score.meaning
    assert measured(score, server, can(Way.GRAMMAR)).value == pytest.approx(
        truth("Where is the?", cut("Paris"))
    )


def test_a_grammar_that_is_not_kept_is_given_up():
    """The next way is taken, and where there is none, the first token is read and that is said."""
    capabilities = can(Way.GRAMMAR)
    (asked,) = TargetLogProb("is").opening(WHOLE, capabilities)
    assert asked.target is not None
    said = Completion("no", (TokenLogprob("no", -0.5, (("no", -0.5), ("is", -2.0))),))
    score = TargetLogProb("is").opened([said], capabilities)
    assert score.way is None
    assert "the first token's beginning 'is'" in score.meaning
    assert "tells no more of a given text" in score.meaning
    assert score.value([said]).value == pytest.approx(-2.0)
    forced = TargetLogProb("is", way="grammar")
    with pytest.raises(ScoreError, match="keeps to no grammar"):
        forced.opened([said], capabilities)


def test_another_spelling_under_a_mask_has_no_value():
    """The log-prob of other tokens is another number, though the text is the same."""
    score = ForcedTarget(PARIS, Way.GRAMMAR)
    oddly = [TokenLogprob(each, -1.0) for each in ("P", "aris", " is")]
    assert not score.value([Completion("Paris is", tuple(oddly))]).known
    with pytest.raises(ScoreError, match="in other tokens than the model's own"):
        score.check([[Completion("Paris is", tuple(oddly))]] * 3)


def test_numbers_decide_between_pieces_that_look_alike():
    """Two tokens may have one text, or none of their own."""
    score = ForcedTarget(SpeltText("é", TokenSpelling(("\ufffd", "\ufffd"), (11, 12))), Way.GRAMMAR)

    def answer(*ids):
        return Completion("é", tuple(TokenLogprob("\ufffd", -1.0, token_id=n) for n in ids))

    assert score.value([answer(11, 12)]).value == -2.0
    assert not score.value([answer(11, 13)]).known


def test_the_end_of_the_turn_is_no_part_of_the_target():
    """Neither of the model's own answer, nor of a forced one."""
    server = ToyServer(says="is")
    score, _ = opened(TargetLogProb(), server, can(Way.GRAMMAR))
    assert score.target.spelling.pieces == ("is",)
    tokens = (TokenLogprob("is", -1.0), TokenLogprob("", -9.0), TokenLogprob(END, -9.0))
    known = ForcedTarget(SpeltText("is", TokenSpelling(("is",))), Way.GRAMMAR)
    assert known.value([Completion("is", tokens)]).value == -1.0


def test_a_truncated_answer_is_said_to_be_one():
    """The first so many tokens are the target, and the report says so."""
    server, capabilities = ToyServer(), can(Way.GRAMMAR)
    score, _ = opened(TargetLogProb(max_tokens=2), server, capabilities)
    assert score.meaning == "log-prob of the first 2 tokens of the answer, 'Paris is', in nats"


def test_an_answer_that_is_cut_within_a_character_ends_before_it():
    """Half a character is no text that could be forced."""
    server, capabilities = ToyServer(says="Pé"), can(Way.ECHO)
    score, _ = opened(TargetLogProb(max_tokens=2), server, capabilities)
    assert score.target == SpeltText("P", TokenSpelling(("P",), (0,)), whole=False)


def test_steps_end_before_a_character_of_several_tokens():
    """A turn cannot be begun with half a character, so what goes before it is the target."""
    server, capabilities = ToyServer(says="Paris isé"), can(Way.STEPS)
    score, _ = opened(TargetLogProb(), server, capabilities)
    assert "the first 2 tokens of the answer, 'Paris is'" in score.meaning
    assert "part of a character" in score.meaning
    assert measured(score, server, capabilities).value == pytest.approx(
        truth("Where is the?", cut("Paris is"))
    )


def test_steps_begin_the_turn_and_read_one_token_each():
    """The first question is the plain one; a turn that was begun already is taken further."""
    score = ForcedTarget(PARIS, Way.STEPS)
    plain, begun = score.requests(MASKED, can(Way.STEPS, top_logprobs=7))
    assert plain.messages == MASKED
    assert begun.messages == (*MASKED, Message("assistant", "Paris"))
    assert {(each.max_tokens, each.top_logprobs) for each in (plain, begun)} == {(1, 7)}
    further = (*MASKED, Message("assistant", "It is "))
    _, begun = score.requests(further, can(Way.STEPS))
    assert begun.messages == (*MASKED, Message("assistant", "It is Paris"))
    blocks = (*MASKED, Message.of_blocks("assistant", ("It is ",)))
    _, begun = score.requests(blocks, can(Way.STEPS))
    assert begun.messages[-1].blocks == ("It is ", "Paris")


def test_steps_ask_by_number_where_that_is_taken():
    """An unlikely token then has its exact log-prob, and no list is needed."""
    server = ToyServer(longest_list=1)
    capabilities = can(Way.STEPS, exact_tokens=True)
    score, _ = opened(TargetLogProb(), server, capabilities)
    requests = score.requests(MASKED, capabilities)
    assert [each.exact_tokens for each in requests] == [(n,) for n in cut("Paris is big")]
    scored = measured(score, server, capabilities)
    assert scored.value == pytest.approx(truth("Where is the?", cut("Paris is big")))


@given(st.integers(1, 13), st.sampled_from(["Paris is big", "is", "P is", "big\n\nis"]))
def test_a_token_that_is_not_listed_is_at_its_bound(longest, text):
    """No bound is below the truth; it is marked, and its variance says how little is known."""
    server = ToyServer(longest_list=longest, tells_ids=False, says=text)
    capabilities = can(Way.STEPS, top_logprobs=longest)
    score, _ = opened(TargetLogProb(), server, capabilities)
    scored = measured(score, server, capabilities)
    ids, listed = cut(text), 0
    for place, number in enumerate(ids):
        thought = logprobs("Where is the?", ids[:place])
        ranked = sorted(range(len(thought)), key=lambda n: -thought[n])
        listed += number in ranked[:longest]
    assert scored.value >= truth("Where is the?", ids) - 1e-9
    assert scored.censored == (listed < len(ids))
    assert scored.variance == pytest.approx(2.0 * (len(ids) - listed))


def read(*tokens, outcome=Outcome.ANSWERED):
    """An answer that tells what was read."""
    return Completion(
        "", prompt_tokens=tuple(TokenLogprob(*each) for each in tokens), outcome=outcome
    )


FIRST = ("<s>", math.nan)


@pytest.mark.parametrize("way", [Way.PROMPT_LOGPROBS, Way.ECHO])
def test_what_was_read_ends_with_the_target(way):
    """The last tokens are its own, or make up its text, however they mark a space."""
    score = ForcedTarget(PARIS, way)
    for tail in ([("Paris", -1.0), ("Ġis", -2.0)], [("Pa", -0.5), ("ris", -0.5), (" is", -2.0)]):
        assert score.value([read(FIRST, ("?", -4.0), *tail)]).value == -3.0
    assert score.value([read(FIRST, ("Paris", -1.0), (" is", -2.0), ("", -7.0))]).value == -3.0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (read(FIRST, ("?Paris", -1.0), (" is", -2.0)), "spans the boundary"),
        (read(FIRST, ("Paris", -1.0), (" is", -2.0), ("<|end|>", -1.0)), "put behind it"),
        (read(FIRST, ("Paris", -1.0), (" is", -9999.0)), "is not told"),
        (read(FIRST, ("Paris", math.nan), (" is", -1.0)), "is not told"),
        (read(FIRST, ("?", -1.0), ("Paris", -1.0), (" is", 2.0)), "is above 0"),
        (
            read(FIRST, ("?", 0.0), ("Paris", 0.0), (" is", 0.0)),
            "every log-prob that it tells is 0",
        ),
        (Completion("Oslo"), "ignores that it was asked"),
        (read(FIRST, outcome=Outcome.REFUSED), "declined"),
    ],
)
def test_what_cannot_be_read_has_no_value_and_a_reason(answer, why):
    """A number is never made up; where no answer has one, the run ends with the reason."""
    score = ForcedTarget(PARIS, Way.ECHO)
    assert not score.value([answer]).known
    with pytest.raises(ScoreError, match=why):
        score.check([[answer]] * 3)


def test_one_answer_that_can_be_read_is_enough_to_go_on():
    """Those that cannot be are counted later."""
    good = read(FIRST, ("?", -1.0), ("Paris", -1.0), (" is", -2.0))
    ForcedTarget(PARIS, Way.ECHO).check([[read(FIRST)], [good]])


def test_only_zeros_are_no_logprobs():
    """One answer may be certain to the last digit; not all of them."""
    certain = Completion("Paris is", (TokenLogprob("Paris", 0.0), TokenLogprob(" is", 0.0)))
    score = ForcedTarget(PARIS, Way.GRAMMAR)
    assert score.value([certain]).value == 0.0
    with pytest.raises(ScoreError, match="is 0, so none was computed"):
        score.check([[certain]] * 2)


def test_without_a_way_the_first_token_is_read_and_said():
    """An endpoint with a list and nothing else tells of the first token alone."""
    server = ToyServer(tells_ids=False)
    score, _ = opened(TargetLogProb(), server, can())
    assert score.meaning == (
        "log-prob of 'Paris', the first token of 'Paris is big', in nats; this endpoint tells no "
        "more of a given text"
    )
    expected = logprobs("Where is the?", ())[cut("Paris")[0]]
    assert measured(score, server, can()).value == pytest.approx(expected)


def test_of_a_single_token_the_first_is_all():
    """Then nothing is missing, and nothing is said."""
    score, _ = opened(TargetLogProb(), ToyServer(says="Paris"), can())
    assert score.meaning == "log-prob of 'Paris', in nats"


def test_a_first_token_that_is_not_known_is_any_that_begins_the_text():
    """Their probabilities add up; vocabularies may write a first word with a space."""
    score, _ = opened(TargetLogProb("Paris is"), ToyServer(tells_ids=False), can())
    top = (("P", math.log(0.2)), ("▁Paris", math.log(0.3)), ("is", math.log(0.4)))
    scored = score.value([Completion("is", (TokenLogprob("is", math.log(0.4), top),))])
    assert scored.value == pytest.approx(math.log(0.5))
    unlisted = score.value([Completion("is", (TokenLogprob("is", -0.4, (("is", -0.4),)),))])
    assert (unlisted.censored, unlisted.variance) == (True, 2.0)


def test_an_endpoint_that_can_do_nothing_is_refused_before_asking():
    """Nothing is sent to one without log-probs, or without the way that is wanted."""
    with pytest.raises(ScoreError, match="no log-probs"):
        TargetLogProb().opening(WHOLE, can(top_logprobs=0))
    with pytest.raises(ScoreError, match="by 'echo'"):
        TargetLogProb(way=Way.ECHO).opening(WHOLE, can(Way.STEPS))
    with pytest.raises(ScoreError, match="the texts of its tokens are known"):
        TargetLogProb("Paris", way="steps").opening(WHOLE, can(Way.STEPS))


@pytest.mark.parametrize(
    "answer", [None, Completion("", outcome=Outcome.REFUSED), Completion(""), Completion("", ())]
)
def test_a_prompt_without_an_answer_has_no_target(answer):
    """A refusal or an empty answer is nothing whose log-prob could be explained."""
    with pytest.raises(ScoreError, match=r"got no answer|is empty"):
        TargetLogProb().opened([answer], can(Way.ECHO))


def test_hidden_words_are_no_part_of_the_target():
    """Where tokens do not make up the text, as with hidden reasoning, the text alone counts."""
    tokens = tuple(TokenLogprob(each, -0.1) for each in ("<think>", "so", "</think>", "Paris"))
    score = TargetLogProb().opened([Completion("Paris", tokens)], can(Way.ECHO))
    assert score.target == SpeltText("Paris")


def test_what_the_turn_was_begun_with_is_no_part_of_the_target():
    """llama.cpp says it again before what the model wrote; the tokens are the model's own."""
    tokens = (TokenLogprob(" Paris", -0.1),)
    score = TargetLogProb().opened([Completion("City: Paris", tokens)], can(Way.STEPS))
    assert score.target == SpeltText(" Paris", TokenSpelling((" Paris",)))


def test_planning_needs_no_answer():
    """Before it is opened, the score says how many questions a mask may take; it reads none."""
    score = TargetLogProb(max_tokens=5)
    assert len(score.requests(MASKED, can(Way.STEPS))) == 5
    assert len(score.requests(MASKED, can(Way.GRAMMAR, Way.STEPS))) == 1
    assert score.requests(MASKED, can())[0].target is None
    for read_early in (lambda: score.value([]), lambda: score.check([])):
        with pytest.raises(ScoreError, match="not opened"):
            read_early()


@pytest.mark.parametrize(
    "score",
    [
        TargetLogProb(),
        TargetLogProb("a 'b'", per_token=True, way="grammar", max_tokens=4, max_censored=0.1),
        ForcedTarget(PARIS, Way.STEPS, per_token=True, note="so"),
        ForcedTarget(SpeltText("x", whole=False)),
    ],
)
def test_scores_are_values(score):
    """They equal their like, print as Python, are copied and sent, and cannot be changed."""
    assert eval(repr(score)) == score  # noqa: S307 - our own repr
    assert pickle.loads(pickle.dumps(score)) == score  # noqa: S301 - our own bytes
    assert copy.copy(score) == score
    assert hash(copy.deepcopy(score)) == hash(score)
    with pytest.raises(AttributeError):
        score.way = None


def test_misuse_is_refused_when_a_score_is_made():
    """An empty target, no room for an answer, and a way that there is not."""
    for wrong in (
        lambda: TargetLogProb(""),
        lambda: TargetLogProb(max_tokens=0),
        lambda: TargetLogProb(way="guess"),
        lambda: TokenSpelling(()),
        lambda: TokenSpelling(("a",), (1, 2)),
        lambda: ForcedTarget(SpeltText("a"), Way.STEPS),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_a_cut_that_is_refused_or_other_than_the_text_is_left_alone():
    """The model's own tokens count, not those of a text that was cut otherwise."""
    capabilities = can(Way.ECHO, tokenizes=True)
    draft = TargetLogProb().opened(
        [Completion("Paris", (TokenLogprob("Paris", -1.0),))], capabilities
    )
    assert draft.opening(WHOLE, capabilities)[0].ask is Ask.TOKENS
    assert draft.opened([None], capabilities).target.spelling.ids == ()
    oddly = tuple(TokenLogprob(piece(n), math.nan, token_id=n) for n in cut("Paris", oddly=True))
    assert draft.opened([Completion("", oddly)], capabilities).target.spelling.ids == ()
    numbers = replace(Completion(""), tokens=(TokenLogprob("", math.nan, token_id=3),))
    given_text = TargetLogProb("Paris").opened([numbers], capabilities)
    assert given_text.target.spelling == TokenSpelling(("",), (3,))


def test_a_token_that_was_asked_for_by_number_and_not_told_has_no_bound():
    """What is listed then are the tokens that were asked for, not the likeliest."""
    score = ForcedTarget(SpeltText("is", TokenSpelling(("is",), (5,))), Way.STEPS)
    other = TokenLogprob("big", -0.5, (("big", -0.5), ("is", -1.0)), token_id=7, exact=((6, -3.0),))
    assert not score.value([Completion("big", (other,))]).known


def test_a_mean_has_the_variance_of_a_mean():
    """One of two tokens at its bound: a quarter of the variance that the sum has."""
    score = ForcedTarget(PARIS, Way.STEPS, per_token=True)
    first = TokenLogprob("Paris", -1.0, (("Paris", -1.0),))
    second = TokenLogprob("big", -0.1, (("big", -0.1), ("P", -4.0)))
    scored = score.value([Completion("Paris", (first,)), Completion("big", (second,))])
    assert (scored.value, scored.censored) == (-2.5, True)
    assert scored.variance == pytest.approx(0.5)


def test_a_grammar_that_parts_a_character_may_be_refused():
    """It is tried on the whole prompt; what refuses it is asked step by step, as far as it goes."""
    server, able = ToyServer(says="Paris é"), can(Way.GRAMMAR, Way.STEPS, tokenizes=True)
    draft = TargetLogProb("Paris é")
    draft = draft.opened([server.answer(each) for each in draft.opening(WHOLE, able)], able)
    forced, plain = draft.opening(WHOLE, able)
    assert forced.target.tokens == cut("Paris é")
    assert plain.target is None
    refused = draft.opened([None, server.answer(plain)], able)
    assert refused.way is Way.STEPS
    assert "part of a character" in refused.meaning
    assert measured(refused, server, able).value == pytest.approx(
        truth("Where is the?", cut("Paris "))
    )
    taken = draft.opened([server.answer(forced), server.answer(plain)], able)
    assert taken.way is Way.GRAMMAR
    assert measured(taken, server, able).value == pytest.approx(
        truth("Where is the?", cut("Paris é"))
    )


def test_a_grammar_that_must_be_taken_is_not_left():
    """Where the way is wanted, the refusal is what is told: nothing else is asked beside it."""
    server, able = ToyServer(says="é"), can(Way.GRAMMAR, Way.STEPS, tokenizes=True)
    draft = TargetLogProb("é", way="grammar")
    draft = draft.opened([server.answer(each) for each in draft.opening(WHOLE, able)], able)
    assert [each.target.way for each in draft.opening(WHOLE, able)] == [Way.GRAMMAR]
