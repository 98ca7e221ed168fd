"""The pipeline from end to end, on models that are functions."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

import spex_api as spex
from spex_api.errors import BadRequest, BudgetTooSmall, CacheMiss, UsageError
from spex_api.fidelity import r_squared
from spex_api.sampling.uniform import uniform_plan
from spex_api.testing import FunctionAdapter, planted_transform

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "the plot is thin but her acting never fails to impress and the ending is good"
WORDS = TEXT.split()
NEVER, FAILS = WORDS.index("never"), WORDS.index("fails")


def verdict(messages) -> dict[str, float]:
    """A "fails" is bad alone and good after "never"; "good" and "thin" act alone."""
    said = messages[-1].content.split()
    value = 1.5 * ("good" in said) - ("thin" in said) - 2.0 * ("fails" in said)
    value += 4.0 * ("never" in said and "fails" in said)
    return {"positive": -math.log1p(math.exp(-value)), "negative": -math.log1p(math.exp(value))}


PROBE = 4
"""What a probe asks beyond the plan's masks."""

FAST = {"decoder": "lasso"}
"""Where nothing depends on who decodes."""


def explained(model=None, **settings) -> spex.Explanation:
    prompt = spex.Prompt.from_template("Review: {text}", text=TEXT)
    defaults = {
        "score": spex.LabelLogOdds("positive", "negative"),
        "budget": spex.Budget(PROBE + 300),
    }
    return spex.explain_sync(prompt, model or FunctionAdapter(verdict), **{**defaults, **settings})


class Asked(NamedTuple):
    """An explanation by the decoder that suits, who was asked, and where the answers are."""

    found: spex.Explanation
    model: FunctionAdapter
    answers: Path


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Asked:
    """The one that several tests look at."""
    model, answers = FunctionAdapter(verdict), tmp_path_factory.mktemp("answers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEX_CACHE_DIR", str(answers))
        return Asked(explained(model), model, answers)


def test_it_finds_what_words_do_together(asked):
    """The planted pair is the strongest interaction, with its value inside its interval."""
    found = asked.found
    strongest = found.interactions.strongest(1)[0]
    assert strongest == (NEVER, FAILS)
    assert found.interactions.top(1)[0].features == ("never", "fails")
    interval = found.interactions.intervals[strongest]
    assert interval.low <= 4.0 <= interval.high
    assert found.faithfulness.value > 0.95
    assert found.faithfulness.value > found.faithfulness.additive + 0.1
    assert found.provenance.full == pytest.approx(2.5, abs=1e-6)
    assert found.provenance.empty == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("decoder", ["lasso", "spectral_gp"])
def test_every_decoder_speaks_the_same_words(decoder):
    """Whichever decoder is asked for finds the pair, and the reason names it."""
    found = explained(decoder=decoder)
    assert (NEVER, FAILS) in found.interactions.strongest(3)
    assert found.faithfulness.value > 0.9


def test_faithfulness_is_of_masks_that_the_fit_has_not_seen(asked):
    """The reported R² is that of `predict` on masks of which no fit knew: a fifth of the budget."""
    found = asked.found
    assert found.near is not None
    assert (found.faithfulness.num_masks, found.near.num_masks) == (48, 12)
    assert found.provenance.samples == 240
    fresh = uniform_plan(len(WORDS), 2000, seed=99).masks
    prompt = spex.Prompt.from_template("{text}", text=TEXT)
    listed = [verdict(prompt.render(mask.tolist())) for mask in fresh]
    truth = [answer["positive"] - answer["negative"] for answer in listed]
    assert r_squared(truth, found.predict(fresh)) == pytest.approx(
        found.faithfulness.value, abs=0.05
    )


def test_the_same_command_again_sends_nothing_and_writes_the_same_bytes(
    asked, tmp_path, monkeypatch
):
    """A replay from disk is byte-identical: the file holds no clock and nothing of the cache."""
    monkeypatch.setenv("SPEX_CACHE_DIR", str(asked.answers))
    first = asked.found.to_json(tmp_path / "explanation.json")
    again = explained(asked.model)
    assert len(asked.model.requests) == asked.found.usage.sent == 300 + PROBE
    assert (tmp_path / "explanation.json").read_text(encoding="utf-8") == first
    assert again.to_json() == first
    assert (again.usage.sent, again.usage.cached) == (0, 300 + PROBE)


