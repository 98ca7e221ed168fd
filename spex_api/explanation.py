"""What `explain` returns, and how it stands on disk.

The file depends on the question and the answers alone: it holds no clock, and no word of what was
cached, so that a replay writes the same bytes.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from spex_api.claims import Causes  # noqa: TC001 - pydantic reads it
from spex_api.completions import JsonObject  # noqa: TC001 - pydantic reads it
from spex_api.errors import UsageError
from spex_api.fidelity import Faithfulness
from spex_api.indices import Interactions, Interval
from spex_api.prompts import Prompt  # noqa: TC001 - pydantic reads it
from spex_api.provenance import Cost, Pipeline, Provenance
from spex_api.transforms import FourierTransform, Support

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Cost", "Explanation", "Pipeline", "Provenance"]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """What moved the answer, alone and together, how sure that is, and what it took.

    Attributes:
        prompt: what was explained; None for a function.
        interactions: what features do, by the index that was asked for.
        transform: the surrogate behind it.
        faithfulness: R² on masks that the fit has not seen. With a target, its interval is
            corrected for every look that was planned; see `spex_api.stopping`.
        usage: what it took.
        decoder: the decoder, as it is written in Python.
        reason: why this decoder.
        status: how the decoding went.
        complete: whether all that was to be asked was asked; else the budget ended first.
        provenance: where the numbers come from.
        near: R² on unseen masks with one to three features removed, against the mean of their own
            values; NaN where these do not vary. None where there were none: below about a hundred
            masks, and in files of older versions.
        target: the faithfulness that was aimed at, where one was.
        ending: how the inquiry ended, in a sentence, where there was a target.
        spec: the spec file and flags of the run, where it was one of the command line: what
            `spex replay` rebuilds it from.
        causes: what brings the answer about, put to the test near the full prompt; None where it
            was not tested.
        pipeline: the user's own function, where one was explained.
    """

    prompt: Prompt | None
    interactions: Interactions
    transform: FourierTransform
    faithfulness: Faithfulness
    usage: Cost
    decoder: str
    reason: str
    status: str
    complete: bool
    provenance: Provenance
    near: Faithfulness | None = None
    target: float | None = None
    ending: str = ""
    spec: JsonObject | None = None
    causes: Causes | None = None
    pipeline: Pipeline | None = None

    @property
    def baseline(self) -> float:
        """The index's value of the empty set, in the score's unit.

        For SV, SII, STII, FSII and Möbius that is the surrogate's value with everything masked, for
        FBII that of its nearest polynomial of the order; for BV, BII and Fourier it is the mean
        over all masks. See `spex_api.indices`.
        """
        return self.interactions.baseline

    def predict(self, masks: ArrayLike) -> NDArray[np.float64]:
        """The surrogate's value at any masks.

        Args:
            masks: shape (num_masks, num_features), of 0 and 1; 1 = kept.

        Returns:
            Shape (num_masks,), in the score's unit.

        Raises:
            UsageError: the masks have another shape, or hold something else than 0 and 1.
        """
        return self.transform(masks)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The explanation as JSON, and in a file where a path is given."""
        # Through pydantic's own text, which has words for an evidence without bounds.
        stored = json.loads(_Stored.of(self).model_dump_json())
        text = json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Explanation:
        """An explanation from a file, or from the text of one.

        Raises:
            UsageError: it is no explanation of this version.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        try:
            return _Stored.model_validate_json(text).explanation()
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise UsageError(
                f"This is no explanation of schema 1: {place}: {first['msg']}.",
                advice="Read it with the version of spex-api that wrote it, or explain again.",
            ) from None

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """A self-contained page, and in a file where a path is given."""
        from spex_api.report.html import render  # noqa: PLC0415 - only who wants a page pays for it

        page = render(self)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def to_pytest(
        self,
        path: str | os.PathLike[str],
        *,
        pipeline: str = "",
        inputs: Mapping[str, object] | str | None = None,
        vary: Mapping[str, str] | None = None,
        model: str = "",
    ) -> None:
        """Writes a regression test: the confirmed causes by the recorded answers, and asked again.

        `pytest FILE` judges the recorded answers, without a key; `pytest FILE --live` asks the
        pipeline, or the model, and fails as long as most answers are as they were. Long inputs, and
        a prompt, stand in a JSON file of the same name beside it.

        Args:
            path: of the test, as test_leave_days.py.
            pipeline: where the function stands, as "module:name" or "file.py:name"; by default as
                the explanation says it.
            inputs: its arguments by name, or where they stand; by default those that were
                explained.
            vary: the arguments whose parts are the features, and how each is cut; likewise.
            model: of a prompt, the model's name, where no spec file says it.

        Raises:
            UsageError: no cause is confirmed, its answers are not recorded, or it is not known who
                is to be asked again.
        """
        from spex_api.report.asking_again import Whom  # noqa: PLC0415 - only who wants a test
        from spex_api.report.regression import write  # noqa: PLC0415 - as above

        write(self, Path(path), whom=Whom(pipeline, inputs, vary, model))


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
        )


class _Usage(_Border):
    requests: int
    input_tokens: int
    output_tokens: int
    usd: float | None


class _Stored(_Border):
    """An explanation as it stands on disk."""

    schema_version: Literal[1] = 1
    faithfulness: _Faithfulness
    near: _Faithfulness | None = None
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
    def of(cls, explanation: Explanation) -> _Stored:
        found, usage, near = explanation.interactions, explanation.usage, explanation.near
        return cls(
            faithfulness=_Faithfulness.of(explanation.faithfulness),
            near=None if near is None else _Faithfulness.of(near),
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

    def explanation(self) -> Explanation:
        intervals: dict[Support, Interval] = {}
        for row in self.interactions:
            if row.low is not None and row.high is not None:
                intervals[tuple(row.features)] = Interval(row.low, row.high)
        return Explanation(
            prompt=self.prompt,
            interactions=Interactions(
                self.index,
                self.order,
                {tuple(row.features): row.value for row in self.interactions},
                intervals,
                self.baseline,
                tuple(self.features),
            ),
            transform=FourierTransform(
                {tuple(term.features): term.value for term in self.transform}, self.num_features
            ),
            faithfulness=self.faithfulness.faithfulness(),
            usage=Cost(cached=self.usage.requests, **self.usage.model_dump()),
            decoder=self.decoder,
            reason=self.reason,
            status=self.status,
            complete=self.complete,
            provenance=self.provenance,
            near=None if self.near is None else self.near.faithfulness(),
            target=self.target,
            ending=self.ending,
            spec=self.spec,
            causes=self.causes,
            pipeline=self.pipeline,
        )


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
