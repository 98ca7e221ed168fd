"""Anthropic's message batches: the questions go up in one body, the results come down as lines.

There is no metadata, and what a batch asks is only seen in its results. So a batch whose id was
lost is looked for among those of its size and time: one that is over tells by its results whether
it is ours, and one that is not may be. What this module does not know: when to ask, and where
answers go.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import AwareDatetime, BaseModel, ValidationError

from spex_adapters._batch_replies import UNREADABLE, answered, lines_of, parsed, raw_body, read_as
from spex_api.errors import AdapterError, Unavailable
from spex_api.querying.batches.endpoint import BatchLimits, BatchState, BatchStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable

    import anthropic
    import httpx2

    from spex_api.querying.batches.endpoint import Chunk, Line, Result

__all__ = ["AnthropicBatches"]

_WHOSE: Final = "Anthropic"
_PATH: Final = "/v1/messages/batches"
_LIMITS: Final = BatchLimits(requests=100_000, bytes=256_000_000)
_KEEPS: Final = (
    "Anthropic keeps the questions and the answers for 29 days; batches are not covered by zero "
    "data retention."
)
_STATUS_OF: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_SLACK: Final = timedelta(minutes=10)
"""What the two clocks may differ."""
_LATEST: Final = timedelta(hours=3)
"""How long after its intent a batch can have been submitted, attempts and waits together."""
_PAGES: Final = 10

T = TypeVar("T")


class _Counts(BaseModel):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        return self.processing + self.over

    @property
    def over(self) -> int:
        return self.succeeded + self.errored + self.canceled + self.expired


class _Named(BaseModel):
    id: str


class _Batch(_Named):
    processing_status: str
    created_at: AwareDatetime
    request_counts: _Counts
    archived_at: datetime | None = None
    cancel_initiated_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.processing_status == "ended"


class _Page(BaseModel):
    data: list[_Batch]
    has_more: bool = False


class _Outcome(BaseModel):
    type: str
    message: dict[str, Any] | None = None
    error: Any = None


class _ResultLine(BaseModel):
    custom_id: str
    result: _Outcome


class AnthropicBatches:
    """The message batches of one workspace.

    Args:
        open_client: the adapter's client, with no retries of its own.
        explain: a vendor's error → ours, with nothing of the vendor's hanging on it.
        scrub: a text → the text without the key.
    """

    limits = _LIMITS
    exact = False
    keeps = _KEEPS

    def __init__(
        self,
        open_client: Callable[[], anthropic.AsyncAnthropic],
        *,
        explain: Callable[[Exception], AdapterError],
        scrub: Callable[[str], str],
    ) -> None:
        self._open = open_client
        self._explain = explain
        self._scrub = scrub

    async def submit(self, chunk: Chunk, lines: Iterable[Line]) -> str:  # noqa: ARG002 - no metadata
        """Sends the questions as one batch.

        Raises:
            AdapterError: as the adapter's `complete`; `unbilled` where there surely is no batch.
        """
        import httpx2  # noqa: PLC0415 - loaded with the client

        requests = [{"custom_id": key, "params": body} for key, body in lines]
        submitting = self._open().post(_PATH, body={"requests": requests}, cast_to=httpx2.Response)
        response: httpx2.Response = await self._asked(submitting)
        return read_as(_Named, response.text, whose=_WHOSE).id

    async def find(self, chunk: Chunk, *, known: Collection[str]) -> str | None:
        """The batch whose results are this chunk's, or else one under way that may be.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        perhaps, after = None, ""
        since, until = chunk.at - _SLACK, chunk.at + _LATEST
        for _ in range(_PAGES):
            page = read_as(
                _Page,
                await self._get("", limit=100, **({"after_id": after} if after else {})),
                whose=_WHOSE,
            )
            for batch in page.data:
                fits = since <= batch.created_at <= until and batch.archived_at is None
                if not fits or batch.id in known or batch.request_counts.total != len(chunk.keys):
                    continue
                if not batch.ended:
                    perhaps = batch.id
                elif await self._answers(batch.id, chunk):
                    return batch.id
            if not page.has_more or all(batch.created_at < since for batch in page.data):
                break
            after = page.data[-1].id
        return perhaps

    async def poll(self, batch: str) -> BatchStatus:
        """Where the batch stands; until it is over, Anthropic does not say how far it is.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        found = read_as(_Batch, await self._get(f"/{batch}"), whose=_WHOSE)
        counts = found.request_counts
        if not found.ended:
            state = BatchState.RUNNING
        elif found.cancel_initiated_at is not None:
            state = BatchState.CANCELLED
        else:
            state = BatchState.EXPIRED if counts.expired else BatchState.ENDED
        return BatchStatus(state, counts.over, answered=counts.succeeded if found.ended else None)

    async def fetch(self, batch: str) -> AsyncGenerator[Result, None]:
        """What came of the questions.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        import anthropic  # noqa: PLC0415 - loaded with the client
        import httpx2  # noqa: PLC0415

        # The path is ours and not the one that the reply names: the key goes to no other address.
        opening = self._open().get(
            f"{_PATH}/{batch}/results",
            cast_to=httpx2.Response,
            stream=True,
            stream_cls=anthropic.AsyncStream[object],
        )
        response: Any = await self._asked(opening)
        failed = None
        try:
            async with aclosing(lines_of(response.aiter_bytes())) as lines:
                async for line in lines:
                    yield self._result(line)
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            failed = self._explain(error)
        finally:
            await response.aclose()
        if failed is not None:  # here, where the vendor's error is no longer around
            raise failed

    async def cancel(self, batch: str) -> None:
        """Asks Anthropic to stop.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        import httpx2  # noqa: PLC0415 - loaded with the client

        await self._asked(self._open().post(f"{_PATH}/{batch}/cancel", cast_to=httpx2.Response))

    async def discard(self, batch: str) -> None:
        """Does nothing: no file was uploaded, and to delete a batch is to delete its answers."""

    async def _answers(self, batch: str, chunk: Chunk) -> bool:
        """Whether the results of this batch are this chunk's: the first line tells."""
        keys = frozenset(chunk.keys)
        async with aclosing(self.fetch(batch)) as results:
            async for key, _ in results:
                if key:
                    return key in keys
        return False

    async def _get(self, path: str, **params: object) -> str:
        import httpx2  # noqa: PLC0415 - loaded with the client

        asking = self._open().get(_PATH + path, cast_to=httpx2.Response, options={"params": params})
        response: httpx2.Response = await self._asked(asking)
        return response.text

    def _result(self, line: bytes) -> Result:
        try:
            named = _ResultLine.model_validate(parsed(line))
        except ValidationError:
            return UNREADABLE
        key, outcome = named.custom_id, named.result
        if outcome.type == "succeeded" and outcome.message is not None:
            return key, self._scrub(raw_body(outcome.message))
        if outcome.type == "errored":
            return key, self._refusal(outcome.error)
        if outcome.type in {"expired", "canceled"}:
            why = "its time was up" if outcome.type == "expired" else "the batch was cancelled"
            return key, Unavailable(f"Anthropic did not come to a question: {why}.", unbilled=True)
        return UNREADABLE

    def _refusal(self, said: object) -> AdapterError:
        """Our error for a line that was refused, by the same table as a single answer's."""
        import anthropic  # noqa: PLC0415 - loaded with the client
        import httpx2  # noqa: PLC0415

        body = said if isinstance(said, dict) and isinstance(said.get("error"), dict) else {}
        status = _STATUS_OF.get(str(body.get("error", {}).get("type")), 500)
        request = httpx2.Request("POST", "https://batch/v1/messages")
        response = httpx2.Response(status, request=request)
        error = self._explain(anthropic.APIStatusError("", response=response, body=body))
        error.unbilled = True
        return error

    async def _asked(self, call: Awaitable[T]) -> T:
        """What the client answers; its error comes out as ours."""
        import anthropic  # noqa: PLC0415 - loaded with the client

        return await answered(
            call, refused=anthropic.AnthropicError, explain=self._explain, whose=_WHOSE
        )
