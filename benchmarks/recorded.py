"""Held-out R² of each decoder on a table of values that a real model gave.

    python benchmarks/recorded.py TABLE.npz [--train 500] [--test 1000] [--subsets 5]

The table holds `masks` (num_masks, num_features) of 0 and 1 and `values` (num_masks,). The first
subset trains on the first rows, the others on rows drawn under a seed; each is tested on the last
rows, which no fit sees.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from spex_api.decoding import Lasso, SpectralGP
from spex_api.decoding.ridge import additive_ridge
from spex_api.fidelity import r_squared
from spex_api.samples import Samples


def main() -> None:
    """Prints one row a decoder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("table")
    parser.add_argument("--train", type=int, default=500)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--subsets", type=int, default=5)
    arguments = parser.parse_args()
    with np.load(arguments.table) as table:
        masks, values = table["masks"], table["values"]
    pool, unseen = np.arange(len(masks) - arguments.test), slice(-arguments.test, None)
    decoders = {
        "additive ridge": additive_ridge,
        "Lasso, degree 2": lambda samples: Lasso().decode(samples).transform,
        "SpectralGP": lambda samples: SpectralGP().decode(samples).transform,
        "SpectralGP, ordered": lambda samples: (
            SpectralGP()
            .decode(Samples.from_arrays(samples.masks, samples.values, ordered=True))
            .transform
        ),
    }
    for name, decode in decoders.items():
        scores, seconds = [], []
        for subset in range(arguments.subsets):
            order = np.random.default_rng(subset).permutation(pool) if subset else pool
            rows = order[: arguments.train]
            start = time.perf_counter()
            transform = decode(Samples.from_arrays(masks[rows], values[rows]))
            seconds.append(time.perf_counter() - start)
            scores.append(r_squared(values[unseen], transform(masks[unseen])))
        print(
            f"{name:20} R² first {scores[0]:.3f}, mean {np.mean(scores):.3f} "
            f"({min(scores):.3f} to {max(scores):.3f}), {np.median(seconds):.1f} s"
        )


if __name__ == "__main__":
    main()
