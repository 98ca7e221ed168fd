"""Processes that share a folder of answers: none corrupts it, none pays for what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

from spex_api.querying.answers.record import fault, read_record
from spex_api.querying.answers.store import DiskStore

if TYPE_CHECKING:
    from pathlib import Path

RUN = """
import asyncio, json, sys
from pathlib import Path
from spex_api.completions import CompletionRequest, Message
from spex_api.querying.cache import Cached
from spex_api.querying.policy import Meter
from spex_api.querying.answers.store import DiskStore
from spex_api.testing import FunctionAdapter

folder, count, sleep = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

class Model(FunctionAdapter):
    async def complete(self, request):
        self.requests.append(request)
        await asyncio.sleep(sleep)
        return self.read(json.dumps({request.messages[0].content: -0.1}))

model, meter, store = Model(lambda messages: {}), Meter(), DiskStore(folder)
cached = Cached(model, store, meter)
asks = [CompletionRequest((Message("user", f"question {n}"),)) for n in range(count)]

async def main():
    queue = iter(asks)
    async def work():
        for ask in queue:
            assert (await cached.complete(ask)).text == ask.messages[0].content
    await asyncio.gather(*(work() for _ in range(4)))

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
store.close()
print(json.dumps({"paid": [r.messages[0].content for r in model.requests], "free": meter.cached}))
"""


def start(folder: Path, count: int, sleep: float) -> subprocess.Popen[str]:
    """A process that is about to ask."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(count), str(sleep)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> dict:
    """What it paid for, once it is done."""
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(told)


def go(process: subprocess.Popen[str]) -> None:
    """Lets it ask."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def whole_answers(folder: Path) -> int:
    """How many records there are, each proved."""
    with closing(DiskStore(folder)) as store:
        for key in store:
            assert fault(key, read_record(store.get(key), key=key)) == ""
        assert store.strange_rows() == []
        assert len(store) == len(list(store))
        return len(store)


def test_two_at_once_pay_for_each_answer_once(answers):
    """Both go through the same plan in step; what one is asking, the other waits for."""
    count = 200
    both = [start(answers, count, 0.002) for _ in range(2)]
    for process in both:
        go(process)
    told = [finish(process) for process in both]
    assert whole_answers(answers) == count
    paid = Counter(question for each in told for question in each["paid"])
    assert len(paid) == count
    assert set(paid.values()) == {1}
    assert [len(each["paid"]) + each["free"] for each in told] == [count, count]


def test_a_claim_excludes_other_processes_until_its_holder_ends(answers):
    """Also where it is killed; nobody has to tidy up after it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from spex_api.querying.answers.store import DiskStore\n"
        "store = DiskStore(Path(sys.argv[1])); print(store.claim('a' * 64), flush=True)\n"
        "sys.stdin.readline()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(answers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with closing(DiskStore(answers)) as store:
        assert not store.claim("a" * 64)
        assert store.claim("b" * 64)
        holder.kill()
        holder.communicate()
        assert store.claim("a" * 64)
        store.release("a" * 64)


def test_who_comes_after_pays_for_nothing(answers):
    """A process that was open before the answers came finds every one of them."""
    first, second = start(answers, 60, 0.0), start(answers, 60, 0.0)
    go(first)
    assert len(finish(first)["paid"]) == 60
    go(second)
    assert finish(second) == {"paid": [], "free": 60}


def test_a_folder_is_made_by_several_at_once(answers):
    """Four that begin together on a machine without a folder all get the same one."""
    code = (
        "import sys; from pathlib import Path\n"
        "from spex_api.querying.answers.store import DiskStore\n"
        "store = DiskStore(Path(sys.argv[1]))\n"
        "for n in range(20): store.put(f'{sys.argv[2]}{n:063x}', b'answer')\n"
        "store.close()"
    )
    several = [
        subprocess.Popen([sys.executable, "-c", code, str(answers), str(number)])
        for number in range(4)
    ]
    assert [process.wait(timeout=120) for process in several] == [0] * 4
    with closing(DiskStore(answers)) as store:
        assert len(list(store)) == 80


def test_what_a_killed_process_had_answered_is_there(answers):
    """After kill -9 every record is whole, and the next process pays for the rest alone."""
    process = start(answers, 10_000, 0.0)
    go(process)
    with closing(DiskStore(answers)) as store:
        while len(store) < 50:
            assert process.poll() is None
    process.kill()
    process.communicate()
    there = whole_answers(answers)
    assert there >= 50
    again = start(answers, there + 30, 0.0)
    go(again)
    told = finish(again)
    assert len(told["paid"]) + told["free"] == there + 30
    assert told["free"] >= there - 4
    assert whole_answers(answers) >= there + 30
