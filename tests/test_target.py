"""Enough is enough, masks near the prompt, and what was measured there: the pipeline in rounds."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

import spex_api as spex
from spex_api.decoding import SPEX, FaithBanzhaf, Lasso, LeaveOneOut, WalshHadamard
from spex_api.decoding.contest import Contest
from spex_api.design import draw_design
from spex_api.errors import BadRequest, Unavailable, UsageError
from spex_api.fidelity import r_squared
from spex_api.report import story
from spex_api.sampling.uniform import uniform_plan
from spex_api.stopping import planned_looks
from spex_api.testing import FunctionAdapter, planted_transform

TEXT = "the plot is thin but her acting never fails to impress and the ending is good"
PROBE = 4
"""How often a probe asks the whole prompt beyond the plan's first time."""
NUM_WORDS = len(TEXT.split())
PAIRS = FaithBanzhaf(order=2)
"""Ridge on pairs: quick, and a decoder as any other."""
ALONE = FaithBanzhaf(order=1)
"""Ridge on single features, which never explains what two do together."""


def verdict(messages) -> dict[str, float]:
    said = messages[-1].content.split()
    value = 1.5 * ("good" in said) - ("thin" in said) - 2.0 * ("fails" in said)
    value += 4.0 * ("never" in said and "fails" in said)
    return {"positive": -math.log1p(math.exp(-value)), "negative": -math.log1p(math.exp(value))}


def explained(model=None, **settings) -> spex.Explanation:
    prompt = spex.Prompt.from_template("Review: {text}", text=TEXT)
    defaults = {
        "score": spex.LabelLogOdds("positive", "negative"),
        "budget": spex.Budget(1000),
        "target_faithfulness": 0.9,
        "decoder": Lasso(degree=2),
    }
    return spex.explain_sync(prompt, model or FunctionAdapter(verdict), **{**defaults, **settings})


@dataclass
class Watched:
    """A function that keeps what it was asked, with noise of a given share of the variance."""

    num_features: int = 12
    noise: float = 0.0
    seed: int = 0
    rounds: list[np.ndarray] = field(default_factory=list)

    def __call__(self, masks):
        """Keeps the masks, and answers."""
        self.rounds.append(masks.copy())
        return self.at(masks)

    def at(self, masks):
        """Answers; the noise of a mask is its own, as a deterministic model's would be."""
        planted = planted_transform(self.num_features, 10, degree=2, seed=self.seed)
        energy = sum(value**2 for support, value in planted.items() if support)
        scale = math.sqrt(energy * self.noise / (1 - self.noise))
        drawn = [np.random.default_rng([*mask.tobytes(), 7]).standard_normal() for mask in masks]
        return planted(masks) + scale * np.array(drawn)

    def explained(self, budget=1000, **settings) -> spex.Explanation:
        """The function explained."""
        defaults = {"decoder": PAIRS, "target_faithfulness": 0.9, "seed": self.seed}
        return spex.explain_function(
            self,
            num_features=self.num_features,
            budget=spex.Budget(budget),
            **{**defaults, **settings},
        )


def test_it_stops_early_on_an_easy_function_and_says_so():
    """Far before the budget, after whole rounds, with the sentence in every report."""
    model = FunctionAdapter(verdict)
    found = explained(model)
    asked = len(model.requests)
    assert asked - PROBE in planned_looks(NUM_WORDS, 1000 - PROBE)
    assert asked <= 400
    assert found.faithfulness.low >= found.target == 0.9
    assert found.complete
    assert found.provenance.planned + PROBE == found.usage.requests == asked
    assert found.ending.startswith(f"Stopped after {asked} of 1,000 requests: the lower end of")
    assert found.ending in story.trust(found)
    assert found.ending in found.to_html()
    assert json.loads(found.to_json())["ending"] == found.ending


def test_it_says_that_the_budget_ended():
    """A target out of reach takes the whole budget, and is said to be missed."""
    function = Watched(noise=0.3)
    found = function.explained(budget=300)
    assert found.usage.requests == 300
    assert found.complete
    assert found.faithfulness.low < 0.9
    assert found.ending.startswith("The budget of 300 requests ended before the target of 0.9")


