"""`spex explain`: one prompt, from a file or from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from spex_api.cli.job import Job, read_job
from spex_api.cli.progress import ProgressLine
from spex_api.errors import SpecError
from spex_api.explainer import explain_sync
from spex_api.report import machine, terminal

if TYPE_CHECKING:
    from spex_api.events import EventHandler
    from spex_api.explanation import Explanation
    from spex_api.spec import Tables

__all__ = ["explain"]

_PARTIAL = 3
"""The exit status of a run that its budget ended, with a partial result saved."""
_INTERRUPTED = 130
_RESUME = (
    "spex: Stopped. Every answer that came is on disk: the same command goes on from there, and "
    "pays for nothing twice."
)


def explain(
    spec: Annotated[Path | None, typer.Argument(help="A TOML file; see examples/.")] = None,
    *,
    text: Annotated[str | None, typer.Option(help="The text whose parts are explained.")] = None,
    ask: Annotated[str | None, typer.Option(help="The question that goes before the text.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="Two or more answers, as in positive,negative.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="local, local:FILE.gguf or openai:MODEL.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="words, sentences, lines or paragraphs.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(help="drop, ellipsis, token, or the text that stands for a part.")
    ] = None,
    requests: Annotated[int | None, typer.Option(help="The cap on requests.")] = None,
    usd: Annotated[float | None, typer.Option(help="The cap in dollars.")] = None,
    target_faithfulness: Annotated[
        float | None,
        typer.Option(help="Stop where the held-out R² is surely above this, as in 0.9."),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(help="How likely a mask keeps each part: 0.5 to 0.95, near the full prompt."),
    ] = None,
    decoder: Annotated[
        str | None,
        typer.Option(help="auto, spectral_gp, lasso, spex, proxyspex or walsh_hadamard."),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(help="SV, BV, SII, BII, STII, FSII, FBII, Möbius or Fourier."),
    ] = None,
    order: Annotated[int | None, typer.Option(help="The size of the largest interactions.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn.")] = None,
    out: Annotated[Path, typer.Option(help="The folder that receives the files.")] = Path(),
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Explains a model's answer to one prompt.

    Asks the model under each mask, decodes, prints what moved the answer alone and together, and
    writes explanation.json and report.html. Answers are kept on disk: the same command sends
    nothing twice.
    """
    overrides: Tables = {
        "model": model,
        "seed": seed,
        "prompt": {
            "template": ask and ask.replace("{", "{{").replace("}", "}}") + "\n{text}",
            "text": text,
            "split": split,
            "mask": mask,
        },
        "score": {"labels": labels and labels.split(",")},
        "budget": {
            "requests": requests,
            "usd": usd,
            "target_faithfulness": target_faithfulness,
        },
        "masks": {"keep": keep},
        "decode": {"decoder": decoder, "index": index, "order": order},
    }
    job = read_job(spec, overrides)
    if not out.is_dir():
        raise SpecError(f"--out {out} is no folder.", advice="Make it first.")
    try:
        with ProgressLine(Console(stderr=True)) as line:
            explanation = _explained(job, on_event=line.draw)
    except KeyboardInterrupt:
        Console(stderr=True).print(_RESUME)
        raise typer.Exit(_INTERRUPTED) from None
    explanation.to_json(out / "explanation.json")
    explanation.to_html(out / "report.html")
    if json:
        sys.stdout.write(machine.render(explanation))
    else:
        console = Console()
        terminal.render(explanation, console)
        console.print(f"Wrote {out / 'explanation.json'} and {out / 'report.html'}.", style="dim")
    if not explanation.complete:
        raise typer.Exit(_PARTIAL)


def _explained(job: Job, *, on_event: EventHandler) -> Explanation:
    spec = job.spec
    return explain_sync(
        job.prompt,
        spec.model,
        score=job.score,
        budget=job.budget,
        index=spec.decode.index,
        order=spec.decode.order,
        decoder=spec.decode.decoder,
        seed=spec.seed,
        keep=spec.masks.keep,
        target_faithfulness=spec.budget.target_faithfulness,
        concurrency=spec.limits.concurrency,
        on_event=on_event,
    )
