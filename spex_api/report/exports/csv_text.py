"""The interactions as CSV that a spreadsheet opens without running any of it.

A cell that begins with one of = + - @, a tab or a carriage return is a formula to spreadsheets, and
a prompt may hold what an attacker wrote (OWASP, "CSV injection"). What this module does not know:
which spreadsheet opens it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spex_api.report import story
from spex_api.report.exports.rows import Row, rows

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from spex_api.explanation import Explanation

__all__ = ["COLUMNS", "to_csv"]

COLUMNS: Final = ("text", "order", "value", "low", "high", "features", "texts")

_STARTS: Final = "=+\\-@＝＋－＠﹢﹣﹦﹫−"
"""What begins a formula, in every width that a spreadsheet may fold to the plain one."""
_FORMULA: Final = re.compile(rf"(^|[;,|\"'“”‘’`])(\s*)(?=[{_STARTS}])")
"""Also behind what would begin a cell for a reader with another separator, or without quotes."""
_IN_JSON: Final = re.compile(r"(?<!\w)[=+\-@]|(?<=\\[nrtbf])[=+\-@]")
"""Within JSON in ASCII: what does not stand behind a letter or digit of the text."""


def to_csv(explanation: Explanation, path: str | os.PathLike[str] | None = None) -> str:
    """A table with one row an interaction, the strongest first, as RFC 4180 has it, in UTF-8.

    Its columns: `text`, the features as a person reads them; `order`; `value`, `low` and `high` in
    the score's unit, empty where there is no interval; and as JSON lists `features`, their numbers
    counted from 0, and `texts`, what they say, character for character.

    No cell is a formula. In `text`, white space and control characters become spaces and marks, and
    what would begin a formula has an apostrophe before it: `=1+1` is `'=1+1`. In `texts` such
    characters are written as JSON's escapes, so that a reader of JSON gets the text as it was. All
    texts are in quotes, and numbers stay numbers, negative ones too.

    Args:
        explanation: what is told.
        path: of a file to write it to; its lines end in CRLF on every system.

    Returns:
        The same text.

    Raises:
        OSError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    features = range(explanation.transform.num_features)
    shown = [_protected(story.words(explanation, (feature,))) for feature in features]
    writer.writerows(_cells(row, shown) for row in rows(explanation))
    if path is not None:
        Path(path).write_text(text.getvalue(), encoding="utf-8", newline="")
    return text.getvalue()


def _cells(row: Row, shown: Sequence[str]) -> tuple[str | float, ...]:
    return (
        " & ".join(shown[feature] for feature in row.features),
        row.order,
        *("" if math.isnan(number) else number for number in (row.value, row.low, row.high)),
        json.dumps(row.features),
        _IN_JSON.sub(_escaped, json.dumps(row.texts)),
    )


def _protected(text: str) -> str:
    """A text in one line that is no formula, nor any stretch of it that might become a cell."""
    line = " ".join(text.split())
    return _FORMULA.sub(r"\1\2'", story.harmless(line))


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"
