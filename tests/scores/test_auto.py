"""The score that is chosen follows what the endpoint truly answers, and says why."""

from __future__ import annotations

import asyncio
import html
import json
import math
from dataclasses import dataclass, field

import pytest

from spex_api import Budget, LabelFrequency, LabelLogOdds, Prompt, explain_sync
from spex_api.completions import (
    Capabilities,
    Completion,
    Outcome,
    TokenLogprob,
    Usage,
    Way,
)
from spex_api.errors import BadRequest, ScoreError, UsageError
from spex_api.events import Notice
from spex_api.querying.opening import open_score
from spex_api.scores import Labelled
from spex_api.scores.auto import Auto, as_score
from spex_api.scores.chosen import Chosen, ChosenLabelled
from spex_api.scores.forced_target import ForcedTarget
from spex_api.scores.similarity import Similarity

PROMPT = Prompt.from_template("{text}", text="it never ever fails us here")
WHOLE = PROMPT.render([1] * 6)
LISTS = Capabilities(concurrency=4, free=True)
SILENT = Capabilities(top_logprobs=0, concurrency=4, free=True)
STEPS = Capabilities(concurrency=4, free=True, ways=(Way.STEPS,))


@dataclass
class Endpoint:
    """Answers "yes" the likelier the more it reads, or whatever it is told to say.

    Attributes:
        capabilities: what it claims.
        says: the tokens of every answer; () for yes or no.
        refuses: whether it refuses to give log-probs.
        silent: whether it leaves them out without a word.
        outcome: of every answer.
    """

    capabilities: Capabilities = LISTS
    says: tuple[str, ...] = ()
    refuses: bool = False
    silent: bool = False
    outcome: Outcome = Outcome.ANSWERED
    model: str = "endpoint"
    endpoint: str = "endpoint:"
    requests: list = field(default_factory=list)

    def body(self, request):
        """As the protocol says."""
        return {
            "texts": [[message.role, message.content] for message in request.messages],
            "length": request.max_tokens,
            "top": request.top_logprobs,
        }

    async def complete(self, request):
        """As the protocol says."""
        self.requests.append(request)
        if request.top_logprobs and self.refuses:
            raise BadRequest("Log-probs are not given while reasoning.")
        words = request.messages[0].content.split()
        share = 0.2 + 0.1 * len(words)
        lists = [{"yes": share, "no": 1 - share}]
        if self.says:
            lists = [{token: 0.9 - 0.1 * (len(words) < 4)} for token in self.says]
            begun = sum(message.role == "assistant" for message in request.messages)
            if begun:
                said = request.messages[-1].content
                place = next(n for n in range(9) if "".join(self.says[:n]) == said)
                lists = lists[place:]
        cut = len(lists) > request.max_tokens
        shown = bool(request.top_logprobs) and not self.silent
        raw = {"lists": lists[: request.max_tokens], "cut": cut, "shown": shown}
        return self.read(json.dumps(raw))

    def read(self, raw):
        """As the protocol says."""
        said = json.loads(raw)
        tokens = []
        for likely in said["lists"]:
            ranked = sorted(
                ((text, math.log(p)) for text, p in likely.items()), key=lambda t: -t[1]
            )
            tokens.append(TokenLogprob(*ranked[0], tuple(ranked)))
        return Completion(
            "".join(token.token for token in tokens),
            tuple(tokens) if said["shown"] else (),
            outcome=Outcome.TRUNCATED if said["cut"] else self.outcome,
            model="endpoint",
            usage=Usage(requests=1, input_tokens=1, output_tokens=1),
            raw=raw,
        )

    async def aclose(self):
        """Has nothing to give back."""


def chosen_for(score, endpoint):
    return asyncio.run(open_score(score, endpoint, WHOLE)).score


@pytest.mark.parametrize(
    ("endpoint", "kind", "why"),
    [
        (Endpoint(), LabelLogOdds, "since the endpoint gives them"),
        (Endpoint(SILENT), LabelFrequency, "this endpoint gives no log-probs"),
        (Endpoint(refuses=True), LabelFrequency, "refuses to give log-probs"),
        (Endpoint(silent=True), LabelFrequency, "answered without log-probs"),
        (Endpoint(says=("The", " end")), LabelFrequency, "none of 'yes', 'no' is among"),
    ],
)
def test_labels_are_read_in_log_probs_or_counted(endpoint, kind, why):
    """By what the whole prompt's answer has, not by what is claimed; in one sentence."""
    chosen = chosen_for(Auto(("yes", "no")), endpoint)
    assert isinstance(chosen.score, kind)
    assert why in chosen.reason
    assert chosen.reason.count(".") == 1
    assert isinstance(chosen, Labelled) == (kind is LabelLogOdds)


@pytest.mark.parametrize(
    ("labels", "why"), [(("yes",), "one is given"), (("very good", "bad"), "several words")]
)
def test_labels_that_no_first_token_shows_are_counted(labels, why):
    """Log-odds would refuse them."""
    chosen = chosen_for(Auto(labels), Endpoint())
    assert chosen.score == LabelFrequency(*labels)
    assert why in chosen.reason


