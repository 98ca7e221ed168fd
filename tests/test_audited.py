"""What an audit returns: how far a case is known, and the folder that it is kept in."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.audited import Audited, Standing, folder_of
from tests.report.drawn_explanations import drawn


@given(st.lists(st.text(max_size=60), unique=True, max_size=8))
def test_folders_are_safe_and_distinct(ids):
    """Of any ids: no way out of the folder, no name twice on a system that knows no case."""
    folders = [folder_of(each) for each in ids]
    assert all(re.fullmatch("[a-z0-9][a-z0-9_-]{0,55}", folder) for folder in folders)
    assert len(set(folders)) == len(ids)


@pytest.mark.parametrize("case_id", ["7", "case-12", "a_b", "2026-11-30"])
def test_a_plain_id_is_its_own_folder(case_id):
    """Who looks for a case finds it by its id."""
    assert folder_of(case_id) == case_id


@pytest.mark.parametrize(
    ("case_id", "start"),
    [
        ("../../etc/passwd", "etc-passwd-"),
        ("Ada", "ada-"),
        ("nul", "nul-"),
        ("", "case-"),
        ("\u202e", "case-"),
        ("\ud800", "case-"),
        ("x" * 300, "x" * 32 + "-"),
    ],
)
def test_any_other_id_is_told_apart_by_a_digest(case_id, start):
    """What is left of it can be read, and ids that are alike are kept apart."""
    assert re.fullmatch(re.escape(start) + "[0-9a-f]{16}", folder_of(case_id))


def test_no_id_takes_the_folder_of_another():
    """An id that looks like the folder of another one gets a digest of its own."""
    assert folder_of(folder_of("Ada")) != folder_of("Ada")


@pytest.mark.parametrize(
    ("value", "ceiling", "known"),
    [(0.8, None, 0.8), (0.4, 0.8, 0.5), (-0.3, None, 0.0), (1.0, 0.9, 1.0)],
)
def test_a_case_is_known_as_far_as_it_is_faithful(value, ceiling, known):
    """By R² of what can be known, and never below nothing or above all."""
    whole = drawn({(0,): 1.0}, num_features=2)
    faith = replace(whole.faithfulness, value=value, ceiling=ceiling)
    case = Audited("1", {}, Standing.REACHED, replace(whole, faithfulness=faith))
    assert case.known == pytest.approx(known)


def test_an_answer_that_never_moves_is_known_whole():
    """Where no mask moves the answer R² is no number; where one does, nothing is known then."""
    faith = replace(drawn({}, num_features=2).faithfulness, value=float("nan"))
    for values, known in (({(): 1.0}, 1.0), ({(0,): 1.0}, 0.0)):
        explanation = replace(drawn(values, num_features=2), faithfulness=faith)
        assert Audited("1", {}, Standing.ENOUGH, explanation).known == known
    assert Audited("1", {}, Standing.FAILED, None, "It broke.").known == 0.0
