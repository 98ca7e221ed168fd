"""Liars are rejected, each with its own sentence; honest endpoints are described as they are."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from spex_api.completions import (
    Allowance,
    Capabilities,
    Completion,
    CompletionRequest,
    Outcome,
    TokenLogprob,
    Usage,
)
from spex_api.errors import (
    BadRequest,
    BudgetExhausted,
    ContentFiltered,
    ContextTooLong,
    EndpointUnfit,
    ScoreError,
    Unavailable,
)
from spex_api.prompts import Prompt
from spex_api.querying.budget import Budget
from spex_api.querying.policy import Meter
from spex_api.querying.probe import extra_requests, most_requests, probe
from spex_api.querying.probing.inquiry import recommended_concurrency
from spex_api.querying.probing.probed import Judgement, Latency, Probed, Verdict
from spex_api.querying.probing.sanity import Flaw
from spex_api.querying.stack import open_stack
from spex_api.sampling.uniform import uniform_plan
from spex_api.scores import LabelLogOdds, Scored
from spex_api.testing import FunctionAdapter

PROMPT = Prompt.from_template("Review: {text}", text="Her acting never fails to impress me")
SCORE = LabelLogOdds("yes", "no")
WHOLE, EMPTY = PROMPT.render([1] * 7)[0].content, PROMPT.render([0] * 7)[0].content


def honest(messages) -> dict[str, float]:
    """A verdict that every word moves, and a third token."""
    value = sum(
        len(word) * (-1) ** place for place, word in enumerate(messages[-1].content.split())
    )
    total = 1.25 * (1 + math.exp(value / 8))
    return {
        "yes": value / 8 - math.log(total),
        "no": -math.log(total),
        "hm": math.log(0.1),
        "what": math.log(0.01),
    }


@dataclass(frozen=True)
class Liar(FunctionAdapter):
    """A model whose answers are told another way; `tell` gets the true one and its request."""

    tell: object = None
    answered: list[Completion] = field(default_factory=list)

    async def complete(self, request: CompletionRequest) -> Completion:
        """The function's answer, as it is told."""
        told = self.tell(await FunctionAdapter.complete(self, request), request)
        self.answered.append(told)
        return told


def model(tell=lambda answer, request: answer, **settings) -> Liar:
    """An honest function behind the mouth of `tell`."""
    return Liar(honest, tell=tell, **settings)


def asked(adapter, *, prompt=PROMPT, score=SCORE, **settings) -> Probed:
    return asyncio.run(probe(adapter, prompt, score, **settings))


def about(found: Probed, topic: str) -> list[Judgement]:
    return [finding for finding in found.findings if finding.about == topic]


def retold(change):
    """A liar's tongue that changes the first token's list, and the token by it."""

    def tell(answer: Completion, request: CompletionRequest) -> Completion:
        first = answer.tokens[0]
        top = tuple(change(first.top, request))
        return replace(answer, tokens=(TokenLogprob(first.token, top[0][1], top),))

    return tell


def scaled(top, request):
    """What is left after dividing by a temperature that is clamped at a tenth."""
    sharp = [(token, value / max(request.temperature, 0.1)) for token, value in top]
    total = math.log(math.fsum(math.exp(value) for _, value in sharp))
    return [(token, value - total) for token, value in sharp]


def unrelated(answer: Completion, request: CompletionRequest) -> Completion:
    """The written token is not in the list, whose probabilities add up to 1."""
    top = (("sky", math.log(0.6)), ("sea", math.log(0.4)))
    return replace(answer, tokens=(TokenLogprob(answer.text, -0.1, top),))


def same_for_all(answer: Completion, request: CompletionRequest) -> Completion:
    """One list, whatever was asked."""
    top = (("yes", -0.3), ("no", -1.9))
    return replace(answer, text="yes", tokens=(TokenLogprob("yes", -0.3, top),))


