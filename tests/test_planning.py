"""What a plan says before anything is sent, and that the run then does just that."""

from __future__ import annotations

import math
import socket

import pytest

import spex_api as spex
from spex_api.completions import Capabilities, CompletionRequest, Message, Usage
from spex_api.errors import BudgetTooSmall, UsageError
from spex_api.planner import plan_sync
from spex_api.planning import CapCheck, Estimate, Load, Pace, Room, check_caps
from spex_api.querying.pace.limits import Limits
from spex_api.querying.pricing import Price, price_of
from spex_api.testing import FunctionAdapter

TEXT = "The plot is bad and slow, yet her acting is never bad and the end is good, so good."
SCORE = spex.LabelLogOdds("positive", "negative")
PROMPT = spex.Prompt.from_template("Positive or negative? {text}", text=TEXT)
ASKED = {"score": SCORE, "budget": spex.Budget(300), "decoder": "lasso"}


def toy(messages):
    """More words, more positive."""
    value = 0.1 * len(messages[-1].content.split())
    return {"positive": -math.log1p(math.exp(-value)), "negative": -math.log1p(math.exp(value))}


def planned(model, **settings):
    return plan_sync(PROMPT, model, **{**ASKED, **settings})


@pytest.fixture
def no_network(monkeypatch):
    """Whoever makes a connection or looks up a name fails."""

    def refuse(*_, **__):
        raise AssertionError("A plan opens no connection.")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_the_run_asks_just_what_was_planned():
    """As many requests as were to be sent, no more on disk than was said, and then all of it."""
    model = FunctionAdapter(toy)
    before = planned(model)
    assert model.requests == []
    assert before.held == 0
    assert before.load.requests == before.distinct + before.probe
    explained = spex.explain_sync(PROMPT, model, **ASKED)
    assert explained.usage.sent == len(model.requests) == before.load.requests
    after = planned(model)
    assert after.held == after.distinct == before.distinct
    assert after.load == Load()
    assert after.seconds == Estimate()
    assert len(model.requests) == before.load.requests


def test_what_is_on_disk_is_not_asked_again():
    """A run of another seed shares the anchors and little else; the plan says how much is left."""
    model = FunctionAdapter(toy)
    spex.explain_sync(PROMPT, model, **{**ASKED, "budget": spex.Budget(60)})
    partly = planned(model)
    assert 2 <= partly.held < partly.distinct
    asked = len(model.requests)
    spex.explain_sync(PROMPT, model, **ASKED)
    assert len(model.requests) - asked <= partly.load.requests
    assert len(model.requests) - asked >= partly.distinct - partly.held


def test_masks_by_kind():
    """To fit, held out and near the prompt add up to all; of a whole cube, all are fitted."""
    found = planned(FunctionAdapter(toy))
    assert found.to_fit + found.held_out + found.near == found.num_masks == found.looks[-1]
    assert min(found.to_fit, found.held_out, found.near) > 0
    small = spex.Prompt.from_template("{text}", text="very good indeed")
    cube = plan_sync(small, FunctionAdapter(toy), score=SCORE)
    assert (cube.to_fit, cube.held_out, cube.near) == (8, 0, 0)


def test_masks_that_read_the_same_are_one_request():
    """Of a text that says one word over and over, many masks read the same."""
    prompt = spex.Prompt.from_template("{text}", text=" ".join(["good"] * 12))
    found = plan_sync(prompt, FunctionAdapter(toy), score=SCORE, budget=spex.Budget(300))
    assert found.distinct == 13
    assert found.load.requests == 13 + found.probe


def test_a_target_may_end_it_early():
    """The plan says after how many masks."""
    found = planned(FunctionAdapter(toy), target_faithfulness=0.9)
    assert len(found.looks) > 1
    assert found.looks[-1] == found.num_masks


@pytest.mark.parametrize("model", ["openai:gpt-4.1-mini", "local"])
def test_no_key_and_no_connection(model, no_network):
    """A plan of a hosted model needs no key, one of the embedded model no weights."""
    found = planned(model)
    assert found.load.requests > 0
    assert found.usd is not None


def test_the_price_is_the_lists():
    """What is expected lies below the most; a batch costs half, but for the probe."""
    found = planned("openai:gpt-4.1-mini")
    assert found.price == price_of("https://api.openai.com/v1", "gpt-4.1-mini")
    read, written = found.load.input_tokens, found.load.output_tokens
    assert found.usd.expected == pytest.approx((0.4 * read.expected + 1.6 * written) / 1e6)
    assert found.usd.most == pytest.approx((0.4 * read.most + 1.6 * written) / 1e6)
    assert read.expected < read.most


