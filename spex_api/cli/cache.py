"""`spex cache`: what stands on disk, whether it is whole, and how it comes and goes.

What runs were about and the journals of batches stand beside the answers, and go with them. A
prompt's text is shown only where it is asked for; nothing is deleted that was not named first.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from spex_api.cli.beside import Beside
from spex_api.cli.lines import counted, say, write_json
from spex_api.completions import canonical_json
from spex_api.errors import UsageError
from spex_api.querying.answers.bundle import export_bundle, import_bundle
from spex_api.querying.answers.record import Selection, faults, select
from spex_api.querying.answers.store import DiskStore, answers_folder
from spex_api.querying.shared.opening import shared_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.querying.answers.record import Record
    from spex_api.querying.shared.store import PostgresStore

__all__ = ["cache_app"]

cache_app = typer.Typer(
    name="cache",
    help="The answers on disk: list, verify, export, import and purge them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_SHOWN: Final = 100
"""Characters of a text that is shown, and lines of a list."""
_FAULTY: Final = 1

_Keys = Annotated[
    Path | None, typer.Option(help="A file of keys, one a line, as those of one run.")
]
_Shared = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="SPEX_STORE",
        show_envvar=True,
        help="A store that several machines share: postgresql://USER@HOST/DATABASE.",
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
_Model = Annotated[str | None, typer.Option(help="Of this model alone, as `ls` names it.")]
_Since = Annotated[str | None, typer.Option(help="That came on this day or later: 2026-11-25.")]
_Before = Annotated[str | None, typer.Option(help="That came before this day: 2026-11-25.")]


@cache_app.command()
def ls(
    *,
    model: _Model = None,
    since: _Since = None,
    texts: Annotated[bool, typer.Option(help="Show the prompts, a line each.")] = False,
    shared: _Shared = None,
    json: _Json = False,
) -> None:
    """Lists what is on disk: how many answers of which model, from when, and how large.

    And the runs by their names, and the journals of batches.
    """
    with _opened(shared) as store:
        chosen = Selection(model=model, since=_day(since))
        models: Counter[tuple[str, str]] = Counter()
        first = last = ""
        without_prompt = 0
        lines: list[dict[str, str]] = []
        unreadable: list[str] = []
        every = select(store, chosen, on_fault=lambda key, _: unreadable.append(key))
        for key, record in every:
            models[record.fingerprint.model, record.fingerprint.endpoint] += 1
            moment = record.when.astimezone(UTC).isoformat()
            first, last = min(first or moment, moment), max(last, moment)
            without_prompt += record.fingerprint.body is None
            if texts:
                lines.append({"key": key, "at": record.at, "text": _said(record)})
        told: dict[str, Any] = {
            "folder": _place(store),
            "count": models.total(),
            "bytes": store.size,
            "first": first or None,
            "last": last or None,
            "without_prompt": without_prompt,
            "unreadable": len(unreadable),
            "models": [
                {"model": name, "endpoint": endpoint, "count": count}
                for (name, endpoint), count in sorted(models.items())
            ],
        }
    beside = Beside.found().chosen(model=model, since=_day(since))
    told.update(beside.told())
    if json:
        write_json({**told, "answers": lines} if texts else told)
        return
    for said in (*_listed(told, lines), *beside.lines(_SHOWN)):
        say(said)


def _listed(told: dict[str, Any], lines: list[dict[str, str]]) -> Iterator[str]:
    """The list of answers, for a person.

    Args:
        told: the counts.
        lines: the answers one by one, where these are asked for.
    """
    yield f"{told['folder']}: {counted(told['count'], 'answer')}, {told['bytes'] / 1e6:.1f} MB."
    if told["first"]:
        yield f"From {told['first'][:10]} to {told['last'][:10]}."
    for each in told["models"]:
        yield f"{each['count']:>8}  {each['model']}  ({each['endpoint']})"
    if told["without_prompt"]:
        yield f"{told['without_prompt']} of them are kept without their prompts."
    if told["unreadable"]:
        some = f"{told['unreadable']} record{'' if told['unreadable'] == 1 else 's'}"
        yield f"{some} cannot be read; see: spex cache verify."
    for line in lines:
        yield f"{line['key'][:12]}  {line['at'][:10]}  {line['text']}"


@cache_app.command()
def verify(*, shared: _Shared = None, json: _Json = False) -> None:
    """Checks every record: its checksum, its form, and that its key follows from its question.

    Deletes nothing. The exit status is 1 where something is wrong. Records without their prompts
    are checked but for the last.
    """
    with _opened(shared) as store:
        found = [{"key": key, "fault": flaw} for key, flaw in faults(store)]
        count = len(store)
        folder = _place(store)
    told = {"folder": folder, "count": count, "faults": found}
    if json:
        write_json(told)
    else:
        say(f"{folder}: {counted(count, 'answer')} looked at, {len(found)} with a fault.")
        for each in found[:_SHOWN]:
            say(f"  {each['key'][:64]}: {each['fault']}")
        if len(found) > _SHOWN:
            say(f"  … and {len(found) - _SHOWN} more.")
    if found:
        raise typer.Exit(_FAULTY)


@cache_app.command()
def export(
    bundle: Annotated[Path, typer.Argument(help="A file ending in .jsonl or .jsonl.zst.")],
    *,
    model: _Model = None,
    since: _Since = None,
    keys: _Keys = None,
    shared: _Shared = None,
    json: _Json = False,
) -> None:
    """Writes answers with their prompts into a bundle, which another folder can take in."""
    chosen = Selection(model=model, since=_day(since), keys=_keys(keys))
    with _opened(shared) as store:
        done = export_bundle(store, bundle, selection=chosen)
    if json:
        write_json({"path": str(done.path), "count": done.count, "left_out": done.left_out})
    else:
        say(str(done))


@cache_app.command("import")
def import_(
    bundle: Annotated[Path, typer.Argument(help="A file ending in .jsonl or .jsonl.zst.")],
    *,
    shared: _Shared = None,
    json: _Json = False,
) -> None:
    """Takes in the answers of a bundle, once all of it has been checked; what is here stays.

    Whoever made the bundle answers for what the models are said to have answered.
    """
    with _opened(shared) as store:
        done = import_bundle(store, bundle)
    if json:
        write_json({"count": done.count, "known": done.known, "conflicts": list(done.conflicts)})
    else:
        say(str(done))


@cache_app.command()
def purge(
    *,
    model: _Model = None,
    before: _Before = None,
    keys: _Keys = None,
    everything: Annotated[bool, typer.Option("--all", help="All answers.")] = False,
    faulty: Annotated[bool, typer.Option(help="Those that `verify` names.")] = False,
    open_batches: Annotated[
        bool, typer.Option(help="Open batches too: what they bring is lost, and paid again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; else it is only said.")] = False,
    shared: _Shared = None,
    json: _Json = False,
) -> None:
    """Says which answers it would delete and, with --yes, deletes them. They were paid for.

    By model, by day, and with --all also what runs were about, and the journals of batches that
    are over.
    """
    chosen = Selection(model=model, before=_day(before), keys=_keys(keys))
    if [everything, faulty, chosen != Selection()].count(True) != 1:
        raise UsageError(
            "What is to be deleted is not said, or said twice.",
            advice="Give one or more of --model, --before and --keys, or --faulty, or --all.",
        )
    with _opened(shared) as store:
        if everything:
            doomed = list(store)
        elif faulty:
            doomed = [key for key, _ in faults(store)]
        else:
            doomed = [key for key, _ in select(store, chosen, on_fault=lambda *_: None)]
        of_answers_alone = faulty or keys is not None
        beside = Beside() if of_answers_alone else Beside.found()
        beside = beside.chosen(model=model, before=chosen.before, open_too=open_batches)
        folder = _place(store)
        if not json:
            say(f"{folder}: {counted(len(doomed), 'answer')} of {len(store)} to delete.")
            for said in beside.going():
                say(said)
        if yes:
            beside.remove()  # first: a process that follows a batch of it stops all
        removed = store.remove(doomed) if yes else 0
    if json:
        told = {"folder": folder, "chosen": len(doomed), "removed": removed}
        write_json({**told, "beside": beside.told()})
    elif yes:
        say(f"{counted(removed, 'answer')} deleted{', and what stood beside them' * bool(beside)}.")
    else:
        say("Nothing is deleted yet; add --yes to delete them.")


@contextmanager
def _opened(url: str | None) -> Iterator[DiskStore | PostgresStore]:
    """The store that several share, where one is named, or else the folder on disk."""
    with shared_store(url) as shared:
        if shared is not None:
            yield shared
            return
        with closing(DiskStore(answers_folder())) as store:
            yield store


def _place(store: DiskStore | PostgresStore) -> str:
    return str(store.folder) if isinstance(store, DiskStore) else store.url


def _day(text: str | None) -> datetime | None:
    """The moment that a date means: its first, in UTC where it names no zone.

    Raises:
        UsageError: it is no date.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no date.", advice="Write it as in 2026-11-25.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _keys(path: Path | None) -> frozenset[str] | None:
    """The keys in a file, one a line.

    Raises:
        UsageError: it cannot be read.
    """
    if path is None:
        return None
    try:
        return frozenset(path.read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{path} cannot be read as a list of keys.") from None


def _said(record: Record) -> str:
    """What was asked last, in one line, or as much of the question as can be shown."""
    body = record.fingerprint.body
    if body is None:
        return "(kept without its prompt)"
    try:
        text = body["messages"][-1]["content"]
    except (KeyError, IndexError, TypeError):
        text = None
    line = " ".join((text if isinstance(text, str) else canonical_json(body)).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN // 2]} … {line[-_SHOWN // 2 :]}"