LIARS = {
    "constant": (same_for_all, Flaw.CONSTANT),
    "dropped": (lambda answer, _: replace(answer, tokens=(), raw='{"choices": []}'), Flaw.ABSENT),
    "null": (lambda answer, _: replace(answer, tokens=(), raw='{"logprobs": null}'), Flaw.NULL),
    "listless": (
        lambda answer, _: replace(answer, tokens=(replace(answer.tokens[0], top=()),)),
        Flaw.LISTLESS,
    ),
    "zeros": (retold(lambda top, _: [(token, 0.0) for token, _ in top]), Flaw.ZEROS),
    "sentinels": (
        retold(lambda top, _: [(t, -9999.0 * (n > 0)) for n, (t, _) in enumerate(top)]),
        Flaw.SENTINELS,
    ),
    "untold": (
        lambda answer, _: replace(answer, tokens=(replace(answer.tokens[0], logprob=-9999.0),)),
        Flaw.UNTOLD,
    ),
    "unrelated": (unrelated, Flaw.UNRELATED),
    "unequal": (
        lambda answer, _: replace(answer, tokens=(replace(answer.tokens[0], logprob=-3.0),)),
        Flaw.UNEQUAL,
    ),
    "heavy": (retold(lambda top, _: [(token, value / 4) for token, value in top]), Flaw.HEAVY),
    "positive": (retold(lambda top, _: [(token, -value) for token, value in top]), Flaw.NO_LOGPROB),
    "scaled": (retold(scaled), Flaw.SCALED),
}


@pytest.mark.parametrize(("tell", "flaw"), LIARS.values(), ids=LIARS)
def test_each_liar_is_rejected_with_its_own_sentence(tell, flaw):
    """An error names the model, the lie, what was sent and the remedy; no value gets out."""
    with pytest.raises(EndpointUnfit) as caught:
        asked(model(tell), require=True)
    assert str(flaw) in caught.value.cause
    assert caught.value.cause.startswith("function at function:")
    assert caught.value.advice == flaw.remedy != ""
    assert caught.value.cost.endswith("sent.")


@pytest.mark.parametrize(("tell", "flaw"), LIARS.values(), ids=LIARS)
def test_without_require_a_lie_is_reported(tell, flaw):
    """The same sentence as a fatal finding, before all others; nothing is raised."""
    found = asked(model(tell))
    assert not found.is_fit
    assert found.findings[0].verdict is Verdict.FATAL
    assert found.findings[0].sentence == flaw
    assert found.findings[0].remedy == flaw.remedy
    assert found.capabilities.top_logprobs == 0


def test_a_lie_in_one_answer_is_a_lie():
    """The third answer alone lies: that is said, with how many did."""
    counter = itertools.count(1)
    zeros = LIARS["zeros"][0]
    found = asked(model(lambda answer, ask: zeros(answer, ask) if next(counter) == 3 else answer))
    assert found.findings[0].sentence == f"{Flaw.ZEROS} (1 of 9 answers.)"
    assert not found.is_fit


def test_a_liar_is_not_asked_on():
    """With `require`, the first answer that lies by itself is the last one that is paid for."""
    liar = model(LIARS["null"][0])
    with pytest.raises(EndpointUnfit, match="1 request was sent"):
        asked(liar, require=True)
    assert len(liar.requests) == 1


def test_an_honest_endpoint():
    """Nine questions; every point is well, and the numbers are those of the function."""
    adapter = model()
    found = asked(adapter)
    assert found.requests == len(adapter.requests) == 9
    assert found.is_fit
    assert {finding.verdict for finding in found.findings} == {Verdict.OK}
    topics = ["log-probs", "temperature", "labels", "sensitivity", "repeatability"]
    assert [each.about for each in found.findings][:5] == topics
    assert found.noise_floor == 0.0
    assert (
        found.full == SCORE.value([adapter.read(json.dumps(honest(PROMPT.render([1] * 7))))]).value
    )
    assert (
        found.empty == SCORE.value([adapter.read(json.dumps(honest(PROMPT.render([0] * 7))))]).value
    )
    assert found.capabilities == Capabilities(top_logprobs=4, concurrency=4, free=True)
    assert found.served == (("function", 9),)
    assert found.usage == Usage(9, 9, 9)


def test_what_is_asked():
    """The whole prompt, the empty one, three masks, once warm, and three repeats of their own."""
    adapter = model()
    asked(adapter)
    said = [request.messages[-1].content for request in adapter.requests]
    assert said[0] == WHOLE
    assert said[1] == EMPTY
    assert said[5:] == [WHOLE] * 4
    assert len({*said}) == 5
    assert [request.temperature for request in adapter.requests] == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert [request.sample_index for request in adapter.requests] == [0, 0, 0, 0, 0, 0, 1, 2, 3]
    assert len({*adapter.requests}) == 9


def test_the_masks_of_a_plan_are_taken():
    """A plan's own first masks between its anchors are asked, as the plan would ask them."""
    plan = uniform_plan(7, 20, seed=3)
    adapter = model()
    asked(adapter, masks=plan.masks)
    planned = [
        SCORE.requests(PROMPT.render(mask.tolist()), adapter.capabilities)[0]
        for mask in plan.masks[:5]
    ]
    assert adapter.requests[:5] == planned


