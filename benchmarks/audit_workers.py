"""Audits that are killed, and audits over workers at a limit, measured at a server of our own.

    python benchmarks/audit_workers.py process [--prompts 40] [--each 200] [--kills 3]
    python benchmarks/audit_workers.py cap [--prompts 40] [--each 200]
    python benchmarks/audit_workers.py worker [--workers 4]
    python benchmarks/audit_workers.py database [--workers 4]
    python benchmarks/audit_workers.py limit [--minutes 3.5]

`process` kills the audit with -9 and starts it again, until it has been killed so often; `worker`
kills one of several Dask workers, `database` the PostgreSQL that they share, which is started again
three seconds later. All three then compare all bytes with those of an audit that was left alone,
and count what the server was paid beyond it. `cap` lets every second attempt fail and counts all
that the server was asked. `limit` has the server refuse whatever is beyond 600 requests in any
60 s, and tells how many were refused and what share of the limit was used. The PostgreSQL is
Debian's, started by the script in a temporary folder.

What this script does not know: how the client does it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spex_api.testing import server_process

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.postgres import PASSWORD, PostgresServer  # the one that the tests start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spex_api.testing.process import Served

_WORDS = ("good", "bad", "dull", "never", "plot", "cast", "and", "the", "slow", "end")
_SPEC = """
model = "openai:toy"
prompts = "cases.jsonl"
[prompt]
template = "Positive or negative? {{text}}"
[score]
labels = ["positive", "negative"]
[decode]
decoder = "lasso"
[budget]
requests = {requests}
[limits]
concurrency = 8
{limits}
"""
_CLUSTER = """
import json, os, sys
from distributed import Client, LocalCluster

def main():
    settings = dict(threads_per_worker=1, processes=True, dashboard_address=None)
    with LocalCluster(n_workers=int(sys.argv[1]), **settings) as cluster, Client(cluster) as client:
        for line in sys.stdin:
            pids = client.run(os.getpid)
            print(json.dumps([cluster.scheduler_address, sorted(pids.values())]), flush=True)

if __name__ == "__main__":
    main()
"""
_OVER_WORKERS = """
import sys
from contextlib import closing
from pathlib import Path
from spex_api.audit_file import write_audit
from spex_api.audits.job import audited, read_audit_job
from spex_api.querying.shared.store import PostgresStore, new_run

spec, out, scheduler, url = sys.argv[1:]
with closing(PostgresStore(url, run=new_run())) as store:
    done = audited(read_audit_job(Path(spec), {}), store=store, scheduler=scheduler)
    print(f"  the ledger has {store.spent(store.run).requests:,} requests", flush=True)
