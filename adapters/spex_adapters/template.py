"""An in-house endpoint that speaks no dialect we know: a file describes what it takes and gives.

    http:endpoint.toml

    url = "https://models.example.org/generate"
    model = "house-7b"
    [headers]
    x-api-key = "${HOUSE_API_KEY}"
    [body]
    input = "{{prompt}}"
    parameters = { max_new_tokens = "{{max_tokens}}", temperature = "{{temperature}}" }
    [reply]
    text = "outputs.0.text"
    [capabilities]
    concurrency = 4

What this module does not know: retries, prices, and what stands in a body.
"""

from __future__ import annotations

import json
import os
import tomllib
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from spex_adapters._chat import in_place_of_an_answer
from spex_adapters._http import TIMEOUT, Line
from spex_adapters._kinds import parsed
from spex_adapters._template import MISSING, ReplyPaths, Template, at, variables_in, with_variables
from spex_adapters._wire import Secrets, Wire, one_line, read_key
from spex_api.completions import Capabilities, Completion, Outcome, TokenLogprob, Usage
from spex_api.errors import MalformedReply, SpecError, UsageError
from spex_api.events import EventHandler, ignore

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from spex_api.completions import CompletionRequest, JsonObject

__all__ = ["ReplyPaths", "Template", "TemplateAdapter"]

_FARTHEST: Final = 1e6
"""No log-prob, and no word of a server for having none, is farther from 0."""
_ENDINGS: Final = {
    **dict.fromkeys(("length", "max_tokens", "max_length", "model_length"), Outcome.TRUNCATED),
    **dict.fromkeys(("content_filter", "filtered", "safety"), Outcome.FILTERED),
    **dict.fromkeys(("refusal", "refused"), Outcome.REFUSED),
}
"""The words in which endpoints say why an answer ended early; any other is an answer's end."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Able(_Strict):
    top_logprobs: int = 0
    concurrency: int = 4
    free: bool = False


class _File(_Strict):
    url: str
    model: str = "template"
    headers: dict[str, str] = {}
    body: dict[str, Any]
    reply: dict[str, str]
    capabilities: _Able = _Able()


class TemplateAdapter:
    """One endpoint that a template describes. Building it opens nothing and needs no key.

    Args:
        template: what the endpoint takes and gives.
        timeout: seconds that an attempt may take as a whole.
        transport: how bytes travel, in place of connections.
        on_event: is told when prompts leave this machine unencrypted.

    Raises:
        UsageError: the timeout is not above 0, or not finite.
    """

    def __init__(
        self,
        template: Template,
        *,
        timeout: float = TIMEOUT,
        transport: httpx2.AsyncBaseTransport | None = None,
        on_event: EventHandler = ignore,
    ) -> None:
        self._template = template
        named = [name for value in template.headers.values() for name in variables_in(value)]
        self._line = Line(
            Wire(
                template.url,
                template.model,
                named[0] if named else "the template's headers",
                "the template's url",
                "such route",
                "is written out whole",
            ),
            path="",
            secrets=self._secrets,
            timeout=timeout,
            transport=transport,
            on_event=on_event,
        )

    @classmethod
    def from_file(cls, file: Path, *, on_event: EventHandler = ignore) -> TemplateAdapter:
        """The adapter of an endpoint that a TOML or JSON file describes.

        Raises:
            SpecError: the file cannot be read, or does not describe an endpoint.
            UsageError: what it describes cannot be asked.
        """
        return cls(_read_file(file), on_event=on_event)

    def __repr__(self) -> str:
        return f"TemplateAdapter({self._template!r})"

    @property
    def endpoint(self) -> str:
        """The address: scheme, host, port and path."""
        return self._template.url

    @property
    def model(self) -> str:
        """The model's name, as the template gives it."""
        return self._template.model

    @property
    def capabilities(self) -> Capabilities:
        """What the template says."""
        return self._template.capabilities

    def body(self, request: CompletionRequest) -> JsonObject:
        """The whole wire body of this request.

        Raises:
            UsageError: the request holds what the template has no words for.
        """
        return self._template.fill(request)

    def read(self, raw: str) -> Completion:
        """The answer in a reply's body, by the template's paths.

        Raises:
            MalformedReply: the body is an error, or has nothing where the text should be.
        """
        body, paths = parsed(raw), self._template.reply
        text = at(body, paths.text)
        if not isinstance(text, str):
            failure = body.get("error") if isinstance(body, dict) else None
            raise in_place_of_an_answer(failure) if failure else _astray(raw, "text", paths.text)
        ended = _told(body, paths.finish_reason)
        return Completion(
            text,
            tokens=_tokens(body, paths, raw),
            finish_reason=ended,
            outcome=_ENDINGS.get(ended.lower(), Outcome.ANSWERED),
            model=_told(body, paths.model),
            usage=Usage(
                requests=1,
                input_tokens=_count(body, paths.input_tokens),
                output_tokens=_count(body, paths.output_tokens),
            ),
            raw=raw,
        )

    async def complete(self, request: CompletionRequest) -> Completion:
        """Asks, once.

        Raises:
            AdapterError: one of its kinds; the client's own errors never get through.
            UsageError: the request holds what the template has no words for.
        """
        return await self._line.ask(self.body(request), read=self.read)

    async def aclose(self) -> None:
        """Closes the connections; a later `complete` opens new ones."""
        await self._line.aclose()

    def _secrets(self) -> Secrets:
        """The headers with the environment's values in them."""
        given = self._template.headers
        named = dict.fromkeys(name for value in given.values() for name in variables_in(value))
        keys = {name: read_key(name, endpoint=self._template.url) for name in named}
        values = {name: key.get_secret_value() for name, key in keys.items()}
        headers = {name: with_variables(value, values) for name, value in given.items()}
        return Secrets(headers, tuple(keys.values()))


