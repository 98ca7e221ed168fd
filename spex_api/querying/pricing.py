"""What an answer costs, from an offline price list or from the user.

The list is that of genai-prices, as it was installed: its updater is never started, and nothing is
fetched. It is looked into by the endpoint's address and the model's name; what it does not know is
unknown, never guessed. What this module does not know: any cap, and what was asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from spex_api.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from genai_prices.types import ModelPrice, TieredPrices

    from spex_api.completions import CompletionRequest, Usage
    from spex_api.querying.adapter import Adapter

__all__ = ["FREE", "Price", "batch_price_of", "price_for", "price_of"]

_MILLION: Final = 1e6
_BATCH_HOSTS: Final = ("api.openai.com", "api.anthropic.com")
_BATCH_SHARE: Final = 0.5
_BATCH: Final = {"processing": "batch"}
_MOMENTS: Final = tuple(timedelta(minutes=30 * step) for step in range(49))
"""When tariffs are looked at, from now on: some change with the hour, others on a day."""
_UNFORESEEN: Final = ("requests_kcount", "output_reasoning_mtok", "output_citation_mtok")
"""What some models charge for beside tokens read and written: no bound of ours covers it."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars a million tokens.

    Attributes:
        input: what is read.
        output: what is written.
        cache_read: of the input, what comes from the endpoint's prompt cache; None as the rest.
        cache_write: of the input, what is written to it; None as the rest.
        longer: where long requests are dearer: from how many input tokens on, exclusive, and the
            price of the whole request then; ascending.

    Raises:
        UsageError: a price below nothing, or no number.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    longer: tuple[tuple[int, Price], ...] = ()

    def __post_init__(self) -> None:
        for name in ("input", "output", "cache_read", "cache_write"):
            dollars = getattr(self, name)
            if dollars is not None and not 0 <= dollars < float("inf"):
                raise UsageError(
                    f"The price of {name.replace('_', ' ')} is {dollars} dollars a million tokens, "
                    "which is no price.",
                    advice="Give 0 for what is free, and leave out what is not known.",
                )

    def cost(self, usage: Usage) -> float:
        """What this took, in dollars. Of several answers, their mean length decides the tariff."""
        price = self._at(usage.input_tokens / max(usage.requests, 1))
        read, written = usage.cache_read_tokens, usage.cache_write_tokens
        plain = max(usage.input_tokens - read - written, 0)
        return (
            plain * price.input
            + read * _or(price.cache_read, price.input)
            + written * _or(price.cache_write, price.input)
            + usage.output_tokens * price.output
        ) / _MILLION

    def bound(self, request: CompletionRequest) -> float:
        """The most that the answer to this can cost, in dollars."""
        longest, written = request.input_bound, request.output_bound
        tariffs = [self, *(price for start, price in self.longer if start < longest)]
        return max(longest * each.dearest + written * each.output for each in tariffs) / _MILLION

    @property
    def dearest(self) -> float:
        """What a token that is read can cost at the most: written to the prompt cache, or not."""
        return max(self.input, self.cache_read or 0.0, self.cache_write or 0.0)

    def times(self, share: float) -> Price:
        """The same at a share of it."""
        return Price(
            self.input * share,
            self.output * share,
            None if self.cache_read is None else self.cache_read * share,
            None if self.cache_write is None else self.cache_write * share,
            tuple((start, price.times(share)) for start, price in self.longer),
        )

    def _at(self, input_tokens: float) -> Price:
        reached = [price for start, price in self.longer if input_tokens > start]
        return reached[-1] if reached else self


FREE: Final = Price(0.0, 0.0)
"""Nobody sends a bill."""


def price_for(adapter: Adapter, given: Price | None = None) -> Price | None:
    """The user's price if there is one, nothing where nobody sends a bill, else the list's.

    Args:
        adapter: who answers.
        given: what the user says.

    Returns:
        The price, or None where it is not known.
    """
    if given is not None:
        return given
    if adapter.capabilities.free:
        return FREE
    return price_of(adapter.endpoint, adapter.model)


