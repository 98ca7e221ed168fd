"""OpenAI's batches: a file of questions goes up, a file of answers and one of errors come down.

The questions' own names are the answers' keys, and the chunk's name goes along as metadata, so a
batch whose id was lost is found again. What was answered before a batch expired is in its files,
and paid. What this module does not know: when to ask, and where answers go.
"""

from __future__ import annotations

import io
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from spex_adapters._batch_replies import UNREADABLE, answered, lines_of, parsed, raw_body, read_as
from spex_api.completions import canonical_json
from spex_api.errors import (
    AdapterError,
    BadRequest,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from spex_api.querying.batches.endpoint import BatchLimits, BatchState, BatchStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable

    import httpx2
    import openai

    from spex_api.querying.batches.endpoint import Chunk, Line, Result

__all__ = ["OpenAIBatches"]

_WHOSE: Final = "OpenAI"
_PATH: Final = "/v1/chat/completions"
_LIMITS: Final = BatchLimits(requests=50_000, bytes=200_000_000)
_KEEPS: Final = (
    "OpenAI keeps the questions as a file, which is deleted once the batch is over and read, and "
    "the answers as one that stays until you delete it there."
)
_STATES: Final = {
    "completed": BatchState.ENDED,
    "expired": BatchState.EXPIRED,
    "cancelled": BatchState.CANCELLED,
    "failed": BatchState.FAILED,
}
_FAILURES: Final[dict[str, type[AdapterError]]] = {
    "billing_hard_limit_reached": QuotaExhausted,
    "insufficient_quota": QuotaExhausted,
    "token_limit_exceeded": RateLimited,
}
_SLACK: Final = 600.0
"""Seconds that the two clocks may differ."""
_PAGES: Final = 50

T = TypeVar("T")


class _Named(BaseModel):
    id: str


class _Flaw(BaseModel):
    code: str | None = None
    message: str | None = None


class _Flaws(BaseModel):
    data: list[_Flaw] | None = None


class _Counts(BaseModel):
    completed: int = 0
    failed: int = 0


class _Batch(_Named):
    status: str
    created_at: float = 0.0
    metadata: dict[str, str] | None = None
    errors: _Flaws | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    request_counts: _Counts | None = None


class _Page(BaseModel):
    data: list[_Batch]
    has_more: bool = False


class _Response(BaseModel):
    status_code: int
    body: Any = None


class _ResultLine(BaseModel):
    custom_id: str
    response: _Response | None = None
    error: _Flaw | None = None


class OpenAIBatches:
    """The batches of one account, for chat completions.

    Args:
        open_client: the adapter's client, with no retries of its own.
        explain: a vendor's error → ours, with nothing of the vendor's hanging on it.
        scrub: a text → the text without the key.
    """

    limits = _LIMITS
    exact = True
    keeps = _KEEPS

    def __init__(
        self,
        open_client: Callable[[], openai.AsyncOpenAI],
        *,
        explain: Callable[[Exception], AdapterError],
        scrub: Callable[[str], str],
    ) -> None:
        self._open = open_client
        self._explain = explain
        self._scrub = scrub

    async def submit(self, chunk: Chunk, lines: Iterable[Line]) -> str:
        """Uploads the questions, and makes a batch of them.

        Raises:
            AdapterError: as the adapter's `complete`; `unbilled` where there surely is no batch.
        """
        client = self._open()
        file = io.BytesIO()
        for key, body in lines:
            line = {"custom_id": key, "method": "POST", "url": _PATH, "body": body}
            file.write(canonical_json(line).encode() + b"\n")
        file.seek(0)
        uploading = client.files.with_raw_response.create(
            file=(f"spex-{chunk.token}.jsonl", file, "application/jsonl"), purpose="batch"
        )
        try:
            uploaded = read_as(
                _Named, (await self._asked(uploading)).http_response.text, whose=_WHOSE
            )
        except AdapterError as error:
            error.unbilled = True  # a file alone is not a batch
            raise
        creating = client.batches.with_raw_response.create(
            completion_window="24h",
            endpoint=_PATH,
            input_file_id=uploaded.id,
            metadata={"spex_run": chunk.run, "spex_chunk": chunk.token},
        )
        try:
            created = await self._asked(creating)
        except AdapterError as error:
            if error.unbilled:  # surely no batch: nobody will ever read the file
                with suppress(AdapterError):
                    await self._delete(uploaded.id)
            raise
        return read_as(_Batch, created.http_response.text, whose=_WHOSE).id

    async def find(self, chunk: Chunk, *, known: Collection[str]) -> str | None:
        """The batch with this chunk's name in its metadata.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        since, after = chunk.at.timestamp() - _SLACK, ""
        for _ in range(_PAGES):
            page = read_as(
                _Page,
                await self._get("/batches", limit=100, **({"after": after} if after else {})),
                whose=_WHOSE,
            )
            for batch in page.data:
                named = (batch.metadata or {}).get("spex_chunk")
                if named == chunk.token and batch.id not in known:
                    return batch.id
            if not page.has_more or all(batch.created_at < since for batch in page.data):
                return None
            after = page.data[-1].id
        return None

    async def poll(self, batch: str) -> BatchStatus:
        """Where the batch stands.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        found = await self._retrieved(batch)
        state = _STATES.get(found.status, BatchState.RUNNING)
        failure = self._failure(found) if state is BatchState.FAILED else None
        counts = found.request_counts or _Counts()
        done = counts.completed + counts.failed
        return BatchStatus(state, done, failure, answered=counts.completed)

    async def fetch(self, batch: str) -> AsyncGenerator[Result, None]:
        """What came of the questions: first the answers, then the errors.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        found = await self._retrieved(batch)
        for file in filter(None, (found.output_file_id, found.error_file_id)):
            async with aclosing(self._lines(file)) as lines:
                async for line in lines:
                    yield self._result(line)

    async def cancel(self, batch: str) -> None:
        """Asks OpenAI to stop.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        await self._asked(self._open().batches.with_raw_response.cancel(batch))

    async def discard(self, batch: str) -> None:
        """Deletes the file of questions; the files of answers stay.

        Raises:
            AdapterError: as the adapter's `complete`.
        """
        found = await self._retrieved(batch)
        if found.input_file_id:
            await self._delete(found.input_file_id)

    async def _delete(self, file: str) -> None:
        """Deletes a file; one that is gone already is as good as deleted."""
        import openai  # noqa: PLC0415 - loaded with the client

        async def deleting() -> None:
            with suppress(openai.NotFoundError):
                await self._open().files.with_raw_response.delete(file)

        await self._asked(deleting())

    async def _retrieved(self, batch: str) -> _Batch:
        asking = self._open().batches.with_raw_response.retrieve(batch)
        return read_as(_Batch, (await self._asked(asking)).http_response.text, whose=_WHOSE)

    async def _get(self, path: str, **params: object) -> str:
        import httpx2  # noqa: PLC0415 - loaded with the client

        asking = self._open().get(path, cast_to=httpx2.Response, options={"params": params})
        response: httpx2.Response = await self._asked(asking)
        return response.text

    async def _lines(self, file: str) -> AsyncGenerator[bytes, None]:
        import httpx2  # noqa: PLC0415 - loaded with the client
        import openai  # noqa: PLC0415

        streaming = self._open().files.with_streaming_response.content(file)
        failed = None
        try:
            async with streaming as response, aclosing(lines_of(response.iter_bytes())) as lines:
                async for line in lines:
                    yield line
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            failed = self._explain(error)
        if failed is not None:  # here, where the vendor's error is no longer around
            raise failed

    def _result(self, line: bytes) -> Result:
        try:
            result = _ResultLine.model_validate(parsed(line))
        except ValidationError:
            return UNREADABLE
        response = result.response
        if response is None:
            return result.custom_id, self._unasked(result.error or _Flaw())
        body = response.body if isinstance(response.body, dict) else {}
        if response.status_code == 200:
            return result.custom_id, self._scrub(raw_body(body))
        return result.custom_id, self._refusal(response.status_code, body.get("error"))

    def _refusal(self, status: int, said: object) -> AdapterError:
        """Our error for a line that was refused, by the same table as a single answer's."""
        import httpx2  # noqa: PLC0415 - loaded with the client
        import openai  # noqa: PLC0415

        response = httpx2.Response(status, request=httpx2.Request("POST", "https://batch" + _PATH))
        error = self._explain(openai.APIStatusError("", response=response, body=said))
        error.unbilled = True
        return error

    def _unasked(self, said: _Flaw) -> AdapterError:
        what = self._scrub(said.message or said.code or "no reason is given").rstrip(".")
        return Unavailable(f"OpenAI did not come to a question: {what}.", unbilled=True)

    def _failure(self, found: _Batch) -> AdapterError:
        flaws = (found.errors and found.errors.data) or [_Flaw()]
        kind = _FAILURES.get(flaws[0].code or "", BadRequest)
        what = self._scrub(flaws[0].message or flaws[0].code or "no reason is given").rstrip(".")
        return kind(
            f"OpenAI refused a batch whole: {what}.",
            cost="Nothing of it is billed.",
            unbilled=True,
        )

    async def _asked(self, call: Awaitable[T]) -> T:
        """What the client answers; its error comes out as ours."""
        import openai  # noqa: PLC0415 - loaded with the client

        return await answered(call, refused=openai.OpenAIError, explain=self._explain, whose=_WHOSE)
