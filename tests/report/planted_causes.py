"""Explanations whose causes are written by hand, for tests of what is said of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import spex_api as spex
from spex_api.claims import UNCHANGED, Arrangement, Cause, Causes, Claim, Kind, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DOCUMENTS", "RIGHT", "WRONG", "cause", "explained", "put_to_test"]

WRONG = "You have 25 days of leave."
RIGHT = "You have 15 days of leave."
DOCUMENTS = tuple(f"documents[{place}]: Note {place} of the handbook." for place in range(10))


def cause(kind: Kind, *features: int, confirmed: bool = True, suppressors=()) -> Cause:
    """A cause, all of whose claims are confirmed or, of two, only the first one."""
    claims = (
        Claim(UNCHANGED, Arrangement(features[:1]), 40.0, confirmed=True),
        Claim(UNCHANGED, Arrangement(features), 40.0 if confirmed else 1.5, confirmed=confirmed),
    )
    return Cause(kind, features, claims, tuple(suppressors))


def put_to_test(
    *causes: Cause, flips: Mapping[tuple[int, ...] | Arrangement, int], advice: str = ""
) -> Causes:
    """Causes whose trials had ten answers each, so many of them flipped."""
    trials = []
    for changed, flipped in {UNCHANGED: 0, **flips}.items():
        arrangement = changed if isinstance(changed, Arrangement) else Arrangement(changed)
        answers = (WRONG,) * (10 - flipped) + (RIGHT,) * flipped
        values = (1.0,) * (10 - flipped) + (0.0,) * flipped
        trials.append(Trial(arrangement, 10 - flipped, 10, answers, values))
    return Causes(
        "the answer says '25 days'",
        tuple(causes),
        tuple(trials),
        calls=10 * len(trials),
        advice=advice,
        threshold=0.5,
    )


def explained(causes: Causes, names: tuple[str, ...] = DOCUMENTS) -> spex.Explanation:
    """An explanation of a pipeline over as many parts as there are names."""
    plain = _plain(names)
    source = replace(
        plain.provenance,
        model="leave.answer",
        endpoint="pipeline:",
        score="LabelFrequency(samples=1, scale='probability', match=Says('25 days'))",
    )
    return replace(plain, causes=causes, provenance=source)


@cache
def _plain(names: tuple[str, ...]) -> spex.Explanation:
    return spex.explain_function(
        lambda masks: masks[:, 0] * 1.0,
        num_features=len(names),
        budget=spex.Budget(40),
        decoder="lasso",
        names=names,
    )