def test_the_draw_is_seeded():
    """One seed, one set of questions; another seed, another one."""
    first, again, other = model(), model(), model()
    asked(first, seed=1)
    asked(again, seed=1)
    asked(other, seed=2)
    assert first.requests == again.requests != other.requests


def test_what_a_probe_takes_is_said_beforehand():
    """`extra_requests` is what a plan with the same masks does not have, `most_requests` bounds."""
    adapter = model()
    question = SCORE.requests(PROMPT.render([1] * 7), adapter.capabilities)
    asked(adapter)
    assert len(adapter.requests) - 5 == extra_requests(question) == 4
    assert len(adapter.requests) < most_requests(question) == 10


def test_few_features_have_few_masks():
    """One feature has no mask between, two have two; no question is asked twice."""
    for words, count in (("good", 6), ("good show", 8)):
        adapter = model()
        asked(adapter, prompt=Prompt.from_template("{text}", text=words))
        assert len({*adapter.requests}) == len(adapter.requests) == count


def noisy(spread: float, seed: int = 0):
    """A tongue that moves "yes" against the rest by normal noise."""
    rng = np.random.default_rng(seed)

    def tell(answer: Completion, request: CompletionRequest) -> Completion:
        values = dict(answer.tokens[0].top)
        values["yes"] += rng.normal(scale=spread)
        total = math.log(math.fsum(map(math.exp, values.values())))
        top = tuple(sorted(((t, v - total) for t, v in values.items()), key=lambda each: -each[1]))
        return replace(answer, text=top[0][0], tokens=(TokenLogprob(*top[0], top),))

    return tell


def test_the_noise_floor_is_the_deviation_of_the_repeats():
    """It is the standard deviation, n − 1 below, of the value of the four same questions."""
    adapter = model(noisy(0.2))
    found = asked(adapter)
    same = [
        SCORE.value([answer]).value
        for answer, request in zip(adapter.answered, adapter.requests, strict=True)
        if request.messages[-1].content == WHOLE and request.temperature == 0
    ]
    assert len(same) == 4
    assert found.noise_floor == pytest.approx(np.std(same, ddof=1))
    assert found.noise_floor > 0
    assert "standard deviation" in about(found, "repeatability")[0].sentence


def test_effects_below_the_noise_are_warned_of():
    """Where no mask moves the value by more than asking again does, that is said."""
    flat = Liar(
        lambda messages: {"yes": -0.7, "no": -0.9}, tell=noisy(1.0), capabilities=Capabilities(4)
    )
    found = asked(flat)
    assert about(found, "sensitivity")[0].verdict is Verdict.WARNING
    assert "noise" in about(found, "sensitivity")[0].sentence


def test_an_empty_prompt_that_is_worth_the_whole_one_is_warned_of():
    """Single masks move it, but all of them together do not."""

    def even(messages):
        said = messages[-1].content
        return honest(messages) if said not in (WHOLE, EMPTY) else {"yes": -0.4, "no": -1.2}

    found = asked(Liar(even, tell=lambda answer, _: answer))
    assert about(found, "sensitivity")[0].verdict is Verdict.WARNING
    assert "all masked" not in about(found, "sensitivity")[0].sentence
    assert found.full == found.empty


@dataclass(frozen=True)
class Sampled:
    """A score that says its variance, of two samples a mask, without log-probs."""

    meaning: str = "share of yes"
    max_censored: float = 0.5

    def requests(self, messages, capabilities):  # noqa: ARG002 - a score's signature
        """Two samples."""
        one = CompletionRequest(messages, temperature=1.0)
        return (one, replace(one, sample_index=1))

    def value(self, completions):
        """A number with its variance."""
        return Scored(float(len(completions)), variance=0.04)

    def check(self, answers):
        """Both samples are there."""
        assert all(len(answer) == 2 for answer in answers)


def test_a_score_that_samples_says_its_noise_itself():
    """No repeats and no other temperature; the floor is the root of its variance."""
    adapter = model()
    found = asked(adapter, score=Sampled())
    assert len(adapter.requests) == 10
    assert found.noise_floor == pytest.approx(0.2)
    assert found.capabilities.top_logprobs == adapter.capabilities.top_logprobs
    assert not about(found, "log-probs")


