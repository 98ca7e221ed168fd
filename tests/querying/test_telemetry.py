"""Records and spans of each attempt: ids, times and counts, and nothing that was said."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from spex_api.completions import CompletionRequest, Message
from spex_api.errors import MissingExtra, Unavailable
from spex_api.querying import telemetry
from spex_api.querying.cache import Cached
from spex_api.querying.policy import Meter
from spex_api.querying.telemetry import Traced, instruments
from spex_api.testing import FunctionAdapter

PROMPT, ANSWER, KEY = "the secret prompt", "the secret answer", "sk-the-secret-key"
REQUEST = CompletionRequest((Message("user", PROMPT),))


def model(*errors) -> FunctionAdapter:
    """A model that raises these, one a request, and then answers."""
    queue = list(errors)

    def answer(messages):
        if queue:
            raise queue.pop(0)
        return {ANSWER: -0.1}

    return FunctionAdapter(answer)


def ask(policy, times=1):
    """What came of asking so often, errors among it."""

    async def main():
        return [
            (await asyncio.gather(policy.complete(REQUEST), return_exceptions=True))[0]
            for _ in range(times)
        ]

    return asyncio.run(main())


@pytest.fixture
def otel(monkeypatch):
    """Providers of the program's own, in memory, as long as the test lasts."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing, measuring = TracerProvider(), MeterProvider([reader])
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: tracing)
    monkeypatch.setattr(trace, "get_tracer", tracing.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", measuring.get_meter)
    yield spans, reader
    tracing.shutdown()
    measuring.shutdown()


def test_each_attempt_is_one_debug_record(caplog):
    """Numbered, under the key of its answer, with the time, the tokens and the outcome."""
    with caplog.at_level(logging.DEBUG, logger="spex_api.querying"):
        ask(Traced(model(Unavailable(f"Busy: {KEY}."))), times=3)
    records = [record for record in caplog.records if record.name == "spex_api.querying"]
    assert [record.levelno for record in records] == [logging.DEBUG] * 3
    assert [record.attempt_id for record in records] == [1, 2, 3]
    assert [record.outcome for record in records] == ["failed", "answered", "answered"]
    assert records[0].error_kind == "Unavailable"
    assert (records[1].input_tokens, records[1].output_tokens) == (1, 1)
    assert records[1].served_model == "function"
    assert all(record.latency_seconds >= 0 for record in records)
    key = Cached(model(), None, Meter()).fingerprint(REQUEST).digest()
    assert {record.question_id for record in records} == {key[:12]}


def test_no_record_has_what_was_said(caplog):
    """No prompt, no answer, no words of an error, which may hold a key."""
    with caplog.at_level(logging.DEBUG, logger="spex_api"):
        ask(Traced(model(Unavailable(f"Busy: {KEY}."))), times=2)
    told = repr([vars(record) for record in caplog.records]) + caplog.text
    assert caplog.text.count("An attempt ended") == 2
    for secret in (PROMPT, ANSWER, KEY):
        assert secret not in told


def test_a_cancelled_attempt_is_written_down_and_gets_through(caplog):
    """Cancelling is the outcome of an attempt like any other."""
    with caplog.at_level(logging.DEBUG, logger="spex_api.querying"):
        (outcome,) = ask(Traced(model(asyncio.CancelledError())))
    assert isinstance(outcome, asyncio.CancelledError)
    assert [record.error_kind for record in caplog.records] == ["CancelledError"]


def test_above_debug_nothing_is_written_and_no_key_is_worked_out(caplog, monkeypatch):
    """Who does not look pays nothing: not even the question's key is made."""
    monkeypatch.setattr(Traced, "_question_id", None)
    with caplog.at_level(logging.INFO, logger="spex_api.querying"):
        (answer,) = ask(Traced(model()))
    assert answer.text == ANSWER
    assert caplog.records == []


def test_a_span_has_the_conventions_names(otel):
    """Provider, operation, both models and both counts; the client's kind; nothing else."""
    spans, _ = otel
    ask(Traced(model(), provider="openai"))
    (span,) = spans.get_finished_spans()
    assert span.name == "chat function"
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "function",
        "gen_ai.response.model": "function",
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 1,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_failed_attempt_is_a_span_with_the_kind_of_its_error(otel):
    """Its words stay out: they are the endpoint's, and may hold anything."""
    spans, _ = otel
    (outcome,) = ask(Traced(model(Unavailable(f"Busy: {KEY} {PROMPT}."))))
    assert isinstance(outcome, Unavailable)
    (span,) = spans.get_finished_spans()
    assert span.attributes["error.type"] == "Unavailable"
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    assert span.events == ()
    assert KEY not in span.to_json()
    assert PROMPT not in span.to_json()


def test_tokens_are_measured(otel):
    """Two answers of one token in and one out, by kind, under both models' names."""
    _, reader = otel
    ask(Traced(model(), provider="openai"), times=2)
    (resource,) = reader.get_metrics_data().resource_metrics
    (metric,) = resource.scope_metrics[0].metrics
    assert (metric.name, metric.unit) == ("gen_ai.client.token.usage", "{token}")
    points = {point.attributes["gen_ai.token.type"]: point for point in metric.data.data_points}
    assert set(points) == {"input", "output"}
    for point in points.values():
        assert (point.count, point.sum) == (2, 2)
        assert point.attributes["gen_ai.response.model"] == "function"
        assert point.explicit_bounds[:3] == (1, 4, 16)


def test_without_a_provider_there_are_no_spans(otel, monkeypatch):
    """The interface alone is no wish: spans begin where a provider was set up, or is asked for."""
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    assert instruments() is None
    assert Traced(model()).instruments is None
    assert instruments(wanted=True) is not None
    monkeypatch.undo()
    assert instruments(wanted=False) is None


def test_asking_for_what_is_not_installed_says_what_to_install(monkeypatch):
    """A name that cannot be imported is told with the extra that brings it."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtra, match=r"spex-api\[otel\]"):
        instruments(wanted=True)


def test_opentelemetry_is_not_imported_for_those_who_do_not_use_it():
    """A traced answer in a fresh interpreter loads nothing of it."""
    code = (
        "import asyncio, sys;"
        "from spex_api.completions import CompletionRequest, Message;"
        "from spex_api.querying.telemetry import Traced;"
        "from spex_api.testing import FunctionAdapter;"
        "ask = CompletionRequest((Message('user', 'x'),));"
        "print(asyncio.run(Traced(FunctionAdapter(lambda m: {'a': -1.0})).complete(ask)).text,"
        "[name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "a []"


def test_the_module_speaks_with_one_voice():
    """Records go to the logger that the manual names, and no handler is put on it."""
    assert telemetry._log.name == "spex_api.querying"
    assert telemetry._log.handlers == []