def test_no_mask_is_asked_twice_and_none_beyond_the_budget():
    """Every round asks new masks only; together they are at most the budget."""
    function = Watched(noise=0.3)
    function.explained(budget=400)
    asked = np.concatenate(function.rounds)
    assert len(function.rounds) == len(planned_looks(12, 400)) > 2
    assert len(np.unique(asked, axis=0)) == len(asked) == 400


@dataclass(frozen=True)
class Spying:
    """Ridge on pairs that keeps what it was given to fit."""

    seen: list[set[bytes]] = field(default_factory=list)

    def plan(self, num_features, num_queries, seed):
        """Uniform masks."""
        return PAIRS.plan(num_features, num_queries, seed)

    def decode(self, samples):
        """Keeps the masks, and decodes."""
        self.seen.append({mask.tobytes() for mask in samples.masks})
        return PAIRS.decode(samples)


@pytest.mark.parametrize("target", [None, 0.9])
def test_what_is_held_out_is_hidden_from_every_fit(target):
    """From round to round fits only grow, and what measures any of them was in none."""
    spy, function = Spying(), Watched(noise=0.3)
    found = function.explained(budget=400, decoder=spy, target_faithfulness=target)
    asked = {mask.tobytes() for mask in np.concatenate(function.rounds)}
    rounds, curve = spy.seen[: len(function.rounds)], spy.seen[len(function.rounds) :]
    assert len(rounds) == len(function.rounds)
    for before, after in pairwise(rounds):
        assert before < after
    assert len(curve) == 2
    assert curve[0] < curve[1] < rounds[-1]
    hidden = asked - rounds[-1]
    assert len(hidden) == found.faithfulness.num_masks + found.near.num_masks
    for round_, seen in zip(
        np.cumsum([len(each) for each in function.rounds]), rounds, strict=True
    ):
        so_far = np.concatenate(function.rounds)[:round_]
        unseen = {mask.tobytes() for mask in so_far} - seen
        assert unseen <= hidden
        assert len(unseen) >= len(so_far) // 5


def test_looks_are_corrected_for():
    """With the same masks, more planned looks give a wider interval than none."""
    function = Watched(noise=0.3)
    once = function.explained(budget=300, target_faithfulness=None)
    often = function.explained(budget=300)
    assert often.faithfulness.low < once.faithfulness.low


@pytest.mark.parametrize("noise", [0.05, 0.095])
def test_it_is_right_where_it_says_so(noise):
    """The true R² is below the target in hardly any run that says it; 20 runs, noise near it."""
    wrong = met = 0
    for seed in range(20):
        function = Watched(noise=noise, seed=seed)
        found = function.explained()
        fresh = uniform_plan(12, 1500, seed=99).masks
        met += found.faithfulness.low >= 0.9
        truth = r_squared(function.at(fresh), found.predict(fresh))
        wrong += found.faithfulness.low >= 0.9 > truth
    assert wrong <= 1
    if noise == 0.05:
        assert met >= 17


def test_a_replay_writes_the_same_bytes_and_a_target_shares_its_answers():
    """From disk the run ends at the same round; another target goes on from there."""
    first = explained()
    model = FunctionAdapter(verdict)
    again = explained(model)
    assert model.requests == []
    assert again.to_json() == first.to_json()
    assert (again.usage.sent, again.usage.cached) == (0, first.usage.requests)
    further = explained(model, decoder=ALONE)
    assert further.usage.requests == 1000
    assert len(model.requests) == 1000 - first.usage.requests