def _read_file(file: Path) -> Template:
    flaw = ""
    try:
        text = file.read_text(encoding="utf-8")
        told = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
        read = _File.model_validate(told)
    except OSError as failed:
        flaw = f"cannot be read ({os.strerror(failed.errno) if failed.errno else 'no such file'})"
    except ValidationError as refused:
        first = refused.errors(include_url=False, include_input=False)[0]
        flaw = f"is wrong at {'.'.join(map(str, first['loc'])) or 'its top'!r}: {first['msg']}"
    except ValueError as refused:
        flaw = f"is neither TOML nor JSON: {one_line(refused, longest=120)}"
    else:
        known = ReplyPaths.__dataclass_fields__
        stray = sorted(read.reply.keys() - known)
        if stray:
            flaw = f"has no meaning for {stray[0]!r} in [reply], where {', '.join(known)} are known"
        elif "text" not in read.reply:
            flaw = "has no path to the reply's text"
    if flaw:
        raise SpecError(
            f"The endpoint's file {file} {flaw}.",
            advice="It needs url, [body] with {{prompt}} in it, and [reply] with the path to text.",
        )
    able = read.capabilities
    if able.top_logprobs < 0 or able.concurrency < 1:
        raise UsageError(f"The capabilities in {file} are counts, and concurrency is at least 1.")
    return Template(
        url=read.url,
        body=read.body,
        reply=ReplyPaths(**read.reply),
        model=read.model,
        headers=read.headers,
        capabilities=Capabilities(**able.model_dump()),
    )


def _tokens(body: object, paths: ReplyPaths, raw: str) -> tuple[TokenLogprob, ...]:
    if not paths.tokens:
        return ()
    entries = at(body, paths.tokens)
    if entries is MISSING or entries is None:
        return ()
    if not isinstance(entries, list):
        raise _astray(raw, "list of tokens", paths.tokens)
    found = []
    for entry in entries:
        pair = _pair(entry, paths)
        if pair is None:
            raise _astray(raw, "token and log-prob", f"{paths.token} and {paths.logprob}")
        found.append(TokenLogprob(*pair, _likeliest(entry, paths)))
    return tuple(found)


def _pair(entry: object, paths: ReplyPaths) -> tuple[str, float] | None:
    token, logprob = at(entry, paths.token), _number(at(entry, paths.logprob))
    return (token, logprob) if isinstance(token, str) and logprob is not None else None


def _number(told: object) -> float | None:
    """A number that can be a log-prob, or None; JSON may hold others, and NaN."""
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    return float(told) if -_FARTHEST < told < _FARTHEST else None


def _likeliest(entry: object, paths: ReplyPaths) -> tuple[tuple[str, float], ...]:
    told = at(entry, paths.top) if paths.top else MISSING
    if isinstance(told, dict):
        numbers = ((text, _number(logprob)) for text, logprob in told.items())
        pairs = [(text, logprob) for text, logprob in numbers if logprob is not None]
    else:
        entries = told if isinstance(told, list) else ()
        pairs = [pair for pair in (_pair(each, paths) for each in entries) if pair]
    return tuple(sorted(pairs, key=lambda pair: -pair[1]))


def _told(body: object, path: str) -> str:
    found = at(body, path) if path else ""
    return found if isinstance(found, str) else ""


def _count(body: object, path: str) -> int:
    found = at(body, path) if path else 0
    return max(0, found) if isinstance(found, int) and not isinstance(found, bool) else 0


def _astray(raw: str, what: str, path: str) -> MalformedReply:
    return MalformedReply(
        f"The reply has no {what} at {path!r}; it begins {one_line(raw, longest=60)!r}.",
        cost="The answer may have been billed.",
        advice="Check the paths in the endpoint's file against a reply of it.",
    )
