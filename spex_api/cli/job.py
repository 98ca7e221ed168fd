"""What a command works on: a spec, file or flags, made into the values that `explain` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex_api.errors import SpecError
from spex_api.prompts import Prompt
from spex_api.querying.budget import Budget
from spex_api.scores import LabelLogOdds, Score
from spex_api.spec import ExplainSpec, Tables, check_spec, read_spec

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Job", "read_job"]


@dataclass(frozen=True, slots=True)
class Job:
    """One prompt, one model, one score and one budget.

    Attributes:
        spec: the file and the flags, merged.
        prompt: what is asked, and which parts of it may be masked.
        score: the number in an answer.
        budget: the cap.
    """

    spec: ExplainSpec
    prompt: Prompt
    score: Score
    budget: Budget


def read_job(path: Path | None, overrides: Tables) -> Job:
    """The job of a spec file, of flags, or of a file with flags that go before it.

    Raises:
        SpecError: the file or the flags say something that is not understood, or too little.
    """
    spec = _spec(path, overrides)
    texts = dict(spec.prompt.texts)
    if spec.prompt.text is not None:
        texts["text"] = spec.prompt.text
    prompt = Prompt.from_template(
        spec.prompt.template,
        split=spec.prompt.split,
        mask=spec.prompt.mask,
        of=spec.prompt.of,
        system=spec.prompt.system,
        **texts,
    )
    score = LabelLogOdds(*spec.score.labels, max_censored=spec.score.max_censored)
    budget = Budget(requests=spec.budget.requests, usd=spec.budget.usd)
    return Job(spec, prompt, score, budget)


def _spec(path: Path | None, overrides: Tables) -> ExplainSpec:
    if path is not None:
        return read_spec(path, overrides)
    prompt, score = overrides["prompt"], overrides["score"]
    if None in (prompt["template"], prompt["text"], score["labels"]):
        raise SpecError(
            "There is nothing to explain yet.",
            advice="Give a spec file (spex explain examples/review.toml), or --text, --ask and "
            "--labels.",
        )
    return check_spec(overrides, source="the command line")
