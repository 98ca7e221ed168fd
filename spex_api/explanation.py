"""What `explain` returns, and how it stands on disk.

The file depends on the question and the answers alone: it holds no clock, and no word of what was
cached, so that a replay writes the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from spex_api.errors import UsageError
from spex_api.explanation_file import StoredExplanation
from spex_api.provenance import Cost, Pipeline, Provenance

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd
    import shap
    import shapiq
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from spex_api.claims import Causes
    from spex_api.completions import JsonObject
    from spex_api.fidelity import Checkpoint, Faithfulness
    from spex_api.indices import Interactions
    from spex_api.prompts import Prompt
    from spex_api.transforms import FourierTransform

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
        curve: how faithful the same decoder is from fewer of the samples, on the same unseen masks;
            empty where nobody looked, and in files of older versions.
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
    curve: tuple[Checkpoint, ...] = ()

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
        stored = json.loads(StoredExplanation.of(self).model_dump_json())
        text = json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Explanation:
        """An explanation from a file, or from the text of one.

        Raises:
            UsageError: it is no explanation, or one of another version of the schema.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        try:
            stored = StoredExplanation.model_validate_json(text)
        except ValidationError as error:
            raise _unreadable(error) from None
        return cls(**stored.fields())

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """A self-contained page, and in a file where a path is given."""
        from spex_api.report.page import render  # noqa: PLC0415 - only who wants a page pays for it

        page = render(self)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def _repr_html_(self) -> str:
        """The page's heart, as notebooks show it: in a frame, which keeps it apart from theirs."""
        from spex_api.report.page import framed  # noqa: PLC0415 - only a notebook pays for it

        return framed(self)

    def plot(self, kind: str = "interactions", *, ax: Axes | None = None, **settings: Any) -> Axes:  # noqa: ANN401 - each kind has its own
        """A plot by matplotlib: see `spex_api.report.plots` for the kinds and their settings.

        Args:
            kind: "interactions", "text", "network", "waterfall", "faithfulness", "removal" or
                "sparsity".
            ax: where it is drawn; by default in a figure of its own.
            settings: of this kind.

        Raises:
            UsageError: there is no such kind.
            MissingExtra: matplotlib is not installed.
        """
        from spex_api.report.plots import draw  # noqa: PLC0415 - only who plots pays for it

        return draw(self, kind, ax=ax, **settings)

    def to_shapiq(self) -> shapiq.InteractionValues:
        """The interactions as shapiq has them.

        Raises:
            MissingExtra: shapiq is not installed.
            UsageError: its installed version has no such index.
        """
        from spex_api.report.exports import to_shapiq  # noqa: PLC0415 - as above

        return to_shapiq(self)

    def to_shap(self, *, interactions: bool = False) -> shap.Explanation:
        """The surrogate's Shapley values as shap has them.

        Args:
            interactions: whether they are parted into a matrix of interactions of two.

        Raises:
            MissingExtra: shap is not installed.
        """
        from spex_api.report.exports import to_shap  # noqa: PLC0415 - as above

        return to_shap(self, interactions=interactions)

    def to_pandas(self) -> pd.DataFrame:
        """The interactions as a table, the strongest first.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from spex_api.report.exports import to_pandas  # noqa: PLC0415 - as above

        return to_pandas(self)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The interactions as CSV that no spreadsheet takes for formulas, and in a file.

        See `spex_api.report.exports.csv_text` for its columns and how texts are protected.

        Raises:
            OSError: the file cannot be written.
        """
        from spex_api.report.exports import to_csv  # noqa: PLC0415 - as above

        return to_csv(self, path)

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


def _unreadable(error: ValidationError) -> UsageError:
    first = error.errors()[0]
    if first["loc"] == ("schema_version",):
        return UsageError(
            f"This explanation is of schema {first['input']!r:.20}, and this version of "
            "spex-api reads schema 1.",
            safe="The file is as it was.",
            advice="Where its number is higher, run: python -m pip install --upgrade spex-api. "
            "Else read it with the version that wrote it, which its provenance names.",
        )
    # The names in a file are foreign: repr lets none of them act on a terminal.
    place = repr(".".join(map(str, first["loc"])))[:200] + ": " if first["loc"] else ""
    return UsageError(
        f"This is no explanation of schema 1: {place}{first['msg']}.",
        advice="Read it with the version of spex-api that wrote it, or explain again.",
    )
