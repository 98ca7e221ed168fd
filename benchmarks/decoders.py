"""Our decoders and the peers, side by side in one run: the same masks, the same noise, one core.

    python -m pip install -e ".[proxyspex,plots]" spectralexplain shapiq
    python benchmarks/decoders.py noise --results runs/cells.jsonl
    python benchmarks/decoders.py budgets FOLDER --results runs/cells.jsonl --out table.md

Seconds are of the processor, for decoding alone; what a peer compiles on first use is compiled
before. A finished cell is never measured again (`--again` measures ours again, on the same masks
and values); `--stored` prints what there is and runs nothing.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy and LightGBM are loaded

import argparse
import multiprocessing
import resource
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import peers
from conditions import on_one_core, versions
from functions import Noisy, read_transforms, score
from ledger import Decoded, Ledger, timed
from planted import Planted
from plots import plot_budgets, plot_seconds
from tables import budgets_table, exact_table, noise_table, speed_table

from spex_api.decoding import SPEX, choose_decoder
from spex_api.samples import Samples
from spex_api.sampling.uniform import uniform_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger import Cell

    from spex_api.decoding import Decoder
    from spex_api.transforms import FourierTransform

_NOISE_OF_PLANTED = 0.1
_NOISE_OF_TRANSFORMS = 0.09
"""0.3 standard deviations."""
_SETTINGS = "64:6:50 64:6:100 256:6:50 256:6:100"
_GRID = " ".join(f"{n}:{b}:{terms}" for n in (64, 256, 1000) for b in (6, 8) for terms in (50, 100))


def _decode(decoder: Decoder, samples: Samples) -> Decoded:
    def decode() -> tuple[FourierTransform, str]:
        recovery = decoder.decode(samples)
        return recovery.transform, str(recovery.status)

    return timed(decode)


def _measure(
    options: argparse.Namespace,
    of: Cell,
    function: FourierTransform,
    decode: Callable[[], Decoded],
) -> None:
    """Fills one cell, where it is not filled yet."""
    ours = of["method"] == "ours"
    if options.stored or (options.ours_only and not ours):
        return
    if options.ledger.get(of) and not (ours and options.again):
        return
    decoded = decode() if ours else options.ledger.decoded(of, decode)
    outcome = {
        **asdict(score(decoded.transform, function)),
        "seconds": decoded.seconds,
        "note": decoded.note,
        "found": len(decoded.transform),
    }
    options.ledger.add(of, outcome)
    words = " ".join(f"{name}={value}" for name, value in of.items())
    print(f"{words}: R² {outcome['r_squared']:.4f} in {decoded.seconds:.2f} s", file=sys.stderr)


def _measure_planted(options: argparse.Namespace, planted: Planted, methods: Sequence[str]) -> None:
    function = planted.function
    for method in methods:
        of = {**asdict(planted), "method": method}
        if method == "ours":
            decoder = SPEX(sparsity_exponent=planted.exponent)
            _measure(
                options,
                of,
                function,
                lambda decoder=decoder: _decode(decoder, planted.samples(options.ledger)),
            )
        else:
            _measure(options, of, function, lambda method=method: _peer(options, planted, method))


def _peer(options: argparse.Namespace, planted: Planted, method: str) -> Decoded:
    """The peer's decoding; its refit starts from the soft one, which is measured once."""
    signal = planted.signal()[0]
    if method != "refitted":
        return peers.spex(signal, method, exponent=planted.exponent)
    soft = options.ledger.decoded(
        {**asdict(planted), "method": "soft"},
        lambda: peers.spex(signal, "soft", exponent=planted.exponent),
    )
    return peers.spex_refitted(soft, signal, exponent=planted.exponent)


def _planted(setting: str, **others: Any) -> Planted:  # noqa: ANN401
    num_features, exponent, num_terms = map(int, setting.split(":"))
    return Planted(num_features, exponent, num_terms, **others)


def _exact(options: argparse.Namespace) -> str:
    masks = "peer" if options.peer else "ours"
    for setting in options.settings.split():
        for seed in range(options.seeds):
            planted = _planted(setting, seed=seed, noise=0.0, masks=masks)
            _measure_planted(options, planted, ["ours", *filter(None, [options.peer])])
    return exact_table(options.ledger.cells(), masks=masks)


