"""A user's own function as a model: what is asked are its arguments, the answer is what it gives.

A plain function runs in a thread, with a copy of the context; an asynchronous one in the event
loop. Where the function fails on part of its arguments, that is an answer without a value; where it
fails on all of them, before it has ever answered these, there is nothing to explain. What this
module does not know: what the answer means, and which parts are asked.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import astuple
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from spex_api.calls.gate import gated
from spex_api.completions import Capabilities, Completion, Outcome, ToolCall, Usage
from spex_api.errors import PipelineFailed, UsageError
from spex_api.pipelines.gated import RunGate
from spex_api.pipelines.given import read_given
from spex_api.scores.matching import qualified_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spex_api.completions import CompletionRequest, JsonObject
    from spex_api.pipelines.inputs import Inputs
    from spex_api.pipelines.model_calls import ModelCalls

__all__ = ["FAILED", "PipelineAdapter"]

FAILED: Final = "failed"
"""The reason for which an answer ended that is an exception; its text says which."""
_LONGEST: Final = 500


class PipelineAdapter:
    """The function, asked as a model is.

    Args:
        function: the pipeline.
        inputs: its arguments, and which parts of them are features.
        calls: what its runs share of their model calls.
        concurrency: how many runs may be under way at once.
    """

    endpoint = "pipeline:"

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Inputs,
        *,
        calls: ModelCalls,
        concurrency: int,
    ) -> None:
        self._function = function
        self._inputs = inputs
        self.calls = calls
        self._is_async = _is_async(function)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="spex-pipeline")
        self._answered = False
        self.capabilities = Capabilities(0, concurrency, free=True, temperature=False)
        self.failed = 0
        """How many runs ended in an exception."""
        self.first_failure = ""
        """The first of these, in words."""

    @property
    def model(self) -> str:
        """The function's name, with its module."""
        function = self._function
        return qualified_name(function.func if isinstance(function, partial) else function)

    def body(self, request: CompletionRequest) -> JsonObject:
        """The parts that are there, in their order."""
        return {"parts": list(self._inputs.features_in(request.messages))}

    async def complete(self, request: CompletionRequest) -> Completion:
        """Runs the pipeline once.

        Raises:
            PipelineFailed: it fails on all of its arguments.
            UsageError: it gives nothing that could be read.
            SpexError: a model call in it met a cap, or is not on disk and may not be made.
        """
        features = self._inputs.features_in(request.messages)
        run = f"{features} {request.sample_index}" if request.sample_index else ""
        gate = RunGate(self.calls, run)
        whole = features == self._inputs.everything
        try:
            given = await self._run(features, gate)
        except Exception as error:
            if gate.stopped is not None:
                raise gate.stopped from None
            if whole and not self._answered:
                raise self._failed(error) from error
            said = _in_words(error)
            self.failed += 1
            self.first_failure = self.first_failure or said
            return self.read(_raw(said, failed=True))
        if gate.stopped is not None:
            raise gate.stopped
        if whole and given is None and not self._answered:
            raise UsageError(
                f"{self.model} returned nothing (None), and its answer is what is explained.",
                advice="Let it return the answer.",
            )
        answer = read_given(given)
        self._answered = self._answered or whole
        called = [*answer.tool_calls, *(call for seen in gate.seen for call in seen.tool_calls)]
        return self.read(_raw(answer.text, called, refused=answer.refused))

    def read(self, raw: str) -> Completion:
        """An answer as `complete` gave it."""
        said = json.loads(raw)
        return Completion(
            said["text"],
            finish_reason=FAILED if said["failed"] else "",
            outcome=Outcome.REFUSED if said["refused"] else Outcome.ANSWERED,
            usage=Usage(requests=1),
            raw=raw,
            tool_calls=tuple(ToolCall(*each) for each in said["tool_calls"]),
        )

    async def aclose(self) -> None:
        """Lets the threads go that wait for nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, features: tuple[int, ...], gate: RunGate) -> object:
        args, named = self._inputs.call(features)
        call = partial(self._function, *args, **named)
        with gated(gate):
            if self._is_async:
                given = call()
            else:
                context = copy_context()
                loop = asyncio.get_running_loop()
                given = await loop.run_in_executor(self._pool, context.run, _caught, call)
                if isinstance(given, _Caught):
                    raise given.error
            return await given if inspect.isawaitable(given) else given

    def _failed(self, error: Exception) -> PipelineFailed:
        return PipelineFailed(
            f"{self.model} fails with all of its arguments as they are: {_in_words(error)}. So "
            "there is no answer to explain.",
            advice="Call it by itself with the same arguments: the exception is the cause of this "
            "one.",
        )


def _raw(
    text: str,
    called: Iterable[ToolCall] = (),
    *,
    failed: bool = False,
    refused: bool = False,
) -> str:
    told = [astuple(call) for call in dict.fromkeys(called)]
    return json.dumps({"text": text, "tool_calls": told, "failed": failed, "refused": refused})


class _Caught:
    """An exception on its way out of a thread: a future would not carry every kind of it."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _caught(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - raised again where it is waited for
        return _Caught(error)


def _is_async(function: object) -> bool:
    if isinstance(function, partial):
        return _is_async(function.func)
    # An object that is called is as asynchronous as its method.
    method = inspect.getattr_static(type(function), "__call__", None)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(method)


def _in_words(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:_LONGEST]}" if said else type(error).__name__