write_audit(done, Path(out))
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """Audits of one spec, each with answers and files of its own, against one server.

    Attributes:
        folder: with the spec and its rows.
        served: the server.
    """

    folder: Path
    served: Served

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Starts `spex audit`, which keeps its answers and files under this name."""
        (self.folder / name).mkdir(exist_ok=True)
        environment = {**_environment(self.served), "SPEX_CACHE_DIR": str(self.answers(name))}
        command = [sys.executable, "-m", "spex_api", "audit", str(self.folder / "spec.toml")]
        command += ["--out", str(self.folder / name), "--processes", "0"]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def start_over_workers(self, name: str, scheduler: str, url: str) -> subprocess.Popen[bytes]:
        """Starts the same over workers, with the answers in PostgreSQL."""
        (self.folder / name).mkdir()
        arguments = [str(self.folder / "spec.toml"), str(self.folder / name), scheduler, url]
        command = [sys.executable, "-c", _OVER_WORKERS, *arguments]
        return subprocess.Popen(command, env=_environment(self.served), stderr=subprocess.PIPE)

    def answers(self, name: str) -> Path:
        """Where its answers are, where they are on disk."""
        return self.folder / f"answers-{name}"

    def files(self, name: str) -> dict[str, bytes]:
        """The audit and the explanations that it wrote."""
        root = self.folder / name
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def paid(self) -> int:
        """How many answers the server gave."""
        return int(self.served.stats(bodies=False)["answers_paid"])


def _environment(served: Served) -> dict[str, str]:
    return {
        **os.environ,
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": served.openai_url,
        "PGPASSWORD": PASSWORD,  # no password goes through a scheduler
        "OMP_NUM_THREADS": "1",
    }


@contextmanager
def _trial(options: argparse.Namespace, table: dict[str, Any], limits: str = "") -> Iterator[Trial]:
    rng = random.Random(options.seed)  # noqa: S311 - words, not secrets
    with tempfile.TemporaryDirectory() as name, server_process(table, latency=0.02) as served:
        folder = Path(name)
        requests = options.prompts * options.each
        (folder / "spec.toml").write_text(_SPEC.format(requests=requests, limits=limits))
        texts = [
            " ".join(rng.choices(_WORDS, k=rng.randint(10, 18))) for _ in range(options.prompts)
        ]
        rows = [{"id": f"case {at}", "text": text} for at, text in enumerate(texts)]
        (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        yield Trial(folder, served)


@contextmanager
def _cluster(trial: Trial, options: argparse.Namespace) -> Iterator[subprocess.Popen[str]]:
    script = trial.folder / "cluster.py"
    script.write_text(_CLUSTER)
    with subprocess.Popen(
        [sys.executable, str(script), str(options.workers)],
        env=_environment(trial.served),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process  # closing its input ends it


def _told(cluster: subprocess.Popen[str]) -> tuple[str, list[int]]:
    """The scheduler's address, and the workers' processes."""
    if cluster.stdin is None or cluster.stdout is None:
        raise RuntimeError("The cluster has no pipes.")
    cluster.stdin.write("?\n")
    cluster.stdin.flush()
    address, pids = json.loads(cluster.stdout.readline())
    return address, pids


def _ended(run: subprocess.Popen[bytes]) -> None:
    """Waits for a run, and says what it said where it went wrong."""
    _, said = run.communicate()
    if run.returncode not in (0, 3):
        sys.exit(f"The audit ended with {run.returncode}: {said.decode()[-2000:]}")


def _process(options: argparse.Namespace) -> None:
    with _trial(options, {}) as trial:
        _ended(trial.start("whole"))
        needed = trial.paid()
        rng = random.Random(options.seed)  # noqa: S311 - when to kill
        moments = sorted(rng.sample(range(needed // 20, needed), options.kills))
        for moment in moments:
            run = trial.start("killed")
            while run.poll() is None and trial.paid() - needed < moment:
                time.sleep(0.02)
            run.send_signal(signal.SIGKILL)
            run.wait()
        _ended(trial.start("killed"))
        twice = trial.paid() - 2 * needed
        same = trial.files("killed") == trial.files("whole")
        print(
            f"killed after {moments} of {needed:,} answers (cap {options.prompts * options.each:,})"
        )
        print(
            f"the same bytes: {same}; paid beyond: {twice}, at most {8 * options.kills} under way"
        )


def _cap(options: argparse.Namespace) -> None:
    with _trial(options, {"rows": [{"fault": "SERVER_ERROR", "every": 2}]}) as trial:
        _ended(trial.start("failing"))
        asked = trial.served.stats(bodies=False)["routes"]["question"]
        print(f"every second attempt failed; asked {asked:,} of {options.prompts * options.each:,}")


@contextmanager
def _database() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresServer.made(Path(folder))
        try:
            yield server
        finally:
            server.stop()


def _worker(options: argparse.Namespace) -> None:
    _killed(options, "one of them", lambda _, pids: os.kill(pids[0], signal.SIGKILL))


def _killed_database(options: argparse.Namespace) -> None:
    def kill(database: PostgresServer, _: list[int]) -> None:
        database.kill()
        time.sleep(3)
        database.start()

    _killed(options, "PostgreSQL", kill)


def _killed(
    options: argparse.Namespace, what: str, kill: Callable[[PostgresServer, list[int]], None]
) -> None:
    """An audit over workers in the middle of which something is killed."""
    with (
        _trial(options, {}) as trial,
        _database() as database,
        _cluster(trial, options) as cluster,
    ):
        _ended(trial.start("whole"))
        needed = trial.paid()
        address, pids = _told(cluster)
        run = trial.start_over_workers("over workers", address, database.url)
        while run.poll() is None and trial.paid() - needed < needed // 2:
            time.sleep(0.02)
        kill(database, pids)
        _ended(run)
        whole, other = trial.files("whole"), trial.files("over workers")
        differ = [name for name in other if other[name] != whole.get(name)]
        paid = trial.paid() - needed
        same = f"no: {differ[:5]}" if differ else f"yes, in all {len(other)} files"
        print(f"{options.workers} workers, {what} killed half way: the same bytes: {same}")
        print(
            f"paid {paid:,} where one process paid {needed:,}: {paid - needed} beyond, at most "
            f"{8 * options.workers} under way"
        )


def _limit(options: argparse.Namespace) -> None:
    table = {"limits": {"requests": 600, "silent": True}}
    limits = "requests_per_minute = 600"
    with (
        _trial(options, table, limits) as trial,
        _database() as database,
        _cluster(trial, options) as cluster,
    ):
        address, _ = _told(cluster)
        run = trial.start_over_workers("over workers", address, database.url)
        while run.poll() is None and not trial.paid():
            time.sleep(0.05)
        begun, seen = time.monotonic(), [(0.0, trial.paid())]
        while run.poll() is None and seen[-1][0] < 60 * options.minutes:
            time.sleep(0.25)
            seen.append((time.monotonic() - begun, trial.paid()))
        run.send_signal(signal.SIGINT)
        run.communicate()
        (start, first), (end, last) = seen[0], seen[-1]
        came = [
            at for (at, paid), (_, before) in zip(seen[1:], seen, strict=False) if paid > before
        ]
        still = max(later - at for at, later in pairwise(came))
        refused = trial.served.stats(bodies=False)["statuses"].get("429", 0)
        share = (last - first) / (end - start) / 10
        print(f"{last - first:,} answers in {end - start:.0f} s: {share:.1%} of the limit")
        print(f"refused for a window over the limit: {refused}")
        print(f"longest time without an answer, decoding or not: {still:.2f} s")


def main() -> None:
    """Runs what is asked for, and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    doing = {
        "process": _process,
        "cap": _cap,
        "worker": _worker,
        "database": _killed_database,
        "limit": _limit,
    }
    parser.add_argument("what", choices=doing)
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--each", type=int, default=200, help="requests of the budget, a prompt")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=3.5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    doing[options.what](options)


if __name__ == "__main__":
    main()