@pytest.mark.parametrize(
    ("endpoint", "kind", "why"),
    [
        (Endpoint(STEPS, says=("Par", "is", " it", " is")), ForcedTarget, "short (4 tokens)"),
        (Endpoint(says=("Par", "is")), ForcedTarget, "short (2 tokens)"),
        (Endpoint(says=("It", " is", " Par", "is")), Similarity, "of the first alone"),
        (Endpoint(STEPS, says=("so",) * 40), Similarity, "longer than 32 tokens"),
        (Endpoint(SILENT, says=("Paris",)), Similarity, "this endpoint gives no log-probs"),
        (Endpoint(refuses=True, says=("Paris",)), Similarity, "refuses to give log-probs"),
        (Endpoint(silent=True, says=("Paris",)), Similarity, "answered without log-probs"),
    ],
)
def test_the_models_own_answer_is_read_or_compared(endpoint, kind, why):
    """Its log-prob where it is short and can be had; how near others are to it elsewhere."""
    chosen = chosen_for(Auto(), endpoint)
    assert isinstance(chosen.score, kind)
    assert why in chosen.reason
    if kind is Similarity:
        assert chosen.score.to == "".join(endpoint.says)
    else:
        assert chosen.score.target.text == "".join(endpoint.says)


def test_zeros_are_no_log_probs():
    """A server that tells 0 for every token is not believed."""
    tokens = tuple(TokenLogprob(text, 0.0, ((text, 0.0),)) for text in ("yes", "."))
    chosen = Auto().opened([Completion("yes.", tokens), Completion("yes")], LISTS)
    assert isinstance(chosen.score, Similarity)
    assert "told 0" in chosen.reason


def test_without_an_answer_there_is_nothing_to_choose_by():
    """A refusal of the whole prompt, or of all that is asked."""
    with pytest.raises(ScoreError, match="got no answer"):
        chosen_for(Auto(), Endpoint(says=("No",), outcome=Outcome.REFUSED))

    class Deaf(Endpoint):
        async def complete(self, _):
            """As the protocol says."""
            raise BadRequest("Never.")

    with pytest.raises(BadRequest, match="Never"):
        chosen_for(Auto(("yes", "no")), Deaf())


def test_nothing_is_read_before_it_is_opened():
    """But a plan can be made."""
    with pytest.raises(ScoreError, match="not opened"):
        Auto().value([Completion("x")])
    with pytest.raises(ScoreError, match="not opened"):
        Auto().check([[Completion("x")]])
    assert Auto(("a", "b")).requests(WHOLE, LISTS) == LabelLogOdds("a", "b").requests(WHOLE, LISTS)
    assert len(Auto(("a", "b")).requests(WHOLE, SILENT)) == 10
    assert Auto().requests(WHOLE, SILENT) == Similarity().requests(WHOLE, SILENT)
    assert Auto().requests(WHOLE, LISTS)


def test_what_is_meant_by_a_score():
    """A word of ours, labels, or a score; anything else is told."""
    assert as_score("auto") == Auto()
    assert as_score(["yes", "no"]) == Auto(("yes", "no"))
    score = LabelLogOdds("yes", "no")
    assert as_score(score) is score
    for wrong in ("fidelity", [], [1, 2], None, LabelLogOdds, 7):
        with pytest.raises(UsageError):
            as_score(wrong)


@pytest.mark.parametrize(
    "wrong", [lambda: Auto("yes"), lambda: Auto(("a", "A")), lambda: Auto(max_tokens=0)]
)
def test_misuse_is_told_at_once(wrong):
    """Nothing is asked with it."""
    with pytest.raises(UsageError):
        wrong()


def test_it_prints_as_python():
    """The same value comes of its text, chosen or not; the reason stands in it."""
    for score in (
        Auto(),
        Auto(("yes", "no"), max_tokens=5, max_censored=0.1),
        Chosen(Similarity("x"), "For a reason."),
        ChosenLabelled(LabelLogOdds("a", "b"), "For another."),
    ):
        assert eval(repr(score)) == score  # noqa: S307 - our own repr


@pytest.mark.parametrize(
    ("score", "endpoint", "became"),
    [
        (["yes", "no"], Endpoint(), "LabelLogOdds("),
        ("auto", Endpoint(STEPS, says=("Par", "is")), "ForcedTarget("),
        (Auto(("yes", "no")), Endpoint(SILENT), "LabelFrequency("),
    ],
)
def test_what_was_chosen_is_explained(score, endpoint, became):
    """From nothing but the prompt; the reason is told, and a replay chooses the same."""
    arguments = {"score": score, "budget": Budget(requests=400)}
    told = []
    explanation = explain_sync(PROMPT, endpoint, on_event=told.append, **arguments)
    source = explanation.provenance
    assert source.score.startswith(became)
    assert " since " in source.chosen
    assert source.chosen in [event.text for event in told if isinstance(event, Notice)]
    assert html.escape(source.chosen) in explanation.to_html()
    assert source.full != source.empty
    sent = len(endpoint.requests)
    assert explanation.usage.sent == sent
    replayed = explain_sync(PROMPT, endpoint, mode="replay", **arguments)
    assert replayed.to_json() == explanation.to_json()
    assert len(endpoint.requests) == sent