def test_a_bound_says_nothing_of_the_noise():
    """Its variance is how far the truth may be off, not how far two answers are apart."""

    class Bounded:
        meaning, max_censored = "a bound", 1.0

        def requests(self, messages, capabilities):
            return (CompletionRequest(messages, top_logprobs=capabilities.top_logprobs),)

        def value(self, completions):  # noqa: ARG002 - as above
            return Scored(-5.0, variance=4.0, censored=True)

        def check(self, answers):
            """Nothing to look for."""

    found = asked(model(), score=Bounded())
    assert found.noise_floor == 0.0
    assert found.requests == 9  # the repeats are asked for, since no variance is known


@dataclass(frozen=True)
class Twice(Sampled):
    """The same, without a variance."""

    def value(self, completions):  # noqa: ARG002 - a score's signature
        """A number without one."""
        return Scored(1.0)


def test_repeats_of_several_requests_are_others():
    """Repeats have sample indices of their own, so none is answered by another's answer."""
    adapter = model()
    asked(adapter, score=Twice())
    assert len({*adapter.requests}) == len(adapter.requests) == 16
    whole = [each for each in adapter.requests if each.messages[-1].content == WHOLE]
    assert sorted(each.sample_index for each in whole) == list(range(8))


def test_labels_are_covered_or_missing():
    """A label that some lists lack is a warning with its share, one that all lack is fatal."""

    def shy(messages):
        listed = honest(messages)
        return listed if messages[-1].content == WHOLE else {**listed, "no": -9999.0}

    found = asked(Liar(shy, tell=lambda answer, _: answer))
    (finding,) = about(found, "labels")
    assert finding.verdict is Verdict.WARNING
    assert "'no' in 1 of 5" in finding.sentence
    assert "80%" in finding.sentence
    missing = LabelLogOdds("yes", "never")
    found = asked(model(), score=missing)
    assert not found.is_fit
    assert "'never' is not among the likeliest" in found.findings[0].sentence
    with pytest.raises(ScoreError, match="'never'") as caught:
        asked(model(), score=missing, require=True)
    assert caught.value.cost == "9 requests were sent."


def refusing(request: CompletionRequest, error=BadRequest):
    if request.top_logprobs:
        raise error("This model takes no logprobs.")


def test_log_probs_that_are_refused():
    """Asked again without, it answers: so it is the log-probs that it refuses, in its words."""

    def tell(answer, request):
        refusing(request)
        return replace(answer, tokens=())

    with pytest.raises(EndpointUnfit, match="takes no logprobs") as caught:
        asked(model(tell), require=True)
    assert str(Flaw.REFUSED) in caught.value.cause
    found = asked(model(tell))
    assert found.findings[0].about == "log-probs"
    assert found.capabilities.top_logprobs == 0
    assert (found.full, found.noise_floor) == (None, None)
    assert found.requests == 5


@pytest.mark.parametrize("kind", [ContextTooLong, ContentFiltered])
def test_other_refusals_of_the_first_question_get_through(kind):
    """They say themselves what is wrong; nothing else is asked."""
    adapter = model(lambda answer, request: refusing(request, kind))
    with pytest.raises(kind):
        asked(adapter)
    assert len(adapter.requests) == 1


def test_a_refusal_with_and_without_log_probs_is_the_first_one():
    """It was not the log-probs; the endpoint's first words get through."""
    counter = itertools.count(1)

    def tell(answer, request):
        raise BadRequest(f"Refusal {next(counter)}.")

    with pytest.raises(BadRequest, match="Refusal 1"):
        asked(model(tell))


def test_masks_that_are_refused_or_declined_are_warned_of():
    """A mask that is refused for good, and one that a filter took, leave the rest standing."""

    def tell(answer, request):
        said = request.messages[-1].content
        if said == EMPTY:
            raise BadRequest("Empty.")
        if said == WHOLE or request.temperature:
            return answer
        return replace(answer, text="", tokens=(), outcome=Outcome.FILTERED)

    found = asked(model(tell))
    (finding,) = about(found, "refusals")
    assert finding.verdict is Verdict.WARNING
    assert "refused 1" in finding.sentence
    assert "declined 3" in finding.sentence
    assert found.empty is None
    assert found.is_fit


def test_answers_that_are_all_declined_are_no_lie():
    """A model that declines everything gives no log-probs, and that is what is said of it."""

    def tell(answer, request):
        return replace(answer, text="I cannot.", tokens=(), outcome=Outcome.REFUSED)

    with pytest.raises(ScoreError, match="Each of 5 answers was declined"):
        asked(model(tell), require=True)


