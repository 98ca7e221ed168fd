"""`spex calls`: the calls that a user's own clients made and recorded, and one of them whole.

It opens no connection. What this module does not know: how calls are recorded, and what one means.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from spex_api.calls.file import calls_file, find_call, read_calls
from spex_api.calls.glimpse import question_of, turns_of
from spex_api.cli import flags  # noqa: TC001 - typer reads the annotations
from spex_api.cli.lines import counted, say, write_json
from spex_api.errors import CacheCorrupt
from spex_api.report.story import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.calls.call import Call
    from spex_api.completions import JsonObject

__all__ = ["calls_app"]

calls_app = typer.Typer(
    name="calls",
    help="The calls that recorded clients made: list them, newest last, and show one.",
    rich_markup_mode=None,
)

_USUALLY: Final = 20
"""Calls are listed, where nobody says how many."""
_SHOWN: Final = 60
"""Characters of a text in a list."""
_RECORD: Final = (
    "Record some: client = spex_adapters.record(client), with any client of openai or anthropic, "
    "and call as before."
)

_File = Annotated[
    Path | None, typer.Option("--file", help="Where they are recorded, if not in the usual place.")
]


@calls_app.callback(invoke_without_command=True)
def calls(
    context: typer.Context,
    *,
    parent: Annotated[
        str | None, typer.Option(help="Those made for this alone, as calls(NAME) named it.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, help=f"So many of the newest; {_USUALLY} by default.")
    ] = None,
    file: _File = None,
    json: flags.Json = False,
) -> None:
    """Lists the calls that recorded clients made, newest last."""
    if context.invoked_subcommand is not None:
        return
    path = file or calls_file()
    found, count = _newest(path, parent=parent, last=last or (None if json else _USUALLY))
    if json:
        write_json({"file": str(path), "count": count, "calls": list(map(_told, found))})
        return
    if not count:
        of = f" for {parent!r}" if parent else ""
        say(f"{path} has no calls{of}. {'Without --parent all are listed.' if of else _RECORD}")
        return
    older = f", of which the last {len(found)}" if count > len(found) else ""
    say(f"{path}: {counted(count, 'call')}{older}.")
    for call in found:
        for line in _in_short(call):
            say(line)
    say(f"One whole: spex calls show ID. Explained: spex explain --call {found[-1].id} --why TEXT")


@calls_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="The call's id, or its beginning.")],
    *,
    request: Annotated[
        bool,
        typer.Option(
            "--request", help="Its request alone, as JSON that spex explain --request takes."
        ),
    ] = False,
    file: _File = None,
    json: flags.Json = False,
) -> None:
    """Shows one call: what was asked and answered, by whom, and what it took."""
    call = find_call(name, path=file)
    if request:
        write_json({"url": call.url, "body": call.request})
    elif json:
        write_json({**_told(call), "request": call.request, "reply": call.reply})
    else:
        for line in _whole(call):
            say(line)


def _newest(path: Path, *, parent: str | None, last: int | None) -> tuple[list[Call], int]:
    """The newest calls and how many there are in all; none where nothing was recorded yet.

    Raises:
        UsageError: the user named a file that is not there, or it cannot be read.
    """
    if path == calls_file() and not path.exists():
        return [], 0
    found: deque[Call] = deque(maxlen=last)
    count = 0
    for call in read_calls(path):
        if parent is None or parent in call.parents:
            found.append(call)
            count += 1
    return sorted(found, key=lambda each: each.begun), count


def _in_short(call: Call) -> Iterator[str]:
    """A call on two lines."""
    body, answer = _request(call), call.answer
    at = call.begun.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    parents = f"  for {' › '.join(call.parents)}" if call.parents else ""
    yield f"{call.id}  {at} UTC  {body.get('model') or answer.model or '?'}{parents}"
    yield f"    {_short(question_of(body))} → {_short(_answered(call))}"


def _whole(call: Call) -> Iterator[str]:
    """All of a call that a person wants to know."""
    body, answer = _request(call), call.answer
    yield f"{call.id}: {call.dialect} at {call.url}"
    yield f"Sent {call.begun.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, took {call.seconds:.2f} s."
    if call.parents:
        yield f"Made for {' › '.join(call.parents)}."
    served = f", served by {answer.model}" if answer.model not in ("", body.get("model")) else ""
    yield f"Model {body.get('model') or '?'}{served}."
    yield ""
    for role, text in turns_of(body):
        yield f"{role}: {text}"
    yield ""
    yield f"answer: {_answered(call)}"
    usage = answer.usage
    yield ""
    ended = f", ended by {answer.finish_reason}" if answer.finish_reason else ""
    yield f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out{ended}."
    yield f"Why it says so: spex explain --call {call.id} --why TEXT"


def _answered(call: Call) -> str:
    """What came of it, in words."""
    answer = call.answer
    tools = [f"{each.name}({each.arguments})" for each in answer.tool_calls]
    said = " ".join(filter(None, (answer.text, *tools)))
    status = call.status
    if answer.error or status is None or status >= 400:
        told = filter(None, (str(status or ""), answer.error, call.error))
        return f"no answer: {' '.join(told)}"
    if not call.whole:
        why = f": {call.error}" if call.error else ""
        return f"{said or 'nothing'} (broken off{why})"
    return said or "nothing that can be read"


def _told(call: Call) -> JsonObject:
    """A call for a machine, without its bodies."""
    body, answer = _request(call), call.answer
    told: dict[str, Any] = {
        "id": call.id,
        "at": call.begun.isoformat(),
        "seconds": call.seconds,
        "url": call.url,
        "dialect": call.dialect,
        "model": body.get("model"),
        "served": answer.model or None,
        "parents": list(call.parents),
        "status": call.status,
        "error": answer.error or call.error or None,
        "whole": call.whole,
        "asked": question_of(body),
        "answered": answer.text,
        "tool_calls": [asdict(each) for each in answer.tool_calls],
        "usage": {
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
        },
    }
    return told


def _request(call: Call) -> JsonObject:
    """The request's body; empty where it is none that can be read."""
    try:
        return call.request
    except CacheCorrupt:
        return {}


def _short(text: str) -> str:
    """A text's beginning on one line."""
    line = " ".join(harmless(text).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