def test_the_users_price_goes_first():
    """A model that the list does not know costs what the user says; else nobody knows."""
    given = planned("openai:unheard-of", price=Price(1.0, 2.0))
    assert given.usd.most == pytest.approx(
        (given.load.input_tokens.most + 2 * given.load.output_tokens) / 1e6
    )
    unknown = planned("openai:unheard-of")
    assert unknown.price is None
    assert unknown.usd is None
    assert unknown.batch_usd is None


def test_a_free_model_costs_nothing():
    """Zero, which is not unknown."""
    found = planned(FunctionAdapter(toy), budget=spex.Budget(300, usd=0.0))
    assert found.usd == Estimate()
    assert {check.of: check.room for check in found.caps}["usd"] is Room.SURELY


def test_a_dollar_cap_without_a_price_is_told_not_raised():
    """The run would refuse to start; the plan says so, and all else."""
    model = FunctionAdapter(toy, capabilities=Capabilities())
    budget = spex.Budget(300, usd=1.0)
    found = planned(model, budget=budget)
    assert found.caps[-1] == CapCheck("usd", 1.0, Room.UNKNOWN)
    with pytest.raises(UsageError, match="price"):
        spex.explain_sync(PROMPT, model, score=SCORE, budget=budget)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"index": "XYZ"}, UsageError),
        ({"decoder": "xyz"}, UsageError),
        ({"budget": spex.Budget(9)}, BudgetTooSmall),
    ],
)
def test_what_explain_refuses_a_plan_refuses(settings, error):
    """Wrong use is told before there is any number."""
    with pytest.raises(error):
        planned(FunctionAdapter(toy), **settings)


def asking(size: int, max_tokens: int = 1) -> CompletionRequest:
    return CompletionRequest((Message("user", "x" * size),), max_tokens=max_tokens)


def test_a_load_adds_up():
    """Sums of what all take; the most that any takes."""
    price = Price(1.0, 10.0, cache_write=2.0)
    one, other = Load.of(asking(40, 5), price), Load.of(asking(400), price)
    assert one.input_tokens == Estimate(14, 64 + 16 + 40)
    assert one.usd.expected == pytest.approx(price.cost(Usage(1, 14, 5)))
    assert one.usd.most == pytest.approx(price.bound(asking(40, 5)))
    both = one + other
    assert (both.requests, both.output_tokens) == (2, 6)
    assert both.input_tokens == Estimate(14 + 104, 120 + 480)
    assert both.most_tokens == 481
    assert both.most_usd == other.most_usd
    assert both + Load() == both


@pytest.mark.parametrize(
    ("limits", "seconds", "slowest"),
    [
        (Limits(), 20, "concurrency"),
        (Limits(requests_per_minute=100), 60, "requests_per_minute"),
        (Limits(requests_per_minute=100, tokens_per_minute=2200), 300, "tokens_per_minute"),
        (Limits(input_tokens_per_minute=1000), 600, "input_tokens_per_minute"),
        (Limits(output_tokens_per_minute=500), 120, "output_tokens_per_minute"),
    ],
)
def test_the_slowest_limit_decides_how_long_it_takes(limits, seconds, slowest):
    """A hundred requests of 100 and 10 tokens, five at once."""
    pace = Pace(limits, concurrency=5)
    assert pace.seconds(100, 10_000, 1_000) == seconds
    assert pace.slowest(100, 10_000, 1_000) == slowest


@pytest.mark.parametrize(
    ("budget", "rooms"),
    [
        (spex.Budget(10, tokens=1_210, usd=0.0121), ["surely", "surely", "surely"]),
        (spex.Budget(9, tokens=1_209, usd=0.0120), ["no", "likely", "likely"]),
        (spex.Budget(10, tokens=150 + 121, usd=0.0015 + 0.00121), ["surely", "likely", "likely"]),
        (spex.Budget(10, tokens=150 + 120, usd=0.0015 + 0.0012), ["surely", "no", "no"]),
    ],
)
def test_whether_the_caps_suffice(budget, rooms):
    """Surely, if all take the most; likely, if there is room for the last one's most as well."""
    load = sum([Load.of(asking(40), Price(10.0, 10.0))] * 10, Load())
    assert load.input_tokens == Estimate(140, 1200)
    assert [check.room for check in check_caps(budget, load, priced=True)] == rooms


def test_a_cap_in_dollars_without_a_price_cannot_be_looked_at():
    """Zero dollars that nobody reckoned are not enough for anything."""
    checks = check_caps(spex.Budget(10, usd=1.0), Load.of(asking(40), None), priced=False)
    assert [check.room for check in checks] == [Room.SURELY, Room.UNKNOWN]