def _noise(options: argparse.Namespace) -> str:
    methods = ["ours", "soft", "refitted", *(["hard"] if options.hard else [])]
    for setting in options.settings.split():
        for seed in range(options.seeds):
            planted = _planted(setting, seed=seed, noise=_NOISE_OF_PLANTED, masks="peer")
            _measure_planted(options, planted, methods)
    return noise_table(options.ledger.cells())


def _speed(options: argparse.Namespace) -> str:
    big = [
        _planted(options.alone, seed=0, noise=noise, masks="ours")
        for noise in (0.0, _NOISE_OF_PLANTED)
    ]
    for planted in big:
        # A new process for each, and before this one grows: a child starts with its parent's peak.
        of = {**asdict(planted), "method": "ours", "what": "peak"}
        if not options.stored and (options.again or not options.ledger.get(of)):
            spawned = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=spawned) as pool:
                options.ledger.add(of, pool.submit(_peak, planted).result())
    for setting in options.settings.split():
        for noise in (0.0, _NOISE_OF_PLANTED):
            planted = _planted(setting, seed=0, noise=noise, masks="peer")
            _measure_planted(options, planted, ["ours", *options.methods.split()])
    return speed_table(options.ledger.cells())


def _peak(planted: Planted) -> dict[str, Any]:
    """Draws samples and decodes them; the peak memory of this process holds both, and Python."""
    on_one_core()
    plan = SPEX(sparsity_exponent=planted.exponent).plan(
        planted.num_features, None, seed=planted.seed
    )
    samples = Samples.from_plan(plan, planted.noisy()(plan.masks))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    decoded = _decode(SPEX(sparsity_exponent=planted.exponent), samples)
    return {
        **asdict(score(decoded.transform, planted.function)),
        "seconds": decoded.seconds,
        "note": decoded.note,
        "found": len(decoded.transform),
        "queries": len(samples),
        "megabytes_before": before / 1024,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _budgets(options: argparse.Namespace) -> str:
    transforms = read_transforms(options.folder)
    for budget in options.budgets:
        for name, function in transforms.items():
            for seed in range(options.seeds):
                of = {
                    "function": name,
                    "num_features": function.num_features,
                    "budget": budget,
                    "noise": _NOISE_OF_TRANSFORMS,
                    "seed": seed,
                }
                _measure_budget(options, of, function)
    return budgets_table(options.ledger.cells())


def _measure_budget(options: argparse.Namespace, of: Cell, function: FourierTransform) -> None:
    budget, seed, num_features = of["budget"], of["seed"], function.num_features
    noisy = partial(Noisy, function, noise=of["noise"], seed=seed)
    fill = partial(_measure, options)

    def ours() -> Decoded:
        decoder, _ = choose_decoder("auto", num_features=num_features, num_queries=budget)
        plan = decoder.plan(num_features, budget, seed=seed)
        if len(plan) != budget:
            raise ValueError(f"{decoder} plans {len(plan)} queries, not {budget}")
        decoded = _decode(decoder, Samples.from_plan(plan, noisy()(plan.masks)))
        return replace(decoded, note=f"{type(decoder).__name__}: {decoded.note}")

    def uniform() -> Samples:
        plan = uniform_plan(num_features, budget, seed=seed)
        return Samples.from_plan(plan, noisy()(plan.masks))

    fill({**of, "method": "ours"}, function, ours)
    for order in (1, 2):
        of_ridge = {**of, "method": f"ridge {order}"}
        fill(of_ridge, function, lambda order=order: peers.ridge(uniform(), order=order))
    code = peers.largest_code(num_features, budget)
    if code is not None:
        exponent, degree = code
        draw = partial(peers.coded_signal, exponent=exponent, degree=degree, seed=seed)

        def soft() -> Decoded:
            return peers.spex(draw(noisy())[0], "soft", exponent=exponent, degree=degree)

        fill({**of, "method": "soft"}, function, soft)
        fill(
            {**of, "method": "refitted"},
            function,
            lambda: peers.spex_refitted(
                options.ledger.decoded({**of, "method": "soft"}, soft),
                draw(noisy())[0],
                exponent=exponent,
            ),
        )
    if budget <= options.proxy_up_to:
        if options.proxy_grid == "published":
            of_proxy = {**of, "method": "ProxySPEX (spectralexplain)"}
            fill(of_proxy, function, lambda: peers.proxyspex_published(uniform()))
        else:
            of_proxy = {**of, "method": "ProxySPEX (shapiq)"}
            fill(of_proxy, function, lambda: peers.proxyspex_shapiq(noisy(), budget, seed=seed))


def _report(options: argparse.Namespace) -> str:
    """Every table and both figures of what there is."""
    cells = options.ledger.cells()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    plot_budgets(cells, folder / "budgets.svg")
    plot_seconds(cells, folder / "seconds.svg")
    tables = {
        "R² at equal budgets, noise of 0.3 standard deviations": budgets_table(cells),
        "Planted functions without noise": exact_table(cells, masks="ours"),
        "Planted functions with noise of a tenth of their energy": noise_table(cells),
        "Seconds and memory": speed_table(cells),
    }
    text = "\n\n".join(f"## {title}\n\n{table}" for title, table in tables.items())
    (folder / "decoders.md").write_text(f"# Decoders\n\n{text}\n\nOne core; {versions()}\n")
    return text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--results", default="runs/cells.jsonl", help="JSON lines; goes on there")
    shared.add_argument("--out", help="write the table to this file as well")
    shared.add_argument("--seeds", type=int, default=1)
    shared.add_argument("--stored", action="store_true", help="run nothing, print what there is")
    shared.add_argument("--again", action="store_true", help="measure ours again")
    shared.add_argument("--ours-only", action="store_true", help="leave the peers out")
    planted = argparse.ArgumentParser(add_help=False, parents=[shared])
    planted.add_argument("--settings", help="n:b:coefficients, apart by blanks")
    commands = parser.add_subparsers(required=True)
    exact = commands.add_parser("exact", parents=[planted], help="noise-free: recovery to 1e-8")
    exact.add_argument("--peer", choices=["soft", "hard"], help="the peer too, on its masks")
    exact.set_defaults(run=_exact, settings=_GRID)
    noise = commands.add_parser("noise", parents=[planted], help="noise of a tenth of the energy")
    noise.add_argument("--hard", action="store_true", help="the peer's hard decoder too")
    noise.set_defaults(run=_noise, settings=_SETTINGS)
    speed = commands.add_parser("speed", parents=[planted], help="seconds, and peak memory")
    speed.add_argument("--methods", default="hard soft", help="of the peer")
    speed.add_argument("--alone", default="1000:8:100", help="ours alone, in a process of its own")
    speed.set_defaults(run=_speed, settings="64:8:100 256:8:100")
    _add_budgets(commands.add_parser("budgets", parents=[shared], help="R² at equal budgets"))
    report = commands.add_parser("report", parents=[shared], help="all tables and figures")
    report.add_argument("folder", help="for decoders.md, budgets.svg and seconds.svg")
    report.set_defaults(run=_report)
    return parser.parse_args()


def _add_budgets(budgets: argparse.ArgumentParser) -> None:
    budgets.add_argument("folder", help="of transforms as JSON: bitstring to coefficient")
    budgets.add_argument("--budgets", type=int, nargs="+", default=[500, 2000, 8000, 30000])
    budgets.add_argument(
        "--proxy-up-to", type=int, default=2000, help="ProxySPEX up to this budget"
    )
    budgets.add_argument(
        "--proxy-grid",
        choices=["small", "published"],
        default="small",
        help="that of shapiq (30,000 trees) or of spectralexplain (130,000 trees)",
    )
    budgets.set_defaults(run=_budgets)


def main() -> None:
    """Fills the cells that a command asks for, and prints its table."""
    options = _options()
    on_one_core()
    warnings.simplefilter("ignore")  # the peers' own, hundreds a run
    options.ledger = Ledger(options.results)
    text = f"{options.run(options)}\n\nOne core; {versions()}"
    print(text)
    if options.out:
        Path(options.out).write_text(text + "\n")


if __name__ == "__main__":
    main()
