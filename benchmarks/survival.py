"""Kills a run with -9 at random points, resumes it, and counts what was paid twice.

    python benchmarks/survival.py [--kills 50] [--requests 300] [--latency 0.02] [--seed 0]

Each trial has a folder of answers and a server of its own. The run is killed after a random number
of answers and started again. Then it must have written the bytes of a run that was never killed,
and the server must have been asked again for nothing but what was under way at the kill: what it
had been asked for, less what was on disk. With `--pairs`, two processes share one folder of answers
and one spec instead, and neither is killed.

What this script does not know: how the client does it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from spex_api.querying.answers.store import DiskStore

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT = "the plot is bad and slow yet her acting is never bad and the end is good so good"
_SPEC = """
model = "openai:toy"
[prompt]
template = "Positive or negative? {{text}}"
text = "{text}"
[score]
labels = ["positive", "negative"]
[decode]
decoder = "lasso"
[budget]
requests = {requests}
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run in a folder of its own, against a server of its own."""

    folder: Path
    url: str

    def start(self, out: str = "out") -> subprocess.Popen[bytes]:
        """Starts `spex explain`, whose files go to the folder `out`."""
        (self.folder / out).mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "SPEX_CACHE_DIR": str(self.folder / "answers"),
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": self.url,
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "spex_api", "explain", str(self.folder / "spec.toml")]
        return subprocess.Popen(
            [*command, "--out", str(self.folder / out)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def counts(self) -> dict[str, int]:
        """What the server counted."""
        found: dict[str, int] = httpx2.get(
            self.url.removesuffix("/v1") + "/__spex__/totals", timeout=10
        ).json()
        return found

    def on_disk(self) -> int:
        """How many answers are on disk."""
        store = DiskStore(self.folder / "answers")
        try:
            return len(store)
        finally:
            store.close()

    def written(self, out: str = "out") -> bytes:
        """The explanation's bytes."""
        return (self.folder / out / "explanation.json").read_bytes()


def _free_port() -> int:
    """A port that every trial's server listens on: the address is part of what a run writes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


_PORT = _free_port()


@contextmanager
def _trial(requests: int, latency: float) -> Iterator[Trial]:
    command = [sys.executable, "-m", "spex_api.testing.fault_server", "--latency", str(latency)]
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(
            [*command, "--port", str(_PORT)], stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        try:
            url = json.loads(server.stdout.readline())["openai_url"] if server.stdout else ""
            folder = Path(name)
            (folder / "spec.toml").write_text(_SPEC.format(text=_TEXT, requests=requests))
            yield Trial(folder, url)
        finally:
            server.terminate()


@dataclass(frozen=True, slots=True)
class Uninterrupted:
    """What a run wrote that was not killed, and how many answers it took.

    Masks that read the same are asked once, so these are a few less than the budget.
    """

    written: bytes
    answers: int


def _killed(options: argparse.Namespace, after: int, whole: Uninterrupted) -> list[object]:
    """A row: killed once so many answers were given, and resumed."""
    with _trial(options.requests, options.latency) as trial:
        run = trial.start()
        while run.poll() is None and trial.counts()["answers_paid"] < after:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
        run.wait()
        while (before := trial.counts())["open"]:
            time.sleep(0.01)
        kept = trial.on_disk() if (trial.folder / "answers").exists() else 0
        under_way = before["answers_paid"] - kept
        if trial.start().wait() != 0:
            return [after, kept, under_way, "?", "the resumed run failed"]
        paid_again = trial.counts()["answers_paid"] - whole.answers
        same = trial.written() == whole.written
        right = same and paid_again == under_way
        return [after, kept, under_way, paid_again, "same bytes" if right else f"WRONG ({same=})"]


def _pair(options: argparse.Namespace, whole: Uninterrupted) -> list[object]:
    """A row: two processes at once, with one folder of answers."""
    with _trial(options.requests, options.latency) as trial:
        runs = [trial.start("first"), trial.start("second")]
        failed = max(run.wait() for run in runs)
        paid_again = trial.counts()["answers_paid"] - whole.answers
        same = {trial.written("first"), trial.written("second")} == {whole.written}
        return [trial.on_disk(), paid_again, "same bytes" if same and not failed else "WRONG"]


def main() -> None:
    """Runs the trials, and prints a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)  # noqa: S311 - where to kill is no secret
    with _trial(options.requests, 0.0) as trial:
        if trial.start().wait() != 0:
            raise SystemExit("The run that is not killed failed.")
        whole = Uninterrupted(trial.written(), trial.counts()["answers_paid"])
    wrong = 0
    print("| answers at the kill | on disk | under way | paid again | outcome |")
    print("|---|---|---|---|---|")
    for _ in range(options.kills):
        row = _killed(options, draw.randrange(1, whole.answers), whole)
        wrong += row[-1] != "same bytes"
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    for _ in range(options.pairs):
        row = _pair(options, whole)
        wrong += row[-1] != "same bytes"
        print(f"| two processes | {row[0]} | – | {row[1]} | {row[2]} |", flush=True)
    print(f"\n{wrong} of {options.kills + options.pairs} trials went wrong.")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
