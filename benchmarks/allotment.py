"""How many queries an audit saves that gives them to where the next ones gain most.

    python benchmarks/allotment.py --results runs/allotment.jsonl --out runs/allotment.md
        [--decoder lasso] [--subsets 3] [--prompts 40] [--audits 10]

Prompts are recorded tables of a real model's values, each under several orders of its rows, which
are replayed as answers. An audit of such prompts, drawn with replacement, goes in the rounds of
`spex_api.audits.allotment`; beside it every prompt gets the same number of queries, and a fit to
four fifths of them. What is told is the share of queries that the audit saves for the same mean R²
on rows that neither sees; what one would save that knew beforehand how each table is learned on
average, which is what looks could teach at the best; and one that knew every single R², luck
included: nobody can save more with these looks. A finished cell is never measured again.

What this script does not know: any peer.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy is loaded

import argparse
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from conditions import versions
from ledger import Ledger
from recordings import RECORDED, read_recording
from tables import markdown

from spex_api.audits.allotment import Course, allot, stops
from spex_api.audits.learning import Shown
from spex_api.checkpoints import additive_fit
from spex_api.decoding.auto import choose_decoder
from spex_api.fidelity import r_squared
from spex_api.samples import Samples
from spex_api.sampling.survey import num_fitted
from spex_api.stopping import looked_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ledger import Cell
    from recordings import Recording

    from spex_api.transforms import FourierTransform

_EQUAL = (50, 75, 100, 125, 150, 175, 200, 250, 300, 350, 400, 500)
_BUDGETS = (100, 150, 200, 250, 300)
_MASKS_PER_FEATURE = 20
_NEAR = 5
"""Of the rows that are held out, every fifth is left out: an audit asks masks near the prompt
there, which tables of uniform masks do not have."""


@dataclass(frozen=True)
class Prompt:
    """A table under one order of its rows.

    Attributes:
        recording: the table.
        subset: the seed of the order.
        decoder: the decoder's name.
    """

    recording: Recording
    subset: int
    decoder: str

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """After how many rows an audit looks."""
        pool = len(self.recording.values) - len(self.recording.held_out()[1])
        most = min(max(_MASKS_PER_FEATURE * self.recording.num_features, 300), pool)
        return stops(self.recording.num_features, most)

    def measured(self, ledger: Ledger) -> tuple[dict[int, Cell], dict[int, float]]:
        """What each look shows, and R² after each equal number of queries; measures what lacks."""
        looks: dict[int, Cell] = {}
        fitted: list[int] = []
        unseen: list[int] = []
        before = 0
        for count in self.looks:
            new = num_fitted(count, several=False) - len(fitted)
            fitted += range(before, before + new)
            unseen += (row for row in range(before + new, count) if row % _NEAR)
            looks[count] = self._cell(ledger, "audit", count, fitted, unseen)
            before = count
        pool = len(self.recording.values) - len(self.recording.held_out()[1])
        equal = {
            count: self._cell(
                ledger, "equal", count, list(range(num_fitted(count, several=False))), []
            )["true"]
            for count in _EQUAL
            if count <= pool
        }
        return looks, equal

    def _cell(
        self, ledger: Ledger, how: str, count: int, fitted: list[int], unseen: list[int]
    ) -> Cell:
        of = {
            "table": self.recording.name,
            "subset": self.subset,
            "decoder": self.decoder,
            "how": how,
            "count": count,
        }
        known = ledger.get(of)
        return known or ledger.add(of, self._decoded(count, fitted, unseen))

    def _decoded(self, count: int, fitted: list[int], unseen: list[int]) -> Cell:
        """R² of a fit on rows that neither policy sees, and what an audit would see of it."""
        size = len(self.recording.values) - len(self.recording.held_out()[1])
        every = self.recording.training(size, subset=self.subset)
        seen = Samples.from_arrays(every.masks[fitted], every.values[fitted], ordered=True)
        decoder, _ = choose_decoder(
            self.decoder,
            num_features=self.recording.num_features,
            num_queries=count,
            coded=False,
        )
        transform = decoder.decode(seen).transform
        masks, values = self.recording.held_out()
        found = {"true": r_squared(values, transform(masks))}
        if unseen:
            found |= _shown(every, unseen, seen, transform, num_looks=len(self.looks))
        return found


def _shown(
    every: Samples, unseen: list[int], seen: Samples, transform: FourierTransform, *, num_looks: int
) -> Cell:
    masks, values = every.masks[unseen], every.values[unseen]
    faithfulness = looked_at(
        values,
        transform(masks),
        additive=additive_fit(seen)(masks),
        others=seen.values,
        num_looks=num_looks,
    )
    shown = Shown.of(faithfulness, num_masks=0, num_looks=num_looks)
    return {"value": shown.value, "error": shown.error}


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a prompt: R² that an audit sees, and R² that is so.

    Attributes:
        num_features: of the prompt.
        looks: what each look shows, by the number of its queries.
        equal: R² after equal numbers of queries.
        averages: R² by each look, averaged over all orders of the table's rows.
    """

    num_features: int
    looks: dict[int, Cell]
    equal: dict[int, float]
    averages: dict[int, float]

    def reached(self, count: int) -> float:
        """R² by the last look; a fit that is worse than the mean counts as none."""
        return max(float(self.looks[count]["true"]), 0.0) if count else 0.0

    def usual(self, count: int) -> float:
        """What the last look shows of such a table on average."""
        return self.averages[count] if count else 0.0

    def split(self, count: int) -> float:
        """R² where it gets its equal share; a short table gives no more than it has."""
        within = [size for size in self.equal if size <= count]
        return max(self.equal[max(within)], 0.0)


