"""What a probe found out: what an endpoint truly gives, and a verdict on each point.

What this module does not know: which questions were asked, and how a verdict is come by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from spex_api.completions import Allowance, Capabilities, Usage
from spex_api.errors import EndpointUnfit, ScoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.errors import SpexError

__all__ = ["Judgement", "Latency", "Probed", "Verdict"]


class Verdict(StrEnum):
    """What a finding means for a run."""

    OK = "ok"
    WARNING = "warning"
    """A run may go on; its result needs the sentence beside it."""
    FATAL = "fatal"
    """No run may be paid for: its numbers would mean nothing."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One finding: a sentence with its verdict.

    Attributes:
        about: "log-probs", "temperature", "labels", "sensitivity", "repeatability", "refusals",
            "model", "usage", "headers" or "latency".
        verdict: what it means for a run.
        sentence: what was found.
        remedy: what to do about it, or "".
    """

    about: str
    verdict: Verdict
    sentence: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".rstrip()


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers took that really were sent for, in seconds.

    Attributes:
        p50: half of them were faster.
        p95: nineteen in twenty were; of a few answers, the slowest.
        count: how many were measured.
    """

    p50: float
    p95: float
    count: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency | None:
        """By nearest rank; None where nothing was measured."""
        if not seconds:
            return None
        ranked = sorted(seconds)
        half, most = (ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.95))
        return cls(half, most, len(ranked))


@dataclass(frozen=True, slots=True)
class Probed:
    """What is true of an endpoint, whatever it claims.

    Attributes:
        model: the name that was asked for.
        endpoint: who answered.
        capabilities: `top_logprobs` is the longest list seen, 0 where its numbers cannot be trusted
            and the claim where none was asked for; `concurrency` is what the limits and the latency
            recommend, where both are known, and else the claim.
        findings: the fatal ones first, then the warnings.
        noise_floor: the standard deviation of the value among answers to one question, in the
            score's unit; None where it is not known.
        full: the value of the whole prompt, where there is one.
        empty: the value with every feature masked, where there is one.
        served: how many answers each served model gave, by its name and fingerprint.
        latency: None where every answer was on disk.
        allowances: what headers said is left of the endpoint's limits, at the last answer that came
            with any; never of answers from disk.
        usage: what all answers took, whether they were sent for now or before.
        extra: of it, what repeats took, and other questions that no plan asks.
        extra_second: what a second model took for the same; `usage` does not count it.
        extra_served: how many of those each served model answered.
        requests: how many were asked, those answered from disk among them.
    """

    model: str
    endpoint: str
    capabilities: Capabilities
    findings: tuple[Judgement, ...]
    noise_floor: float | None = None
    full: float | None = None
    empty: float | None = None
    served: tuple[tuple[str, int], ...] = ()
    latency: Latency | None = None
    allowances: tuple[Allowance, ...] = ()
    usage: Usage = field(default_factory=Usage)
    extra: Usage = field(default_factory=Usage)
    extra_second: Usage = field(default_factory=Usage)
    extra_served: tuple[tuple[str, int], ...] = ()
    requests: int = 0

    def __post_init__(self) -> None:
        order = list(reversed(Verdict))
        ranked = sorted(self.findings, key=lambda finding: order.index(finding.verdict))
        object.__setattr__(self, "findings", tuple(ranked))
        for name in ("noise_floor", "full", "empty"):
            value: float | None = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} is {value}, and an unknown one is None")

    @property
    def is_fit(self) -> bool:
        """Whether a run may be paid for."""
        return not any(finding.verdict is Verdict.FATAL for finding in self.findings)

    @property
    def warnings(self) -> tuple[Judgement, ...]:
        """What needs to be said beside a result."""
        return tuple(each for each in self.findings if each.verdict is Verdict.WARNING)

    def unfit(self) -> SpexError | None:
        """The first fatal finding as an error, for who will not go on; None where there is none.

        Labels that are in no answer are a fault of the score (`ScoreError`), all else is one of the
        endpoint (`EndpointUnfit`).
        """
        if self.is_fit:
            return None
        first = self.findings[0]
        if first.about == "labels":
            return ScoreError(first.sentence, advice=first.remedy)
        return EndpointUnfit(
            f"{self.model} at {self.endpoint} cannot be explained. {first.sentence}",
            advice=first.remedy,
        )
