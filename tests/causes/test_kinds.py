"""Truth tables as causes: kinds, and the claims that make them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex_api.causes.kinds import cause_of, relevant, subsets
from spex_api.claims import Arrangement, Kind
from spex_api.errors import UsageError


def table_of(features, holds):
    """Of a function of the features that are kept."""
    return {
        removed: bool(holds(*(feature not in removed for feature in features)))
        for removed in subsets(features)
    }


def edges(cause):
    return {(claim.more.removed, claim.less.removed) for claim in cause.claims}


@pytest.mark.parametrize(
    ("features", "holds", "kind", "claims"),
    [
        ((4,), lambda i: i, Kind.ALONE, {((), (4,))}),
        (
            (1, 3),
            lambda i, j: i and j,
            Kind.TOGETHER,
            {((), (1,)), ((), (3,)), ((), (1, 3))},
        ),
        (
            (1, 3),
            lambda i, j: i or j,
            Kind.REDUNDANT,
            {((1,), (1, 3)), ((3,), (1, 3)), ((), (1, 3))},
        ),
        (
            (0, 1, 2),
            lambda i, j, k: i and j and k,
            Kind.TOGETHER,
            {((), (0,)), ((), (1,)), ((), (2,))},
        ),
        ((1, 3), lambda i, j: i == j, Kind.MIXED, None),
        ((0, 1, 2), lambda i, j, k: i and (j or k), Kind.MIXED, None),
        ((0, 1, 2), lambda i, j, k: i + j + k >= 2, Kind.MIXED, None),
    ],
)
def test_the_kinds(features, holds, kind, claims):
    """Each by its table; its claims are the table's edges, and of two that both flip if they do."""
    cause = cause_of(features, table_of(features, holds))
    assert (cause.kind, cause.features, cause.suppressors) == (kind, features, ())
    assert claims is None or edges(cause) == claims
    assert not cause.confirmed


@pytest.mark.parametrize(
    ("features", "holds", "suppressors"),
    [
        ((2, 5), lambda i, j: not (i and not j), (5,)),
        ((2, 5, 6), lambda i, j, k: not (i and k and not j), (5,)),
        ((2, 5, 6), lambda i, j, k: not ((i or k) and not j), (5,)),
        ((2, 5, 6), lambda i, j, k: not (i and not (j or k)), (5, 6)),
    ],
)
def test_a_suppressor_flips_unless_what_it_holds_back_is_gone_too(features, holds, suppressors):
    """One or two that hold back one, two that need each other, or either of two."""
    cause = cause_of(features, table_of(features, holds))
    assert (cause.kind, cause.suppressors) == (Kind.SUPPRESSOR, suppressors)


def test_the_claims_of_a_suppressor_are_on_both_sides():
    """Removing it flips, and removing the other with it undoes that."""
    cause = cause_of((2, 5), table_of((2, 5), lambda i, j: not (i and not j)))
    assert edges(cause) == {((), (5,)), ((2, 5), (5,))}


@given(st.integers(1, 3), st.data())
def test_the_opposite_outcome_is_of_the_same_kind(size, data):
    """What flips flips, whatever it is called; more and less change places."""
    features = tuple(range(size))
    table = {removed: data.draw(st.booleans()) for removed in subsets(features)}
    if relevant(features, table) != features:
        with pytest.raises(UsageError, match="no part of a cause"):
            cause_of(features, table)
        return
    cause = cause_of(features, table)
    other = cause_of(features, {removed: not holds for removed, holds in table.items()})
    assert (cause.kind, cause.suppressors) == (other.kind, other.suppressors)
    assert edges(cause) == {(less, more) for more, less in edges(other)}
    for claim in cause.claims:
        assert table[claim.more.removed]
        assert not table[claim.less.removed]
    touched = {
        feature
        for claim in cause.claims
        for feature in set(claim.more.removed) ^ set(claim.less.removed)
    }
    assert touched == set(features)


def test_only_what_makes_a_difference_is_relevant():
    """A feature that changes no cell is left out, and a table must be whole."""
    table = table_of((3, 7), lambda i, j: i)
    assert relevant((3, 7), table) == (3,)
    with pytest.raises(UsageError, match=r"\[7\] make no difference"):
        cause_of((3, 7), table)
    with pytest.raises(UsageError, match=r"does not say what comes of removing \(7,\)"):
        cause_of((7,), {(): True})
    with pytest.raises(UsageError, match="ascending"):
        cause_of((7, 3), table)
    with pytest.raises(UsageError, match="one feature at least"):
        cause_of((), {(): True})


def test_subsets_come_smaller_first():
    """The empty one first, and the whole last."""
    assert list(subsets((1, 4))) == [(), (1,), (4,), (1, 4)]
    assert Arrangement(next(subsets(()))) == Arrangement()
