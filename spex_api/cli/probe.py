"""`spex probe`: a few real questions that find out what an endpoint truly gives."""

from __future__ import annotations

import json as json_text
import sys
from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spex_api.cli import flags
from spex_api.cli.delivery import interruptible
from spex_api.cli.job import read_job
from spex_api.cli.progress import ProgressLine
from spex_api.completions import Capabilities
from spex_api.errors import SpecError
from spex_api.prompts import Prompt
from spex_api.querying.asking import open_function
from spex_api.querying.budget import Budget
from spex_api.querying.pricing import price_of
from spex_api.querying.probe import most_requests
from spex_api.querying.probe import probe as inquire
from spex_api.querying.probing.probed import Verdict
from spex_api.querying.stack import Terms
from spex_api.report.story import harmless
from spex_api.scores import LabelLogOdds, Opening, Seconded
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.events import EventHandler
    from spex_api.querying.policy import Meter
    from spex_api.querying.probing.probed import Probed
    from spex_api.scores import Score

__all__ = ["probe"]

_UNFIT = 2
"""As where a score reads what the endpoint does not give: it must not be explained that way."""
_SPARE = 3
"""Requests for what has to be sent again."""
_FIRST = 32
"""Requests for what a score must know first."""
_TEXT = "Her acting never fails to impress, although the plot is thin and the end comes too late."
_TEMPLATE = (
    "Is this movie review positive or negative? Answer with one word, positive or negative.\n"
    "Review: {text}"
)
_LABELS = ("positive", "negative")
_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FATAL: "red"}


def probe(
    model: Annotated[
        str | None,
        typer.Argument(help=f"{flags.MODELS}; by default the one that the file of --spec names."),
    ] = None,
    *,
    spec: Annotated[
        Path | None, typer.Option(help="A TOML file whose prompt and labels are asked.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="A text to ask about.")] = None,
    ask: flags.Ask = None,
    labels: flags.Labels = None,
    json: flags.Json = False,
) -> None:
    """Finds out what a model's endpoint truly gives, by about ten questions.

    Are there log-probs, and are they sane? Are the labels among them? Do answers repeat? Without a
    file and without options, a short film review is asked about. Answers are kept on disk. The
    status is 2 where the endpoint cannot be explained.
    """
    asked, prompt, score = _question(model, spec, text, ask, labels)
    with interruptible(), ProgressLine(Console(stderr=True)) as line:
        found, score, meter = _found(asked, prompt, score, on_event=line.draw)
    if json:
        told = _told(found, score, meter)
        sys.stdout.write(json_text.dumps(told, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        _draw(found, score, meter, Console())
    if not found.is_fit:
        raise typer.Exit(_UNFIT)


def _question(
    model: str | None, spec: Path | None, text: str | None, ask: str | None, labels: str | None
) -> tuple[str, Prompt, Score]:
    """Who is asked, what, and what is read: of a file, of options, or the built-in review.

    Raises:
        SpecError: the file or the options say something that is not understood, or too little.
    """
    given = (text, ask, labels)
    if spec is None and model is None:
        raise SpecError(
            "No model is named.",
            advice="Name one, as in spex probe openai:gpt-4.1-mini, or a file by --spec.",
        )
    if spec is None and not any(given):
        return model or "", Prompt.from_template(_TEMPLATE, text=_TEXT), LabelLogOdds(*_LABELS)
    if spec is None and not all(given):
        raise SpecError(
            "A prompt of one's own needs --text, --ask and --labels, all three.",
            advice="Give all, or a file by --spec, or none: then a short review is asked about.",
        )
    overrides = flags.tables(model=model, text=text, ask=ask, labels=labels)
    job = read_job(spec, overrides)
    return job.spec.model, job.prompt, job.score


async def _find(
    model: str, prompt: Prompt, score: Score, *, on_event: EventHandler
) -> tuple[Probed, Score, Meter]:
    question = score.requests(prompt.render([1] * prompt.num_features), Capabilities())
    # Who asks a second model asks it about every answer; and some ask something first.
    each = 2 if isinstance(score, Seconded) else 1
    first = _FIRST if isinstance(score, Opening) else 0
    budget = Budget(requests=each * most_requests(question) + first + _SPARE)
    async with open_function(
        prompt, model, score=score, budget=budget, terms=Terms(), on_event=on_event
    ) as function:
        found = await inquire(
            function.adapter, prompt, function.score, meter=function.meter, second=function.second
        )
        return found, function.score, function.meter


_found = synchronous(_find, name="_found")


def _told(found: Probed, score: Score, meter: Meter) -> dict[str, Any]:
    """All that was found, for a machine."""
    return {
        **asdict(found),
        "served": dict(found.served),
        "is_fit": found.is_fit,
        "meaning": score.meaning,
        "price": _price(found),
        "sent": meter.sent,
        "cached": meter.cached,
    }


def _draw(found: Probed, score: Score, meter: Meter, console: Console) -> None:
    """All that was found, for a person."""
    console.print(Text(harmless(f"{found.model} at {found.endpoint}"), style="bold"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=18)
    table.add_column(overflow="fold")
    for name, said in _facts(found, score):
        table.add_row(Text(name, style="dim"), Text(harmless(said)))
    console.print(table)
    console.print()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(min_width=7)
    table.add_column(min_width=13)
    table.add_column(overflow="fold")
    for finding in found.findings:
        verdict = Text(finding.verdict, style=_COLOURS[finding.verdict])
        table.add_row(verdict, finding.about, Text(harmless(str(finding))))
    console.print(table)
    console.print()
    ending = "can be explained." if found.is_fit else "cannot be explained."
    console.print(Text(harmless(f"{found.model} {ending}"), style="bold"))
    console.print(
        Text(f"Took {found.requests} answers: {meter.sent} sent, {meter.cached} on disk."),
        style="dim",
    )


def _facts(found: Probed, score: Score) -> Iterator[tuple[str, str]]:
    """The capabilities and the numbers, each by its name."""
    length = found.capabilities.top_logprobs
    yield "log-probs", f"lists of up to {length} tokens" if length else "none that can be trusted"
    floor = found.noise_floor
    yield "noise floor", "not known" if floor is None else f"{floor:.3g} ({score.meaning})"
    if found.full is not None and found.empty is not None:
        yield "value", f"{found.full:+.3f} for the whole prompt, {found.empty:+.3f} all masked"
    if found.latency is not None:
        yield "latency", f"p50 {found.latency.p50:.3g} s, p95 {found.latency.p95:.3g} s"
    yield "concurrency", f"{found.capabilities.concurrency} requests at once"
    told = ", ".join(each.of.replace("_", " ") for each in found.allowances)
    yield "limits in headers", told or ("none" if found.latency else "not known: all was on disk")
    price = _price(found)
    if found.capabilities.free:
        yield "price", "free"
    elif price is None:
        yield "price", "not known"
    else:
        yield (
            "price",
            f"${price['input']:g} a million tokens read, ${price['output']:g} written",
        )


def _price(found: Probed) -> dict[str, float] | None:
    """Dollars a million tokens, where they are known."""
    price = price_of(found.endpoint, found.model)
    return None if price is None else {"input": price.input, "output": price.output}
