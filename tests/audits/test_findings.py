"""Findings over many cases: what is planted is found, and chance is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import spex_api as spex
from spex_api.audited import Audited, Standing
from spex_api.audits.findings.exchanging import chance_of_exchange
from spex_api.audits.findings.finding import find_findings
from spex_api.audits.findings.merging import by_name
from spex_api.audits.findings.namesakes import called, plain
from spex_api.audits.findings.pooling import difference, mean_over_cases, share_of_chance
from spex_api.errors import UsageError
from spex_api.indices import Interactions, Interval
from spex_api.transforms import FourierTransform
from tests.report.drawn_explanations import drawn, sentences, words

WORDS = ("the", "waiter", "was", "slow", "never", "again", "food", "place")


def listing(values, names=WORDS, *, reach: float | None = 0.2, faithful: float = 0.9):
    """An explanation with these interactions, each with an interval as wide as is said."""
    plain_one = drawn({(0,): 1.0}, num_features=len(names))
    intervals = (
        {} if reach is None else {k: Interval(v - reach, v + reach) for k, v in values.items()}
    )
    faith = replace(plain_one.faithfulness, value=faithful)
    found = Interactions("FBII", 2, values, intervals, 0.0, tuple(names))
    return replace(plain_one, interactions=found, faithfulness=faith)


def cases_of(explanations, columns=()):
    """One case each."""
    rows = list(columns) or [{}] * len(explanations)
    return [
        Audited(str(number), row, Standing.REACHED, each)
        for number, (each, row) in enumerate(zip(explanations, rows, strict=True))
    ]


def noise(rng, *, num_cases: int = 12, heavy: bool = False):
    """Cases in which nothing matters: each value is as far off as its interval says."""
    for _ in range(num_cases):
        sets = [(each,) for each in range(len(WORDS))] + [(0, 1), (2, 3), (1, 4), (5, 6)]
        errors = rng.standard_t(3, len(sets)) if heavy else rng.normal(size=len(sets))
        yield listing(dict(zip(sets, (0.3 * errors).tolist(), strict=True)), reach=0.3 * 1.645)


def by_parts(findings):
    """Findings of all cases by their parts."""
    return {each.parts: each for each in findings if not each.among}


def test_what_is_planted_is_found():
    """A part, and two that only matter together, with their means inside their intervals."""
    rng = np.random.default_rng(0)
    explained = [
        listing({(3,): -1 + 0.3 * a, (4, 5): 2 + 0.3 * b, (1,): 0.3 * c, (0,): 0.01 * d})
        for a, b, c, d in rng.normal(size=(25, 4))
    ]
    found = by_parts(find_findings(cases_of(explained)))
    assert list(found) == [("again", "never"), ("slow",)]
    slow = found["slow",]
    assert slow.interval is not None
    assert slow.interval.low < -1 < slow.interval.high < 0
    assert (slow.kind, slow.num_cases, slow.rest) == ("text", 25, None)
    assert slow.num_strong >= 23
    strongest = min(range(25), key=lambda number: explained[number].interactions[(3,)])
    assert slow.strongest[0] == str(strongest)


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
def test_where_nothing_matters_little_is_found(heavy):
    """Of a hundred audits of noise, with slices, at most ten find anything at all."""
    rng = np.random.default_rng(1)
    columns = [{"side": "left" if number % 2 else "right"} for number in range(12)]
    false = sum(
        bool(find_findings(cases_of(list(noise(rng, heavy=heavy)), columns), groups=["side"]))
        for _ in range(100)
    )
    assert false <= 10


def test_skewed_values_are_no_slice():
    """Of thirty audits in which one case in five is moved, whichever slice it is in, none is."""
    rng = np.random.default_rng(9)
    columns = [{"side": "few" if number < 6 else "many"} for number in range(40)]
    for _ in range(30):
        moved = rng.exponential(size=(40, len(WORDS))) * (rng.random((40, len(WORDS))) < 0.2)
        explained = [
            listing({(at,): each for at, each in enumerate(row)}, reach=None)
            for row in moved.tolist()
        ]
        found = find_findings(cases_of(explained, columns), groups=["side"])
        assert not [each for each in found if each.among]


@pytest.mark.parametrize("moved", [1.0, 0.4], ids=["all", "few"])
@pytest.mark.parametrize("spread", ["normal", "exponential", "lognormal"])
def test_an_exchange_is_nearly_counted(spread, moved):
    """However skewed, tied and rare, its share of all ways is off by a factor of two at most."""
    rng = np.random.default_rng(0)
    every = getattr(rng, spread)(size=16) * (rng.random(16) < moved)
    ways = list(combinations(range(16), 5))
    sums = np.array([every[list(way)].sum() for way in ways])
    ranked = np.argsort(-sums)
    for place in (0, 4, 43, 430, 4200, 4367):
        way = list(ways[ranked[place]])
        beyond = sums >= sums[ranked[place]] - 1e-9
        if sums[ranked[place]] < sums.mean():
            beyond = sums <= sums[ranked[place]] + 1e-9
        chance = chance_of_exchange(every[way], np.delete(every, way))
        assert chance == pytest.approx(min(1.0, 2 * beyond.mean()), rel=0.5)
        turned = chance_of_exchange(np.delete(every, way), every[way])
        assert turned == pytest.approx(chance)


def test_values_that_are_all_the_same_are_no_difference():
    """Nor is a group that lies in the middle."""
    assert chance_of_exchange(np.ones(5), np.ones(9)) == 1
    assert chance_of_exchange(np.array([-1.0, 1.0]), np.array([-1.0, 1.0])) == 1


def test_the_interval_of_a_difference_matches_its_chance():
    """It leaves 0 out exactly where the chance is below the share, skewed or not."""
    rng = np.random.default_rng(10)
    for _ in range(50):
        few, many = 3 * rng.exponential(size=6), rng.exponential(size=30)
        means = [
            mean_over_cases(each, np.full(len(each), np.nan), np.ones(len(each)))
            for each in (few, many)
        ]
        apart = difference(*means, values=few, others=many)
        for share in (apart.chance * 0.9, apart.chance * 1.01):
            low, high = apart.interval(share)
            assert (low <= 0 <= high) == (share < apart.chance)


def test_few_of_the_intervals_that_are_shown_miss():
    """Where half of the parts matter, at most one in ten intervals misses its mean."""
    rng = np.random.default_rng(2)
    true = np.where(np.arange(len(WORDS)) % 2, 0.5, 0.0)
    shown = missed = 0
    for _ in range(60):
        values = true + 0.4 * rng.normal(size=(12, len(WORDS)))
        explained = [
            listing({(at,): each for at, each in enumerate(row)}) for row in values.tolist()
        ]
        for parts, finding in by_parts(find_findings(cases_of(explained))).items():
            mean = true[WORDS.index(parts[0])]
            shown += 1
            missed += not finding.interval.low <= mean <= finding.interval.high
    assert shown > 60
    assert missed <= 0.1 * shown


@pytest.mark.parametrize("num_cases", [5, 8, 30])
def test_a_mean_lies_in_its_interval_nine_times_in_ten(num_cases):
    """Or a little more often, of cases that differ and are known differently well."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(1500):
        deviations = rng.uniform(0.1, 1.0, num_cases)
        values = 1.0 + 0.5 * rng.normal(size=num_cases) + deviations * rng.normal(size=num_cases)
        mean = mean_over_cases(values, deviations, rng.uniform(0.2, 1.0, num_cases))
        low, high = mean.interval(0.1)
        held += low <= 1.0 <= high
    assert 0.88 <= held / 1500 <= 0.97


