"""Draws which `keep` serves which use, from the table in benchmarks/results/keep.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drawing import ROOT, bare, canvas, save

if TYPE_CHECKING:
    from drawing import Colours
    from matplotlib.figure import Figure

UNIFORM, NEAR = "transforms, N = 300: uniform", "transforms, N = 300: every near"


def medians() -> dict[str, list[tuple[float, float]]]:
    """Of each column of the first table, keep and the median R² over functions."""
    report = (ROOT / "benchmarks" / "results" / "keep.md").read_text(encoding="utf-8")
    table = re.search(r"^\| keep \|.*?\n\n", report, re.DOTALL | re.MULTILINE)
    if table is None:
        raise LookupError("benchmarks/results/keep.md has no table by keep any more.")
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.group().strip().splitlines()
    )
    return {
        name: [(float(row[0]), float(row[place].split()[0])) for row in rows]
        for place, name in enumerate(head)
        if place
    }


def draw(colours: Colours) -> Figure:
    """R² on uniform masks and near the prompt, against keep."""
    columns = medians()
    figure = canvas(colours, 7.6, 3.0)
    axes = figure.subplots()
    for name, label, colour, at in (
        (UNIFORM, "any masks", colours.soft, (0.6, 0.03)),
        (NEAR, "one to three parts removed", colours.up, (0.6, -0.08)),
    ):
        points = columns[name]
        axes.plot(*zip(*points, strict=True), "o-", color=colour, linewidth=2.2, markersize=6)
        nearest = min(points, key=lambda point: abs(point[0] - at[0]))
        axes.text(at[0], nearest[1] + at[1], label, color=colour, ha="left", size=10.5)
    axes.set(ylim=(0.38, 1.04), xlim=(0.48, 0.97))
    axes.set_xticks([0.5, 0.6, 0.7, 0.8, 0.9, 0.95], ["0.5", "0.6", "0.7", "0.8", "0.9", "0.95"])
    axes.set_yticks([0.4, 0.6, 0.8, 1.0])
    axes.grid(visible=True, axis="y", color=colours.faint, linewidth=0.8)
    axes.set_xlabel("keep: how likely a mask keeps each part")
    axes.set_ylabel("held-out R²")
    bare(axes, colours, frame="bottom")
    return figure


if __name__ == "__main__":
    save(draw, "keep")
