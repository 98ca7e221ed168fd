"""Seconds and memory of SpectralGP as samples and features grow, in a fresh process for each.

    python benchmarks/scale.py [--settings 500:100 2000:100 4000:100] [--out scale.md]

The function has twenty relevant features of a hundred, and its interactions are products of what
matters alone, as a model's are; on it lies noise of 0.3 standard deviations. Threads are left as
the decoder and the environment set them. Peak memory is the process's, Python and NumPy included.

What this script does not know: any peer.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
from conditions import versions
from functions import Noisy, score
from tables import markdown

from spex_api.decoding import SpectralGP
from spex_api.samples import Samples
from spex_api.sampling.uniform import uniform_plan
from spex_api.transforms import FourierTransform, Support

_NOISE = 0.09
"""0.3 standard deviations."""
_NUM_RELEVANT = 20
_DEGREE = 3


def hereditary_transform(num_features: int, *, seed: int) -> FourierTransform:
    """A function whose interactions are strong where their parts are: `F[S] ~ N(0, Π_{i∈S} w_i)`.

    Of relevances w that fall geometrically over `_NUM_RELEVANT` features at random, all supports up
    to degree 3.

    Args:
        num_features: at least as many as are relevant.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    relevant = np.sort(rng.choice(num_features, size=_NUM_RELEVANT, replace=False)).tolist()
    relevances = dict(
        zip(relevant, rng.permutation(0.4 * 0.8 ** np.arange(_NUM_RELEVANT)), strict=True)
    )
    terms: dict[Support, float] = {(): float(rng.standard_normal())}
    for size in range(1, _DEGREE + 1):
        for support in combinations(relevant, size):
            deviation = float(np.sqrt(np.prod([relevances[feature] for feature in support])))
            terms[support] = deviation * float(rng.standard_normal())
    return FourierTransform(terms, num_features)


def measure(num_samples: int, num_features: int) -> list[object]:
    """A row of the table: draws samples, decodes them, and reads this process's peak memory."""
    function = hereditary_transform(num_features, seed=0)
    plan = uniform_plan(num_features, num_samples, seed=0)
    samples = Samples.from_plan(plan, Noisy(function, noise=_NOISE, seed=0)(plan.masks))
    before = _megabytes()
    wall, processor = time.perf_counter(), time.process_time()
    recovery = SpectralGP().decode(samples)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    r_squared = score(recovery.transform, function).r_squared
    return [
        f"{num_samples:,}",
        num_features,
        f"{wall:.1f}",
        f"{processor:.1f}",
        f"{_megabytes():.0f} MB",
        f"{before:.0f} MB",
        f"{r_squared:.4f}",
        recovery.status,
    ]


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _in_a_fresh_process(setting: str) -> list[object]:
    # Spawned, not forked: a forked child starts with its parent's peak.
    num_samples, num_features = map(int, setting.split(":"))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, num_samples, num_features).result()


def main() -> None:
    """Prints one row a setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--settings", nargs="+", default=["500:100", "2000:100", "4000:100"], metavar="N:FEATURES"
    )
    parser.add_argument("--out", type=Path, help="write the table to this file as well")
    options = parser.parse_args()
    head = ["N", "n", "s wall", "s processor", "peak memory", "before decoding", "R²", "status"]
    table = markdown(head, [_in_a_fresh_process(setting) for setting in options.settings])
    text = f"# Seconds and memory of SpectralGP\n\n{table}\n\n{versions()}"
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
