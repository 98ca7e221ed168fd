"""What is measured stays measured: finished cells as JSON lines, peers' answers as arrays.

A run that breaks off goes on where it stopped, and ours can be measured again beside peers' answers
that took hours. What this module does not know: what is measured.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spex_api.samples import Aliasing, Samples
from spex_api.transforms import FourierTransform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Decoded", "Ledger", "timed"]

Cell = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder answered, in how many seconds of one core, and what it says of it."""

    transform: FourierTransform
    seconds: float
    note: str = ""


def timed(decode: Callable[[], tuple[FourierTransform, str]]) -> Decoded:
    """Runs a decoding, and counts the processor's seconds: neighbours on the machine do not."""
    start = time.process_time()
    transform, note = decode()
    return Decoded(transform, time.process_time() - start, note)


class Ledger:
    """A file of JSON lines, one a finished cell, and a folder of arrays beside it."""

    def __init__(self, path: str) -> None:
        """Reads the cells that there are; of one cell the last line counts."""
        self._path = Path(path)
        self._arrays = self._path.parent / "arrays"
        self._arrays.mkdir(parents=True, exist_ok=True)
        self._cells: dict[str, Cell] = {}
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        for line in lines:
            cell = json.loads(line)
            self._cells[_key(cell["of"])] = cell

    def cells(self) -> list[Cell]:
        """Every finished cell: what was measured under `of`, and what came out."""
        return list(self._cells.values())

    def get(self, of: Cell) -> Cell | None:
        """A finished cell, or None."""
        return self._cells.get(_key(of))

    def add(self, of: Cell, outcome: Mapping[str, Any]) -> Cell:
        """Appends a finished cell, at once."""
        cell = {"of": of, **outcome}
        with self._path.open("a") as file:
            file.write(json.dumps(cell) + "\n")
        self._cells[_key(of)] = cell
        return cell

    def decoded(self, of: Cell, decode: Callable[[], Decoded]) -> Decoded:
        """A decoder's answer from the folder of arrays; where it is not there, it is made."""
        path = self._file(of)
        if not path.exists():
            answer = decode()
            num_features = answer.transform.num_features
            supports = np.zeros((len(answer.transform), num_features), dtype=np.uint8)
            for row, support in enumerate(answer.transform):
                supports[row, list(support)] = 1
            _save(
                path,
                supports=np.packbits(supports, axis=1),
                values=np.array(list(answer.transform.values())),
                num_features=num_features,
                seconds=answer.seconds,
                note=answer.note,
            )
        with np.load(path) as file:
            num_features = int(file["num_features"])
            bits = np.unpackbits(file["supports"], axis=1, count=num_features)
            keys = [tuple(np.flatnonzero(row).tolist()) for row in bits]
            transform = FourierTransform(
                dict(zip(keys, file["values"].tolist(), strict=True)), num_features
            )
            return Decoded(transform, float(file["seconds"]), str(file["note"]))

    def samples(self, of: Cell, draw: Callable[[], Samples]) -> Samples:
        """Coded samples from the folder of arrays; where they are not there, they are drawn."""
        path = self._file({**of, "method": "samples"})
        if not path.exists():
            drawn = draw()
            if drawn.aliasing is None:
                raise ValueError("only coded samples are kept")
            _save(
                path,
                masks=np.packbits(drawn.masks, axis=1),
                values=drawn.values,
                matrices=drawn.aliasing.matrices,
                delays=drawn.aliasing.delays,
                degree=drawn.aliasing.degree,
            )
        with np.load(path) as file:
            aliasing = Aliasing(file["matrices"], file["delays"], int(file["degree"]))
            masks = np.unpackbits(file["masks"], axis=1, count=aliasing.num_features)
            return Samples(masks, file["values"], None, ordered=False, aliasing=aliasing)

    def _file(self, of: Cell) -> Path:
        words = [f"{name}={value}" for name, value in sorted(of.items())]
        return self._arrays / (re.sub(r"[^A-Za-z0-9_.=-]+", "-", "_".join(words)) + ".npz")


def _key(of: Cell) -> str:
    return json.dumps(of, sort_keys=True)


def _save(path: Path, **arrays: Any) -> None:  # noqa: ANN401  # whatever NumPy takes for an array
    """Writes under another name first, so that a file that is there is whole."""
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(unfinished, **arrays)
    unfinished.rename(path)
