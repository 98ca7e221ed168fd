"""Batches: questions handed in together, and answered when the script says so.

Both dialects: OpenAI's, of uploaded files, and Anthropic's, of questions in the body itself. A
batch moves on each time it is asked for by its name, so that no clock is needed. What this module
does not know: sockets, and how one question is answered.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from spex_api.testing.batch_forms import (
    Batch,
    Refused,
    anthropic_batch,
    anthropic_line,
    flaw,
    lines,
    openai_batch,
    openai_line,
    requests,
)
from spex_api.testing.dialects import ANTHROPIC, OPENAI, Dialect

if TYPE_CHECKING:
    from spex_api.completions import JsonObject
    from spex_api.testing.script import BatchPlan

__all__ = ["Batches", "Refused", "Solve"]

Solve = Callable[["JsonObject", Dialect], tuple[int, "JsonObject"]]
"""One question and its dialect → the status and the body of its reply."""


class Batches:
    """The batches and files of one server.

    Args:
        plan: what becomes of a batch.
        solve: answers one question.
    """

    def __init__(self, plan: BatchPlan, solve: Solve) -> None:
        self._plan = plan
        self._solve = solve
        self._files: dict[str, tuple[bytes, str, str]] = {}
        self._batches: dict[str, Batch] = {}

    def upload(self, raw: bytes, content_type: str) -> JsonObject:
        """Keeps a file that came as a form.

        Raises:
            Refused: the form has no file, or no purpose.
        """
        boundary = content_type.partition("boundary=")[2].strip('"').encode()
        parts: dict[str, tuple[str, bytes]] = {}
        for part in raw.split(b"--" + boundary)[1:-1] if boundary else ():
            head, _, content = part.partition(b"\r\n\r\n")
            names = dict(re.findall(r'(\w*name)="([^"]*)"', head.decode("utf-8", "replace")))
            parts[names.get("name", "")] = (names.get("filename", ""), content[:-2])
        if "file" not in parts or "purpose" not in parts:
            raise Refused(400, "A form with 'file' and 'purpose' is needed.")
        filename, content = parts["file"]
        return self._keep(content, filename, parts["purpose"][1].decode())

    def _keep(self, content: bytes, filename: str, purpose: str) -> JsonObject:
        name = f"file-{len(self._files) + 1:06}"
        self._files[name] = (content, filename, purpose)
        return self.file(name)

    def file(self, name: str) -> JsonObject:
        """What is known of a file.

        Raises:
            Refused: there is no such file.
        """
        content, filename, purpose = self._found(name)
        return {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }

    def content(self, name: str) -> bytes:
        """A file's content.

        Raises:
            Refused: there is no such file.
        """
        return self._found(name)[0]

    def delete(self, name: str) -> JsonObject:
        """Forgets a file's content.

        Raises:
            Refused: there is no such file.
        """
        self._found(name)
        self._files[name] = (b"", "", "deleted")
        return {"id": name, "object": "file", "deleted": True}

    def _found(self, name: str) -> tuple[bytes, str, str]:
        found = self._files.get(name)
        if found is None or found[2] == "deleted":
            raise Refused(404, f"No such File object: {name}")
        return found

    def submit(self, body: JsonObject, dialect: Dialect, *, origin: str) -> JsonObject:
        """Takes a batch in.

        Raises:
            Refused: it is no batch. OpenAI looks at the lines only later, and then it fails.
        """
        kind = "batch_" if dialect is OPENAI else "msgbatch_"
        name = f"{kind}{len(self._batches) + 1:06}"
        batch = Batch(name, dialect, [], int(time.time()))
        if dialect is OPENAI:
            if body.get("completion_window") != "24h":
                raise Refused(400, "completion_window must be 24h.")
            batch.input_file = str(body.get("input_file_id"))
            batch.metadata = body.get("metadata")
            batch.lines, batch.errors = lines(self.content(batch.input_file), body)
            if self._plan.ends == "failed":
                batch.errors = [flaw("token_limit_exceeded", "Enqueued token limit reached.")]
        elif self._plan.ends == "failed":
            raise Refused(400, "The batch cannot be taken in.")
        else:
            batch.lines = requests(body.get("requests"))
        self._batches[name] = batch
        return self._shown(batch, origin)

    def poll(self, name: str, *, origin: str) -> JsonObject:
        """How a batch stands; asking moves it on.

        Raises:
            Refused: there is no such batch.
        """
        batch = self._batch(name)
        if not batch.ended:
            batch.polls += 1
            if batch.errors:
                batch.status, batch.counts = "failed", {}
            elif batch.polls > self._plan.polls or batch.cancelled:
                self._finish(batch)
        return self._shown(batch, origin)

    def cancel(self, name: str, *, origin: str) -> JsonObject:
        """Stops a batch, which is over when it is next asked for.

        Raises:
            Refused: there is no such batch, or it has ended.
        """
        batch = self._batch(name)
        if batch.ended:
            raise Refused(409 if batch.dialect is OPENAI else 400, "The batch has ended.")
        batch.cancelled = True
        return self._shown(batch, origin)

    def listed(
        self, dialect: Dialect, *, origin: str, limit: int = 20, after: str = ""
    ) -> JsonObject:
        """The batches of a dialect, newest first, a page at a time."""
        names = [name for name, batch in self._batches.items() if batch.dialect is dialect][::-1]
        if after in names:
            names = names[names.index(after) + 1 :]
        page = names[:limit]
        return {
            "object": "list",
            "data": [self._shown(self._batches[name], origin) for name in page],
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
            "has_more": len(names) > limit,
        }

    def results(self, name: str) -> bytes:
        """The results of Anthropic's batch, a line each.

        Raises:
            Refused: there is no such batch, or it has not ended.
        """
        batch = self._batch(name)
        if not batch.ended:
            raise Refused(404, "The batch has no results yet.")
        return batch.answers.encode()

    def _batch(self, name: str) -> Batch:
        if name not in self._batches:
            raise Refused(404, f"No batch found with id '{name}'.")
        return self._batches[name]

    def _finish(self, batch: Batch) -> None:
        """Answers what is to be answered, and writes the results down."""
        batch.status = "cancelled" if batch.cancelled else self._plan.ends
        whole = batch.status == "completed"
        served = len(batch.lines) if whole else min(self._plan.answered, len(batch.lines))
        write = openai_line if batch.dialect is OPENAI else anthropic_line
        good: list[str] = []
        bad: list[str] = []
        for place, (custom_id, question) in enumerate(batch.lines):
            solved = self._solve(question, batch.dialect) if place < served else None
            line = json.dumps(write(custom_id, solved, batch.status, place))
            fine = solved is not None and solved[0] == 200
            word = "succeeded" if fine else "errored" if solved else batch.status
            batch.counts[word] = batch.counts.get(word, 0) + 1
            (good if fine or batch.dialect is ANTHROPIC else bad).append(line + "\n")
        if self._plan.unordered:
            good.reverse()
        if batch.dialect is ANTHROPIC:
            batch.answers = "".join(good)
            return
        for written, kind in ((good, "answers"), (bad, "failures")):
            if written:
                kept = self._keep("".join(written).encode(), f"{kind}.jsonl", "batch_output")
                setattr(batch, kind, kept["id"])

    def _shown(self, batch: Batch, origin: str) -> JsonObject:
        return openai_batch(batch) if batch.dialect is OPENAI else anthropic_batch(batch, origin)
