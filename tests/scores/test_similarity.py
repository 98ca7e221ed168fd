"""How near answers are: by characters in any script, and by embeddings, once for equal texts."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex_api import Budget, Prompt, explain_sync
from spex_api.completions import Ask, Capabilities, Completion, Draw, Message, Outcome, Usage
from spex_api.errors import ScoreError, UsageError
from spex_api.scores.chrf import chrf
from spex_api.scores.similarity import Similarity

MESSAGES = (Message("user", "Tell me about Paris."),)
SILENT = Capabilities(top_logprobs=0, concurrency=4, free=True, temperature=False)
EMBEDS = Capabilities(top_logprobs=0, concurrency=4, free=True, embeds=True)


class Writer:
    """Writes what it reads, without the words of one letter; and embeds by counting letters."""

    endpoint, model = "writer:", "writer"

    def __init__(self, capabilities=EMBEDS) -> None:
        self.capabilities = capabilities
        self.requests = []

    def body(self, request):
        """As the protocol says."""
        return {
            "texts": [message.content for message in request.messages],
            "ask": request.ask,
            "length": request.max_tokens,
        }

    async def complete(self, request):
        """As the protocol says."""
        self.requests.append(request)
        texts = [message.content for message in request.messages]
        if request.ask is Ask.VECTORS:
            said = [[text.count(letter) + 0.01 for letter in "abcdefgh"] for text in texts]
            return self.read(json.dumps({"vectors": said}))
        words = [word for word in texts[-1].split() if len(word) > 1]
        return self.read(json.dumps({"text": " ".join(words)}))

    def read(self, raw):
        """As the protocol says."""
        said = json.loads(raw)
        vectors = tuple(tuple(vector) for vector in said.get("vectors", ()))
        usage = Usage(requests=1, input_tokens=1, output_tokens=1)
        return Completion(said.get("text", ""), vectors=vectors, usage=usage, raw=raw)

    async def aclose(self):
        """Has nothing to give back."""


def test_chrf_as_in_the_paper():
    """By hand: "abcd" and "abce" share 3 of 4 letters, 2 of 3 pairs, 1 of 2 triples, no four."""
    share = (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4
    assert chrf("abcd", "abce") == pytest.approx(share)
    # Precision 1, recall (2/4 + 1/3)/2, over the orders that both have; β = 2.
    recall = (2 / 4 + 1 / 3) / 2
    assert chrf("ab", "abcd") == pytest.approx(5 * recall / (4 + recall))


def test_what_is_missing_weighs_more_than_what_is_besides():
    """Recall counts twice."""
    assert chrf("Paris is big and old", "Paris is big") > chrf(
        "Paris is big", "Paris is big and old"
    )


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("巴黎是首都", "巴黎是法国的首都"),
        ("パリは首都です", "パリはフランスの首都です"),
        ("ปารีสเป็นเมืองหลวง", "ปารีสเป็นเมืองหลวงของฝรั่งเศส"),
        ("باريس عاصمة", "باريس عاصمة فرنسا"),
    ],
)
def test_texts_without_spaces_or_latin_letters_have_a_similarity(text, reference):
    """It is neither 0 nor 1 where they share a part, and more than with another text."""
    assert 0.2 < chrf(text, reference) < 1.0
    assert chrf(text, reference) > chrf("xyz", reference) == 0.0


def test_case_width_and_spaces_do_not_count():
    """The same letters however they are written."""
    assert chrf("ＰＡＲＩＳ  is\nbig", "paris is big") == 1.0
    assert chrf("é", "e\u0301") == 1.0
    assert chrf("ab cd", "abcd") == 1.0


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_it_is_a_share(one, other):
    """From 0 to 1, and 1 of a text with itself unless it is empty."""
    assert 0.0 <= chrf(one, other) <= 1.0
    assert chrf(one, one) in ({1.0} if one.split() else {0.0})


def test_the_whole_prompts_answer_is_asked_first():
    """The likeliest, as a mask asks it; a sample of its own where there is no temperature."""
    capable = Capabilities()
    assert Similarity().opening(MESSAGES, capable) == Similarity().requests(MESSAGES, capable)
    (alone,) = Similarity().opening(MESSAGES, SILENT)
    (masked,) = Similarity().requests(MESSAGES, SILENT)
    assert alone.temperature == masked.temperature == 1.0
    assert alone.sample_index > 1000 > masked.sample_index
    assert Similarity("Paris").opening(MESSAGES, capable) == ()
    opened = Similarity(samples=3, max_tokens=9).opened([Completion("Paris")], capable)
    assert opened == Similarity("Paris", samples=3, max_tokens=9)


@pytest.mark.parametrize(
    "answer", [None, Completion(" "), Completion("No.", outcome=Outcome.REFUSED)]
)
def test_without_an_answer_to_the_whole_prompt_there_is_nothing_to_be_near_to(answer):
    """It is told before a mask is asked."""
    with pytest.raises(ScoreError, match="whole prompt"):
        Similarity().opened([answer], Capabilities())
    with pytest.raises(ScoreError, match="not opened"):
        Similarity().value([Completion("x")])


def test_several_samples_are_averaged_with_their_variance():
    """What was withheld counts for nothing; an empty answer has 0."""
    score = Similarity("ab", samples=3)
    drawn = Completion("ab", others=(Draw(""), Draw("", Outcome.FILTERED)))
    found = score.value([drawn])
    assert found.value == pytest.approx(0.5)
    assert found.variance == pytest.approx(0.5 / 2)
    assert math.isnan(score.value([Completion("ab", outcome=Outcome.REFUSED)]).value)


def test_embeddings_are_asked_once_a_text_and_compared():
    """The text and the different answers in one question; empty ones are not sent, and are 0."""
    score = Similarity("whole", model="vectors", samples=4)
    answers = [Completion("one", others=(Draw("two"), Draw("one"), Draw("")))]
    (asked,) = score.second_requests(answers, EMBEDS)
    assert asked.ask is Ask.VECTORS
    assert [message.content for message in asked.messages] == ["whole", "one", "two"]
    vectors = Completion("", vectors=((1.0, 0.0), (3.0, 4.0), (0.0, 2.0)))
    found = score.value([*answers, vectors])
    assert found.value == pytest.approx((0.6 + 0.0 + 0.6 + 0.0) / 4)
    assert found.variance > 0


def test_there_is_one_question_of_embeddings_whatever_was_answered():
    """A plan counts them by an empty answer; what was withheld is not sent."""
    score = Similarity("whole", model="vectors")
    assert len(score.second_requests([Completion("")], EMBEDS)) == 1
    withheld = [Completion("", outcome=Outcome.FILTERED)]
    assert score.second_requests(withheld, EMBEDS) == ()
    assert math.isnan(score.value(withheld).value)
    assert Similarity("whole").second_requests([Completion("a")], EMBEDS) == ()
    with pytest.raises(ScoreError, match="gives no embeddings"):
        score.second_requests([Completion("a")], SILENT)


def test_embeddings_that_are_not_there_are_told():
    """One that lacks is missing; where all lack, the run ends."""
    score = Similarity("whole", model="vectors")
    lacking = [Completion("one"), Completion("", vectors=((1.0, 0.0),))]
    assert math.isnan(score.value(lacking).value)
    zero = [Completion("one"), Completion("", vectors=((1.0, 0.0), (0.0, 0.0)))]
    assert math.isnan(score.value(zero).value)
    with pytest.raises(ScoreError, match="no embeddings"):
        score.check([lacking, zero])
    score.check([lacking, [Completion("one"), Completion("", vectors=((1.0,), (1.0,)))]])
    with pytest.raises(ScoreError, match="declined"):
        Similarity("whole").check([[Completion("", outcome=Outcome.REFUSED)]])


@pytest.mark.parametrize(
    "wrong",
    [lambda: Similarity(" "), lambda: Similarity(samples=0), lambda: Similarity(max_tokens=0)],
)
def test_misuse_is_told_at_once(wrong):
    """Nothing is asked with it."""
    with pytest.raises(UsageError):
        wrong()


def test_it_prints_as_python_and_says_what_it_is():
    """The same value comes of its text; its unit is told."""
    for score in (
        Similarity(),
        Similarity("a", model="openai:text-embedding-3-small"),
        Similarity(model="", samples=3, max_tokens=5, max_censored=0.1),
    ):
        assert eval(repr(score)) == score  # noqa: S307 - our own repr
    assert "chrF2 from 0 to 1" in Similarity().meaning
    assert "cosine" in Similarity(model="m").meaning


@pytest.mark.parametrize("score", [Similarity(), Similarity(model="")])
def test_a_text_that_changes_is_explained(score):
    """Words that are in the answer matter, those that are not do not; and a replay agrees."""
    prompt = Prompt.from_template("{text}", text="badge x cabbage y")
    writer = Writer()
    arguments = {"score": score, "budget": Budget(requests=60), "index": "FBII", "order": 1}
    explanation = explain_sync(prompt, writer, **arguments)
    assert explanation.provenance.full == pytest.approx(1.0)
    value = dict(explanation.interactions.items())
    least = min(value[(0,)], value[(2,)])
    assert least > 0.05
    assert max(abs(value.get((1,), 0.0)), abs(value.get((3,), 0.0))) < least / 5
    replayed = explain_sync(prompt, Writer(), mode="replay", **arguments)
    assert replayed.to_json() == explanation.to_json()
    vectors = [each for each in writer.requests if each.ask is Ask.VECTORS]
    # Four different answers, one of them empty: each is embedded once.
    assert len(vectors) == (0 if score.model is None else 4)
