"""R² against queries, of our decoders and of the peers, on recorded values of a real model.

    python -m pip install -e ".[proxyspex,plots]" spectralexplain shapiq xgboost
    python benchmarks/faithfulness.py measure --results runs/faithfulness.jsonl
    python benchmarks/faithfulness.py measure --transforms FOLDER --results runs/faithfulness.jsonl
    python benchmarks/faithfulness.py report benchmarks/results --results runs/faithfulness.jsonl

Each table's last rows are held out; a training subset is a prefix of a permutation of the others,
so that it grows into that of twice as many queries. Seconds are of the processor, for decoding
alone. A finished cell is never measured again (`--again` measures ours again); `--stored` runs
nothing and prints what there is.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy, LightGBM and XGBoost are loaded

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from comparison import LEAD, curves
from conditions import on_one_core, versions
from faithfulness_tables import (
    additive_table,
    means_table,
    published_table,
    queries_table,
    seconds_table,
    summary_table,
    transforms_table,
)
from functions import Noisy, read_transforms, score
from ledger import Ledger
from methods import ADDITIVE, METHODS, OURS, PUBLISHED
from plots import plot_faithfulness
from recordings import RECORDED, read_recording

from spex_api.fidelity import r_squared
from spex_api.samples import Samples
from spex_api.sampling.uniform import uniform_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger import Cell, Decoded
    from recordings import Recording

    from spex_api.transforms import FourierTransform

_NOISE = 0.09
"""0.3 standard deviations."""


def _measure(options: argparse.Namespace) -> str:
    """Fills the cells of the chosen tables, or of the transforms, and prints what there is."""
    if not options.stored:
        if options.transforms:
            for name, function in read_transforms(options.transforms).items():
                _measure_transform(options, name, function)
        else:
            for path in options.tables:
                _measure_table(options, read_recording(path))
    cells = options.ledger.cells()
    if options.transforms:
        return transforms_table(cells)
    return f"{means_table(curves(cells))}\n\n{summary_table(curves(cells))}"


def _measure_table(options: argparse.Namespace, recording: Recording) -> None:
    masks, values = recording.held_out()
    double = 2 * recording.num_features
    for size in sorted({double, *recording.sizes}):
        # At 2n queries the claim is about an additive fit alone.
        methods = options.methods if size in recording.sizes else [LEAD, *ADDITIVE]
        for subset in range(options.subsets):
            samples = recording.training(size, subset=subset)
            for method in filter(options.methods.__contains__, methods):
                if method == PUBLISHED and (subset or size > options.published_up_to):
                    continue
                of = {
                    "table": recording.name,
                    "num_features": recording.num_features,
                    "size": size,
                    "subset": subset,
                    "method": method,
                }
                _fill(
                    options,
                    of,
                    samples,
                    lambda decoded: r_squared(values, decoded.transform(masks)),
                )


def _measure_transform(options: argparse.Namespace, name: str, function: FourierTransform) -> None:
    for queries in options.queries:
        for seed in range(options.subsets):
            plan = uniform_plan(function.num_features, queries, seed=seed)
            noisy = Noisy(function, noise=_NOISE, seed=seed)
            samples = Samples.from_plan(plan, noisy(plan.masks))
            for method in options.methods:
                if method == PUBLISHED and (seed or queries > options.published_up_to):
                    continue
                of = {
                    "function": name,
                    "num_features": function.num_features,
                    "queries": queries,
                    "noise": _NOISE,
                    "seed": seed,
                    "method": method,
                }
                _fill(
                    options,
                    of,
                    samples,
                    lambda decoded: score(decoded.transform, function).r_squared,
                )


def _fill(
    options: argparse.Namespace,
    of: Cell,
    samples: Samples,
    scored: Callable[[Decoded], float],
) -> None:
    """Measures one cell, where it is not measured yet."""
    ours = of["method"] in OURS
    if options.ours_only and not ours:
        return
    if options.ledger.get(of) and not (ours and options.again):
        return
    decoded = METHODS[of["method"]](samples)
    outcome = {
        "r_squared": scored(decoded),
        "seconds": decoded.seconds,
        "note": decoded.note,
        "found": len(decoded.transform),
    }
    options.ledger.add(of, outcome)
    words = " ".join(f"{name}={value}" for name, value in of.items())
    print(f"{words}: R² {outcome['r_squared']:.4f} in {decoded.seconds:.2f} s", file=sys.stderr)


def _report(options: argparse.Namespace) -> str:
    """Every table and the figure of what there is."""
    cells = options.ledger.cells()
    measured = curves(cells)
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    plot_faithfulness(measured, folder / "faithfulness.svg")
    tables = {
        f"{LEAD} at N queries, the best peer at N, 2N and 3N": summary_table(measured),
        "Queries for the same R²": queries_table(measured),
        "Ours less an additive ridge, at N and at 2n queries": additive_table(measured),
        "Held-out R², mean over training subsets with its 95 % interval": means_table(measured),
        "Median seconds": seconds_table(measured),
        f"{PUBLISHED} with its published grid": published_table(cells),
        "Transforms with noise of 0.3 standard deviations": transforms_table(cells),
    }
    text = "\n\n".join(f"## {title}\n\n{table}" for title, table in tables.items())
    title = "# R² against queries, on recorded values of a real model"
    (folder / "faithfulness.md").write_text(f"{title}\n\n{text}\n\nOne core; {versions()}\n")
    return text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--results", default="runs/faithfulness.jsonl", help="JSON lines; goes on there"
    )
    commands = parser.add_subparsers(required=True)
    measure = commands.add_parser("measure", parents=[shared], help="R² of every method")
    measure.add_argument(
        "--tables",
        type=Path,
        nargs="+",
        default=sorted(RECORDED.glob("*.npz")),
        help=".npz of masks and values; the recorded ones by default",
    )
    measure.add_argument("--transforms", help="a folder of JSON transforms in place of tables")
    measure.add_argument("--queries", type=int, nargs="+", default=[300, 700], help="on transforms")
    measure.add_argument("--subsets", type=int, default=5, help="training subsets, or seeds")
    measure.add_argument(
        "--methods", nargs="+", choices=list(METHODS), default=list(METHODS), metavar="NAME"
    )
    measure.add_argument(
        "--published-up-to",
        type=int,
        default=0,
        help="the grid of spectralexplain up to so many queries, on the first subset",
    )
    measure.add_argument("--stored", action="store_true", help="run nothing, print what there is")
    measure.add_argument("--again", action="store_true", help="measure ours again")
    measure.add_argument("--ours-only", action="store_true", help="leave the peers out")
    measure.set_defaults(run=_measure)
    report = commands.add_parser("report", parents=[shared], help="all tables and the figure")
    report.add_argument("folder", help="for faithfulness.md and faithfulness.svg")
    report.set_defaults(run=_report)
    return parser.parse_args()


def main() -> None:
    """Fills the cells that are asked for, and prints their tables."""
    options = _options()
    on_one_core()
    warnings.simplefilter("ignore")  # the peers' own, hundreds a run
    options.ledger = Ledger(options.results)
    print(f"{options.run(options)}\n\nOne core; {versions()}")


if __name__ == "__main__":
    main()
