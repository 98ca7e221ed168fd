"""A server's own limits: what is beyond them is refused, and told how long to wait.

What this module does not know: questions and answers; it is told how many tokens they may take.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from spex_api.testing.script import Enforced

__all__ = ["Enforcer", "Verdict", "duration"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a question is let in.

    Attributes:
        admitted: whether it is.
        headers: what the reply says of the limits.
    """

    admitted: bool
    headers: tuple[tuple[str, str], ...] = ()


def duration(seconds: float) -> str:
    """A duration as OpenAI's headers have it: "250ms", "1.5s", "1m30s"."""
    if seconds < 1:
        return f"{math.ceil(max(seconds, 0.0) * 1000)}ms"
    minutes, rest = divmod(seconds, 60.0)
    return f"{int(minutes)}m{rest:.4g}s" if minutes else f"{rest:.4g}s"


class Enforcer:
    """Keeps the limits over every window, however it lies, and words what is left of them."""

    def __init__(self, limits: Enforced, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._let_in: deque[tuple[float, int]] = deque()
        self._tokens = 0

    def judge(self, tokens: int, *, dialect: str) -> Verdict:
        """Lets a question in, which then counts, or does not.

        Args:
            tokens: how many it reads and may write.
            dialect: "openai" or "anthropic", which word their headers differently.
        """
        now, limits = self._clock(), self._limits
        while self._let_in and self._let_in[0][0] <= now - limits.window:
            self._tokens -= self._let_in.popleft()[1]
        admitted = len(self._let_in) < (limits.requests or math.inf) and (
            self._tokens + tokens <= (limits.tokens or math.inf)
        )
        if admitted:
            self._let_in.append((now, tokens))
            self._tokens += tokens
        if limits.silent:
            return Verdict(admitted)
        whole = self._let_in[-1][0] + limits.window - now if self._let_in else 0.0
        headers = [*self._left("requests", whole, dialect), *self._left("tokens", whole, dialect)]
        if not admitted:
            headers += _wait(self._until_room(tokens, now), dialect)
        return Verdict(admitted, tuple(headers))

    def _until_room(self, tokens: int, now: float) -> float:
        """Seconds until a question of that size would be let in, if none came before."""
        count, total, when = len(self._let_in), self._tokens, 0.0
        for entered, size in self._let_in:
            if count < (self._limits.requests or math.inf) and total + tokens <= (
                self._limits.tokens or math.inf
            ):
                break
            count, total = count - 1, total - size
            when = entered + self._limits.window - now
        return max(when, 0.001)

    def _left(self, of: str, whole: float, dialect: str) -> list[tuple[str, str]]:
        limit, used = {
            "requests": (self._limits.requests, len(self._let_in)),
            "tokens": (self._limits.tokens, self._tokens),
        }[of]
        if limit is None:
            return []
        if dialect == "anthropic":
            at = datetime.now(UTC) + timedelta(seconds=whole)
            stem = f"anthropic-ratelimit-{of}"
            return [
                (f"{stem}-limit", str(limit)),
                (f"{stem}-remaining", str(limit - used)),
                (f"{stem}-reset", at.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
            ]
        return [
            (f"x-ratelimit-limit-{of}", str(limit)),
            (f"x-ratelimit-remaining-{of}", str(limit - used)),
            (f"x-ratelimit-reset-{of}", duration(whole)),
        ]


def _wait(seconds: float, dialect: str) -> list[tuple[str, str]]:
    if dialect == "anthropic":
        return [("retry-after", f"{seconds:.3f}")]
    milliseconds = math.ceil(seconds * 1000)
    return [("retry-after-ms", str(milliseconds)), ("retry-after", str(math.ceil(seconds)))]
