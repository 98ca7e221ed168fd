"""Model calls out of OpenTelemetry, as instrumentations of several years wrote them."""

from __future__ import annotations

import json

import pytest

from spex_api.calls.naming import model_name
from spex_api.calls.spans import read_span
from spex_api.errors import SpecError

TOOL = {"type": "function", "name": "look", "description": "d", "parameters": {"type": "object"}}
CALLED = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Look it up."},
    {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    {"role": "tool", "tool_call_id": "c1", "content": "15 days"},
    {"role": "user", "content": "How many days?"},
]
PARTS = [
    {"role": "user", "parts": [{"type": "text", "content": "Look it up."}]},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}}],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "15 days"}]},
    {"role": "user", "parts": [{"type": "text", "content": "How many days?"}]},
]
REQUEST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4.1-mini",
    "gen_ai.request.max_tokens": 40,
    "gen_ai.request.temperature": 0.3,
    "gen_ai.usage.output_tokens": 6,
}
NEWEST = {
    **REQUEST,
    "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
    "gen_ai.input.messages": PARTS,
    "gen_ai.tool.definitions": [TOOL],
}
CHAT_TOOL = {"type": "function", "function": {k: TOOL[k] for k in TOOL if k != "type"}}


def value(said):
    """A value as OTLP's JSON has it."""
    match said:
        case bool():
            return {"boolValue": said}
        case int():
            return {"intValue": str(said)}
        case float():
            return {"doubleValue": said}
        case str():
            return {"stringValue": said}
        case list():
            return {"arrayValue": {"values": [value(each) for each in said]}}
    return {"kvlistValue": {"values": pairs(said)}}


def pairs(said):
    return [{"key": key, "value": value(each)} for key, each in said.items() if each is not None]


def as_texts(attributes):
    """Lists as JSON text, as spans hold them whose SDK knows no other."""
    return {k: json.dumps(v) if isinstance(v, list) else v for k, v in attributes.items()}


def otlp(attributes, *, number="ab12", events=()):
    span = {
        "spanId": number,
        "name": "chat gpt-4.1-mini",
        "attributes": pairs(attributes),
        "events": [{"name": name, "attributes": pairs(said)} for name, said in events],
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def sdk(attributes, events=()):
    return {
        "name": "chat gpt-4.1-mini",
        "context": {"trace_id": "0x1", "span_id": "0xab12"},
        "attributes": as_texts(attributes),
        "events": [{"name": name, "attributes": as_texts(said)} for name, said in events],
    }


def log_records(events):
    """The same events as log records that name their span."""
    told = [{"eventName": name, "spanId": "ab12", "body": value(said)} for name, said in events]
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": told}]}]}


def read(folder, *documents, which=""):
    path = folder / "spans.json"
    path.write_text("\n".join(json.dumps(each) for each in documents))
    return read_span(f"{path}{which}")


EVENTS = [
    ("gen_ai.system.message", {"content": "Be brief."}),
    ("gen_ai.user.message", {"content": "Look it up."}),
    ("gen_ai.assistant.message", {"tool_calls": [CALLED]}),
    ("gen_ai.tool.message", {"id": "c1", "content": "15 days"}),
    ("gen_ai.user.message", {"content": "How many days?", "role": "user"}),
    ("gen_ai.choice", {"index": 0, "message": {"content": "15"}}),
]
FIELDS = {
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Look it up.",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.id": "c1",
    "gen_ai.prompt.2.tool_calls.0.name": "look",
    "gen_ai.prompt.2.tool_calls.0.arguments": '{"at": 1}',
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.tool_call_id": "c1",
    "gen_ai.prompt.3.content": "15 days",
    "gen_ai.prompt.4.role": "user",
    "gen_ai.prompt.4.content": '[{"type": "text", "text": "How many days?"}]',
    "llm.request.functions.0.name": "look",
    "llm.request.functions.0.description": "d",
    "llm.request.functions.0.parameters": '{"type": "object"}',
}
DETAILS = "gen_ai.client.inference.operation.details"


@pytest.mark.parametrize(
    "documents",
    [
        [otlp(NEWEST)],
        [otlp(as_texts(NEWEST))],
        [sdk(NEWEST)],
        [sdk(REQUEST, [(DETAILS, NEWEST)])],
        [otlp(REQUEST), log_records([(DETAILS, NEWEST)])],
        [otlp(REQUEST, events=EVENTS)],
        [log_records(EVENTS), otlp(REQUEST)],
        [sdk(REQUEST, [("gen_ai.content.prompt", {"gen_ai.prompt": MESSAGES})])],
        [otlp({**REQUEST, **FIELDS})],
        [sdk({**REQUEST, **FIELDS})],
    ],
    ids=[
        "otlp",
        "otlp with texts",
        "sdk",
        "event of the span",
        "event as a log record",
        "event a message",
        "log record a message",
        "one event",
        "otlp with fields",
        "sdk with fields",
    ],
)
def test_each_way_of_writing_a_call_is_the_same_call(tmp_path, documents):
    """Messages, calls of tools and their results, and how the answer was drawn."""
    asked = read(tmp_path, *documents)
    said = [dict(each) for each in asked.messages]
    if said[-1]["content"] != "How many days?":
        assert said[-1].pop("content") == [{"type": "text", "text": "How many days?"}]
        said[-1]["content"] = "How many days?"
    assert said == MESSAGES
    assert (asked.model, asked.max_tokens, asked.temperature) == ("gpt-4.1-mini", 40, 0.3)
    assert asked.answered == 6
    assert asked.prompt().features == ("Be brief.", "Look it up.", 'look({"at": 1}) → 15 days')


@pytest.mark.parametrize(
    "attributes",
    [{"gen_ai.tool.definitions": [TOOL]}, {"gen_ai.tool.definitions": [CHAT_TOOL]}, FIELDS],
)
def test_tools_are_told_as_a_chat_has_them(tmp_path, attributes):
    """Flat as the conventions have them, as the vendor has them, or a field an attribute."""
    asked = read(tmp_path, sdk({**REQUEST, "gen_ai.input.messages": PARTS, **attributes}))
    assert asked.tools == (CHAT_TOOL,)


def test_what_the_python_sdk_writes(tmp_path):
    """A real span of the SDK, by its own `to_json`."""
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    tracer = trace.TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("chat gpt-4.1-mini") as span:
        span.set_attributes(as_texts(NEWEST))
    path = tmp_path / "span.json"
    path.write_text(span.to_json())
    assert list(read_span(str(path)).messages) == MESSAGES


def test_pictures_thoughts_and_results_without_ids(tmp_path):
    """Pictures go along, thoughts are told, and results answer the calls in their order."""
    turns = [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "What is it?"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="},
                {"type": "uri", "modality": "image", "uri": "https://x/y.png"},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Hm."},
                {"type": "tool_call", "name": "a"},
                {"type": "tool_call", "name": "b"},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"type": "tool_call_response", "response": {"t": 1}},
                {"type": "tool_call_response", "response": "two"},
                {"type": "text", "content": "Well?"},
            ],
        },
    ]
    asked = read(tmp_path, sdk({**REQUEST, "gen_ai.input.messages": turns}))
    found = asked.turns
    assert [turn.role for turn in found] == ["user", "assistant", "tool", "tool", "user"]
    assert [turn.answers for turn in found[2:4]] == [call.id for call in found[1].calls]
    assert "reasoning" in asked.notices[0]
    urls = [block["image_url"]["url"] for block in asked.messages[0]["content"][1:]]
    assert urls == ["data:image/png;base64,aGk=", "https://x/y.png"]


