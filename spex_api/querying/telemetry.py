"""What each attempt did, for who operates the run: log records always, spans where they are wanted.

A record has ids, times, counts and the kind of an error; never a prompt, an answer, a header or a
key, and no switch changes that. Spans and metrics use OpenTelemetry's names for generative models.
Its interface (the extra `otel`) is imported only where the program has set up a provider, or asks.
What this module does not know: where records and spans go, and which vendor it watches.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from spex_api.completions import Fingerprint
from spex_api.errors import MissingExtra
from spex_api.querying.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Tracer

    from spex_api.completions import Completion, CompletionRequest

__all__ = ["Instruments", "Traced", "instruments"]

_log = logging.getLogger("spex_api.querying")

_LIBRARY = "spex_api"
_OPERATION = "chat"
_TOKEN_BUCKETS = tuple(float(4**power) for power in range(14))
"""The histogram's boundaries, as the conventions give them: 1, 4, 16, … 67,108,864 tokens."""


@dataclass(frozen=True, slots=True)
class Instruments:
    """What spans and metrics are written with."""

    tracer: Tracer
    tokens: Histogram


def instruments(wanted: bool | None = None) -> Instruments | None:  # noqa: FBT001 - it is the one
    """OpenTelemetry's instruments, or None where nobody has set it up.

    Args:
        wanted: True asks for them, False for none; by default they are there where the program has
            set up a provider of its own.

    Raises:
        MissingExtra: they are asked for, and OpenTelemetry's interface is not installed.
    """
    if wanted is False or (wanted is None and not _is_set_up()):
        return None
    try:
        from opentelemetry import metrics, trace  # noqa: PLC0415 - only who wants it pays for it
    except ImportError:
        raise MissingExtra(
            "Spans are asked for, and OpenTelemetry's interface is not installed.",
            advice='Install it: pip install "spex-api[otel]".',
        ) from None
    tokens = metrics.get_meter(_LIBRARY).create_histogram(
        "gen_ai.client.token.usage",
        unit="{token}",
        description="Number of input and output tokens used.",
        explicit_bucket_boundaries_advisory=_TOKEN_BUCKETS,
    )
    return Instruments(trace.get_tracer(_LIBRARY), tokens)


def _is_set_up() -> bool:
    """Whether somebody in this process has set up a provider; imports nothing to find out."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return False
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@dataclass(frozen=True, slots=True)
class Traced(Policy):
    """Writes down every attempt: at DEBUG in the log, and as a span where there is a tracer.

    It stands next to the adapter, so that its times are the endpoint's, waits not among them.

    Attributes:
        provider: who answers, in OpenTelemetry's word, such as "openai".
        instruments: what spans are written with, or None.
    """

    provider: str = "custom"
    instruments: Instruments | None = field(default_factory=instruments)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)

    async def complete(self, request: CompletionRequest) -> Completion:
        """The inner adapter's answer, written down.

        Raises:
            AdapterError: as the inner adapter does.
        """
        if self.instruments is None:
            return await self._logged(request)
        with _span(self.instruments.tracer, self._attributes()) as told:
            completion = await self._logged(request)
            told.update(_result(completion))
        self._measure(self.instruments.tokens, completion)
        return completion

    async def _logged(self, request: CompletionRequest) -> Completion:
        if not _log.isEnabledFor(logging.DEBUG):
            return await self.inner.complete(request)
        record: dict[str, object] = {
            "attempt_id": next(self._numbers),
            "question_id": self._question_id(request),
            "sample_index": request.sample_index,
            "endpoint": self.endpoint,
            "model": self.model,
        }
        began = time.monotonic()
        try:
            completion = await self.inner.complete(request)
        except BaseException as error:
            record |= {"outcome": "failed", "error_kind": type(error).__name__}
            raise
        else:
            record |= {
                "outcome": completion.outcome.value,
                "served_model": completion.model,
                "served_fingerprint": completion.fingerprint,
                "input_tokens": completion.usage.input_tokens,
                "output_tokens": completion.usage.output_tokens,
            }
            return completion
        finally:
            record["latency_seconds"] = round(time.monotonic() - began, 6)
            _log.debug("An attempt ended: %s.", record["outcome"], extra=record)

    def _question_id(self, request: CompletionRequest) -> str:
        """The first digits of the key under which the answer is kept."""
        body = self.body(request)
        return Fingerprint(self.endpoint, self.model, body, request.sample_index).digest()[:12]

    def _attributes(self) -> dict[str, str | int]:
        return {
            "gen_ai.operation.name": _OPERATION,
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": self.model,
        }

    def _measure(self, tokens: Histogram, completion: Completion) -> None:
        attributes = {**self._attributes(), "gen_ai.response.model": completion.model or self.model}
        usage = completion.usage
        for kind, number in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            tokens.record(number, {**attributes, "gen_ai.token.type": kind})


@contextmanager
def _span(tracer: Tracer, attributes: dict[str, str | int]) -> Iterator[dict[str, str | int]]:
    """A span around one attempt; of an error it has the kind and not the words."""
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - there by now

    told: dict[str, str | int] = {}
    with tracer.start_as_current_span(
        f"{_OPERATION} {attributes['gen_ai.request.model']}",
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield told
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.set_attributes(told)


def _result(completion: Completion) -> dict[str, str | int]:
    usage = completion.usage
    result: dict[str, str | int] = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
    }
    if completion.model:
        result["gen_ai.response.model"] = completion.model
    if usage.cache_read_tokens:
        result["gen_ai.usage.cache_read.input_tokens"] = usage.cache_read_tokens
    return result
