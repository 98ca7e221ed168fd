"""`spex audit`: many prompts under one budget, from a file with a row a prompt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from spex_api.audit_file import AUDIT, case_folder, write_audit
from spex_api.audited import Standing
from spex_api.audits.job import audited, read_audit_job
from spex_api.bundles.writing import check_bundled, write_bundle
from spex_api.cli import flags
from spex_api.cli.delivery import PARTIAL, check_folder, interruptible
from spex_api.cli.lines import write_json
from spex_api.cli.progress import ProgressLine
from spex_api.errors import SpecError
from spex_api.events import Notice
from spex_api.querying.shared.opening import shared_store
from spex_api.report import audit_machine, audit_terminal
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spex_api.audited import Audit
    from spex_api.bundles.writing import Bundled
    from spex_api.completions import JsonObject
    from spex_api.events import EventHandler
    from spex_api.querying.cache import AnswerStore

__all__ = ["audit", "deliver_audit"]


def audit(
    spec: Annotated[Path, typer.Argument(help="A TOML file that names the prompts' file.")],
    *,
    model: flags.Model = None,
    requests: flags.Requests = None,
    tokens: flags.Tokens = None,
    usd: flags.Usd = None,
    target_faithfulness: flags.TargetFaithfulness = None,
    most: Annotated[
        int | None, typer.Option(help="How many masks a prompt may be asked at the most.")
    ] = None,
    keep: flags.Keep = None,
    decoder: flags.Decoder = None,
    index: flags.Index = None,
    order: flags.Order = None,
    seed: flags.Seed = None,
    refresh: flags.Refresh = False,
    processes: Annotated[
        int | None,
        typer.Option(
            min=0, help="How many processes decode; by default one a core, 0 decodes in threads."
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A Dask scheduler, as tcp://host:8786, whose workers ask and decode; takes a "
            "--store that all of them share.",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="Also write all evidence into this file (.zip), for spex replay elsewhere."
        ),
    ] = None,
    pages: Annotated[
        bool,
        typer.Option(help="Whether the bundle holds the pages, which a replay draws again anyway."),
    ] = True,
    store: flags.Store = None,
    out: flags.Out = Path(),
    json: flags.Json = False,
) -> None:
    """Explains many prompts under one budget.

    Each prompt is asked as far as that gains more than elsewhere. Prints what matters again and
    again; writes index.html, audit.json and a folder a prompt. Answers are kept on disk: stopped,
    the same command goes on, and sends nothing twice.
    """
    tables = flags.tables(
        model=model,
        requests=requests,
        tokens=tokens,
        usd=usd,
        target_faithfulness=target_faithfulness,
        keep=keep,
        decoder=decoder,
        index=index,
        order=order,
        seed=seed,
        store=store,
    )
    flagged = ("model", "seed", "budget", "masks", "decode", "cache")
    overrides = {key: tables[key] for key in flagged}
    job = read_audit_job(spec, {**overrides, "audit": {"most": most}})
    check_folder(out)
    if bundle is not None:
        check_bundled(job.spec, bundle)
        check_folder(bundle.parent)
    if scheduler is not None:
        processes = processes or 0
    elif processes is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        processes = cores or 0
    with interruptible(resumes=True), shared_store(job.spec.cache.store) as shared:
        with ProgressLine(Console(stderr=True)) as line:
            done = audited(
                job,
                mode="refresh" if refresh else "live",
                store=shared,
                processes=processes,
                scheduler=scheduler,
                on_event=line.draw,
            )
        written = None
        if bundle is not None:
            with ProgressLine(Console(stderr=True)) as line:
                line.draw(Notice("The audit is rebuilt from its answers, to bundle those."))
                written = _bundled(
                    done,
                    bundle,
                    store=shared,
                    pages=pages,
                    processes=processes,
                    on_event=line.draw,
                )
    if written is None:
        said, told = [f"From disk alone again: spex replay {out / AUDIT}"], {}
    else:
        said = [
            f"For whoever checks it: spex replay {written.path}",
            f"Its digest: {written.digest}",
        ]
        told = {"bundle": {"digest": written.digest, "answers": written.num_answers}}
    deliver_audit(done, out, json=json, said=said, told=told)


def deliver_audit(
    done: Audit,
    out: Path,
    *,
    json: bool,
    said: Sequence[str] = (),
    told: JsonObject | None = None,
) -> None:
    """Writes all files, and tells the story or the JSON object.

    Args:
        done: what came out.
        out: the folder that receives the files.
        json: whether stdout is for a machine.
        said: more lines of the story.
        told: more of the object.

    Raises:
        SpecError: a file cannot be written.
        Exit: the result is partial.
    """
    try:
        _write(done, out)
    except OSError as error:
        raise SpecError(
            f"What came out cannot be written to {out}: {error.strerror or error}.",
            safe="Every answer is on disk.",
            advice="Make room there, or give another --out: the same command pays nothing again.",
        ) from None
    if json:
        write_json({**audit_machine.told(done), **(told or {})})
    else:
        console = Console()
        audit_terminal.render(done, console)
        for line in (f"Wrote {out / 'index.html'} and {out / AUDIT}.", *said):
            console.print(
                harmless(line), style="dim", markup=False, highlight=False, soft_wrap=True
            )
    if any(case.standing is Standing.ENDED for case in done.cases):
        raise typer.Exit(PARTIAL)


def _write(done: Audit, out: Path) -> None:
    from spex_api.report.index_page import render  # noqa: PLC0415 - only who audits pays for it

    write_audit(done, out)
    for case in done.cases:
        if case.explanation is not None:
            case.explanation.to_html(case_folder(out, case.case_id) / "report.html")
    (out / "index.html").write_text(render(done), encoding="utf-8")


def _bundled(
    done: Audit,
    bundle: Path,
    *,
    store: AnswerStore | None,
    pages: bool,
    processes: int,
    on_event: EventHandler,
) -> Bundled:
    """Writes the evidence.

    Raises:
        SpecError: the file cannot be written.
    """
    try:
        return write_bundle(
            done, bundle, pages=pages, store=store, processes=processes, on_event=on_event
        )
    except OSError as error:
        raise SpecError(
            f"The bundle cannot be written to {bundle}: {error.strerror or error}.",
            safe="Every answer is on disk.",
            advice="Make room there, or give another --bundle: nothing is paid again.",
        ) from None