def price_of(endpoint: str, model: str) -> Price | None:
    """The list's price, or None where it knows none.

    Where a tariff changes with the hour or by tomorrow, the dearest within a day counts.

    Args:
        endpoint: the address that is asked.
        model: the model's name there.
    """
    return _dearest(list(_tariffs(endpoint, model)))


def batch_price_of(endpoint: str, model: str, given: Price | None = None) -> Price | None:
    """The price in a batch, or None where there are no batches or no known price.

    Args:
        endpoint: the address that is asked.
        model: the model's name there.
        given: what the user says a single answer costs; a batch costs half of it.
    """
    if urlsplit(endpoint).hostname not in _BATCH_HOSTS:
        return None
    if given is not None:
        return given.times(_BATCH_SHARE)
    batched = _dearest(list(_tariffs(endpoint, model, _BATCH)))
    return None if batched == price_of(endpoint, model) else batched


def _tariffs(
    endpoint: str, model: str, context: dict[str, str] | None = None
) -> Iterator[ModelPrice]:
    """The list's prices, now and over the next day; none where it knows none."""
    # Imported here: three tenths of a second that no run without a price needs.
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    now = datetime.now(UTC)
    for later in _MOMENTS:
        try:
            found = calc_price(
                Usage(input_tokens=1, output_tokens=1),
                model,
                provider_api_url=endpoint,
                genai_request_timestamp=now + later,
                price_context=context,
            )
        except (LookupError, ValueError):
            return
        if not _is_host_of(endpoint, found.provider.api_pattern):
            return
        yield found.model_price


def _is_host_of(endpoint: str, pattern: str) -> bool:
    """Whether the list's pattern, which is of a beginning, covers the host to its end."""
    parts = urlsplit(endpoint)
    start = f"{parts.scheme}://{parts.netloc}"
    found = re.match(pattern, endpoint)
    if found is None or not parts.hostname:
        return False
    rest = start[found.end() :]
    return not rest or rest.startswith(":") or (found.group().endswith(".") and "." not in rest)


def _dearest(tariffs: list[ModelPrice]) -> Price | None:
    """One price that is at least each of these; None where there is none, or not all in tokens."""
    if not tariffs or any(
        each.input_mtok is None
        or each.output_mtok is None
        or any(getattr(each, name, None) is not None for name in _UNFORESEEN)
        for each in tariffs
    ):
        return None
    starts = sorted({start for each in tariffs for start in _starts(each)})
    return Price(
        *_prices_at(tariffs, 0),
        longer=tuple((start, Price(*_prices_at(tariffs, start + 1))) for start in starts),
    )


_NAMES: Final = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


def _starts(tariff: ModelPrice) -> Iterator[int]:
    for name in _NAMES:
        for tier in getattr(getattr(tariff, name), "tiers", ()):
            yield tier.start


def _prices_at(
    tariffs: list[ModelPrice], input_tokens: int
) -> tuple[float, float, float | None, float | None]:
    """The dearest of each kind, for a request that reads so much."""
    read, written, cache_read, cache_write = (
        [_at(getattr(each, name), input_tokens) for each in tariffs] for name in _NAMES
    )
    return (
        max(price for price in read if price is not None),
        max(price for price in written if price is not None),
        None if None in cache_read else max(price for price in cache_read if price is not None),
        None if None in cache_write else max(price for price in cache_write if price is not None),
    )


def _at(price: Decimal | TieredPrices | None, input_tokens: int) -> float | None:
    from genai_prices.types import TieredPrices  # noqa: PLC0415

    if not isinstance(price, TieredPrices):
        return None if price is None else float(price)
    reached = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return float(reached[-1] if reached else price.base)


def _or(price: float | None, other: float) -> float:
    return other if price is None else price
