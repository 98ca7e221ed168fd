"""Which part is which: equal, moved, edited, replaced, new or gone."""

from __future__ import annotations

import pytest

from spex_api.matched_parts import How, matched

NOTE = "Annual leave: every employee of the company has 25 days of annual leave a year."
EDITED = NOTE.replace("25", "15")


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("a b c", "a b c", [("the same", 0, 0), ("the same", 1, 1), ("the same", 2, 2)]),
        ("a b", "b a", [("moved", 1, 0), ("the same", 0, 1)]),
        ("a b", "a", [("the same", 0, 0), ("gone", 1, None)]),
        ("a", "b a", [("new", None, 0), ("the same", 0, 1)]),
        ("a b c", "a x c", [("the same", 0, 0), ("replaced", 1, 1), ("the same", 2, 2)]),
        ("a b c", "a x y c", [("the same", 0, 0), ("new", None, 1), ("new", None, 2)]),
        ("acting film", "film actings", [("the same", 1, 0), ("edited", 0, 1)]),
        ("not good not", "not not", [("the same", 0, 0), ("the same", 2, 1), ("gone", 1, None)]),
    ],
)
def test_words(before, after, found):
    """Each part of the other version has one pair, and each that is left over is gone."""
    pairs = [(str(pair.how), pair.before, pair.after) for pair in matched(*_split(before, after))]
    assert pairs[: len(found)] == found
    assert sorted(each[1] for each in pairs if each[1] is not None) == list(
        range(len(before.split()))
    )


def test_an_edited_text_is_found_wherever_it_stands():
    """Long texts are compared by their words; unrelated ones are not taken for edited."""
    other = "The canteen opens at half past eleven and guests pay at the desk in cash or by card."
    pairs = matched([NOTE, other], ["Something quite new stands here.", other, EDITED])
    assert [(pair.how, pair.before) for pair in pairs] == [
        (How.NEW, None),
        (How.SAME, 1),
        (How.EDITED, 0),
    ]


def test_of_two_edits_the_nearer_is_taken():
    """Each part is matched once, the most alike first."""
    pairs = matched([NOTE], [NOTE.replace("25", "20").replace("year", "month"), EDITED])
    assert [pair.before for pair in pairs] == [None, 0]


def _split(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]