def audited(prompts: Sequence[Measured], budget: int) -> tuple[float, int]:
    """The mean R² that an audit reaches, and the queries that it takes."""
    courses = [Course(prompt.num_features, tuple(prompt.looks)) for prompt in prompts]
    left = budget
    while going := allot(courses, left=left):
        for at in going:
            course = courses[at]
            left -= course.next_cost
            count = course.looks[len(course.shown)]
            cell = prompts[at].looks[count]
            shown = Shown(count, cell["value"], cell["error"])
            courses[at] = replace(course, shown=(*course.shown, shown))
    reached = [
        prompt.reached(course.num_masks) for prompt, course in zip(prompts, courses, strict=True)
    ]
    return fmean(reached), budget - left


def informed(prompts: Sequence[Measured], budget: int) -> tuple[float, int]:
    """The same for one that knew how each table is learned on average, and takes the best looks."""
    return _greedy(prompts, budget, known=[prompt.usual for prompt in prompts])


def foreseen(prompts: Sequence[Measured], budget: int) -> tuple[float, int]:
    """The same for one that knew every R² before, and takes the best looks first."""
    return _greedy(prompts, budget, known=[prompt.reached for prompt in prompts])


def _greedy(
    prompts: Sequence[Measured], budget: int, *, known: Sequence[Callable[[int], float]]
) -> tuple[float, int]:
    """The looks with the highest gain a query first, by what is known of each prompt."""
    steps = sorted(
        (rate, at, count)
        for at, (prompt, reached) in enumerate(zip(prompts, known, strict=True))
        for rate, count in _best_steps(tuple(prompt.looks), reached)
    )
    reached, left = [0] * len(prompts), budget
    for _, at, count in steps:
        if count - reached[at] <= left:
            left -= count - reached[at]
            reached[at] = count
    mean = fmean(prompt.reached(count) for prompt, count in zip(prompts, reached, strict=True))
    return mean, budget - left


def _best_steps(
    looks: tuple[int, ...], reached: Callable[[int], float]
) -> Iterator[tuple[float, int]]:
    """The corners of the concave hull of what is reached: minus the gain a query, and the look."""
    before = 0
    while later := [count for count in looks if count > before]:
        start = reached(before)
        rates = {count: (reached(count) - start) / (count - before) for count in later}
        best = max(rates, key=rates.__getitem__)
        if rates[best] <= 0:
            return
        yield -rates[best], best
        before = best


def equal_need(prompts: Sequence[Measured], mean: float) -> float:
    """The queries a prompt that an equal split takes to reach a mean R²; NaN where it never does.

    Between two numbers of queries R² is taken to grow in a straight line.
    """
    before, low = 0, 0.0
    for count in _EQUAL:
        high = fmean(prompt.split(count) for prompt in prompts)
        if high >= mean:
            return before + (count - before) * (mean - low) / max(high - low, 1e-9)
        before, low = count, high
    return float("nan")


def rows(prompts: Sequence[Measured], *, num_prompts: int, num_audits: int) -> Iterator[list[str]]:
    """One row a budget: what is reached, and the queries that are saved."""
    for each in _BUDGETS:
        reached, saved, learnable, savable = [], [], [], []
        for seed in range(num_audits):
            places = np.random.default_rng(seed).integers(len(prompts), size=num_prompts)
            drawn = [prompts[at] for at in places]
            policies = ((audited, saved), (informed, learnable), (foreseen, savable))
            for policy, shares in policies:
                mean, taken = policy(drawn, each * num_prompts)
                shares.append(1 - taken / num_prompts / equal_need(drawn, mean))
                if policy is audited:
                    reached.append(mean)
        spread = f"{min(saved):+.0%} to {max(saved):+.0%}"
        yield [
            str(each),
            f"{fmean(reached):.3f}",
            f"{fmean(saved):+.0%} ± {stdev(saved):.0%}",
            spread,
            f"{fmean(learnable):+.0%}",
            f"{fmean(savable):+.0%}",
        ]


def main() -> None:
    """Measures what is not measured yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--results", required=True)
    parser.add_argument("--out")
    parser.add_argument("--decoder", default="lasso")
    parser.add_argument("--subsets", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--audits", type=int, default=10)
    arguments = parser.parse_args()
    ledger = Ledger(arguments.results)
    measured = []
    for path in sorted(RECORDED.glob("*.npz")):
        recording = read_recording(path)
        found = [
            Prompt(recording, subset, arguments.decoder).measured(ledger)
            for subset in range(arguments.subsets)
        ]
        averages = {
            count: fmean(max(looks[count]["true"], 0.0) for looks, _ in found)
            for count in found[0][0]
        }
        measured += (Measured(recording.num_features, *each, averages) for each in found)
    head = ["queries a prompt", "mean R²", "saved", "over audits", "learnable", "savable"]
    table = markdown(
        head, rows(measured, num_prompts=arguments.prompts, num_audits=arguments.audits)
    )
    told = (
        f"{arguments.audits} audits of {arguments.prompts} prompts each, drawn from "
        f"{len(measured)}: {len(measured) // arguments.subsets} recorded tables under "
        f"{arguments.subsets} orders of their rows, decoded by {arguments.decoder}. Saved is the "
        "share of queries that an equal split takes more for the same mean R²; learnable is what "
        "one would save that knew how each table is learned on average, and savable one that knew "
        f"every single R². {versions()}"
    )
    text = f"# Queries that an audit saves\n\n{fill(told, 100)}\n\n{table}\n"
    print(text)
    if arguments.out:
        Path(arguments.out).write_text(text)


if __name__ == "__main__":
    main()