def test_equal_weights_give_the_plain_t_interval():
    """With nothing known of the cases' own errors, it is the textbook's."""
    values = np.array([1.0, 2.0, 4.0, 5.0, 3.5])
    mean = mean_over_cases(values, np.full(5, np.nan), np.ones(5))
    assert mean.value == pytest.approx(3.1)
    assert mean.freedom == pytest.approx(4)
    assert mean.variance == pytest.approx(np.var(values, ddof=1) / 5)
    assert mean.interval(0.1).high == pytest.approx(3.1 + 2.131847 * mean.variance**0.5)


def test_an_interval_is_no_narrower_than_the_cases_own():
    """Values that agree by luck are known no better than each of them says."""
    mean = mean_over_cases(np.ones(5), np.full(5, 0.5), np.ones(5))
    assert mean.variance == pytest.approx(0.05)


def test_the_share_is_that_of_benjamini_and_yekutieli():
    """Found are those that their step-up finds; with none, it is the smallest step."""
    step = 0.1 / (4 * (1 + 1 / 2 + 1 / 3 + 1 / 4))
    assert share_of_chance(np.array([0.5, 2.9 * step, 0.1 * step, 2 * step])) == pytest.approx(
        3 * step
    )
    assert share_of_chance(np.array([0.5, 0.6, 0.7, 1.1 * step])) == pytest.approx(step)


