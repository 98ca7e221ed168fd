"""`spex explain`: one prompt, from a file or from the command line."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from spex_api.cli import flags
from spex_api.cli.delivery import check_folder, deliver, interruptible
from spex_api.cli.job import explained, read_job
from spex_api.cli.progress import ProgressLine
from spex_api.cli.recorded import recorded, with_call
from spex_api.cli.runs import keep_run
from spex_api.events import Notice
from spex_api.querying.shared.opening import shared_store
from spex_api.report import machine

if TYPE_CHECKING:
    from spex_api.cli.job import Job
    from spex_api.completions import JsonObject
    from spex_api.explanation import Explanation

__all__ = ["explain"]


def explain(
    spec: flags.SpecFile = None,
    *,
    text: flags.Text = None,
    ask: flags.Ask = None,
    call: flags.Call = None,
    request: flags.Request = None,
    span: flags.Span = None,
    calls_file: flags.CallsFile = None,
    why: flags.Why = None,
    labels: flags.Labels = None,
    model: flags.Model = None,
    split: flags.Split = None,
    of: flags.Of = None,
    mask: flags.Mask = None,
    requests: flags.Requests = None,
    tokens: flags.Tokens = None,
    usd: flags.Usd = None,
    target_faithfulness: flags.TargetFaithfulness = None,
    keep: flags.Keep = None,
    decoder: flags.Decoder = None,
    index: flags.Index = None,
    order: flags.Order = None,
    seed: flags.Seed = None,
    verify: flags.Verify = None,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch",
            help="Send the masks as batches: half the price, within a day; the provider keeps the "
            "prompts for a while.",
        ),
    ] = False,
    refresh: flags.Refresh = False,
    store: flags.Store = None,
    out: flags.Out = Path(),
    json: flags.Json = False,
) -> None:
    """Explains a model's answer to one prompt, or a call that was made before.

    Asks the model under each mask, decodes, prints what moved the answer alone and together, and
    writes explanation.json and report.html. Answers are kept on disk: the same command sends
    nothing twice.
    """
    overrides = flags.tables(
        text=text,
        ask=ask,
        labels=labels,
        model=model,
        split=split,
        of=of,
        mask=mask,
        requests=requests,
        tokens=tokens,
        usd=usd,
        target_faithfulness=target_faithfulness,
        keep=keep,
        decoder=decoder,
        index=index,
        order=order,
        seed=seed,
        verify=verify,
        store=store,
    )
    made = recorded(call=call, request=request, span=span, recorded_in=calls_file)
    tables, said = with_call(made, overrides, why=why, beside_a_spec=spec is not None)
    job = read_job(spec, tables)
    check_folder(out)
    with (
        interruptible(resumes=True),
        shared_store(job.spec.cache.store) as shared,
        ProgressLine(Console(stderr=True)) as line,
    ):
        for sentence in said:
            line.draw(Notice(sentence))
        explanation = explained(
            job,
            mode="refresh" if refresh else "live",
            batch=batch,
            store=shared,
            on_event=line.draw,
        )
    run = _kept(job, spec or (made.source if made else None), explanation)
    deliver(explanation, out, json=json, told=partial(_told, run=run), run=run)


def _kept(job: Job, source: Path | None, explanation: Explanation) -> str:
    """The run's name, under which it can be replayed; "" where that cannot be kept."""
    try:
        told = explanation.provenance
        return keep_run(job.spec, source=source, model=told.model, unasked=told.unasked)
    except OSError as error:
        Console(stderr=True).print(
            f"spex: What this run was about could not be kept, so it has no name: "
            f"{error.strerror or error}. Replay it by its spec file.",
            markup=False,
        )
        return ""


def _told(explanation: Explanation, *, run: str) -> JsonObject:
    """The object of the explanation, with the run's name."""
    return {**machine.told(explanation), "run": run or None}
