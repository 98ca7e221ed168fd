"""Two explanations of one call: what appeared, vanished and changed for sure."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

import spex_api as spex
from spex_api.claims import Kind
from spex_api.errors import UsageError
from spex_api.fidelity import Faithfulness
from spex_api.indices import Interactions, Interval
from spex_api.interaction_changes import Fate
from spex_api.matched_parts import How
from tests.report.planted_causes import DOCUMENTS, RIGHT, WRONG, cause, explained, put_to_test


def listing(rows, names, *, reach: float | None = 0.1) -> spex.Explanation:
    """An explanation with these interactions, each with an interval as wide as is said."""
    plain = explained(put_to_test(flips={}), names)
    intervals = (
        {} if reach is None else {k: Interval(v - reach, v + reach) for k, v in rows.items()}
    )
    found = Interactions("FBII", 2, rows, intervals, 0.5, names)
    return replace(plain, interactions=found, causes=None)


def fates(found) -> dict[str, Fate]:
    """What became of each interaction, by the first letters of its parts."""
    return {"+".join(name[:3] for name in each.names): each.fate for each in found.changes}


WORDS = ("“a”", "“b”", "“c”", "“d”")
LETTERS = ("a", "b", "c", "d")


def test_what_became_of_each_interaction():
    """Beyond both intervals or not at all; what is not listed is 0."""
    before = listing({(0,): 1.0, (1,): 1.0, (2,): 0.05, (3,): 1.0, (0, 1): 0.4}, LETTERS)
    after = listing({(0,): 1.15, (1,): 2.0, (2,): 1.0, (3,): 0.05, (2, 3): -0.7}, LETTERS)
    assert fates(spex.compare(before, after)) == {
        "“a”": Fate.WITHIN,
        "“b”": Fate.CHANGED,
        "“c”": Fate.APPEARED,
        "“d”": Fate.VANISHED,
        "“a”+“b”": Fate.VANISHED,
        "“c”+“d”": Fate.APPEARED,
    }


def test_an_explanation_did_not_change_against_itself():
    """No difference, and every interaction within its intervals."""
    one = listing({(0,): 1.0, (1, 2): -2.0}, LETTERS)
    found = spex.compare(one, one)
    assert set(fates(found).values()) == {Fate.WITHIN}
    assert found.differences == ()
    assert found.warnings == ()
    assert {pair.how for pair in found.parts} == {How.SAME}
    assert all(number.before == number.after for number in found.numbers)


def test_parts_are_followed():
    """A moved part takes its interactions with it; those of a part that is gone vanish."""
    before = listing({(0, 1): 1.0, (2,): 1.0, (3,): 0.02}, LETTERS)
    after = listing({(0, 3): 1.0, (1,): 0.5, (2,): 0.01}, ("b", "e", "f", "a"))
    found = spex.compare(before, after)
    assert fates(found) == {
        "“b”+“a”": Fate.WITHIN,
        "“e”": Fate.APPEARED,
        "“f”": Fate.WITHIN,
        "“c”": Fate.VANISHED,
        "“d”": Fate.WITHIN,
    }
    (moved,) = [change for change in found.changes if change.names == ("“b”", "“a”")]
    assert (moved.before, moved.after) == ((0, 1), (0, 3))
    (gone,) = found.of(Fate.VANISHED)
    assert (gone.after, gone.values) == (None, (1.0, None))


def test_what_was_replaced_is_told_with_what_it_replaced():
    """At the same place among the others it is the same part with another text."""
    before = listing({(1,): 1.0}, LETTERS)
    after = listing({(1,): -1.0}, ("a", "x", "c", "d"))
    (change,) = spex.compare(before, after).changes
    assert change.names == ("“b” → “x”",)
    assert change.fate is Fate.CHANGED


def test_without_intervals_nothing_is_judged():
    """It is said which explanation has none."""
    before = listing({(0,): 1.0}, LETTERS, reach=None)
    after = listing({(0,): 9.0, (1,): 3.0}, LETTERS)
    found = spex.compare(before, after)
    assert set(fates(found).values()) == {Fate.UNTOLD}
    assert "There are no intervals in the first (" in " ".join(found.warnings)
    assert [change.values for change in found.changes] == [(1.0, 9.0), (0.0, 3.0)]


def test_causes_before_and_now():
    """The same parts working the same way are the same cause, wherever they stand."""
    turned = DOCUMENTS[::-1]
    names = tuple(f"documents[{at}]:{name.split(':')[1]}" for at, name in enumerate(turned))
    both = cause(Kind.TOGETHER, 3, 7)
    before = explained(put_to_test(both, cause(Kind.ALONE, 1), flips={(3,): 9}))
    after = explained(
        put_to_test(cause(Kind.TOGETHER, 2, 6), cause(Kind.REDUNDANT, 2, 6), flips={}), names
    )
    found = spex.compare(before, after)
    assert [said.split(" (conf")[0] for said in found.causes_before] == [
        "documents[1] (“Note 1 of the handbook.”) brings it about alone"
    ]
    (still,) = found.causes_still
    assert still.startswith("documents[2] (“Note 7 of the handbook.”) and documents[6]")
    (now,) = found.causes_after
    assert "redundant" in now
    untested = spex.compare(before, replace(after, causes=None))
    assert len(untested.causes_before) == 2
    assert "Causes were not put to the test in the second explanation." in untested.warnings


def test_the_answer_and_where_it_comes_from():
    """What is not the same is told, and no more."""
    before = explained(put_to_test(flips={}))
    mended = put_to_test(flips={})
    unchanged = replace(mended.trials[0], answers=(RIGHT,) * 10, holds=0)
    after = replace(
        explained(replace(mended, trials=(unchanged,))),
        provenance=replace(
            before.provenance, model="leave.mended", seed=7, served={"toy fp_2": 3}, full=-2.0
        ),
    )
    found = spex.compare(before, after)
    told = {each.what: (each.before, each.after) for each in found.differences}
    assert told == {
        "Answer": (WRONG, RIGHT),
        "Model": ("leave.answer", "leave.mended"),
        "Served": (", ".join(before.provenance.served), "toy fp_2"),
        "Seed": ("0", "7"),
    }
    (full,) = [each for each in found.numbers if each.what == "Whole prompt"]
    assert (full.before, full.after) == (before.provenance.full, -2.0)


def scored(score: str, meaning: str) -> spex.Explanation:
    """An explanation by another score."""
    plain = listing({(0,): 1.0}, LETTERS)
    return replace(plain, provenance=replace(plain.provenance, score=score, meaning=meaning))


@pytest.mark.parametrize(
    ("score", "meaning"),
    [
        ("LabelLogOdds('yes', 'no')", "log-odds of 'yes' over 'no', in nats"),
        ("LabelFrequency('yes', 'no')", "share of 'yes' among 10 sampled answers"),
        ("Similarity('x')", "similarity of the answer to 'x', as chrF2 from 0 to 1"),
    ],
)
def test_different_scores_and_units_are_refused(score, meaning):
    """A share is no log-odds, whichever comes first; one and the same are compared."""
    ours = scored("LabelFrequency('yes', 'no')", "log-odds of 'yes' among 10 answers, in nats")
    other = scored(score, meaning)
    for pair in ((ours, other), (other, ours)):
        with pytest.raises(UsageError, match="cannot be compared"):
            spex.compare(*pair)
    assert spex.compare(other, other).warnings == ()


def test_another_setting_of_one_score_is_warned_of():
    """The unit is the same."""
    score = "LabelFrequency('yes', samples=5)"
    few = scored(score, "share of 'yes' among 5 sampled answers")
    many = scored(score.replace("5", "20"), "share of 'yes' among 20 sampled answers")
    (warning,) = spex.compare(few, many).warnings
    assert "differ in a setting" in warning


def test_another_index_is_computed_anew():
    """By the first one's, from the transform; there are no intervals then, and that is said."""
    before = explained(put_to_test(flips={}))
    after = replace(before, interactions=spex.interactions(before.transform, "SV", names=DOCUMENTS))
    found = spex.compare(before, after)
    assert all(change.values[0] == change.values[1] for change in found.changes)
    assert "by SV of order 1" in found.warnings[0]


def test_what_is_doubtful_is_warned_of():
    """An unfaithful explanation, and a partial one."""
    good = listing({(0,): 1.0}, LETTERS)
    bad = replace(
        good, complete=False, faithfulness=Faithfulness(0.1, -0.2, 0.3, 20, 0.0, exhaustive=False)
    )
    warned = " ".join(spex.compare(good, bad).warnings)
    assert "The second explanation is hardly faithful (R² 0.10" in warned
    assert "The second explanation is partial" in warned
    unknown = replace(good, faithfulness=replace(good.faithfulness, value=math.nan))
    assert spex.compare(good, unknown).numbers[-1].after is None


def test_functions_are_compared_by_number():
    """Without names; where the numbers of features differ, nobody can."""

    def of(num_features):
        return spex.explain_function(
            lambda masks: masks[:, 0] * 1.0, num_features=num_features, decoder="lasso"
        )

    assert len(spex.compare(of(4), of(4)).parts) == 4
    with pytest.raises(UsageError, match="4 features and the second 5"):
        spex.compare(of(4), of(5))
