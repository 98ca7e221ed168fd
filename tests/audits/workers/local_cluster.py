"""A Dask cluster of real processes beside the tests, and a script that is it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KEY", "Local", "local_cluster"]

KEY = "sk-of-the-workers-8c1fe02b7d5a"

SCRIPT = """
import json, os, sys
from distributed import Client, LocalCluster

def main():
    settings = dict(threads_per_worker=1, processes=True, dashboard_address=None)
    with LocalCluster(n_workers=int(sys.argv[1]), **settings) as cluster, Client(cluster) as client:
        for line in sys.stdin:
            pids = client.run(os.getpid)
            print(json.dumps({"address": cluster.scheduler_address, "pids": pids}), flush=True)

if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True, slots=True)
class Local:
    """A cluster whose workers come back when they are killed.

    Attributes:
        process: what holds it.
    """

    process: subprocess.Popen[str]

    def told(self) -> dict:
        """Its address, and the process of each worker."""
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    @property
    def address(self) -> str:
        """Of its scheduler."""
        return self.told()["address"]

    def kill_one(self) -> None:
        """Kills one worker with -9."""
        os.kill(min(self.told()["pids"].values()), signal.SIGKILL)


@contextmanager
def local_cluster(folder: Path, workers: int, **environment: str) -> Iterator[Local]:
    """A cluster in processes of its own, which end with the context."""
    script = folder / "cluster.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, str(script), str(workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root), **environment},
    )
    try:
        yield Local(process)
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
