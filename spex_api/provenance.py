"""Whom an explanation is of, where its numbers come from, and what it took.

What this module does not know: what was found.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spex_api.completions import JsonObject  # noqa: TC001 - pydantic reads it

__all__ = ["Cost", "Pipeline", "Provenance"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What an explanation took in all, and of it what was sent now. Adds up; `Cost()` is nothing.

    Attributes:
        requests: how many answers it stands on.
        input_tokens: in all of them.
        output_tokens: in all of them.
        usd: what all of them cost, or None where the price is not known.
        sent: how many requests were sent now, failed ones among them.
        cached: how many answers were on disk.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = None
    sent: int = field(default=0, compare=False)
    cached: int = field(default=0, compare=False)

    def __add__(self, other: Cost) -> Cost:
        priced = self.usd is not None and other.usd is not None
        return Cost(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=(self.usd or 0.0) + (other.usd or 0.0) if priced else None,
            sent=self.sent + other.sent,
            cached=self.cached + other.cached,
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the numbers come from.

    Attributes:
        model: the name that was asked for.
        endpoint: who answered.
        served: how many answers each served model gave, by its name and fingerprint.
        score: as it is written in Python.
        meaning: what a value is, and in which unit.
        seed: of the masks and of the bootstrap.
        planned: how many masks were to be asked, up to where a target was reached.
        samples: how many the fit has seen.
        censored: how many values are only bounds.
        without_value: how many answers hold no value.
        refused: how many masks the endpoint refused for good.
        full: the measured value of the whole prompt, where there is one.
        empty: the measured value with every feature masked, where there is one.
        version: of this package.
        keep: the probability with which the masks kept each feature.
        withheld: how many answers the model declined or a filter took away.
        noise_floor: the standard deviation of the value when the whole prompt was asked again and
            again; None where nobody looked.
        warnings: what else to know of the answers, a sentence each.
        chosen: why this score, where it was chosen for its user; else "".
        unasked: rows of masks that the budget ended before, as ranges, both ends included: what a
            replay leaves out again.
    """

    model: str
    endpoint: str
    served: dict[str, int]
    score: str
    meaning: str
    seed: int
    planned: int
    samples: int
    censored: int
    without_value: int
    refused: int
    full: float | None
    empty: float | None
    version: str
    keep: float = 0.5
    withheld: int = 0
    noise_floor: float | None = None
    warnings: tuple[str, ...] = ()
    chosen: str = ""
    unasked: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The user's own function that was explained, in words by which it can be asked again.

    Attributes:
        function: where it stands, as "module:name"; "" where it has no name to be imported by.
        inputs: its arguments by name; None where they are no JSON.
        vary: the arguments whose parts are the features, and how each is cut: "" into the elements
            of a list, or by the name of a segmenter.
    """

    function: str
    inputs: JsonObject | None = None
    vary: dict[str, str] = field(default_factory=dict)
