"""What the list of likeliest tokens tells of the next one, and the most that it leaves untold.

What this module does not know: which tokens a score looks for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spex_api.completions import TokenLogprob

__all__ = ["CENSORED_VARIANCE", "exact_in", "is_told", "listed_in", "log_sum", "most_unlisted"]

_ABSENT: Final = -9998.0
"""OpenAI lists a token whose log-prob it does not tell at −9999: a sentinel, not a number."""

_ROUNDING: Final = 1e-7
"""What the listed probabilities may exceed 1 by, so the least that a bound can be."""

CENSORED_VARIANCE: Final = 2.0
"""The mean square of what a log-prob at its bound is off by, in nats².

Nothing is known of an unlisted log-prob but that it is below the bound. How far below is taken to
be exponential, which supposes the least of a distance whose mean is given, and the mean to be one
nat: a token that is listed under most masks is not far off the list's end under the others. The
value stays at the bound, so what counts is the second moment about it, `2 · (1 nat)²`, not the
variance about the mean. It is a statement of ignorance and was not measured: it makes a bound count
for less than an exact value, and does not mend its bias, which is why bounds are counted besides.
"""


def is_told(logprob: float) -> bool:
    """Whether it is a log-prob: neither NaN, nor what stands for "not told"."""
    return _ABSENT < logprob < math.inf


def listed_in(token: TokenLogprob) -> list[tuple[str, float]]:
    """The listed tokens with real log-probs, in nats, the chosen one among them."""
    listed = dict(token.top)
    listed.setdefault(token.token, token.logprob)
    return [(text, logprob) for text, logprob in listed.items() if is_told(logprob)]


def exact_in(token: TokenLogprob) -> dict[int, float]:
    """The log-probs that were asked for by number, in nats, as far as they are told.

    The chosen token's is among them only where some were asked for: alone it says nothing of
    others.
    """
    exact = {number: logprob for number, logprob in token.exact if is_told(logprob)}
    if exact and token.token_id is not None and is_told(token.logprob):
        exact.setdefault(token.token_id, token.logprob)
    return exact


def most_unlisted(listed: Sequence[tuple[str, float]]) -> float:
    """The most that a token which is not listed can have: `log min(p_last, 1 − Σ p)`.

    Args:
        listed: the likeliest tokens, at least one.
    """
    left_over = 1.0 - math.fsum(math.exp(logprob) for _, logprob in listed)
    least = min(logprob for _, logprob in listed)
    return min(least, math.log(max(left_over, _ROUNDING)))


def log_sum(logs: Iterable[float]) -> float:
    """`log Σ exp`; −∞ of nothing."""
    values = tuple(logs)
    top = max(values, default=-math.inf)
    if not math.isfinite(top):
        return -math.inf
    return top + math.log(math.fsum(math.exp(value - top) for value in values))
