"""How batches are worded: the questions that come in, the lines that go out, how one stands.

What this module does not know: when a batch moves on, and how a question is answered.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from spex_api.completions import JsonObject
    from spex_api.testing.dialects import Dialect

__all__ = [
    "Batch",
    "Refused",
    "anthropic_batch",
    "anthropic_line",
    "flaw",
    "lines",
    "openai_batch",
    "openai_line",
    "requests",
]

_DAY: Final = 86_400
_OPENAI_LONGEST: Final = 50_000
_ANTHROPIC_LONGEST: Final = 100_000
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Refused(Exception):
    """A request about batches that is turned down: (status, message)."""


@dataclass(slots=True)
class Batch:
    """One batch on its way."""

    name: str
    dialect: Dialect
    lines: list[tuple[str, JsonObject]]
    created: int
    input_file: str = ""
    metadata: JsonObject | None = None
    polls: int = 0
    cancelled: bool = False
    status: str = "in_progress"
    errors: list[JsonObject] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    answers: str = ""
    failures: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status != "in_progress"


def flaw(code: str, message: str, line: int | None = None) -> JsonObject:
    """What is wrong with a file of OpenAI's, and in which line."""
    return {"code": code, "message": message, "line": line, "param": None}


def lines(
    content: bytes, body: JsonObject
) -> tuple[list[tuple[str, JsonObject]], list[JsonObject]]:
    """The questions in a file, and what is wrong with them."""
    lines: list[tuple[str, JsonObject]] = []
    flaws: list[JsonObject] = []
    seen: set[str] = set()
    for number, text in enumerate(content.splitlines(), start=1):
        try:
            line: Any = json.loads(text)
            custom_id, url, question = line["custom_id"], line["url"], line["body"]
        except (ValueError, KeyError, TypeError):
            flaws.append(flaw("invalid_json_line", "This line is no request.", number))
            continue
        if custom_id in seen:
            flaws.append(flaw("duplicate_custom_id", f"{custom_id} came before.", number))
        elif url != body.get("endpoint"):
            flaws.append(flaw("mismatched_endpoint", f"{url} is another endpoint.", number))
        else:
            lines.append((custom_id, question))
        seen.add(custom_id)
    if not lines or len(lines) > _OPENAI_LONGEST:
        flaws.append(flaw("invalid_file", f"A file cannot hold {len(lines)} requests."))
    return lines, flaws


def requests(requests: object) -> list[tuple[str, JsonObject]]:
    """The questions in a body.

    Raises:
        Refused: they are none, too many, or named amiss.
    """
    entries = requests if isinstance(requests, list) else []
    if not 0 < len(entries) <= _ANTHROPIC_LONGEST:
        raise Refused(400, "requests: between 1 and 100000 are needed.")
    lines: dict[str, JsonObject] = {}
    for entry in entries:
        custom_id, params = entry.get("custom_id"), entry.get("params")
        if not isinstance(params, dict) or not _CUSTOM_ID.fullmatch(str(custom_id)):
            raise Refused(400, "requests: each needs params and a custom_id of 1 to 64 characters.")
        if custom_id in lines:
            raise Refused(400, f"requests: custom_id {custom_id} is not unique.")
        lines[custom_id] = params
    return list(lines.items())


def openai_line(
    custom_id: str, solved: tuple[int, JsonObject] | None, status: str, place: int
) -> JsonObject:
    """A line of OpenAI's output or error file; a question that was not reached has no response."""
    line: JsonObject = {"id": f"batch_req_{place:06}", "custom_id": custom_id}
    if solved is None:
        said = {"code": f"batch_{status}", "message": f"The batch has {status} before this."}
        return {**line, "response": None, "error": said}
    response = {"status_code": solved[0], "request_id": f"req_{place:06}", "body": solved[1]}
    return {**line, "response": response, "error": None}


def anthropic_line(
    custom_id: str, solved: tuple[int, JsonObject] | None, status: str, place: int
) -> JsonObject:
    """A line of Anthropic's results."""
    del place
    if solved is None:
        return {"custom_id": custom_id, "result": {"type": _american(status)}}
    kind, what = ("succeeded", "message") if solved[0] == 200 else ("errored", "error")
    return {"custom_id": custom_id, "result": {"type": kind, what: solved[1]}}


def _american(status: str) -> str:
    return {"cancelled": "canceled"}.get(status, status)


def openai_batch(batch: Batch) -> JsonObject:
    """How a batch of OpenAI's stands."""
    status = batch.status
    if not batch.ended:
        waiting = "in_progress" if batch.polls else "validating"
        status = "cancelling" if batch.cancelled else waiting
    done, failed = batch.counts.get("succeeded", 0), batch.counts.get("errored", 0)
    return {
        "id": batch.name,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "errors": {"object": "list", "data": batch.errors} if status == "failed" else None,
        "input_file_id": batch.input_file,
        "completion_window": "24h",
        "status": status,
        "output_file_id": batch.answers or None,
        "error_file_id": batch.failures or None,
        "created_at": batch.created,
        "expires_at": batch.created + _DAY,
        "request_counts": {"total": len(batch.lines), "completed": done, "failed": failed},
        "metadata": batch.metadata,
    }


def anthropic_batch(batch: Batch, origin: str) -> JsonObject:
    """How a batch of Anthropic's stands. It keeps no metadata."""

    def when(seconds: int) -> str:
        return datetime.fromtimestamp(seconds, UTC).isoformat()

    counts = {_american(word): count for word, count in batch.counts.items()}
    words = ("succeeded", "errored", "canceled", "expired")
    return {
        "id": batch.name,
        "type": "message_batch",
        "processing_status": (
            "ended" if batch.ended else "canceling" if batch.cancelled else "in_progress"
        ),
        "request_counts": {
            "processing": 0 if batch.ended else len(batch.lines),
            **{word: counts.get(word, 0) for word in words},
        },
        "created_at": when(batch.created),
        "expires_at": when(batch.created + _DAY),
        "ended_at": when(batch.created) if batch.ended else None,
        "cancel_initiated_at": when(batch.created) if batch.cancelled else None,
        "archived_at": None,
        "results_url": f"{origin}/v1/messages/batches/{batch.name}/results"
        if batch.ended
        else None,
    }
