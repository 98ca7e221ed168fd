"""What an explanation would ask, take and cost: numbers alone, and how they follow.

Tokens are not counted but estimated: about four bytes make one, and there are never more than
`CompletionRequest.input_bound`. What this module does not know: where the requests come from, how
a plan is shown, and whether the endpoint answers at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from spex_api.completions import Usage

if TYPE_CHECKING:
    from spex_api.completions import CompletionRequest
    from spex_api.querying.budget import Budget
    from spex_api.querying.pace.limits import Limits
    from spex_api.querying.pricing import Price

__all__ = ["CapCheck", "Estimate", "Load", "Pace", "Plan", "Room", "check_caps"]

_BYTES_A_TOKEN: Final = 4
_TOKENS_A_TURN: Final = 4
"""Its frame: who speaks, and where it begins and ends."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to be expected, and the most that it can be. Adds up; `Estimate()` is zero."""

    expected: float = 0.0
    most: float = 0.0

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.expected + other.expected, self.most + other.most)


@dataclass(frozen=True, slots=True)
class Load:
    """What requests take. Adds up; `Load()` is zero.

    Attributes:
        requests: how many.
        input_tokens: what is read.
        output_tokens: what is written, at the most.
        usd: what it costs in dollars; zero where no price is known.
        most_tokens: the most that one of them takes, input and output.
        most_usd: the most that one of them costs.
    """

    requests: int = 0
    input_tokens: Estimate = Estimate()
    output_tokens: int = 0
    usd: Estimate = Estimate()
    most_tokens: int = 0
    most_usd: float = 0.0

    @classmethod
    def of(cls, request: CompletionRequest, price: Price | None) -> Load:
        """What one request takes."""
        length = sum(len(turn.content.encode()) for turn in request.messages)
        typical = math.ceil(length / _BYTES_A_TOKEN) + _TOKENS_A_TURN * len(request.messages)
        usd = Estimate()
        if price is not None:
            usage = Usage(1, typical, request.output_bound)
            usd = Estimate(price.cost(usage), price.bound(request))
        return cls(
            requests=1,
            input_tokens=Estimate(typical, request.input_bound),
            output_tokens=request.output_bound,
            usd=usd,
            most_tokens=request.input_bound + request.output_bound,
            most_usd=usd.most,
        )

    def times(self, count: int) -> Load:
        """So many of the same."""
        return sum([self] * count, Load())

    def __add__(self, other: Load) -> Load:
        return Load(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.usd + other.usd,
            max(self.most_tokens, other.most_tokens),
            max(self.most_usd, other.most_usd),
        )


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an endpoint may be asked.

    Attributes:
        limits: what it bears in a minute.
        concurrency: the most requests under way at once.
        answer_seconds: how long one answer takes: an assumption.
    """

    limits: Limits
    concurrency: int
    answer_seconds: float = 1.0

    def seconds(self, requests: int, input_tokens: float, output_tokens: float) -> float:
        """How long so much takes."""
        return max(self._times(requests, input_tokens, output_tokens).values())

    def slowest(self, requests: int, input_tokens: float, output_tokens: float) -> str:
        """Which limit decides that."""
        times = self._times(requests, input_tokens, output_tokens)
        return max(times, key=lambda limit: times[limit])

    def _times(self, requests: int, read: float, written: float) -> dict[str, float]:
        amounts = {
            "requests_per_minute": requests,
            "tokens_per_minute": read + written,
            "input_tokens_per_minute": read,
            "output_tokens_per_minute": written,
        }
        times = {"concurrency": math.ceil(requests / self.concurrency) * self.answer_seconds}
        for name, amount in amounts.items():
            limit = getattr(self.limits, name)
            if limit is not None:
                times[name] = 60.0 * amount / limit
        return times


class Room(StrEnum):
    """Whether a cap leaves room for all of a plan."""

    SURELY = "surely"
    """Even if everything takes the most that it can."""
    LIKELY = "likely"
    """If everything takes what is to be expected."""
    NO = "no"
    """Not even then: the run would end early, with a smaller result."""
    UNKNOWN = "unknown"
    """Without a price no cap in dollars can be kept: the run would not start."""


@dataclass(frozen=True, slots=True)
class CapCheck:
    """One cap of the budget, and whether it suffices.

    Attributes:
        of: "requests", "tokens" or "usd".
        cap: the cap.
        room: whether it leaves room for all.
    """

    of: str
    cap: float
    room: Room


def check_caps(budget: Budget, load: Load, *, priced: bool) -> tuple[CapCheck, ...]:
    """Whether the caps of a budget suffice; each request is set aside at the most it can take.

    Args:
        budget: the caps.
        load: what is yet to be sent.
        priced: whether it is known what it costs.
    """
    requests = Estimate(load.requests, load.requests)
    tokens = load.input_tokens + Estimate(load.output_tokens, load.output_tokens)
    checks = [CapCheck("requests", budget.requests, _room(budget.requests, requests, 0))]
    if budget.tokens is not None:
        checks.append(
            CapCheck("tokens", budget.tokens, _room(budget.tokens, tokens, load.most_tokens))
        )
    if budget.usd is not None:
        room = _room(budget.usd, load.usd, load.most_usd) if priced else Room.UNKNOWN
        checks.append(CapCheck("usd", budget.usd, room))
    return tuple(checks)


def _room(cap: float, need: Estimate, most_of_one: float) -> Room:
    if need.most <= cap:
        return Room.SURELY
    # Even the last one needs room for the most that it can take.
    return Room.LIKELY if need.expected + most_of_one <= cap else Room.NO


@dataclass(frozen=True, slots=True)
class Plan:
    """What an explanation would take.

    Attributes:
        model: the model's name.
        endpoint: who answers.
        num_features: how many parts of the prompt may be masked.
        decoder: the decoder, and why that one.
        to_fit: how many masks the fit looks at.
        held_out: how many measure it.
        near: how many measure it near the full prompt.
        looks: after how many masks it is decoded; with a target it may end at each.
        requests_per_mask: how many requests a mask takes.
        distinct: how many different requests the masks make; those that read the same are one.
        held: how many of these are on disk.
        probe: how many requests find out what the endpoint gives, beyond those of the masks. They
            go first: where all masks are on disk, so are they.
        load: what is yet to be sent.
        usd: what that costs one by one, in dollars, or None where no price is known.
        batch_usd: what it costs by batch, or None where there are no batches or no price.
        price: dollars a million tokens, or None.
        pace: how fast it may go.
        caps: the budget's.
        assumed: what had to be assumed, in a sentence, since only an answer tells it; else "".
    """

    model: str
    endpoint: str
    num_features: int
    decoder: str
    to_fit: int
    held_out: int
    near: int
    looks: tuple[int, ...]
    requests_per_mask: int
    distinct: int
    held: int
    probe: int
    load: Load
    usd: Estimate | None
    batch_usd: Estimate | None
    price: Price | None
    pace: Pace
    caps: tuple[CapCheck, ...]
    assumed: str = ""

    @property
    def num_masks(self) -> int:
        """How many masks there are in all."""
        return self.to_fit + self.held_out + self.near

    @property
    def seconds(self) -> Estimate:
        """How long it takes at the limits, one by one."""
        load = self.load
        read, written = load.input_tokens, load.output_tokens
        return Estimate(
            self.pace.seconds(load.requests, read.expected, written),
            self.pace.seconds(load.requests, read.most, written),
        )

    @property
    def slowest(self) -> str:
        """Which limit decides how long it takes."""
        load = self.load
        return self.pace.slowest(load.requests, load.input_tokens.expected, load.output_tokens)
