"""A small HTTP server on loopback, which answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-test-4f1d0c77be9a4e21"


@dataclass
class Endpoint:
    """What the server answers, and what it was asked."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    reply: str | bytes = "{}"
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A server on loopback, with `OPENAI_BASE_URL` and a key that lead to it."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            endpoint.asked.append((self.path, headers, json.loads(body)))
            self.send_response(endpoint.status)
            data = endpoint.reply
            data = data.encode() if isinstance(data, str) else data
            for name, value in {"content-length": str(len(data)), **endpoint.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield endpoint
        server.shutdown()
        thread.join()


@pytest.fixture
def key() -> str:
    """The key that `wire` puts into the environment."""
    return KEY


@pytest.fixture
def reply() -> dict[str, str]:
    """Whole replies as they came over the wire, by the server that sent them."""
    folder = Path(__file__).parent / "fixtures"
    return {file.stem: file.read_text("utf-8") for file in folder.glob("*.json")}
