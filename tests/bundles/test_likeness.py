"""Two tellings are the same, the same to rounding, or not the same."""

from __future__ import annotations

import math

import pytest

from spex_api.bundles.likeness import ROUNDING, differences, largest

TOLD = {"value": 0.5, "low": None, "sentence": "R² 0.83 of 1,200 (case 3)", "of": [1, 2]}


def test_the_same_does_not_differ():
    """Whatever the order of its keys."""
    assert differences(TOLD, dict(reversed(TOLD.items()))) == []
    assert largest([]) is None


@pytest.mark.parametrize(
    ("key", "value", "is_rounding"),
    [
        ("value", 0.5 + 1e-9, True),
        ("value", 0.5 + 1e-3, False),
        ("value", "0.5", False),
        ("value", None, False),
        ("value", math.nan, False),
        ("value", True, False),
        ("low", 0.0, False),
        ("sentence", "R² 0.84 of 1,200 (case 3)", True),
        ("sentence", "R² 0.85 of 1,200 (case 3)", False),
        ("sentence", "R² 0.83 of 1,201 (case 3)", False),
        ("sentence", "R² 0.83 of 1,200 (case 4)", False),
        ("sentence", "R² 0.83 of 1,200 (text 3)", False),
        ("sentence", "R² 0.8 of 1,200 (case 3)", False),
        ("of", [1], False),
        ("of", [2, 1], False),
        ("of", {}, False),
    ],
)
def test_what_is_changed(key, value, is_rounding):
    """The last digits are rounding, also in a sentence; anything else is not."""
    (first, *_) = differences(TOLD, {**TOLD, key: value})
    assert first.is_rounding is is_rounding
    assert first.where.startswith(key)


def test_large_numbers_are_taken_by_their_own_size():
    """A millionth of the number, or of one."""
    for before, after in ((1e9, 1e9 + 100), (1e-9, 2e-9)):
        (found,) = differences(before, after)
        assert 0 < found.size < ROUNDING
    assert not largest(differences([1e9, 1.0], [1e9 + 1e4, 1.0])).is_rounding


def test_entries_are_found_by_their_names():
    """Of two that are almost as large, either may come first; one that is not there is told."""
    one, other = {"features": [1], "value": 0.5}, {"features": [2], "value": 0.5}
    assert differences([one, other], [other, one]) == []
    (found,) = differences({"list": [one, other]}, {"list": [one]})
    assert (found.where, found.after, found.size) == ("list.[[2]]", "nothing", math.inf)
    assert len(differences([one, one], [one, other])) == 1


def test_what_is_not_to_be_looked_at():
    """Wherever it stands."""
    before, after = {"a": {"version": "1"}, "version": "1"}, {"a": {"version": "2"}}
    assert differences(before, after, ignored=["version"]) == []
