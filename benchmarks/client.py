"""Answers a second through the whole stack, beside the bare clients, in one run.

    python benchmarks/client.py [--requests 3000] [--concurrency 100] [--latency 0.05] [--rounds 3]

A server on loopback, in a process of its own, waits for `--latency` before each answer. The bare
clients post the same bodies and read the text; the stack caches, retries, budgets and throttles
besides. They take turns, so that what else the machine does meets all of them. Then the answers
are replayed from disk, and with `--memory` the stack answers fifty thousand questions, and its
resident memory is told on the way.

What this script does not know: any hosted endpoint.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import openai
from conditions import on_one_core, versions
from spex_adapters.openai import OpenAIAdapter
from tables import markdown

from spex_api.completions import CompletionRequest, Message
from spex_api.querying.budget import Budget
from spex_api.querying.policy import Meter
from spex_api.querying.stack import Terms, open_stack

Ask = Callable[[CompletionRequest], Awaitable[object]]
_ENOUGH = Budget(requests=10**9)


@contextmanager
def _server(latency: float) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, "-m", "spex_api.testing.fault_server", "--latency", str(latency)]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())["openai_url"] if process.stdout else ""
        finally:
            process.terminate()


def _questions(count: int, round_number: int) -> list[CompletionRequest]:
    """As many questions, each with a text of its own, of about a hundred tokens."""
    return [
        CompletionRequest(
            messages=(
                Message("user", f"Positive or negative? {'never bad ' * 40}{round_number}.{each}"),
            ),
            top_logprobs=20,
        )
        for each in range(count)
    ]


async def _rate(ask: Ask, questions: list[CompletionRequest], concurrency: int) -> float:
    """Answers a second, asked by as many workers."""
    queue = iter(questions)

    async def work() -> None:
        for question in queue:
            await ask(question)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
    return len(questions) / (time.perf_counter() - start)


async def _bare_httpx2(
    url: str, questions: list[CompletionRequest], concurrency: int, adapter: OpenAIAdapter
) -> float:
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as client:

        async def ask(question: CompletionRequest) -> object:
            body = adapter.body(question)
            return (await client.post(f"{url}/chat/completions", json=body)).json()

        return await _rate(ask, questions, concurrency)


async def _bare_openai(
    url: str, questions: list[CompletionRequest], concurrency: int, adapter: OpenAIAdapter
) -> float:
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def ask(question: CompletionRequest) -> object:
            return await client.chat.completions.create(**adapter.body(question))

        return await _rate(ask, questions, concurrency)


async def _stack(
    questions: list[CompletionRequest], concurrency: int, adapter: OpenAIAdapter
) -> float:
    async with open_stack(
        adapter, budget=_ENOUGH, meter=Meter(), terms=Terms(concurrency=concurrency)
    ) as stack:
        return await _rate(stack.adapter.complete, questions, concurrency)


def _resident() -> tuple[float, float]:
    """Megabytes of this process in memory now: its own, and pages of files that are mapped in."""
    status = Path("/proc/self/status").read_text()
    own, files = re.search(r"RssAnon:\s+(\d+)", status), re.search(r"RssFile:\s+(\d+)", status)
    return int(own[1]) / 1024 if own else 0.0, int(files[1]) / 1024 if files else 0.0


async def _memory(count: int, concurrency: int, adapter: OpenAIAdapter) -> list[list[object]]:
    """Resident memory after each tenth of so many answers through the stack."""
    rows: list[list[object]] = []
    async with open_stack(
        adapter, budget=_ENOUGH, meter=Meter(), terms=Terms(concurrency=concurrency)
    ) as stack:
        for tenth in range(10):
            await _rate(stack.adapter.complete, _questions(count // 10, 1000 + tenth), concurrency)
            own, files = _resident()
            rows.append([f"{(tenth + 1) * count // 10:,}", f"{own:.0f} MB", f"{files:.0f} MB"])
    return rows


def main() -> None:
    """Runs all of it and prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, default=0, help="so many answers more, as 50000")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _server(options.latency) as url:
        os.environ.update(SPEX_CACHE_DIR=f"{folder}/answers", OPENAI_API_KEY="none")
        on_one_core()
        adapter = OpenAIAdapter("toy", base_url=url)
        rates: dict[str, list[float]] = {}
        for number in range(options.rounds):
            questions = _questions(options.requests, number)
            for name, run in (
                ("httpx2", _bare_httpx2(url, questions, options.concurrency, adapter)),
                ("openai", _bare_openai(url, questions, options.concurrency, adapter)),
                ("the stack", _stack(questions, options.concurrency, adapter)),
                ("the stack, from disk", _stack(questions, options.concurrency, adapter)),
            ):
                rates.setdefault(name, []).append(asyncio.run(run))
        bare = statistics.median(rates["httpx2"])
        rows = [
            [name, *(f"{each:,.0f}" for each in found), f"{statistics.median(found) / bare:.2f}"]
            for name, found in rates.items()
        ]
        numbers = [f"round {number + 1}" for number in range(options.rounds)]
        print(markdown(["answers a second", *numbers, "median over httpx2's"], rows))
        if options.memory:
            found = asyncio.run(_memory(options.memory, options.concurrency, adapter))
            print(markdown(["answers", "memory of its own", "mapped files"], found))
        print(f"\nConcurrency {options.concurrency}, {options.latency} s a server; {versions()}")


if __name__ == "__main__":
    main()
