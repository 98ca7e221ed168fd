"""The interactions as a table of pandas.

What this module does not know: how pandas draws or stores it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spex_api.report.exports.rows import Row, rows
from spex_api.report.exports.theirs import load

if TYPE_CHECKING:
    import pandas as pd

    from spex_api.completions import JsonObject
    from spex_api.explanation import Explanation

__all__ = ["to_pandas"]


def to_pandas(explanation: Explanation) -> pd.DataFrame:
    """A table with one row an interaction, the strongest first.

    Its columns are those of `spex_api.report.exports.rows.Row`: `features` and `texts` are tuples,
    `order` is a whole number, `value`, `low` and `high` are float64 in the score's unit, NaN where
    there is no interval. The texts are those of the prompt, character for character: whoever prints
    them escapes them. What holds of the whole is in `.attrs`, as plain numbers and texts.

    Raises:
        MissingExtra: pandas is not installed.
    """
    pandas = load("pandas", asked="to_pandas()")
    listed = rows(explanation)
    columns = {
        name: pandas.Series([row[place] for row in listed], dtype=kind)
        for place, (name, kind) in enumerate(
            zip(
                Row._fields,
                ("object", "object", "int64", "float64", "float64", "float64"),
                strict=True,
            )
        )
    }
    table: pd.DataFrame = pandas.DataFrame(columns)
    table.attrs.update(_of_the_whole(explanation))
    return table


def _of_the_whole(explanation: Explanation) -> JsonObject:
    found, faith = explanation.interactions, explanation.faithfulness
    return {
        "index": found.index,
        "order": found.order,
        "baseline": found.baseline,
        "num_features": explanation.transform.num_features,
        "faithfulness": faith.value,
        "faithfulness_low": faith.low,
        "faithfulness_high": faith.high,
        "unit": explanation.provenance.meaning,
        "model": explanation.provenance.model,
        "decoder": explanation.decoder,
        "complete": explanation.complete,
    }
