"""Prices: what the list knows, what the user says, and the most that a request can cost."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.completions import Capabilities, CompletionRequest, Message, Usage
from spex_api.errors import UsageError
from spex_api.querying.pricing import FREE, Price, batch_price_of, price_for, price_of
from spex_api.testing import FunctionAdapter

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"


def asking(size: int, max_tokens: int = 1) -> CompletionRequest:
    return CompletionRequest((Message("user", "x" * size),), max_tokens=max_tokens)


def test_the_list_is_looked_into_by_address_and_name():
    """A model of OpenAI at OpenAI's address costs what OpenAI's page says, dated name or not."""
    price = price_of(OPENAI, "gpt-4o-mini")
    assert price == price_of(f"{OPENAI}/", "gpt-4o-mini-2024-07-18")
    assert (price.input, price.output) == (0.15, 0.6)


@pytest.mark.parametrize(
    ("endpoint", "model"),
    [
        ("http://127.0.0.1:8000/v1", "gpt-4o-mini"),
        ("local:sha256:abc;engine 1", "SmolLM2-135M-Instruct"),
        (OPENAI, "a-model-that-is-none"),
        (OPENAI, "ft:gpt-4o-mini:me::abc"),
        ("https://api.openai.com.example.org/v1", "gpt-4o-mini"),
        ("https://api.openai.community/v1", "gpt-4o-mini"),
        ("https://example.org/api.openai.com", "gpt-4o-mini"),
    ],
)
def test_what_the_list_does_not_know_is_unknown(endpoint, model):
    """Another address, another model, or a host that only begins like a known one: None."""
    assert price_of(endpoint, model) is None
    assert batch_price_of(endpoint, model) is None


def test_what_is_not_charged_by_tokens_alone_is_unknown():
    """A fee a request would pass every bound that is made of tokens."""
    assert price_of("https://api.perplexity.ai", "sonar") is None


@pytest.mark.parametrize(
    ("endpoint", "model"),
    [(OPENAI, "gpt-4.1-mini"), (OPENAI, "gpt-6-luna"), (ANTHROPIC, "claude-haiku-5-5")],
)
def test_a_batch_costs_half(endpoint, model):
    """Of what is read and of what is written."""
    alone, batched = price_of(endpoint, model), batch_price_of(endpoint, model)
    assert batched.input == pytest.approx(alone.input / 2)
    assert batched.output == pytest.approx(alone.output / 2)


def test_no_batch_where_there_is_none():
    """Other providers have none here; where there are, a price that the user gives is halved."""
    groq = "https://api.groq.com/openai/v1"
    assert price_of(groq, "llama-3.3-70b-versatile") is not None
    assert batch_price_of(groq, "llama-3.3-70b-versatile") is None
    assert batch_price_of(groq, "x", Price(1.0, 2.0)) is None
    given = Price(1.0, 2.0, cache_read=0.5, longer=((10, Price(4.0, 6.0)),))
    halved = Price(0.5, 1.0, cache_read=0.25, longer=((10, Price(2.0, 3.0)),))
    assert batch_price_of(OPENAI, "whatever", given) == halved


def test_long_requests_may_be_dearer():
    """Where a tariff has a step, the whole request pays the higher price beyond it."""
    price = price_of(ANTHROPIC, "claude-haiku-5-5")
    ((start, longer),) = price.longer
    below, above = Usage(1, start, 10), Usage(1, start + 1, 10)
    assert price.cost(below) == pytest.approx((start * price.input + 10 * price.output) / 1e6)
    assert price.cost(above) == pytest.approx(
        ((start + 1) * longer.input + 10 * longer.output) / 1e6
    )
    assert longer.input > price.input
    several = Usage(2, start + 1, 10)
    assert price.cost(several) == pytest.approx(
        ((start + 1) * price.input + 10 * price.output) / 1e6
    )


def test_a_tariff_that_changes_with_the_hour_counts_at_its_dearest():
    """DeepSeek is cheaper at night: whatever the hour is now, the price is that of the day."""
    price = price_of("https://api.deepseek.com", "deepseek-chat")
    assert (price.input, price.output) == (0.27, 1.1)


def test_the_prompt_cache_has_its_own_prices():
    """What is read from it, and what is written to it; else they cost as the rest."""
    price = Price(1.0, 10.0, cache_read=0.1, cache_write=1.25)
    usage = Usage(1, 1000, 10, cache_read_tokens=400, cache_write_tokens=200)
    assert price.cost(usage) == pytest.approx((400 + 40 + 250 + 100) / 1e6)
    assert Price(1.0, 10.0).cost(usage) == pytest.approx((1000 + 100) / 1e6)
    assert price.bound(asking(0)) == pytest.approx((80 * 1.25 + 10) / 1e6)


PRICES = st.floats(0, 100, allow_nan=False)
FLAT = st.builds(Price, PRICES, PRICES, st.none() | PRICES, st.none() | PRICES)


@given(
    price=st.builds(
        lambda flat, longer: Price(
            flat.input, flat.output, flat.cache_read, flat.cache_write, ((150, longer),)
        ),
        FLAT,
        FLAT,
    ),
    size=st.integers(0, 200),
    written=st.integers(0, 50),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_nothing_costs_more_than_its_bound(price, size, written, shares):
    """However much of it is read, from the prompt cache or not, and under every tariff."""
    request = asking(size, max_tokens=50)
    read = int(request.input_bound * shares[0])
    from_cache = int(read * shares[1])
    to_cache = int((read - from_cache) * shares[2])
    usage = Usage(1, read, written, from_cache, to_cache)
    assert price.cost(usage) <= price.bound(request) * (1 + 1e-12)


def test_the_users_price_goes_first():
    """Then comes that nobody sends a bill, then the list."""
    free = FunctionAdapter(lambda messages: {})
    paid = FunctionAdapter(
        lambda messages: {}, model="gpt-4o-mini", endpoint=OPENAI, capabilities=Capabilities()
    )
    assert price_for(free) == FREE
    assert price_for(free, Price(1.0, 2.0)) == price_for(paid, Price(1.0, 2.0)) == Price(1.0, 2.0)
    assert price_for(paid) == price_of(OPENAI, "gpt-4o-mini")
    unknown = FunctionAdapter(lambda messages: {}, capabilities=Capabilities())
    assert price_for(unknown) is None
    assert FREE.cost(Usage(1, 1000, 1000)) == FREE.bound(asking(1000)) == 0.0


@pytest.mark.parametrize(
    "prices", [(-1.0, 1.0), (1.0, float("nan")), (float("inf"), 1.0), (1.0, 1.0, -0.1)]
)
def test_a_price_is_a_number_and_no_debt(prices):
    """Below nothing, endless or no number is wrong use."""
    with pytest.raises(UsageError, match="no price"):
        Price(*prices)


def test_the_list_opens_no_connection_and_starts_no_thread():
    """A fresh interpreter in which no socket can be made knows the price, and runs one thread."""
    code = (
        "import socket, threading\n"
        "def refuse(*_, **__): raise AssertionError('a connection')\n"
        "socket.socket.__init__ = socket.getaddrinfo = refuse\n"
        "import spex_api.querying.pricing as pricing, sys\n"
        "print('genai_prices' in sys.modules)\n"
        f"print(pricing.price_of({OPENAI!r}, 'gpt-4o-mini').input, threading.active_count())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "0.15", "1"]
