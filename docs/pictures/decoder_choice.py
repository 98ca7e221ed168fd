"""Draws how `decoder="auto"` chooses: the rules of `spex_api.decoding.auto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drawing import save
from flow import Question, chain

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure


def draw(colours: Colours) -> Figure:
    """Four questions about numbers, which are known before anything is sent."""
    return chain(
        colours,
        [
            Question(
                "Do all 2ⁿ masks fit the budget?",
                "WalshHadamard",
                "exact: nothing is estimated",
            ),
            Question(
                "Fewer than four queries a feature,\nkeep = ½, and a code that fits?",
                "SPEX",
                "coded masks: finds what no part shows alone",
            ),
            Question(
                "Up to 4,000 queries?",
                "SpectralGP",
                "or a rival that is ahead on hidden answers",
            ),
            Question(
                "keep = ½?",
                "SPEX",
                "coded masks",
            ),
        ],
        otherwise=("Lasso", "takes any masks, however many"),
    )


if __name__ == "__main__":
    save(draw, "decoder_choice")
