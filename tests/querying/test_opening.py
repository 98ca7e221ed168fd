"""What a score must know first is asked first, and a second model is asked about the answers."""

# The signatures are the protocols' own.
# ruff: noqa: ARG002

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest

from spex_api import Budget, Prompt, explain_sync, plan_sync
from spex_api.completions import Ask, Capabilities, CompletionRequest, Message
from spex_api.errors import BadRequest, ScoreError, UsageError
from spex_api.querying.asking import open_function
from spex_api.querying.opening import open_score
from spex_api.querying.pricing import Price
from spex_api.querying.stack import Terms
from spex_api.scores import Scored
from spex_api.testing import FunctionAdapter

PROMPT = Prompt.from_template("{text}", text="a b c d e f")
WHOLE = PROMPT.render([1] * 6)


def letters(messages) -> dict[str, float]:
    """The answer is how many letters there are."""
    return {str(sum(word.isalpha() for word in messages[-1].content.split())): -0.1}


def length(messages) -> dict[str, float]:
    """The second model says how long what it is shown is."""
    return {str(2 * int(messages[-1].content)): -0.1}


@dataclass(frozen=True)
class Share:
    """The number of letters as a share of those in the whole prompt."""

    whole: int = 0
    second_model: str = ""
    meaning: str = "share of letters"
    max_censored: float = 0.5
    opened_with: list = field(default_factory=list, compare=False)

    def opening(self, messages, capabilities):
        """As the protocol says."""
        return () if self.whole else (CompletionRequest(messages),)

    def opened(self, completions, capabilities):
        """As the protocol says."""
        self.opened_with.append(completions)
        return Share(int(completions[0].text), self.second_model)

    def requests(self, messages, capabilities):
        """As the protocol says."""
        return (CompletionRequest(messages),)

    def value(self, completions):
        """As the protocol says."""
        return Scored(int(completions[0].text or "0") / self.whole)

    def check(self, answers):
        """As the protocol says."""
        if not answers:
            raise ScoreError("Nothing was answered.")


@dataclass(frozen=True)
class Judged(Share):
    """Twice that, as a second model says."""

    def opening(self, messages, capabilities):
        """As the protocol says."""
        return ()

    def second_requests(self, completions, capabilities):
        """As the protocol says."""
        return (CompletionRequest((Message("user", completions[0].text or "0"),)),)

    def value(self, completions):
        """As the protocol says."""
        return Scored(float(completions[1].text))


class ByName:
    """Stands in for the installed adapters."""

    def __init__(self, **models) -> None:
        self.models = models

    def __call__(self, name, *, on_event=None):
        """As the protocol says."""
        return self.models[name]


@pytest.fixture
def second(monkeypatch):
    model = FunctionAdapter(length, model="judge", endpoint="judge:")
    monkeypatch.setattr("spex_api.querying.stack.load_adapter", ByName(judge=model))
    return model


@dataclass(frozen=True)
class Spelt(Share):
    """Asks first how a text is cut into tokens as well."""

    def opening(self, messages, capabilities):
        """As the protocol says."""
        asked = super().opening(messages, capabilities)
        return (*asked, CompletionRequest(messages, ask=Ask.TOKENS)) if asked else ()


def test_a_list_of_tokens_is_no_models_answer():
    """Who cuts a text into tokens counts as no second model behind the endpoint's name."""
    adapter = FunctionAdapter(letters)
    opened = asyncio.run(open_score(Spelt(), adapter, WHOLE))
    assert len(adapter.requests) == 2
    assert opened.usage.requests == 2
    assert opened.served == ("function",)


def test_a_score_opens_with_the_whole_prompt_and_masks_come_after():
    """It is asked once, through the stack, and counts as a request of the run."""
    model = FunctionAdapter(letters)
    explanation = explain_sync(PROMPT, model, score=Share(), budget=Budget(requests=40))
    assert model.requests[0].messages == WHOLE
    assert explanation.provenance.full == 1.0
    assert explanation.usage.requests <= 40
    assert explanation.usage.sent == len(model.requests)
    again = explain_sync(PROMPT, model, score=Share(), budget=Budget(requests=40), mode="replay")
    assert again.to_json() == explanation.to_json()