@pytest.mark.parametrize(
    ("who", "name"),
    [
        ({"gen_ai.provider.name": "openai"}, "openai:gpt-4.1-mini"),
        ({"gen_ai.system": "anthropic"}, "anthropic:gpt-4.1-mini"),
        ({"gen_ai.provider.name": "azure.ai.openai"}, "azure:gpt-4.1-mini"),
        (
            {"gen_ai.system": "openai", "server.address": "localhost", "server.port": 11434},
            "http:http://localhost:11434/v1#gpt-4.1-mini",
        ),
        (
            {"server.address": "api.openai.com", "server.port": 443},
            "openai:gpt-4.1-mini",
        ),
    ],
)
def test_who_answered_is_told_by_provider_and_host(tmp_path, who, name):
    """As the conventions name them, older and newer."""
    told = {key: each for key, each in REQUEST.items() if key != "gen_ai.provider.name"}
    asked = read(tmp_path, sdk({**told, "gen_ai.input.messages": PARTS, **who}))
    assert model_name(asked, environ={}) == name


def test_one_of_several_calls_is_meant_by_its_id(tmp_path):
    """Spans of no model call are not among them; the beginning of an id does."""
    parent = otlp({"http.method": "GET"}, number="0001")
    calls = [otlp(NEWEST, number="aa01"), otlp(NEWEST, number="ab02")]
    assert read(tmp_path, parent, calls[0]).model == "gpt-4.1-mini"
    assert read(tmp_path, parent, *calls, which="#ab").model == "gpt-4.1-mini"
    with pytest.raises(SpecError, match=r"2 model calls: aa01 \(chat gpt-4\.1-mini\), ab02"):
        read(tmp_path, parent, *calls)
    with pytest.raises(SpecError, match="'a' means 2 of them"):
        read(tmp_path, *calls, which="#a")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (otlp(REQUEST), "none of their messages.*CAPTURE_MESSAGE_CONTENT"),
        (otlp({"http.method": "GET"}), "holds no model calls"),
        ({"hello": 1}, "holds no model calls"),
        (3, "holds no model calls"),
        (
            sdk(
                {
                    **REQUEST,
                    "gen_ai.input.messages": [
                        {"role": "user", "parts": [{"type": "file", "file_id": "f"}]}
                    ],
                }
            ),
            "part 'file'",
        ),
        (sdk({**NEWEST, "gen_ai.request.max_tokens": -1}), "-1 tokens"),
    ],
)
def test_what_is_no_call_is_said(tmp_path, document, message):
    """With what to switch on where the messages were not recorded."""
    with pytest.raises(SpecError, match=message):
        read(tmp_path, document)


def test_what_is_no_json_is_said(tmp_path):
    """The line is named where there are several."""
    path = tmp_path / "spans.json"
    path.write_text("{\n[")
    with pytest.raises(SpecError, match=r"Line 1 of .*spans\.json"):
        read_span(str(path))
    path.write_text("{")
    with pytest.raises(SpecError, match=r"spans\.json .* is no JSON"):
        read_span(str(path))
