"""`spex batch`: what is under way at a provider, and how it is stopped.

Listing opens no connection. Stopping reads no answer to disk: the run that sent a batch reads what
is paid when it is started again. What this module does not know: how batches are sent and read.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from spex_api.cli import flags  # noqa: TC001 - typer reads the annotations
from spex_api.cli.delivery import interruptible
from spex_api.cli.lines import counted, say, write_json
from spex_api.errors import UsageError
from spex_api.querying.adapter import load_adapter
from spex_api.querying.batches.endpoint import BatchState
from spex_api.querying.batches.journals import batches_folder, kept_journals
from spex_api.querying.batches.opening import batches_of
from spex_api.querying.batches.stopping import Stopped, stop
from spex_api.querying.cache import is_offline
from spex_api.querying.pricing import batch_price_of
from spex_api.synchronous import synchronous

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from spex_api.querying.adapter import Adapter
    from spex_api.querying.batches.endpoint import BatchEndpoint, Chunk
    from spex_api.querying.batches.journals import KeptJournal

__all__ = ["batch_app"]

batch_app = typer.Typer(
    name="batch",
    help="The batches under way: list them, and stop them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_UNKNOWN: Final = "(not known)"
_ENDINGS: Final = {
    BatchState.RUNNING: "is about to stop",
    BatchState.ENDED: "was over before it could be stopped",
    BatchState.EXPIRED: "is over, since its time was up",
    BatchState.CANCELLED: "has stopped",
    BatchState.FAILED: "was refused whole by the endpoint",
}


@batch_app.command()
def ls(*, json: flags.Json = False) -> None:
    """Lists the batches that were sent, or meant to be, and not yet read. Opens no connection."""
    folder = batches_folder()
    journals, strange = kept_journals(folder)
    found = [(journal, chunk) for journal in journals for chunk in journal.chunks]
    if json:
        told = [_told(journal, chunk) for journal, chunk in found]
        write_json(
            {"folder": str(folder), "batches": told, "strange_files": list(map(str, strange))}
        )
        return
    say(f"{folder}: {counted(len(found), 'open batch', 'open batches')}.")
    for journal, chunk in found:
        moment = chunk.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
        say(
            f"{chunk.batch or _UNKNOWN}  {counted(len(chunk.keys), 'question')}  {moment} UTC  "
            f"{journal.model}  ({journal.endpoint})  run {journal.name}"
        )
    for path in strange:
        say(f"{path} is no journal as it was written.")
    if found:
        say("The same command as before reads them; spex batch cancel ID stops one.")


@batch_app.command()
def cancel(
    name: Annotated[
        str, typer.Argument(help="A batch's id, or the run of several, as `ls` names them.")
    ],
    *,
    json: flags.Json = False,
) -> None:
    """Stops a batch, or all batches of a run, at the provider, and tells what is billed.

    What was answered by then is billed, and stays to be read: the same command as before reads it.
    """
    if is_offline():
        raise UsageError(
            "SPEX_OFFLINE forbids every connection, so no batch can be stopped.",
            advice="Unset it, and run again.",
        )
    journal, chunks = _meant(name)
    with interruptible():
        stopped, left = _all_stopped(journal, chunks)
    if json:
        told = [{**asdict(each), "run": journal.run} for each in stopped]
        write_json({"batches": told, "left": [{"run": journal.run, "why": why} for why in left]})
        return
    for each in stopped:
        say(_sentence(each))
    for why in left:
        say(why)


def _meant(name: str) -> tuple[KeptJournal, list[Chunk]]:
    """The journal and the batches that a name means.

    Raises:
        UsageError: nothing is called so, or more than one run.
        BatchError: the journals cannot be trusted.
    """
    journals, _ = kept_journals(batches_folder())
    for journal in journals:
        for chunk in journal.chunks:
            if chunk.batch == name:
                return journal, [chunk]
    runs = [each for each in journals if name and each.chunks and each.run.startswith(name)]
    if len(runs) > 1:
        raise UsageError(
            f"{len(runs)} runs with open batches begin with {name}: "
            f"{', '.join(each.name for each in runs)}.",
            cost="Nothing was stopped.",
            advice="Give more of the name.",
        )
    if not runs:
        raise UsageError(
            f"No open batch is called {name}, and no run with open batches.",
            cost="Nothing was stopped.",
            advice="They are listed by: spex batch ls.",
        )
    return runs[0], list(runs[0].chunks)


async def _stop_all(journal: KeptJournal, chunks: list[Chunk]) -> tuple[list[Stopped], list[str]]:
    """What became of each, and why others were left alone."""
    stopped: list[Stopped] = []
    left: list[str] = []
    async with _connected(journal) as (adapter, endpoint):
        tariff = batch_price_of(journal.endpoint, journal.model)
        for chunk in chunks:
            batch = chunk.batch
            if not batch and endpoint.exact:
                batch = await endpoint.find(chunk, known=journal.known) or ""
            if batch and (chunk.sure or endpoint.exact):
                stopped.append(await stop(batch, endpoint, read=adapter.read, tariff=tariff))
            else:
                left.append(_left(chunk, endpoint))
    return stopped, left


_all_stopped = synchronous(_stop_all, name="_all_stopped")


def _left(chunk: Chunk, endpoint: BatchEndpoint) -> str:
    """Why a batch is not stopped."""
    count = counted(len(chunk.keys), "question")
    if endpoint.exact:
        return f"A batch of {count} was meant to be sent, and the endpoint has none such."
    return (
        f"Which batch of {count} is this run's is not sure, and another's must not be stopped: "
        "look at the endpoint itself."
    )


@asynccontextmanager
async def _connected(journal: KeptJournal) -> AsyncIterator[tuple[Adapter, BatchEndpoint]]:
    """The adapter that a journal's batches were sent by, and its batches.

    Raises:
        UsageError: it cannot be found again, or leads elsewhere.
    """
    if journal.provider in ("", "custom"):
        raise UsageError(
            f"By which adapter the batches of {journal.model} at {journal.endpoint} were sent is "
            "not known here.",
            cost="Nothing was stopped.",
            advice="Stop them at the endpoint itself.",
        )
    adapter = load_adapter(f"{journal.provider}:{journal.model}")
    try:
        endpoint = batches_of(adapter)
        if endpoint is None or adapter.endpoint != journal.endpoint:
            raise UsageError(
                f"The batches are at {journal.endpoint}, and {journal.provider}:{journal.model} "
                f"leads to {adapter.endpoint} now.",
                cost="Nothing was stopped.",
                advice="Set the address as it was, such as OPENAI_BASE_URL, and run again.",
            )
        yield adapter, endpoint
    finally:
        await adapter.aclose()


def _sentence(one: Stopped) -> str:
    """What became of a batch, and what is billed."""
    ending = _ENDINGS[one.state]
    if one.state is BatchState.RUNNING:
        so_far = "" if one.answered is None else f" So far {counted(one.answered, 'answer')}."
        return (
            f"The batch {one.batch} {ending}.{so_far} What is answered until then is billed; "
            f"how much that is, tells later: spex batch cancel {one.batch}."
        )
    if not one.answered:
        return f"The batch {one.batch} {ending}. Nothing of it is billed."
    usage = one.usage
    took = (
        f", {usage.input_tokens:,} tokens read and {usage.output_tokens:,} written" if usage else ""
    )
    price = "" if one.usd is None else f", about ${one.usd:.2g}"
    return (
        f"The batch {one.batch} {ending}. Billed: {counted(one.answered, 'answer')}{took}{price}. "
        "The same command as before reads them."
    )


def _told(journal: KeptJournal, chunk: Chunk) -> dict[str, Any]:
    return {
        "batch": chunk.batch or None,
        "sure": chunk.sure,
        "run": journal.run,
        "questions": len(chunk.keys),
        "round": chunk.round,
        "at": chunk.at.isoformat(),
        "model": journal.model,
        "endpoint": journal.endpoint,
        "provider": journal.provider,
    }