def test_a_protected_attribute_is_told_whatever_came_of_it():
    """In all cases, at each level, beside what it works with, and apart from the rest."""
    rng = np.random.default_rng(4)
    explained, columns = [], []
    for number in range(30):
        level = "female" if number % 2 else "male"
        names = ("the", level, "nurse", "was", "slow")
        together = -0.9 if number % 2 else 0.0
        alone = {(1,): 0.2 * rng.normal(), (1, 4): together + 0.2 * rng.normal()}
        explained.append(listing(alone, names))
        columns.append({"gender": level})
    found = find_findings(cases_of(explained, columns), key="gender")
    of_all = by_parts(found)
    assert of_all["{gender}",].interval is not None
    assert of_all["{gender}",].interval.low < 0 < of_all["{gender}",].interval.high
    assert of_all["slow", "{gender}"].kind == "gender"
    alone = {
        each.among["gender"]: each for each in found if each.parts == ("{gender}",) if each.among
    }
    assert alone.keys() == {"female", "male"}
    together = next(each for each in found if each.parts == ("slow", "{gender}") and each.among)
    assert together.among == {"gender": "female"}
    assert together.apart is not None
    assert together.apart.high < 0
    assert together.rest == pytest.approx(0, abs=0.2)
    assert together.value == pytest.approx(-0.9, abs=0.2)


def test_a_slice_in_which_a_part_does_otherwise_is_found():
    """Of three levels the one, and no part that does the same everywhere."""
    rng = np.random.default_rng(5)
    columns = [{"region": ("north", "south", "east")[number % 3]} for number in range(45)]
    explained = [
        listing({(3,): (-2 if row["region"] == "south" else 0) + 0.2 * a, (6,): 1 + 0.2 * b})
        for row, (a, b) in zip(columns, rng.normal(size=(45, 2)), strict=True)
    ]
    found = find_findings(cases_of(explained, columns), groups=["region"])
    south = next(each for each in found if each.among == {"region": "south"})
    assert (south.parts, south.num_cases) == (("slow",), 15)
    assert south.apart is not None
    assert south.apart.high < -1
    assert all(each.parts == ("slow",) for each in found if each.among)
    assert by_parts(found)["food",].value == pytest.approx(1, abs=0.1)


def test_too_few_cases_have_no_interval():
    """A column's entry that stands in three cases is told with its mean, and nothing else is."""
    explained = [listing({(3,): 1.0, (6,): 5.0}) for _ in range(3)]
    found = find_findings(cases_of(explained, [{"pace": "slow"}] * 3), key="pace")
    assert [(each.parts, each.value, each.interval) for each in found] == [(("{pace}",), 1.0, None)]


def test_cases_count_by_what_is_known_of_them():
    """An unfaithful case weighs little, one that accounts for nothing and a failed one nothing."""
    good = [listing({(3,): 1.0 + 0.01 * number}) for number in range(8)]
    base = by_parts(find_findings(cases_of(good)))["slow",]
    poor = by_parts(find_findings(cases_of([*good, listing({(3,): 9.0}, faithful=0.09)])))
    nothing = cases_of([*good, listing({(3,): 9.0}, faithful=-0.1)])
    nothing.append(Audited("failed", {}, Standing.FAILED, None, "It broke."))
    assert by_parts(find_findings(nothing))["slow",] == base
    assert ("slow",) not in poor or poor["slow",].value < 1 + 8 / 9


def test_order_makes_no_difference():
    """The same findings whatever order the cases come in."""
    rng = np.random.default_rng(6)
    cases = cases_of([listing({(3,): 1 + a, (1, 4): 2 + b}) for a, b in rng.normal(size=(20, 2))])
    found, turned = find_findings(cases), find_findings(cases[::-1])
    assert [each.parts for each in found] == [each.parts for each in turned]
    assert [each.value for each in found] == pytest.approx([each.value for each in turned])


