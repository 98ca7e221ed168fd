"""A model that is a small function of the words, and rows of different length for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from spex_api.decoding import Lasso
from spex_api.errors import ContentFiltered
from spex_api.testing import FunctionAdapter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.completions import Message

__all__ = ["SETTINGS", "TEMPLATE", "model", "opinion", "rows"]

TEMPLATE = "Positive or negative? {text}"
SETTINGS = {"template": TEMPLATE, "score": ["positive", "negative"], "decoder": Lasso(num_folds=2)}
_WORTH = {"good": 1.0, "bad": -1.0, "dull": -0.5}
_WORDS = ("good", "bad", "dull", "never", "plot", "cast", "and", "the")


def opinion(messages: Sequence[Message]) -> dict[str, float]:
    """Log-probs of two labels; "never" turns the next opinion round, "forbidden" is refused."""
    value, sign = 0.0, 1.0
    for word in str(messages[-1].content).split():
        if word == "forbidden":
            raise ContentFiltered("The endpoint does not like this.", unbilled=True)
        value += sign * _WORTH.get(word, 0.0)
        sign = -1.0 if word == "never" else 1.0 if word in _WORTH else sign
    return {
        label: -math.log1p(math.exp(-way * value))
        for label, way in (("positive", 1), (" negative", -1))
    }


def model() -> FunctionAdapter:
    """A new one, which keeps what it is asked."""
    return FunctionAdapter(opinion)


def rows(count: int, *, seed: int = 0) -> list[dict[str, object]]:
    """Rows of 8 to 14 words, with a column to group by."""
    rng = np.random.default_rng(seed)
    return [
        {
            "id": f"case {at}",
            "text": " ".join(rng.choice(_WORDS, size=rng.integers(8, 15))),
            "group": "ab"[at % 2],
        }
        for at in range(count)
    ]