def test_what_is_refused_is_told_as_none_unless_all_is():
    """A score may go on without one answer; without any the refusal is raised."""

    @dataclass(frozen=True)
    class Two(Share):
        def opening(self, messages, capabilities):
            """As the protocol says."""
            return () if self.whole else (CompletionRequest(messages), *self.more(messages))

        def more(self, messages):
            return (CompletionRequest(messages, top_logprobs=3),)

    class Picky(FunctionAdapter):
        async def complete(self, request):
            if request.top_logprobs:
                raise BadRequest("No log-probs.")
            return await super().complete(request)

    score = Two()
    opened = asyncio.run(open_score(score, Picky(letters), WHOLE))
    assert score.opened_with[0][1] is None
    assert opened.usage.requests == 1

    def refuse(messages):
        raise BadRequest("Never.")

    with pytest.raises(BadRequest, match="Never"):
        asyncio.run(open_score(Two(), FunctionAdapter(refuse), WHOLE))


def test_a_score_that_never_ends_to_open_is_an_error():
    """After a few rounds it is told."""

    class Endless(Share):
        def opened(self, completions, capabilities):
            """As the protocol says."""
            return self

    with pytest.raises(ScoreError, match="again and again"):
        asyncio.run(open_score(Endless(), FunctionAdapter(letters), WHOLE))


def test_a_plan_assumes_where_the_score_is_not_opened_yet_and_says_so():
    """Nothing is sent; once the run is on disk, the plan knows better."""
    model = FunctionAdapter(letters)
    arguments = {"score": Share(), "budget": Budget(requests=40)}
    assert "answer to the whole prompt first" in plan_sync(PROMPT, model, **arguments).assumed
    assert not model.requests
    explain_sync(PROMPT, model, **arguments)
    known = plan_sync(PROMPT, model, **arguments)
    assert known.assumed == ""
    assert known.held == known.distinct


def test_a_second_model_is_asked_about_every_answer(second):
    """It counts in the same budget, behind the same cache, and its answers are values."""
    model = FunctionAdapter(letters)
    score = Judged(second_model="judge")
    explanation = explain_sync(PROMPT, model, score=score, budget=Budget(requests=60))
    assert explanation.provenance.full == 12.0
    # The function is additive: two a letter.
    np.testing.assert_allclose(explanation.predict(np.ones((1, 6))), [12.0], atol=0.2)
    assert second.requests
    assert len(second.requests) <= 7  # one for each number of letters: the others are on disk
    total = len(model.requests) + len(second.requests)
    assert explanation.usage.sent == total
    assert explanation.usage.requests <= 60
    again = explain_sync(PROMPT, model, score=score, budget=Budget(requests=60), mode="replay")
    assert again.to_json() == explanation.to_json()


def test_the_first_model_may_be_its_own_second():
    """With no name it is asked again, behind the same policies."""

    async def main():
        model = FunctionAdapter(letters)
        async with open_function(
            PROMPT, model, score=Judged(), budget=Budget(), terms=Terms()
        ) as function:
            assert function.second is function.adapter
            assert function.requests_per_mask() == 2

    asyncio.run(main())


def test_a_cap_in_dollars_needs_the_price_of_both(second, monkeypatch):
    """A judge of unknown price could pass the cap: nothing is sent."""
    model = FunctionAdapter(letters, capabilities=Capabilities())
    object.__setattr__(second, "capabilities", Capabilities())
    with pytest.raises(UsageError, match="price of judge is not known"):
        explain_sync(
            PROMPT,
            model,
            score=Judged(second_model="judge"),
            budget=Budget(requests=60, usd=1.0),
            price=Price(1.0, 1.0),
        )
    assert not model.requests
