"""Rows become cases, and a row that cannot be read is an error that names it."""

from __future__ import annotations

import math

import numpy as np
import pyarrow.parquet
import pytest

from spex_api.audits.cases import Case, cases_of, check_columns, read_cases
from spex_api.errors import MissingExtra, SpecError

ROWS = [
    {"id": "a", "text": "one, two", "group": "x"},
    {"id": "b", "text": 'say "no"\nor not', "group": "y"},
]
CASES = tuple(Case(row["id"], {"text": row["text"], "group": row["group"]}) for row in ROWS)
JSONL = (
    '{"id": "a", "text": "one, two", "group": "x"}\n\n'
    '{"id": "b", "text": "say \\"no\\"\\nor not", "group": "y"}\n'
)
CSV = 'id,text,group\na,"one, two",x\nb,"say ""no""\nor not",y\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cases.jsonl", JSONL),
        ("cases.ndjson", "\ufeff" + JSONL),
        ("cases.json", "[" + JSONL.strip().replace("\n\n", ",") + "]"),
        ("cases.csv", CSV),
        ("cases.csv", "\ufeff" + CSV.replace("\n", "\r\n").replace("\r\nor", "\nor")),
        ("cases.tsv", 'id\ttext\tgroup\na\tone, two\tx\nb\t"say ""no""\nor not"\ty\n'),
    ],
)
def test_every_kind_of_file_gives_the_same_cases(tmp_path, name, text):
    """Cells with commas, quotes and line breaks, empty lines and a mark at the front included."""
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert read_cases(path) == CASES


def test_parquet_gives_the_same_cases(tmp_path):
    """And what is no Parquet is said to be none."""
    path = tmp_path / "cases.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    assert read_cases(path) == CASES
    path.write_bytes(b"PAR1 is all there is")
    with pytest.raises(SpecError, match="no Parquet"):
        read_cases(path)


def test_parquet_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    """And what else to write."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "cases.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtra, match=r"pip install .spex-api\[parquet\]"):
        read_cases(tmp_path / "cases.parquet")


def test_cells_are_texts():
    """Numbers as JSON writes them, lists as JSON; what is null, or no number, is not there."""
    row = {
        "id": np.int64(7),
        "text": "x",
        "score": 0.5,
        "flag": True,
        "count": np.float64(2),
        "list": [1, "é"],
        "none": None,
        "nan": math.nan,
    }
    (case,) = cases_of([row])
    assert case == Case(
        "7", {"text": "x", "score": "0.5", "flag": "true", "count": "2.0", "list": '[1,"é"]'}
    )
    assert case.row["id"] == "7"


def test_without_names_they_are_numbered():
    """And a text alone is a row."""
    assert [case.case_id for case in cases_of(["a", {"text": "b"}])] == ["1", "2"]
    named = cases_of([{"name": "n", "id": "kept", "text": "b"}], named_by="name")
    assert named == (Case("n", {"id": "kept", "text": "b"}),)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "no prompt"),
        ([{"id": "a", "text": "x"}, {"id": " a ", "text": "y"}], "Row 2.*'a'.*Row 1"),
        ([{"id": "", "text": "x"}], "Row 1.*0 characters"),
        ([{"id": "x" * 201}], "Row 1.*201 characters"),
        ([{"text": "x"}, 3], "Row 2 is no object"),
        ([{"text": object()}], "'text' in Row 1 is no text"),
        ([{"text": "\ud800"}], "'text' in Row 1 has half a character"),
        ([{"": "x"}], "Row 1 has a column without a name"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(rows, words):
    """With what is wrong with it."""
    with pytest.raises(SpecError, match=words):
        cases_of(rows)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("cases.jsonl", '{"text": "a"}\n{"text": \n', "Line 2"),
        ("cases.jsonl", '{"text": "a"}\n["b"]\n', "Line 2 is no object"),
        ("cases.json", '{"text": "a"}', "no list of rows"),
        ("cases.csv", "id,text\n1,a\n2,b,c\n", "Line 3.*3 cells under 2 names"),
        ("cases.csv", "id,id\n1,a\n", "each by its own name"),
        ("cases.csv", 'id,text\n1,"a"b\n', "no CSV"),
        ("cases.csv", "", "no prompt"),
        ("cases.xlsx", "", "ends in .jsonl"),
        ("absent.jsonl", None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path, name, text, words):
    """The line, as an editor numbers it."""
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SpecError, match=words):
        read_cases(tmp_path / name)


def test_a_missing_column_is_told_with_its_row():
    """Before anything is sent."""
    cases = cases_of([{"text": "a", "group": "x"}, {"id": "second", "text": "b"}])
    check_columns(cases, ["text"], why="the template names")
    with pytest.raises(SpecError, match=r"Row 2 .*'second'.* no 'group', which cases are grouped"):
        check_columns(cases, ["text", "group"], why="cases are grouped by")
