"""What comes with answers: which model served, what it took, which limits, how fast; judged.

What this module does not know: what stands in an answer, and its value.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from spex_api.querying.probing.probed import Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.completions import Allowance
    from spex_api.querying.probing.answer import Answer
    from spex_api.querying.probing.probed import Latency

__all__ = ["judge_headers", "judge_latency", "judge_service"]


def judge_service(answers: Sequence[Answer]) -> Iterator[Judgement]:
    """Whether questions were refused, one model served, and answers say what they took.

    Args:
        answers: all that were asked for, refused or not.
    """
    yield from _refusals(answers)
    yield from _model(answers)
    yield from _usage(answers)


def judge_headers(allowances: Sequence[Allowance], *, sent_for: bool) -> Iterator[Judgement]:
    """Which limits the endpoint tells; of answers from disk there is nothing to say.

    Args:
        allowances: as its headers tell them.
        sent_for: whether any answer was sent for, so that there were headers.
    """
    if allowances:
        limits = ", ".join(
            f"{each.limit:,.0f} {each.of.replace('_', ' ')}"
            if each.limit is not None
            else each.of.replace("_", " ")
            for each in allowances
        )
        yield Judgement(
            "headers", Verdict.OK, f"Headers tell what is left of its limits: {limits}."
        )
    elif sent_for:
        yield Judgement(
            "headers",
            Verdict.OK,
            "No header tells what is left of its limits: they are learned from refusals.",
        )


def judge_latency(latency: Latency | None, concurrency: int) -> Iterator[Judgement]:
    """How fast it answers, and what follows for how many may be under way."""
    if latency is not None:
        yield Judgement(
            "latency",
            Verdict.OK,
            f"Half of {latency.count} answers took less than {latency.p50:.3g} s, nearly all less "
            f"than {latency.p95:.3g} s; {concurrency} requests may be under way at once.",
        )


def _refusals(answers: Sequence[Answer]) -> Iterator[Judgement]:
    refused = sum(not each.completions for each in answers)
    declined = sum(each.is_withheld for each in answers)
    if refused or declined:
        yield Judgement(
            "refusals",
            Verdict.WARNING,
            f"Of {len(answers)} questions the endpoint refused {refused}, and the model or a "
            f"filter declined {declined}.",
            "Masks that are refused have no value; change the text or how it is masked.",
        )


def _model(answers: Sequence[Answer]) -> Iterator[Judgement]:
    """Whether one model served, and the same system behind it."""
    every = [each for answer in answers for each in answer.completions]
    systems = sorted({(each.model, each.fingerprint) for each in every})
    models = [name for name, _ in groupby(name or "one without a name" for name, _ in systems)]
    if len(models) > 1:
        yield Judgement(
            "model",
            Verdict.WARNING,
            f"{len(models)} models served: {', '.join(models)}.",
            "Ask for one by its whole name, with its date.",
        )
    elif len(systems) > 1:
        yield Judgement(
            "model",
            Verdict.WARNING,
            f"{models[0]} was served by {len(systems)} systems, by their fingerprints: its answers "
            "may differ from one to the other.",
        )
    elif systems and not systems[0][0]:
        yield Judgement(
            "model",
            Verdict.WARNING,
            "The answers do not name the model that served them, so a change of it would pass "
            "unseen.",
        )
    elif models:
        known = f", system {systems[0][1]}" if systems[0][1] else ", with no system fingerprint"
        yield Judgement("model", Verdict.OK, f"Served by {models[0]}{known}.")


def _usage(answers: Sequence[Answer]) -> Iterator[Judgement]:
    every = [each.usage for answer in answers for each in answer.completions]
    if not every:
        return
    if not all(usage.input_tokens > 0 for usage in every):
        yield Judgement(
            "usage",
            Verdict.WARNING,
            "Answers do not say how many tokens they took, so costs are counted at their bounds.",
        )
        return
    yield Judgement("usage", Verdict.OK, "Answers say how many tokens they took.")
    written = sum(usage.cache_write_tokens for usage in every)
    if written:
        yield Judgement(
            "usage",
            Verdict.WARNING,
            f"{written} tokens were written to the endpoint's prompt cache, which some vendors "
            "bill above the price of input, and masked prompts hardly read again.",
        )
