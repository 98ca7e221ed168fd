"""One request is taken from all limits of a minute at once, or from none.

Before it is sent, what it will take is estimated: its output at the longest that it may be, its
input at a share of `CompletionRequest.input_bound`. The share starts at the whole; real answers
then teach it, upwards at once and downwards slowly, and a tenth is added. Afterwards the real usage
stands in place of the estimate. What came from an endpoint's prompt cache is counted in full,
although some endpoints do not: that only makes us slower.

What this module does not know: who waits, and why a request failed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from spex_api.errors import UsageError
from spex_api.querying.pace.windows import Entry, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spex_api.completions import Allowance, Usage

__all__ = ["Cost", "Expected", "Limits", "Minute", "Taken", "too_large"]

_MARGIN = 1.1
_FORGETTING = 0.02
"""How far the share falls, with each answer, towards what that answer took."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint bears in a minute; None is not limited until a reply names a limit.

    Attributes:
        requests_per_minute: attempts, failed ones among them.
        tokens_per_minute: input and output together.
        input_tokens_per_minute: what is read.
        output_tokens_per_minute: what is written.

    Raises:
        UsageError: a limit under which nothing could ever be sent.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            limit = getattr(self, each.name)
            if limit is not None and not limit >= 1:
                raise UsageError(
                    f"{each.name} is {limit}: nothing could ever be sent.",
                    advice="Give at least 1, or leave it out where there is no such limit.",
                )


Cost = tuple[int, int, int, int]
"""What one request takes: requests, tokens, input tokens, output tokens."""

Taken = tuple[Entry, Entry, Entry, Entry]
"""The entries of one request, in the same order."""

_NAMES = ("requests", "tokens", "input_tokens", "output_tokens")
_WORDS = ("requests", "tokens", "input tokens", "output tokens")


class Expected:
    """What a request is expected to take, learned from what others took."""

    __slots__ = ("_share",)

    def __init__(self) -> None:
        self._share: float | None = None

    def cost(self, input_bound: int, max_tokens: int, *, room: float) -> Cost:
        """What a request is expected to take.

        As long as no answer has shown what the bound is worth, a request whose bound alone is
        beyond a limit is taken to use the whole of it: it goes, but nothing goes beside it.

        Args:
            input_bound: of the request.
            max_tokens: that it may be answered with.
            room: how many tokens it may read under the limits.
        """
        if self._share is None:
            expected = max(1, int(min(input_bound, room)))
        else:
            expected = min(input_bound, math.ceil(input_bound * self._share * _MARGIN))
        return 1, expected + max_tokens, expected, max_tokens

    def learn(self, input_tokens: int, *, input_bound: int) -> None:
        """Learns what the bound is worth from what one answer read."""
        share = min(1.0, input_tokens / max(input_bound, 1))
        if self._share is None or share >= self._share:
            self._share = share or None
        else:
            self._share += (share - self._share) * _FORGETTING


class Minute:
    """The windows of all four dimensions, and what a request is expected to take of them.

    Args:
        limits: those that the user gave.
    """

    __slots__ = ("_expected", "_windows")

    def __init__(self, limits: Limits) -> None:
        self._windows = (
            Window(limits.requests_per_minute),
            Window(limits.tokens_per_minute),
            Window(limits.input_tokens_per_minute),
            Window(limits.output_tokens_per_minute),
        )
        self._expected = Expected()

    @property
    def limits(self) -> Limits:
        """The limits in force: the user's, and those that replies named."""
        return Limits(*(None if each.limit == math.inf else each.limit for each in self._windows))

    def cost(self, input_bound: int, max_tokens: int) -> Cost:
        """What a request is expected to take; see `Expected`."""
        _, both, read, _ = self._windows
        room = min(both.limit - max_tokens, read.limit)
        return self._expected.cost(input_bound, max_tokens, room=room)

    def due(self, cost: Cost, now: float) -> float:
        """The earliest moment at which it fits into every window: past if now.

        Raises:
            UsageError: it is larger than a limit.
        """
        requests, both, read, written = self._windows
        due = max(
            requests.due(cost[0], now),
            both.due(cost[1], now),
            read.due(cost[2], now),
            written.due(cost[3], now),
        )
        if due == math.inf:
            raise too_large(cost, [each.limit for each in self._windows])
        return due

    def take(self, cost: Cost, now: float) -> Taken:
        """Counts it in every window."""
        requests, both, read, written = self._windows
        return (
            requests.take(cost[0], now),
            both.take(cost[1], now),
            read.take(cost[2], now),
            written.take(cost[3], now),
        )

    def settle(self, taken: Taken, usage: Usage, *, input_bound: int, now: float) -> None:
        """Counts what an answer really took, and learns what the bound is worth.

        An answer that names no tokens keeps its estimate.
        """
        if not usage.input_tokens and not usage.output_tokens:
            return
        _, both, read, written = self._windows
        both.settle(taken[1], usage.input_tokens + usage.output_tokens, now)
        read.settle(taken[2], usage.input_tokens, now)
        written.settle(taken[3], usage.output_tokens, now)
        self._expected.learn(usage.input_tokens, input_bound=input_bound)

    def give_back_tokens(self, taken: Taken, now: float) -> None:
        """Counts no tokens for an attempt that the endpoint refused; the request stays counted."""
        for window, entry in zip(self._windows[1:], taken[1:], strict=True):
            window.settle(entry, 0, now)

    def withdraw(self, taken: Taken, now: float) -> None:
        """Counts nothing for a request that was never sent."""
        self._windows[0].settle(taken[0], 0, now)
        self.give_back_tokens(taken, now)

    def resync(self, taken: Taken, allowances: Iterable[Allowance], now: float) -> None:
        """Heeds what the reply to one request says is left of the endpoint's limits."""
        for allowance in allowances:
            if allowance.of in _NAMES:
                index = _NAMES.index(allowance.of)
                self._windows[index].resync(allowance, taken[index], now)


def too_large(cost: Cost, limits: Sequence[float]) -> UsageError:
    """The error of a request that takes more than a limit.

    Args:
        cost: what it is expected to take.
        limits: in the same order; of one at least it takes more.
    """
    names = zip(_WORDS, cost, limits, strict=True)
    word, amount, limit = next(each for each in names if each[1] > each[2])
    return UsageError(
        f"One request is expected to take {amount} {word}, and the limit is {limit:g} a "
        "minute: it would wait for ever.",
        advice="Shorten the prompt or the answer, or raise the limit if the endpoint bears it.",
    )
