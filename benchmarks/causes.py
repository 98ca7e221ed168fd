"""Which documents made a pipeline answer so: ours beside what people do today, at 200 calls each.

    python benchmarks/causes.py [--seeds 10] [--first-seed 0] [--only spex] [--out causes.md]

Pipelines are planted (`spex_api.testing.planted_pipeline`): twenty documents, and an answer that
depends on one of them, on two or three that need each other, on either of two, on one that holds
back another, or on none; as it is, and with a tenth of the answers flipped at random. Each method
calls the same pipelines, which count the calls. The t-th answer to the same documents is the same
for all, so that no method has luckier noise.

Ours is right if it confirms one cause, and documents and kind are the planted ones. Peers name
documents and no kind: they are right if the documents are the planted ones; of a suppressor, if
they name it, with or without what it holds back. Where there is no cause, to name none is right.

What this script does not know: how a cause is found.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy is loaded

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from cause_peers import PEERS, READINGS, Masked
from conditions import on_one_core, versions
from scipy.stats import binomtest
from tables import markdown

import spex_api
from spex_api.claims import Kind
from spex_api.testing import planted_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spex_api.testing import PlantedPipeline

_KINDS: dict[str, tuple[Kind | None, int]] = {
    "one": (Kind.ALONE, 1),
    "two that need each other": (Kind.TOGETHER, 2),
    "either of two": (Kind.REDUNDANT, 2),
    "three that need each other": (Kind.TOGETHER, 3),
    "a suppressor": (Kind.SUPPRESSOR, 2),
    "none": (None, 0),
}
_NOISES = {0.0: "without noise", 0.1: "a tenth flipped"}
_OURS = "spex"
_ANOTHER_STREAM = 1_000_000
"""Added to a seed, so that methods draw otherwise than the pipelines."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a method named in one pipeline.

    Attributes:
        cause: the planted one, in the table's words.
        noise: the share of flipped answers.
        seed: of the pipeline.
        method: who named it, one reading each.
        right: whether it is the planted one.
        named: whether it named anything.
        calls: how often it called the pipeline.
        seconds: of the processor, the pipeline's own included.
        said: what it named, in words.
    """

    cause: str
    noise: float
    seed: int
    method: str
    right: bool
    named: bool
    calls: int
    seconds: float
    said: str


def _ours(pipeline: PlantedPipeline, budget: int, seed: int) -> Iterator[tuple[str, bool, str]]:
    """Through the public door: what is confirmed."""
    explanation = spex_api.explain_pipeline_sync(
        pipeline.answer,
        pipeline.inputs,
        vary="documents",
        score=pipeline.looked_for,
        budget=spex_api.Budget(requests=budget),
        seed=seed,
    )
    found = explanation.causes.confirmed if explanation.causes else ()
    planted = [pipeline.is_planted(cause) for cause in found]
    said = "; ".join(f"{cause.kind.name} {cause.features}" for cause in found)
    yield _OURS, planted == ([True] if pipeline.kind else []), said


def _theirs(
    peer: str, pipeline: PlantedPipeline, budget: int, seed: int
) -> Iterator[tuple[str, bool, str]]:
    with asyncio.Runner() as runner:
        found = PEERS[peer](Masked(pipeline, runner), budget, seed)
    right = {frozenset(pipeline.features)}
    if pipeline.suppressors:
        right.add(frozenset(pipeline.suppressors))
    for reading, documents in found.items():
        yield reading, documents in right, ", ".join(map(str, sorted(documents)))


def _measured(
    cause: str, noise: float, seed: int, options: argparse.Namespace
) -> Iterator[Outcome]:
    """All methods on one pipeline, each on a fresh copy of it.

    Raises:
        ValueError: a method called it more often than it may.
    """
    kind, num_parts = _KINDS[cause]
    for method in options.only:
        pipeline = planted_pipeline(
            kind,
            num_parts=num_parts,
            num_documents=options.documents,
            noise=noise,
            seed=seed,
        )
        start = time.process_time()
        drawn = seed + _ANOTHER_STREAM
        if method == _OURS:
            found = list(_ours(pipeline, options.calls, drawn))
        else:
            found = list(_theirs(method, pipeline, options.calls, drawn))
        seconds = time.process_time() - start
        calls = len(pipeline.asked)
        if calls > options.calls:
            raise ValueError(f"{method} called the pipeline {calls} times, not {options.calls}")
        for name, right, said in found:
            yield Outcome(cause, noise, seed, name, right, bool(said), calls, seconds, said)


def _share(outcomes: Sequence[Outcome], what: str) -> str:
    """How many, and the 95 % interval of the share in per cent (Wilson)."""
    count = sum(getattr(outcome, what) for outcome in outcomes)
    interval = binomtest(count, len(outcomes)).proportion_ci(method="wilson")
    return f"{count} of {len(outcomes)} ({100 * interval.low:.0f}–{100 * interval.high:.0f} %)"


def _methods(outcomes: Sequence[Outcome]) -> list[str]:
    """Those that were asked, in the order in which they are shown."""
    present = {outcome.method for outcome in outcomes}
    return [method for method in (_OURS, *READINGS) if method in present]


def _of(outcomes: Sequence[Outcome], **settings: object) -> list[Outcome]:
    return [
        outcome
        for outcome in outcomes
        if all(getattr(outcome, name) == value for name, value in settings.items())
    ]


def _by_kind(outcomes: Sequence[Outcome], noise: float) -> str:
    """One row a kind of cause: how often each method is right."""
    methods, chosen = _methods(outcomes), _of(outcomes, noise=noise)
    rows = [
        [cause, *(_share(_of(chosen, cause=cause, method=method), "right") for method in methods)]
        for cause in _KINDS
    ]
    rows.append(["**all**", *(_share(_of(chosen, method=each), "right") for each in methods)])
    calls = [fmean(one.calls for one in _of(chosen, method=each)) for each in methods]
    rows.append(["calls, mean", *(f"{number:.0f}" for number in calls)])
    return markdown(["cause", *methods], rows)


def _wrong(outcomes: Sequence[Outcome]) -> str:
    """How often something is named that is not the cause, be there none or another."""
    methods, rows = _methods(outcomes), []
    for noise, title in _NOISES.items():
        by_method = [_of(outcomes, noise=noise, method=method) for method in methods]
        none = [_of(each, cause="none") for each in by_method]
        rows.append([f"none, {title}", *(_share(each, "named") for each in none)])
        some = [[one for one in each if one.cause != "none"] for each in by_method]
        wrong = [sum(one.named and not one.right for one in each) for each in some]
        rows.append(
            [
                f"one of the kinds, {title}",
                *(f"{count} of {len(each)}" for count, each in zip(wrong, some, strict=True)),
            ]
        )
    return markdown(["there is", *methods], rows)


def _both_named(outcomes: Sequence[Outcome]) -> str:
    """Of the suppressors that are counted as right, how many come with what they hold back."""
    said = []
    for method in _methods(outcomes):
        if method == _OURS:
            continue
        right = _of(outcomes, cause="a suppressor", method=method, right=True)
        both = sum("," in outcome.said for outcome in right)
        said.append(f"{method} {both} of {len(right)}")
    return "; ".join(said) or "no peer was asked"


def _report(outcomes: Sequence[Outcome], options: argparse.Namespace) -> str:
    tables = "\n\n".join(
        f"## {title.capitalize()}\n\n{_by_kind(outcomes, noise)}"
        for noise, title in _NOISES.items()
    )
    seconds = "; ".join(
        f"{each} {fmean(one.seconds for one in _of(outcomes, method=each)):.2f}"
        for each in _methods(outcomes)
    )
    seeds = f"{options.first_seed} to {options.first_seed + options.seeds - 1}"
    missed = [
        f"- {one.cause}, {_NOISES[one.noise]}, seed {one.seed}: {one.said or 'nothing confirmed'}"
        for one in _of(outcomes, method=_OURS, right=False)
    ]
    return f"""\
