"""An explanation whose texts attack whoever shows them, for tests of what is exported."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

import spex_api as spex
from spex_api.indices import interactions
from spex_api.transforms import FourierTransform

__all__ = ["HOSTILE", "by", "hostile"]

HOSTILE = (
    "=1+1",
    'never "fails"',
    "$a$ of $b",
    "-2;=cmd|' /C calc'!A0",
    "\u202edlog\x1b[31m",
    "</script><img onerror=x>",
    "two\r\n@lines",
    "＝ＨＹＰＥＲ, well-known",
)
_TERMS = {
    (): 0.5,
    (0,): 1.0,
    (1,): -0.25,
    (2,): -0.0,
    (1, 2): -2.0,
    (3, 4): 0.3,
    (5, 6): 1 / 3,
    (0, 7): -1e-7,
    (0, 1, 3): 0.7,
    (0, 2, 3, 4): -0.4,
}


@cache
def hostile() -> spex.Explanation:
    """With an interval for each interaction, and as many features as there are attacks."""
    transform = FourierTransform(_TERMS, len(HOSTILE))
    covariance = np.diag(np.linspace(0.01, 0.1, len(transform)))
    found = interactions(transform, "FBII", 2, covariance=covariance, names=HOSTILE)
    return replace(_plain(), transform=transform, interactions=found)


def by(index: str, order: int) -> spex.Explanation:
    """Of five features, by an index, without intervals."""
    terms = {support: value for support, value in _TERMS.items() if max(support, default=0) < 5}
    transform = FourierTransform(terms, 5)
    found = interactions(transform, index, order, names=HOSTILE[:5])
    return replace(_plain(), transform=transform, interactions=found)


@cache
def _plain() -> spex.Explanation:
    return spex.explain_function(
        lambda masks: masks[:, 0] * 1.0, num_features=8, budget=spex.Budget(40), decoder="lasso"
    )
