"""Held-out R² against the true log-odds where k sampled answers a mask are all that is known.

    python benchmarks/sampled.py measure --results runs/sampled.jsonl [--spread 1.5] [--also]
    python benchmarks/sampled.py report benchmarks/results --results runs/sampled.jsonl

The truth is a real model's recorded log-odds (`tests/data/recorded`), every table of 16 features
and more. A replicate draws which 1,000 masks are fitted, all others being held out, and k answers
to each mask from its probability. Treatments get the same masks and answers:

- `binomial`: as decoders treat samples with draws, by the likelihood of the counts;
- `ignored`: smoothed logits, their noise taken to be the same everywhere and unknown;
- `plug-in`: smoothed logits with the variances that the same draws give;
- `true p`: smoothed logits with `1 / (k p (1 − p))` at the true p, which nobody knows;
- `shares`: s/k with the variances that the same draws give, decoded on that scale; its R² is of
  shares; and `shares, ignored`: s/k alone.

`--spread` stretches a table's log-odds around their mean to this standard deviation, in nats: the
recorded model is small, and larger ones move further.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any

import numpy as np
from recordings import RECORDED, Recording, read_recording
from scipy import stats
from scipy.special import expit, logit
from tables import markdown

from spex_api.decoding import SpectralGP
from spex_api.fidelity import r_squared
from spex_api.samples import Draws, Samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Cell = dict[str, Any]

_NUM_FITTED = 1000
_FEWEST_FEATURES = 16
_MAIN = ("binomial", "ignored")
_OF_SHARES = ("shares", "shares, ignored")
_ALSO = ("plug-in", "true p", *_OF_SHARES)
_HEAD = """
# Three sampled answers a mask: counts decoded by their likelihood, or as values

SpectralGP on 1,000 masks with three answers each. The truth is a real model's recorded log-odds;
R² is against it, on masks that no fit has seen. Pairs have the same masks and the same answers;
± is the 95 % interval over replicates, by Student's t. All tables of 16 features and more are
shown; `sampled.py` says what each treatment is. "At the right level" is R² after the predictions
are shifted to the truth's mean: what is left of the gain when the bias of the level is taken out.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Replicate:
    """Masks that are fitted and held out, and answers drawn to each."""

    masks: NDArray[np.uint8]
    truth: Floats
    hits: Floats
    trials: int

    @classmethod
    def drawn(cls, table: Recording, *, trials: int, spread: float, seed: int) -> Replicate:
        """A permutation of the table, and as many answers to each mask."""
        rng = np.random.default_rng(seed)
        truth = stretched(table.values, spread)
        rows = rng.permutation(len(truth))
        hits = rng.binomial(trials, expit(truth[rows])).astype(np.float64)
        return cls(table.masks[rows], truth[rows], hits, trials)

    def samples(self, treatment: str) -> Samples:
        """What a decoder is given of the fitted masks."""
        fitted = slice(_NUM_FITTED)
        hits, k, p = self.hits[fitted], self.trials, expit(self.truth[fitted])
        values, variances, draws = _logits(hits, k), None, None
        if treatment == "binomial":
            draws = Draws(hits, np.full(len(hits), float(k)))
            variances = _gart_zweifel(hits, k)
        elif treatment == "plug-in":
            variances = _gart_zweifel(hits, k)
        elif treatment == "true p":
            variances = 1.0 / (k * p * (1.0 - p))
        elif treatment in _OF_SHARES:
            smoothed = (hits + 0.5) / (k + 1)
            values = hits / k
            variances = smoothed * (1.0 - smoothed) / k if treatment == "shares" else None
        return Samples.from_arrays(self.masks[fitted], values, variances, ordered=True, draws=draws)

    def measured(self, treatment: str) -> dict[str, float]:
        """How well the decoder's transform knows the truth on the held-out masks."""
        given = self.samples(treatment)
        start = time.process_time()
        transform = SpectralGP().decode(given).transform
        seconds = time.process_time() - start
        unseen, hits, k = slice(_NUM_FITTED, None), self.hits[_NUM_FITTED:], self.trials
        truth, said = self.truth[unseen], transform(self.masks[unseen])
        shares = np.clip(said, 0.0, 1.0) if treatment in _OF_SHARES else expit(said)
        found = {
            "seconds": seconds,
            "r2_of_shares": r_squared(expit(truth), shares),
            "reported_of_shares": r_squared(hits / k, shares),
            "error": float(np.mean((hits / k - shares) ** 2)),
            "drawn": float(np.var(hits / k, ddof=1)),
            "noise": float(np.mean(hits * (k - hits))) / (k**2 * (k - 1)),
        }
        if treatment not in _OF_SHARES:
            found |= {
                "r2": r_squared(truth, said),
                "shifted": r_squared(truth, said - said.mean() + truth.mean()),
                "reported": r_squared(_logits(hits, k), said),
            }
        return found


