"""`[score]` of a spec file: the number that is read in an answer, and how it is asked for.

What this module does not know: which keys go with which kind, and how any of them is read;
`spex_api.scores.tables` makes a score of it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ScoreKind", "ScoreTable"]

ScoreKind = Literal[
    "auto",
    "label_log_odds",
    "label_frequency",
    "target_log_prob",
    "numeric",
    "similarity",
    "judge",
]


class ScoreTable(BaseModel):
    """`[score]`: the number in an answer. What is left out has the score's own default.

    Attributes:
        kind: which; without it the log-odds of the labels, or without labels what suits the
            endpoint ("auto").
        labels: words, the first against the others.
        says: a text that is a hit wherever it stands in an answer, in place of labels.
        pattern: a regular expression that finds a hit, in place of labels.
        field: the path of a field in a JSON answer, as "verdict.label", in place of labels.
        equals: the field's value that is a hit.
        refusal: whether a refusal is a hit, in place of labels.
        tool: the name of a tool whose call is a hit, in place of labels.
        target: the text whose log-prob is read; without it the model's own answer.
        per_token: whether that is divided by the number of its tokens.
        way: how it is asked for: "prompt_logprobs", "echo", "grammar" or "steps".
        to: the text that answers are compared to; without it the model's own answer.
        embeddings: the model whose embeddings compare them; without it their letters do.
        judge: the model that grades answers.
        rubric: what it goes by.
        grades: how many of its grades are averaged.
        low: the lowest number of a scale.
        high: the highest one.
        samples: how many answers are drawn under each mask.
        scale: of a frequency, "log_odds" or "probability".
        temperature: at which answers are drawn; at 0 there is one, so samples is 1 and scale is
            "probability".
        max_tokens: how long an answer may be.
        max_censored: the share of bounds or missing values above which a run is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ScoreKind | None = None
    labels: list[str] | None = None
    says: str | None = None
    pattern: str | None = None
    field: str | None = None
    equals: str | bool | int | float | None = None
    refusal: bool | None = None
    tool: str | None = None
    target: str | None = None
    per_token: bool | None = None
    way: Literal["prompt_logprobs", "echo", "grammar", "steps"] | None = None
    to: str | None = None
    embeddings: str | None = None
    judge: str | None = None
    rubric: str | None = None
    grades: int | None = Field(default=None, ge=1)
    # Whole ends make a scale of whole numbers.
    low: int | float | None = None
    high: int | float | None = None
    samples: int | None = Field(default=None, ge=1)
    scale: Literal["log_odds", "probability"] | None = None
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_censored: float = Field(default=0.5, ge=0, le=1)