def test_parts_of_one_name_are_one_part():
    """What the surrogate says where they are kept and masked as one, to the last digits."""
    terms = {(): 0.3, (0,): 1.0, (1,): -0.5, (0, 2): 0.7, (1, 2): 0.2, (0, 1): 0.4, (0, 1, 3): 0.6}
    whole = FourierTransform(terms, 4)
    found = spex.interactions(whole, "Möbius", 3, names=("a", "b", "a", "c"))
    explanation = replace(drawn({}, num_features=4), transform=whole, interactions=found)
    named = by_name(explanation, ("a", "b", "a", "c"))
    value = {
        kept: whole([["a" in kept, "b" in kept, "a" in kept, "c" in kept]])[0]
        for kept in ("", "a", "b", "c", "ab", "ac", "bc")
    }
    for each in "abc":
        assert named.values.get((each,), 0.0) == pytest.approx(value[each] - value[""])
    for first, second in ("ab", "ac", "bc"):
        both = value[first + second] - value[first] - value[second] + value[""]
        assert named.values.get((first, second), 0.0) == pytest.approx(both)


def test_deviations_of_one_name_add_up():
    """As if all were off the same way at once."""
    explanation = drawn(
        {(0,): 1.0, (2,): 1.0, (0, 1): 1.0, (1, 2): 1.0}, words("a b a"), reach=1.645
    )
    named = by_name(explanation, ("a", "b", "a"))
    assert named.deviations["a",] == pytest.approx(2, rel=1e-3)
    assert named.deviations["a", "b"] == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  “Never!” ", "never"),
        ("NEVER", "never"),
        ("the end.", "the end"),
        ("-5", "-5"),
        ("-5,", "-5"),
        ("…", "…"),
        ("Straße", "strasse"),
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
        ("well-known", "well-known"),
    ],
)
def test_a_text_without_case_and_marks(text, said):
    """Words are the same in any case and between any marks; numbers keep their sign."""
    assert plain(text) == said


def kinds(prompt, *, key=None, **columns):
    """The names of a prompt's parts by kind."""
    case = Audited("1", columns, Standing.REACHED, drawn({(0,): 1.0}, prompt))
    return {each.kind: each.names for each in called(case, key=key)}


def test_parts_are_called_by_text_role_place_and_column():
    """Documents by their number, messages by who says them, words by their place."""
    documents = kinds(sentences("Paris is in France.", "Rome is not."))
    assert documents["text"] == ("paris is in france", "rome is not")
    assert documents["document"] == ("document 1", "document 2")
    assert "role" not in documents
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    talk = spex.Prompt.from_openai([*said, {"role": "user", "content": "Who are you?"}])
    assert kinds(talk)["role"][:2] == ("user", "assistant")
    review = kinds(words("the Mary Ann was the best"), key="name", name="mary ann")
    assert review[""] == ("the", "{name}", "{name}", "was", "the", "best")
    assert review["position"][1] == "part 2 of 6"


def test_documents_are_told_by_their_place():
    """The first one matters, whatever it says and however many there are."""
    rng = np.random.default_rng(8)
    explained = [
        drawn(
            {(0,): 1 + 0.1 * rng.normal()},
            sentences(*(f"It is {number}{each}." for each in "abcd"[: 2 + number % 3])),
        )
        for number in range(12)
    ]
    found = find_findings(cases_of(explained))
    assert [(each.kind, each.parts, each.num_cases) for each in found] == [
        ("document", ("document 1",), 12)
    ]


def test_what_says_the_same_everywhere_is_told_once():
    """By its text, not by its place as well."""
    explained = [drawn({(0,): 1.0 + 0.01 * number}, words("good food")) for number in range(8)]
    assert [each.kind for each in find_findings(cases_of(explained))] == ["text"]


def test_what_a_solver_leaves_of_nothing_is_nothing():
    """Values that are rounding beside the others are no finding, however alike they are."""
    explained = [
        listing({(3,): 1.0 + 0.01 * at, (6,): 3e-8 + 1e-10 * at}, reach=None) for at in range(9)
    ]
    assert [each.parts for each in find_findings(cases_of(explained))] == [("slow",)]


def test_nothing_comes_of_nothing():
    """No cases, or none that is explained, have nothing in common."""
    assert find_findings([]) == ()
    assert find_findings([Audited("1", {"a": "b"}, Standing.FAILED, None)], key="a") == ()


def test_what_cannot_be_compared_is_refused():
    """A column that is not there is named with those that are; two indices have no mean."""
    cases = cases_of([listing({(0,): 1.0})], [{"gender": "female"}])
    with pytest.raises(UsageError, match="No case has a column 'gendr'.*'gender'"):
        find_findings(cases, groups=["gendr"])
    other = drawn({(0,): 1.0}, num_features=2, index="BII")
    with pytest.raises(UsageError, match="BII of order 2 and FBII of order 2"):
        find_findings([*cases, *cases_of([other])])
