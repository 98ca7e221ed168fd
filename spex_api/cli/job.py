"""What a command works on: a spec, file or flags, made into the values that `explain` takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spex_api.causes.confirming import verify_sync
from spex_api.errors import SpecError
from spex_api.events import Notice
from spex_api.explainer import explain_sync
from spex_api.prompts.tables import prompt_of
from spex_api.querying.budget import Budget
from spex_api.querying.pace.limits import Limits
from spex_api.querying.price_table import price_in
from spex_api.querying.unasked import ALL_ASKED, Unasked
from spex_api.scores.tables import score_of
from spex_api.spec import ExplainSpec, Tables, check_spec, read_spec

if TYPE_CHECKING:
    from pathlib import Path

    from spex_api.events import EventHandler
    from spex_api.explanation import Explanation
    from spex_api.prompts import Prompt
    from spex_api.querying.cache import AnswerStore
    from spex_api.querying.pricing import Price
    from spex_api.scores import Score

__all__ = ["Job", "explained", "job_of", "read_job"]


@dataclass(frozen=True, slots=True)
class Job:
    """One prompt, one model, one score and one budget.

    Attributes:
        spec: the file and the flags, merged.
        prompt: what is asked, and which parts of it may be masked.
        score: the number in an answer.
        budget: the cap.
        limits: what the endpoint bears in a minute.
        price: what the model costs, where the user says so.
        unasked: what the budget of the run left out, where this is to be replayed.
    """

    spec: ExplainSpec
    prompt: Prompt
    score: Score
    budget: Budget
    limits: Limits = Limits()
    price: Price | None = None
    unasked: Unasked = ALL_ASKED

    @property
    def arguments(self) -> dict[str, Any]:
        """What `explain` and `plan` are both called with, by name."""
        spec = self.spec
        return {
            "prompt": self.prompt,
            "model": spec.model,
            "score": self.score,
            "budget": self.explaining,
            "index": spec.decode.index,
            "order": spec.decode.order,
            "decoder": spec.decode.decoder,
            "seed": spec.seed,
            "keep": spec.masks.keep,
            "target_faithfulness": spec.budget.target_faithfulness,
            "limits": self.limits,
            "concurrency": spec.limits.concurrency,
            "price": self.price,
        }

    @property
    def explaining(self) -> Budget:
        """The budget without what is kept for the test.

        Raises:
            SpecError: the test takes all of it.
        """
        left = self.budget.requests - self.spec.verify.requests
        if left < 1:
            raise SpecError(
                f"The test takes {self.spec.verify.requests} of {self.budget.requests} requests, "
                "which leaves none to explain with.",
                advice="Raise the budget, or verify with fewer: a twentieth is usual.",
            )
        return replace(self.budget, requests=left)


def read_job(path: Path | None, overrides: Tables) -> Job:
    """The job of a spec file, of flags, or of a file with flags that go before it.

    Raises:
        SpecError: the file or the flags say something that is not understood, or too little.
    """
    return job_of(_spec(path, overrides))


def job_of(spec: ExplainSpec) -> Job:
    """The job that a spec describes.

    Raises:
        UsageError: the spec names something that there is not.
    """
    caps = spec.budget
    limits = spec.limits.model_dump(exclude={"concurrency"})
    return Job(
        spec=spec,
        prompt=prompt_of(spec.prompt),
        score=score_of(spec.score),
        budget=Budget(requests=caps.requests, tokens=caps.tokens, usd=caps.usd),
        limits=Limits(**limits),
        price=price_in(spec.prices),
    )


def explained(
    job: Job,
    *,
    mode: str = "live",
    batch: bool = False,
    store: AnswerStore | None = None,
    on_event: EventHandler,
) -> Explanation:
    """The explanation of a job, which carries its spec.

    Args:
        job: what to explain.
        mode: what is done with the answers on disk.
        batch: whether what is missing is sent as batches.
        store: where answers are kept, in place of the folder on disk.
        on_event: is told what happens.
    """
    explanation = explain_sync(
        **job.arguments,
        mode=mode,
        store_prompts=job.spec.cache.store_prompts,
        store=store,
        batch=batch,
        unasked=job.unasked.ranges,
        on_event=on_event,
    )
    if job.spec.verify.requests and explanation.complete:
        explanation = _tested(job, explanation, mode=mode, store=store, on_event=on_event)
    return replace(explanation, spec=job.spec.model_dump(mode="json"))


def _tested(
    job: Job,
    explanation: Explanation,
    *,
    mode: str,
    store: AnswerStore | None,
    on_event: EventHandler,
) -> Explanation:
    """The explanation with its claims tested, for what its budget has left."""
    took, caps = explanation.usage, job.budget
    tokens = caps.tokens and caps.tokens - took.input_tokens - took.output_tokens
    usd = None if caps.usd is None else caps.usd - (took.usd or 0.0)
    if (tokens is not None and tokens < 1) or (usd is not None and usd < 0):
        on_event(Notice("Nothing of the budget is left to test what is claimed."))
        return explanation
    return verify_sync(
        explanation,
        job.spec.model,
        score=job.score,
        budget=Budget(job.spec.verify.requests, tokens, usd),
        limits=job.limits,
        concurrency=job.spec.limits.concurrency,
        price=job.price,
        mode=mode,
        store_prompts=job.spec.cache.store_prompts,
        store=store,
        on_event=on_event,
    )


def _spec(path: Path | None, overrides: Tables) -> ExplainSpec:
    if path is not None:
        return read_spec(path, overrides)
    prompt = overrides["prompt"]
    if None in (prompt["template"], prompt["text"]) and prompt.get("messages") is None:
        raise SpecError(
            "There is nothing to explain yet.",
            advice="Give a spec file (spex explain examples/review.toml), or --text, --ask and "
            "--labels, or a call: --call last.",
        )
    return check_spec(overrides, source="the command line")
