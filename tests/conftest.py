"""Every test has its own folder of answers, no key, and no way to a hosted model."""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.postgres import PostgresServer, binaries

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# How long an example takes says nothing: the first one may load and compile a library.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

_VARIABLES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "AZURE_OPENAI_AD_TOKEN",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_ENDPOINT",
    "OPENAI_API_VERSION",
    "SPEX_HTTP_API_KEY",
    "SPEX_OFFLINE",
)


def pytest_configure() -> None:
    """Where tests run side by side, each process has a core of its own.

    Threads of the local model that share a core spin, and slow each other down tenfold.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that ask the local model come first: they take longest, and both cores end together."""
    slow = {item.path for item in items if item.get_closest_marker("model")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where `SPEX_TESTS_NO_SKIP` is set, as in `.ci/run`, a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("SPEX_TESTS_NO_SKIP"):
        report.outcome = "failed"
    return report


@pytest.fixture(autouse=True)
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder of answers."""
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "answers"
    monkeypatch.setenv("SPEX_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that all tests of a process share; whoever kills it starts it again."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql.")
    # Not under pytest's own folder, which is root's alone where root runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="spex-postgres-", dir="/var/tmp"))
    folder.chmod(0o711)
    server = PostgresServer.made(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def store_url(postgres: PostgresServer) -> str:
    """The address of an empty database, with its password."""
    name = f"spex_{secrets.token_hex(6)}"
    postgres.execute(f"CREATE DATABASE {name}")
    return postgres.url_of(name)


@dataclass
class ChatServer:
    """An OpenAI-compatible server on loopback whose model is a small function of the words.

    "good" is worth +1, "bad" −1, and "never" turns the sign of what follows it.
    """

    url: str = ""
    delay: float = 0.0
    slow_after: int | None = None  # from this question on, each takes two seconds
    status: int = 200
    logprobs: bool = True
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        """What a real server would say of this body."""
        value, sign = 0.0, 1.0
        for word in body["messages"][-1]["content"].split():
            worth = {"good": 1.0, "bad": -1.0}.get(word.strip(".,").lower(), 0.0)
            value += sign * worth
            sign = -1.0 if word == "never" else 1.0 if worth else sign
        listed = [
            {"token": token, "logprob": -math.log1p(math.exp(-way * value)), "bytes": None}
            for token, way in (("positive", 1), (" Negative", -1))
        ]
        top = {**listed[0 if value >= 0 else 1], "top_logprobs": listed}
        return {
            "id": f"chatcmpl-{len(self.bodies)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": "toy-2026",
            "system_fingerprint": "fp_toy",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "length",
                    "message": {"role": "assistant", "content": top["token"]},
                    "logprobs": {"content": [top]} if self.logprobs else None,
                }
            ],
            "usage": {"prompt_tokens": 30, "completion_tokens": 1, "total_tokens": 31},
        }


@contextmanager
def serving() -> Iterator[ChatServer]:
    """A running `ChatServer`."""
    server = ChatServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server.bodies.append(body)
            slow = server.slow_after is not None and len(server.bodies) > server.slow_after
            time.sleep(2.0 if slow else server.delay)
            reply = server.reply(body) if server.status == 200 else {"error": {"message": "No."}}
            sent = json.dumps(reply).encode()
            self.send_response(server.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Listening(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """Says nothing of a client that was killed."""

    listening = Listening(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.url = f"http://127.0.0.1:{listening.server_port}/v1"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.fixture
def chat_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """A running `ChatServer`, to which `OPENAI_BASE_URL` points with a key that it takes."""
    with serving() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-test")
        yield server
