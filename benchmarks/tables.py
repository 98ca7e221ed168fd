"""Finished cells → Markdown tables.

What this module does not know: how a cell was measured.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledger import Cell

__all__ = ["TITLES", "budgets_table", "exact_table", "markdown", "noise_table", "speed_table"]

_SETTING = ("num_features", "exponent", "num_terms")
TITLES = {
    "ours": "ours",
    "soft": "SPEX soft",
    "refitted": "SPEX soft, refitted",
    "hard": "SPEX hard",
    "ProxySPEX (shapiq)": "ProxySPEX (shapiq)",
    "ProxySPEX (spectralexplain)": "ProxySPEX (spectralexplain)",
    "ridge 1": "order-1 ridge",
    "ridge 2": "order-2 ridge",
}
"""Of the methods, in the order in which they are shown."""


def exact_table(cells: Sequence[Cell], *, masks: str) -> str:
    """In how many seeds a noise-free recovery is exact, and what ours says where it is not."""
    rows = []
    chosen = [
        cell
        for cell in _planted(cells)
        if cell["of"]["noise"] == 0 and cell["of"]["masks"] == masks
    ]
    for key, group in _groups(chosen, (*_SETTING, "method")).items():
        sentences = Counter(cell["note"] for cell in group if not cell["exact"])
        said = "; ".join(f"{count} × “{note}”" for note, count in sentences.most_common())
        ours = key[-1] == "ours"
        rows.append(
            [
                *key[:-1],
                TITLES[key[-1]],
                f"{sum(cell['exact'] for cell in group)} of {len(group)}",
                f"{_median(group, 'seconds'):.2f}",
                f"{max(cell['seconds'] for cell in group):.2f}",
                said if ours else "",
            ]
        )
    head = ["n", "b", "coefficients", "decoder", "exact", "median s", "longest s", "where not"]
    return markdown(head, rows)


def noise_table(cells: Sequence[Cell]) -> str:
    """Recall and R² of each decoder on the same masks with the same noise."""
    rows = []
    chosen = [
        cell for cell in _planted(cells) if cell["of"]["noise"] and cell["of"]["masks"] == "peer"
    ]
    for key, group in _groups(chosen, (*_SETTING, "method")).items():
        rows.append(
            [
                *key[:-1],
                TITLES[key[-1]],
                len(group),
                f"{np.mean([cell['recall'] for cell in group]):.3f}",
                f"{np.mean([cell['r_squared'] for cell in group]):.4f}",
                f"{_median(group, 'seconds'):.2f}",
            ]
        )
    head = ["n", "b", "coefficients", "decoder", "seeds", "mean recall", "mean R²", "median s"]
    return markdown(head, rows)


def speed_table(cells: Sequence[Cell]) -> str:
    """Seconds of each decoder on one problem, as a multiple of ours; and ours alone."""
    rows = []
    chosen = [
        cell
        for cell in _planted(cells)
        if cell["of"]["masks"] == "peer" and cell["of"]["seed"] == 0
    ]
    for key, group in _groups(chosen, (*_SETTING, "noise")).items():
        seconds = {cell["of"]["method"]: cell["seconds"] for cell in group}
        for cell in group:
            method = cell["of"]["method"]
            ratio = f"{seconds[method] / seconds['ours']:.1f}" if "ours" in seconds else "–"
            r_squared = f"{cell['r_squared']:.4f}"
            rows.append([*key, TITLES[method], f"{cell['seconds']:.2f}", ratio, r_squared, ""])
    for cell in cells:
        of = cell["of"]
        if of.get("what") == "peak":
            setting = [of[name] for name in (*_SETTING, "noise")]
            memory = f"{cell['megabytes']:.0f} MB ({cell['megabytes_before']:.0f} before decoding)"
            r_squared = f"{cell['r_squared']:.4f}"
            rows.append([*setting, "ours", f"{cell['seconds']:.2f}", "", r_squared, memory])
    head = ["n", "b", "coefficients", "noise", "decoder", "s", "of ours", "R²", "peak memory"]
    return markdown(head, rows)


def budgets_table(cells: Sequence[Cell]) -> str:
    """R² of ours and of each peer at equal budgets, one row a function and budget."""
    chosen = [cell for cell in cells if "budget" in cell["of"]]
    groups = _groups(chosen, ("budget", "function", "num_features", "method"))
    present = {key[3] for key in groups}
    methods = [method for method in TITLES if method in present and method != "ours"]
    rows, differences = [], []
    for budget, function, num_features in dict.fromkeys(key[:3] for key in groups):
        found = {
            key[3]: group
            for key, group in groups.items()
            if key[:3] == (budget, function, num_features)
        }
        if "ours" not in found:
            continue
        scores = {method: _median(group, "r_squared") for method, group in found.items()}
        ours = scores.pop("ours")
        best = max(scores, key=lambda method: scores[method], default=None)
        difference = None if best is None else ours - scores[best]
        differences += [] if difference is None else [difference]
        shown = [f"{scores[name]:.4f}" if name in scores else "–" for name in methods]
        rows.append(
            [
                function,
                num_features,
                f"{budget:,}",
                found["ours"][0]["note"].split(":")[0],
                f"{ours:.4f}",
                f"{_median(found['ours'], 'seconds'):.1f}",
                *shown,
                TITLES[best] if best else "–",
                "–" if difference is None else f"{difference:+.4f}",
            ]
        )
    columns = [TITLES[method] for method in methods]
    head = ["function", "n", "queries", "ours", "R²", "s", *columns, "best peer", "difference"]
    worst = f"worst difference: {min(differences):+.4f}" if differences else "no peer yet"
    return f"{markdown(head, rows)}\n\n{worst}"


def _planted(cells: Iterable[Cell]) -> list[Cell]:
    return [cell for cell in cells if "num_terms" in cell["of"] and "what" not in cell["of"]]


def _groups(cells: Iterable[Cell], names: tuple[str, ...]) -> dict[tuple[Any, ...], list[Cell]]:
    """Cells by what was measured, in order; methods in the order of their titles."""
    order = list(TITLES)
    groups: defaultdict[tuple[Any, ...], list[Cell]] = defaultdict(list)
    for cell in sorted(cells, key=lambda cell: order.index(cell["of"]["method"])):
        groups[tuple(cell["of"][name] for name in names)].append(cell)
    settings = [name for name in names if name != "method"]
    return dict(sorted(groups.items(), key=lambda pair: pair[0][: len(settings)]))


def _median(cells: Iterable[Cell], name: str) -> float:
    return float(np.median([cell[name] for cell in cells]))


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown, one line a row."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