def test_answers_that_end_at_once_are_warned_of():
    """Where everything is masked there may be nothing to say: a warning, and no value."""

    def tell(answer, request):
        if request.messages[-1].content != EMPTY:
            return answer
        return replace(answer, text="", tokens=(), finish_reason="stop")

    found = asked(model(tell))
    assert found.is_fit
    assert found.findings[0].sentence == f"{Flaw.EMPTY} (1 of 9 answers.)"
    assert found.findings[0].verdict is Verdict.WARNING
    assert found.empty is None


def test_an_unsorted_list_is_only_warned_of():
    """Nothing that is made of it depends on its order."""

    def tell(answer, request):
        first = answer.tokens[0]
        return replace(answer, tokens=(replace(first, top=first.top[::-1]),))

    found = asked(model(tell), require=True)
    assert found.findings[0].sentence == Flaw.UNSORTED


def test_a_temperature_that_cannot_be_judged_is_not():
    """Where the listed tokens are about equally likely, nothing is said about the temperature."""

    def even(messages):
        tilt = len(messages[-1].content) / 1000
        return {"yes": -0.8 - tilt, "no": -0.8}

    assert not about(asked(Liar(even, tell=lambda answer, _: answer)), "temperature")


def test_an_endpoint_that_claims_no_log_probs():
    """The score's own error is raised, or reported; what else can be seen is looked at."""
    silent = model(
        lambda answer, _: replace(answer, tokens=()), capabilities=Capabilities(top_logprobs=0)
    )
    with pytest.raises(ScoreError, match="no log-probs"):
        asked(silent, require=True)
    assert silent.requests == []
    found = asked(silent)
    assert not found.is_fit
    assert about(found, "model")[0].sentence.startswith("Served by function")


def test_failures_get_through():
    """An endpoint that fails is no liar: its error ends the probe."""

    def tell(answer, request):
        raise Unavailable("Down.")

    with pytest.raises(Unavailable) as caught:
        asked(model(tell), require=True)
    assert caught.value.cost == "1 request was sent."


def test_more_than_one_served_model_is_warned_of():
    """Other names, or one name behind other fingerprints; and no name at all."""

    def by(*names):
        kinds = itertools.cycle(names)

        def tell(answer, request):
            name, fingerprint = next(kinds)
            return replace(answer, model=name, fingerprint=fingerprint)

        return about(asked(model(tell)), "model")[0]

    assert by(("a", "1"), ("b", "1")).sentence == "2 models served: a, b."
    assert "a was served by 2 systems" in by(("a", "1"), ("a", "2")).sentence
    assert "do not name" in by(("", "")).sentence
    assert by(("a", "1")) == Judgement("model", Verdict.OK, "Served by a, system 1.")
    assert by(("a", "1"), ("b", "1")).verdict is Verdict.WARNING
    assert by(("a", "1"), ("a", "2")).verdict is Verdict.WARNING


def test_usage_that_is_missing_or_writes_a_prompt_cache():
    """Both are warned of: one hides the cost, the other raises it."""

    def spent(usage):
        return about(asked(model(lambda answer, _: replace(answer, usage=usage))), "usage")

    (missing,) = spent(Usage(1))
    assert missing.verdict is Verdict.WARNING
    written, ok = spent(Usage(1, 10, 1, cache_write_tokens=7))
    assert (written.verdict, ok.verdict) == (Verdict.WARNING, Verdict.OK)
    assert "63 tokens" in written.sentence


def test_headers_are_told():
    """The limits that answers came with, or that there were none."""
    limits = (Allowance("requests", limit=600, remaining=599), Allowance("input_tokens"))
    found = asked(model(lambda answer, _: replace(answer, allowances=limits)))
    assert found.allowances == limits
    assert "600 requests, input tokens" in about(found, "headers")[0].sentence
    assert "No header" in about(asked(model()), "headers")[0].sentence


class Hand:
    """A clock that goes forward by a given time at each second look: while an answer is awaited."""

    def __init__(self, *seconds: float) -> None:
        self.steps = itertools.chain.from_iterable((0.0, each) for each in seconds)
        self.time = 0.0

    def now(self) -> float:
        """The hand's place, after its next step."""
        self.time += next(self.steps)
        return self.time


