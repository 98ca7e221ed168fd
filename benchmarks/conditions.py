"""Under what conditions a run is measured: one core, and which versions.

What this module does not know: what is measured.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_limits

__all__ = ["on_one_core", "versions"]

_PACKAGES = (
    "spex-api",
    "spectralexplain",
    "sparse-transform",
    "shapiq",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    "scikit-learn",
    "numpy",
)


def on_one_core() -> None:
    """Binds this process to one core, and linear algebra to one thread."""
    threadpool_limits(limits=1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def versions() -> str:
    """Python, and what is installed of ours and of the peers', to end a sentence with."""
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return f"Python {sys.version.split()[0]}, {', '.join(found)}."