# Which documents made a pipeline answer so

{len(_KINDS) * len(_NOISES) * options.seeds} planted pipelines of {options.documents} documents, \
{options.calls} calls for each method, seeds {seeds}.
Figures say how often the cause that a method names is the planted one, with 95 % intervals of the
share (Wilson). Ours must also name its kind and confirm it; peers name documents, and of a
suppressor it is enough to name it.

{tables}

## What is named and is not the cause

{_wrong(outcomes)}

Suppressors that peers name together with what they hold back: {_both_named(outcomes)}.

Where ours is not right:

{chr(10).join(missed) or "nowhere."}

Seconds of the processor for one pipeline, mean: {seconds}.

One core; {versions()}"""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=10, help="pipelines of each kind and noise")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200, help="that each method may make")
    parser.add_argument("--only", nargs="+", choices=(_OURS, *PEERS), default=(_OURS, *PEERS))
    parser.add_argument("--out", type=Path, help="write the tables to this file as well")
    return parser.parse_args()


def main() -> None:
    """Asks every pipeline by every method, and prints the tables."""
    options = _options()
    on_one_core()
    outcomes: list[Outcome] = []
    for noise, title in _NOISES.items():
        for cause in _KINDS:
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                outcomes.extend(_measured(cause, noise, seed, options))
            here = _of(outcomes, cause=cause, noise=noise)
            right = [f"{each} {_share(_of(here, method=each), 'right')}" for each in _methods(here)]
            print(f"{cause}, {title}: {'; '.join(right)}", file=sys.stderr)
    text = _report(outcomes, options)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
