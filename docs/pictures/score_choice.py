"""Draws which score suits which question and which endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drawing import save
from flow import Question, chain

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure


def draw(colours: Colours) -> Figure:
    """From what needs fewest requests to what needs most."""
    return chain(
        colours,
        [
            Question(
                "A few labels to choose from,\nand the endpoint lists log-probs?",
                "LabelLogOdds",
                "one request a mask, no sampling noise",
            ),
            Question(
                "One text that it may say,\nand the endpoint gives log-probs?",
                "TargetLogProb",
                "its own answer, or a text of yours",
            ),
            Question(
                "Can a rule tell the answers apart:\na word, a pattern, a field, a tool?",
                "LabelFrequency",
                "k sampled answers a mask, any endpoint",
            ),
            Question("Is the answer a number?", "Numeric", "its expectation, or a mean"),
            Question(
                "Is nearness to the answer as it is\nwhat you want to explain?",
                "Similarity",
                "by letters, or by embeddings",
            ),
        ],
        otherwise=("Judge", "a second model grades each answer"),
    )


if __name__ == "__main__":
    save(draw, "score_choice")