def test_a_run_broken_off_ends_as_if_nothing_had_been(monkeypatch, tmp_path):
    """An endpoint fails in the second round: the next run asks the rest, and ends identically."""
    model = FunctionAdapter(verdict)

    def breaks(messages):
        if len(broken.requests) == 130:
            raise RuntimeError("The cable is out.")
        return verdict(messages)

    broken = FunctionAdapter(breaks)
    with pytest.raises(RuntimeError):
        explained(broken, decoder=ALONE, budget=spex.Budget(300))
    resumed = explained(model, decoder=ALONE, budget=spex.Budget(300))
    assert 100 < 300 - len(model.requests) <= len(broken.requests)
    monkeypatch.setenv("SPEX_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert explained(decoder=ALONE, budget=spex.Budget(300)).to_json() == resumed.to_json()


def test_a_cap_that_ends_mid_plan_is_a_partial_result():
    """Failures eat the cap: what is there is decoded, and said to be partial, as ever."""
    turn = iter(range(10_000))

    def shaky(messages):
        if next(turn) % 50 == 49:
            raise Unavailable("Busy.", retry_after=0.0)
        return verdict(messages)

    found = explained(FunctionAdapter(shaky), budget=spex.Budget(300), decoder=ALONE)
    assert not found.complete
    assert (found.usage.sent, found.usage.requests) == (300, 294)
    assert found.ending.startswith("The budget of 300 requests ended before")


def test_refused_masks_are_counted_once_over_all_rounds():
    """Refusals are not on disk, yet no round asks those of an earlier one again."""

    def filtered(messages):
        said = messages[-1].content.split()
        if "thin" in said and "plot" not in said:
            raise BadRequest("The content filter struck.")
        return verdict(messages)

    model = FunctionAdapter(filtered)
    found = explained(model, decoder=ALONE, budget=spex.Budget(400))
    asked = [request.messages[-1].content for request in model.requests]
    assert len(asked) == found.usage.requests + found.provenance.refused
    assert len(asked) == len(set(asked)) + PROBE


def test_texts_that_read_the_same_in_two_rounds_are_one_answer():
    """Words that repeat: each text is asked and counted once, whichever round comes first to it."""
    prompt = spex.Prompt.from_template("{text}", text="good " * 5 + "thin " * 5)
    model = FunctionAdapter(verdict)
    found = spex.explain_sync(
        prompt,
        model,
        score=spex.LabelLogOdds("positive", "negative"),
        budget=spex.Budget(400),
        decoder=PAIRS,
        target_faithfulness=0.99999,
    )
    asked = [request.messages[-1].content for request in model.requests]
    assert len(asked) == len(set(asked)) + PROBE == found.usage.requests


@pytest.mark.parametrize(
    ("decoder", "budget", "looks"),
    [(SPEX(), 2000, 1), (WalshHadamard(), 4096, 1), (PAIRS, 2000, 9)],
)
def test_a_code_and_a_cube_are_looked_at_once(decoder, budget, looks):
    """They are whole or nothing; whoever takes uniform masks is looked at in rounds."""
    design = draw_design(decoder, num_features=12, num_masks=budget, seed=0, target=0.9)
    assert len(design.looks) == looks
    assert bool(design.one_look) is (looks == 1)
    assert design.looks[-1].num_masks == len(design.survey.plan)


def test_auto_looks_at_a_process_and_ends_with_a_code():
    """Beyond 4,000 masks the last round is coded, and no mask of the code is held out."""
    design = draw_design("auto", num_features=40, num_masks=9000, seed=0, target=0.9)
    kinds = [type(look.decoder) for look in design.looks]
    assert set(kinds[:-1]) == {Contest}
    assert kinds[-1] is SPEX
    assert design.looks[-2].num_masks <= 4000
    assert design.looks[-1].num_masks == 9000
    survey = design.survey
    assert survey.plan.aliasing is not None
    assert len(np.unique(survey.plan.masks, axis=0)) == 9000
    code = SPEX().plan(
        40, survey.fitted.sum() - survey.first(design.looks[-2].num_masks).fitted.sum(), 0
    )
    fitted = {mask.tobytes() for mask in survey.plan.masks[survey.fitted]}
    assert {mask.tobytes() for mask in code.masks} <= fitted


def test_a_small_cube_stops_early_or_ends_exactly():
    """Eight features: an easy function is done before all 256 masks, and noise is asked whole."""
    easy = Watched(num_features=8).explained(decoder="auto")
    assert easy.usage.requests < 256
    noise = Watched(num_features=8, noise=0.3).explained(decoder="auto")
    assert noise.usage.requests == 256
    assert noise.faithfulness.exhaustive
    assert noise.decoder == "WalshHadamard()"
    assert "all 256 masks that there are" in noise.ending
    assert noise.near.num_masks == 8 + 28 + 56


@pytest.mark.parametrize("target", [None, 0.9])
def test_masks_keep_as_many_as_asked(target):
    """Nine of ten parts stay, in what is fitted and in what is held out."""
    function = Watched(num_features=40, noise=0.3)
    found = function.explained(budget=300, keep=0.9, target_faithfulness=target)
    share = np.concatenate(function.rounds)[2:].mean()
    assert share == pytest.approx(0.9, abs=0.01)
    assert found.provenance.keep == 0.9
    assert spex.Explanation.from_json(found.to_json()).provenance.keep == 0.9
    assert ("Kept", "each part with probability 0.9") in story.provenance(found)


@pytest.mark.parametrize("decoder", ["spex", SPEX(degree=3), "walsh_hadamard", LeaveOneOut()])
def test_masks_of_ones_own_keep_one_half(decoder):
    """A code cannot be biased: that is said before anything is asked, with what to do."""
    function = Watched()
    with pytest.raises(UsageError, match=r"probability 0\.9.*Nothing was sent.*'spectral_gp'"):
        function.explained(decoder=decoder, keep=0.9, target_faithfulness=None)
    assert function.rounds == []


@pytest.mark.parametrize("settings", [{"keep": 0.2}, {"keep": 0.99}, {"target_faithfulness": 90}])
def test_numbers_out_of_range_send_nothing(settings):
    """Before a request goes out."""
    model = FunctionAdapter(verdict)
    with pytest.raises(UsageError):
        explained(model, **settings)
    assert model.requests == []


def test_the_decoder_is_told_what_was_kept():
    """The samples carry the probability to whoever decodes them."""
    kept = []

    class Asking(Spying):
        def decode(self, samples):
            """Keeps the probability, and decodes."""
            kept.append(samples.keep)
            return Spying.decode(self, samples)

    Watched(num_features=20).explained(300, decoder=Asking(), keep=0.8, target_faithfulness=None)
    assert kept == [0.8] * 3, "the whole, and the two parts of its curve"


def test_near_the_prompt_is_measured_on_its_own():
    """Its R² is of unseen masks with one to three removed, against the mean of their own values."""
    spy, function = Spying(), Watched(num_features=20, noise=0.1)
    found = function.explained(500, decoder=spy, target_faithfulness=None)
    (asked,), (seen, *_) = function.rounds, spy.seen
    hidden = np.array([mask for mask in asked if mask.tobytes() not in seen])
    near = hidden[hidden.sum(axis=1, dtype=int) >= 17]
    assert len(near) == found.near.num_masks == 20
    assert found.near.value == pytest.approx(r_squared(function.at(near), found.predict(near)))
    assert found.near.low < found.near.value < found.near.high
    assert "Near the full prompt, on 20 masks" in story.trust(found)
    back = spex.Explanation.from_json(found.to_json())
    assert (back.near, back.target, back.ending) == (found.near, None, "")
    assert back.to_json() == found.to_json()


def test_near_values_that_do_not_vary_are_not_measurable():
    """Removing three words moves nothing: NaN, null in the file, and words for it."""
    found = spex.explain_function(
        lambda masks: np.where(masks.sum(axis=1) > 15, 1.0, masks[:, 0] + 2.0 * masks[:, 1]),
        num_features=20,
        budget=spex.Budget(300),
        decoder=PAIRS,
    )
    assert math.isnan(found.near.value)
    assert json.loads(found.to_json())["near"]["value"] is None
    assert math.isnan(spex.Explanation.from_json(found.to_json()).near.value)
    assert "not measurable: the values there do not vary" in story.trust(found)


def test_a_tiny_budget_looks_nowhere_near():
    """Below a hundred masks there is no second figure, in the file and in words."""
    found = Watched().explained(budget=99, target_faithfulness=None)
    assert found.near is None
    assert json.loads(found.to_json())["near"] is None
    assert "Near the full prompt" not in story.trust(found)


def test_files_of_before_are_read():
    """A file without the new keys is an explanation without them."""
    stored = json.loads(Watched().explained(100, target_faithfulness=None).to_json())
    for key in ("near", "target", "ending"):
        del stored[key]
    del stored["provenance"]["keep"]
    found = spex.Explanation.from_json(json.dumps(stored))
    assert (found.near, found.target, found.ending, found.provenance.keep) == (None, None, "", 0.5)
