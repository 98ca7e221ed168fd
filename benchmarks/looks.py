"""Seconds of one core that an audit decodes for one prompt: a decoding at each of its looks.

    python benchmarks/looks.py [--decoder auto] [--masks 500]

From recorded tables of 10 to 64 parts. What this script does not know: any peer.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy is loaded

import argparse
import time

from conditions import versions
from recordings import RECORDED, read_recording
from tables import markdown

from spex_api.audits.allotment import stops
from spex_api.decoding.auto import choose_decoder
from spex_api.sampling.survey import num_fitted

_TABLES = ("examples_10_lines", "review_a_24_words", "review_d_64_words")


def seconds(name: str, *, decoder: str, masks: int) -> list[str]:
    """One row: the table, its parts, the seconds of each look, and their sum."""
    recording = read_recording(RECORDED / f"{name}.npz")
    number = recording.num_features
    each = {}
    for count in stops(number, masks):
        samples = recording.training(num_fitted(count, several=False), subset=0)
        chosen, _ = choose_decoder(decoder, num_features=number, num_queries=count, coded=False)
        start = time.process_time()
        chosen.decode(samples)
        each[count] = time.process_time() - start
    looks = ", ".join(f"{taken:.1f} ({count})" for count, taken in each.items())
    return [name, str(number), looks, f"{sum(each.values()):.1f}"]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--decoder", default="auto")
    parser.add_argument("--masks", type=int, default=500)
    arguments = parser.parse_args()
    rows = [seconds(name, decoder=arguments.decoder, masks=arguments.masks) for name in _TABLES]
    print(markdown(["table", "parts", "seconds of each look (after masks)", "in all"], rows))
    print(f"\nDecoder {arguments.decoder}, one core. {versions()}")


if __name__ == "__main__":
    main()