def test_latency_is_measured_of_what_was_sent_for():
    """The first, which opens the connection, is left out where there are others."""
    seconds = (30.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
    found = asked(model(), clock=Hand(*seconds))
    assert found.latency == Latency(p50=4.0, p95=8.0, count=8)
    assert Latency.of([]) is None
    assert Latency.of([2.0]) == Latency(2.0, 2.0, 1)


def test_the_recommended_concurrency_uses_up_the_limits():
    """Little's law at the tightest limit, within bounds; unknown without limits or latency."""
    latency, usage = Latency(1.0, 2.0, 8), Usage(10, 2000, 10)

    def recommended(*limits):
        return recommended_concurrency(latency, limits, usage)

    assert recommended(Allowance("requests", 600)) == 20
    assert recommended(Allowance("requests", 600), Allowance("tokens", 60_300)) == 10
    assert recommended(Allowance("requests", 600), Allowance("input_tokens", 6000)) == 1
    assert recommended(Allowance("requests", 1e9)) == 64
    assert recommended(Allowance("requests", 0)) == 1
    assert recommended() is recommended(Allowance("requests")) is None
    assert recommended_concurrency(None, [Allowance("requests", 600)], usage) is None


async def through_the_stack(adapter, *, requests: int = 20, clock=None) -> tuple[Probed, Meter]:
    meter = Meter()
    stack = open_stack(
        adapter, budget=Budget(requests=requests), meter=meter, on_event=lambda event: None
    )
    async with stack as opened:
        found = await probe(opened.adapter, PROMPT, SCORE, meter=meter, clock=clock)
    return found, meter


def test_a_probe_is_paid_once(answers):
    """Through the stack a second probe sends nothing, finds the same, and measures no latency."""
    adapter = model()
    first, meter = asyncio.run(through_the_stack(adapter))
    assert meter.sent == 9
    again, meter = asyncio.run(through_the_stack(adapter))
    assert (meter.sent, meter.cached) == (0, 9)
    assert first.latency is not None
    assert again.latency is None
    assert not about(again, "latency")
    assert not about(again, "headers")
    assert (first.noise_floor, first.full, first.served) == (
        again.noise_floor,
        again.full,
        again.served,
    )


def test_a_probe_is_under_the_cap(answers):
    """A cap that is too small ends it, and what was answered is not paid again."""
    adapter = model()
    with pytest.raises(BudgetExhausted):
        asyncio.run(through_the_stack(adapter, requests=4))
    assert len(adapter.requests) == 4
    _, meter = asyncio.run(through_the_stack(adapter))
    assert (meter.sent, meter.cached) == (5, 4)


def test_cancelling_gets_through():
    """A probe that is cancelled ends there."""
    hangs = asyncio.Event()

    @dataclass(frozen=True)
    class Hanging(FunctionAdapter):
        async def complete(self, request: CompletionRequest) -> Completion:
            """The first answer, and none after it."""
            answer = await FunctionAdapter.complete(self, request)
            if len(self.requests) > 1:
                hangs.set()
                await asyncio.sleep(60)
            return answer

    async def main():
        adapter = Hanging(honest)
        task = asyncio.create_task(probe(adapter, PROMPT, SCORE))
        await hangs.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return adapter

    assert len(asyncio.run(main()).requests) == 2


def test_what_was_found_is_ranked_and_has_no_nan():
    """Fatal before warning before ok; an unknown number is None, and never NaN."""
    kinds = [Judgement("model", verdict, "Said.") for verdict in (Verdict.OK, *Verdict)]
    found = Probed("m", "e", Capabilities(), tuple(kinds))
    assert [each.verdict for each in found.findings] == ["fatal", "warning", "ok", "ok"]
    assert found.warnings == found.findings[1:2]
    assert str(Judgement("model", Verdict.OK, "Said.", "Do.")) == "Said. Do."
    with pytest.raises(ValueError, match="noise_floor"):
        Probed("m", "e", Capabilities(), (), noise_floor=math.nan)


def test_each_mask_is_asked_with_the_tools_that_it_leaves():
    """Where tools are the features, a probe asks what the plan asks."""
    tools = [{"type": "function", "function": {"name": name}} for name in ("find", "book")]
    prompt = Prompt.from_openai([{"role": "user", "content": "Good?"}], split="tools", tools=tools)
    adapter = FunctionAdapter(lambda messages: {"yes": -0.1, "no": -2.5})
    asked(adapter, prompt=prompt)
    first, empty = adapter.requests[:2]
    assert (len(first.tools), len(empty.tools)) == (2, 0)
