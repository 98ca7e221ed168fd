"""How an explanation stands on disk: read and checked by pydantic, also where another wrote it.

What this module does not know: what an explanation can do, and where its file lies.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from spex_api.claims import Causes  # noqa: TC001 - pydantic reads it
from spex_api.completions import JsonObject  # noqa: TC001 - pydantic reads it
from spex_api.fidelity import Checkpoint, Faithfulness
from spex_api.indices import Interactions, Interval
from spex_api.prompts import Prompt  # noqa: TC001 - pydantic reads it
from spex_api.provenance import Cost, Pipeline, Provenance
from spex_api.transforms import FourierTransform, Support

if TYPE_CHECKING:
    from spex_api.explanation import Explanation

__all__ = ["StoredExplanation"]


class _Border(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class _Term(_Border):
    features: list[int]
    value: float


class _Interaction(_Border):
    features: list[int]
    texts: list[str]
    value: float
    low: float | None
    high: float | None


class _Faithfulness(_Border):
    value: float | None
    low: float | None
    high: float | None
    num_masks: int
    additive: float | None
    exhaustive: bool
    ceiling: float | None = None
    within: float | None = None
    of_shares: bool = False

    @classmethod
    def of(cls, faithfulness: Faithfulness) -> _Faithfulness:
        return cls(
            value=_finite(faithfulness.value),
            low=_finite(faithfulness.low),
            high=_finite(faithfulness.high),
            num_masks=faithfulness.num_masks,
            additive=_finite(faithfulness.additive),
            exhaustive=faithfulness.exhaustive,
            ceiling=faithfulness.ceiling,
            within=faithfulness.within,
            of_shares=faithfulness.of_shares,
        )

    def faithfulness(self) -> Faithfulness:
        return Faithfulness(
            _number(self.value),
            _number(self.low),
            _number(self.high),
            self.num_masks,
            _number(self.additive),
            self.exhaustive,
            self.ceiling,
            self.within,
            self.of_shares,
        )


class _Checkpoint(_Border):
    num_samples: int
    faithfulness: _Faithfulness


class _Usage(_Border):
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float | None


class StoredExplanation(_Border):
    """An explanation as it stands on disk."""

    schema_version: Literal[1] = 1
    faithfulness: _Faithfulness
    near: _Faithfulness | None = None
    curve: list[_Checkpoint] = []
    target: float | None = None
    ending: str = ""
    spec: JsonObject | None = None
    causes: Causes | None = None
    pipeline: Pipeline | None = None
    index: str
    order: int
    baseline: float
    interactions: list[_Interaction]
    usage: _Usage
    decoder: str
    reason: str
    status: str
    complete: bool
    provenance: Provenance
    features: list[str]
    prompt: Prompt | None
    num_features: int
    transform: list[_Term]

    @classmethod
    def of(cls, explanation: Explanation) -> StoredExplanation:
        """The explanation as it is written."""
        found, usage, near = explanation.interactions, explanation.usage, explanation.near
        return cls(
            faithfulness=_Faithfulness.of(explanation.faithfulness),
            near=None if near is None else _Faithfulness.of(near),
            curve=[
                _Checkpoint(
                    num_samples=each.num_samples, faithfulness=_Faithfulness.of(each.faithfulness)
                )
                for each in explanation.curve
            ],
            target=explanation.target,
            ending=explanation.ending,
            spec=explanation.spec,
            causes=explanation.causes,
            pipeline=explanation.pipeline,
            index=found.index,
            order=found.order,
            baseline=found.baseline,
            interactions=[_row(found, support) for support in found.strongest()],
            usage=_Usage(
                requests=usage.requests,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                usd=usage.usd,
            ),
            decoder=explanation.decoder,
            reason=explanation.reason,
            status=explanation.status,
            complete=explanation.complete,
            provenance=explanation.provenance,
            features=list(found.names),
            prompt=explanation.prompt,
            num_features=explanation.transform.num_features,
            transform=[
                _Term(features=list(support), value=value)
                for support, value in explanation.transform.items()
            ],
        )

    def fields(self) -> dict[str, Any]:
        """The arguments of the `Explanation` that this is."""
        intervals: dict[Support, Interval] = {}
        for row in self.interactions:
            if row.low is not None and row.high is not None:
                intervals[tuple(row.features)] = Interval(row.low, row.high)
        return {
            "prompt": self.prompt,
            "interactions": Interactions(
                self.index,
                self.order,
                {tuple(row.features): row.value for row in self.interactions},
                intervals,
                self.baseline,
                tuple(self.features),
            ),
            "transform": FourierTransform(
                {tuple(term.features): term.value for term in self.transform}, self.num_features
            ),
            "faithfulness": self.faithfulness.faithfulness(),
            "usage": Cost(cached=self.usage.requests, **self.usage.model_dump()),
            "decoder": self.decoder,
            "reason": self.reason,
            "status": self.status,
            "complete": self.complete,
            "provenance": self.provenance,
            "near": None if self.near is None else self.near.faithfulness(),
            "curve": tuple(
                Checkpoint(each.num_samples, each.faithfulness.faithfulness())
                for each in self.curve
            ),
            "target": self.target,
            "ending": self.ending,
            "spec": self.spec,
            "causes": self.causes,
            "pipeline": self.pipeline,
        }


def _row(found: Interactions, support: Support) -> _Interaction:
    interval = found.intervals.get(support)
    return _Interaction(
        features=list(support),
        texts=[str(name) for name in found.named(support)],
        value=found[support],
        low=interval and interval.low,
        high=interval and interval.high,
    )


def _finite(number: float) -> float | None:
    """JSON has no NaN: what is not known is null."""
    return number if math.isfinite(number) else None


def _number(stored: float | None) -> float:
    return math.nan if stored is None else stored
