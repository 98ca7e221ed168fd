"""A recorded call, or a request saved as JSON, into what it asked.

A request is saved as its body alone, as {"url": …, "body": …}, as an entry of a browser's or a
proxy's archive (HAR 1.2) or a whole one, or as a line of the recorded calls. Of several requests in
a file one is meant by its number, as in saved.har#3. What this module does not know: what a body
means.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from spex_api.calls.answer import Answer, read_answer
from spex_api.calls.asked import Asked, asked_in, wire_of
from spex_api.calls.call import Call
from spex_api.calls.loosely import as_object, as_objects, as_text
from spex_api.errors import CacheCorrupt, SpecError
from spex_api.foreign_files import read_json, read_text

if TYPE_CHECKING:
    from spex_api.completions import JsonObject

__all__ = ["asked_by", "file_and_which", "read_request", "the_one"]

_SHOWN: Final = 8
_WHY: Final = "a saved request"


def asked_by(call: Call) -> Asked:
    """What a recorded call asked.

    Raises:
        SpecError: it holds what cannot be asked again.
        CacheCorrupt: its request is no JSON object.
    """
    asked = asked_in(call.request, where=f"The call {call.id}", url=call.url, wire=call.dialect)
    return asked.with_answer(call.answer)


def read_request(said: str) -> Asked:
    """What a request asked that was saved as JSON.

    Args:
        said: the file, with a number behind "#" where it holds several.

    Raises:
        SpecError: the file cannot be read, holds no request to a model, or several, or one that
            cannot be asked again.
    """
    path, which = file_and_which(said)
    text = read_text(path, why=_WHY)
    found = read_json(text, where=f"{path} ({_WHY})")
    if isinstance(found, dict) and {"call", "dialect", "request"} <= found.keys():
        return _recorded(text, path)
    entries = as_objects(as_object(as_object(found).get("log")).get("entries"))
    if not entries:
        return _asked(found, f"{path} ({_WHY})")
    calls = {str(at): each for at, each in enumerate(entries, 1) if _is_call(each)}
    words = {at: _http(each)[0] for at, each in calls.items()}
    at = the_one(words, which, said=said, what="requests to a model")
    return _asked(calls[at], f"Request {at} in {path}")


def file_and_which(said: str) -> tuple[Path, str]:
    """The file, and which of its calls is meant, "" where that is not said.

    Args:
        said: the file's name, perhaps with "#" and a name behind it.

    Raises:
        Nothing: whether there is such a file is seen where it is read.
    """
    path = Path(said)
    name, mark, which = said.rpartition("#")
    return (Path(name), which) if mark and name and not path.exists() else (path, "")


def the_one(words: dict[str, str], which: str, *, said: str, what: str) -> str:
    """The name of the one call that is meant in a file, or of the only one there.

    Args:
        words: what is said of each, by its name.
        which: the name that is meant, or its beginning; "" where none is said.
        said: the file as the user named it.
        what: there should be in it.

    Raises:
        SpecError: there is none, or not exactly one that is meant.
    """
    fits = [which] if which in words else [name for name in words if name.startswith(which)]
    if len(fits) == 1:
        return fits[0]
    path, _ = file_and_which(said)
    if not words:
        raise SpecError(f"{path} holds no {what}.")
    named = [f"{name} ({words[name]})" for name in list(words)[:_SHOWN]]
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    meant = f", and {which!r} means {len(fits) or 'none'} of them" if which else ""
    raise SpecError(
        f"{path} holds {len(words)} {what}{meant}: {', '.join(named)}{more}.",
        advice=f"Say which is meant, as in {path}#{next(iter(words))}; in a shell, between quotes.",
    )


def _recorded(text: str, path: Path) -> Asked:
    try:
        return asked_by(Call.from_line(" ".join(text.splitlines()).encode()))
    except CacheCorrupt as error:
        raise SpecError(f"{path} is no recorded call: {error.cause}") from None


def _asked(found: object, where: str) -> Asked:
    """The request in one of the forms for a single one."""
    if not isinstance(found, dict):
        return asked_in(found, where=where)
    if isinstance(found.get("request"), dict):
        url, body = _http(found)
        return asked_in(_body(body, where), where=where, url=url).with_answer(_answer(found, url))
    if "body" in found:
        url = _bare(str(found.get("url") or ""))
        return asked_in(_body(found["body"], where), where=where, url=url)
    return asked_in(found, where=where)


def _http(entry: JsonObject) -> tuple[str, object]:
    """Where an archive's entry was sent, and the text of its body."""
    request = as_object(entry.get("request"))
    return _bare(str(request.get("url") or "")), as_object(request.get("postData")).get("text")


def _is_call(entry: JsonObject) -> bool:
    url, body = _http(entry)
    return isinstance(body, str) and wire_of(url) is not None


def _body(said: object, where: str) -> Any:  # noqa: ANN401 - JSON
    """A body that may be given as its JSON text."""
    if isinstance(said, str):
        return read_json(said, where=f"The body of {where}")
    return said


def _answer(entry: JsonObject, url: str) -> Answer:
    """What was answered, where the archive has it."""
    content = as_object(as_object(entry.get("response")).get("content"))
    try:
        reply = json.loads(as_text(content.get("text")))
    except (ValueError, RecursionError):
        return Answer()
    return read_answer(as_object(reply), dialect=wire_of(url) or "")


def _bare(url: str) -> str:
    """The address without query and credentials."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, host, parts.path, "", "")) if parts.scheme and host else ""
