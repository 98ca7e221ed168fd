"""A model call out of OpenTelemetry: the span of a GenAI instrumentation, saved as JSON.

Read are OTLP's JSON (one object, or one a line as a collector's file exporter writes them) and what
the Python SDK's `ReadableSpan.to_json` gives. Events that were exported as log records count to
the span that they name. What this module does not know: how messages stand in attributes, which
`span_messages` reads.

Sources: OpenTelemetry protocol 1.9, `opentelemetry/proto/trace/v1/trace.proto` in its JSON mapping;
semantic conventions for generative AI, 1.28 to 1.41 and 0.1 of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from spex_api.calls.asked import asked_in
from spex_api.calls.loosely import as_object, as_objects, as_text
from spex_api.calls.reading import file_and_which, the_one
from spex_api.calls.span_messages import answer_in, messages_in, tools_in
from spex_api.errors import SpecError
from spex_api.foreign_files import read_json, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spex_api.calls.asked import Asked
    from spex_api.completions import JsonObject

__all__ = ["read_span"]

_WHY: Final = "spans"
_CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_SETTINGS: Final = (
    "frequency_penalty",
    "max_tokens",
    "presence_penalty",
    "seed",
    "stop_sequences",
    "temperature",
    "top_k",
    "top_p",
)
"""What stands under `gen_ai.request.` and is called so in a body."""
_AZURE: Final = ("azure.ai.openai", "az.ai.openai")
_PATHS: Final = {
    "anthropic": "/v1/messages",
    "azure": "/openai/v1/chat/completions",
    "openai": "/v1/chat/completions",
}
"""Where each is asked; a span tells the host alone."""


@dataclass(slots=True)
class _Span:
    """A span, or what log records say of one.

    Attributes:
        name: as people read it.
        attributes: by their names, as plain JSON.
        events: each with its name and attributes, in their order.
    """

    name: str = ""
    attributes: JsonObject = field(default_factory=dict)
    events: list[tuple[str, JsonObject]] = field(default_factory=list)


def read_span(said: str) -> Asked:
    """What a model was asked, as a span tells it.

    Args:
        said: the file, with the span's id or its beginning behind "#" where it holds several.

    Raises:
        SpecError: the file cannot be read, holds no span with messages, or several, or one that
            cannot be asked again.
    """
    path, which = file_and_which(said)
    spans: dict[str, _Span] = {}
    for document in _documents(read_text(path, why=_WHY), f"{path} ({_WHY})"):
        _gather(document, spans)
    calls = {
        name: (span, found)
        for name, span in spans.items()
        if (found := messages_in(span.attributes, span.events)) is not None and found.messages
    }
    if not calls and any(key.startswith("gen_ai.") for s in spans.values() for key in s.attributes):
        raise SpecError(
            f"{path} has spans of model calls and none of their messages, so nothing can be asked "
            "again.",
            advice=f"Let the instrumentation record these, as with {_CAPTURE}=true or by the name "
            "that it gives this, and export the call anew.",
        )
    words = {name: span.name or "without a name" for name, (span, _) in calls.items()}
    name = the_one(words, which, said=said, what="model calls")
    span, found = calls[name]
    body = _body(span, found.messages)
    asked = asked_in(body, where=f"The span {name} in {path}", wire="openai.chat")
    provider, url = _who(span.attributes)
    return replace(
        asked,
        url=url,
        answer=answer_in(span.attributes, span.events),
        answered=_number(
            span.attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"
        ),
        notices=(*found.notices, *asked.notices),
        provider=provider,
    )


def _documents(text: str, where: str) -> Iterator[Any]:
    """The JSON values in a file: one, or one a line."""
    try:
        yield read_json(text, where=where)
    except SpecError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        for at, line in enumerate(lines, 1):
            yield read_json(line, where=f"Line {at} of {where}")


def _gather(document: object, spans: dict[str, _Span]) -> None:
    """Adds what a document says to the spans, by their ids."""
    if isinstance(document, list):
        for each in document:
            _gather(each, spans)
    elif isinstance(document, dict) and "attributes" in document:
        _add_span(document, spans)
    elif isinstance(document, dict):
        for said in _below(document, "resourceSpans", "scopeSpans", "spans"):
            _add_span(said, spans)
        for said in _below(document, "resourceLogs", "scopeLogs", "logRecords"):
            _add_record(said, spans)


def _below(document: JsonObject, *keys: str) -> list[JsonObject]:
    """The objects in lists of objects of lists."""
    found = [document]
    for key in keys:
        found = [each for above in found for each in as_objects(above.get(key))]
    return found


def _add_span(said: JsonObject, spans: dict[str, _Span]) -> None:
    context = as_object(said.get("context"))
    number = as_text(said.get("spanId")) or as_text(context.get("span_id")).removeprefix("0x")
    span = spans.setdefault(number or str(len(spans) + 1), _Span())
    span.name = as_text(said.get("name"))
    span.attributes |= _attributes(said.get("attributes"))
    span.events += [
        (as_text(each.get("name")), _attributes(each.get("attributes")))
        for each in as_objects(said.get("events"))
    ]


def _add_record(said: JsonObject, spans: dict[str, _Span]) -> None:
    """An event that was exported as a log record: what it says stands in its body, or beside it."""
    attributes = _attributes(said.get("attributes"))
    name = as_text(said.get("eventName")) or as_text(attributes.get("event.name"))
    body = _value(as_object(said.get("body")))
    number = as_text(said.get("spanId")) or str(len(spans) + 1)
    spans.setdefault(number, _Span()).events.append((name, attributes | as_object(body)))


def _attributes(said: object) -> JsonObject:
    """Attributes by their names: OTLP's list of pairs, or an object as the SDK writes it."""
    if isinstance(said, dict):
        return dict(said)
    return {as_text(pair.get("key")): _value(pair.get("value")) for pair in as_objects(said)}


