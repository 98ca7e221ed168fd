"""Tables hold the numbers bit for bit and the texts as they were, and none of it is a formula."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from dataclasses import replace

import pandas as pd
import pytest

from spex_api.errors import MissingExtra
from spex_api.indices import Interactions
from spex_api.report.exports import to_csv, to_pandas, to_shap, to_shapiq
from tests.report.exported import HOSTILE, by, hostile

DANGEROUS = re.compile(r"[=+\-@＝＋－＠]")


def test_pandas_has_a_row_an_interaction():
    """The strongest first, with its interval and the texts character for character."""
    found = hostile().interactions
    table = to_pandas(hostile())
    assert list(table.columns) == ["features", "texts", "order", "value", "low", "high"]
    assert dict(zip(table["features"], table["value"], strict=True)) == dict(found)
    assert table["value"].abs().is_monotonic_decreasing
    for row in table.itertuples():
        assert row.texts == tuple(HOSTILE[feature] for feature in row.features)
        assert row.order == len(row.features)
        assert (row.low, row.high) == found.intervals[row.features]


def test_pandas_says_what_holds_of_the_whole():
    """As attributes of the table, which survive a selection of rows."""
    strong = to_pandas(hostile()).query("order == 2")
    assert strong.attrs["index"] == "FBII"
    assert strong.attrs["baseline"] == hostile().baseline
    assert strong.attrs["faithfulness"] == hostile().faithfulness.value
    assert strong.attrs["unit"] == hostile().provenance.meaning


def test_a_table_without_intervals_names_or_rows():
    """Unknown is NaN, and a column keeps its type where nothing was found."""
    bare = to_pandas(by("BII", 2))
    assert bare["low"].isna().all()
    nameless = replace(hostile().interactions, names=())
    assert set(to_pandas(replace(hostile(), interactions=nameless))["texts"]) == {()}
    nothing = Interactions("FBII", 2, {}, {}, 0.0)
    empty = to_pandas(replace(hostile(), interactions=nothing))
    assert len(empty) == 0
    assert (empty["value"].dtype, empty["order"].dtype) == ("float64", "int64")


def test_csv_gives_pandas_the_same_table(tmp_path):
    """Through a file: numbers as numbers, features and texts as JSON."""
    to_csv(hostile(), tmp_path / "a.csv")
    readers = {"features": _tuple, "texts": _tuple}
    table = pd.read_csv(tmp_path / "a.csv", converters=readers)
    wanted = to_pandas(hostile())
    # Before version 3, pandas reads the last binary digit of a number wrong.
    pd.testing.assert_frame_equal(table[list(wanted.columns)], wanted, rtol=1e-14)


def test_csv_is_what_rfc_4180_says(tmp_path):
    """Lines end in CRLF, each with as many cells; the file is the text that is returned."""
    text = to_csv(hostile(), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == text.encode("utf-8")
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(line) for line in lines} == {7}
    assert len(lines) == 1 + len(hostile().interactions)
    values = {tuple(json.loads(line[5])): float(line[2]) for line in lines[1:]}
    assert values == dict(hostile().interactions)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quotes", [True, False])
def test_no_cell_is_a_formula(separator, quotes):
    """Not even to who takes another separator, or does not know what quotes are."""
    quoting = {} if quotes else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(io.StringIO(to_csv(hostile())), delimiter=separator, **quoting)
    for cell in (cell for line in reader for cell in line):
        bare = cell.strip(" \"'“”‘’`")
        is_number = re.fullmatch(r"-?[0-9][0-9.e-]*(,.*)?", bare)
        assert is_number or "'" in cell or not DANGEROUS.match(bare), cell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        (" \t-1", "'-1"),
        ("＋1", "'＋1"),
        ('"@SUM(A1)"', '"\'@SUM(A1)"'),
        ("a\r=1", "a =1"),
        ("a;=1", "a;'=1"),
        ("a, -5", "a, '-5"),
        ("well-known", "well-known"),
        ("1+1 = 2", "1+1 = 2"),
        ("a\x00\u2066b", "a��b"),
    ],
)
def test_what_a_person_reads(text, shown):
    """An apostrophe before what would be a formula, and nothing that acts; the rest stays."""
    found = Interactions("SV", 1, {(0,): -1.5}, {}, 0.0, (text, *HOSTILE[1:]))
    line = to_csv(replace(hostile(), interactions=found)).splitlines()[1]
    (cells,) = csv.reader([line])
    assert cells[0] == shown
    assert line.isascii() or not text.isascii() or "�" in shown
    assert cells[2:5] == ["-1.5", "", ""]
    assert json.loads(cells[6]) == [text]


@pytest.mark.parametrize(
    ("export", "package"), [(to_pandas, "pandas"), (to_shap, "shap"), (to_shapiq, "shapiq")]
)
def test_a_missing_package_is_named(monkeypatch, export, package):
    """With the command that installs it; CSV needs none of them."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf'needs the package {package}.*spex-api\[exports\]"'):
        export(hostile())
    assert to_csv(hostile())


def test_zeros_and_small_numbers_stay_numbers():
    """Such as −0.0 and 1e-7, as Python writes them."""
    found = Interactions("SV", 1, {(0,): -0.0, (1,): -1e-7}, {}, 0.0, HOSTILE)
    lines = to_csv(replace(hostile(), interactions=found)).splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == ["-1e-07", "-0.0"]
    assert math.copysign(1, float(lines[2].split(",")[2])) == -1


def _tuple(cell: str) -> tuple[object, ...]:
    return tuple(json.loads(cell))