def stretched(values: NDArray[np.floating[Any]], spread: float) -> Floats:
    """Log-odds around their mean with this standard deviation, or as they are for a spread of 0."""
    truth = values.astype(np.float64)
    return truth.mean() + (truth - truth.mean()) * spread / truth.std() if spread else truth


def _logits(hits: Floats, trials: int) -> Floats:
    return np.log((hits + 0.5) / (trials - hits + 0.5))


def _gart_zweifel(hits: Floats, k: int) -> Floats:
    return (k + 1) * (k + 2) / (k * (hits + 1.0) * (k - hits + 1.0))


def _tables() -> Iterator[Recording]:
    for path in sorted(RECORDED.glob("*.npz")):
        table = read_recording(path)
        if table.num_features >= _FEWEST_FEATURES and len(table.values) > _NUM_FITTED:
            yield table


def _measure(arguments: argparse.Namespace) -> None:
    path = Path(arguments.results[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {_key(cell) for cell in _cells(path)}
    first, end = map(int, arguments.replicates.split(":"))
    for seed in range(first, end):
        for table in _tables():
            drawn = Replicate.drawn(
                table, trials=arguments.trials, spread=arguments.spread, seed=seed
            )
            for treatment in (*_MAIN, *_ALSO) if arguments.also else _MAIN:
                cell = {
                    "prompt": table.name,
                    "trials": arguments.trials,
                    "spread": arguments.spread,
                    "seed": seed,
                    "treatment": treatment,
                }
                if _key(cell) not in done:
                    line = json.dumps(cell | drawn.measured(treatment))
                    with path.open("a", encoding="utf-8") as file:
                        file.write(line + "\n")


def _cells(path: Path) -> list[Cell]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _key(cell: Cell) -> tuple[Any, ...]:
    return tuple(cell[name] for name in ("prompt", "trials", "spread", "seed", "treatment"))


def _report(cells: Sequence[Cell]) -> str:
    parts = [_HEAD.strip()]
    for spread in sorted({cell["spread"] for cell in cells}):
        chosen = {_key(cell): cell for cell in cells if cell["spread"] == spread}
        title = f"Log-odds stretched to {spread:g} nats" if spread else "Log-odds as recorded"
        parts += [f"## {title}", _paired(chosen), _treatments(chosen), _told(chosen)]
    parts += ["## What a smoothed logit is worth", _bias()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _paired(cells: Mapping[tuple[Any, ...], Cell]) -> str:
    """The likelihood against noise ignored, the same masks and answers for both."""
    gains: dict[str, dict[str, list[float]]] = {}
    rows = []
    for table in _tables():
        pairs = list(_pairs(cells, table.name))
        if not pairs:
            continue
        found = {
            name: [one[name] - other[name] for one, other in pairs] for name in ("r2", "shifted")
        }
        gains[table.name] = found
        means = [fmean(pair[side][name] for pair in pairs) for name in found for side in (0, 1)]
        truth = stretched(table.values, pairs[0][0]["spread"])
        low, middle, high = np.quantile(expit(truth), [0.05, 0.5, 0.95])
        rows.append(
            [
                table.name.replace("_", " "),
                f"{truth.std():.2f}",
                f"{low:.2f} / {middle:.2f} / {high:.2f}",
                *(f"{mean:.3f}" for mean in means[:2]),
                f"{fmean(found['r2']):+.3f} ± {_half_width(found['r2']):.3f}",
                f"{sum(gain > 0 for gain in found['r2'])} of {len(pairs)}",
                f"{means[2]:.3f} / {means[3]:.3f}",
            ]
        )
    head = ["prompt", "sd", "p: 5 / 50 / 95 %", "binomial", "ignored", "gain", "ahead"]
    table = markdown([*head, "both at the right level"], rows)
    said = []
    for name, what in (("r2", "Gain in R²"), ("shifted", "With both at the right level")):
        each = [found[name] for found in gains.values()]
        mean, (low, high) = fmean(map(fmean, each)), _bootstrap(each)
        over = _half_width([fmean(one) for one in each])
        said.append(
            f"{what}, mean over {len(each)} prompts: **{mean:+.3f}**, 95 % interval {low:+.3f} to "
            f"{high:+.3f} by the bootstrap over prompts and replicates, ± {over:.3f} by Student's "
            "t over prompts."
        )
    return "\n\n".join([table, *said])


def _pairs(cells: Mapping[tuple[Any, ...], Cell], prompt: str) -> Iterator[tuple[Cell, Cell]]:
    for key, cell in cells.items():
        other = cells.get((*key[:-1], "ignored"))
        if key[0] == prompt and key[-1] == "binomial" and other is not None:
            yield cell, other


def _treatments(cells: Mapping[tuple[Any, ...], Cell]) -> str:
    """All treatments where all were measured."""
    names = (*_MAIN, *_ALSO)
    keys = {key[:-1] for key in cells}
    whole = [key for key in keys if all((*key, name) in cells for name in names)]
    if not whole:
        return ""
    seeds = {key[0]: sum(key[0] == other[0] for other in whole) for key in whole}
    rows = []
    for name in names:
        each = [cells[(*key, name)] for key in whole]
        logs = [cell["r2"] for cell in each if "r2" in cell]
        rows.append(
            [
                name,
                f"{fmean(logs):.3f}" if logs else "",
                f"{fmean(cell['r2_of_shares'] for cell in each):.3f}",
                f"{median(cell['seconds'] for cell in each):.1f}",
            ]
        )
    return "\n\n".join(
        [
            f"All treatments, the mean of {len(whole)} replicates of {len(seeds)} prompts.",
            markdown(["treatment", "R²", "R² of shares", "seconds of a core"], rows),
        ]
    )


def _told(cells: Mapping[tuple[Any, ...], Cell]) -> str:
    """What can be measured without the truth: on the held-out masks' own drawn answers."""
    rows = []
    for name in _MAIN:
        each = [cell for key, cell in cells.items() if key[-1] == name]
        ceiling = 1 - fmean(cell["noise"] for cell in each) / fmean(cell["drawn"] for cell in each)
        columns = ("r2", "reported", "r2_of_shares", "reported_of_shares")
        rows.append(
            [
                name,
                *(f"{fmean(cell[column] for cell in each):.3f}" for column in columns),
                f"{ceiling:.3f}",
            ]
        )
    head = ["treatment", "R², true log-odds", "R², smoothed logits", "R², true shares"]
    return "\n\n".join(
        [
            "What held-out answers can tell, without the truth: R² against their own three draws.",
            markdown([*head, "R², drawn shares", "of at most"], rows),
        ]
    )


def _bias() -> str:
    """Exactly, over all counts that there may be."""
    rows = []
    for k in (3, 5, 10, 20):
        hits = np.arange(k + 1.0)
        for p in (0.5, 0.7, 0.8, 0.9, 0.95):
            chances = stats.binom.pmf(hits, k, p)
            mean = float(chances @ _logits(hits, k))
            numbers = (
                float(logit(p)),
                mean,
                float(chances @ (_logits(hits, k) - mean) ** 2),
                float(chances @ _gart_zweifel(hits, k)),
            )
            rows.append([k, p, *(f"{number:.2f}" for number in numbers)])
    head = ["draws", "p", "log-odds", "mean of the smoothed logit", "its variance"]
    return markdown([*head, "mean of the variance that is given with it"], rows)


def _half_width(numbers: Sequence[float]) -> float:
    """Of the 95 % interval of a mean, by Student's t."""
    count = len(numbers)
    if count < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, count - 1)) * stdev(numbers) / count**0.5


def _bootstrap(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The 95 % interval of the mean of means, groups drawn anew, and their members."""
    rng = np.random.default_rng(0)
    means = [
        fmean(
            float(np.mean(rng.choice(groups[place], len(groups[place]))))
            for place in rng.integers(len(groups), size=len(groups)).tolist()
        )
        for _ in range(4000)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    """Measures cells that are not there yet, or writes the tables of those that are."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("do", choices=["measure", "report"])
    parser.add_argument("folder", nargs="?", default="benchmarks/results")
    parser.add_argument("--results", nargs="+", default=["runs/sampled.jsonl"])
    parser.add_argument("--replicates", default="0:10")
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--spread", type=float, default=0.0)
    parser.add_argument("--also", action="store_true")
    arguments = parser.parse_args()
    if arguments.do == "measure":
        _measure(arguments)
    else:
        cells = [cell for path in arguments.results for cell in _cells(Path(path))]
        Path(arguments.folder, "sampled.md").write_text(_report(cells), encoding="utf-8")


if __name__ == "__main__":
    main()
