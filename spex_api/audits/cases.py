"""The prompts of an audit, one a row: from JSONL, CSV, Parquet, or any rows of a program's.

A row is a few named texts: they fill a template, and by some of them cases are grouped. Numbers are
written as JSON writes them, lists and objects as JSON text; what is null is not there. A row that
cannot be read is an error that names it, before anything is sent. What this module does not know:
what a prompt is made of.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from spex_api.completions import canonical_json
from spex_api.errors import MissingExtra, SpecError
from spex_api.foreign_files import read_json, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["ID", "Case", "cases_of", "check_columns", "read_cases"]

ID: Final = "id"
"""The column that names a case, where none other is said to."""
_LONGEST_ID: Final = 200
_LONGEST_FILE: Final = 2**30
"""Bytes; and of a cell of CSV a quarter of that."""

Located = tuple[str, object]
"""Where a row stands, and what stands there."""


@dataclass(frozen=True, slots=True)
class Case:
    """One prompt of an audit.

    Attributes:
        case_id: names it among the others.
        columns: the rest of its row.
    """

    case_id: str
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def row(self) -> dict[str, str]:
        """The whole row."""
        return {ID: self.case_id, **self.columns}


def read_cases(path: Path, *, named_by: str = ID) -> tuple[Case, ...]:
    """The cases in a file: `.jsonl` or `.ndjson`, `.json` with a list, `.csv`, `.tsv`, `.parquet`.

    Args:
        path: the file.
        named_by: the column that names a case. Without such a column it is the row's number.

    Raises:
        SpecError: it cannot be read, or a row of it; the sentence names the row.
        MissingExtra: it is Parquet, and pyarrow is not installed.
    """
    kind = path.suffix.lower()
    read = _READERS.get(kind)
    if read is None:
        raise SpecError(
            f"The prompts in {path} cannot be read: a file ends in {', '.join(_READERS)}.",
            advice="JSONL has one object a line: its keys are the columns.",
        )
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise SpecError(f"{path} is longer than {_LONGEST_FILE:,} bytes: split it.")
    except OSError as error:
        raise SpecError(f"{path} (prompts) cannot be read: {error.strerror}.") from None
    return _named(read(path), source=str(path), named_by=named_by)


def cases_of(rows: Iterable[Mapping[str, object] | str], *, named_by: str = ID) -> tuple[Case, ...]:
    """The cases in any rows.

    Args:
        rows: one a prompt; a text stands for a row with that `text` alone.
        named_by: the column that names a case. Without such a column it is the row's number.

    Raises:
        SpecError: a row cannot be read; the sentence names it.
    """
    located = (
        (f"Row {at}", {"text": row} if isinstance(row, str) else row)
        for at, row in enumerate(rows, 1)
    )
    return _named(located, source="the prompts", named_by=named_by)


def check_columns(cases: Iterable[Case], needed: Iterable[str], *, why: str) -> None:
    """Lets pass cases that have these columns.

    Args:
        cases: in their order.
        needed: the columns.
        why: what needs them, for an error's text.

    Raises:
        SpecError: one has not; the sentence names it.
    """
    names = tuple(needed)
    for at, case in enumerate(cases, 1):
        for name in names:
            if name not in case.columns:
                raise SpecError(
                    f"Row {at} of the prompts ({case.case_id!r}) has no {name!r}, which {why}. It "
                    f"has {', '.join(case.columns) or 'nothing'}.",
                    cost="Nothing was sent.",
                    advice=f"Give it a column {name!r}, or leave the row out.",
                )


def _named(rows: Iterable[Located], *, source: str, named_by: str) -> tuple[Case, ...]:
    """The cases of these rows, each with a name of its own.

    Raises:
        SpecError: there is none, one cannot be read, or two have one name.
    """
    cases: list[Case] = []
    places: dict[str, str] = {}
    for number, (where, row) in enumerate(rows, 1):
        columns = dict(_columns(row, where))
        name = columns.pop(named_by, str(number)).strip()
        if not name or len(name) > _LONGEST_ID:
            raise SpecError(
                f"{where} of {source} has an {named_by!r} of {len(name)} characters: a name has 1 "
                f"to {_LONGEST_ID}."
            )
        if name in places:
            raise SpecError(
                f"{where} of {source} is called {name!r}, as {places[name]} is: a case is found by "
                "its name.",
                cost="Nothing was sent.",
                advice=f"Give each its own {named_by!r}, or leave that column out: then they are "
                "numbered.",
            )
        places[name] = where
        cases.append(Case(name, columns))
    if not cases:
        raise SpecError(f"There is no prompt in {source}.", cost="Nothing was sent.")
    return tuple(cases)


def _columns(row: object, where: str) -> Iterator[tuple[str, str]]:
    """The columns of a row that hold something, as texts.

    Raises:
        SpecError: it is no row, or holds something that is no text.
    """
    if not isinstance(row, Mapping):
        raise SpecError(f"{where} is no object with named columns, but {type(row).__name__}.")
    for name, value in row.items():
        if not isinstance(name, str) or not name:
            raise SpecError(f"{where} has a column without a name.")
        text = _text(value, where=f"{name!r} in {where}")
        if text is not None:
            yield name, text


def _text(value: Any, *, where: str) -> str | None:  # noqa: ANN401 - a foreign cell
    """A cell as text; None where there is nothing in it.

    Raises:
        SpecError: it is neither text nor anything that JSON has.
    """
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()  # a number of NumPy's
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, date | time):
        value = value.isoformat()
    if isinstance(value, str):
        text = value
    else:
        try:
            text = canonical_json(value)
        except (TypeError, ValueError, RecursionError):
            raise SpecError(f"{where} is no text, but {type(value).__name__}.") from None
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SpecError(f"{where} has half a character in it (a lone surrogate).") from None
    return text


def _from_jsonl(path: Path) -> Iterator[Located]:
    lines = read_text(path, why="prompts").removeprefix("\ufeff").split("\n")
    for at, line in enumerate(lines, 1):
        if line.strip():
            yield f"Line {at}", read_json(line, where=f"Line {at} of {path}")


def _from_json(path: Path) -> Iterator[Located]:
    rows = read_json(read_text(path, why="prompts").removeprefix("\ufeff"), where=str(path))
    if not isinstance(rows, list):
        raise SpecError(f"{path} (prompts) holds no list of rows.")
    for at, row in enumerate(rows, 1):
        yield f"Row {at}", row


def _from_csv(path: Path) -> Iterator[Located]:
    """The rows of a table whose first row names the columns."""
    text = read_text(path, why="prompts").removeprefix("\ufeff")
    before = csv.field_size_limit(_LONGEST_FILE // 4)
    try:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        names = [name.strip() for name in next(table, [])]
        if len(set(names)) < len(names) or "" in names:
            raise SpecError(
                f"The first row of {path} names the columns, each by its own name, unlike "
                f"{json.dumps(names, ensure_ascii=False)}."
            )
        for row in table:
            where = f"Line {table.line_num}"
            if row and len(row) != len(names):
                raise SpecError(
                    f"{where} of {path} has {len(row)} cells under {len(names)} names.",
                    advice="A cell with a comma or a line break in it stands in double quotes.",
                )
            if row:
                yield where, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise SpecError(f"{path} is no CSV: {error}.") from None
    finally:
        csv.field_size_limit(before)


def _from_parquet(path: Path) -> Iterator[Located]:
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra(
            f"{path} is Parquet, and pyarrow, which reads it, is not installed.",
            advice='Run: python -m pip install "spex-api[parquet]", or write them as JSONL or CSV.',
        ) from None
    try:
        rows: list[object] = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's own errors are these
        raise SpecError(f"{path} is no Parquet file: {str(error).splitlines()[0]}") from None
    for at, row in enumerate(rows, 1):
        yield f"Row {at}", row


_READERS: Final = {
    ".jsonl": _from_jsonl,
    ".ndjson": _from_jsonl,
    ".json": _from_json,
    ".csv": _from_csv,
    ".tsv": _from_csv,
    ".parquet": _from_parquet,
}
