"""`spex replay`: the same result from the answers on disk alone.

It opens no connection and needs no key, and it writes the bytes that the run wrote. The answers of
a bundle are taken into a passing folder, never among the user's own. What this module does not
know: how answers are kept, and how many are missing; the error says that.
"""

from __future__ import annotations

import json as json_text
import os
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from spex_api.bundles.recorded import is_audit, is_bundle
from spex_api.bundles.replaying import replay as replayed_audit
from spex_api.cli import flags  # noqa: TC001 - typer reads the annotations
from spex_api.cli.audit import deliver_audit
from spex_api.cli.delivery import check_folder, deliver, interruptible
from spex_api.cli.job import Job, explained, job_of, read_job
from spex_api.cli.progress import ProgressLine
from spex_api.cli.runs import find_run
from spex_api.errors import SpecError, UsageError
from spex_api.querying.answers.bundle import import_bundle
from spex_api.querying.answers.store import DiskStore
from spex_api.querying.shared.opening import shared_store
from spex_api.querying.unasked import Ranges, Unasked
from spex_api.report import machine
from spex_api.report.audit_machine import told_of_replay
from spex_api.spec import check_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.completions import JsonObject
    from spex_api.explanation import Explanation

__all__ = ["replay"]

_LONGEST_FILE = 256 * 2**20
"""Bytes: no explanation is that long."""


def replay(
    run: Annotated[
        Path,
        typer.Argument(
            help="A run's name as `explain` prints it or the beginning of it, its spec file, its "
            "explanation.json, or the folder with that file. Of an audit: its bundle (.zip), its "
            "audit.json, or the folder with that file."
        ),
    ],
    *,
    answers: Annotated[
        Path | None,
        typer.Option(help="A bundle (.jsonl or .jsonl.zst) to take all answers from."),
    ] = None,
    store: flags.Store = None,
    processes: Annotated[
        int, typer.Option(min=0, help="Of an audit: how many processes decode; 0 takes threads.")
    ] = 0,
    out: flags.Out = Path(),
    json: flags.Json = False,
) -> None:
    """Rebuilds a result from the answers on disk alone.

    Opens no connection. Writes the same explanation.json and report.html as the run did. If answers
    are missing, it says how many, which the first is and what they would cost, and ends with status
    5. What a budget ended is rebuilt from its name or its explanation.json, and ends with status 3
    as the run did; a spec file alone does not say which masks were not asked any more.

    Of an audit it writes what spex audit writes, and says whether that is identical to what was
    recorded. A bundle is checked whole before anything in it is used, and needs nothing but itself.
    """
    check_folder(out)
    if is_audit(run):
        _replay_audit(run, answers, out, json=json, processes=processes)
        return
    job = _job(run)
    with (
        interruptible(),
        _answers_of(answers),
        shared_store(None if answers else store or job.spec.cache.store) as shared,
        ProgressLine(Console(stderr=True)) as line,
    ):
        explanation = explained(job, mode="replay", store=shared, on_event=line.draw)
    deliver(explanation, out, json=json, told=_told)


def _replay_audit(
    run: Path, answers: Path | None, out: Path, *, json: bool, processes: int
) -> None:
    """Rebuilds an audit, and tells it with how like the recorded one it is.

    Raises:
        SpecError: answers are named beside a bundle, which has its own.
        SpexError: as `spex_api.bundles.replaying.replay` does.
        Exit: it was stopped, or its budget had ended it.
    """
    if answers is not None and is_bundle(run):
        raise SpecError(f"{run} has its own answers, and --answers names others.")
    with interruptible(), _answers_of(answers), ProgressLine(Console(stderr=True)) as line:
        found = replayed_audit(run, processes=processes, on_event=line.draw)
    deliver_audit(
        found.audit, out, json=json, said=found.sentences, told={"replay": told_of_replay(found)}
    )


def _job(run: Path) -> Job:
    """What the run was about.

    Raises:
        SpecError: the file is none of a run, or does not say enough.
    """
    if _is_name(run):
        return _named(str(run))
    path = run / "explanation.json" if run.is_dir() else run
    if path.suffix != ".json":
        return read_job(path, {})
    spec, unasked = _run_within(path)
    return replace(job_of(check_spec(spec, source=str(path))), unasked=unasked)


def _is_name(run: Path) -> bool:
    """Whether this can only be the name of a run: no file is there, and no file is meant."""
    return run.parent == Path() and not run.suffix and not run.exists()


def _named(name: str) -> Job:
    """What the run of this name was about.

    Raises:
        SpecError: there is no such run, or its prompt was not to be stored.
    """
    run = find_run(name)
    if run.spec is None:
        raise SpecError(
            f"What the run {run.name} asked was not stored, as its spec wants it ([cache] "
            "store_prompts = false), so it cannot be rebuilt from its name.",
            safe="Its answers are on disk.",
            advice="Give the spec file or the explanation.json instead: spex replay SPEC.toml.",
        )
    job = job_of(check_spec(run.spec, source=f"the run {run.name}"))
    return replace(job, unasked=Unasked(run.unasked))


def _run_within(path: Path) -> tuple[dict[str, Any], Unasked]:
    """The spec that an explanation carries, and what of it was not asked.

    Raises:
        SpecError: the file cannot be read, or carries none.
    """
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise SpecError(f"{path} is far longer than any explanation.")
        told = json_text.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is no JSON"
        raise SpecError(f"{path} cannot be read: {reason}.") from None
    spec = told.get("spec") if isinstance(told, dict) else None
    if not isinstance(spec, dict):
        raise SpecError(
            f"{path} does not carry the spec of its run, so it cannot be rebuilt from it alone.",
            advice="Give the spec file instead: spex replay SPEC.toml.",
        )
    provenance = told.get("provenance")
    ranges = provenance.get("unasked", []) if isinstance(provenance, dict) else []
    try:
        return spec, Unasked(TypeAdapter(Ranges).validate_python(ranges))
    except (ValidationError, UsageError):
        raise SpecError(f"{path} does not say in ranges which masks were not asked.") from None


@contextmanager
def _answers_of(bundle: Path | None) -> Iterator[None]:
    """Lets answers be looked for in a bundle alone, where one is given.

    Raises:
        BundleRefused: it is not what its manifest says.
        UsageError: it cannot be read.
    """
    if bundle is None:
        yield
        return
    name = "SPEX_CACHE_DIR"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory(prefix="spex-replay-") as passing:
        folder = Path(passing) / "answers"
        store = DiskStore(folder)
        try:
            import_bundle(store, bundle)
        finally:
            store.close()
        os.environ[name] = str(folder)
        try:
            yield
        finally:
            del os.environ[name]
            if before is not None:
                os.environ[name] = before


def _told(explanation: Explanation) -> JsonObject:
    """The object of `spex explain --json`, among what a replay of many has too."""
    one = machine.told(explanation)
    return {"findings": [], "explanations": [one], "usage": one["usage"]}