def test_a_seed_fixes_everything(monkeypatch, tmp_path):
    """Two runs from nothing agree to the byte; another seed asks other masks."""
    first = explained(**FAST).to_json()
    monkeypatch.setenv("SPEX_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert explained(concurrency=1, **FAST).to_json() == first
    assert explained(seed=1, **FAST).to_json() != first


def test_from_json_gives_it_back(asked):
    """Nothing that is stored is lost on the way."""
    found = asked.found
    back = spex.Explanation.from_json(found.to_json())
    assert back.to_json() == found.to_json()
    assert back.prompt == found.prompt
    assert back.transform == found.transform
    assert back.usage == found.usage
    masks = uniform_plan(len(WORDS), 50, seed=5).masks
    np.testing.assert_array_equal(back.predict(masks), found.predict(masks))


def test_from_json_refuses_what_it_is_not(tmp_path):
    """A file of something else is wrong use, in one sentence."""
    (tmp_path / "other.json").write_text('{"schema_version": 7}')
    with pytest.raises(UsageError, match="of schema 7, and .* reads schema 1"):
        spex.Explanation.from_json(tmp_path / "other.json")


def test_offline_with_every_answer_works_and_with_one_missing_names_it(monkeypatch, answers):
    """`SPEX_OFFLINE=1` opens nothing: all answers or a named miss."""
    online = explained(**FAST).to_json()
    monkeypatch.setenv("SPEX_OFFLINE", "1")
    model = FunctionAdapter(verdict)
    assert explained(model, **FAST).to_json() == online
    with pytest.raises(CacheMiss, match="'Review: .*' is on disk"):
        explained(model, seed=3, **FAST)
    assert model.requests == []


def test_a_spent_budget_gives_a_partial_result():
    """Failures eat the cap; what is there is decoded, and said to be partial."""
    from spex_api.errors import Unavailable  # noqa: PLC0415 - used once

    turn = iter(range(10_000))

    def shaky(messages):
        if next(turn) % 50 == 49:
            raise Unavailable("Busy.", retry_after=0.0)
        return verdict(messages)

    found = explained(FunctionAdapter(shaky), **FAST)
    assert not found.complete
    assert found.usage.sent == 300 + PROBE
    assert found.usage.requests == 300 + PROBE - 6
    assert found.faithfulness.value > 0.9


def filtered(messages) -> dict[str, float]:
    """A model that refuses a text which has "thin" without "plot"."""
    said = messages[-1].content.split()
    if "thin" in said and "plot" not in said:
        raise BadRequest("The content filter struck.")
    return verdict(messages)


def test_refused_masks_are_holes_and_the_rest_explains():
    """Every mask is refused, fitted or held out; what is there is decoded, and all is counted."""
    model = FunctionAdapter(filtered)
    found = explained(model)
    refused = found.provenance.refused
    texts = [request.messages[-1].content.split() for request in model.requests]
    assert refused == sum("thin" in said and "plot" not in said for said in texts)
    assert 50 < refused < 100
    assert found.near is not None
    unseen = found.faithfulness.num_masks + found.near.num_masks
    assert found.provenance.samples + unseen + refused == 300
    assert (found.usage.requests, found.usage.sent) == (300 + PROBE - refused, 300 + PROBE)
    assert found.complete
    assert found.interactions.strongest(1)[0] == (NEVER, FAILS)
    assert found.provenance.full == pytest.approx(2.5, abs=1e-6)
    back = spex.Explanation.from_json(found.to_json())
    assert back.provenance == found.provenance
    assert back.to_json() == found.to_json()


def test_what_was_refused_for_good_is_not_asked_again():
    """A refusal is on disk like an answer: the second run sends nothing, and so does a replay."""
    first = explained(FunctionAdapter(filtered), **FAST)
    again = explained(FunctionAdapter(filtered), **FAST)
    assert (again.usage.sent, again.provenance.refused) == (0, first.provenance.refused)
    assert again.to_json() == first.to_json()
    replayed = explained(FunctionAdapter(filtered), mode="replay", **FAST)
    assert replayed.to_json() == first.to_json()


def test_what_a_budget_ended_is_rebuilt_from_what_it_says():
    """With the masks left out that were not asked, a replay writes the same bytes."""
    settings = {"budget": spex.Budget(300, tokens=400), **FAST}
    first = explained(FunctionAdapter(verdict), **settings)
    assert not first.complete
    assert first.provenance.unasked
    with pytest.raises(CacheMiss):
        explained(FunctionAdapter(verdict), mode="replay", **settings)
    unasked = first.provenance.unasked
    again = explained(FunctionAdapter(verdict), mode="replay", unasked=unasked, **settings)
    assert again.to_json() == first.to_json()
    back = spex.Explanation.from_json(first.to_json())
    assert back.provenance.unasked == unasked


def test_a_refused_anchor_is_not_known():
    """Where the empty prompt is refused its measured value is null, in the file too."""

    def needs_text(messages):
        if messages[-1].content.split() == ["Review:"]:
            raise BadRequest("The prompt is empty.")
        return verdict(messages)

    found = explained(FunctionAdapter(needs_text), **FAST)
    assert found.provenance.empty is None
    assert found.provenance.full == pytest.approx(2.5, abs=1e-6)
    assert found.provenance.refused == 1
    assert spex.Explanation.from_json(found.to_json()).provenance.empty is None


def test_a_budget_too_small_sends_nothing():
    """Below twenty masks nothing is asked."""
    model = FunctionAdapter(verdict)
    with pytest.raises(BudgetTooSmall):
        explained(model, budget=spex.Budget(10))
    assert model.requests == []


@pytest.mark.parametrize("settings", [{"index": "XII"}, {"order": 0}, {"decoder": "magic"}])
def test_wrong_use_sends_nothing(settings):
    """What there is not is refused before a request goes out."""
    model = FunctionAdapter(verdict)
    with pytest.raises(UsageError):
        explained(model, **settings)
    assert model.requests == []


def test_inside_a_running_loop():
    """`explain_sync` works in a notebook, where a loop is running."""

    async def notebook():
        return explained(**FAST)

    assert asyncio.run(notebook()).to_json() == explained(**FAST).to_json()


def test_an_error_crosses_the_thread():
    """Inside a running loop an error is raised where it was called."""

    async def notebook():
        return explained(budget=spex.Budget(5))

    with pytest.raises(BudgetTooSmall):
        asyncio.run(notebook())


def test_any_function_of_masks():
    """A planted sparse function is recovered, with the same words as for a model."""
    planted = planted_transform(12, 8, degree=2, seed=4)
    found = spex.explain_function(planted, num_features=12, budget=spex.Budget(400))
    assert found.faithfulness.value > 0.97
    strongest = max((s for s in planted if s), key=lambda s: abs(planted[s]))
    assert found.transform[strongest] == pytest.approx(planted[strongest], abs=0.1)


@pytest.mark.parametrize("num_features", [2, 3, 4])
def test_tiny_functions(num_features):
    """A cube smaller than the budget is asked whole, and then the transform is exact."""
    planted = planted_transform(num_features, 2, degree=2, seed=1)
    found = spex.explain_function(planted, num_features=num_features, budget=spex.Budget(100))
    assert found.usage.requests == found.provenance.samples == 2**num_features
    assert found.faithfulness.exhaustive
    assert found.faithfulness.value == pytest.approx(1.0, abs=1e-6)
    for support, value in planted.items():
        assert found.transform[support] == pytest.approx(value, abs=1e-4)


def test_a_function_that_is_constant_has_nothing_to_explain():
    """Equal values everywhere: no interactions, an R² that is not known, and a sentence."""
    found = spex.explain_function(lambda masks: np.ones(len(masks)), num_features=10)
    assert all(value == 0 for value in found.interactions.values())
    assert math.isnan(found.faithfulness.value)
    assert "same value" in found.status
    assert spex.Explanation.from_json(found.to_json()).to_json() == found.to_json()


@pytest.mark.parametrize("values", [lambda m: m, lambda m: np.full(len(m), np.nan)])
def test_a_function_of_other_shape_is_refused(values):
    """One finite number a mask."""
    with pytest.raises(UsageError, match="one finite number a mask"):
        spex.explain_function(values, num_features=8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Good?", "local"), "is no prompt"),
        ((spex.Prompt.from_template("{text}", text=TEXT), 3), "neither a model's name nor"),
        ((spex.Prompt.from_template("{text}", text=TEXT), None), "neither a model's name nor"),
    ],
)
def test_arguments_of_another_kind_are_refused_in_a_sentence(arguments, message):
    """A text is no prompt, a number no model; nothing is asked."""
    with pytest.raises(UsageError, match=message) as caught:
        spex.explain_sync(*arguments, score=spex.LabelLogOdds("a", "b"))
    assert caught.value.advice


@pytest.mark.parametrize("caps", [{"requests": "x"}, {"requests": None}, {"usd": "1"}])
def test_a_budget_is_counted_in_numbers(caps):
    """So is each of its caps; and a number alone is no budget."""
    with pytest.raises(UsageError, match="in numbers"):
        spex.Budget(**caps)
    with pytest.raises(UsageError, match="5 is no budget"):
        explained(budget=5)