def _value(said: object) -> Any:  # noqa: ANN401 - JSON
    """A value of OTLP's JSON, which names its type, as plain JSON."""
    if not isinstance(said, dict) or len(said) != 1:
        return said
    kind, value = next(iter(said.items()))
    match kind:
        case "intValue":
            return int(value) if isinstance(value, str) and value.lstrip("-").isdecimal() else value
        case "arrayValue":
            values = as_object(value).get("values")
            return [_value(each) for each in values] if isinstance(values, list) else []
        case "kvlistValue":
            return _attributes(as_object(value).get("values"))
        case "stringValue" | "doubleValue" | "boolValue" | "bytesValue":
            return value
    return said


def _body(span: _Span, messages: list[JsonObject]) -> JsonObject:
    """The body of a chat that asks the same."""
    told = span.attributes
    body: JsonObject = {
        "model": told.get("gen_ai.request.model") or told.get("gen_ai.response.model"),
        "messages": messages,
        "tools": tools_in(told),
    }
    for name in _SETTINGS:
        if (value := told.get(f"gen_ai.request.{name}")) is not None:
            body[name] = value
    if told.get("gen_ai.output.type") not in (None, "text"):
        body["response_format"] = told["gen_ai.output.type"]
    return body


def _who(told: JsonObject) -> tuple[str, str]:
    """Who answered, and where it was asked, of which a span tells the host and the port."""
    said = as_text(told.get("gen_ai.provider.name")) or as_text(told.get("gen_ai.system"))
    provider = "azure" if said in _AZURE else said or "openai"
    host = as_text(told.get("server.address"))
    if not host or provider not in _PATHS:
        return provider, ""
    port = _number(told, "server.port")
    near = "." not in host or host.startswith("127.") or host.endswith((".local", ".localhost"))
    place = host if port in (None, 443, 80) else f"{host}:{port}"
    scheme = "http" if port != 443 and near else "https"
    return provider, f"{scheme}://{place}{_PATHS[provider]}"


def _number(told: JsonObject, *names: str) -> int | None:
    found = (told.get(name) for name in names)
    return next((each for each in found if isinstance(each, int) and each > 0), None)
